"""Books to sections: cut as a reader would cut them, and no block lost or doubled whatever the table says."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2a.plan import Reading
from producer import markup
from producer.epub import Book, Document, Entry, Landmark
from producer.sections import notes
from producer.sections.contents import Section, sections
from producer.sections.cuts import LONGEST_TITLE, Located
from producer.sections.extract import extract
from producer.sections.outline import outline
from tests.unit.books import page, small_book

HOUR = 54_000
EPUB = 'xmlns:epub="http://www.idpf.org/2007/ops" epub:type'
LICENCE = '<section class="pg-boilerplate"><p>The Project Gutenberg eBook</p></section>'
PICTURE = '<img src="p.jpg" alt=""/>'


def words(count: int, start: str = "It") -> str:
    """Return a paragraph of so many characters, all of them counted."""
    return f"<p>{(start + ' goes on and on' * (count // 14 + 1))[: count - 1]}.</p>"


def entry(title: str, target: str = "", *children: Entry) -> Entry:
    """Return a line of the table of contents; `1#x` is the element x of the second document."""
    document, _, fragment = target.partition("#")
    return Entry(title, f"c{document}.xhtml" if target else "", fragment, children)


def cut(*bodies: str, contents: Sequence[Entry] = (), hour: float = HOUR, **changes: Any) -> tuple[Section, ...]:
    """Return the sections of a book with a document a body."""
    return outline(small_book(*bodies, contents=tuple(contents), **changes), Reading(), hour).sections


def named(found: Sequence[Section]) -> list[str]:
    """Return the titles of sections, with those of their groups."""
    return [": ".join((*section.group, section.title)) for section in found]


def kinds(found: Sequence[Section]) -> list[str]:
    return [section.kind for section in found]


def texts(found: Sequence[Section]) -> list[list[str]]:
    return [[located.block.text for located in section.blocks] for section in found]


TITLES = st.sampled_from(
    ["", "I", "Text 3", "Text 5", "Begin Reading", "Part One", "Notes", "Copyright", "Emma", "Chapter 1", "***"]
)
TARGETS = st.just("") | st.builds(
    "{}#{}".format, st.integers(0, 4), st.sampled_from(["", "", "a", "b", "c", "d", "lost"])
)
ENTRIES = st.recursive(
    st.builds(entry, TITLES, TARGETS),
    lambda inner: st.builds(
        lambda title, target, children: entry(title, target, *children), TITLES, TARGETS, st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)
ELEMENTS = st.builds(
    '<section epub:type="{2}"><{0} id="{1}">TEXT {3}</{0}></section>'.format,
    st.sampled_from(["p", "p", "h1", "h2", "h3", "div", "i"]),
    st.sampled_from(["", "", "a", "b", "c", "d"]),
    st.sampled_from(["", "", "", "copyright-page", "index", "cover"]),
    st.sampled_from(["", "Emma", "Notes", "©: all rights reserved", "goes on and on"]),
) | st.just('<p id="a"><img src="p.jpg" alt=""/></p>')
DOCUMENTS = st.lists(
    st.tuples(st.lists(ELEMENTS, max_size=6).map("".join), st.sampled_from([True, True, True, False])),
    min_size=1,
    max_size=4,
)
LANDMARKS = st.builds(
    lambda kind, number: Landmark(kind, f"c{number}.xhtml", ""),
    st.sampled_from(["cover", "bodymatter", "index"]),
    st.integers(0, 4),
)


def numbered(body: str, count: Iterator[int]) -> str:
    """Return a body whose elements have each another text."""
    return re.sub("TEXT", lambda _match: f"Text {next(count)}", body)


class TestNothingIsLost:
    """Every block is in exactly one section."""

    @settings(max_examples=100)
    @given(
        DOCUMENTS, st.lists(ENTRIES, max_size=5), st.lists(LANDMARKS, max_size=2), st.sampled_from([5, 40, 100, HOUR])
    )
    def test_whatever_the_table_says(
        self, documents: list[tuple[str, bool]], contents: list[Entry], landmarks: list[Landmark], hour: float
    ) -> None:
        """Sections hold each block of the flow once and in order, and are themselves in order, for any book."""
        count = iter(range(99))
        made = [
            Document(f"c{number}.xhtml", page(numbered(body, count)).encode(), linear)
            for number, (body, linear) in enumerate(documents)
        ]
        book = small_book(documents=tuple(made), contents=tuple(contents), landmarks=tuple(landmarks))
        roots = [markup.parse(markup.decode(each.content)) for each in made]
        extracts = [extract(root, notes.NONE, cuts=frozenset("abcd")) for root in roots]
        flow = [
            Located(number, block)
            for number, each in enumerate(extracts)
            for block in each.blocks
            if made[number].linear
        ]
        found = sections(book, extracts, flow, hour)
        positions = {id(located.block): position for position, located in enumerate(flow)}
        held = [[positions[id(located.block)] for located in section.blocks] for section in found]
        assert sorted(chain.from_iterable(held)) == list(range(len(flow)))
        assert all(each and each == sorted(each) for each in held)
        assert [each[0] for each in held] == sorted(each[0] for each in held)
        assert all(section.title and section.why for section in found)
        assert not flow or not all(section.kind for section in found)

    def test_nothing_to_cut(self) -> None:
        """A book without text has no sections."""
        assert sections(small_book(PICTURE), [extract(None, notes.NONE)], [], HOUR) == []


class TestContents:
    """What a table of contents means."""

    def test_many_chapters_in_one_file(self) -> None:
        """A document is cut at the elements that entries point to, be they in the middle of a paragraph."""
        body = (
            '<h2 id="a">I</h2><p>One.</p><div>Still one. <span id="b"/>Two begins.<p>Two.</p></div><p id="c">Three.</p>'
        )
        found = cut(body, contents=[entry("I", "0#a"), entry("II", "0#b"), entry("III", "0#c")])
        assert named(found) == ["I", "II", "III"]
        assert texts(found) == [["I", "One.", "Still one."], ["Two begins.", "Two."], ["Three."]]

    def test_table_in_another_order(self) -> None:
        """Chapters are read as they stand in the book, whatever the order of the table."""
        found = cut(*map(words, (50, 51, 52)), contents=[entry("C", "2"), entry("A", "0"), entry("B", "1")])
        assert named(found) == ["A", "B", "C"]

    def test_group_in_another_order(self) -> None:
        """An entry whose chapters stand elsewhere does not take in what stands between them."""
        contents = [entry("One", "3", entry("Its end", "0")), entry("Two", "1"), entry("Three", "2")]
        found = cut(*map(words, (50, 51, 52, 53)), contents=contents)
        assert named(found) == ["One: Its end", "Two", "Three", "One"]

    def test_part_in_another_order(self) -> None:
        """The heading of a part is read before what stands below it, though the table names another chapter first."""
        contents = [entry("Part One", "0", entry("B", "2"), entry("A", "1"))]
        found = cut("<h1>Part One</h1>", words(50), words(60), contents=contents)
        assert named(found) == ["Part One: A", "Part One: B"]
        assert [len(each) for each in texts(found)] == [2, 1]

    def test_part_without_text(self) -> None:
        """A part that has only a heading groups its chapters; the heading is read at the start of the first."""
        contents = [entry("Part One", "0", entry("I", "1"), entry("II", "2")), entry("End", "3")]
        found = cut("<h1>Part One</h1>", "<h2>I</h2><p>a</p>", "<h2>II</h2><p>b</p>", words(50), contents=contents)
        assert named(found) == ["Part One: I", "Part One: II", "End"]
        assert texts(found)[0] == ["Part One", "I", "a"]

    def test_parts_in_parts(self) -> None:
        """Each heading of groups within groups is read at the start of the first chapter in it."""
        inner = entry("Book One", "1", entry("I", "2"), entry("II", "3"))
        contents = [entry("Part One", "0", inner)]
        found = cut("<h1>Part One</h1>", "<h1>Book One</h1>", "<p>a</p>", "<p>b</p>", contents=contents)
        assert named(found) == ["Part One: Book One: I", "Part One: Book One: II"]
        assert texts(found)[0] == ["Part One", "Book One", "a"]

    def test_part_that_begins_with_matter(self) -> None:
        """The heading of a part is read though what stands first in it is not."""
        contents = [entry("Part One", "0", entry("Copyright", "1"), entry("I", "2"))]
        found = cut("<h1>Part One</h1>", words(60), words(70), contents=contents)
        assert named(found) == ["Part One", "Part One: Copyright", "Part One: I"]
        assert kinds(found) == ["", "copyright", ""]

    def test_part_with_text(self) -> None:
        """A long part that has text of its own is a chapter before its chapters."""
        contents = [entry("Part One", "0", entry("I", "1"), entry("II", "2"))]
        found = cut(*map(words, (300, 400, 500)), contents=contents, hour=1000)
        assert named(found) == ["Part One", "Part One: I", "Part One: II"]

    def test_group_without_a_link(self) -> None:
        """An entry that points nowhere groups what stands under it."""
        found = cut(
            words(50), words(60), contents=[entry("Tales", "", entry("I", "0")), entry("Songs", "", entry("II", "1"))]
        )
        assert named(found) == ["Tales: I", "Songs: II"]

    @pytest.mark.parametrize(("size", "expected"), [(100, ["Tales"]), (300, ["Tales: I", "Tales: II"])])
    def test_short_group(self, size: int, expected: list[str]) -> None:
        """What has only a heading, and is not called a part, is one chapter below a quarter of an hour."""
        contents = [entry("Tales", "0", entry("I", "1"), entry("II", "2"))]
        assert named(cut("<h1>Tales</h1>", words(size), words(size), contents=contents, hour=2000)) == expected

    def test_short_chapters(self) -> None:
        """Chapters of less than an hour are one section each, whatever stands under them."""
        contents = [
            entry("I", "0", entry("a", "1"), entry("b", "2")),
            entry("II", "3", entry("c", "4"), entry("d", "5")),
        ]
        assert named(cut(*map(words, (300, 301, 302, 303, 304, 305)), contents=contents, hour=1000)) == ["I", "II"]

    @pytest.mark.parametrize(
        "own", [f"<h1>Part One</h1><h2>{'in which ' * 30}</h2>", "<p>Part One, as a paragraph</p>"]
    )
    def test_what_a_heading_is(self, own: str) -> None:
        """A part has no text of its own when it has only headings, however long, or little more than its title."""
        assert named(cut(own, words(50), contents=[entry("Part One", "0", entry("I", "1"))])) == ["Part One: I"]

    def test_group_in_a_short_chapter(self) -> None:
        """An entry that points nowhere does not cut the chapter that it stands in."""
        contents = [entry("I", "1", entry("a", "", entry("b", "2")))]
        assert named(cut("<h1>For you</h1>", words(300), words(301), contents=contents, hour=1000)) == ["For you", "I"]

    def test_heading_and_one_entry(self) -> None:
        """A chapter with one entry under it is one section, however long."""
        body = f'<h1>Etymology</h1><h2 id="a">Supplied by an usher</h2>{words(900)}'
        assert named(cut(body, contents=[entry("Etymology", "0", entry("Supplied", "0#a"))], hour=1000)) == [
            "Etymology"
        ]

    @pytest.mark.parametrize(
        ("size", "expected"), [(400, ["I"]), (500, ["I", "I: a", "I: b"])], ids=["an hour", "more than an hour"]
    )
    def test_entry_longer_than_an_hour(self, size: int, expected: list[str]) -> None:
        """A chapter is one section up to an hour; what is longer goes one level down."""
        body = f'{words(100)}<h2 id="a">a</h2>{words(size - 1)}<h2 id="b">b</h2>{words(499)}'
        contents = [entry("I", "0", entry("a", "0#a"), entry("b", "0#b"))]
        assert named(cut(body, contents=contents, hour=1000)) == expected

    def test_chapter_longer_than_an_hour(self) -> None:
        """A chapter without entries under it is cut at its own headings, and these at theirs."""
        part = f"<h2>b</h2><h3>c</h3>{words(600)}<h3>d</h3>{words(600)}"
        found = cut(f"<h1>I</h1>{words(50)}<h2>a</h2>{words(90)}{part}", contents=[entry("I", "0")], hour=1000)
        assert named(found) == ["I", "I: a", "I: b: c", "I: b: d"]
        assert [section.why for section in found] == ["table of contents", *["headings"] * 3]
        assert [each[0] for each in texts(found)] == ["I", "a", "b", "d"]

    def test_own_text_longer_than_an_hour(self) -> None:
        """What stands before the entries under a chapter is cut at headings too when it is that long."""
        body = f'{words(400)}<h3>a</h3>{words(400)}<h3>b</h3>{words(400)}<h2 id="c">c</h2>{words(100)}'
        contents = [entry("I", "0", entry("c", "0#c"))]
        assert named(cut(body, contents=contents, hour=1000)) == ["I", "I: a", "I: b", "I: c"]

    def test_generic_entry_is_no_group(self) -> None:
        """What the table calls `Begin Reading` has the title of its heading, and is no group when it is cut."""
        body = f"<h1>Emma Woodhouse</h1><h2>I</h2>{words(600)}<h2>II</h2>{words(600)}"
        found = cut(body, contents=[entry("Begin Reading", "0")], hour=1000)
        assert named(found) == ["I", "II"]
        assert texts(found)[0][0] == "Emma Woodhouse"

    def test_same_target_as_first_child(self) -> None:
        """Where an entry and the first one under it point to one place, the outer groups."""
        contents = [entry("One", "0", entry("I", "0"), entry("II", "1")), entry("Two", "2")]
        assert named(cut(*map(words, (50, 60, 70)), contents=contents)) == ["One: I", "One: II", "Two"]

    def test_same_target_twice(self) -> None:
        """Of entries beside each other that point to one place the last names it; no text is read twice."""
        found = cut(*map(words, (50, 60)), contents=[entry("Part One", "0"), entry("I", "0"), entry("II", "1")])
        assert named(found) == ["I", "II"]

    def test_all_entries_at_one_place(self) -> None:
        """A table that points to one place only does not lose what stands before it or behind."""
        found = cut(*map(words, (50, 60, 70)), contents=[entry(f"Chapter {number}", "1") for number in range(9)])
        assert named(found) == ["It goes on and on goes on and on goes…", "Chapter 8"]

    def test_unknown_document(self) -> None:
        """An entry for a document that is not there is no chapter; those under it are."""
        found = cut(*map(words, (50, 60)), contents=[entry("I", "0"), entry("Lost", "9", entry("II", "1"))])
        assert named(found) == ["I", "Lost: II"]

    def test_document_beside_the_reading_order(self) -> None:
        """An entry for a document that is not in the reading order does not name what stands behind it."""
        book = small_book(*map(words, (50, 60, 70)), contents=(entry("I", "0"), entry("Map", "1")))
        first, beside, last = book.documents
        book = book._replace(documents=(first, beside._replace(linear=False), last))
        found = outline(book, Reading(), HOUR).sections
        assert named(found) == ["I"]
        assert len(found[0].blocks) == 2

    def test_titles_are_kept(self) -> None:
        """A title stays as the table has it, white space collapsed, also where the heading says something else."""
        contents = [entry(" Chapter\n 1: The “Start” ", "0")]
        assert named(cut("<h1>1</h1><p>a</p>", contents=contents)) == ["Chapter 1: The “Start”"]

    def test_endless_titles(self) -> None:
        """A title that is a whole book is not repeated for each chapter in it."""
        contents = [entry("word " * 9999, "", entry("x" * 9999, "0")), entry("II", "1")]
        group, title = cut(words(50), words(60), contents=contents)[0][1::-1]
        assert len(group[0]) <= LONGEST_TITLE
        assert group[0].endswith("word…")
        assert title == "x" * (LONGEST_TITLE - 1) + "…"

    @pytest.mark.parametrize("title", ["Begin Reading", "Start", "text", "本文", ""])
    def test_generic_titles(self, title: str) -> None:
        """What is no title is replaced by the headings: a number, and the name below it."""
        body = "<h1>Chapter 1</h1><h2>The Start</h2><p>a</p><h2>Later</h2>"
        assert named(cut(body, contents=[entry(title, "0")])) == ["Chapter 1: The Start"]

    def test_generic_title_without_heading(self) -> None:
        """A generic title is kept when there is no heading to replace it."""
        assert named(cut("<p>a</p>", contents=[entry("Begin Reading", "0")])) == ["Begin Reading"]

    def test_documents_that_are_not_in_it(self) -> None:
        """Documents that the table leaves out join the chapter before; those before the first are their own."""
        bodies = ["<h1>For my father</h1>", words(50), words(60), words(70), words(80)]
        found = cut(*bodies, contents=[entry("I", "2"), entry("II", "4")])
        assert [len(each) for each in texts(found)] == [1, 1, 2, 1]
        assert named(found) == ["For my father", "It goes on and on goes on and on goes…", "I", "II"]
        assert [section.why for section in found] == [*["document"] * 2, *["table of contents"] * 2]

    def test_chapter_that_is_only_a_number(self) -> None:
        """A chapter that holds nothing but its number stays one, behind a title page and before another chapter."""
        bodies = ["<h1>Emma</h1><p>Jane Austen</p>", "<h1>II</h1>", f"<h1>III</h1>{words(90)}"]
        found = cut(*bodies, contents=[entry("Title", "0"), entry("II", "1"), entry("III", "2")])
        assert named(found) == ["Title", "II", "III"]
        assert kinds(found) == ["title page", "", ""]

    def test_empty_heading(self) -> None:
        """An entry that points to an empty heading is the chapter of the text behind it."""
        body = f'<h2 id="a"></h2>{words(50)}<h2 id="b"><span/></h2>{words(60)}'
        found = cut(body, contents=[entry("I", "0#a"), entry("II", "0#b")])
        assert named(found) == ["I", "II"]
        assert [len(each) for each in texts(found)] == [1, 1]

    def test_text_before_an_illustration(self) -> None:
        """What stands before a picture in its paragraph belongs to the chapter before the one that begins there."""
        body = '<p>I</p><p>Before it. <img id="b" src="p.jpg" alt="a picture"/> Behind it.</p>'
        found = cut(body, contents=[entry("I", "0"), entry("II", "0#b")])
        assert texts(found) == [["I", "Before it."], ["Behind it."]]


class TestLostPlaces:
    """Entries that do not point to where their chapter begins."""

    def test_heading_of_that_name(self) -> None:
        """An entry whose fragment is lost begins at the heading of its name, not at the list of chapters above."""
        body = f"<p>Chapter 1: Rain</p><p>Chapter 2</p><h2>chapter 1. RAIN</h2>{words(50)}<h2>Chapter 2</h2>{words(60)}"
        found = cut(body, contents=[entry("Chapter 1: Rain", "0#x"), entry("Chapter 2", "0#y")])
        assert [each[0] for each in texts(found)] == ["Chapter 1: Rain", "chapter 1. RAIN", "Chapter 2"]

    def test_line_of_that_name(self) -> None:
        """A line that is no heading will do when no heading has the name."""
        found = cut(f"{words(50)}<p>Two</p>{words(60)}", contents=[entry("One", "0"), entry("Two", "0#lost")])
        assert texts(found)[1][0] == "Two"

    def test_start_of_the_document(self) -> None:
        """An entry that nothing names begins at the start of its document."""
        found = cut(words(50), words(60), contents=[entry("I", "0#lost"), entry("II", "1#lost")])
        assert named(found) == ["I", "II"]

    def test_lost_entries_do_not_rename_a_chapter(self) -> None:
        """Of several entries that begin at a document's start, one that is lost gives way to one before it."""
        contents = [entry("I", "0"), entry("Somewhere", "0#x"), entry("Else", "1#y"), entry("Where", "1#z")]
        assert named(cut(words(50), words(60), contents=contents)) == ["I", "Else"]

    def test_lost_entry_before_one_that_is_not(self) -> None:
        """An entry that does point to a document's start names it, though a lost one stands before."""
        assert named(cut(words(50), contents=[entry("Lost", "0#x"), entry("I", "0")])) == ["I"]

    def test_ornament_is_no_name(self) -> None:
        """A title without a letter names no line of ornaments."""
        found = cut(f"{words(50)}<p>* * *</p>{words(60)}", contents=[entry("~", "0#lost")])
        assert [len(each) for each in texts(found)] == [3]

    def test_picture_of_a_title(self) -> None:
        """An entry for a document that is only a picture names the text behind it."""
        found = cut(words(50), PICTURE, words(60), contents=[entry("I", "0"), entry("II", "1")])
        assert named(found) == ["I", "II"]

    def test_picture_of_a_cover(self) -> None:
        """The picture of a cover does not make a cover of the text behind it."""
        found = cut(words(50), PICTURE, words(60), contents=[entry("I", "0"), entry("Cover", "1")])
        assert named(found) == ["I"]
        assert kinds(found) == [""]

    def test_end_of_the_book(self) -> None:
        """An entry that points behind the last text is no chapter."""
        body = f'{words(50)}<p id="end"></p>'
        assert named(cut(body, contents=[entry("I", "0"), entry("Fin", "0#end")])) == ["I"]

    def test_notes_that_were_taken_out(self) -> None:
        """An entry for notes that are not there any more does not make notes of the document behind them."""
        note = f'<aside id="n" {EPUB}="footnote">A note.</aside>'
        bodies = [f'{words(50)}<a href="#n" {EPUB}="noteref">1</a><div id="notes"/>{note}', words(60)]
        found = cut(*bodies, contents=[entry("I", "0"), entry("Notes", "0#notes")])
        assert named(found) == ["I"]
        assert kinds(found) == [""]


