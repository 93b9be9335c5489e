"""What the pages of an edition link to: written anew, so that every link leads to something that is in the edition."""

import mimetypes
import posixpath
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote, urlsplit

from lxml import etree

from producer.edition import styles
from producer.edition.attributes import XLINK
from producer.edition.container import Names
from producer.edition.pages import MATHML, SVG, XHTML, Page, drawing, name_of, tag
from producer.epub.package import Source
from producer.markup import Element, parse_xml

DRAWING = "image/svg+xml"
CORE_IMAGES = {"image/gif", "image/jpeg", "image/png", "image/webp", DRAWING}
"""Images that every reading system shows (EPUB 3.3, section 3.2)."""
_HREF = f"{{{XLINK}}}href"
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = re.compile(r"[^\s/?#@\[\]<>\"{}|\\^`%]+")
_GOES_OUT = {"http", "https", "mailto", "tel", "ftp"}
_REMOTE = {"audio", "video", "source"}
"""Elements that may have what is not in the EPUB."""
_SHOWS = {"img", "image", "embed", "iframe"}
"""Elements that show what they link to, with nothing in its place."""
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".otf": "font/otf", ".ttf": "font/ttf", ".m4a": "audio/mp4"}
_TYPES |= {".woff": "font/woff", ".woff2": "font/woff2"}
_GUESS = mimetypes.MimeTypes()
"""Knows what Python knows, not what the machine does: the same book is the same bytes everywhere."""
_ATTRIBUTES = ("src", "data", "poster", "href", _HREF)
_UNLINKED = frozenset(["id", "class", "style", "title"])


