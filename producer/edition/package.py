"""The package document of an edition: EPUB 3, with what the original says of itself."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

import langcodes
from lxml import etree

from e2a.plan import Plan
from producer.edition.attributes import OPS
from producer.edition.links import Links
from producer.edition.pages import MATHML, SVG, Page, name_of
from producer.epub import metadata as described
from producer.epub.package import Source, first, kind_of, read_spine
from producer.markup import Element, collapse, parse_xml, text_content

OPF = "http://www.idpf.org/2007/opf"
DC = "http://purl.org/dc/elements/1.1/"
UNTITLED = "..."
"""What has no title, where one is needed."""
UNDATED = "2000-01-01T00:00:00Z"
"""When an edition was made of a book that does not say when it was: the same book is the same bytes."""
_AS_THEY_ARE = "contributor coverage description format publisher relation rights source subject type".split()
_REFINES = {"title": ("title-type", "display-seq", "file-as"), "creator": ("role", "display-seq", "file-as")}
_REFINES["contributor"] = _REFINES["creator"]
_RENDITION = {
    "rendition:layout": {"reflowable", "pre-paginated"},
    "rendition:orientation": {"landscape", "portrait", "auto"},
    "rendition:spread": {"none", "landscape", "both", "auto"},
    "rendition:flow": {"paginated", "scrolled-continuous", "scrolled-doc", "auto"},
}
_ITEMREF = re.compile(
    r"(rendition:)?page-spread-(left|right|center)|rendition:(layout|orientation|spread|flow|align)-[a-z-]+"
)
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_TITLE_TYPES = {"main", "subtitle", "short", "collection", "edition", "expanded"}


class Line(NamedTuple):
    """A line of the manifest."""

    href: str
    media_type: str
    properties: tuple[str, ...] = ()
    fallback: str = ""
    """Path of another line's."""


def package(source: Source, plan: Plan, lines: Sequence[Line], pages: Mapping[str, Page], links: Links) -> bytes:
    """Return the package document.

    Args:
        source: the package of the original.
        plan: of the book.
        lines: the manifest, without what is outside the EPUB.
        pages: by their paths.
        links: between them.
    """
    original = parse_xml(source.archive.read(source.package))
    assert original is not None, "it was read before"
    attributes = {"version": "3.0", "unique-identifier": "pub-id"}
    root = etree.Element(f"{{{OPF}}}package", attributes, nsmap={None: OPF})  # type: ignore[dict-item]
    root.append(_metadata(source, plan, original))
    manifest = etree.SubElement(root, f"{{{OPF}}}manifest")
    ids = {line.href: f"item-{number}" for number, line in enumerate(lines, 1)}
    for line in lines:
        given = {"id": ids[line.href], "href": links.relative(source.package, line.href), "media-type": line.media_type}
        given |= {"properties": " ".join(line.properties)} if line.properties else {}
        given |= {"fallback": ids[line.fallback]} if line.fallback in ids else {}
        etree.SubElement(manifest, f"{{{OPF}}}item", given)
    for number, (url, media_type) in enumerate(sorted(links.remote.items()), 1):
        given = {"id": f"remote-{number}", "href": url, "media-type": media_type}
        etree.SubElement(manifest, f"{{{OPF}}}item", given)
    root.append(_spine(source, original, ids, pages, links))
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True))


def properties(page: Page, links: Links) -> tuple[str, ...]:
    """Return what the manifest has to say of a page."""
    found = set()
    for element in page.root.iter(etree.Element):
        namespace, name = element.tag[1:].partition("}")[0], name_of(element)
        found |= {{SVG: "svg", MATHML: "mathml"}.get(namespace, "")} - {""}
        if (namespace, name) == (OPS, "switch"):
            found.add("switch")
        is_script = name == "script" and "json" not in element.get("type", "")
        if is_script or any(str(key).startswith("on") for key in element.attrib):
            found.add("scripted")
    if page.href in links.goes_out:
        found.add("remote-resources")
    return tuple(sorted(found))


