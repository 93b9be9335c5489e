"""What HTML 5 lets stand where: names of elements, and the names that take the place of those it does not have."""

from producer.edition.spans import SENTENCE

BLOCK = frozenset(
    (
        "address article aside blockquote details dialog div dl figure footer h1 h2 h3 h4 h5 h6 header hgroup hr main "
        "menu nav ol p pre search section table ul"
    ).split()
)
"""Elements of flow content that are no phrasing content."""
TRANSPARENT = frozenset("a audio canvas del ins map object video".split())
"""Elements that may hold what may stand in their place."""
PHRASING = TRANSPARENT | frozenset(
    (
        "abbr area b bdi bdo br cite code data dfn em embed i iframe img kbd mark picture q ruby s samp script small "
        "span strong sub sup time u var wbr"
    ).split()
)
ONLY_PHRASING = frozenset("p pre h1 h2 h3 h4 h5 h6".split())
"""Blocks that hold no blocks."""
PARTS = {
    "li": ("ul", "ol", "menu"),
    "dt": ("dl",),
    "dd": ("dl",),
    "caption": ("table",),
    "colgroup": ("table",),
    "thead": ("table",),
    "tbody": ("table",),
    "tfoot": ("table",),
    "tr": ("thead", "tbody", "tfoot"),
    "td": ("tr",),
    "th": ("tr",),
    "col": ("colgroup",),
    "rb": ("ruby",),
    "rt": ("ruby", "rtc"),
    "rtc": ("ruby",),
    "rp": ("ruby", "rtc"),
    "figcaption": ("figure",),
    "summary": ("details",),
    "source": ("audio", "video", "picture"),
    "track": ("audio", "video"),
    "param": ("object",),
    "area": ("map",),
}
"""Elements that stand in certain others only."""
BLOCK_PARTS = frozenset("li dt dd caption thead tbody tfoot tr td th figcaption summary".split())
"""Those that are blocks."""
HOLDS_PHRASING = ONLY_PHRASING | (PHRASING - TRANSPARENT) | {"rb", "rt", "rtc", "rp", "summary"}
"""Elements in which a block has no place."""
VOID = frozenset("area br col embed hr img source track wbr param link meta".split())
NEVER_INSIDE = {
    "a": frozenset(["a"]),
    "address": frozenset(["address"]),
    "header": frozenset(["header", "footer", "address"]),
    "footer": frozenset(["header", "footer", "address"]),
    "dfn": frozenset(["dfn"]),
    "table": frozenset(["caption"]),
    "audio": frozenset(["audio", "video"]),
    "video": frozenset(["audio", "video"]),
    "main": frozenset(["article", "aside", "footer", "header", "nav", "main"]),
}
"""Elements, and what they do not stand in at any depth."""
DROPPED = frozenset("base basefont bgsound frame input isindex keygen link meta style title head spacer".split())
"""Elements that a body cannot have; what text is in them stays, but for those that are moved to the head."""
RENAMED = {
    SENTENCE: ("span", ""),
    "acronym": ("abbr", ""),
    "big": ("span", "font-size: larger"),
    "button": ("span", ""),
    "center": ("div", "text-align: center"),
    "dir": ("ul", ""),
    "fieldset": ("div", ""),
    "font": ("span", ""),
    "form": ("div", ""),
    "label": ("span", ""),
    "legend": ("div", ""),
    "listing": ("pre", ""),
    "nobr": ("span", "white-space: nowrap"),
    "noframes": ("div", ""),
    "noscript": ("div", ""),
    "optgroup": ("span", ""),
    "option": ("span", ""),
    "plaintext": ("pre", ""),
    "select": ("span", ""),
    "strike": ("s", ""),
    "template": ("div", "display: none"),
    "textarea": ("span", "white-space: pre-wrap"),
    "tt": ("span", "font-family: monospace"),
    "xmp": ("pre", ""),
}
"""Elements that HTML 5 or an EPUB without scripts lacks: what they become, and the style that keeps their looks."""
LOOKS = {
    "b": "font-weight: bold",
    "strong": "font-weight: bold",
    "i": "font-style: italic",
    "em": "font-style: italic",
    "cite": "font-style: italic",
    "dfn": "font-style: italic",
    "var": "font-style: italic",
    "u": "text-decoration: underline",
    "s": "text-decoration: line-through",
    "small": "font-size: smaller",
    "code": "font-family: monospace",
    "kbd": "font-family: monospace",
    "samp": "font-family: monospace",
    "sub": "vertical-align: sub",
    "sup": "vertical-align: super",
    "dd": "margin-inline-start: 40px",
    "tfoot": "display: table-footer-group",
    "hr": "border-top: 1px solid",
    "pre": "white-space: pre; font-family: monospace",
}
"""Looks of elements that are kept when they become a `div`, a `span` or a `tbody`."""
GLOBAL = frozenset("id class title dir lang style tabindex accesskey translate hidden role".split())
"""Attributes that every element may have; beside `aria-` and `data-` ones and those of XML and EPUB."""
OWN = {
    name: frozenset(attributes.split())
    for name, attributes in {
        "a": "href target download rel hreflang type",
        "area": "alt coords shape href target download rel",
        "audio": "src controls autoplay loop muted preload",
        "bdo": "dir",
        "blockquote": "cite",
        "canvas": "width height",
        "col": "span",
        "colgroup": "span",
        "data": "value",
        "del": "cite datetime",
        "details": "open",
        "dialog": "open",
        "embed": "src type width height",
        "iframe": "src name width height",
        "img": "src alt width height usemap ismap srcset sizes",
        "ins": "cite datetime",
        "li": "value",
        "map": "name",
        "object": "data type width height name usemap",
        "ol": "start reversed type",
        "param": "name value",
        "q": "cite",
        "script": "src type async defer charset",
        "source": "src type srcset media sizes width height",
        "table": "border",
        "td": "colspan rowspan headers",
        "th": "colspan rowspan headers scope abbr",
        "time": "datetime",
        "track": "src kind srclang label default",
        "video": "src poster controls autoplay loop muted preload width height",
    }.items()
}
"""Attributes of single elements."""
NEEDED = {
    "bdo": ("dir",),
    "data": ("value",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src",),
    "map": ("name",),
    "object": ("data",),
    "param": ("name", "value"),
    "time": ("datetime",),
    "track": ("src",),
}
"""Attributes without which an element is none of its kind."""
