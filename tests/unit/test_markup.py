"""Bytes to a tree: any encoding, any entity, any damage; what a reader could read is in the tree, once."""

# ruff: noqa: RUF001 - text of other languages, and mojibake, look like ASCII

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from producer import markup
from tests.unit.books import page

XHTML_11 = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
DAMAGE = "&nosuch;"
"""Makes a document one that only a parser of HTML reads."""


def read(content: bytes | str) -> str:
    """Return all text of a document but that of its head, white space collapsed."""
    root = markup.parse(markup.decode(content.encode() if isinstance(content, str) else content))
    if root is None:
        return ""
    body = next(root.iter("{*}body"), root)
    return markup.collapse(markup.text_content(body))


def declared(encoding: str) -> str:
    """Return a document that says it is in an encoding."""
    return f'<?xml version="1.0" encoding="{encoding}"?>' + page("<p>Où est l'été ?</p>")


class TestEncoding:
    """What bytes mean."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "iso-8859-15", "windows-1252", "macintosh"])
    def test_declared(self, encoding: str) -> None:
        """A document is read in the encoding that it declares."""
        assert read(declared(encoding).encode(encoding)) == "Où est l'été ?"

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    @pytest.mark.parametrize("lie", ["utf-8", "windows-1252", "utf-16", "koi8-r", "none"])
    def test_mark_is_believed_first(self, encoding: str, lie: str) -> None:
        """A byte order mark says what the encoding is, whatever the document declares."""
        assert read(declared(lie).encode(encoding)) == "Où est l'été ?"

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("start", ['<?xml version="1.0"?>', "", "\n\n ", "<!DOCTYPE html>", "text "])
    def test_utf16_without_mark(self, encoding: str, start: str) -> None:
        """UTF-16 is recognised by its zeros when it has no mark."""
        assert read((start + "<p>Où ? “Là”</p>").encode(encoding)).endswith("Où ? “Là”")

    def test_utf16_that_is_cut_off(self) -> None:
        """Half a character at the end costs itself."""
        assert read(page("<p>one</p><p>two</p>").encode("utf-16")[:-1]).replace("\ufffd", "") == "onetwo"

    @pytest.mark.parametrize("padding", ["", " "])
    @pytest.mark.parametrize("lie", ["utf-16", "UTF-16LE", "ucs-2", "utf-32"])
    def test_declared_utf16_that_is_not(self, lie: str, padding: str) -> None:
        """A declaration that can be read as ASCII does not make the rest UTF-16, as many programs write."""
        assert read((declared(lie) + padding).encode()) == "Où est l'été ?"

    @pytest.mark.parametrize(
        "lie", ["utf-7", "unicode_escape", "raw_unicode_escape", "punycode", "idna", "rot13", "hex"]
    )
    def test_encodings_of_python(self, lie: str) -> None:
        """Encodings that only Python knows are not believed: some take for ever, some make text of other text."""
        content = f'<?xml version="1.0" encoding="{lie}"?>' + page(r"<p>Où \u0041 +2AA- ?</p>")
        assert read(content) == r"Où \u0041 +2AA- ?"

    @pytest.mark.parametrize("lie", ["utf-8", "no-such-encoding", "ascii"])
    def test_declared_but_windows(self, lie: str) -> None:
        """A declaration that cannot be true is not believed."""
        content = f'<?xml version="1.0" encoding="{lie}"?>' + page("<p>“Où ?” — l'été…</p>")
        assert read(content.encode("cp1252")) == "“Où ?” — l'été…"

    @pytest.mark.parametrize("lie", ["iso-8859-1", "windows-1252", "latin1", "us-ascii"])
    def test_declared_latin_that_is_utf8(self, lie: str) -> None:
        """What declares a Latin encoding and is UTF-8 all through was converted without its declaration."""
        content = f'<?xml version="1.0" encoding="{lie}"?>' + page("<p>Kő, Čapek</p>")
        assert read(content) == "Kő, Čapek"

    @pytest.mark.parametrize(
        "declaration",
        [
            '<?xml version="1.0" encoding="windows-1251"?>',
            "<?xml version='1.0' encoding = 'WINDOWS-1251'?>",
            '<meta charset="windows-1251"/>',
            '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"/>',
        ],
    )
    @pytest.mark.parametrize("end", ["", DAMAGE])
    def test_ways_to_declare(self, declaration: str, end: str) -> None:
        """An encoding is declared to XML or to HTML, and believed whichever of them reads the document."""
        content = declaration + page(f"<p>Привет, мир</p>{end}")
        assert read(content.encode("windows-1251")).startswith("Привет, мир")

    def test_first_declaration_counts(self) -> None:
        """Of two declarations that differ, that of XML, which comes first, is believed."""
        content = '<?xml version="1.0" encoding="windows-1251"?><html><head><meta charset="koi8-r"/></head>Мир</html>'
        assert read(content.encode("windows-1251")) == "Мир"

    def test_undeclared_windows(self) -> None:
        """Bytes that are not UTF-8 and say nothing of themselves are what Windows used to write."""
        assert read(page("<p>“Où ?” — CAFÉ» l'été…</p>").encode("cp1252")) == "“Où ?” — CAFÉ» l'été…"

    def test_stray_bytes(self) -> None:
        """A few bytes of Windows-1252 in UTF-8 are read as such, and the rest stays UTF-8."""
        content = page("<p>“Où ?” — l'été, ő ạ</p><p>").encode() + b"caf\xe9 \x93ok\x94</p>"
        assert read(content) == "“Où ?” — l'été, ő ạcafé “ok”"

    def test_stray_byte_behind_a_mark(self) -> None:
        """A byte order mark is no text, also before bytes that are not UTF-8."""
        assert read(b"\xef\xbb\xbf<p>Caf\xe9</p>") == "Café"

    def test_byte_that_windows_does_not_define(self) -> None:
        """A byte without any meaning costs itself, not the rest of the document."""
        assert read(b"<p>one \xe9 \x81 two</p>") == "one é \ufffd two"

    @pytest.mark.parametrize("content", ["<p>It\x92s \x93so\x94\x85</p>", "<p>It&#146;s &#x93;so&#0148;&#X0085;</p>"])
    @pytest.mark.parametrize("end", ["", DAMAGE])
    def test_controls_that_are_punctuation(self, content: str, end: str) -> None:
        """Controls that no text has are the quotation marks and dashes of Windows-1252, as browsers show them."""
        assert read(content + end).startswith("It’s “so”…")

    def test_zero(self) -> None:
        """A zero does not end the document."""
        assert read("<p>one\0two</p><p>three</p>") == "one\ufffdtwothree"

    def test_what_xml_does_not_allow(self) -> None:
        """Controls do not make a document HTML; those that are white space stay so."""
        root = markup.parse(markup.decode(b"<P>one\x0btwo\x02 \xef\xbf\xbf<br/>&#160;</P>"))
        assert root is not None
        assert (root.tag, markup.text_content(root)) == ("P", "one two\ufffd \ufffd\u00a0")

    @given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: f"<p>{text}".encode("utf-16")))
    def test_any_bytes(self, content: bytes) -> None:
        """Whatever the bytes are, they are text that both parsers can be given."""
        decoded = markup.decode(content)
        assert decoded.encode().decode() == decoded
        markup.parse(decoded)

    @given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"], exclude_characters="<>&\ufeff")))
    def test_utf8_is_kept(self, text: str) -> None:
        """What is UTF-8 is read as it is, unless it looks like UTF-8 that was read as something else."""
        if not markup._SUSPECT.search(text):
            assert markup.decode(text.encode()) == text


class TestMojibake:
    """UTF-8 that was once read as Windows-1252 is repaired; text that resembles it is left alone."""

    @pytest.mark.parametrize(
        ("found", "meant"),
        [
            ("â€œHelloâ€\x9d, donâ€™t", "“Hello”, don’t"),
            ("cafÃ© â€” naÃ¯ve", "café — naïve"),
            ("Ã¤Ã¶Ã¼ ÃŸ", "äöü ß"),
            ("ÐŸÑ€Ð¸Ð²ÐµÑ‚, Ð¼Ð¸Ñ€", "Привет, мир"),
            ("Å“uvre Ã\xa0 la carte", "œuvre à la carte"),
            ("NÂ° 5, 30Â°C, Â§ 7", "N° 5, 30°C, § 7"),
        ],
    )
    def test_repaired(self, found: str, meant: str) -> None:
        """Each character comes back, and quotation marks stay curled."""
        assert markup.decode(f"<p>{found}</p>".encode()) == f"<p>{meant}</p>"

    @pytest.mark.parametrize(
        "text",
        [
            "« Où êtes-vous ? » dit-il. « À l’Été ! »",
            "MÉTÉOROLOGIE « ÉTÉ », CAFÉ™, TÊTE-À-TÊTE»",
            "Não há «coração» nem pão à toa. PÃO «À»",
            "Tiếng Việt: Đã thấy người ấy ở Huế, phải không?",
            "Größe, Übermaß, „Ä“ und »Öl«, JOSÉ—",
            "İstanbul'da ılık çay içtim; ağaç, şu, «Â»",
            "∀x∈ℝ: x² ≥ 0 ⇒ ½ × ¾ ≠ π° ± µ",
            "ESPAÑA €100 Ñ€, SEÑOR º À ª",
            "Ærøskøbing, ÅÄÖ» og «ÆØÅ»",
            "Ça… À‘ VOILÀ”— “CAFÉ”",
        ],
        ids=["fr", "caps", "pt", "vi", "de", "tr", "math", "es", "da", "quotes"],
    )
    def test_left_alone(self, text: str) -> None:
        """Capitals with accents before quotation marks and symbols are no mojibake."""
        assert markup.decode(text.encode()) == text

    def test_line_by_line(self) -> None:
        """A repaired line does not change those around it."""
        assert markup.decode("CAFÉ»\ncafÃ©\nCAFÉ»".encode()) == "CAFÉ»\ncafé\nCAFÉ»"


class TestEntities:
    """What stands for a character."""

    @pytest.mark.parametrize("entity", ["&nbsp;", "&ensp;", "&#160;", "&#xA0;", "&NonBreakingSpace;"])
    @pytest.mark.parametrize("doctype", ["", XHTML_11, "<!DOCTYPE html>"])
    @pytest.mark.parametrize("end", ["", DAMAGE])
    def test_space(self, entity: str, doctype: str, end: str) -> None:
        """An entity is read with or without the DTD that explains it, and so is what follows it."""
        assert read(doctype + page(f"<p>Caf&eacute;{entity}two<!-- no --> three</p>{end}")) == f"Café two three{end}"

    def test_named_keep_the_document_xml(self) -> None:
        """A document is not read as HTML for names that XML does not know."""
        root = markup.parse(markup.decode(b"<P>a&nbsp;b&hellip; &CounterClockwiseContourIntegral;</P>"))
        assert root is not None
        assert (root.tag, root.text) == ("P", "a\u00a0b… ∳")

    def test_of_xml(self) -> None:
        """Characters of markup that are written as entities are text."""
        assert read(page("<p>1 &lt; 2 &amp;amp; &LT;b> &AMP; &quot;&apos;&#60;i></p>")) == "1 < 2 &amp; <b> & \"'<i>"

    @pytest.mark.parametrize("text", ["&nosuch;", "AT&T", "a & b", "&;", "&#;", "&#xZZ;", "&", "&amp"])
    @pytest.mark.parametrize("doctype", ["", XHTML_11, "<!DOCTYPE html>", '<!DOCTYPE html [<!ENTITY a "b">]>'])
    def test_undefined(self, text: str, doctype: str) -> None:
        """What is no entity is text as it stands."""
        assert read(doctype + page(f"<p>one {text} two</p>")) == f"one {text.replace('&amp', '&')} two"

    def test_of_the_document_itself(self) -> None:
        """An entity that the document declares is read, beside those of HTML, and the declaration is not."""
        subset = '[<!ENTITY author "Jane <i>Austen</i>">\n<!ENTITY copy "(c)">]'
        content = f"<!DOCTYPE html {subset}>" + page("<p>&copy; by &author;, &eacute;</p>")
        assert read(content) == "(c) by Jane Austen, é"

    def test_declarations_of_what_is_not_well_formed(self) -> None:
        """Declarations are no text where the document is read as HTML."""
        content = '<!DOCTYPE html [<!ENTITY author "Jane">]>' + page(f"<p>one</p>{DAMAGE}")
        root = markup.parse(markup.decode(content.encode()))
        assert root is not None
        assert markup.text_content(root) == f"headone{DAMAGE}"

    @pytest.mark.parametrize(
        "doctype",
        [
            '<!DOCTYPE html [<!ENTITY file SYSTEM "{0}">]>',
            '<!DOCTYPE html [<!ENTITY % file SYSTEM "{0}"> %file;]>',
            '<!DOCTYPE html SYSTEM "{0}">',
        ],
    )
    def test_external(self, doctype: str, tmp_path: Path) -> None:
        """A document cannot make the producer read another file aloud, and is read nevertheless."""
        (tmp_path / "secret").write_text('<!ENTITY file "secret">')
        content = doctype.format(f"file://{tmp_path}/secret") + page("<p>one &file; two</p>")
        assert read(content) == "one &file; two"

    def test_external_declarations(self) -> None:
        """Declarations that are elsewhere do not make a document HTML."""
        root = markup.parse('<!DOCTYPE P [<!ENTITY % file SYSTEM "file"> %file;]><P>one</P>')
        assert root is not None
        assert root.tag == "P"

    def test_that_grows(self) -> None:
        """Entities made of entities do not fill the memory, and the text around them is read."""
        names = "abcdefghij"
        subset = '<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise(names)
        )
        assert read(f"<!DOCTYPE html [{subset}]>" + page("<p>one &j; two</p>")) == "one &j; two"

    @pytest.mark.parametrize("end", ["", DAMAGE])
    def test_cdata(self, end: str) -> None:
        """A CDATA section is text as it stands, also in a document that is read as HTML."""
        content = XHTML_11 + page(f"<p>&eacute; <![CDATA[<b> &eacute; &#146; ]]>&nbsp;<![CDATA[]]>two</p>{end}")
        assert read(content) == f"é <b> &eacute; &#146; two{end}"

    def test_cdata_without_end(self) -> None:
        """A CDATA section that nothing ends is text."""
        assert read(page("<p>one <![CDATA[two</p><p>three</p>")) == "one <![CDATA[twothree"


class TestDamage:
    """What is not well-formed is read as HTML, all of it."""

    @pytest.mark.parametrize(
        "name", ["title", "script", "style", "textarea", "iframe", "plaintext", "a", "p", "b", "div", "ol", "o:p"]
    )
    @pytest.mark.parametrize("tag", ["<{0}/>", '<{0} id="x" />', '<{0}\nclass=""/>'])
    def test_closed_in_itself(self, name: str, tag: str) -> None:
        """What is closed in itself holds nothing, though HTML says it does."""
        content = f"<html><head>{tag.format(name)}</head><body>one{tag.format(name)}two<i>three</i>{DAMAGE}"
        root = markup.parse(markup.decode(content.encode()))
        assert root is not None
        assert markup.text_content(root) == f"onetwothree{DAMAGE}"
        assert not any(markup.text_content(element) for element in root.iter(name))

    @pytest.mark.parametrize("name", ["title", "script", "style", "textarea", "iframe", "xmp", "plaintext"])
    def test_never_closed(self, name: str) -> None:
        """What is never closed does not swallow the rest, nor does it when it was closed before."""
        assert read(f"<body><{name}>one<p>two</p><b>three</b>").endswith("onetwothree")
        assert read(f"<body><p>one<{name}>two</{name}><{name}>three<p>four</p>").endswith("threefour")

    def test_comment_without_end(self) -> None:
        """A comment that nothing ends does not swallow the rest."""
        assert read("<p>one<!-- two --></p><!-- three <p>four</p>") == "one<!-- three four"

    @pytest.mark.parametrize("end", ["</body></html>", "</BODY ></HTML\n>", "</html><html><body>"])
    def test_text_behind_the_end(self, end: str) -> None:
        """What stands behind the end of the document is part of it."""
        assert read(f"<html><body><p>one</p>{end}<p>two</p>three") == "onetwothree"

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("<p>One<p>two <b>three", "Onetwo three"),
            ("<html><body><p>One & two</b></p><br>three", "One & twothree"),
            ("<P>One</p><DIV>two<BR>three</DIV>", "Onetwothree"),
            ("<p>1 < 2 and 3 <4 <> 5</p>", "1 < 2 and 3 <4 <> 5"),
            ("just text", "just text"),
            ("before <html><body><p>after</p></body></html>", "before after"),
            ("<p>one</p><p>two</p>", "onetwo"),
            ("<p id='a' id='b'>one</p>", "one"),
            ("<table>one<tr>two<td>three</td></tr>four</table>five", "onetwothreefourfive"),
            ("<!-- a -- b --><p>one<!-- c ---></p>two", "onetwo"),
        ],
    )
    def test_as_html(self, content: str, expected: str) -> None:
        """Unclosed, misnested and stray markup costs no text."""
        assert read(content) == expected

    @pytest.mark.parametrize("namespace", ['xmlns="a b"', 'xmlns:x="[]"', 'o:p="x"', "><o:p/></P><P"])
    @pytest.mark.parametrize("count", [1, 40])
    def test_namespaces(self, namespace: str, count: int) -> None:
        """Namespaces that are wrong or missing do not make a document HTML."""
        root = markup.parse(f"<DIV>{f'<P {namespace}>one</P>' * count}</DIV>")
        assert root is not None
        assert (markup.local_name(root), markup.text_content(root)) == ("div", "one" * count)
        assert "DIV" in str(root.tag)

    @pytest.mark.parametrize("count", [1, 1000])
    @pytest.mark.parametrize(("damage", "text"), [("a & b", "a & b"), ("</i>", ""), ("<i>", "")])
    def test_namespaces_are_not_all(self, damage: str, text: str, count: int) -> None:
        """Where namespaces are not the only fault, none of the text is lost to the others."""
        content = '<p o:p="x">one</p>' * count
        assert read(f"<div>{content}{damage}<p>two</p></div>") == "one" * count + text + "two"

    def test_declaration_behind_space(self) -> None:
        """White space or a mark before the XML declaration does not make a document HTML."""
        root = markup.parse(markup.decode('\ufeff \n<?xml version="1.0" encoding="utf-8"?>\n<P>one</P>'.encode()))
        assert root is not None
        assert root.tag == "P"

    @pytest.mark.parametrize("content", [b"", b" \n", b"<!-- nothing -->", b"\xff\xfe", b"<?xml version='1.0'?>"])
    def test_nothing(self, content: bytes) -> None:
        """A document without anything in it has no text."""
        assert read(content) == ""

    @pytest.mark.parametrize("depth", [300, 2000, 5000])
    @pytest.mark.parametrize("name", ["div", "b"])
    @pytest.mark.parametrize("end", ["", DAMAGE])
    def test_deep_nesting(self, depth: int, name: str, end: str) -> None:
        """However deep a document is nested, its text is read, and what is not so deep is as it was."""
        inner = f"{'<br><i/>' * 600}one" if end else "one"
        content = page(f"<div>{f'<{name}>' * depth}{inner}{f'</{name}>' * depth}</div><p>two<br/></p>{end}")
        root = markup.parse(markup.decode(content.encode()))
        assert root is not None
        body = next(root.iter("{*}body"))
        assert [markup.text_content(each) for each in body] == ["one", "two"]

    @pytest.mark.parametrize("end", ["", DAMAGE])
    def test_long_paragraph(self, end: str) -> None:
        """However long a paragraph is, it is read, and as XML if it is: libxml2 by itself gives up at 10 MB."""
        root = markup.parse(f"<P>{'word ' * 2_100_000}{end}</P>")
        assert root is not None
        assert root.tag == ("html" if end else "P")
        assert len(markup.text_content(root).removesuffix(end)) == 10_500_000


HOSTILE = {
    "angles": "<" * 1_000_000,
    "tags": "<a " * 300_000,
    "tag": "<a" + " x" * 400_000,
    "name": "<" + "a" * 1_000_000,
    "cdata": "<![CDATA[" * 100_000,
    "cdata, one closed": "<![CDATA[" * 100_000 + "]]>",
    "ampersands": "&a" * 500_000,
    "entity": "&" + "a" * 1_000_000,
    "digits": "&#" + "0" * 1_000_000,
    "zeros": "&#" + "0" * 1_000_000 + "146;&#x" + "0" * 100_000 + "92;",
    "space": " " * 1_000_000 + "x",
    "declarations": "<?xml" * 200_000,
    "declaration": " \n" * 400_000 + "<?xml ",
    "doctypes": "<!DOCTYPE html [" * 60_000,
    "entities": "<!ENTITY " * 100_000,
    "comments": "<!--" * 200_000,
    "titles": "<title>" * 100_000,
    "closed": "<i/>" * 100_000,
    "ends": "</body" * 100_000,
    "deep": "<div>" * 100_000,
    "encoding": "encoding=" * 100 + " " * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_megabyte(name: str) -> None:
    """A megabyte that is made to make regular expressions slow is read like any other, not in hours."""
    root = markup.parse(markup.decode(HOSTILE[name].encode()))
    assert root is None or markup.local_name(root) == "html"


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ('epub:type="chapter"', ["chapter"]),
        ('epub:type="bodymatter  Chapter" role="doc-chapter"', ["bodymatter", "chapter", "chapter"]),
        ('epub:type="z3998:poem"', ["poem"]),
        ('role="DOC-NoteRef" type="a"', ["noteref"]),
        ('class="chapter"', []),
    ],
)
@pytest.mark.parametrize("namespace", [' xmlns:epub="http://www.idpf.org/2007/ops"', ""])
@pytest.mark.parametrize("end", ["", DAMAGE])
def test_semantics(attributes: str, words: list[str], namespace: str, end: str) -> None:
    """What an element says it is, is found with and without its namespace, as XML and as HTML."""
    root = markup.parse(markup.decode(f"<p{namespace}><b {attributes}>x</b>{end}</p>".encode()))
    assert root is not None
    assert list(markup.semantics(next(root.iter("b")))) == words


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        ('<p id="x" xml:id="y" name="z">', ["x", "y"]),
        ('<a id="x" name="z">', ["x", "z"]),
        ('<A name="z">', ["z"]),
        ("<p>", []),
        ('<p id="">', []),
    ],
)
@pytest.mark.parametrize("end", ["", DAMAGE])
def test_identifiers(tag: str, names: list[str], end: str) -> None:
    """A link can call an element by its id, and an anchor by its name."""
    root = markup.parse(markup.decode(f"<div>{tag}x</{tag[1]}>{end}</div>".encode()))
    assert root is not None
    inner = next(element for element in root.iter(etree.Element) if markup.local_name(element) in {"p", "a"})
    assert list(markup.identifiers(inner)) == names


def test_local_name() -> None:
    """A name has neither namespace nor capitals."""
    assert markup.local_name(etree.fromstring('<X:Ab xmlns:X="urn:x"/>')) == "ab"


def test_text_content_leaves_out_comments() -> None:
    """Comments and instructions are no text, what follows them is."""
    assert markup.text_content(etree.fromstring("<p>a<!-- b -->c<?d e?>f<i>g</i>h</p>")) == "acfgh"


class TestXmlFiles:
    """What packages, containers and their like are parsed to."""

    def test_entities(self, tmp_path: Path) -> None:
        """Entities of XML are read when they are in the file, and neither from elsewhere nor without bound."""
        path = tmp_path / "secret"
        path.write_text("secret")
        outside = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{path.as_uri()}"><!ENTITY y "own">]><a>&y;<b>&x;</b></a>'
        root = markup.parse_xml(outside.encode())
        assert root is not None
        assert "secret" not in "".join(root.itertext())
        assert "own" in "".join(root.itertext())
        levels = "".join(f'<!ENTITY x{level} "{f"&x{level - 1};" * 10}">' for level in range(1, 10))
        root = markup.parse_xml(f'<!DOCTYPE a [<!ENTITY x0 "{"y" * 10}">{levels}]><a>&x9;</a>'.encode())
        assert root is None or len("".join(root.itertext())) < 10**6

    @pytest.mark.parametrize("content", [b"", b"\0", b"text"])
    def test_nothing_to_parse(self, content: bytes) -> None:
        """What is no XML at all is nothing."""
        assert markup.parse_xml(content) is None

    @pytest.mark.parametrize("reference", ["&#xD800;", "&#xDFFF", "&#X0dc00;", "&#55296;", "&#0055296"])
    def test_half_characters(self, reference: str) -> None:
        """A reference to half a character, which lxml would parse and then raise on, is to no character."""
        root = markup.parse_xml(f"<a b='{reference}'>{reference}</a>".encode())
        assert root is not None
        assert {root.get("b"), root.text} <= {"\ufffd", "\ufffd;"}

    def test_whole_characters(self) -> None:
        """Other references are left alone, however long."""
        root = markup.parse_xml(f"<a>&#65;&#x41;&#xE9;&#{'0' * 9}65;&#{'9' * 5000};&#x;</a>".encode())
        assert root is not None
        assert "".join(root.itertext()).startswith("AA\u00e9A")

    def test_what_can_be_made_out_of_xml(self) -> None:
        """Markup that is not well-formed, named entities and control characters are read around."""
        root = markup.parse_xml(b"<a><b x='1'>caf&eacute; & \x01tea</b><c>")
        assert root is not None
        assert root[0].get("x") == "1"
        assert "".join(root.itertext()).split() == ["caf\u00e9", "\ufffdtea"]
