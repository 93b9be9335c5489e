"""The cover of an EPUB: the ways of EPUB 3, of EPUB 2, and those of the wild."""

import posixpath
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from lxml import etree

from producer import markup
from producer.epub.book import Cover, Document, Landmark
from producer.epub.package import Source
from producer.markup import local_name

_PICTURE = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF.{4}WEBP|BM|II\*\0|MM\0\*|.{4}ftypavi[fs]", re.DOTALL)
"""First bytes of JPEG, PNG, GIF, WebP, BMP, TIFF and AVIF, whatever the manifest calls them."""
_WHAT = "a picture for the cover"
_PAGES = 3
"""Documents from the start of a book in which an image may be its cover."""


def find_cover(source: Source, documents: Iterable[Document], landmarks: Iterable[Landmark]) -> Cover | None:
    """Return the likeliest cover that is a picture of pixels; of a page, its first image."""
    items = {item.href: item for item in source.items.values()}
    contents = {document.href: document.content for document in documents}
    marked = list(_marked(source, landmarks))
    for place in dict.fromkeys([*marked, *_likely(source, contents)]):
        is_page = place in contents or (place in items and items[place].is_text)
        href = _first_image(source, place, contents.get(place)) if is_page else place
        if not href or source.archive.find(href) in source.encrypted:
            continue
        content = source.spare(href, _WHAT)
        if content is None:
            continue
        if _PICTURE.match(content):
            return Cover(href, content)
        if place in marked:
            reason = "of a kind that players do not show" if content else "empty"
            source.problems.append(f"{href}: {_WHAT}, but {reason}: not used")
    return None


def _marked(source: Source, landmarks: Iterable[Landmark]) -> Iterator[str]:
    """Yield the paths of images, and of pages with one, that are said to be the cover, what is said best first."""
    yield from (item.href for item in source.items.values() if "cover-image" in item.properties)
    for _value, attributes in source.metas():
        if attributes.get("name") == "cover" and (name := attributes.get("content", "")):
            yield source.items[name].href if name in source.items else source.resolve(source.package, name)[0]
    yield from (landmark.href for landmark in landmarks if landmark.kind == "cover")


def _likely(source: Source, pages: Iterable[str]) -> Iterator[str]:
    """Yield the paths of others that may be the cover, the likeliest first."""
    for identifier, item in source.items.items():
        if item.is_image and "cover" in (identifier + posixpath.basename(item.href)).lower():
            yield item.href
    yield from islice(pages, _PAGES)


def _first_image(source: Source, page: str, content: bytes | None) -> str:
    """Return the path of the first image in a page; empty when there is none."""
    content = source.spare(page, "the page of the cover") if content is None else content
    root = markup.parse(markup.decode(content or b""))
    for element in () if root is None else root.iter(etree.Element):
        if local_name(element) in {"img", "image"}:
            links = (
                value for name, value in element.attrib.items() if re.split("[}:]", str(name))[-1] in {"src", "href"}
            )
            return source.resolve(page, str(next(links, "")))[0]
    return ""
