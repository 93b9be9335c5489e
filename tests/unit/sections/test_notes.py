"""Notes: each reference finds its note, and no chapter is ever taken for one."""

from collections.abc import Mapping
from urllib.parse import urldefrag

import pytest

from producer import markup
from producer.markup import Element, collapse, text_content
from producer.sections import notes
from tests.unit.books import page

OPS = 'xmlns:epub="http://www.idpf.org/2007/ops"'
NOTEREF = f'{OPS} epub:type="noteref"'
FOOTNOTE = f'{OPS} epub:type="footnote"'


def resolve(base: str) -> notes.Resolve:
    """Return what resolves links of a document in a book of one folder."""

    def target(link: str) -> tuple[str, str]:
        path, fragment = urldefrag(link)
        return path or base, fragment

    return target


def find(*bodies: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the texts of all references and of all notes of a book by key; its documents are `0`, `1` and so on."""
    roots = [(str(number), markup.parse(markup.decode(page(body).encode()))) for number, body in enumerate(bodies)]
    found = notes.find(roots, resolve)
    return by_key(found.references), by_key(found.bodies)


def by_key(found: Mapping[Element, str]) -> dict[str, list[str]]:
    """Return the texts of elements by their key."""
    result: dict[str, list[str]] = {}
    for element, key in found.items():
        result.setdefault(key, []).append(collapse(text_content(element)))
    return result


NOTHING: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("1", True),
        ("[12]", True),
        (" (a) ", True),
        ("xiv.", True),
        ("CXLIX", True),
        ("†", True),
        ("¹²", True),
        ("※", True),
        ("1, 2", True),
        ("[Note 3]", True),
        ("n. 3", True),
        ("注1", True),
        ("<sup>see</sup>", True),
        ("<b><sup>see</sup></b> ", True),
        ("see", False),
        ("ill", False),
        ("civic", False),
        ("[sextant]", False),
        ("B12", False),
        ("sextant<sup>1</sup>", False),
        ("more than twenty letters", False),
    ],
)
def test_sign(link: str, expected: bool) -> None:
    """A reference is a sign when it is a number, a letter or a symbol, or raised; else it is a word of the text."""
    root = markup.parse(markup.decode(page(f"<p>Text<a>{link}</a> <sup><i><a>see</a></i></sup></p>").encode()))
    assert root is not None
    assert [notes.is_sign(each) for each in root.iter("{*}a")] == [expected, True]


class TestMarked:
    """Notes that the markup calls so."""

    @pytest.mark.parametrize("reference", [NOTEREF, 'role="doc-noteref"', 'epub:type="noteref"'])
    @pytest.mark.parametrize(
        "body",
        [FOOTNOTE, 'role="doc-footnote"', 'role="doc-endnote"', f'{OPS} epub:type="rearnote"', 'epub:type="endnote"'],
    )
    def test_both(self, reference: str, body: str) -> None:
        """References and notes are found by what they say they are, with the key of the note."""
        found = find(f'<p>Text<a {reference} href="#n">1</a></p><aside {body} id="n"><h4>1</h4><p>Note</p></aside>')
        assert found == ({"0#n": ["1"]}, {"0#n": ["1Note"]})

    def test_only_the_reference(self) -> None:
        """What a marked reference points to is a note, whatever it is called, also in another document."""
        found = find(
            f'<p>Text<a {NOTEREF} href="1#n">see</a></p>', '<ol><li id="n"><p>Note</p><p>more</p></li><li>b</li></ol>'
        )
        assert found == ({"1#n": ["see"]}, {"1#n": ["Notemore"]})

    def test_only_the_note(self) -> None:
        """A marked note that nothing refers to is one, also without any name."""
        assert find(f'<aside {FOOTNOTE}>a</aside><p role="doc-footnote" id="b">b</p>') == (
            {},
            {"0#": ["a"], "0#b": ["b"]},
        )

    @pytest.mark.parametrize("item", ["li", "dd"])
    def test_paragraphs_behind_the_target(self, item: str) -> None:
        """All of an item of a list is the note when the reference points to its first paragraph."""
        refs = f'<p>Text<a {NOTEREF} href="#n">1</a>, <a {NOTEREF} href="#o">2</a></p>'
        items = (
            f'<{item}><p id="n">Note, </p><p>more</p></{item}><{item}><p>of</p><p id="o">Other</p><p>rest</p></{item}>'
        )
        assert find(refs + items)[1] == {"0#n": ["Note, more"], "0#o": ["Other"]}

    def test_link_back_in_the_last_paragraph(self) -> None:
        """A note of several paragraphs is found by the link back at its end."""
        note = '<li><p id="n">A note,</p><p> more <a href="#r">back</a></p></li>'
        assert find(f'<p>Text<sup><a id="r" href="#n">1</a></sup></p>{note}') == (
            {"0#n": ["1"]},
            {"0#n": ["A note, more back"]},
        )

    @pytest.mark.parametrize("target", ["notes.xhtml", "#lost", "http://[bad#n", " //[bad#n", "//host/page#n", ""])
    def test_reference_to_nothing(self, target: str) -> None:
        """A reference is one wherever it points to."""
        references, bodies = find(f'<p>Text<a {NOTEREF} href="{target}">1</a></p>')
        assert (list(references.values()), bodies) == ([["1"]], {})

    def test_long_reference(self) -> None:
        """A reference that is longer than a mark is text, and then its note is no note."""
        assert find(f'<p>Text <a {NOTEREF} href="#n">that the reader knows</a></p><p id="n">Note</p>') == NOTHING

    def test_link_that_is_called_a_note(self) -> None:
        """A link is no note, though some books say that it is."""
        assert find(f'<p>Text<a {FOOTNOTE} id="x" href="#n">1</a></p>') == NOTHING

    def test_several_references(self) -> None:
        """Several references may refer to one note."""
        refer = f'<a {NOTEREF} href="#n">{{}}</a>'.format
        references, bodies = find(f'<p>a{refer("1")} b{refer("2")}</p><p>c{refer("1")}</p><p id="n">Note</p>')
        assert (references, bodies) == ({"0#n": ["1", "2", "1"]}, {"0#n": ["Note"]})

    def test_first_of_equal_names(self) -> None:
        """Of elements with one name the first is meant."""
        _, bodies = find(f'<p>a<a {NOTEREF} href="#n">1</a></p><p id="n">Note</p><p id="n">Text</p>')
        assert bodies == {"0#n": ["Note"]}

    @pytest.mark.parametrize(
        "target",
        [
            '<h2 id="n">Chapter</h2>',
            '<div id="n"><h2>Chapter</h2><p>Text</p></div>',
            f'<p id="n">{"long " * 1001}</p>',
            f'<p id="n">Text{"<i/>" * 1000}</p>',
            '<ol id="n"><li>a</li><li>b</li></ol>',
            '<a id="n"/>Text',
            '<p id="n">7</p>',
        ],
        ids=["heading", "chapter", "long", "crowded", "list", "body", "number"],
    )
    def test_target_that_is_no_note(self, target: str) -> None:
        """A marked reference does not make a note of a heading, a chapter, a list, or a whole body."""
        assert find(f'<p>a<a {NOTEREF} href="#n">1</a></p>{target}') == ({"0#n": ["1"]}, {})

    def test_target_around_its_reference(self) -> None:
        """A note does not refer to itself: the paragraph with the reference is text."""
        assert find(f'<p id="n">Text<a {NOTEREF} href="#n">1</a></p>') == ({"0#n": ["1"]}, {})


REFERENCES = [
    '<sup><a id="r" href="{0}#n">1</a></sup>',
    '<a id="r" href="{0}#n"><sup>1</sup></a>',
    '<sup id="r"><span><a href="{0}#n"><sup>a</sup></a></span></sup>',
    '<a id="r"/><a href="{0}#n">[12]</a>',
    '<a id="r" href="{0}#n">*</a>',
    '<a name="r" href="{0}#n">††</a>',
    '<a id="r" class="fnref" href="{0}#n">3</a>',
    '<span class="superscript"><a id="r" href="{0}#n">iv</a></span>',
    '<a id="r" class="footnote-link" href="{0}#n"> (2) </a>',
]
BODIES = [
    '<p id="n"><a href="{0}#r">1</a> Note.</p>',
    '<p><a id="n" href="{0}#r">1</a> Note.</p>',
    '<p><sup><a name="n" href="{0}#r">[1]</a></sup> Note.</p>',
    '<li id="n"><p>Note. <a href="{0}#r">↩</a></p></li>',
    '<div id="n"><p>Note.</p><p><a href="{0}#r">Back to the text</a></p></div>',
    '<table><tr><td><a id="n" href="{0}#r">1</a></td><td>Note.</td></tr></table>',
    '<table><tr><td id="n"><a href="{0}#r">1</a> Note.</td><td>x</td></tr></table>',
    '<dl><dt><a id="n" href="{0}#r">1</a></dt><dd>Note.</dd><dt>2</dt><dd>x</dd></dl>',
    '<div id="n" class="note"><p><a href="{0}#r">1</a></p><p>Note.</p></div>',
    '<div class="footnote"><p><a id="n"/><a href="{0}#r">[1]</a> First.</p><p>Note.</p></div>',
]


class TestGuessed:
    """Notes as EPUB 2 has them: a sign behind some text, linked to a block that links back."""

    @pytest.mark.parametrize("reference", REFERENCES)
    @pytest.mark.parametrize("body", BODIES)
    @pytest.mark.parametrize("apart", [False, True])
    def test_both(self, reference: str, body: str, apart: bool) -> None:
        """A reference and its note confirm each other, in one document and in two; what stands beside is text."""
        first = f"<h1>One</h1><p>Text{reference.format('1' if apart else '')} goes on.</p>"
        second = f"<p>before</p>{body.format('0' if apart else '')}<p>after</p>"
        references, bodies = find(first, second) if apart else find(first + second)
        key = "1#n" if apart else "0#n"
        assert list(references) == list(bodies) == [key]
        assert len(references[key]) == 1
        assert "Note." in "".join(bodies[key])
        assert not {"before", "after", "x"}.intersection("".join(bodies[key]).split())

    def test_several_references(self) -> None:
        """All references to a note are found when it links back to one of them."""
        refer = '<sup><a id="{}" href="#n">1</a></sup>'.format
        note = '<p id="n"><a href="#r">1</a> Note.</p>'
        found = find(f"<p>a{refer('r')}</p><p>b{refer('s')}</p>{note}")
        assert found == ({"0#n": ["1", "1"]}, {"0#n": ["1 Note."]})

    def test_several_notes_together(self) -> None:
        """Each paragraph is a note of its own when one element holds several."""
        refer = '<sup><a id="r{0}" href="#n{0}">{0}</a></sup>'.format
        note = '<p><a id="n{0}" href="#r{0}">{0}</a> Note {0}.</p>'.format
        _, bodies = find(f'<p>a{refer(1)} b{refer(2)}</p><div class="footnotes">{note(1)}{note(2)}</div>')
        assert bodies == {"0#n1": ["1 Note 1."], "0#n2": ["2 Note 2."]}

    def test_reference_in_a_note(self) -> None:
        """A note may refer to another note."""
        body = (
            '<p>a<sup><a id="r1" href="#n1">1</a></sup></p>'
            '<p id="n1"><a href="#r1">1</a> Note<sup><a id="r2" href="#n2">2</a></sup></p>'
            '<p id="n2"><a href="#r2">2</a> More</p>'
        )
        assert find(body) == ({"0#n1": ["1"], "0#n2": ["2"]}, {"0#n1": ["1 Note2"], "0#n2": ["2 More"]})

    def test_anchor_before_the_paragraph(self) -> None:
        """A note may link back to an empty element before the paragraph with the reference."""
        body = '<a id="r"/><p>Text<sup><a href="#n">1</a></sup></p><p id="n"><a href="#r">1</a> Note.</p>'
        assert find(body) == ({"0#n": ["1"]}, {"0#n": ["1 Note."]})

    def test_reference_in_a_table(self) -> None:
        """A cell may refer to a note below the table."""
        body = '<td>12<sup><a id="r" href="#n">a</a></sup></td>', '<p id="n"><a href="#r">a</a> Note.</p>'
        assert find(f"<table><tr>{body[0]}</tr></table>{body[1]}")[0] == {"0#n": ["a"]}


CHAPTER = "<p>Call me Ishmael.</p>"
TRAPS = {
    "contents of numbers": (
        '<ul><li id="t"><a href="1#c">1</a></li></ul>',
        f'<h2 id="c"><a href="0#t">1</a></h2>{CHAPTER}',
    ),
    "raised numbers": (
        '<ul><li><sup><a id="t" href="1#c">1</a></sup></li></ul>',
        f'<div id="c"><p><a href="0#t">1</a></p>{CHAPTER}</div>',
    ),
    "numbers before titles": (
        '<p><a id="t" class="note" href="1#c">[1]</a> The Whale</p>',
        f'<div id="c"><p><a href="0#t">1</a></p>{CHAPTER}</div>',
    ),
    "titles before numbers": (
        '<p><a href="1#c">The Whale</a> <a id="t" href="1#c">[1]</a></p>',
        f'<div id="c"><p><a href="0#t">1</a></p>{CHAPTER}</div>',
    ),
    "number behind a title": (
        '<p><a href="1#c">The Whale</a> <a id="t" href="1#c">[1]</a></p>',
        '<p id="c"><a href="0#t">1</a> Call me Ishmael.</p>',
    ),
    "paragraph called a note": (
        '<p class="note">Text <a id="t" href="1#c">3</a></p>',
        '<p id="c"><a href="0#t">3</a> Call me Ishmael.</p>',
    ),
    "reference in its target": (
        "<p>Text</p>",
        '<p id="c">Text<sup><a href="#c">1</a></sup>, see <a href="#c">here</a></p>',
    ),
    "cells of numbers": (
        '<table><tr><td>The Whale</td><td><a id="t" href="1#c">[1]</a></td></tr></table>',
        f'<div id="c"><p><a href="0#t">1</a></p>{CHAPTER}</div>',
    ),
    "chapters with headings": (
        '<p>Chapter <a id="t" href="1#c">[1]</a></p>',
        f'<div id="c"><h2><a href="0#t">1</a></h2>{CHAPTER}</div>',
    ),
    "long chapters": (
        '<p>Chapter <a id="t" href="1#c">[1]</a></p>',
        f'<div id="c"><p>Chapter <a href="0#t">1</a></p>{CHAPTER * 400}</div>',
    ),
    "chapters without headings": (
        '<p>Chapter <a id="t" href="1#c">[1]</a></p>',
        f'<div id="c"><div><p><a href="0#t">1</a></p></div>{CHAPTER}</div>',
    ),
    "numbers of chapters": (
        '<p>Chapter <a id="t" href="1#c">[1]</a></p>',
        f'<p id="c"><a href="0#t">[1]</a></p>{CHAPTER}',
    ),
    "cross reference": (
        '<p>As we saw in chapter <a id="t" href="1#c">3</a>.</p>',
        f'<p id="c"><a href="0#t">3</a> {CHAPTER}</p>',
    ),
    "mutual cross references": (
        '<p id="t">Text, see <a href="1#c">(2)</a>.</p>',
        '<p id="c">Text, see <a href="0#t">(1)</a>.</p>',
    ),
    "no link back": (
        '<p>Text<sup><a id="t" href="1#c">1</a></sup></p>',
        f'<div id="c">{CHAPTER}</div>',
    ),
    "link back to elsewhere": (
        '<p id="x">Other</p><p>Text<sup><a id="t" href="1#c">1</a></sup></p>',
        f'<div id="c">{CHAPTER}<a href="0#x">Contents</a></div>',
    ),
    "link back to the document": (
        '<p>Text<sup><a id="t" href="1#c">1</a></sup></p>',
        f'<div id="c">{CHAPTER}<a href="0">Contents</a></div>',
    ),
    "words": (
        '<p>Text <sup><a id="t" href="1#c">more</a></sup></p>',
        f'<p id="c"><a href="0#t">back</a> {CHAPTER}</p>',
    ),
    "web": (
        '<p>Text<sup><a id="t" href="http://example.org/1#c">1</a></sup></p>',
        f'<p id="c"><a href="0#t">1</a> {CHAPTER}</p>',
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_traps(name: str) -> None:
    """What looks like notes and is none: contents, numbered chapters, cross references."""
    assert find(*TRAPS[name]) == NOTHING


@pytest.mark.parametrize("name", sorted(TRAPS.keys() - {"web"}))
def test_traps_in_one_document(name: str) -> None:
    """It does not matter whether the chapters stand in the document of the contents."""
    contents, chapter = TRAPS[name]
    assert find(contents.replace("1#", "#") + chapter.replace('"0"', '"#top"').replace("0#", "#")) == NOTHING


def test_trap_of_many_chapters() -> None:
    """A contents table whose entries are numbers, and chapters whose numbers link back, are no notes at all."""
    numbers = range(1, 60)
    contents = "".join(f'<li><a id="t{each}" href="1#c{each}">{each}</a></li>' for each in numbers)
    chapters = "".join(f'<div id="c{each}"><p><a href="0#t{each}">{each}</a></p>{CHAPTER}</div>' for each in numbers)
    assert find(f"<ol>{contents}</ol>", chapters) == NOTHING


def test_documents_without_a_tree() -> None:
    """A document that has no tree has no notes."""
    assert notes.find([("0", None)], resolve) == notes.NONE