class Links:
    """What is in an edition beside its pages, and what the pages link to.

    Args:
        source: the EPUB that is read.
        pages: by their paths.
    """

    def __init__(self, source: Source, pages: Mapping[str, Page]) -> None:
        self._source = source
        self._pages = pages
        self._items = {item.href: item for item in reversed(source.items.values())}
        self._loaded: dict[str, bytes | None] = {}
        self.name = Names()
        self.linked: set[str] = set()
        """Pages that can be reached by a link."""
        self.remote: dict[str, str] = {}
        """Media types of what is outside, by URL."""
        self.goes_out: set[str] = set()
        """Pages and drawings that use what is outside."""
        self.used: set[str] = set()
        """Resources that a page, a style sheet or a drawing uses, and pages that are shown in others."""

    def mend(self, page: Page) -> None:
        """Write all links of a page anew; an element that says nothing without its link becomes one that does not."""
        for element in list(page.root.iter(etree.Element)):
            namespace, name = element.tag[1:].partition("}")[0], name_of(element)
            if namespace not in {XHTML, SVG, MATHML}:
                continue
            self._set(element, "cite", "")
            if style := element.get("style"):
                self._set(element, "style", styles.declarations(style, self._resolver(page.href)))
            if name == "style":
                element.text = styles.rules(element.text or "", self._resolver(page.href))
            if element.get("srcset"):
                self._set(element, "srcset", self._candidates(page.href, element.get("srcset", "")))
            for key in _ATTRIBUTES:
                if key in element.attrib:
                    self._mend(page, element, name, key)

    def resource(self, base: str, link: str) -> str:
        """Return a link from a file to one that is no page, as it has to be; empty when it leads nowhere."""
        if link.lower().startswith("data:"):
            return link
        if not link.strip() or _SCHEME.match(link):
            return ""
        href, fragment = self._source.resolve(base, link)
        if not href or href in self._pages or self.content(href) is None:
            return ""
        self.used.add(href)
        return self.relative(base, href) + (f"#{quote(fragment)}" if fragment else "")

    def relative(self, base: str, href: str) -> str:
        """Return a link from one file to another."""
        return quote(posixpath.relpath(self.name(href), posixpath.dirname(self.name(base)) or "."))

    def content(self, href: str) -> bytes | None:
        """Return the content of a file that is no page; None when it cannot be read."""
        if href not in self._loaded:
            self._loaded[href] = None
            is_locked = self._source.archive.find(href) in self._source.encrypted
            content = None if is_locked else self._source.spare(href, "linked to or in the manifest")
            if content is not None:
                self._loaded[href] = content  # so that files that use each other end
                self._loaded[href] = self._mended(href, content)
        return self._loaded[href]

    def _mended(self, href: str, content: bytes) -> bytes | None:
        """Return a file with its own links written anew; None for what says that it is a picture, but is none."""
        media_type = self.media_type(href)
        if media_type == "text/css":
            return styles.style_sheet(content, None, self._resolver(href))
        if media_type != DRAWING:
            return None if media_type in CORE_IMAGES and not _shown_as(content) else content
        root = parse_xml(content)
        if root is None or name_of(root) != "svg":
            return None
        page = drawing(href, root)
        self.mend(page)
        return bytes(etree.tostring(page.root, encoding="utf-8", xml_declaration=True))

    def media_type(self, href: str) -> str:
        """Return the media type of a file: that of the manifest, unless it is an image and another one."""
        item = self._items.get(href)
        suffix = posixpath.splitext(href)[1].lower()
        guess = _TYPES.get(suffix) or _GUESS.guess_type(href)[0] or "application/octet-stream"
        declared = item.media_type if item else ""
        media_type = "text/css" if declared == "text/x-oeb1-css" else declared or guess
        return _shown_as(self._loaded.get(href) or b"") or media_type if media_type.startswith("image/") else media_type

    def _resolver(self, base: str) -> Callable[[str], str]:
        return lambda link: link if link.startswith("#") else self.resource(base, link)

    def _mend(self, page: Page, element: Element, name: str, key: str) -> None:
        link = element.get(key, "").strip()
        if name in {"a", "area"}:
            target = self._hyperlink(page, link)
            self._set(element, key, target)
            if not target and name == "area":
                _unlink(element, name)
            return
        target = self._target(page, element, name, link)
        if target and name in _SHOWS and not self._is_shown(page.href, link):
            target = ""
        self._set(element, key, target)
        if not target and key != "poster":
            _unlink(element, name)

    def _target(self, page: Page, element: Element, name: str, link: str) -> str:
        if name == "link" and not {"stylesheet", "icon"} & set(element.get("rel", "").lower().split()):
            return ""
        if link.startswith("#"):
            return link if unquote(link[1:]) in page.ids else ""
        if name in _REMOTE and _scheme(link) in {"http", "https"}:
            return self._outside(page.href, name, link)
        href, _fragment = ("", "") if _SCHEME.match(link) else self._source.resolve(page.href, link)
        if href in self._pages and name in {"iframe", "object", "embed"}:
            self.used.add(href)
            return self.relative(page.href, href)
        return self.resource(page.href, link)

    def _outside(self, href: str, name: str, link: str) -> str:
        url = escaped(link)
        if url:
            kind = _GUESS.guess_type(urlsplit(url).path)[0] or ""
            self.remote[url] = (
                kind if kind.startswith(("audio/", "video/")) else f"{name}/mp4".replace("source", "video")
            )
            self.goes_out.add(href)
        return url

    def _hyperlink(self, page: Page, link: str) -> str:
        scheme = _scheme(link)
        if scheme:
            return escaped(link) if scheme in _GOES_OUT else ""
        href, fragment = self._source.resolve(page.href, link) if link else ("", "")
        return self.to_page(page.href, href, fragment)

    def to_page(self, base: str, href: str, fragment: str) -> str:
        """Return a link to a page, to its start when it has no such identifier; empty when there is no such page."""
        if href not in self._pages:
            return ""
        if href != base:
            self.linked.add(href)
        anchor = f"#{quote(fragment)}" if fragment in self._pages[href].ids else ""
        return anchor if anchor and href == base else self.relative(base, href) + anchor

    def _candidates(self, base: str, value: str) -> str:
        pairs = [candidate.split() for candidate in value.split(",")]
        targets = [(self.resource(base, pair[0]), pair[1:]) for pair in pairs if pair and self._is_shown(base, pair[0])]
        return ", ".join(" ".join([target, *rest]) for target, rest in targets if target)

    def _is_shown(self, base: str, link: str) -> bool:
        """Say whether a link leads to a page or an image that is shown everywhere, or has one in its place."""
        if link.lower().startswith("data:"):
            return True
        href, seen = self._source.resolve(base, link)[0], set[str]()
        if href in self._pages:
            return True
        while href and href not in seen and self.content(href) is not None:
            if self.media_type(href) in CORE_IMAGES:
                return True
            seen.add(href)
            item = self._items.get(href)
            fallback = self._source.items.get(item.fallback) if item else None
            href = fallback.href if fallback else ""
        return False

    @staticmethod
    def _set(element: Element, key: str, value: str) -> None:
        if value:
            element.set(key, value)
        elif key in element.attrib:
            del element.attrib[key]


def _shown_as(content: bytes) -> str:
    """Return the media type of an image; empty for what is none."""
    return next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), "")


def _scheme(link: str) -> str:
    """Return the scheme of a link; empty for one within the book."""
    scheme = _SCHEME.match(link)
    return scheme[1].lower() if scheme else ""


def escaped(url: str) -> str:
    """Return a URL with what may not stand in one escaped; empty for what is none."""
    try:
        parts = urlsplit(url.strip())
        is_one = not parts.scheme.startswith(("http", "ftp")) or bool(_HOST.fullmatch(parts.netloc))
    except ValueError:
        return ""
    text = quote(url.strip(), safe="%/:?#[]@!$&'()*+,;=~")
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text) if is_one and text.count("#") < 2 else ""


def _unlink(element: Element, name: str) -> None:
    """Make of an element that lost what it showed one that shows what is in it."""
    parent = element.getparent()
    if element.tag[1:].partition("}")[0] != XHTML or name in {"audio", "video"} or parent is None:
        return
    if name in {"area", "link", "script", "source", "track", "param"}:
        tail, before = element.tail, element.getprevious()
        element.tail = None
        parent.remove(element)
        if before is not None:
            before.tail = (before.tail or "") + (tail or "") or None
        else:
            parent.text = (parent.text or "") + (tail or "") or None
        return
    element.tag = tag(
        "div" if any(name_of(child) in {"div", "p", "ul", "ol", "table"} for child in element) else "span"
    )
    for key in set(element.attrib) - _UNLINKED:
        del element.attrib[key]