class TestGroups:
    """Which entries are parts of the book, and which are chapters."""

    INTRODUCTION = f"<h1>Of it all</h1>{words(1200)}"

    def under(self, size: int, own: str, title: str, *, heading: str = "<h2>It</h2>") -> list[str]:
        """Return the sections of a book with an entry, and two under it that are so long."""
        contents = [entry(title, "0", entry("I", "1"), entry("II", "2")), entry("End", "3")]
        bodies = [own, *[f"{heading}{words(size)}"] * 2, words(50)]
        return named(cut(*bodies, contents=contents))

    def test_little_text_before_long_chapters(self) -> None:
        """An entry with little text of its own groups chapters of some minutes, and its text is a section."""
        assert self.under(8000, self.INTRODUCTION, "The Sea") == ["The Sea", "The Sea: I", "The Sea: II", "End"]

    def test_little_text_before_short_chapters(self) -> None:
        """Entries of a minute or two under one with text of its own are no chapters."""
        assert self.under(1500, self.INTRODUCTION, "The Sea") == ["The Sea", "End"]

    def test_much_text_before_chapters(self) -> None:
        """An entry with much text of its own is a chapter, and those under it are what is in it."""
        assert self.under(8000, words(4000), "The Sea") == ["The Sea", "End"]

    def test_part_with_an_epigraph(self) -> None:
        """What is called a part groups what is under it however short that is, also when it has an epigraph."""
        own = f"<h1>Part One</h1>{words(150)}"
        assert self.under(300, own, "Part One") == ["Part One", "Part One: I", "Part One: II", "End"]

    def test_places_in_a_text(self) -> None:
        """Entries that point into the middle of a text, where no heading stands, are no chapters."""
        text = f'{words(100)}<p id="a">a</p>{words(8000)}<p id="b">b</p>{words(8000)}'
        contents = [entry("Of it all", "0", entry("a", "0#a"), entry("b", "0#b"))]
        assert named(cut(text, contents=contents)) == ["Of it all"]

    @pytest.mark.parametrize("title", ["Cover", "Title Page", "Copyright", "Contents", "Index"])
    def test_chapters_under_matter(self, title: str) -> None:
        """Chapters under a page of matter are chapters, however short, and not part of what is matter."""
        assert self.under(300, words(90), title) == [title, "I", "II", "End"]

    def test_chapters_under_a_heading_of_matter(self) -> None:
        """The heading of a title page is not read with the first chapter under it."""
        assert self.under(300, "<h1>Emma</h1>", "Title Page") == ["Title Page", "I", "II", "End"]

    def test_chapters_under_what_the_markup_calls_matter(self) -> None:
        """An entry that points to a title page does not hold the chapters under it, whatever they are called."""
        own = f'<section {EPUB}="titlepage">{words(2000)}</section>'
        assert self.under(300, own, "It") == ["It", "It: I", "It: II", "End"]

    def test_parts_of_matter(self) -> None:
        """What stands under an index in its document is part of it."""
        index = f'<h2 id="a">A</h2>{words(90)}<h2 id="b">B</h2>{words(90)}'
        contents = [entry("I", "0"), entry("Index", "1", entry("A", "1#a"), entry("B", "1#b"))]
        assert named(cut(words(900), f"{words(90)}{index}", contents=contents)) == ["I", "Index"]

    def test_title_page_above_all_chapters(self) -> None:
        """A title page whose entry holds all of the book is one page, and its chapters are read."""
        own = "<h1>Emma</h1><p>by Jane Austen</p><p>Illustrated by Hugh Thomson, Esquire</p><p>London</p>"
        contents = [entry("Emma", "0", entry("I", "1"), entry("II", "2"))]
        found = cut(own, *[f"<h2>It</h2>{words(8000)}"] * 2, contents=contents)
        assert [(section.title, section.kind) for section in found] == [("Emma", "title page"), ("I", ""), ("II", "")]

    def test_long_text_without_headings(self) -> None:
        """What is longer than an hour and has no headings is cut where documents begin."""
        bodies = [words(600), words(500, "Then"), words(400, "And so"), words(90)]
        found = cut(*bodies, contents=[entry("Start", "0"), entry("End", "3")], hour=1000)
        assert named(found) == ["Start", "Then goes on and on goes on and on goes…", found[2].title, "End"]
        assert found[2].title.startswith("And so")
        assert [section.why for section in found[1:3]] == ["document"] * 2

    def test_hour_without_headings(self) -> None:
        """What takes an hour is one section, however many documents it is in."""
        assert len(cut(words(600), words(400), contents=[entry("Start", "0")], hour=1000)) == 1


