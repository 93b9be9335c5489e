"""Attributes as HTML 5 has them: those of looks become style, those that it does not know are left out."""

import re
from collections.abc import Iterator, Mapping

from producer.edition.content import GLOBAL, OWN

XML = "http://www.w3.org/XML/1998/namespace"
OPS = "http://www.idpf.org/2007/ops"
SSML = "http://www.w3.org/2001/10/synthesis"
XLINK = "http://www.w3.org/1999/xlink"
PREFIXES = {"xml": XML, "epub": OPS, "ssml": SSML, "xlink": XLINK}
"""Of namespaces, as a page that was read as HTML has them."""
TYPE = f"{{{OPS}}}type"
LANG = f"{{{XML}}}lang"
_KEPT = frozenset([TYPE, LANG, f"{{{XML}}}space", f"{{{OPS}}}prefix", f"{{{SSML}}}ph", f"{{{SSML}}}alphabet"])
_NUMBER, _POSITIVE, _INTEGER = re.compile(r"\d+"), re.compile(r"0*[1-9]\d*"), re.compile(r"-?\d+")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(px|%|)")
_COLOUR = re.compile(r"#(?:[0-9A-Fa-f]{3}){1,2}|[A-Za-z]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*|x(-[A-Za-z0-9]{1,8})+|")
_DATE = re.compile(r"\d{4}-\d\d(-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?)?")
_NUMBERS = re.compile(r"-?\d{1,9}(,-?\d{1,9})*", re.ASCII)
_SIZES = ("x-small", "small", "medium", "large", "x-large", "xx-large", "xxx-large")
_VALUES = {
    "dir": re.compile("ltr|rtl|auto"),
    "tabindex": _INTEGER,
    "translate": re.compile("yes|no|"),
    "lang": _LANGUAGE,
    "width": _NUMBER,
    "height": _NUMBER,
    "colspan": _POSITIVE,
    "rowspan": _NUMBER,
    "span": _POSITIVE,
    "start": _INTEGER,
    "value": _INTEGER,
    "border": re.compile("1|"),
    "scope": re.compile("row|col|rowgroup|colgroup"),
    "preload": re.compile("none|metadata|auto|"),
    "kind": re.compile("subtitles|captions|descriptions|chapters|metadata"),
    "datetime": _DATE,
    "usemap": re.compile(r"#\S+"),
    "shape": re.compile("rect|circle|poly|default"),
}
"""What values must be; others are left out. Those of `width` and `height` become style then."""
_FREE_VALUES = {("data", "value"), ("param", "value")}
_FLAGS = frozenset("hidden ismap controls autoplay loop muted reversed open default async defer".split())
_NUMBERED = {"1": "decimal", "a": "lower-alpha", "A": "upper-alpha", "i": "lower-roman", "I": "upper-roman"}
_LIST_TYPES = _NUMBERED | {kind: kind for kind in ("disc", "circle", "square")}


def qualified(name: str) -> str:
    """Return the name of an attribute with its namespace, also where only its prefix was read; empty for none known."""
    if name.startswith("{") or ":" not in name:
        return name
    prefix, _, local = name.partition(":")
    return f"{{{PREFIXES[prefix]}}}{local}" if prefix in PREFIXES else ""


def attributes(name: str, old: Mapping[str, str], *, style: str = "", scripted: bool = False) -> dict[str, str]:
    """Return the attributes of an element.

    Args:
        name: of the element, as HTML 5 has it.
        old: what it had, whatever it was called, by qualified names.
        style: looks that its old name stood for.
        scripted: whether its page may have scripts.
    """
    new: dict[str, str] = {}
    for key, value in old.items():
        if key in _KEPT or _is_allowed(name, key, scripted=scripted):
            fitting = _value(name, key, value)
            if fitting is not None:
                new[key] = fitting
    looks = [style, *_looks(name, old), new.pop("style", "")]
    if style := "; ".join(filter(None, (look.strip().rstrip(";") for look in looks))):
        new["style"] = style
    _agree_on_language(new)
    if name == "area":
        _agree_on_shape(new)
    return new


