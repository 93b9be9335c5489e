"""An outline to a plan: what is spoken with which pauses, in which parts, and where each part goes."""

from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a import traits
from e2a.errors import ExitCode, UserError
from e2a.plan import Metadata, Output, Plan, Reading, Sentence, Source, Speech, part_digest
from producer.epub import Cover, Entry
from producer.planner import PART_CHARACTERS, Paragraph, is_speakable, split_parts
from producer.speech import lexicon
from tests.unit.books import plan_of, small_book, small_plan

SPEECH = Speech(engine="simulated", language="en")
LONG = "The lamp on the quiet road was lit"


def sentences(plan: Plan) -> list[Sentence]:
    return [sentence for part in plan.parts for sentence in part.sentences]


def pauses(*bodies: str) -> list[tuple[str, int]]:
    return [(sentence.text, sentence.pause_ms) for sentence in sentences(small_plan(*bodies))]


def test_book_becomes_plan() -> None:
    """What the book says of itself, and what was asked for, is in the plan."""
    metadata = Metadata(
        publisher="Egerton", isbn="9780000000000", subjects=("Novel",), series="Novels", series_index="4"
    )
    book = small_book("<p>It is.</p>", metadata=metadata, cover=Cover("front.png", b"png"), problems=("lost",))
    plan = plan_of(book, Reading(footnotes="end"))
    assert (plan.title, plan.authors, plan.cover, plan.problems) == ("Emma", ("Jane Austen",), "cover.jpg", ("lost",))
    assert (plan.speech, plan.output, plan.metadata) == (SPEECH, Output(), metadata)
    assert (plan.reading, plan.documents) == (Reading(footnotes="end"), ("c0.xhtml",))
    assert small_plan("<p>It is.</p>").cover == "cover.jpg"


def test_documents_without_text_are_no_chapters() -> None:
    """Pictures, ornaments and empty pages are passed over, and the chapters are counted without them."""
    plan = small_plan("<img src='x' alt='x'/>", "<p>One.</p>", "", "<p>* * *</p>", "<p>Two.</p>")
    assert [chapter.index for chapter in plan.chapters] == [0, 1]
    assert [part.sentences[0].text for part in plan.parts] == ["One.", "Two."]


def test_titles_and_groups() -> None:
    """A chapter has the title of the contents table, and the part of the book that it belongs to before it."""
    contents = (Entry("Part One", "", "", (Entry("I", "c0.xhtml", ""), Entry("II", "c1.xhtml", ""))),)
    plan = plan_of(small_book("<p>One.</p>", "<p>Two.</p>", contents=contents))
    assert [chapter.full_title for chapter in plan.chapters] == ["Part One: I", "Part One: II"]


def test_pauses() -> None:
    """Silence is short after a sentence, longer after a paragraph and around a heading, longest after a chapter."""
    found = pauses(f"<h1>One</h1><p>{LONG}. {LONG} again.</p><p>It was.</p><h2>Two</h2><p>So.</p>", "<p>Three.</p>")
    assert found == [
        ("One", 900),
        (f"{LONG}.", 400),
        (f"{LONG} again.", 750),
        ("It was.", 900),
        ("Two", 900),
        ("So.", 1500),
        ("Three.", 1500),
    ]


@pytest.mark.parametrize("between", ["<p>* * *</p>", "<hr/>", "<div>⁂</div>", "<p>***</p><hr/>"])
def test_scene_break(between: str) -> None:
    """An ornament or a rule between paragraphs is a longer pause, and is not spoken."""
    assert pauses(f"<p>One.</p>{between}<p>Two.</p>") == [("One.", 1200), ("Two.", 1500)]


def test_cells_of_a_table() -> None:
    """Cells follow each other as sentences do; an empty one is no break."""
    found = pauses("<table><tr><td>One</td><td>—</td><td>two</td></tr></table><p>Three.</p>")
    assert found == [("One", 400), ("two", 400), ("Three.", 1500)]


def test_ornament_inside_a_paragraph() -> None:
    """What cannot be spoken stays with the sentence beside it, and takes no pause."""
    assert pauses("<p>One. * * *</p><p>Two. —</p>") == [("One. * * *", 750), ("Two. —", 1500)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"<p>{LONG}.[pause:1.5] {LONG}.</p>", [(f"{LONG}.", 1500), (f"{LONG}.", 1500)]),
        (f"<p>{LONG}, [pause:0.1] {LONG}.</p>", [(f"{LONG},", 100), (f"{LONG}.", 1500)]),
        ("<p>One. [pause:3]</p><p>Two.</p>", [("One.", 3000), ("Two.", 1500)]),
        ("<p>One.</p><p>[PAUSE:2.25]</p><p>Two.</p>", [("One.", 2250), ("Two.", 1500)]),
        ("<p>One.</p><p>[pause:2] Two.</p>", [("One.", 2000), ("Two.", 1500)]),
        ("<p>[pause:2]One.</p>", [("One.", 1500)]),
        ("<p>One. [pause:9999]</p><p>Two.</p>", [("One.", 60_000), ("Two.", 1500)]),
        ("<p>One. [pause: 123456]</p><p>Two.</p>", [("One.", 60_000), ("Two.", 1500)]),
        ("<p>One [pause:] two.</p>", [("One [pause:] two.", 1500)]),
    ],
    ids=["sentence", "shorter", "end", "alone", "start", "first", "endless", "longer", "none"],
)
def test_pause_marks(body: str, expected: list[tuple[str, int]]) -> None:
    """A mark in the text is not spoken; it is the pause after what stands before it."""
    assert pauses(body) == expected