class TestWithoutContents:
    """Books that have no table of contents, or one that points to nothing."""

    @pytest.mark.parametrize("contents", [[], [entry("Lost", "9")], [entry("Nowhere", "")]])
    def test_headings(self, contents: list[Entry]) -> None:
        """Headings of the highest level that has two cut it; what stands before them is a section by document."""
        bodies = [f"<h1>Emmeline</h1>{words(70)}<h2>I</h2>{words(50)}", f"<h2>II</h2>{words(60)}<h3>a</h3><h3>b</h3>"]
        found = cut(*bodies, contents=contents)
        assert named(found) == ["Emmeline", "I", "II"]
        assert [section.why for section in found] == ["document", "headings", "headings"]

    def test_name_below_the_number(self) -> None:
        """A chapter's title is its number with the name below it."""
        body = f"<h2>I</h2><h3>The Start</h3>{words(50)}<h2>II</h2><h2>III</h2>{words(60)}"
        assert named(cut(body)) == ["I: The Start", "II", "III"]

    def test_long_sections(self) -> None:
        """When the title stands there twice, the chapters are found a level below."""
        body = f"<h1>Evelina</h1><h1>Evelina</h1><h2>I</h2>{words(600)}<h2>II</h2>{words(600)}"
        found = cut(body, hour=1000)
        assert named(found) == ["Evelina", "Evelina: I", "Evelina: II"]
        assert texts(found)[1][:2] == ["Evelina", "I"]

    def test_documents(self) -> None:
        """Without headings each document is a section, named by its first words."""
        bodies = ["<p>A short one.</p>", words(90, "Once upon a time"), f"<p>{'長い話' * 40}</p>"]
        found = cut(*bodies)
        assert named(found) == ["A short one.", "Once upon a time goes on and on goes on…", ("長い話" * 13) + "…"]

    def test_one_heading(self) -> None:
        """A heading that stands alone cuts nothing."""
        assert named(cut(f"{words(50)}<h1>Emmeline</h1>{words(60)}")) == ["Emmeline"]