def _is_allowed(name: str, key: str, *, scripted: bool) -> bool:
    if key.startswith("{"):
        return False
    if key.startswith("on"):
        return scripted and re.fullmatch("[a-z]+", key) is not None
    is_open = re.fullmatch(r"(aria|data)-[a-z0-9_.-]+", key) is not None
    return is_open or key in GLOBAL or key in OWN.get(name, ())


def _value(name: str, key: str, value: str) -> str | None:
    """Return the value of an attribute as it must be; None for one that cannot be."""
    if key in {TYPE, "class"}:
        return " ".join(value.split()) or None
    if key in _FLAGS:
        return "" if key != "hidden" else "hidden"
    if key == "id":
        return value.strip() if value.strip() and len(value.split()) == 1 else None
    if name == "ol" and key == "type":
        return value if value in _NUMBERED else None
    if key == LANG:
        key = "lang"
    if (name, key) in _FREE_VALUES or key not in _VALUES:
        return value
    value = value.strip() if key == "lang" else value.strip().lower()
    return value if _VALUES[key].fullmatch(value) else None


def _agree_on_language(new: dict[str, str]) -> None:
    if LANG in new and "lang" in new:
        new["lang"] = new[LANG]


def _agree_on_shape(new: dict[str, str]) -> None:
    """Take shape and place of an area away where the one is not what the other is made of."""
    shape, coords = new.pop("shape", "rect"), re.sub(r"\s*[\s,;]\s*", ",", new.pop("coords", "").strip())
    numbers = [int(number) for number in coords.split(",")] if _NUMBERS.fullmatch(coords) else []
    fits = {
        "rect": len(numbers) == 4 and numbers[0] < numbers[2] and numbers[1] < numbers[3],
        "circle": len(numbers) == 3 and numbers[2] >= 0,
        "poly": len(numbers) >= 6 and len(numbers) % 2 == 0,
    }
    if fits.get(shape, False):
        new |= {"shape": shape, "coords": coords}
    elif shape == "default":
        new["shape"] = shape


def _looks(name: str, old: Mapping[str, str]) -> Iterator[str]:
    """Yield style for the attributes of looks that HTML 5 does not have."""
    values = {key: value.strip() for key, value in old.items()}
    yield _aligned(name, values.get("align", "").lower())
    yield from _sized(name, values)
    if re.fullmatch("top|middle|bottom|baseline", valign := values.get("valign", "").lower()):
        yield f"vertical-align: {valign}"
    for key, rule in (("bgcolor", "background-color"), ("color", "color"), ("text", "color")):
        if _COLOUR.fullmatch(values.get(key, "")):
            yield f"{rule}: {values[key]}"
    if "nowrap" in values:
        yield "white-space: nowrap"
    if name in {"ul", "li"} and (kind := _LIST_TYPES.get(values.get("type", ""), "")):
        yield f"list-style-type: {kind}"
    if name == "br" and (clear := values.get("clear", "").lower()) in {"left", "right", "all", "both"}:
        yield f"clear: {'both' if clear == 'all' else clear}"
    if name in {"span", "div"}:
        yield _font(values)


def _sized(name: str, values: Mapping[str, str]) -> Iterator[str]:
    for key in ("width", "height"):
        length = _LENGTH.fullmatch(values.get(key, ""))
        if length and not (key in OWN.get(name, ()) and _NUMBER.fullmatch(values[key])):
            yield f"{key}: {length[1]}{length[2] or 'px'}"


def _font(values: Mapping[str, str]) -> str:
    looks = []
    if re.fullmatch(r"[\w\s,-]+", face := values.get("face", "")):
        looks.append(f"font-family: {face}")
    if size := re.fullmatch(r"([+-]?)(\d)", values.get("size", "")):
        step = int(size[2]) * (-1 if size[1] == "-" else 1) + (3 if size[1] else 0)
        looks.append(f"font-size: {_SIZES[min(max(step, 1), 7) - 1]}")
    return "; ".join(looks)


def _aligned(name: str, align: str) -> str:
    if not re.fullmatch("left|right|center|justify|middle|top|bottom", align):
        return ""
    if name == "table" and align == "center":
        return "margin-left: auto; margin-right: auto"
    if name in {"img", "table", "object", "iframe"}:
        return f"float: {align}" if align in {"left", "right"} else f"vertical-align: {align}" if name == "img" else ""
    return f"text-align: {align}" if align in {"left", "right", "center", "justify"} else ""
