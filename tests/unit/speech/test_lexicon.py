"""The pronunciation lexicon: what a line means, where a word matches, and what is wrong with a file."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2a.errors import ExitCode, UserError
from producer.speech.lexicon import EMPTY, Entry, Lexicon, read


def lexicon(tmp_path: Path, content: str) -> Lexicon:
    """Return the lexicon of a file with this content."""
    path = tmp_path / "names.txt"
    path.write_text(content, encoding="utf-8")
    return read(path)


@pytest.mark.parametrize(
    ("content", "text", "spoken"),
    [
        ("Hermione = Her-my-oh-nee", "HERMIONE met hermione.", "Her-my-oh-nee met Her-my-oh-nee."),
        ("Hermione = Hermy", "Hermione's and Hermione\u2019s", "Hermy's and Hermy\u2019s"),
        ("can = KAN", "can can't cannot can-do non-can can.", "KAN can't cannot can-do non-can KAN."),
        ("clock = C", "o'clock o\u2019clock clock", "o'clock o\u2019clock C"),
        ("Artagnan = A", "d'Artagnan l\u2019Artagnan", "d'A l\u2019A"),
        ("O'Brien = Oh Bryan", "O\u2019Brien", "Oh Bryan"),
        ("co-op = K", "co\u2011op coop", "K coop"),
        ("New York = NY\nnew = nu", "New York, New Yorkers, new", "NY, nu Yorkers, nu"),
        ("C# = C sharp\n.NET = dot net", "C# on .NET, a.NET", "C sharp on dot net, a.NET"),
        ("a = b\nb = a", "a b", "b a"),
        ("a = 1\nA = 2", "a A", "2 2"),
        ("hush =", "be hush now", "be  now"),
        ("E=mc2 = energy", "E=mc2", "energy"),
        ("x=y", "x", "y"),
        ("# a comment\n\n  # another\nx = # y", "x", "# y"),
        ("東京 = とうきょう", "東京都", "とうきょう都"),
        ("ハリ = H", "ハリとハリウッド", "Hとハリウッド"),
        ("AI = A I", "AIはAIDA", "A IはAIDA"),
        ("क = K", "कि क", "कि K"),
        ("cafe\u0301 = C", "café", "C"),
        (r"/(\d+)ft/ = \1 feet", "6ft", "6 feet"),
        ("/a|b/ = <\\g<0>>", "ab", "<a><b>"),
        ("/x/ = y\n/y/ = z", "x", "z"),
        (r"/Dr\. (\w+)/ = Doctor \1" + "\nWho = Hoo", "Dr. Who", "Doctor Hoo"),
        ("Who = Hoo\n/Hoo/ = no", "Who", "Hoo"),
        ("/(?x) a # in verbose form/ = b", "a", "b"),
        (r"/a\/b/ = c", "a/b", "c"),
        (r"1/2 = half", "1/2", "half"),
        ("\ufeffx = y\r\nz = w\r\n", "x z", "y w"),
        ("a\\1 = back\\1", "a\\1", "back\\1"),
    ],
)
def test_entry(tmp_path: Path, content: str, text: str, spoken: str) -> None:
    """A file says how a text is spoken."""
    assert lexicon(tmp_path, content).apply(text) == spoken


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a = b\njust words\n", 2, "no '='"),
        (b"\n= nothing\n", 2, "nothing before"),
        (b" = \n", 1, "nothing before"),
        (b"/(a/ = b\n", 1, "bad regular expression"),
        (b"# ok\n/(a)/ = \\2\n", 2, "bad spoken form"),
        (b"/a/ = \\g<name>\n", 1, "bad spoken form"),
        (b"/a/ = \\q\n", 1, "bad spoken form"),
        (b"/a = b\n", 1, "slashes"),
        (b"a = b\nc = \xff\n", 2, "not UTF-8"),
    ],
)
def test_bad_line(tmp_path: Path, content: bytes, line: int, reason: str) -> None:
    """A line that is no entry is named by file and number, on one line of text."""
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        read(path)
    assert raised.value.code == ExitCode.BAD_INPUT
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that cannot be read ends with NO_INPUT, a folder too."""
    for path in (tmp_path / "absent.txt", tmp_path):
        with pytest.raises(UserError) as raised:
            read(path)
        assert raised.value.code == ExitCode.NO_INPUT
        assert str(path) in str(raised.value)


def test_the_digest_is_of_what_it_does(tmp_path: Path) -> None:
    """Comments, blanks and the order of words do not count; spoken forms and the order of expressions do."""
    one = lexicon(tmp_path, "a = b\nc = d\n/x/ = y\n/y/ = z\n").digest
    assert one == lexicon(tmp_path, "# why\n\n/x/ = y\nc=d\nA = b\n/y/   =   z").digest
    assert len(one) == 16
    others = ["a = b\nc = e\n/x/ = y\n/y/ = z\n", "a = b\nc = d\n/y/ = z\n/x/ = y\n", "a = b\nc = d\nx = y\ny = z\n"]
    assert one not in {lexicon(tmp_path, content).digest for content in others}
    assert EMPTY.digest == lexicon(tmp_path, "# nothing\n").digest == ""


def test_many_entries_are_each_found() -> None:
    """A thousand entries work as one does."""
    many = Lexicon(entries=tuple(Entry(left=f"word{number}x", right=f"<{number}>") for number in range(1000)))
    assert many.apply("word7x word77x word777x word7") == "<7> <77> <777> word7"


_WORDS = st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(_WORDS, st.text(max_size=5), _WORDS, st.text(max_size=40))
def test_any_word_is_taken_literally(word: str, form: str, other: str, text: str) -> None:
    """No word breaks the pattern, and a text that is the word is spoken as told."""
    entries = (Entry(left=word, right=form), Entry(left=other, right=other))
    assert Lexicon(entries=entries[:1]).apply(word) == form
    Lexicon(entries=entries).apply(text)


@given(st.text())
def test_the_empty_lexicon_changes_nothing(text: str) -> None:
    """Without entries a text stays."""
    assert EMPTY.apply(text) == text
    assert Lexicon(entries=(Entry(left="zyzzyva", right="z"),)).apply(text) == text or "zyzzyva" in text.casefold()


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever is in the file, only a `UserError` comes out."""
    path = tmp_path_factory.mktemp("lexicon") / "names.txt"
    path.write_bytes(content)
    with suppress(UserError):
        read(path).apply("a text")
