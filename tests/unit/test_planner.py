"""A book to its plan: what is spoken, in which parts, and where each part goes."""

from collections import defaultdict
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.errors import ExitCode, UserError
from e2a.plan import Part, Plan, Sentence, Speech, part_digest
from producer.epub import Book, Cover, Document
from producer.planner import PART_CHARACTERS, Paragraph, make_plan, place, split_parts
from tests.unit.books import page, small_plan
from tests.unit.builders import BOOK

SPEECH = Speech(engine="simulated", language="en")


def plan_of(*documents: Document, cover: Cover | None = None) -> Plan:
    """Return the plan of a book with these documents."""
    book = Book("Emma", ("Jane Austen",), "en", cover, documents)
    return make_plan(book, book_id=BOOK, speech=SPEECH, output_format="m4b")


def document(body: str, title: str = "") -> Document:
    return Document("c.xhtml", title, page(body).encode())


def test_book_becomes_plan() -> None:
    """What the book says of itself, and what was asked for, is in the plan."""
    plan = plan_of(document("<p>It is.</p>"), cover=Cover("cover.jpg", b"jpeg"))
    assert (plan.book_id, plan.title, plan.authors, plan.cover) == (BOOK, "Emma", ("Jane Austen",), "cover.jpg")
    assert (plan.speech, plan.output_format) == (SPEECH, "m4b")
    assert plan_of(document("<p>It is.</p>")).cover == ""


def test_documents_without_text_are_no_chapters() -> None:
    """Pictures, ornaments and empty pages are passed over, and the chapters are counted without them."""
    plan = small_plan("<img src='x' alt='x'/>", "<p>One.</p>", "", "<p>* * *</p>", "<p>Two.</p>")
    assert [chapter.index for chapter in plan.chapters] == [0, 1]
    assert [part.sentences[0].text for part in plan.parts] == ["One.", "Two."]


def test_chapter_titles() -> None:
    """A chapter is called as in the contents table, else as its heading, else by its number."""
    plan = plan_of(
        document("<h1>Heading</h1>", title="Contents"), document("<h2>Heading</h2>"), document(""), document("<p>x</p>")
    )
    assert [chapter.title for chapter in plan.chapters] == ["Contents", "Heading", "Chapter 3"]


def test_pauses() -> None:
    """The silence after a sentence is short, after a paragraph longer, after the chapter longest."""
    plan = small_plan("<h1>One</h1><p>It is. So be it.</p><p>It was.</p>", "<p>Two.</p>")
    pauses = [(sentence.text, sentence.pause_ms) for part in plan.parts for sentence in part.sentences]
    assert pauses == [("One", 600), ("It is.", 250), ("So be it.", 600), ("It was.", 1500), ("Two.", 1500)]


def test_ornament_at_the_end_of_a_paragraph() -> None:
    """What cannot be spoken takes no pause with it: the last sentence that is spoken ends its paragraph."""
    plan = small_plan("<p>One. * * *</p><p>Two. —</p>")
    assert [sentence.pause_ms for sentence in plan.parts[0].sentences] == [600, 1500]


@pytest.mark.parametrize("bodies", [(), ("",), ("<img src='x' alt='Emma'/>", "<p>…</p>")])
def test_book_without_text(bodies: tuple[str, ...]) -> None:
    """A book in which nothing can be spoken is refused by its title."""
    with pytest.raises(UserError, match="'Emma' holds no text") as caught:
        small_plan(*bodies)
    assert caught.value.code == ExitCode.BAD_INPUT


def test_parts_are_numbered_through_the_book() -> None:
    """A long chapter is several parts; parts count on from chapter to chapter, and each knows its chapter."""
    long = "".join(f"<p>{'word ' * 200}{number}.</p>" for number in range(9))
    plan = small_plan("<p>One.</p>", long, "<p>Three.</p>")
    assert [(part.index, part.chapter) for part in plan.parts] == [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2)]
    assert all(sum(len(each.text) for each in part.sentences) <= PART_CHARACTERS for part in plan.parts)


@pytest.mark.parametrize("word", ["word ", "wordword", "1\u00a0000 "])
def test_endless_sentence(word: str) -> None:
    """A text without any full stop is cut into parts between words, or where there are none anywhere; none is lost."""
    endless = word * 3000
    plan = small_plan(f"<p>{endless}</p>")
    pieces = [sentence.text for part in plan.parts for sentence in part.sentences]
    assert max(map(len, pieces)) <= PART_CHARACTERS
    assert "".join(" ".join(pieces).split()) == "".join(endless.split())


