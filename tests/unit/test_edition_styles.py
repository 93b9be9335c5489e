"""Style sheets as an EPUB may have them."""

import pytest

from producer.edition import styles


def resolve(link: str) -> str:
    return "" if "gone" in link else link.replace(" ", "%20")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("p { color: red }", "p { color: red }"),
        ("p { color: red } } q { top: 0 }", "p { color: red }"),
        ("p { color: ; top: 0; junk }", "p { top: 0 }"),
        ("p { direction: rtl; unicode-bidi: embed; top: 0 !important }", "p { top: 0 !important }"),
        ("p { background: url(gone.png) }", "p {  }"),
        ("p { background: url('a b.png') }", 'p { background: url("a%20b.png") }'),
        ("@font-face { src: url(gone.ttf), url(b.ttf) format('truetype') }", None),
        ("@font-face { font-family: F; src: url(gone.ttf) }", ""),
        ("@import url(gone.css); @import 'b.css' print;", '@import "b.css" print;'),
        ("@media print { p { top: 0 } }", "@media print { p { top: 0 } }"),
        ("@keyframes a { from { top: 0 } }", "@keyframes a { from { top: 0 } }"),
        ("@unknown { x }", ""),
        ("p { background: url(a b.png) }", "p {  }"),
    ],
)
def test_style_sheet(old: str, new: str | None) -> None:
    """Rules that cannot be read and links to nothing are left out, all else stays."""
    found = styles.style_sheet(old.encode(), None, resolve).decode().strip()
    assert found == (
        new if new is not None else "@font-face { src: url(\"b.ttf\") format('truetype') }".replace("'", '"')
    )


def test_encoding() -> None:
    """A style sheet in another encoding is UTF-8 afterwards."""
    sheet = '@charset "windows-1252"; p::before { content: "\u00e9" }'.encode("cp1252")
    assert styles.style_sheet(sheet, None, resolve).decode() == ' p::before { content: "\u00e9" }'


def test_style_of_elements() -> None:
    """The content of `style` elements and attributes is mended likewise."""
    assert styles.rules("p { top: 0 } }", resolve).strip() == "p { top: 0 }"
    assert styles.declarations("top: 0; junk; direction: rtl", resolve) == "top: 0"
