"""Markup to paragraphs to sentences: nothing that can be read is lost, nothing is read twice."""

from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer import text
from tests.unit.books import page

XHTML_11 = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
LANGUAGES = ("en", "en-GB", "fr", "de", "ru", "ar", "hi", "ja", "zh-Hans", "th", "el", "xx", "", "en_US")


def paragraphs(body: str) -> tuple[str, ...]:
    """Return the paragraphs of a well-formed document."""
    return text.extract(page(body).encode()).paragraphs


def letters(*texts: str) -> str:
    """Return all that is not white space."""
    return "".join("".join(texts).split())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>One.</p><p>Two.</p>", ("One.", "Two.")),
        ("<p> One\n\t  line.  </p>", ("One line.",)),
        ("<p>one&#160;\u2003two</p>", ("one two",)),
        ("<p>no<b>thing</b> <i>is</i> <span>g<em>lu</em>ed</span></p>", ("nothing is glued",)),
        ("<p>One<br/>two<br/><br/>three</p>", ("One two three",)),
        ("One<div>two</div>three", ("One", "two", "three")),
        ("<div>One<p>two</p>three</div>four", ("One", "two", "three", "four")),
        ("One<hr/>two", ("One", "two")),
        ("<p>One<img alt='two' src='x'/>three</p>", ("Onethree",)),
        ("<p> </p><div>\n<p/></div>", ()),
        ("<p>1 &lt; 2 &amp; <![CDATA[3 > 2]]></p>", ("1 < 2 & 3 > 2",)),
        ("<P>One</P><P>two</P>", ("One", "two")),
    ],
    ids=["blocks", "space", "nbsp", "inline", "br", "tails", "nested", "rule", "image", "blank", "escapes", "capitals"],
)
def test_blocks_and_inlines(body: str, expected: tuple[str, ...]) -> None:
    """A block is a paragraph and cuts the one it stands in; inline elements neither add nor take a space."""
    assert paragraphs(body) == expected


def test_nested_list() -> None:
    """Items of a list inside a list are paragraphs in the order in which they are read."""
    body = "<ul><li>One<ol><li>two</li><li><p>three</p></li></ol>four</li><li>five</li></ul>"
    assert paragraphs(body) == ("One", "two", "three", "four", "five")


def test_nested_table() -> None:
    """Cells are paragraphs, row by row, and so are those of a table in a cell."""
    inner = "<table><tr><td>three</td></tr></table>"
    rows = f"<tr><th>two</th><td>{inner}four</td></tr><tr><td>five</td><td>six</td></tr>"
    body = f"<table><caption>One</caption>{rows}</table>"
    assert paragraphs(body) == ("One", "two", "three", "four", "five", "six")


@pytest.mark.parametrize("silent", ["<!-- note -->", "<?page 7?>", "<script>x()</script>", "<style>p {}</style>"])
def test_tail_of_what_is_not_read(silent: str) -> None:
    """Comments, instructions, scripts and styles are not read, what follows them is."""
    assert paragraphs(f"<p>one{silent}two</p>{silent}three") == ("onetwo", "three")


def test_ruby_reading() -> None:
    """A word is read once: its ruby reading is left out, the text around it is not."""
    body = "<p>これは<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>です。</p>"
    assert paragraphs(body) == ("これは漢字です。",)


@pytest.mark.parametrize("name", ["nav", "svg", "math", "audio", "video", "iframe", "template"])
def test_subtree_of_what_is_not_read(name: str) -> None:
    """Whatever stands inside pictures, formulas, players and navigation is left out."""
    assert paragraphs(f"<div>one <{name}><p>no<b>t</b></p> this</{name}> two</div>") == ("one two",)


def test_head_is_not_read() -> None:
    """The title in the head is not part of the text."""
    assert paragraphs("<p>One.</p>") == ("One.",)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>One</p><h2>Two</h2><h1>Three</h1>", "Two"),
        ("<h1>Chapter <i>one</i><br/>The door</h1>", "Chapter one The door"),
        ("<h1> <img alt='x'/></h1><h3>Three</h3>", "Three"),
        ("<h4>Four</h4><p>five</p>", ""),
        ("<h1><img alt='x'/></h1>One", ""),
    ],
    ids=["first", "inline", "blank", "none", "after"],
)
def test_heading(body: str, expected: str) -> None:
    """The heading is the first h1, h2 or h3 with text, whichever level it has."""
    assert text.extract(page(body).encode()).heading == expected