class TestMatter:
    """What is recognised as front and back matter, and what is not."""

    COPYRIGHT = "<p>© 1999 by the author. All rights reserved.</p>"
    STORY = words(900)

    @pytest.mark.parametrize(
        ("body", "title", "expected"),
        [
            (f'<section {EPUB}="copyright-page">{words(90)}</section>', "Something", ("copyright", "markup")),
            (f'<section {EPUB}="index">{words(5000)}</section>', "Something", ("index", "markup")),
            (words(90), "Bibliography", ("bibliography", "title")),
            (words(90), "INHALTSVERZEICHNIS", ("contents", "title")),
            (COPYRIGHT, "Emma", ("copyright", "text")),
            (words(90), "Preface", ("", "table of contents")),
            (words(90), "Afterword", ("", "table of contents")),
            (words(90), "Notes of a Traveller", ("", "table of contents")),
        ],
    )
    def test_of_an_entry(self, body: str, title: str, expected: tuple[str, str]) -> None:
        """Matter is known by markup, title or text; a preface and a chapter are read."""
        found = cut(self.STORY, body, contents=[entry("I", "0"), entry(title, "1")])
        assert (found[1].kind, found[1].why) == expected

    def test_by_landmarks(self) -> None:
        """Matter is known by what the landmarks call its document, but not by a place inside one."""
        landmarks = (Landmark("index", "c1.xhtml", ""), Landmark("index", "c0.xhtml", "x"))
        found = cut(self.STORY, words(90), contents=[entry("I", "0"), entry("Start", "1")], landmarks=landmarks)
        assert [(section.kind, section.why) for section in found] == [("", "table of contents"), ("index", "landmarks")]

    def test_by_heading(self) -> None:
        """A document that the table leaves out is matter by the heading that it begins with, not by a later one."""
        bodies = [self.STORY, f"<h2>Index</h2>{words(90)}", f"{words(90)}<h2>Index</h2>"]
        found = cut(*bodies, contents=[entry("I", "0")])
        assert kinds(found) == ["", "index"]
        assert [len(each) for each in texts(found)] == [3, 2]

    def test_by_heading_without_a_table(self) -> None:
        """So is one of a book that is cut by document, since nothing in it gives a title but the heading."""
        bodies = ["<h1>Copyright</h1><p>To nobody.</p>", "<h2>Table of Contents</h2><p>I to III</p>", *[self.STORY] * 3]
        found = cut(*bodies)
        assert [(each.title, each.kind) for each in found[:2]] == [
            ("Copyright", "copyright"),
            ("Table of Contents", "contents"),
        ]
        assert kinds(found[2:]) == ["", "", ""]

    @pytest.mark.parametrize("item", ["<li>{}</li>", "<dl><dt>See</dt><dd>{}</dd></dl>", "<p>{}<a href='#x'>↑</a></p>"])
    def test_notes_without_numbers(self, item: str) -> None:
        """What is called notes is notes when its paragraphs are items of a list, or linked."""
        text = "He says so in the letter to his sister, and says it again."
        for title, body, kind in (("Notes", item, "notes"), ("Notes", "<p>{}</p>", ""), ("Thanks", item, "")):
            found = cut(words(9000), body.format(text) * 25, contents=[entry("I", "0"), entry(title, "1")])
            assert kinds(found) == ["", kind]

    def test_licence_inside_a_document(self) -> None:
        """A licence around the text of a document is split off; the entry is that of the text."""
        found = cut(f"{LICENCE}{self.STORY}{LICENCE}", contents=[entry("I", "0")])
        assert kinds(found) == ["licence", "", "licence"]
        assert [found[1].title, found[1].why] == ["I", "table of contents"]

    def test_matter_that_begins_above_its_heading(self) -> None:
        """What the markup says is one thing is one section, though its entry points to the heading in it."""
        licence = '<section class="pg-boilerplate"><p>The end.</p><h2 id="a">The licence</h2><p>Free.</p></section>'
        found = cut(f"{self.STORY}{licence}", contents=[entry("I", "0"), entry("The licence", "0#a")])
        assert texts(found)[1] == ["The end.", "The licence", "Free."]
        assert [found[1].title, found[1].kind] == ["The licence", "licence"]

    def test_entries_of_one_matter(self) -> None:
        """Entries inside what the markup calls one thing keep their titles."""
        index = f'<section {EPUB}="index"><h2 id="a">Names</h2><p>x</p><h2 id="b">Places</h2><p>y</p></section>'
        contents = [entry("I", "0"), entry("Names", "0#a"), entry("Places", "0#b")]
        assert named(cut(f"{self.STORY}{index}", contents=contents)) == ["I", "Names", "Places"]

    def test_inserted_advertisement(self) -> None:
        """Matter without an entry does not cut a chapter in two: the text behind it goes on with the chapter."""
        bodies = [
            "<p>Begin.</p>",
            "<h2>By the same author</h2><p>Buy.</p>",
            self.COPYRIGHT,
            "<p>Go on.</p>",
            "<p>End.</p>",
        ]
        found = cut(*bodies, contents=[entry("I", "0")])
        assert kinds(found) == ["", "promotion", "copyright"]
        assert texts(found)[0] == ["Begin.", "Go on.", "End."]

    def test_text_behind_matter_that_has_an_entry(self) -> None:
        """Behind matter that the table names, documents without an entry are read as sections of their own."""
        bodies = [self.STORY, words(90), "<h2>Thanks</h2><p>To all.</p>", "<p>And you.</p>"]
        found = cut(*bodies, contents=[entry("I", "0"), entry("Bibliography", "1")])
        assert kinds(found) == ["", "bibliography", ""]
        assert texts(found)[2] == ["Thanks", "To all.", "And you."]

    def test_text_behind_front_matter(self) -> None:
        """A dedication before the first chapter does not take in what stands behind a copyright page."""
        bodies = ["<p>For you.</p>", self.COPYRIGHT, words(90), self.STORY]
        found = cut(*bodies, contents=[entry("Copyright", "1"), entry("I", "3")])
        assert [len(each) for each in texts(found)] == [1, 1, 1, 1]
        assert kinds(found) == ["", "copyright", "", ""]

    def test_foreword_behind_front_matter(self) -> None:
        """Nor does it when an advertisement stands in between."""
        bodies = ["<p>For you.</p>", self.COPYRIGHT, "<h1>By the same author</h1><p>Buy.</p>", words(90), self.STORY]
        found = cut(*bodies, contents=[entry("Copyright", "1"), entry("I", "4")])
        assert kinds(found) == ["", "copyright", "promotion", "", ""]

    def test_matter_at_the_front(self) -> None:
        """Documents of one kind of matter before the first chapter are sections of their own, like others."""
        assert kinds(cut(LICENCE, LICENCE, self.STORY, contents=[entry("I", "2")])) == ["licence", "licence", ""]

    def test_matter_in_a_document_at_the_front(self) -> None:
        """Text behind matter at the front does not go on with another document."""
        found = cut("<p>For you.</p>", f"{LICENCE}<p>An epigraph.</p>", self.STORY, contents=[entry("I", "2")])
        assert kinds(found) == ["", "licence", "", ""]

    @pytest.mark.parametrize(("size", "expected"), [(90, ["", "copyright"]), (3100, ["", "copyright", ""])])
    def test_rest_of_a_document(self, size: int, expected: list[str]) -> None:
        """A few lines behind matter, in the document that its entry names, belong to it; more is read."""
        body = f'<h1 {EPUB}="copyright-page">Copyright</h1>{words(size)}'
        assert kinds(cut(words(9000), body, contents=[entry("I", "0"), entry("Copyright", "1")])) == expected

    @pytest.mark.parametrize(("size", "expected"), [(3000, "bibliography"), (5000, "")])
    def test_share_of_a_book(self, size: int, expected: str) -> None:
        """What its title alone makes matter is none when it is more than a quarter of the book."""
        found = cut(words(10_000), words(size), contents=[entry("I", "0"), entry("Bibliography", "1")])
        assert (found[1].kind, found[1].title) == (expected, "Bibliography")

    def test_share_of_a_book_in_pieces(self) -> None:
        """Matter that goes on in documents without an entry may not grow beyond a quarter of the book either."""
        bodies = [words(10_000), *[f"<h1>Bibliography</h1>{words(2000)}"] * 4]
        assert kinds(cut(*bodies, contents=[entry("I", "0"), entry("Bibliography", "1")])) == ["", ""]
        assert kinds(cut(*bodies[:3], contents=[entry("I", "0"), entry("Bibliography", "1")])) == ["", ""]

    def test_long_document_called_bibliography(self) -> None:
        """A long document without an entry goes on with the chapter before, though its heading is that of matter."""
        found = cut(words(10_000), f"<h1>Bibliography</h1>{words(5000)}", contents=[entry("I", "0")])
        assert [len(each) for each in texts(found)] == [3]

    def test_all_is_matter(self) -> None:
        """When all of a book seems to be matter, all of it is read."""
        found = cut(self.COPYRIGHT, words(90), contents=[entry("Copyright", "0"), entry("Notes", "1")])
        assert kinds(found) == ["", ""]
        assert {section.why for section in found} == {"nothing else to read"}


