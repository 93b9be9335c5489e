"""What of a book is read: notes at their places, sections that were asked for, and a rule for all the rest."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.errors import ExitCode, UserError
from e2a.plan import Reading, letters
from producer import markup
from producer.epub import Book, Entry
from producer.sections.outline import Outline, Passage, outline, unread
from tests.unit.books import small_book

HOUR = 54_000
EPUB = 'xmlns:epub="http://www.idpf.org/2007/ops" epub:type'
STORY = f"<p>{'It goes on and on. ' * 50}</p>"
COPYRIGHT = f'<section {EPUB}="copyright-page"><p>All rights reserved.</p></section>'


def ref(target: str) -> str:
    return f'<a {EPUB}="noteref" href="{target}">1</a>'


def note(identifier: str, text: str) -> str:
    return f'<aside {EPUB}="footnote" id="{identifier}"><p>{text}</p></aside>'


def book_of(*bodies: str, beside: Collection[int] = (), titles: Sequence[str] = ()) -> Book:
    """Return a book with a document a body, some of which are beside the reading order, and a chapter a title."""
    book = small_book(*bodies, contents=tuple(Entry(title, f"c{n}.xhtml", "") for n, title in enumerate(titles)))
    linear = [each._replace(linear=number not in beside) for number, each in enumerate(book.documents)]
    return book._replace(documents=tuple(linear))


def outlined(*bodies: str, beside: Collection[int] = (), titles: Sequence[str] = (), **options: Any) -> Outline:
    return outline(book_of(*bodies, beside=beside, titles=titles), Reading(**options), HOUR)


def read(outlined: Outline) -> list[list[str]]:
    """Return the blocks of each section that is read."""
    return [[located.block.text for located in section.blocks] for section in outlined.read()]


def skipped(outlined: Outline) -> list[tuple[str, str]]:
    """Return the text that is not read, each with its rule, but for the heads of documents and references."""
    found = [(passage.skipped.rule, passage.skipped.text.strip()) for passage in outlined.passages]
    return [each for each in found if each[0] not in {"head", "note reference"}]


class TestNotes:
    """Footnotes go where they were asked for, each once."""

    BODY = (
        f"<p>First{ref('#a')}.</p><p>Second{ref('#b')}, again{ref('#a')}.</p><p>Third.</p>"
        f"{note('a', 'Note A.')}{note('b', 'Note B.')}{note('c', 'Nobody refers to C.')}"
    )

    @pytest.mark.parametrize(
        ("footnotes", "expected"),
        [
            ("skip", ["First.", "Second, again.", "Third."]),
            ("inline", ["First.", "Note A.", "Second, again.", "Note B.", "Third.", "Nobody refers to C."]),
            ("end", ["First.", "Second, again.", "Third.", "Nobody refers to C.", "Note A.", "Note B."]),
        ],
    )
    def test_places(self, footnotes: str, expected: list[str]) -> None:
        """Notes are left out, or stand behind their paragraph, or their chapter; one without a reference stays."""
        assert read(outlined(self.BODY, footnotes=footnotes)) == [expected]

    def test_notes_that_are_left_out(self) -> None:
        """All notes that are left out are accounted for, referred to or not."""
        expected = [("footnote", text) for text in ("Note A.", "Note B.", "Nobody refers to C.")]
        assert skipped(outlined(self.BODY)) == expected

    @pytest.mark.parametrize("beside", [[], [2]], ids=["linear", "not linear"])
    @pytest.mark.parametrize(
        ("footnotes", "expected"),
        [
            ("inline", [["One.", "Note 1.", "More."], ["Two.", "Note 2.", "More."]]),
            ("end", [["One.", "More.", "Note 1."], ["Two.", "More.", "Note 2."]]),
        ],
    )
    def test_notes_of_the_whole_book(self, beside: list[int], footnotes: str, expected: list[list[str]]) -> None:
        """Notes that stand together in a document of their own come to the chapters that refer to them."""
        bodies = [f"<p>{name}.{ref(f'c2.xhtml#n{n}')}</p><p>More.</p>" for n, name in enumerate(("One", "Two"), 1)]
        found = outlined(
            *bodies, note("n1", "Note 1.") + note("n2", "Note 2."), beside=beside, titles="AB", footnotes=footnotes
        )
        assert read(found) == expected
        assert skipped(found) == []

    def test_notes_beside_the_reading_order(self) -> None:
        """A note that stands beside the reading order and that nothing refers to is not read, nor counted as a note."""
        found = outlined("<p>One.</p>", note("n", "Unused."), beside=[1], footnotes="inline")
        assert read(found) == [["One."]]
        assert skipped(found) == [("outside the reading order", "Unused.")]

    @pytest.mark.parametrize("chapters", ["", "1"])
    @pytest.mark.parametrize("footnotes", ["inline", "end"])
    def test_notes_of_what_is_not_read(self, footnotes: str, chapters: str) -> None:
        """A note to which only sections refer that are not read is not read either."""
        matter = COPYRIGHT.replace("reserved.", f"reserved.{ref('c0.xhtml#n')}")
        found = outlined(f"{STORY}{note('n', 'Note.')}", matter, titles="AB", footnotes=footnotes, chapters=chapters)
        assert len(read(found)[0]) == 1
        assert ("footnote", "Note.") in skipped(found)

    @pytest.mark.parametrize("footnotes", ["inline", "end"])
    def test_notes_on_notes(self, footnotes: str) -> None:
        """A note that only another note refers to stands behind that one, also when they refer to each other."""
        notes = note("a", f"A{ref('#b')}, then{ref('#c')}.") + note("b", f"B{ref('#a')}.") + note("c", "C.")
        found = outlined(f"<p>One{ref('#a')}.</p><p>Two.</p>{notes}", footnotes=footnotes)
        both = ["A, then.", "B.", "C."]
        assert read(found) == [["One.", *both, "Two."] if footnotes == "inline" else ["One.", "Two.", *both]]

    def test_note_on_itself(self) -> None:
        """A note to which only itself refers has no other place than its own."""
        own = note("a", f"A{ref('#a')}.")
        assert read(outlined(f"<p>One.</p>{own}<p>Two.</p>", footnotes="inline")) == [["One.", "A.", "Two."]]

    @pytest.mark.parametrize("link", ["../notes/n%201.xhtml#%C3%A9", "n%201.xhtml#é", "./x/../n 1.xhtml#é"])
    def test_links(self, link: str) -> None:
        """A reference finds its note by a relative link, whatever of it is quoted."""
        book = book_of(f"<p>One{ref(link)}.</p>", note("é", "A."))
        first, second = book.documents
        named = (first._replace(href="notes/c.xhtml"), second._replace(href="notes/n 1.xhtml"))
        assert read(outline(book._replace(documents=named), Reading(footnotes="inline"), HOUR)) == [["One.", "A."]]

    @pytest.mark.parametrize(
        ("link", "href"),
        [
            ("notes.xhtml#n", "Notes.XHTML"),
            ("NOTES.xhtml#n", "notes.xhtml"),
            ("n%201.xhtml#n", "n%201.xhtml"),
            ("n 1.xhtml#n", "n%201.xhtml"),
            ("e\u0301.xhtml#n", "\xe9.xhtml"),
        ],
    )
    def test_careless_links(self, link: str, href: str) -> None:
        """A reference finds its note in another letter case, encoding or Unicode form than the file has."""
        first, second = book_of(f"<p>One{ref(link)}.</p>", note("n", "A.")).documents
        book = small_book("")._replace(documents=(first, second._replace(href=href)))
        assert read(outline(book, Reading(footnotes="inline"), HOUR)) == [["One.", "A."]]

    def test_careless_link_to_one_of_two(self) -> None:
        """A link that is careless leads nowhere when two files fit, and an exact one to its own."""
        refs = ref("N.xhtml#n") + ref("N.XHTML#n")
        first, second, third = book_of(f"<p>One{refs}.</p>", note("n", "A."), note("n", "B.")).documents
        documents = (first, second._replace(href="n.xhtml"), third._replace(href="N.xhtml"))
        found = outline(small_book("")._replace(documents=documents), Reading(footnotes="inline"), HOUR)
        assert read(found) == [["One.", "B."], ["A."]]

    @pytest.mark.parametrize("link", ["http://[x#y", "//[#", "#", "?#%", "\\#..", "../../../../#a"])
    def test_hostile_links(self, link: str) -> None:
        """A link that nobody can resolve refers to nothing, and stops nothing."""
        found = outlined(f'<p>One<a href="{link}"><sup>1</sup></a>.</p>', titles="A", footnotes="inline")
        assert read(found) == [["One1."]]


class TestChapters:
    """Which sections are read."""

    BODIES = (STORY, COPYRIGHT, STORY, STORY)

    def chosen(self, **options: Any) -> tuple[bool, ...]:
        return outlined(*self.BODIES, titles="ABCD", **options).chosen

    def test_all_but_matter(self) -> None:
        """Without a wish everything but matter is read; the matter is accounted for by its kind."""
        found = outlined(*self.BODIES, titles="ABCD")
        assert found.chosen == (True, False, True, True)
        assert [section.title for section in found.read()] == ["A", "C", "D"]
        assert skipped(found) == [("copyright", "All rights reserved.")]

    def test_matter_is_kept(self) -> None:
        """All of the book is read when matter is to be kept."""
        assert self.chosen(matter="keep") == (True, True, True, True)

    @pytest.mark.parametrize(
        ("chapters", "expected"),
        [("2", [2]), ("1,3", [1, 3]), ("2-3", [2, 3]), ("4,1-2,2", [1, 2, 4]), ("1-4", [1, 2, 3, 4]), ("03-3", [3])],
    )
    @pytest.mark.parametrize("matter", ["skip", "keep"])
    def test_numbers(self, chapters: str, expected: list[int], matter: str) -> None:
        """Just the sections with these numbers are read, matter or not."""
        assert self.chosen(chapters=chapters, matter=matter) == tuple(number in expected for number in (1, 2, 3, 4))

    def test_what_was_not_chosen(self) -> None:
        """A chapter that was not asked for is accounted for as that, matter still by its kind."""
        rules = Counter(rule for rule, _text in skipped(outlined(*self.BODIES, titles="ABCD", chapters="1")))
        assert rules == {"not chosen": 2, "copyright": 1}

    @pytest.mark.parametrize("chapters", ["0", "5", "0-2", "3-5", "9" * 9, "1-" + "9" * 9])
    def test_numbers_that_are_not_there(self, chapters: str) -> None:
        """A number that no section has is refused, with those that there are."""
        with pytest.raises(UserError, match=f"--chapters {chapters}: the book has 1 to 4; --list-chapters") as error:
            self.chosen(chapters=chapters)
        assert error.value.code == ExitCode.USAGE

    def test_range_that_is_backwards(self) -> None:
        """A range that ends before it begins is said to."""
        with pytest.raises(UserError, match="--chapters 3-2: ends before it begins; the book has 1 to 4") as error:
            self.chosen(chapters="3-2")
        assert error.value.code == ExitCode.USAGE

    @pytest.mark.parametrize("chapters", ["1 3", "1, 3", "1,,3", " 3,1,", "1 - 1 3", "1\u20131,3"])
    def test_careless_numbers(self, chapters: str) -> None:
        """Spaces part numbers as commas do, and never make one number of two; a dash is a hyphen."""
        assert self.chosen(chapters=chapters) == (True, False, True, False)

    @pytest.mark.parametrize("chapters", ["one", "1;2", "1-", "-1", ",", "1-2-3", "1.5", "9" * 5000])
    def test_no_numbers(self, chapters: str) -> None:
        """What is no list of numbers is refused, with an example and the numbers that there are."""
        with pytest.raises(UserError, match=r"not numbers such as 3-7,9; the book has 1 to 4") as error:
            self.chosen(chapters=chapters)
        assert error.value.code == ExitCode.USAGE


class TestPassages:
    """All that is not read has a rule."""

    PIECES = st.sampled_from(
        [
            "<p>Some text.</p>",
            "<h2>A heading</h2>",
            "<p>Two <b>runs</b><br/>in lines.</p>",
            f"<p>With{ref('#a')} references{ref('c1.xhtml#b')}.</p>",
            note("a", "Note a."),
            note("b", "Note b<br/>in lines."),
            COPYRIGHT,
            '<p hidden="">Not there.</p>',
            '<p><img src="p.jpg" alt="a picture"/> of it</p>',
            "<script>code()</script>",
            "  bare text  ",
        ]
    )
    READINGS = st.builds(
        Reading,
        footnotes=st.sampled_from(["skip", "inline", "end"]),
        matter=st.sampled_from(["skip", "keep"]),
        alt_text=st.booleans(),
        chapters=st.sampled_from(["", "", "1"]),
    )

    @given(
        st.lists(st.lists(PIECES, min_size=1, max_size=6).map("".join), min_size=1, max_size=4),
        st.sets(st.integers(1, 3)),
        READINGS,
    )
    def test_everything_is_somewhere(self, bodies: list[str], beside: set[int], reading: Reading) -> None:
        """Each character of a book is in a section that is read, or in one passage at its place, however it is read."""
        book = book_of("<p>Begin.</p>" + bodies[0], *bodies[1:], beside=beside)
        found = outline(book, reading, HOUR)
        roots = [markup.parse(markup.decode(document.content)) for document in book.documents]
        whole = ["" if root is None else markup.text_content(root) for root in roots]
        blocks = [located for section in found.read() for located in section.blocks if not located.block.attribute]
        said = [Passage(*each) for located in blocks for each in unread("read", located)]
        covered = [[0] * len(text) for text in whole]
        for document, passage in [*found.passages, *said]:
            assert letters(whole[document][passage.start : passage.end]) == letters(passage.text)
            for position in range(passage.start, passage.end):
                covered[document][position] += 1
        for text, counts in zip(whole, covered, strict=True):
            assert all(count == 1 for character, count in zip(text, counts, strict=True) if not character.isspace())

    def test_documents_beside_the_reading_order(self) -> None:
        """A document that the book takes out of its reading order is not read, unless it holds notes that are."""
        notes = f"<h1>Notes</h1>{note('n', 'Note.')}"
        found = outlined(f"<p>One.{ref('c1.xhtml#n')}</p>", notes, "<p>A map.</p>", beside=[1, 2], footnotes="inline")
        assert read(found) == [["One.", "Note."]]
        assert skipped(found) == [("outside the reading order", "Notes"), ("outside the reading order", "A map.")]

    def test_descriptions_of_images(self) -> None:
        """Descriptions of images are blocks when they are to be read, but not beside the reading order."""
        picture = '<p>One.</p><p><img src="p.jpg" alt="A map."/></p>'
        assert read(outlined(picture)) == [["One."]]
        found = outlined(picture, picture.replace("One", "Two"), beside=[1], alt_text=True)
        assert read(found) == [["One.", "A map."]]
        assert skipped(found) == [("outside the reading order", "Two.")]

    def test_description_in_a_note(self) -> None:
        """The description of an image in a note is read with it, also when notes are beside the reading order."""
        picture = note("n", 'Note.</p><p><img src="p.jpg" alt="A map."/>')
        found = outlined(f"<p>One.{ref('c1.xhtml#n')}</p>", picture, beside=[1], footnotes="inline", alt_text=True)
        assert read(found) == [["One.", "Note.", "A map."]]

    def test_unread(self) -> None:
        """A block that is not read is a passage for each piece of text that it was made from, at its place."""
        (section,) = outlined("<p>One <b>two</b><br/> <i>three</i></p>").sections
        document, skipped = unread("why", section.blocks[0])[1]
        assert (document, skipped.rule, skipped.text, skipped.end - skipped.start) == (0, "why", "two", 3)
        assert [passage.skipped.text for passage in unread("why", section.blocks[0])] == ["One ", "two", "three"]

    def test_description_that_is_not_read(self) -> None:
        """The description of an image is no text of its document, so it is no passage."""
        (section,) = outlined('<p><img src="p.jpg" alt="A map."/>One.</p>', alt_text=True).sections
        assert [len(unread("why", located)) for located in section.blocks if located.block.attribute] == [0]


@pytest.mark.parametrize("body", ["", '<img src="p.jpg" alt="a comic"/>', "<script>code()</script>", "<p> &#160; </p>"])
def test_book_without_text(body: str) -> None:
    """A book that has nothing to read is refused by its title, and so is one with text only beside its order."""
    for book in (book_of(body), book_of(body, "<p>A map.</p>", beside=[1])):
        with pytest.raises(UserError, match="'Emma' holds no text to speak") as error:
            outline(book, Reading(), HOUR)
        assert error.value.code == ExitCode.BAD_INPUT


def test_table_that_names_places() -> None:
    """Identifiers that the table names at any depth cut paragraphs; others do not."""
    body = '<p>One <i id="a">two</i> <i id="b">three</i></p>'
    inner = Entry("II", "c0.xhtml", "b")
    book = small_book(body, contents=(Entry("I", "", "", (Entry("I", "c0.xhtml", ""), Entry("", "", "", (inner,)))),))
    assert read(outline(book, Reading(), HOUR)) == [["One two"], ["three"]]