def test_heading_is_read() -> None:
    """A heading is a paragraph like any other, and in its place."""
    assert paragraphs("<p>One</p><h1>Two</h1><p>three</p>") == ("One", "Two", "three")


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>One<p>two <b>three", ("One", "two three")),
        ("<html><body><p>One & two</b></p><br>three", ("One & two", "three")),
        ("<P>One</P><DIV>two<BR>three</DIV>", ("One", "two three")),
        ("<p>Caf&eacute;&nbsp;&mdash; open</p>", ("Café — open",)),
        ("<!DOCTYPE html><html><body><p>a&nbsp;b&hellip;</p></body></html>", ("a b…",)),
        ("just text", ("just text",)),
    ],
    ids=["unclosed", "stray", "capitals", "entities", "html5", "text"],
)
def test_markup_that_is_not_well_formed(markup: str, expected: tuple[str, ...]) -> None:
    """What an XML parser refuses is read as HTML."""
    assert text.extract(markup.encode()).paragraphs == expected


@pytest.mark.parametrize("entity", ["&nbsp;", "&ensp;", "&#160;"])
def test_entity_of_a_doctype(entity: str) -> None:
    """An entity that only the DTD explains is read without the DTD, and so is what follows it."""
    content = XHTML_11 + page(f"<h1>Caf&eacute;</h1><p>one{entity}two<!-- no --> three</p><p>four</p>")
    assert text.extract(content.encode()) == text.Text("Café", ("Café", "one two three", "four"))


@pytest.mark.xfail(strict=True, reason="bug: a doctype's own entities are not read, and its end is")
def test_entity_of_the_document_itself() -> None:
    """An entity that the document declares is read, and the declaration is not."""
    content = '<!DOCTYPE html [<!ENTITY author "Jane Austen">]>' + page("<p>by &author;</p>")
    assert text.extract(content.encode()).paragraphs == ("by Jane Austen",)


def test_external_entity_is_not_fetched(tmp_path: Path) -> None:
    """A document cannot make the producer read another file aloud."""
    (tmp_path / "secret").write_text("secret")
    hostile = f'<!DOCTYPE html [<!ENTITY file SYSTEM "file://{tmp_path}/secret">]>' + page("<p>one &file; two</p>")
    assert "secret" not in letters(*text.extract(hostile.encode()).paragraphs)


@pytest.mark.parametrize("name", ["o:p", "st1:place", 'b"'])
def test_name_that_xml_does_not_allow(name: str) -> None:
    """Elements that word processors leave behind are inline elements like any other."""
    assert text.extract(f"<p>one <{name}>two</{name}> three</p>".encode()).paragraphs == ("one two three",)


@pytest.mark.parametrize("space", [" ", "&nbsp;"])
def test_deep_nesting(space: str) -> None:
    """However deep a document is nested, its text is read, as XML and as HTML."""
    assert paragraphs("<div>" * 300 + f"one{space}two" + "</div>" * 300 + "<p>three</p>") == ("one two", "three")


def test_long_paragraph() -> None:
    """However long a paragraph is, it is read: libxml2 by itself gives up at 10 MB."""
    assert len(*paragraphs(f"<p>{'word ' * 2_100_000}</p>")) == 10_499_999


def test_cdata_of_what_is_not_well_formed() -> None:
    """A CDATA section is text, also in a document that is read as HTML."""
    content = XHTML_11 + page("<p>one&nbsp;<![CDATA[two]]></p>")
    assert text.extract(content.encode()).paragraphs == ("one two",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_declared_encoding(encoding: str) -> None:
    """A document is read in the encoding that it declares."""
    declared = encoding.removesuffix("-sig")
    content = f'<?xml version="1.0" encoding="{declared}"?>' + page("<p>Où est l'été ?</p>")
    assert text.extract(content.encode(encoding)).paragraphs == ("Où est l'été ?",)


def test_undeclared_cp1252() -> None:
    """Bytes that are not UTF-8 and say nothing of themselves are what Windows used to write."""
    assert text.extract(page("<p>“Où ?” — l'été…</p>").encode("cp1252")).paragraphs == ("“Où ?” — l'été…",)


def test_byte_that_cp1252_does_not_define() -> None:
    """A stray byte costs itself, not the rest of the document."""
    found = text.extract(b"<p>one \xe9</p><p>two \x81</p><p>three</p>").paragraphs
    assert (found[0], found[-1]) == ("one é", "three")


@pytest.mark.parametrize(
    "declaration",
    [
        '<?xml version="1.0" encoding="windows-1251"?>',
        "<?xml version='1.0' encoding='WINDOWS-1251'?>",
        '<meta charset="windows-1251"/>',
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"/>',
    ],
)
def test_declared_encoding_of_what_is_not_well_formed(declaration: str) -> None:
    """A document that declares its encoding is read in it, also as HTML."""
    content = declaration + page("<p>Привет,&nbsp;мир</p>")
    assert text.extract(content.encode("windows-1251")).paragraphs == ("Привет, мир",)


@pytest.mark.parametrize("declared", ["utf-8", "no-such-encoding"])
def test_wrongly_declared_encoding(declared: str) -> None:
    """A declaration that cannot be true is not believed."""
    content = f'<?xml version="1.0" encoding="{declared}"?>' + page("<p>“Où ?”</p>")
    assert text.extract(content.encode("cp1252")).paragraphs == ("“Où ?”",)


def test_utf16_that_is_not_well_formed() -> None:
    """UTF-16 is legal in an EPUB, and its byte order mark is heeded also when the document is read as HTML."""
    content = '<?xml version="1.0" encoding="utf-16"?>' + page("<p>one&nbsp;two</p>")
    assert text.extract(content.encode("utf-16")).paragraphs == ("one two",)


@pytest.mark.parametrize("content", [b"", b" \n", b"<!-- nothing -->", page("").encode()])
def test_empty_document(content: bytes) -> None:
    """A document without text has no heading and no paragraphs."""
    assert text.extract(content) == text.Text("", ())


READ = st.sampled_from(["p", "div", "span", "b", "em", "a", "ul", "li", "table", "tr", "td", "h2", "ruby", "rb", "br"])
UNREAD = st.sampled_from(["script", "style", "rt", "rp", "svg", "nav", "math"])
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]), max_size=12)