class TestMatterThatIsText:
    """What seems to be matter, and is read."""

    STORY = words(20_000)
    LINKS = '<p><a href="c0.xhtml">A short line</a></p>' * 9

    def kind(self, body: str, title: str, landmark: str = "") -> tuple[str, str]:
        """Return what the second document is and why, with an entry and a landmark."""
        landmarks = (Landmark(landmark, "c1.xhtml", ""),) if landmark else ()
        found = cut(self.STORY, body, contents=[entry("I", "0"), entry(title, "1")], landmarks=landmarks)
        return found[1].kind, found[1].why

    @pytest.mark.parametrize("landmark", ["cover", "titlepage", "copyright-page", "toc", "index", "bibliography"])
    def test_landmark_of_a_chapter(self, landmark: str) -> None:
        """A landmark does not make matter of a chapter that the table of contents names."""
        assert self.kind(words(90), "Chapter 1", landmark)[0] == ""
        assert self.kind(words(90), "Start", landmark)[1] == "landmarks"

    @pytest.mark.parametrize("landmark", ["cover", "titlepage", "toc"])
    def test_landmark_of_a_long_text(self, landmark: str) -> None:
        """A landmark does not make matter of what is too long for it."""
        assert self.kind(words(3100), "Start", landmark)[0] == ""

    @pytest.mark.parametrize(("title", "kind"), [("Chapter 1", ""), ("Contents", "contents"), ("Emma", "contents")])
    def test_links(self, title: str, kind: str) -> None:
        """A chapter is none for its links, but a page that has the title of the book is."""
        assert self.kind(self.LINKS, title)[0] == kind

    def test_links_without_an_entry(self) -> None:
        """A page of links that the table of contents leaves out is one."""
        assert kinds(cut(self.STORY, self.LINKS, contents=[entry("I", "0")])) == ["", "contents"]

    def test_rights_in_a_chapter(self) -> None:
        """A chapter that says whose it is is a chapter."""
        assert self.kind(TestMatter.COPYRIGHT, "Storm hits coast")[0] == ""

    def test_dedication_with_rights(self) -> None:
        """A dedication and an epigraph are read though a copyright notice stands between them."""
        body = f"<p>For my mother.</p>{TestMatter.COPYRIGHT}<p>“A line,” said the poet.</p>"
        found = cut(body, self.STORY, contents=[entry("I", "1")])
        assert kinds(found) == ["", "copyright", "", ""]
        assert texts(found)[2] == ["“A line,” said the poet."]

    def test_dedication_with_rights_and_a_landmark(self) -> None:
        """It is read too when a landmark calls its document a copyright page."""
        landmarks = (Landmark("copyright-page", "c0.xhtml", ""),)
        body = f"<p>For my mother.</p>{TestMatter.COPYRIGHT}"
        assert kinds(cut(body, self.STORY, contents=[entry("I", "1")], landmarks=landmarks)) == ["", "copyright", ""]

    @pytest.mark.parametrize("title", ["Cover", "Title Page"])
    @pytest.mark.parametrize("heading", ["Preface", "Preface by the author", "Volume I", "I", "1"])
    def test_text_behind_a_title(self, title: str, heading: str) -> None:
        """What a file goes on with behind a title page is read, from its first heading that is no title."""
        body = f"<h1>Emma</h1><h2>by Jane Austen</h2><h2>{heading}</h2>{words(300)}<h2>To you</h2>{words(900)}"
        found = cut(body, self.STORY, contents=[entry(title, "0"), entry("I", "1")])
        assert (found[0].title, found[0].kind) == (title, title.casefold())
        assert texts(found)[1][0] == heading
        assert kinds(found)[1:] == ["", ""]

    @pytest.mark.parametrize(
        "body",
        [
            f"<p>Emma</p><p>Preface</p>{words(1100)}",
            f"{words(1100)}<h2>Preface</h2>{words(1100)}",
            f"<h1>Emma</h1>{words(1100)}",
        ],
        ids=["no heading", "heading too late", "heading of the title"],
    )
    def test_text_called_title_page(self, body: str) -> None:
        """All of a long text is read that is called a title page, and has no heading that parts it from one."""
        assert kinds(cut(body, self.STORY, contents=[entry("Title Page", "0"), entry("I", "1")])) == ["", ""]

    def test_documents_behind_matter(self) -> None:
        """Behind matter that the table names last, each document with a heading is a section."""
        bodies = [self.STORY, words(90), *(f"<h2>{name}</h2>{words(90)}" for name in "ABC"), words(80), words(70)]
        found = cut(*bodies, contents=[entry("I", "0"), entry("Index", "1")])
        assert named(found) == ["I", "Index", "A", "B", "C"]
        assert len(texts(found)[-1]) == 4

    def test_matter_is_no_group(self) -> None:
        """What stands under matter is not called part of it."""
        contents = [entry("Notes", "1", entry("a", "2"), entry("b", "3")), entry("I", "0")]
        found = cut(words(900), *map(words, (300, 600, 500)), contents=contents, hour=1000)
        assert [section.group for section in found] == [()] * 4


