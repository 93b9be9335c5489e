"""Text on a picture: a font that has its letters, the largest size at which it fits, its lines. With `cover`, the only
home of Pillow."""

import subprocess
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

LONGEST = 300
"""Characters; of a longer text the beginning is shown."""
_NAMED = ("DejaVuSerif-Bold.ttf", "DejaVuSans-Bold.ttf")
"""Fonts that Pillow finds by their names where there is no fontconfig."""
_NOWHERE = "\U0010ffff"
"""A character that no font has."""
_JOINERS = "\u200c\u200d"
_FONT_PATIENCE = 20
"""Seconds; fontconfig looks through all fonts of a machine when it is asked for the first time."""
_LINE = 1.08
"""Distance of lines, in heights of the font."""


class Lettering(NamedTuple):
    """Text as it is to be drawn."""

    font: FreeTypeFont
    lines: tuple[str, ...]
    direction: str | None
    """`rtl` or `ltr`; None where Pillow cannot tell them apart."""

    @property
    def line_height(self) -> float:
        """Distance of two lines, in pixels."""
        return sum(self.font.getmetrics()) * _LINE


def fit(text: str, width: int, height: int, sizes: Iterable[int]) -> Lettering | None:
    """Return a text at the largest size at which it fits, wrapped; None when no font has its letters.

    Args:
        text: of any length and script; signs that the font lacks are left out.
        width: in pixels.
        height: likewise; the text is cut where it does not fit even at the smallest size.
        sizes: to choose from, in pixels, the largest first.
    """
    text = _plain(text)
    found = next((font for font in _fonts(text) if not _lacking(font, filter(_is_letter, text))), None)
    shapes = found is not None and found.layout_engine == ImageFont.Layout.RAQM
    if found is None or (_needs_shaping(text) and not shapes):
        return None
    lacking = _lacking(found, (char for char in text if not char.isspace() and char not in _JOINERS))
    text = " ".join("".join(char for char in text if char not in lacking).split())
    if not text:
        return None
    direction = _direction(text) if shapes else None
    for size in sizes:
        font = found.font_variant(size=size)
        lettering = Lettering(font, (), direction)
        fits = _fits(font, width)
        units = list(_units(text))
        most = int(height // lettering.line_height)
        if all(map(fits, units)) and len(lines := _wrap(units, fits)) <= most:
            return lettering._replace(lines=tuple(lines))
    pieces = (piece for unit in units for piece in ([unit] if fits(unit) else _clusters(unit)))
    lines = _wrap(pieces, fits)
    if len(lines) > most:
        lines[most - 1 :] = [lines[most - 1][:-1] + "…"]
    return lettering._replace(lines=tuple(lines))


def _plain(text: str) -> str:
    """Return a text in composed characters, without controls, not longer than `LONGEST`."""
    text = unicodedata.normalize("NFC", text)
    kept = (" " if char.isspace() else char for char in text if char.isspace() or _shows(char))
    text = " ".join("".join(kept).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _shows(char: str) -> bool:
    return char in _JOINERS or not unicodedata.category(char).startswith("C")


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"


def _fonts(text: str) -> Iterator[FreeTypeFont]:
    """Yield fonts that may have the letters of a text, the likeliest first."""
    letters = " ".join(f"{ord(char):x}" for char in sorted({char for char in text if _is_letter(char)} or {"a"}))
    pattern = f"serif:bold:scalable=true:variable=false:charset={letters}"
    command = ["fc-match", "--format=%{file}\n%{index}", pattern]
    try:
        found = subprocess.run(command, capture_output=True, check=True, timeout=_FONT_PATIENCE)
        path, index = found.stdout.decode().split("\n")
        yield ImageFont.truetype(path, index=int(index))
    except (OSError, ValueError, subprocess.SubprocessError):
        pass  # there is no fontconfig, or no font that it knows
    for name in _NAMED:
        try:
            yield ImageFont.truetype(name)
        except OSError:
            continue
    default = ImageFont.load_default(10)
    if isinstance(default, FreeTypeFont):
        yield default


def _lacking(font: FreeTypeFont, text: Iterable[str]) -> set[str]:
    """Return the characters that a font shows as it shows what it does not have."""
    font = font.font_variant(size=40, layout_engine=ImageFont.Layout.BASIC)

    def drawn(char: str) -> tuple[tuple[int, int], bytes]:
        mask = font.getmask(char)
        return mask.size, bytes(mask)

    missing = drawn(_NOWHERE)
    return {char for char in set(text) if drawn(char) == missing}


def _needs_shaping(text: str) -> bool:
    """Say whether letters change with those beside them, or run from right to left."""
    return any(
        unicodedata.bidirectional(char) in {"R", "AL"} or unicodedata.category(char).startswith("M") for char in text
    )


def _direction(text: str) -> str:
    strong = (unicodedata.bidirectional(char) for char in text)
    return "rtl" if next((kind for kind in strong if kind in {"L", "R", "AL"}), "L") != "L" else "ltr"


def _fits(font: FreeTypeFont, width: int) -> Callable[[str], bool]:
    return lambda line: font.getlength(line.rstrip()) <= width


def _units(text: str) -> Iterator[str]:
    """Yield pieces between which a line may end: words with the space after them, and ideographs."""
    unit = ""
    for char in text:
        if unit and (unit[-1] == " " or ((_is_wide(char) or _is_wide(unit[-1])) and _begins(char))):
            yield unit
            unit = ""
        unit += char
    yield unit


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in {"W", "F"}


def _begins(char: str) -> bool:
    """Say whether a line may begin with a character."""
    return char != " " and unicodedata.category(char) not in {"Mn", "Mc", "Me", "Pe", "Pf", "Po", "Lm"}


def _clusters(text: str) -> Iterator[str]:
    """Yield single characters with the marks on them."""
    cluster = ""
    for char in text:
        joined = char in _JOINERS or unicodedata.category(char).startswith("M")
        if cluster and not joined and cluster[-1] not in _JOINERS:
            yield cluster
            cluster = ""
        cluster += char
    yield cluster


def _wrap(pieces: Iterable[str], fits: Callable[[str], bool]) -> list[str]:
    lines = [""]
    for piece in pieces:
        if lines[-1] and not fits(lines[-1] + piece):
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]