def element(name: str, children: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the markup of an element and the text in it, from those of its children."""
    return f"<{name}>{''.join(markup for markup, _ in children)}</{name}>", "".join(read for _, read in children)


LEAVES = st.one_of(
    WORDS.map(lambda words: (escape(words), words)),
    st.builds(lambda name, words: (f"<{name}>{escape(words)}</{name}>", ""), UNREAD, WORDS),
    st.sampled_from([("<!-- no -->", ""), ("<?no no?>", ""), ("<br/>", ""), ("&amp;", "&")]),
)
MARKUP = st.recursive(LEAVES, lambda inner: st.builds(element, READ, st.lists(inner, max_size=5)), max_leaves=30)


@given(st.lists(MARKUP, max_size=5).map(lambda children: element("body", children)), st.sampled_from(["", "&nbsp;"]))
def test_no_character_is_lost(body: tuple[str, str], end: str) -> None:
    """Of any markup, as XML and as HTML, all that is not white space is read, in its order, and nothing else."""
    markup, read = body
    found = text.extract(f"<html>{markup}{end}</html>".encode()).paragraphs
    assert letters(*found) == letters(read)
    assert all(paragraph == " ".join(paragraph.split()) != "" for paragraph in found)


@pytest.mark.parametrize(
    ("language", "paragraph", "expected"),
    [
        ("en", "Mr. Utterson sat. Did he? He did!", ["Mr. Utterson sat.", "Did he?", "He did!"]),
        ("en-GB", "At 3.14 p.m. it rained.", ["At 3.14 p.m. it rained."]),
        ("fr", "Où suis-je ? Ici.", ["Où suis-je ?", "Ici."]),
        ("de-AT", "Am 3. Mai kam er. Ja.", ["Am 3. Mai kam er.", "Ja."]),
        ("ES", "La Sra. Pérez vino. Bien.", ["La Sra. Pérez vino.", "Bien."]),
        ("ja", "春だ。夏だ。", ["春だ。", "夏だ。"]),
        ("hi", "यह है। वह है।", ["यह है।", "वह है।"]),
        ("xx", "One. Two.", ["One.", "Two."]),
        ("en", "", []),
    ],
)
def test_sentences(language: str, paragraph: str, expected: list[str]) -> None:
    """A paragraph is cut where a sentence of its language ends; an unknown language is no error."""
    assert text.sentences(paragraph, language) == expected


@given(
    st.text(st.one_of(st.sampled_from(" .?!…。؟।'\"”“«»()-\n\u00a0\u3000"), st.characters(codec="utf-8")), max_size=80),
    st.sampled_from(LANGUAGES),
)
def test_sentences_lose_nothing(words: str, language: str) -> None:
    """In every language, sentences joined are the paragraph but for white space."""
    found = text.sentences(" ".join(words.split()), language)
    assert letters(*found) == letters(words)
    assert all(sentence == sentence.strip() != "" for sentence in found)


@pytest.mark.parametrize(
    ("sentence", "spoken"),
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
def test_is_speakable(sentence: str, spoken: bool) -> None:
    """What has a letter or a digit of any script can be spoken, an ornament cannot."""
    assert text.is_speakable(sentence) is spoken