class TestTitlePages:
    """Pages at the front that only say which book it is."""

    STORY = words(900)

    def kind(self, title: str, *pages: str) -> str:
        """Return what the last of the pages is, each a document with an entry, before the story."""
        contents = [entry(f"entry {number}", str(number)) for number in range(len(pages) + 1)]
        return cut(*pages, self.STORY, contents=contents, title=title)[len(pages) - 1].kind

    @pytest.mark.parametrize(
        ("title", "body"),
        [
            ("Emma", "<h1>EMMA</h1><p>A novel in three volumes</p>"),
            ("Emma: A Novel", "<h1>Emma</h1><p>a novel</p><p>by Jane Austen</p>"),
            ("Alice's Adventures", "<p>ALICES ADVENTURES</p>"),
            ("Emma", "<p>Emma, a novel by Miss Jane Austen</p>"),
            ("Frankenstein; or, The Modern Prometheus", "<h1>Frankenstein;</h1>"),
            ("草枕", "<p>草枕</p><p>1906</p>"),
            ("Emma", "<h1>Emma</h1><p>Translated from the English by Ann Other</p><p>2nd edition, London: MCMX</p>"),
        ],
    )
    def test_title_page(self, title: str, body: str) -> None:
        """A short page that names the book on lines of its own, or with its author, is a title page."""
        assert self.kind(title, body) == "title page"

    @pytest.mark.parametrize(
        ("title", "body"),
        [
            ("It", "<p>With love to Itzhak, who lived it.</p>"),
            ("Emma", "<p>What a dilemma, as Emma would say.</p>"),
            ("Emma", "<p>For Jane Austen.</p>"),
            ("", "<p>For my father.</p>"),
            ("C++", "<p>For my cat.</p>"),
            ("Idiot", "<h1>I</h1>"),
            ("World War II", "<h1>II</h1>"),
            ("Frankenstein", "<h1>Frank</h1>"),
            ("Emma", f"<h1>Emma</h1>{words(400)}"),
            ("The Long Book", "<h2>The Long Book</h2><p>I opened it<br/>and fell in.</p>"),
            ("Emma", "<h1>Emma</h1><p>Jane Austen</p><p>To the Prince Regent</p>"),
        ],
    )
    def test_no_title_page(self, title: str, body: str) -> None:
        """A dedication, an epigraph or a chapter that has the letters of the title in it is read."""
        assert self.kind(title, body) == ""

    @pytest.mark.parametrize(
        ("heading", "kind"),
        [("Illustrated", "title page"), ("Part One", ""), ("Chapter 1", ""), ("II.", ""), ("1815", ""), ("第一章", "")],
    )
    def test_below_a_title_page(self, heading: str, kind: str) -> None:
        """Headings that stand below the title in its document are of the title page, but no part or chapter is."""
        body = '<h1 id="a">Emma</h1><h2 id="b">Fulcrum Edition</h2><h2 id="c">HEADING</h2>'
        contents = [entry("Emma", "0#a"), entry("Edition", "0#b"), entry("Third", "0#c"), entry("I", "1")]
        found = cut(body.replace("HEADING", heading), self.STORY, contents=contents)
        assert kinds(found) == ["title page", "title page", kind, ""]

    def test_behind_a_title_page(self) -> None:
        """A heading in a document of its own behind a title page is read."""
        assert self.kind("Emma", "<h1>Emma</h1>", "<h1>Highbury</h1>") == ""

    def test_only_at_the_front(self) -> None:
        """A page that names the book behind its text is read."""
        found = cut(self.STORY, "<h1>Emma</h1>", contents=[entry("I", "0"), entry("II", "1")])
        assert kinds(found) == ["", ""]