def _metadata(source: Source, plan: Plan, original: Element) -> Element:
    root = etree.Element(f"{{{OPF}}}metadata", nsmap={"dc": DC})
    etree.SubElement(root, f"{{{DC}}}identifier", id="pub-id").text = _identifier(plan, original)
    if not list(source.values("title")):
        etree.SubElement(root, f"{{{DC}}}title").text = collapse(plan.title) or UNTITLED
    for language in _languages(source, plan):
        etree.SubElement(root, f"{{{DC}}}language").text = language
    section = first(original, "metadata")
    for element in () if section is None else section.iter(etree.Element):
        name = kind_of(element)
        if name in {"title", "creator", *_AS_THEY_ARE} and (text := collapse(text_content(element))):
            _describe(
                root, name, text, source.traits({str(k).rpartition("}")[2]: str(v) for k, v in element.attrib.items()})
            )
    if date := described.metadata(source).date:
        etree.SubElement(root, f"{{{DC}}}date").text = date
    _meta(root, "dcterms:modified", _modified(source, plan))
    for text, attributes in source.metas():
        allowed = _RENDITION.get(attributes.get("property", ""), set())
        if text in allowed and "refines" not in attributes:
            _meta(root, attributes["property"], text)
    return root


def _describe(root: Element, name: str, text: str, traits: Mapping[str, list[str]]) -> None:
    """Add a Dublin Core element and what refines it."""
    element = etree.SubElement(root, f"{{{DC}}}{name}")
    element.text = text
    for key in _REFINES.get(name, ()):
        value = next(iter(traits.get(key, ())), "")
        fits = {
            "title-type": value in _TITLE_TYPES,
            "display-seq": value.isdecimal(),
            "role": re.fullmatch("[a-z]{3}", value) is not None,
        }.get(key, bool(value))
        if fits:
            element.set("id", f"{name}-{len(root)}" if "id" not in element.attrib else element.get("id", ""))
            meta = _meta(root, key, value)
            meta.set("refines", f"#{element.get('id')}")
            if key == "role":
                meta.set("scheme", "marc:relators")


def _meta(root: Element, name: str, text: str) -> Element:
    meta = etree.SubElement(root, f"{{{OPF}}}meta", property=name)
    meta.text = text
    return meta


def _identifier(plan: Plan, original: Element) -> str:
    """Return the identifier that the original calls its own: obfuscated fonts are keyed with it."""
    found = [each for each in original.iter(etree.Element) if kind_of(each) == "identifier"]
    named = next(
        (each.get("unique-identifier") for each in original.iter(etree.Element) if kind_of(each) == "package"), ""
    )
    found.sort(key=lambda each: each.get("id") != named)
    texts = (collapse(text_content(each)) for each in found)
    return next(filter(None, texts), f"urn:uuid:{uuid5(NAMESPACE_URL, f'e2a:{plan.book_id}')}")


def _languages(source: Source, plan: Plan) -> list[str]:
    tags = [value.text for value in source.values("language")]
    return [tag for tag in dict.fromkeys(tags) if langcodes.tag_is_valid(tag)] or [plan.speech.language]


def _modified(source: Source, plan: Plan) -> str:
    stamps = [text for text, attributes in source.metas() if attributes.get("property") == "dcterms:modified"]
    dates = [
        f"{plan.metadata.date}T00:00:00Z",
        *(f"{plan.metadata.date}{rest}T00:00:00Z" for rest in ("-01", "-01-01")),
    ]
    pattern = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
    return next((stamp for stamp in [*stamps, *dates] if re.fullmatch(pattern, stamp, re.ASCII)), UNDATED)


def _spine(
    source: Source, original: Element, ids: Mapping[str, str], pages: Mapping[str, Page], links: Links
) -> Element:
    old = first(original, "spine")
    spine = etree.Element(f"{{{OPF}}}spine")
    direction = "" if old is None else old.get("page-progression-direction", "")
    if direction in {"ltr", "rtl"}:
        spine.set("page-progression-direction", direction)
    spread = {each.get("idref", ""): each.get("properties", "") for each in original.iter(etree.Element)}
    read = {spined.named.href: spined.item.href for spined in read_spine(source)}
    added: set[str] = set()
    for identifier, linear in source.spine:
        item = source.items.get(identifier)
        href = "" if item is None else read.get(item.href, item.href if item.media_type == "image/svg+xml" else "")
        if href not in ids or href in added:
            continue
        added.add(href)
        itemref = etree.SubElement(spine, f"{{{OPF}}}itemref", idref=ids[href])
        if linear.lower() == "no" and href in links.linked:
            itemref.set("linear", "no")
        if kept := [word for word in spread.get(identifier, "").split() if _ITEMREF.fullmatch(word)]:
            itemref.set("properties", " ".join(kept))
    is_fixed = any(
        text == "pre-paginated" for text, each in source.metas() if each.get("property") == "rendition:layout"
    )
    for href in pages:
        if href in links.linked and href not in added:
            given = {"properties": "rendition:layout-reflowable"} if is_fixed else {}
            etree.SubElement(spine, f"{{{OPF}}}itemref", {"idref": ids[href], "linear": "no"} | given)
    return spine
