"""The user's pronunciation lexicon: a text file that says how words are spoken.

    # whole lines only: a sharp elsewhere belongs to the entry
    Hermione = Her-my-oh-nee
    C# = C sharp
    /\\b(\\d+)'(\\d+)"/ = \\1 feet \\2

A word is matched whole, whatever its case: not inside a longer word, be it joined by a hyphen or an apostrophe; a
possessive ("Hermione's") and an elision before it ("l'Hermione") do not make it longer. A regular expression (Python's
`re`, case as written) ends at the first `/ =`. Expressions run first, in file order, each on what the one before it
left; then all words in one pass, longest first, so that what one word became is not matched again. Of two entries
for one word the last counts.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from e2a.errors import ExitCode, UserError
from e2a.plan import Frozen

_EXPRESSION = re.compile(r"/(?P<left>.+?)/\s*=(?P<right>.*)")
_WORD = re.compile(r"(?P<left>.*?\S)\s+=(?:\s+|$)(?P<right>.*)|(?P<l>[^=]*)=(?P<r>.*)")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u309f\u3400-\u9fff\uf900-\ufaff"
"""Letters of scripts without spaces: a word may stand anywhere among them."""
_KATAKANA = "\u30a1-\u30ff"
_APOSTROPHES = "'\u2019"
_HYPHENS = r"\-\u2010\u2011"
_RUN = re.compile(rf"[^\W{_UNSPACED}{_KATAKANA}]+")
_ELIDED = "cdjlmnstuCDJLMNSTU"
"""Letters before the apostrophe of an elision, French or Italian; "o'clock" is none."""


class Entry(Frozen):
    """One line of the file."""

    left: str
    """The word, or the expression."""
    right: str
    """What is spoken; empty for nothing."""
    expression: bool = False


class Lexicon(Frozen):
    """The entries in the order of the file."""

    entries: tuple[Entry, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Identity of what it does, 16 hexadecimal characters; empty when it does nothing."""
        if not self.entries:
            return ""
        expressions = [(entry.left, entry.right) for entry in self.entries if entry.expression]
        canonical = json.dumps(
            [expressions, sorted((word, form) for word, (_, form) in _words(self.entries).items())], ensure_ascii=False
        )
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def apply(self, text: str) -> str:
        """Return the text with the entries' spoken forms; it is expected in NFC, white space collapsed."""
        for replace in self._steps:
            text = replace(text)
        return text

    @cached_property
    def _steps(self) -> tuple[Callable[[str], str], ...]:
        steps = [_expression(entry) for entry in self.entries if entry.expression]
        words = _words(self.entries)
        return (*steps, _word_step(words)) if words else tuple(steps)


EMPTY = Lexicon()