class Big(NamedTuple):
    """A big book, and into how many sections it is cut."""

    bodies: list[str]
    contents: list[Entry]
    sections: int


PARAGRAPHS = "".join(f'<p id="p{number}">Some words of text {number}.</p>' for number in range(4_000))
BIG = {
    "an entry a paragraph": Big([PARAGRAPHS], [entry(f"T{n}", f"0#p{n}") for n in range(4_000)], 4_000),
    "lost fragments": Big([PARAGRAPHS], [entry(f"T{n}", f"0#q{n}") for n in range(2000)], 1),
    "one place": Big([PARAGRAPHS], [entry(f"T{n}", "0") for n in range(2000)], 1),
    "documents": Big(["<p>a</p>"] * 2000, [entry(f"T{n}", str(n)) for n in range(2000)], 2000),
    "backwards": Big(["<p>a</p>"] * 2000, [entry(f"T{n}", str(n)) for n in range(1999, -1, -1)], 2000),
    "matter in between": Big([f'<p>a</p><p {EPUB}="index">b</p>' * 2000], [entry("I", "0")], 2001),
    "title pages": Big(["<h1>Emma</h1>"] * 2000, [entry(f"T{n}", str(n)) for n in range(2000)], 2000),
    "headings": Big(
        ["".join(f"<h{n % 6 + 1}>{n}</h{n % 6 + 1}><p>{n}</p>" for n in range(4_000))], [entry("I", "0")], 667
    ),
}


