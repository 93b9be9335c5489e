"""Where every character of a book went: the proof holds for real plans, and notices whatever is changed in them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2a.errors import ExitCode
from e2a.plan import Accounting, Reading, Sentence
from producer.accounting import TextDoesNotAddUp, account
from producer.epub import Book, Document
from producer.sections.extract import Skipped
from producer.sections.outline import Outline, Passage, outline
from producer.speech import lexicon
from tests.unit.books import page, plan_of, small_book

BODY = (
    "<h1>One</h1><p>It <b>be</b>gins,<a role='doc-noteref' href='#n'>1</a> here. And there is more of it.</p>"
    "<p>* * *</p><table><tr><td>a</td>tail<td>b<script>x()</script></td></tr></table>rest"
    "<aside id='n' role='doc-footnote'>A note.</aside><img src='x' alt='A lamp.'/>"
)
OTHER = "<h1>Two</h1><p>It <ruby>ends<rt>endz</rt></ruby>.</p>"


@pytest.fixture
def book() -> Book:
    return small_book(BODY, OTHER)


@pytest.fixture
def outlined(book: Book) -> Outline:
    return outline(book, Reading(), 54_000)


@pytest.fixture
def sentences(book: Book) -> list[Sentence]:
    return [sentence for part in plan_of(book).parts for sentence in part.sentences]


def fault(book: Book, sentences: list[Sentence], passages: list[Passage]) -> str:
    """Return the complaint about a text that does not add up: one line, exit code BAD_INPUT."""
    with pytest.raises(TextDoesNotAddUp, match="does not add up") as caught:
        account(book.documents, sentences, passages)
    assert caught.value.code == ExitCode.BAD_INPUT
    assert str(caught.value).count("\n") == 0
    return str(caught.value)


def test_accounting_of_a_plan(book: Book) -> None:
    """Every character of a book is spoken or skipped under the name of a rule."""
    accounting = plan_of(book).accounting
    assert accounting is not None
    assert accounting.skipped == {
        "code": len("x()"),
        "footnote": len("Anote."),
        "head": 2 * len("head"),
        "image description": len("Alamp."),
        "note reference": 1,
        "ruby reading": len("endz"),
        "symbols": 3,
    }
    assert accounting.spoken == len("OneItbegins,here.Andthereismoreofit.atailbrestTwoItends.")
    assert accounting.characters == accounting.spoken + sum(accounting.skipped.values())


@pytest.mark.parametrize("reading", [Reading(footnotes="inline"), Reading(footnotes="end"), Reading(alt_text=True)])
def test_other_ways_of_reading(book: Book, reading: Reading) -> None:
    """Notes and descriptions that are read are spoken characters, of the same sum."""
    read, skipped = plan_of(book, reading).accounting, plan_of(book).accounting
    assert read is not None
    assert skipped is not None
    assert read.characters == skipped.characters
    assert read.spoken - skipped.spoken in {len("Anote."), len("Alamp.")}


def lost(sentences: list[Sentence]) -> None:
    sentences.pop(1)


def doubled(sentences: list[Sentence]) -> None:
    sentences.append(sentences[1])


def reworded(sentences: list[Sentence]) -> None:
    sentences[1] = sentences[1].model_copy(update={"text": sentences[1].text.replace("here", "hero")})


def cut_short(sentences: list[Sentence]) -> None:
    sentences[1] = sentences[1].model_copy(update={"text": sentences[1].text[:-1]})


def moved(field: str, value: object) -> Callable[[list[Sentence]], None]:
    def move(sentences: list[Sentence]) -> None:
        source = sentences[1].source
        assert source is not None
        sentences[1] = sentences[1].model_copy(update={"source": source.model_copy(update={field: value})})

    return move


DAMAGES = [
    lost,
    doubled,
    reworded,
    cut_short,
    moved("start", 1),
    moved("end", 5),
    moved("path", "/4/2"),
    moved("path", "/9"),
]


@pytest.mark.parametrize("damage", [*DAMAGES, moved("document", 1)])
def test_changed_sentence(
    book: Book, outlined: Outline, sentences: list[Sentence], damage: Callable[[list[Sentence]], None]
) -> None:
    """A sentence that is lost, doubled, changed or said to be elsewhere is noticed, and the document is named."""
    passages = symbols(outlined)
    account(book.documents, sentences, passages)
    damage(sentences)
    assert fault(book, sentences, passages).startswith(("c0.xhtml: ", "c1.xhtml: "))


@pytest.mark.parametrize("number", range(7))
def test_lost_passage(book: Book, outlined: Outline, sentences: list[Sentence], number: int) -> None:
    """Text that no rule claims is noticed, and so is text that two do."""
    passages = symbols(outlined)
    fault(book, sentences, [each for index, each in enumerate(passages) if index != number])
    fault(book, sentences, [*passages, passages[number]])


def symbols(outlined: Outline) -> list[Passage]:
    """Return what is not read of the book above, with the ornament that only the planner passes over."""
    start = len("head") + len("OneItbegins,1 here. And there is more of it.") + 1
    return [*outlined.passages, Passage(0, Skipped("symbols", start, start + 5, "* * *"))]


@pytest.mark.parametrize(
    ("rule", "said"),
    [("hidden", "which it is not"), ("ruby reading", "which it is not"), ("note reference", "too long for one")],
)
def test_rule_that_does_not_apply(book: Book, sentences: list[Sentence], rule: str, said: str) -> None:
    """Text that is skipped as something that it is not is noticed: the rules are not taken at their word."""
    passages = symbols(outline(book, Reading(), 54_000))
    dropped = sentences.pop(1)
    assert dropped.source is not None
    start = len("head") + len("One") + dropped.source.start
    stray = Skipped(rule, start, start + dropped.source.end - dropped.source.start, dropped.text)
    assert said in fault(book, sentences, [*passages, Passage(0, stray)])


def test_description_that_is_silenced(tmp_path: Path) -> None:
    """A description may be read in part, when the pronunciation file silences the rest."""
    (tmp_path / "words.txt").write_text("/Figure.*/ =\n")
    book = small_book("<p>Text.</p><img src='x' alt='A lamp in the long dark road. Figure 12 of all the figures.'/>")
    plan = plan_of(book, Reading(alt_text=True), lexicon.read(tmp_path / "words.txt"))
    assert [each.text for part in plan.parts for each in part.sentences] == ["Text.", "A lamp in the long dark road."]
    assert plan.accounting is not None
    assert plan.accounting.skipped == {"head": 4, "lexicon": len("Figure12ofallthefigures.")}


def test_entities_that_only_one_parser_would_expand() -> None:
    """A document whose own entities are too much for one parser is read by the same for both sides."""
    declared = f'<!DOCTYPE html [<!ENTITY a "{"x" * 10_000}">]>'
    content = declared + page(f"<p>One.</p><p>{'&a;' * 500}</p>")
    assert plan_of(small_book()._replace(documents=(Document("c.xhtml", content.encode()),))).accounting


def test_partly_read_description(book: Book) -> None:
    """A description of which a part is lost does not add up."""
    reading = Reading(alt_text=True)
    plan = plan_of(book, reading)
    said = [sentence for part in plan.parts for sentence in part.sentences]
    described = next(each for each in said if each.source and each.source.attribute)
    said[said.index(described)] = described.model_copy(update={"text": "lamp."})
    fault(book, said, symbols(outline(book, reading, 54_000)))


def test_as_html() -> None:
    """The proof holds for markup that is not well-formed, too."""
    broken = page("<p>One<p>two <b>three</p>&nosuch; four")
    accounting = plan_of(small_book()._replace(documents=(Document("c.xhtml", broken.encode()),))).accounting
    assert accounting is not None
    assert (accounting.spoken, accounting.characters) == (
        len("Onetwothree&nosuch;four"),
        len("Onetwothree&nosuch;fourhead"),
    )


def test_adds_up() -> None:
    """An accounting adds up when its rules are the rest of its characters."""
    assert Accounting(characters=5, spoken=3, skipped={"head": 2}).adds_up
    assert not Accounting(characters=5, spoken=3, skipped={"head": 1}).adds_up
