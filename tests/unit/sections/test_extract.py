"""A tree to blocks: nothing that can be read is lost, nothing is read twice, and everything knows where it stands."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from producer import markup
from producer.markup import Element, text_content
from producer.sections import notes
from producer.sections.extract import Block, Extract, Run, Skipped, extract, locate
from tests.unit.books import page

DAMAGE = "&nosuch;"
"""Makes a document one that only a parser of HTML reads."""
OPS = 'xmlns:epub="http://www.idpf.org/2007/ops"'


def tree(content: str) -> Element:
    """Return the root of a document."""
    root = markup.parse(markup.decode(content.encode()))
    assert root is not None
    return root


def resolve(base: str) -> notes.Resolve:
    """Return what resolves links of a document in a book of one folder."""
    return lambda link: (link.partition("#")[0] or base, link.partition("#")[2])


def read(body: str, **options: Any) -> Extract:
    """Return the text of a well-formed document with notes."""
    root = tree(page(body))
    return extract(root, notes.find([("c", root)], resolve), **options)


def texts(body: str, **options: Any) -> tuple[str, ...]:
    """Return the texts of the blocks of a well-formed document."""
    return tuple(block.text for block in read(body, **options).blocks)


def skipped(body: str) -> list[tuple[str, str]]:
    """Return rule and text of all that is not read in the body of a well-formed document."""
    return [(each.rule, each.text) for each in read(body).skipped if each.text != "head"]


def letters(*pieces: str) -> str:
    """Return all that is not white space."""
    return "".join("".join(pieces).split())


def at(root: Element, path: str) -> Element:
    """Return the element that the steps of an EPUB CFI lead to: each child element has the next even number."""
    element = root
    for step in path.split("/")[1:]:
        element = [child for child in element if isinstance(child.tag, str)][int(step) // 2 - 1]
    return element


class TestBlocks:
    """Where paragraphs begin and end."""

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("<p>One.</p><p>Two.</p>", ("One.", "Two.")),
            ("<p> One\n\t  line.  </p>", ("One line.",)),
            ("<p>one&#160;\u2003two</p>", ("one two",)),
            ("<p>no<b>thing</b> <i>is</i> <span>g<em>lu</em>ed</span></p>", ("nothing is glued",)),
            ("One<div>two</div>three", ("One", "two", "three")),
            ("<div>One<p>two</p>three</div>four", ("One", "two", "three", "four")),
            ("<b>One<p>two</p>three</b>four", ("One", "two", "threefour")),
            ("One<hr/>two", ("One", "two")),
            ("<p>One<img alt='two' src='x'/>three</p>", ("Onethree",)),
            ("<p> </p><div>\n<p/></div>", ()),
            ("<p>1 &lt; 2 &amp; <![CDATA[3 > 2]]></p>", ("1 < 2 & 3 > 2",)),
            ("<P>One</P><P>two</P>", ("One", "two")),
            ("<blockquote>One<p>two</p></blockquote>", ("One", "two")),
            ("<dl><dt>One</dt><dd>two<p>three</p></dd></dl>", ("One", "two", "three")),
            ("<figure><img src='x'/><figcaption>One</figcaption></figure>two", ("One", "two")),
            ("<select><option>One</option><option>two</option></select>", ("One", "two")),
            ("<details><summary>One</summary>two</details>", ("One", "two")),
            ("<pre>one\n  two</pre>", ("one two",)),
            ("<unknown>one <x:y xmlns:x='urn:x'>two</x:y></unknown> three", ("one two three",)),
        ],
    )
    def test_blocks_and_inlines(self, body: str, expected: tuple[str, ...]) -> None:
        """A block is a paragraph and cuts the one it stands in; inline elements neither add nor take a space."""
        assert texts(body) == expected

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("<p>One<br/>two<br/>three</p>", ("One two three",)),
            ("<p>One<br/><br/>two</p>", ("One", "two")),
            ("<p>One<br/> &#160;<br/>\n<br/>two<br/>three</p>", ("One", "two three")),
            ("<p><br/>One<br/></p><p>two</p>", ("One", "two")),
            ("<p><i>One<br/></i><br/>two</p>", ("One", "two")),
            ("<p>One<br/><!-- no --><br/>two</p>", ("One", "two")),
            ("<p>One<br/><img src='x'/>two<br/>three</p>", ("One two three",)),
            ("One<br/><br/>two", ("One", "two")),
        ],
    )
    def test_lines(self, body: str, expected: tuple[str, ...]) -> None:
        """A line break is white space; an empty line ends the paragraph."""
        assert texts(body) == expected

    def test_line_breaks_as_html(self) -> None:
        """A line break that is written as a pair of tags is one, whoever reads it."""
        root = tree(f"<p>One<br></br>two<BR>three<br/><br/>four{DAMAGE}")
        assert [block.text for block in extract(root, notes.NONE).blocks] == ["One two three", f"four{DAMAGE}"]

    def test_verse(self) -> None:
        """The lines of a stanza are one paragraph, and stanzas are several."""
        body = "<p>April is<br/>\nthe cruellest<br/>month</p><div><span>breeding</span><br/><span>lilacs</span></div>"
        assert texts(body) == ("April is the cruellest month", "breeding lilacs")

    def test_drop_and_small_capitals(self) -> None:
        """A word whose first letters are set apart is one word."""
        body = '<p><span class="drop">O</span><span class="small">nce</span> upon a<small>&#160;</small>time</p>'
        assert texts(body) == ("Once upon a time",)

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("10<sup>6</sup> and 10<sup>7</sup>8", "10 6 and 10 7 8"),
            ("3<sup>1</sup>/<sub>2</sub>", "3 1/2"),
            ("<i>2</i><sup><i>10</i></sup>", "2 10"),
            ("1<sup>st</sup> of H<sub>2</sub>O, 1<b>0</b>", "1st of H2O, 10"),
            ("10 <sup>6</sup>", "10 6"),
        ],
    )
    def test_raised_digits(self, body: str, expected: str) -> None:
        """A raised or lowered number does not become part of the one beside it."""
        assert texts(f"<p>{body}</p>") == (expected,)

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("<span>1</span><span>The Start</span>", "1 The Start"),
            ("<span>Chapter</span><b>1</b>", "Chapter 1"),
            ("<a id='x'/><span>1</span><!-- no --><span><i>The</i></span>", "1 The"),
            ("<span>1</span> <span>The Start</span>", "1 The Start"),
            ("<span>4</span><small>th of July</small>", "4th of July"),
            ("<span>1</span><sup>st</sup>", "1st"),
            ("1<b>a</b>", "1a"),
            ("<span>T</span><span>he 1</span><span>9</span>", "The 19"),
        ],
    )
    def test_number_and_title(self, body: str, expected: str) -> None:
        """A number and a title that only their style parts are parted; elsewhere than in headings they are not."""
        assert texts(f"<h2>{body}</h2>") == (expected,)
        assert texts(f"<p>{body}</p>")[0].replace(" ", "") == expected.replace(" ", "")

    def test_number_and_word_in_a_paragraph(self) -> None:
        """In a paragraph a word stays together, whatever its letters are dressed in."""
        assert texts("<p><i>1</i><b>st</b> <i>B</i><b>12</b></p>") == ("1st B12",)

    def test_nested_list(self) -> None:
        """Items of a list inside a list are paragraphs in the order in which they are read."""
        body = "<ul><li>One<ol><li>two</li><li><p>three</p></li></ol>four</li><li>five</li></ul>"
        assert texts(body) == ("One", "two", "three", "four", "five")

    def test_nested_table(self) -> None:
        """Cells are paragraphs, row by row, and so are those of a table in a cell."""
        inner = "<table><tr><td>three</td></tr></table>"
        rows = f"<tr><th>two</th><td>{inner}four</td></tr><tr><td>five</td><td>six</td></tr>"
        assert texts(f"<table><caption>One</caption>{rows}</table>") == ("One", "two", "three", "four", "five", "six")

    def test_names(self) -> None:
        """A block knows the element that it stands in, not the inline elements around its words."""
        found = read(
            "<h2>One</h2><p><b>two</b></p><ul><li>three</li>four</ul><td>five</td><div><i>six</i><p/>seven</div>"
        )
        assert [block.name for block in found.blocks] == ["h2", "p", "li", "ul", "td", "div", "div"]

    def test_heading_is_read(self) -> None:
        """A heading is a block like any other, and in its place."""
        assert texts("<p>One</p><h1>Two <i>b</i><br/>c</h1><p>three</p>") == ("One", "Two b c", "three")

    def test_text_outside_the_body(self) -> None:
        """Text that stands directly in the root, or in a root that is no block, is read."""
        assert [block.text for block in extract(tree("<html>a<p>b</p>c</html>"), notes.NONE).blocks] == ["a", "b", "c"]
        assert [block.text for block in extract(tree("<span>a<p>b</p>c</span>"), notes.NONE).blocks] == ["a", "b", "c"]

    def test_rule(self) -> None:
        """What stands behind a rule knows it; rules without text between them are one."""
        found = read("<p>One</p><hr/><p> </p><hr/><p>two</p><p>three<hr/>four</p>").blocks
        assert [block.after_rule for block in found] == [False, True, False, True]

    def test_linked(self) -> None:
        """The characters of links are counted, those of anchors are not."""
        body = '<p><a id="x">one</a> <a href="#y"><b>two</b> 3</a> four</p><p>five</p><a href="z"><p>six</p></a>'
        assert [block.linked for block in read(body).blocks] == [4, 0, 3]

    def test_nothing(self) -> None:
        """Without a tree, or without text in it, there are no blocks."""
        assert extract(None, notes.NONE) == Extract((), (), {})
        assert texts("") == ()


class TestSkipped:
    """What is not read, and why."""

    @pytest.mark.parametrize("silent", ["<!-- note -->", "<?page 7?>", "<script>x()</script>", "<style>p {}</style>"])
    def test_tail(self, silent: str) -> None:
        """Comments, instructions, scripts and styles are not read, what follows them is."""
        assert texts(f"{silent}<p>{silent}one{silent}two</p>{silent}three") == ("onetwo", "three")

    def test_ruby(self) -> None:
        """A word is read once: its ruby reading is left out, the text around it is not."""
        body = "<p>これは<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>です。</p>"
        assert texts(body) == ("これは漢字です。",)
        assert skipped(body) == [("ruby reading", each) for each in ("(", "かん", ")", "じ")]

    @pytest.mark.parametrize(
        ("element", "rule"),
        [
            ("<nav><p>no<b>t</b></p> this</nav>", "navigation"),
            ("<svg><title>no</title><text>t this</text></svg>", "drawing"),
            ("<math><mi>not</mi> this</math>", "formula"),
            ("<audio>not this</audio>", "media"),
            ("<video>not this</video>", "media"),
            ("<iframe>not this</iframe>", "media"),
            ("<template>not this</template>", "code"),
            ("<script>not this</script>", "code"),
            ("<style>not this</style>", "code"),
            ("<title>not this</title>", "head"),
            ("<rtc>not this</rtc>", "ruby reading"),
            (f'<span {OPS} epub:type="pagebreak">not this</span>', "page number"),
            ('<span role="doc-pagebreak">not this</span>', "page number"),
            ('<span hidden="">not this</span>', "hidden"),
            ('<p hidden="hidden">not this</p>', "hidden"),
            ('<i style="color: red; DISPLAY : none">not this</i>', "hidden"),
            (f'<sup><a {OPS} epub:type="noteref" href="#n">not this</a></sup>', "note reference"),
        ],
    )
    @pytest.mark.parametrize("end", ["", DAMAGE])
    def test_rules(self, element: str, rule: str, end: str) -> None:
        """Whatever stands inside is left out under the name of the rule; text before and behind it is read."""
        root = tree(page(f"<div>one {element} two{end}</div>"))
        found = extract(root, notes.find([("c", root)], resolve))
        assert letters(*(block.text for block in found.blocks)) == f"onetwo{end}"
        assert [(each.rule, letters(each.text)) for each in found.skipped] == [("head", "head"), (rule, "notthis")]
        whole = text_content(root)
        assert all(whole[each.start : each.end] == each.text for each in found.skipped)

    def test_white_space(self) -> None:
        """White space that is not read is not told of."""
        assert skipped("<p>one<script> \n</script><svg> <g/> </svg></p>") == []

    def test_attributes_that_hide_nothing(self) -> None:
        """Only what is hidden is left out."""
        body = '<p aria-hidden="false">One</p><p style="display: block">two</p><p class="hidden">three</p>'
        assert texts(f'{body}<p aria-hidden="true">four</p>') == ("One", "two", "three", "four")

    @pytest.mark.parametrize("kind", ["pagebreak", "noteref"])
    def test_text_that_claims_to_be_a_number(self, kind: str) -> None:
        """A page break or a reference that holds more than a number holds text."""
        text = "as the reader will remember"
        assert texts(f'<p>One <a href="#n" {OPS} epub:type="{kind}">{text}</a> two</p>') == (f"One {text} two",)

    def test_head(self) -> None:
        """The title in the head is not part of the text."""
        assert [(each.rule, each.text) for each in read("<p>One.</p>").skipped] == [("head", "head")]

    def test_reference_inside_a_word(self) -> None:
        """What is left out leaves no space."""
        assert texts(f'<p>hipp<span {OPS} epub:type="pagebreak">7</span>o<br/>potamus</p>') == ("hippo potamus",)

    def test_references(self) -> None:
        """A block knows the notes that it refers to; a reference without any text beside it belongs to what follows."""
        refer = f'<a {OPS} epub:type="noteref" href="#{{}}">*</a>'.format
        body = f"<p>One{refer('a')} two{refer('b')}</p><p>{refer('c')}</p><p>three</p><p>four</p>"
        assert [block.references for block in read(body).blocks] == [("c#a", "c#b"), ("c#c",), ()]

    @pytest.mark.parametrize("word", ["sextant", "see", "civil", "[sextant]", "B12", "sex<i>tant</i>", "<b>mix</b>"])
    def test_word_that_refers_to_a_note(self, word: str) -> None:
        """A word with a note is read, and the note belongs to its block."""
        body = f'<p>Take the <a {OPS} epub:type="noteref" href="#n">{word}</a>.</p><p id="n">A note.</p>'
        found = read(body)
        assert [block.text for block in found.blocks] == [f"Take the {re.sub('<.*?>', '', word)}.", "A note."]
        assert [(block.references, block.note) for block in found.blocks] == [(("c#n",), ""), ((), "c#n")]

    def test_sign_behind_a_word_that_refers_to_a_note(self) -> None:
        """Of a word that is a link with its raised sign in it, the sign alone is left out."""
        body = f'<p>Take the <a {OPS} epub:type="noteref" href="#n">sextant<sup>2</sup></a>.</p>'
        assert texts(body) == ("Take the sextant.",)
        assert skipped(body) == [("note reference", "2")]

    @pytest.mark.parametrize(
        "name", ["pagenum", "x PageNo", "page-number", "pagenumber", "x-ebookmaker-pageno", "folio"]
    )
    @pytest.mark.parametrize(
        "number", ["[4]", "[Pg 12]", "p. 12", "12", " xii ", "{12}", "<a id='x'>[Pg&#160;xii]</a>"]
    )
    def test_page_number_by_class(self, name: str, number: str) -> None:
        """The number of a page is left out where only its style says what it is."""
        body = f'<p>One <span class="{name}">{number}</span>two</p>'
        assert texts(body) == ("One two",)
        assert [rule for rule, _text in skipped(body)] == ["page number"]

    @pytest.mark.parametrize(
        ("name", "text"), [("pagenum", "Twelve men"), ("pagenum", ""), ("pagenums", "12"), ("", "[Pg 12]")]
    )
    def test_text_with_the_class_of_a_page_number(self, name: str, text: str) -> None:
        """What does not look like the number of a page is text, and so is a number without such a style."""
        assert texts(f'<p>One <span class="{name}">{text}</span></p>') == (f"One {text}".strip(),)

    @pytest.mark.parametrize(
        "before",
        [
            "so.",
            "so,",
            "so?",
            "so!",
            "so…",
            "so;",
            "so:",
            "so.”",
            "so”",
            "so.'",
            'so."',
            "(so.)",
            "in 1984.",
            "だ。",
            "so»",
        ],
    )
    @pytest.mark.parametrize("sign", ["1", "12", "*", "†", "‡", "<small>3</small>"])
    def test_raised_sign(self, before: str, sign: str) -> None:
        """A raised sign right behind a sentence refers to a note, also without a link."""
        body = f"<p>It is <i>{before}</i><sup>{sign}</sup> More.</p>"
        assert texts(body) == (f"It is {before} More.",)
        assert [rule for rule, _text in skipped(body)] == ["note reference"]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("so. <sup>2</sup>And", "so. 2And"),
            ("<sup>2</sup>And", "2And"),
            ("(a+b)<sup>2</sup>", "(a+b)2"),
            ("E=mc<sup>2</sup>.", "E=mc2."),
            ("word<sup>2</sup>", "word2"),
            ("$4.<sup>99</sup>", "$4.99"),
            ("so.<sup><a href='#n'>1</a></sup>", "so.1"),
            ("so.<sup>th</sup>", "so.th"),
            ("so.<sup>1900</sup>", "so.1900"),
            ('so.<a href="#n"><sup>1</sup></a>', "so.1"),
        ],
    )
    def test_raised_text(self, body: str, expected: str) -> None:
        """Other raised text is read: exponents, ordinals, cents, numbers of verses, and links that are no notes."""
        assert texts(f"<p>{body}</p>") == (expected,)
        assert skipped(f"<p>{body}</p>") == []


class TestImages:
    """Descriptions of images."""

    BODY = (
        "<p><a href='x'>One<img alt=' A\n cat '/></a> two</p><img alt='A dog' hidden=''/><p>three</p>"
        "<img alt=''/><img/><img alt='End'/>"
    )

    def test_only_when_asked_for(self) -> None:
        """Descriptions are not read unless they are asked for."""
        assert texts(self.BODY) == ("One two", "three")

    def test_after_their_paragraph(self) -> None:
        """A description is a block after the paragraph that the image stands in; the hidden and the empty have none."""
        found = read(self.BODY, alt_text=True).blocks
        assert [(block.text, block.attribute) for block in found] == [
            ("One two", ""),
            ("A cat", "alt"),
            ("three", ""),
            ("End", "alt"),
        ]
        assert {block.name for block in found if block.attribute} == {"img"}

    def test_place(self) -> None:
        """Path and offsets of a description are those of the image and its attribute."""
        root = tree(page(self.BODY))
        for block in extract(root, notes.NONE, alt_text=True).blocks:
            if block.attribute:
                image = at(root, block.path)
                [(start, end)] = locate(block, [(0, len(block.text))])
                assert markup.collapse(image.get("alt", "")[start:end]) == block.text
                assert (image.tag.rpartition("}")[2], block.origin, block.linked) == ("img", 0, 0)

    def test_rule_and_references_are_those_of_the_first(self) -> None:
        """A scene begins once, and a note is referred to once, with or without text beside the image."""
        refer = f'<a {OPS} epub:type="noteref" href="#n">*</a>'
        found = read(f"<p>a</p><hr/><p>b<img alt='c'/>{refer}</p><hr/><img alt='d'/><p>e</p>", alt_text=True).blocks
        assert [block.text for block in found if block.after_rule] == ["b", "d"]
        assert [block.text for block in found if block.references] == ["b"]


class TestInitials:
    """Images of the first letter of a paragraph."""

    @pytest.mark.parametrize("alt_text", [False, True])
    @pytest.mark.parametrize(
        "body",
        [
            "<img alt='O' src='x'/>nce.",
            "<span> <b><img alt=' O '/></b></span>nce.",
            "\n<img alt=''/><img alt='O'/><small>nce</small>.",
        ],
    )
    def test_initial(self, body: str, alt_text: bool) -> None:
        """The letter that an image shows is known to the paragraph that it begins, and is not described as well."""
        assert [(block.text, block.initial) for block in read(f"<p>{body}</p><p>b</p>", alt_text=alt_text).blocks] == [
            ("nce.", "O"),
            ("b", ""),
        ]

    @pytest.mark.parametrize(
        ("body", "initial", "text"),
        [
            ("<img alt='I'/> was born.", "I ", "was born."),
            ("<b><img alt='À '/></b>\n<i>\n l\u2019aube.</i>", "À ", "l\u2019aube."),
            ("<img alt='I'/>\u2019ve seen.", "I", "\u2019ve seen."),
            ('<img alt="L"/>\'homme.', "L", "'homme."),
            ("<img alt='“W'/>hat?”", "“W", "hat?”"),
            ("<img alt='« Q'/>uoi ? »", "« Q", "uoi ? »"),
            ("<img alt='¡A'/> casa!", "¡A ", "casa!"),
        ],
    )
    def test_word_of_one_letter(self, body: str, initial: str, text: str) -> None:
        """An image may show a whole word, of which a space or an apostrophe parts the text, and an opening quote."""
        (found,) = read(f"<p>{body}</p>", alt_text=True).blocks
        assert (found.initial, found.text) == (initial, text)

    @pytest.mark.parametrize(
        "body",
        [
            "<img alt='O'/><br/>nce.",
            "<img alt='O'/> <br/>nce.",
            "<img alt='O'/> Once.",
            "<img alt='“O'/>Once.”",
            "<img alt='O'/> 12.",
            "<img alt='O'/>, no.",
            "<img alt='Old'/>nce.",
            "<img alt='12'/>nce.",
            "a <img alt='O'/>nce.",
            "<img alt='O'/><p>nce.</p>",
            "<img alt='O'/><img alt='lamp'/>nce.",
            "<img alt='O'/>",
        ],
    )
    def test_other_images(self, body: str) -> None:
        """An image with other text, or elsewhere, is an image."""
        found = read(f"<div>{body}</div><p>b</p>", alt_text=True).blocks
        assert {block.initial for block in found} == {""}
        assert any(block.attribute for block in found)


class TestAnchors:
    """Places that the table of contents points to."""

    @pytest.mark.parametrize(
        ("body", "expected", "anchor"),
        [
            ('<p>a</p><h1 id="x">b</h1>', ("a", "b"), 1),
            ('<p>a <span id="x">b</span> c</p>', ("a", "b c"), 1),
            ('<p>a <a name="x"/>b</p>', ("a", "b"), 1),
            ('<p>a <i xml:id="x">b</i></p>', ("a", "b"), 1),
            ('<p>a <a id="y" name="x"/>b</p>', ("a", "b"), 1),
            ('<p>a</p><div id="x"> <p>b</p></div>', ("a", "b"), 1),
            ('<p>a</p><a id="x"/>', ("a",), 1),
            ('<p id="x">a</p><p id="x">b</p>', ("a", "b"), 0),
            ('<p>a</p><nav><ol id="x"><li>n</li></ol></nav><p>b</p>', ("a", "b"), 1),
            ('<p>a <span role="doc-pagebreak" id="x">7</span>b</p>', ("a", "b"), 1),
            ('<p>a <span role="doc-pagebreak"><a id="x"/></span>b</p>', ("a", "b"), 1),
            ('<p>a <img name="x"/>b</p>', ("a b",), None),
            ('<p>a <b id="X">b</b></p>', ("a b",), None),
        ],
    )
    def test_cut(self, body: str, expected: tuple[str, ...], anchor: int | None) -> None:
        """A block begins where a link points to, wherever that is; the first of equal names counts."""
        found = read(body, cuts=["x"])
        assert tuple(block.text for block in found.blocks) == expected
        assert found.anchors == ({} if anchor is None else {"x": anchor})

    def test_only_what_is_asked_for(self) -> None:
        """Other names cut nothing."""
        found = read('<p>a <b id="x">b</b> <i id="y">c</i></p>', cuts=["y", "z"])
        assert (tuple(block.text for block in found.blocks), found.anchors) == (("a b", "c"), {"y": 1})

    def test_place_of_both_halves(self) -> None:
        """Both halves of a paragraph stand in its element."""
        root = tree(page('<div>zero</div><p>one <i>two <b id="x">three</b></i> four</p>'))
        _, first, second = extract(root, notes.NONE, cuts=["x"]).blocks
        assert (first.name, first.path, second.path) == ("p", second.path, first.path)
        assert locate(second, [(0, 5)]) == [(8, 13)]

    def test_cut_into_a_note(self) -> None:
        """The text before a cut keeps what it is when the element that is cut at is something else."""
        body = f'<p>one <span {OPS} epub:type="footnote" id="x">two</span></p>'
        assert [(block.text, block.note) for block in read(body, cuts=["x"]).blocks] == [("one", ""), ("two", "c#x")]


class TestKinds:
    """What the markup says of the text."""

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ('<section role="doc-toc"><p>a</p></section><p>b</p>', ["contents", ""]),
            ('<section role="doc-index"><div role="doc-chapter">a</div></section>', ["index"]),
            (f'<div {OPS} epub:type="titlepage"><p>a</p><p epub:type="dedication">b</p></div>', ["title page", ""]),
            (
                f'<div {OPS} epub:type="titlepage"><p epub:type="copyright-page">a</p>b</div>',
                ["copyright", "title page"],
            ),
            (f'<div {OPS} epub:type="chapter"><p epub:type="index">a</p>b</div>', ["index", ""]),
            ('<div class="x pg-boilerplate"><p>a</p></div>b', ["licence", ""]),
            (f'<p>a <span {OPS} epub:type="index">b</span> c</p>', ["", "index", ""]),
        ],
    )
    def test_kind(self, body: str, expected: list[str]) -> None:
        """A block is of the kind that the elements around it say; where the kind changes, a block ends."""
        assert [block.kind for block in read(body).blocks] == expected

    def test_note(self) -> None:
        """All blocks of a note belong to it, and none of those around it."""
        body = f'<p>a</p><aside {OPS} epub:type="footnote" id="n"><p>b</p><p>c</p></aside><p>d</p>'
        assert [block.note for block in read(body).blocks] == ["", "c#n", "c#n", ""]

    def test_note_inside_a_paragraph(self) -> None:
        """A note inside a paragraph is parted from the text around it."""
        body = f'<p>a <span {OPS} epub:type="footnote" id="n">b</span> c</p>'
        assert [(block.text, block.note) for block in read(body).blocks] == [("a", ""), ("b", "c#n"), ("c", "")]


def assert_placed(root: Element, found: Extract) -> None:
    """Check places: each piece, each block, and each span of it, is where it says it is."""
    whole = text_content(root)
    for block in found.blocks:
        assert block.text == " ".join(block.text.split()) != ""
        assert block.text == " ".join("".join(run.text for run in block.runs).split())
        for run in block.runs:
            assert run.text == "\n" or whole[run.start : run.start + len(run.text)] == run.text
    assert all(whole[each.start : each.end] == each.text for each in found.skipped)


def all_text(found: Extract) -> str:
    """Return all that was found, read or not, in the order in which it stands, without white space."""
    pieces = [(run.start, run.text) for block in found.blocks for run in block.runs if run.text.strip()]
    pieces += [(each.start, each.text) for each in found.skipped]
    return letters(*(text for _, text in sorted(pieces)))


def assert_located(root: Element, found: Extract, block: Block, spans: Sequence[tuple[int, int]]) -> None:
    """Check that spans of a block are found again in the element that its path leads to."""
    content = text_content(at(root, block.path))
    silent = {number for each in found.skipped for number in range(each.start, each.end)}
    for (start, end), (first, last) in zip(spans, locate(block, spans), strict=True):
        place = range(block.origin + first, block.origin + last)
        visible = "".join(
            character for number, character in zip(place, content[first:last], strict=True) if number not in silent
        )
        assert letters(visible) == letters(block.text[start:end])


class TestPlaces:
    """Where text stands."""

    def test_path(self) -> None:
        """A path counts elements by twos, and comments and text not at all."""
        body = "zero<!-- a --><p>one</p><?b c?><div>two<p>three</p><ul><li>four</li></ul></div>"
        paths = [block.path for block in read(body).blocks]
        assert paths == ["/4", "/4/2", "/4/4", "/4/4/2", "/4/4/4/2"]

    def test_comment_before_the_root(self) -> None:
        """What stands before and behind the root does not count."""
        root = tree("<!-- a --><?b?>" + page("<p>one</p>") + "<!-- c -->")
        assert [(block.path, block.origin) for block in extract(root, notes.NONE).blocks] == [("/4/2", 4)]

    def test_locate(self) -> None:
        """A span is found with what lies in between: white space, notes and page numbers."""
        body = f'<p>\n One <b>t<i>w</i>o</b>,<br/> <span {OPS} epub:type="pagebreak">99</span> three</p>'
        [block] = read(body).blocks
        assert block.text == "One two, three"
        assert locate(block, [(0, 3), (4, 8), (0, 14), (9, 14), (6, 10)]) == [
            (2, 5),
            (6, 10),
            (2, 19),
            (14, 19),
            (8, 15),
        ]

    def test_locate_white_space(self) -> None:
        """White space at the ends of a span is left out: a line break has no place in the text content."""
        [block] = read("<p>one<br/>two</p>").blocks
        assert locate(block, [(0, 4), (3, 7), (3, 4), (0, 0), (7, 7)]) == [(0, 3), (3, 6), (3, 3), (0, 0), (5, 5)]

    def test_locate_nothing(self) -> None:
        """No spans are no places."""
        assert locate(Block("p", "a", (Run(0, "a"),), "", 0, "", "", (), 0, False), []) == []


READ = "p div span b em a ul li table tr td h2 ruby rb blockquote section font x br dl dt dd figcaption u".split()
UNREAD = "script style rt rp svg nav math video iframe template".split()
ATTRIBUTES = [
    "",
    "",
    "",
    ' id="one"',
    ' id="two"',
    ' hidden=""',
    ' href="#one"',
    ' class="x"',
    ' epub:type="pagebreak"',
    ' epub:type="noteref" href="#two"',
    ' epub:type="footnote" id="three"',
    ' role="doc-index"',
    ' alt="picture"',
    ' aria-hidden="true"',
]
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]), max_size=12) | st.sampled_from(
    ["word ", " word", "12", "\n", "long text that is no number", " "]
)


def element(name: str, attributes: str, children: list[str]) -> str:
    """Return the markup of an element."""
    return f"<{name}{attributes}>{''.join(children)}</{name}>"


LEAVES = st.one_of(
    WORDS.map(escape),
    st.builds(element, st.sampled_from(UNREAD), st.sampled_from(ATTRIBUTES), st.lists(WORDS.map(escape), max_size=1)),
    st.sampled_from(["<!-- no -->", "<?no no?>", "<br/>", "<br/>", "<hr/>", "&amp;", "<img alt='pic ture'/>", "<a/>"]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(element, st.sampled_from(READ), st.sampled_from(ATTRIBUTES), st.lists(inner, max_size=5)),
    max_leaves=25,
)
BODIES = st.lists(TREES, max_size=5).map("".join)
DRESSED = st.sampled_from(
    [
        "so.<sup>1</sup>",
        "10<sup>6</sup>",
        "<sub>2</sub>3",
        "<h2><b>1</b><i>a</i></h2>",
        "<b>1</b><i>a</i>",
        '<span class="pagenum">[4]</span>',
        "<p><img alt='O'/>nce</p>",
        "<img alt='O'/>",
        '<a epub:type="noteref" href="#two">word<sup>1</sup></a>',
    ]
)
"""What only its style and its look give away."""
DRESSED_BODIES = st.lists(TREES | DRESSED, max_size=8).map("".join)


def document(body: str) -> str:
    """Return a document with a prefix for what its elements say they are."""
    return f"<html {OPS}><head><title>head</title></head><body>{body}</body></html>"


@given(DRESSED_BODIES, st.sampled_from(["", DAMAGE, "<p>", "</i>"]), st.booleans())
def test_nothing_is_lost_or_doubled(body: str, damage: str, alt_text: bool) -> None:
    """Of any markup, as XML and as HTML, what is read and what is not make up the text of the document."""
    root = tree(document(body + damage))
    found = extract(root, notes.find([("c", root)], resolve), cuts=["one", "two"], alt_text=alt_text)
    described = [block for block in found.blocks if block.attribute]
    found = found._replace(blocks=tuple(block for block in found.blocks if not block.attribute))
    assert all_text(found) == letters(text_content(root))
    assert_placed(root, found)
    assert {block.text for block in described} <= {"pic ture", "picture", "O"}


@given(DRESSED_BODIES, st.sampled_from(["", DAMAGE]), st.data())
def test_spans_are_found_again(body: str, damage: str, data: st.DataObject) -> None:
    """Every span of every block is in the element of its path at the place that is told."""
    root = tree(document(body + damage))
    found = extract(root, notes.find([("c", root)], resolve), cuts=["one"])
    for block in found.blocks:
        ends = st.integers(0, len(block.text) - 1)
        start, end = sorted(data.draw(st.tuples(ends, ends)))
        words = [match.span() for match in re.finditer(r"\S+", block.text)]
        assert_located(root, found, block, [*words, (0, len(block.text)), (start, end + 1)])


@given(BODIES, st.sampled_from(["", DAMAGE]))
def test_what_is_skipped_has_a_reason(body: str, damage: str) -> None:
    """No text is left out but in an element that says why."""
    root = tree(document(body + damage))
    found = extract(root, notes.find([("c", root)], resolve))
    inside = letters(*(text_content(each) for each in outermost(root)))
    assert letters(*(each.text for each in found.skipped)) == inside


def outermost(root: Element) -> Iterator[Element]:
    """Yield what is not read by the rules that can stand in a tree of this test, by a walk of its own."""
    for child in root.iterchildren(etree.Element):
        name = markup.local_name(child)
        kinds = child.get("{http://www.idpf.org/2007/ops}type") or child.get("epub:type")
        short = len(text_content(child).strip()) <= 20
        is_number = short and (kinds == "pagebreak" or (kinds == "noteref" and name == "a" and notes.is_sign(child)))
        if name in UNREAD or name in {"head", "title"} or child.get("hidden") is not None or is_number:
            yield child
        else:
            yield from outermost(child)


def test_types_are_plain() -> None:
    """What is handed on are strings of Python, not of lxml: those keep the whole tree in memory."""
    found = read("<p>one<script>two</script></p>")
    assert all(type(run.text) is str for block in found.blocks for run in block.runs)
    assert all(type(each.text) is str for each in found.skipped)
    assert isinstance(found.skipped[0], Skipped)