@pytest.mark.parametrize("name", BIG)
def test_big_books(name: str) -> None:
    """However long a table is, and wherever it points, it cuts."""
    big = BIG[name]
    assert len(cut(*big.bodies, contents=big.contents, hour=2000)) == big.sections


@pytest.mark.parametrize(
    ("targets", "expected"),
    [([""], [["a"], ["b"], ["c"]]), (["0"], [["a", "b"], ["c"]]), ("012", [["a"], ["b"], ["c"]])],
)
def test_bottomless_table(targets: Sequence[str], expected: list[list[str]]) -> None:
    """A table whose entries stand each under the one before is read, however deep it goes."""
    deepest = entry("The end", "2")
    for number in range(1, 3000):
        deepest = entry(f"T{number}", targets[number % len(targets)], deepest)
    assert texts(cut("<p>a</p>", "<p>b</p>", "<p>c</p>", contents=[deepest])) == expected


def test_manifest_order_does_not_matter() -> None:
    """Chapters are in the order of the spine, which is that of the documents."""
    book = Book(
        "Emma",
        (),
        "en",
        small_book().metadata,
        None,
        tuple(Document(f"c{number}.xhtml", page(f"<h1>{number}</h1>").encode()) for number in (2, 0, 1)),
    )
    assert named(outline(book, Reading(), HOUR).sections) == ["2", "0", "1"]
