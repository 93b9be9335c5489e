"""Names of files that Linux, macOS and Windows all take, made of titles."""

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 120
"""Bytes of a title in a name: with its number and ending it fits where 143 is the most (eCryptfs)."""
_FORBIDDEN = re.compile(r'[<>"?*]')
_JOINERS = "\u200c\u200d"
"""Parts of words and of emoji, and the only characters among those that change how text is laid out that are kept."""


def track_name(number: int, total: int, title: str) -> str:
    """Return the name of a chapter's file without its ending, such as `03 The Pool of Tears`.

    The number makes it unlike the others, and unlike a name that Windows keeps for itself.

    Args:
        number: of the chapter, from 1.
        total: how many chapters there are.
        title: of the chapter.
    """
    return f"{number:0{max(2, len(str(total)))}} {safe(title)}".rstrip(" .")


def safe(title: str) -> str:
    """Return a title as part of a name; empty when nothing of it can be."""
    text = unicodedata.normalize("NFC", title)
    text = re.sub(r"\s*:\s+", " - ", text)
    text = _FORBIDDEN.sub("", re.sub(r"[/\\|:]", "-", text))
    text = "".join(" " if character.isspace() else character for character in text if _is_kept(character))
    return shortened(" ".join(text.split()), LONGEST).strip(" .")


def _is_kept(character: str) -> bool:
    return character in _JOINERS or character.isspace() or unicodedata.category(character) not in _UNSEEN


_UNSEEN: Sequence[str] = ("Cc", "Cf", "Cs", "Cn")


def shortened(text: str, longest: int) -> str:
    """Cut a text to so many bytes of UTF-8, not inside a character nor before what belongs to the one before."""
    cut = text.encode()[:longest].decode(errors="ignore")
    while len(cut) < len(text) and cut and (_belongs(text[len(cut)]) or cut[-1] in _JOINERS):
        cut = cut[:-1]
    return cut


def _belongs(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) in {"Mn", "Me", "Mc", "Sk"}
