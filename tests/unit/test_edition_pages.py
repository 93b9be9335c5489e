"""Pages as valid XHTML."""

import pytest
from lxml import etree

from producer import markup
from producer.edition.pages import Page, serialized, valid

OPEN, CLOSE = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>', "</body></html>"


def page_of(text: str, *, scripted: bool = False) -> Page:
    root = markup.parse(markup.decode(text.encode()))
    assert root is not None
    return valid("c.xhtml", root, title="Emma", scripted=scripted)


def body_of(text: str) -> str:
    """Return what becomes of the content of a body."""
    content = serialized(page_of(f"{OPEN}{text}{CLOSE}").root).decode()
    return content.partition("<body>")[2].partition("</body>")[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<center>x</center>", '<div style="text-align: center">x</div>'),
        (
            '<font color="red" size="+2" face="Arial">x</font>',
            '<span style="color: red; font-family: Arial; font-size: x-large">x</span>',
        ),
        ("<p><tt>x</tt><big>y</big></p>", None),
        ('<p align="right" style="color:red">x</p>', '<p style="text-align: right; color:red">x</p>'),
        ('<a name="top">x</a>', '<a id="top">x</a>'),
        ('<p id="a">x</p><p id="a">y</p>', '<p id="a">x</p><p>y</p>'),
        ('<p id="e2a-0-0">x</p>', "<p>x</p>"),
        ('<p onclick="f()" foo="1">x</p>', "<p>x</p>"),
        ("<p>a<ul><li>b</li></ul></p>", "<div>a<ul><li>b</li></ul></div>"),
        ("<b><p>a</p></b>", '<div style="font-weight: bold"><p>a</p></div>'),
        ("<h2>a<p>b</p></h2>", '<h2>a<span style="display: block">b</span></h2>'),
        ("<ul>a<p>b</p><li>c</li></ul>", "<ul><li>a<p>b</p></li><li>c</li></ul>"),
        ("<ul><ul><li>a</li></ul></ul>", "<ul><li><ul><li>a</li></ul></li></ul>"),
        ("<dl><dd>a</dd></dl>", '<div><div style="margin-inline-start: 40px">a</div></div>'),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "<dl><dt>a</dt><dd>b</dd></dl>"),
        ("<table><tr>a<td>b</td></tr></table>", "<table><tbody><tr><td>a</td><td>b</td></tr></tbody></table>"),
        (
            "<table><tfoot><tr><td>f</td></tr></tfoot><tbody><tr><td>b</td></tr></tbody></table>",
            '<table><tbody style="display: table-footer-group"><tr><td>f</td></tr></tbody>'
            "<tbody><tr><td>b</td></tr></tbody></table>",
        ),
        ("<li>a</li>", "<div>a</div>"),
        ("<a href='x'>b<a href='y'>c</a></a>", '<a href="x">b<span>c</span></a>'),
        ('<form><input type="text"/><button>b</button></form>', "<div><span>b</span></div>"),
        ("<ruby>a</ruby>", "<span>a</span>"),
        ('<img alt="x"/>', "<span></span>"),
        ('<img src="a.png" width="50%" height="20" border="0"/>', '<img src="a.png" height="20" style="width: 50%"/>'),
        ('<o:p xmlns:o="urn:o">a</o:p>', "<p>a</p>"),
        ("<blink>a</blink>", "<span>a</span>"),
        ("<p>a<script>x()</script>b</p>", "<p>ab</p>"),
        ("<p>a<!-- b -->c</p>", "<p>ac</p>"),
        ('<p xml:lang="de" lang="en">a</p>', '<p xml:lang="de" lang="de">a</p>'),
        ('<ol type="a" start="3"><li value="4">a</li></ol>', '<ol type="a" start="3"><li value="4">a</li></ol>'),
        ('<ul type="square"><li value="4">a</li></ul>', '<ul style="list-style-type: square"><li>a</li></ul>'),
        (
            '<svg xmlns="http://www.w3.org/2000/svg" onload="f()"><script>f()</script><g ONCLICK="f()" id="a"/></svg>',
            '<svg xmlns="http://www.w3.org/2000/svg"><g id="a"/></svg>',
        ),
        (
            "<figure><p>a</p><figcaption>b</figcaption><p>c</p></figure>",
            "<figure><p>a</p><div>b</div><p>c</p></figure>",
        ),
    ],
)
def test_old_markup(old: str, new: str | None) -> None:
    """What HTML 5 does not have, or not there, becomes what it has, with the same text and much of the same looks."""
    found = body_of(old)
    assert found == new if new else "font-family: monospace" in found and "font-size: larger" in found


