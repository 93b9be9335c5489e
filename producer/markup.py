"""Bytes of a document to a tree: any encoding, any damage. The only home of lxml's parsers and of ftfy."""

import codecs
import re
from collections.abc import Iterator
from functools import partial
from html import escape
from html.entities import html5

import ftfy
from lxml import etree

Element = etree._Element
SEMANTICS = ("{http://www.idpf.org/2007/ops}type", "epub:type", "role")
"""Attributes that say what an element is; without its namespace where the markup was read as HTML."""

BLOCKS = frozenset(
    (
        "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption "
        "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu ol optgroup option p pre "
        "search section summary table tbody td tfoot th thead tr ul"
    ).split()
)
"""Elements that stand on lines of their own; all others are parts of a line."""

_string = etree.XPath("string()")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Byte order marks; the longer before those that they begin with."""
_WIDE = {"utf-16-le": re.compile(rb"(?:[\t\n\r -~]\0){4}"), "utf-16-be": re.compile(rb"(?:\0[\t\n\r -~]){4}")}
"""What UTF-16 begins with when it has no mark: four characters of ASCII, twice as wide."""
_STRAY = re.compile("[\udc80-\udcff]")
"""A byte that is not UTF-8, as Python's `surrogateescape` keeps it."""
_WIDER = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]+")
_DECLARED = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""")
_CP1252 = "sloppy-windows-1252"
"""Windows-1252 that keeps the five bytes it does not define; of ftfy."""
_LATIN = frozenset(["cp1252", "iso8859-1", "ascii", "utf-8"])
"""Encodings that are often declared in error: what is UTF-8 is read as such, all else as Windows-1252."""
_IMPOSSIBLE = re.compile(r"utf-(7|16|32)|idna|punycode|.*escape")
"""Encodings whose declaration could not be read if it were true, and Python's own that no book is written in."""
_DECLARATION = re.compile(r"\s*<\?xml\b[^<>]*\?>")
_DOCTYPE = re.compile(r"<!DOCTYPE[^<>\[]*\[.*?\]\s*>", re.DOTALL)
_ENTITY = re.compile(r"<!ENTITY\s+([^\s%<>]+)")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*;|#0*1[2-5][0-9];|#[xX]0*[89][0-9A-Fa-f];)")
_OPEN, _CLOSE = "<![CDATA[", "]]>"
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_LAST = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
_RAW = re.compile(r"<(/?)(title|script|style|textarea|iframe|xmp|noembed|noframes|plaintext)\b[^<>]*>", re.IGNORECASE)
"""Elements that hold no others in HTML: one that is left open would swallow all that follows."""
_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)[^<>]*>")
_DEEP = 1000
"""Elements inside each other; libxml2 stops reading at 2,048."""
_SUSPECT = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)
"""What two bytes of UTF-8 look like when they were read as Windows-1252; ftfy alone takes 0.3 s a megabyte."""
_ODD = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x80-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML does not allow, and the controls that are punctuation in Windows-1252."""
_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9a-fA-F]*)|0*([0-9]*))")
_XML_ENTITIES = frozenset(["lt;", "gt;", "amp;", "quot;", "apos;"])


def decode(content: bytes) -> str:
    """Return a document as text that an XML parser can be given: mojibake repaired, named entities resolved.

    The encoding is that of the byte order mark, else the declared one where that can be true, else UTF-8, else
    Windows-1252. What is no character in XML is U+FFFD, or a space.
    """
    text = _decode(content).lstrip("\ufeff")
    if declaration := _DECLARATION.match(text):
        text = text[declaration.end() :]
    if _SUSPECT.search(text):
        text = "".join(map(_repair, text.splitlines(keepends=True)))
    pieces = _split(_ODD.sub(_replace, text))
    own = frozenset(_ENTITY.findall(text) if "<!ENTITY" in text else ())
    pieces[::2] = (_NAMED.sub(partial(_character, own), piece) for piece in pieces[::2])
    return "".join(pieces)


def parse(text: str) -> Element | None:
    """Return the root of a decoded document, read as XML or else as HTML; None when there is nothing to read."""
    root = _parse_xml(text)
    if root is None and (bare := _without_doctype(text)) != text:
        text = bare
        root = _parse_xml(text)
    return _parse_html(text) if root is None else root


def parse_xml(content: bytes) -> Element | None:
    """Return the root of an XML file, whatever can be made out of it; None when that is nothing."""
    parser = etree.XMLParser(recover=True, encoding="utf-8", no_network=True, load_dtd=False)
    try:
        return etree.fromstring(_REFERENCE.sub(_referred, decode(content)).encode(), parser)
    except etree.XMLSyntaxError:
        return None


def semantics(element: Element) -> Iterator[str]:
    """Yield what an element says it is: words of EPUB 3 structural semantics, those of DPUB-ARIA without `doc-`."""
    for name in SEMANTICS:
        yield from terms(element.get(name, ""))


def terms(value: str) -> Iterator[str]:
    """Yield the words of an attribute that says what an element is, without their prefixes."""
    for word in value.lower().split():
        yield word.rpartition(":")[2].removeprefix("doc-")


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace, in lower case."""
    return str(element.tag).rpartition("}")[2].lower()


def identifiers(element: Element) -> Iterator[str]:
    """Yield the names that a link can call an element by."""
    names = (
        "id",
        "{http://www.w3.org/XML/1998/namespace}id",
        "xml:id",
        *(["name"] if local_name(element) == "a" else ()),
    )
    return filter(None, map(element.get, names))


def text_content(element: Element) -> str:
    """Return all text in an element, without comments and instructions (XPath 1.0, section 5.2)."""
    return str(_string(element))