def test_mark_cut_by_markup() -> None:
    """A mark is found also where markup runs through it."""
    assert pauses("<p>One. [pau<i>se:3</i>]</p><p>Two.</p>") == [("One.", 3000), ("Two.", 1500)]


def test_source_of_a_sentence() -> None:
    """Each sentence says where it stands: document, element, and offsets into the text of that element."""
    plan = small_plan("<p>Nothing.</p>", f"<div><h1>II</h1><p>{LONG}\n  here. <i>And</i> {LONG} there.</p></div>")
    found = [(each.text, each.source) for each in sentences(plan)]
    assert found[1] == ("II", Source(document=1, path="/4/2/2", start=0, end=2))
    assert found[2] == (f"{LONG} here.", Source(document=1, path="/4/2/4", start=0, end=len(LONG) + 8))
    end = len(LONG) + 9
    there = f"And {LONG} there."
    assert found[3] == (there, Source(document=1, path="/4/2/4", start=end, end=end + len(there)))


def test_descriptions_of_images() -> None:
    """A description is read when asked for, after its paragraph, and its source is the attribute."""
    book = small_book("<p>One <img src='x' alt=' A  lamp.'/> two.</p><p>Three.</p>")
    assert [each.text for each in sentences(plan_of(book))] == ["One two.", "Three."]
    found = sentences(plan_of(book, Reading(alt_text=True)))
    assert [each.text for each in found] == ["One two.", "A lamp.", "Three."]
    assert found[1].source == Source(document=0, path="/4/2/2", start=1, end=9, attribute="alt")


@pytest.mark.parametrize(
    ("alt", "text", "say"),
    [
        ("T", "he sun rose.", "The sun rose."),
        ("I", " was born in York.", "I was born in York."),
        ("I", "\u2019ve seen it.", "I\u2019ve seen it."),
        ("“W", "hat is it?”", "“What is it?”"),
    ],
)
def test_initial_that_is_an_image(alt: str, text: str, say: str) -> None:
    """The letter of a drop cap that is a picture is spoken, though it is no text."""
    (only,) = sentences(small_plan(f"<p><img src='t.png' alt='{alt}'/>{text}</p>"))
    assert (only.text, only.say) == (text.strip(), say)


def test_spoken_form_is_kept_beside_the_text() -> None:
    """What an engine is given differs from the text only where the engine would say it wrong."""
    plan = small_plan("<h1>II</h1><p>Co\u00adlour.</p><p>Plain.</p>", engine="espeak")
    first, second, third = sentences(plan)
    assert (first.text, first.say) == ("II", "two")
    assert (second.text, second.say) == ("Co\u00adlour.", "Colour.")
    assert (third.text, third.spoken, third.say) == ("Plain.", "", "Plain.")


def test_lexicon(tmp_path: Path) -> None:
    """A word is spoken as the pronunciation file says; one with an empty form is not, and is counted."""
    (tmp_path / "words.txt").write_text("Hyde = Hide\nJekyll = Jeekill\nPfui =\n")
    plan = plan_of(small_book("<p>Jekyll and Hyde.</p><p>Pfui!</p>"), lexicon=lexicon.read(tmp_path / "words.txt"))
    (only,) = sentences(plan)
    assert (only.text, only.say) == ("Jekyll and Hyde.", "Jeekill and Hide.")
    assert plan.accounting is not None
    assert plan.accounting.skipped["lexicon"] == len("Pfui!")


@pytest.mark.parametrize(("engine", "language"), [("another", "en"), ("xtts", "en"), ("xtts", "fr"), ("xtts", "ja")])
def test_sentences_fit_the_engine(engine: str, language: str) -> None:
    """No sentence is longer than the engine takes in its language, also when what is said is longer than the text."""
    limit = traits.of(engine, language).sentence_limit
    plan = small_plan(f"<p>{'1999 and 2001, ' * 60}so many.</p>", engine=engine, language=language)
    longest = max(len(each.say) for each in sentences(plan))
    assert limit // 2 < longest <= limit


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Yes.", True),
        ("7", True),
        ("ٱ", True),
        ("…é…", True),
        ("漢", True),
        ("* * *", False),
        ("—", False),
        ("", False),
    ],
)
def test_is_speakable(text: str, spoken: bool) -> None:
    """What has a letter or a digit of any script can be spoken, an ornament cannot."""
    assert is_speakable(text) is spoken


@pytest.mark.parametrize("bodies", [(), ("",), ("<img src='x' alt='Emma'/>", "<p>…</p>")])
def test_book_without_text(bodies: tuple[str, ...]) -> None:
    """A book in which nothing can be spoken is refused by its title."""
    with pytest.raises(UserError, match="'Emma' holds no text") as caught:
        small_plan(*bodies)
    assert caught.value.code == ExitCode.BAD_INPUT


def test_parts_are_numbered_through_the_book() -> None:
    """A long chapter is several parts; parts count on from chapter to chapter, and each knows its chapter."""
    long = "".join(f"<p>{'word, ' * 250}{number}.</p>" for number in range(9))
    plan = small_plan("<p>One.</p>", long, "<p>Three.</p>")
    assert [(part.index, part.chapter) for part in plan.parts] == [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2)]
    assert all(size(part.sentences) <= PART_CHARACTERS for part in plan.parts)


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