def test_valid_markup_stays() -> None:
    """Of valid HTML 5 nothing is changed."""
    body = (
        '<section id="s" role="doc-chapter" aria-label="x"><h1>a<br/>b</h1><p class="c" dir="rtl">c <em>d</em></p>'
        '<figure><img src="a.png" alt="e"/><figcaption>f</figcaption></figure>'
        '<p><ruby>g<rp>(</rp><rt>h</rt><rp>)</rp></ruby><a href="#s">i</a></p>'
        "<table><caption>j</caption><thead><tr><th>k</th></tr></thead><tbody><tr><td>l</td></tr></tbody></table>"
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>'
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>m</mi></math></section>'
    )
    assert body_of(body) == body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('coords="1"', ""),
        ('coords="0,0,1,x"', ""),
        ('shape="rect" coords="1,1,0,0"', ""),
        ('shape="circle" coords="1,1"', ""),
        ('shape="poly" coords="0,0,1,1,2"', ""),
        ('coords="0, 0 1;1 "', ' shape="rect" coords="0,0,1,1"'),
        ('shape="circle" coords="1,1,1"', ' shape="circle" coords="1,1,1"'),
        ('shape="poly" coords="0,0,1,1,0,1"', ' shape="poly" coords="0,0,1,1,0,1"'),
        ('shape="default" coords="1"', ' shape="default"'),
    ],
)
def test_areas(old: str, new: str) -> None:
    """An area of an image keeps shape and place where HTML can read them; else it is nowhere, as it was."""
    area = body_of(f'<map name="m"><area href="a" alt="b" {old}/></map>')
    assert area == f'<map name="m"><area href="a" alt="b"{new}/></map>'


def test_head() -> None:
    """A head keeps title, style, style sheets and metadata by name, and has a title when the page has none."""
    kept = '<meta name="viewport" content="width=1"/><link rel="stylesheet" href="a.css"/>'
    old = f'<head><meta http-equiv="x" content="y"/>{kept}<style>p {{}}</style></head><body/>'
    content = serialized(page_of(f'<html xmlns="http://www.w3.org/1999/xhtml">{old}</html>').root).decode()
    assert f'<head><meta charset="utf-8"/><title>Emma</title>{kept}<style>p {{}}</style></head>' in content
    assert content.startswith("<?xml version='1.0' encoding='utf-8'?>\n<!DOCTYPE html>\n<html xmlns=")


def test_scripts() -> None:
    """A page that may have scripts keeps them."""
    content = serialized(page_of(f'{OPEN}<p onclick="f()">a</p><script>f()</script>{CLOSE}', scripted=True).root)
    assert b'<p onclick="f()">a</p><script>f()</script>' in content


def test_page_of_html() -> None:
    """A page that is no XML becomes one, its drawings among it."""
    drawing = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><image xlink:href='a.png' 1x=''></svg>"
    old = f"<HTML><BODY><P>a<P>b &eacute;{drawing}<BR></BODY></HTML>"
    content = serialized(page_of(old).root).decode()
    assert '<svg xmlns="http://www.w3.org/2000/svg" ' in content
    assert 'viewBox="0 0 1 1"><image xlink:href="a.png"/></svg><br/></p>' in content
    assert "<p>a</p><p>b é" in content


@pytest.mark.parametrize("text", ["<p>a</p>", "<div xmlns='urn:x'><p>a</p></div>", f"{OPEN}<p>a</p>{CLOSE}"])
def test_any_root(text: str) -> None:
    """Whatever a page begins with, its text is in a body."""
    root = page_of(text).root
    assert [child.tag.rpartition("}")[2] for child in root] == ["head", "body"]
    assert markup.text_content(root[1]).strip() == "a"


def test_too_deep() -> None:
    """A page that readers could not read is not written."""
    with pytest.raises(etree.XMLSyntaxError):
        serialized(page_of(f"{OPEN}{'<div>' * 300}a{'</div>' * 300}{CLOSE}").root)
