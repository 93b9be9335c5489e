"""Sentences of a page to elements, whatever inline markup they cross."""

import pytest
from lxml import etree

from e2a.plan import Source
from producer import markup
from producer.edition.spans import SENTENCE, Place, mark


def marked(body: str, *spans: tuple[int, int], path: str = "/4/2", attribute: str = "") -> str:
    """Return a body in which the sentences at some places of an element are marked, each element as `S`."""
    root = markup.parse(f'<html xmlns="http://www.w3.org/1999/xhtml"><head/><body>{body}</body></html>')
    assert root is not None
    text = markup.text_content(root)
    places = [
        Place(f"s{number}", Source(document=0, path=path, start=start, end=end, attribute=attribute))
        for number, (start, end) in enumerate(spans)
    ]
    mark(root, places)
    assert markup.text_content(root) == text
    content = etree.tostring(root[1], encoding="unicode").replace(' xmlns="http://www.w3.org/1999/xhtml"', "")
    return content.removeprefix("<body>").removesuffix("</body>").replace(SENTENCE, "S")


@pytest.mark.parametrize(
    ("body", "spans", "expected"),
    [
        ("<p>One. Two.</p>", [(0, 4), (5, 9)], '<p><S id="s0">One.</S> <S id="s1">Two.</S></p>'),
        ("<p><i>One. Two.</i></p>", [(0, 4), (5, 9)], '<p><i><S id="s0">One.</S> <S id="s1">Two.</S></i></p>'),
        ("<p>A <b>b</b>. C</p>", [(0, 4), (5, 6)], '<p><S id="s0">A <b>b</b>.</S> <S id="s1">C</S></p>'),
        (
            '<p>A <i id="x" class="y">b. C</i> d.</p>',
            [(0, 4), (5, 9)],
            '<p><S id="s0">A <i id="x" class="y">b.</i></S><i class="y"> </i><S id="s1"><i class="y">C</i> d.</S></p>',
        ),
        (
            '<p>A <b>b <a name="n" href="#x">c. D</a></b>e.</p>',
            [(0, 6), (7, 10)],
            '<p><S id="s0">A <b>b <a name="n" href="#x">c.</a></b></S><b><a href="#x"> </a></b>'
            '<S id="s1"><b><a href="#x">D</a></b>e.</S></p>',
        ),
        ("<p>A<!-- c --> b<?p i?>c.<img/> D</p>", [(0, 5), (6, 7)], None),
    ],
)
def test_sentences_become_elements(body: str, spans: list[tuple[int, int]], expected: str | None) -> None:
    """A sentence is one element; inline elements that two share are cut, and only the first half keeps its name."""
    found = marked(body, *spans)
    assert found == expected if expected else '<S id="s0">A<!-- c --> b<?p i?>c.</S>' in found


def test_nested_blocks() -> None:
    """Text of a block that blocks stand in is marked where it is, and theirs by their own paths."""
    body = "<div>One. <p>Two.</p> Three.</div>"
    assert marked(body, (0, 4), (10, 16)) == '<div><S id="s0">One.</S> <p>Two.</p> <S id="s1">Three.</S></div>'
    assert marked(body, (0, 4), path="/4/2/2") == '<div>One. <p><S id="s0">Two.</S></p> Three.</div>'


@pytest.mark.parametrize(
    ("body", "spans", "expected"),
    [
        ("<p>A<ruby>b<rt>r</rt></ruby>.</p>", [(0, 4)], '<p><S id="s0">A<ruby>b<rt>r</rt></ruby>.</S></p>'),
        (
            "<p><ruby>a<rt>r</rt>b<rt>s</rt></ruby></p>",
            [(0, 3)],
            '<p><S id="s0"><ruby>a<rt>r</rt>b<rt>s</rt></ruby></S></p>',
        ),
        (
            "<p><ruby>a.b<rt>r</rt></ruby>c.</p>",
            [(0, 2), (2, 6)],
            '<p><ruby><S id="s0">a.</S>b<rt>r</rt></ruby><S id="s1">c.</S></p>',
        ),
        (
            "<p><ruby>xa<rt>r</rt>b<rt>s</rt></ruby></p>",
            [(1, 4)],
            '<p><ruby>x<S id="s0">a</S><rt>r</rt>b<rt>s</rt></ruby></p>',
        ),
        (
            "<p>A<ruby>b.c<rt>r</rt></ruby>d.</p>",
            [(0, 3), (3, 7)],
            '<p><S id="s0">A<ruby>b.c<rt>r</rt></ruby></S><S id="s1">d.</S></p>',
        ),
    ],
)
def test_ruby_is_not_cut(body: str, spans: list[tuple[int, int]], expected: str) -> None:
    """Ruby belongs to the sentence that it begins with, and its readings stay where they are read with their text."""
    assert marked(body, *spans) == expected


def test_descriptions() -> None:
    """The sentences of a description are around its image, or around the picture that it is of."""
    assert marked("<img/>", (0, 4), (5, 9), attribute="alt") == '<S id="s0"><S id="s1"><img/></S></S>'
    picture = "<picture><source/><img/></picture>"
    assert marked(picture, (0, 4), path="/4/2/4", attribute="alt") == f'<S id="s0">{picture}</S>'


def test_what_is_not_there() -> None:
    """A place that is not in the page marks nothing."""
    body = "<p>One.</p>"
    assert marked(body, (2, 5), (3, 3), (9, 12)) == body
    assert marked(body, (0, 4), path="/4/2/8") == body