def test_part_is_its_content() -> None:
    """The address of a part follows from its sentences and the speech, whatever book it stands in."""
    first, second = small_plan("<p>One.</p>", "<p>Two.</p>"), small_plan("<p>Two.</p>")
    assert first.parts[1].digest == second.parts[0].digest
    assert first.parts[1].digest == part_digest(first.parts[1].sentences, SPEECH) != first.parts[0].digest


@pytest.mark.parametrize(("speed", "seconds"), [("1.0", 3.5), ("2.0", 2.5)])
def test_estimate(speed: str, seconds: float) -> None:
    """Fifteen characters a second, faster when asked to, and the pauses, which are not."""
    (part,) = small_plan(f"<p>{'a' * 30}</p>", speed=speed).parts
    assert part.estimate == seconds


PARAGRAPH = st.lists(st.integers(1, 30).map(lambda size: Sentence(text="x" * size, pause_ms=0)), min_size=1, max_size=6)
PARAGRAPHS = st.lists(PARAGRAPH, max_size=8)
LIMITS = st.integers(1, 60)


def size(sentences: tuple[Sentence, ...] | Paragraph) -> int:
    return sum(len(sentence.text) for sentence in sentences)


@given(PARAGRAPHS, LIMITS)
def test_splitting_keeps_everything(paragraphs: list[Paragraph], limit: int) -> None:
    """Parts joined are the chapter, and none is empty."""
    runs = split_parts(paragraphs, limit)
    assert [sentence for run in runs for sentence in run] == [each for paragraph in paragraphs for each in paragraph]
    assert all(runs)


@given(PARAGRAPHS, LIMITS)
def test_splitting_keeps_the_limit(paragraphs: list[Paragraph], limit: int) -> None:
    """No part is longer than the limit, unless it is a single sentence that is."""
    assert all(size(run) <= limit or len(run) == 1 for run in split_parts(paragraphs, limit))


@given(PARAGRAPHS, LIMITS)
def test_splitting_ends_at_paragraphs(paragraphs: list[Paragraph], limit: int) -> None:
    """A part ends inside a paragraph only when that paragraph alone is longer than the limit."""
    cuts = set(accumulate(len(run) for run in split_parts(paragraphs, limit)))
    start = 0
    for paragraph in paragraphs:
        inside = range(start + 1, start + len(paragraph))
        assert size(paragraph) > limit or not cuts & set(inside)
        start += len(paragraph)


@given(PARAGRAPHS, LIMITS)
def test_splitting_is_not_petty(paragraphs: list[Paragraph], limit: int) -> None:
    """Two neighbouring parts would not fit into one."""
    assert all(size(one) + size(other) > limit for one, other in pairwise(split_parts(paragraphs, limit)))


def part(estimate: float) -> Part:
    return Part(index=0, chapter=0, digest="0" * 64, estimate=estimate, sentences=())


PARTS = st.lists(st.integers(1, 1000).map(part), max_size=40)


@given(PARTS, st.integers(1, 9))
def test_placement_is_to_the_least_loaded(parts: list[Part], partitions: int) -> None:
    """Each part, in reading order, goes to a partition that no other has less work than."""
    loads: dict[int, float] = defaultdict(float)
    placement = place(parts, partitions)
    assert len(placement) == len(parts)
    for each, partition in zip(parts, placement, strict=True):
        assert loads[partition] == min(loads[number] for number in range(partitions))
        loads[partition] += each.estimate


@given(PARTS, st.integers(1, 9))
def test_placement_is_even(parts: list[Part], partitions: int) -> None:
    """Partitions end together: at most the longest part lies between them."""
    loads = [0.0] * partitions
    for each, partition in zip(parts, place(parts, partitions), strict=True):
        loads[partition] += each.estimate
    assert max(loads) - min(loads) <= max((each.estimate for each in parts), default=0.0)


def test_placement_in_reading_order() -> None:
    """The beginning of a book is on as many partitions as there are, so it is heard first."""
    assert place([part(9), part(1), part(1), part(1)], 3) == [0, 1, 2, 1]


def test_books_begin_in_different_partitions() -> None:
    """Books of one part do not all meet in one partition: each begins where its number says."""
    assert [place([part(1)], 3, first=first) for first in (0, 1, 5)] == [[0], [1], [2]]
    assert place([part(9), part(1), part(1), part(1)], 3, first=2) == [2, 0, 1, 0]
