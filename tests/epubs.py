"""EPUBs: the real ones beside the repository, and made ones of any size, the same bytes for the same arguments."""

import zipfile
from pathlib import Path

CORPUS = Path(__file__).parents[2] / "shared/epubs"
"""Real and odd books; `index.tsv` says what each is. It may be absent."""
SENTENCE = "In chapter {} the {}th lamp along the quiet road was lit before the rain began."
"""Said over and over, with the numbers of chapter and sentence."""
_CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
_PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">made</dc:identifier>
<dc:title>{title}</dc:title><dc:creator>{author}</dc:creator><dc:language>{language}</dc:language></metadata>
<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
{manifest}</manifest><spine>{spine}</spine></package>"""
_NAV = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title>
</head><body><nav epub:type="toc"><ol>{entries}</ol></nav></body></html>"""
_CHAPTER = """<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head>
<body><h1>Chapter {number}</h1>{paragraphs}</body></html>"""


def made_epub(
    path: Path,
    *,
    chapters: int,
    characters: int,
    title: str = "A Made Book",
    author: str = "A. Maker",
    sentence: str = SENTENCE,
    language: str = "en",
) -> Path:
    """Write an EPUB of so many chapters, each of about so many characters, and return its path."""
    numbers = range(1, chapters + 1)
    files = {
        "META-INF/container.xml": _CONTAINER,
        "book.opf": _PACKAGE.format(
            title=title,
            author=author,
            language=language,
            manifest="".join(
                f'<item id="c{number}" href="c{number}.xhtml" media-type="application/xhtml+xml"/>'
                for number in numbers
            ),
            spine="".join(f'<itemref idref="c{number}"/>' for number in numbers),
        ),
        "nav.xhtml": _NAV.format(
            entries="".join(f'<li><a href="c{number}.xhtml">Chapter {number}</a></li>' for number in numbers)
        ),
    }
    for number in numbers:
        files[f"c{number}.xhtml"] = _CHAPTER.format(number=number, paragraphs=_paragraphs(sentence, number, characters))
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"mimetype": "application/epub+zip", **files}.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0)), content)
    return path


def _paragraphs(sentence: str, chapter: int, characters: int) -> str:
    count = max(1, characters // len(sentence))
    return "".join(f"<p>{sentence.format(chapter, number)}</p>" for number in range(1, count + 1))