def collapse(text: str) -> str:
    """Return a text with each run of white space as one space, and none around it."""
    return " ".join(text.split())


def elements(found: object) -> list[Element]:
    """Return the elements that an XPath expression found."""
    return [each for each in found if isinstance(each, Element)] if isinstance(found, list) else []


def _decode(content: bytes) -> str:
    if content.startswith(codecs.BOM_UTF8):
        return _decode_latin(content.removeprefix(codecs.BOM_UTF8))
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace")
    for encoding, beginning in _WIDE.items():
        if beginning.match(content):
            return content.decode(encoding, errors="replace")
    declared = _DECLARED.search(content[:1024])
    encoding = _name(declared[1].decode()) if declared else "utf-8"
    if encoding not in _LATIN:
        try:
            return content.decode(encoding)
        except (UnicodeError, LookupError):
            pass
    return _decode_latin(content)


def _name(label: str) -> str:
    """Return Python's name of an encoding; UTF-8 for one that is unknown or cannot be."""
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return "utf-8"
    return "utf-8" if _IMPOSSIBLE.match(name) else name


def _decode_latin(content: bytes) -> str:
    """Read UTF-8, in which stray bytes are Windows-1252; when most of what is not ASCII is stray, all of it is."""
    text = content.decode(errors="surrogateescape")
    stray = len(_STRAY.findall(text))
    if stray == 0:
        return text
    other = sum(map(len, _WIDER.findall(text)))
    return content.decode(_CP1252) if stray >= other else _STRAY.sub(_stray, text)


def _stray(byte: re.Match[str]) -> str:
    return byte[0].encode(errors="surrogateescape").decode(_CP1252)


def _repair(line: str) -> str:
    return ftfy.fix_encoding(line) if _SUSPECT.search(line) else line


def _replace(character: re.Match[str]) -> str:
    code = ord(character[0])
    if 0x80 <= code <= 0x9F:
        return bytes([code]).decode("cp1252", errors="replace")
    return " " if character[0].isspace() else "\ufffd"


def _split(text: str) -> list[str]:
    """Cut a text at its CDATA sections, which are every second piece."""
    end = text.rfind(_CLOSE) + len(_CLOSE)
    pieces = _CDATA.split(text[:end])
    pieces[-1] += text[end:]
    return pieces


def _character(own: frozenset[str], entity: re.Match[str]) -> str:
    """Return the character that an entity stands for, unless the document or XML itself defines it."""
    name = entity[1]
    if name.startswith("#"):
        code = int(name[-3:-1], 16) if name[1] in "xX" else int(name[-4:-1])
        return bytes([code]).decode("cp1252", errors="replace") if 0x80 <= code <= 0x9F else entity[0]
    return entity[0] if name in _XML_ENTITIES or name[:-1] in own else escape(html5.get(name, "")) or entity[0]


def _without_doctype(text: str) -> str:
    """Leave out a document type with declarations of its own, which the parser of HTML takes for text."""
    start = text.find("<!DOCTYPE")
    doctype = _DOCTYPE.match(text, start) if start >= 0 else None
    return text[:start] + text[doctype.end() :] if doctype else text


def _referred(reference: re.Match[str]) -> str:
    """Return a character reference as it is, unless it is to half a character: lxml cannot say what it parsed then."""
    digits = reference[1] or reference[2] or "0"
    code = int(digits, 16 if reference[1] else 10) if len(digits) < 8 else 0
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else reference[0]


def _parse_xml(text: str) -> Element | None:
    """Parse well-formed markup, also with namespaces that are not; what entities may grow to is bounded by libxml2."""
    parser = _xml_parser(recover=False)
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        log = parser.error_log
    if all(error.domain == etree.ErrorDomains.NAMESPACE for error in log):
        return etree.fromstring(text.encode(), _xml_parser(recover=True))
    return None


def _xml_parser(*, recover: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know bool only
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        recover=recover,
    )


def _parse_html(text: str) -> Element | None:
    """Parse anything, after mending what would make the parser stop or overlook the rest."""
    pieces = _split(text)
    pieces[::2] = (piece.replace(_OPEN, escape(_OPEN)) for piece in pieces[::2])
    pieces[1::2] = (escape(piece[len(_OPEN) : -len(_CLOSE)], quote=False) for piece in pieces[1::2])
    mended = _close_raw(_LAST.sub("", "".join(pieces).rstrip()))
    comment = mended.rfind("<!--")
    if comment > mended.rfind("-->"):
        mended = mended[:comment] + "&lt;" + mended[comment + 1 :]
    root, complete = _feed_html(mended)
    return root if complete else _feed_html(_flatten(mended))[0]


def _feed_html(text: str) -> tuple[Element | None, bool]:
    """Return the root of a document, and whether all of it was read."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        return None, True
    return root, all(error.type != etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log)


def _close_raw(text: str) -> str:
    """Leave out the tags of `title`, `script` and their like that nothing closes."""
    ends = {tag[2].lower(): tag.start() for tag in _RAW.finditer(text) if tag[1] and tag[2].lower() != "plaintext"}
    return _RAW.sub(lambda tag: tag[0] if tag.start() <= ends.get(tag[2].lower(), -1) else "", text)


def _flatten(text: str) -> str:
    """Leave out the tags of elements that stand too deep inside others."""
    depth = 0

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2].lower() in _VOID or tag[0].endswith("/>"):
            return tag[0]
        depth -= bool(tag[1])
        kept = tag[0] if depth < _DEEP else ""
        depth += not tag[1]
        return kept

    return _TAG.sub(keep, text)
