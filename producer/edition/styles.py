"""Style sheets without what cannot be read in them and what leads nowhere. The only home of tinycss2."""

from collections.abc import Callable, Sequence
from typing import Any

import tinycss2

Resolve = Callable[[str], str]
"""Takes a link to what it has to be in the edition; to nothing when it leads nowhere."""
_FORBIDDEN = {"direction", "unicode-bidi"}
"""Properties that pages say by markup (EPUB 3.3, section 6.3.1.3)."""
_OF_RULES = {"media", "supports", "layer", "container"}
"""At-rules that hold rules."""
_KEYWORDS = {"page", "font-face"}
"""At-rules that hold declarations."""
_OPAQUE = {"keyframes", "-webkit-keyframes", "-moz-keyframes", "counter-style", "font-feature-values", "namespace"}
"""At-rules that are kept as they are."""


def style_sheet(content: bytes, encoding: str | None, resolve: Resolve) -> bytes:
    """Return a style sheet as UTF-8."""
    rules, _encoding = tinycss2.parse_stylesheet_bytes(content, protocol_encoding=encoding, skip_whitespace=False)
    return _rules(rules, resolve).encode()


def rules(text: str, resolve: Resolve) -> str:
    """Return the content of a `style` element."""
    return _rules(tinycss2.parse_stylesheet(text), resolve)


def declarations(text: str, resolve: Resolve) -> str:
    """Return the value of a `style` attribute."""
    return _declarations(tinycss2.parse_blocks_contents(text, skip_whitespace=True), resolve)


def _rules(found: Sequence[Any], resolve: Resolve) -> str:
    return "".join(text for rule in found for text in [_rule(rule, resolve)])


def _rule(rule: Any, resolve: Resolve) -> str:
    if rule.type in {"whitespace", "comment"}:
        return str(rule.serialize())
    if rule.type == "qualified-rule" and _is_sound(rule.prelude):
        selectors = tinycss2.serialize(rule.prelude).strip()
        return f"{selectors} {{ {_content(rule, resolve)} }}" if selectors else ""
    return _at_rule(rule, resolve) if rule.type == "at-rule" and _is_sound(rule.prelude) else ""


def _at_rule(rule: Any, resolve: Resolve) -> str:
    name = rule.lower_at_keyword
    prelude = tinycss2.serialize(rule.prelude).strip()
    if name == "import":
        links = [token for token in rule.prelude if token.type in {"string", "url", "function"}]
        target = resolve(_link(links[0])) if links else ""
        media = tinycss2.serialize(rule.prelude[rule.prelude.index(links[0]) + 1 :]).strip() if links else ""
        return f"@import {_string(target)}{' ' if media else ''}{media};" if target else ""
    if name in _OPAQUE:
        return str(rule.serialize())
    if rule.content is None:
        return ""
    if name in _OF_RULES:
        inner = _rules(tinycss2.parse_rule_list(rule.content), resolve).strip()
    elif name in _KEYWORDS:
        inner = _content(rule, resolve)
        if name == "font-face" and "src:" not in inner:
            return ""
    else:
        return ""
    return f"@{name}{' ' if prelude else ''}{prelude} {{ {inner} }}"


def _content(rule: Any, resolve: Resolve) -> str:
    return _declarations(tinycss2.parse_blocks_contents(rule.content, skip_whitespace=True), resolve)


def _declarations(found: Sequence[Any], resolve: Resolve) -> str:
    kept = []
    for each in found:
        if each.type != "declaration" or each.lower_name in _FORBIDDEN or not _is_sound(each.value):
            continue
        value = _value(each.value, resolve).strip()
        if value:
            kept.append(f"{each.name}: {value}{' !important' if each.important else ''}")
    return "; ".join(kept)


def _value(tokens: Sequence[Any], resolve: Resolve) -> str:
    """Return a value without what links to nothing: of several between commas those that are left."""
    if not any(_is_link(token) for token in tokens):
        return str(tinycss2.serialize(tokens))
    groups: list[list[Any]] = [[]]
    for each in tokens:
        if each == ",":
            groups.append([])
        else:
            groups[-1].append(each)
    texts = []
    for group in groups:
        targets = {id(token): resolve(_link(token)) for token in group if _is_link(token)}
        if all(targets.values()):
            texts.append(
                "".join(f"url({_string(targets[id(t)])})" if id(t) in targets else t.serialize() for t in group).strip()
            )
    return ", ".join(filter(None, texts))


def _is_link(token: Any) -> bool:
    return token.type == "url" or (token.type == "function" and token.lower_name in {"url", "src"})


def _link(token: Any) -> str:
    if token.type == "function":
        return next((str(each.value) for each in token.arguments if each.type == "string"), "")
    return str(token.value)


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _is_sound(tokens: Sequence[Any]) -> bool:
    """Say whether no token, at any depth, is an error."""
    for token in tokens:
        if token.type == "error":
            return False
        inner = getattr(token, "arguments", None) or getattr(token, "content", None)
        if isinstance(inner, list) and not _is_sound(inner):
            return False
    return True