def read(path: Path) -> Lexicon:
    """Read a lexicon.

    Raises:
        UserError: the file cannot be read (NO_INPUT), or is not UTF-8 or has a line that is no entry (BAD_INPUT).
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; --lexicon takes a text file", ExitCode.NO_INPUT) from error
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{number}: not UTF-8; save the lexicon as UTF-8", ExitCode.BAD_INPUT) from error
    entries = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", content), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                entries.append(_entry(unicodedata.normalize("NFC", line.strip())))
            except ValueError as error:
                raise UserError(f"{path}:{number}: {error}", ExitCode.BAD_INPUT) from error
    return Lexicon(entries=tuple(entries))


def _entry(line: str) -> Entry:
    """Read a line; `ValueError` says what is wrong with it and what to do."""
    if line.startswith("/"):
        if (match := _EXPRESSION.fullmatch(line)) is None:
            raise ValueError("a regular expression stands between slashes: /expression/ = spoken form")
        entry = Entry(left=match["left"], right=match["right"].strip(), expression=True)
        _check(entry)
        return entry
    if (match := _WORD.fullmatch(line)) is None:
        raise ValueError(f"no '=' in {line!r}; write: word = spoken form")
    left = " ".join((match["left"] or match["l"] or "").split())
    if not left:
        raise ValueError("nothing before '='; write: word = spoken form")
    return Entry(left=left, right=" ".join((match["right"] or match["r"] or "").split()))


def _check(entry: Entry) -> None:
    try:
        re.compile(entry.left)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"bad regular expression: {error}; correct /{entry.left}/") from error
    # an empty alternative, after a line end in case a comment of a verbose expression is open, always matches
    match = re.compile(f"{entry.left}\n|").match("")
    assert match is not None
    try:
        match.expand(entry.right)
    except (re.error, IndexError) as error:
        raise ValueError(f"bad spoken form: {error}; the groups are those of /{entry.left}/") from error


def _words(entries: Iterable[Entry]) -> dict[str, tuple[str, str]]:
    """Return (word, spoken form) by case-folded word, the longest word first."""
    words = {entry.left.casefold(): (entry.left, entry.right) for entry in entries if not entry.expression}
    return dict(sorted(words.items(), key=lambda item: (-len(item[0]), item[0])))


def _expression(entry: Entry) -> Callable[[str], str]:
    pattern = re.compile(entry.left)
    return lambda text: pattern.sub(entry.right, text)


def _word_step(words: dict[str, tuple[str, str]]) -> Callable[[str], str]:
    """Return the single pass over all words."""
    forms = [form for _, form in words.values()]
    pattern = re.compile(_alternatives([word for word, _ in words.values()]))
    firsts = _first_runs(words)

    def spoken(match: re.Match[str]) -> str:
        return forms[int((match.lastgroup or "w0")[1:])]

    def replace(text: str) -> str:
        if firsts and firsts.isdisjoint(_RUN.findall(text.casefold())):
            return text  # a thousand entries cost nothing where none of them stands
        return pattern.sub(spoken, text)

    return replace


def _alternatives(words: list[str]) -> str:
    """Return an expression with a named group a word, gathered by how words begin so that few are tried at a place."""
    gathered: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for index, word in enumerate(words):
        first = word[0].lower() if len(word[0].lower()) == 1 else word[0]
        alike = gathered.setdefault(_left(word), {}).setdefault(first, [])
        alike.append((_right(word), f"(?P<w{index}>(?i:{_loosely(word)}))"))
    return "|".join(f"{left}(?:{'|'.join(map(_group, groups.items()))})" for left, groups in gathered.items())


def _group(group: tuple[str, list[tuple[str, str]]]) -> str:
    """Return the words that share a first letter; neighbours that may end alike share that condition too."""
    first, alike = group
    runs = groupby(alike, key=itemgetter(0))
    ended = "|".join(f"(?:{'|'.join(word for _, word in run)}){right}" for right, run in runs)
    return f"(?i:(?={re.escape(first)}))(?:{ended})"


def _first_runs(words: Iterable[str]) -> frozenset[str]:
    """Return the runs of letters of which one stands in every text that has a word; empty when nobody can say."""
    runs = [match[0] if (match := _RUN.search(word)) and _is_spaced(word) else "" for word in words]
    return frozenset(runs) if all(runs) else frozenset()


def _is_spaced(word: str) -> bool:
    return not re.search(f"^[{_UNSPACED}{_KATAKANA}]|[{_UNSPACED}{_KATAKANA}]$", word)


def _loosely(word: str) -> str:
    """Escape a word; straight and curly apostrophes, and the kinds of hyphen, count as the same."""
    pattern = re.sub(f"[{_APOSTROPHES}]", f"[{_APOSTROPHES}]", re.escape(word))
    return re.sub(r"\\-|[\u2010\u2011]", lambda _: f"[{_HYPHENS}]", pattern)


def _left(word: str) -> str:
    joined = _joining(word[0])
    if not joined:
        return ""
    apart = rf"(?<!{joined})"
    if word[0].isalnum():
        apart += rf"(?<!{joined}[{_HYPHENS}])(?<![^\W{_ELIDED}][{_APOSTROPHES}])"
    return apart


def _right(word: str) -> str:
    joined = _joining(word[-1])
    if not joined:
        return ""
    apart = f"(?!{joined})"
    if word[-1].isalnum():
        apart += rf"(?![{_HYPHENS}]{joined})(?![{_APOSTROPHES}](?!s(?!{joined})){joined})"
    return apart


def _joining(edge: str) -> str:
    """Return a pattern of one character that, beside this edge of a word, makes it part of a longer one."""
    if re.fullmatch(f"[{_UNSPACED}]", edge):
        return ""
    if re.fullmatch(f"[{_KATAKANA}]", edge):
        return f"[{_KATAKANA}]"
    return rf"(?:[^\W{_UNSPACED}{_KATAKANA}]|[{_marks()}\u200c\u200d])"


@cache
def _marks() -> str:
    r"""Return the combining marks, which `\w` leaves out, as the inside of a set."""
    marks = [code for code in range(0x300, 0xFE30) if unicodedata.category(chr(code)).startswith("M")]
    runs = [list(run) for _, run in groupby(enumerate(marks), key=lambda numbered: numbered[1] - numbered[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)
