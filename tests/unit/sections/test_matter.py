"""Front and back matter: what is recognised, and, more important, what is not."""

# ruff: noqa: RUF001 - titles in other scripts look like ASCII

import pytest

from producer.sections import matter

LICENCE_PAGE = (
    "*** END OF THE PROJECT GUTENBERG EBOOK EMMA *** Updated editions will replace the previous one. "
    + "You may use this eBook under the terms of the Project Gutenberg License, says Project Gutenberg. " * 200
)


def page(*lines: str | matter.Line, authors: tuple[str, ...] = (), language: str = "en") -> matter.Page:
    """Return a text of such lines."""
    made = (line if isinstance(line, matter.Line) else matter.Line(line) for line in lines)
    return matter.Page(tuple(made), authors, language)


def of_text(*lines: str | matter.Line) -> str:
    """Return the kind of matter that lines are by themselves."""
    return matter.of_text(page(*lines))


def links(count: int, size: int) -> list[matter.Line]:
    """Return lines that are links."""
    return [matter.Line("x" * size, size)] * count


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        ("cover", ["Cover", "COVER", "Front cover", "Cover page", "Couverture", "Umschlag", "Cubierta", "表紙"]),
        ("title page", ["Title Page", "Half-title", "Halftitle Page", "Page de titre", "Titelblatt", "Portada"]),
        ("copyright", ["Copyright", "Copyright Page", "Imprint", "Colophon", "Impressum", "Mentions légales", "奥付"]),
        ("copyright", ["Выходные данные", "版权页", "حقوق النشر", "Créditos", "Achevé d’imprimer", "Legal notice"]),
        ("contents", ["Contents", "Table of Contents", "TOC", "List of Illustrations", "Table des matières"]),
        ("contents", ["Sommaire", "Inhalt", "Inhaltsverzeichnis", "Índice", "Indice", "Sommario", "Содержание"]),
        ("contents", ["目次", "目录", "차례", "المحتويات", "תוכן העניינים", "Contenido", "Tabla de contenidos"]),
        (
            "index",
            ["Index", "Indexes", "Sachregister", "Personenregister", "Index des noms", "Índice onomástico", "索引"],
        ),
        ("bibliography", ["Bibliography", "Works Cited", "References", "Literaturverzeichnis", "Bibliographie"]),
        ("notes", ["Notes", "Endnotes", "Footnotes", "Anmerkungen", "Fußnoten", "Notes de fin", "Notas", "Примечания"]),
        ("promotion", ["Also by Stephen King", "By the same author", "Other titles by Ann Leckie"]),
        ("promotion", ["Du même auteur", "More books by P. G. Wodehouse", "Newsletter", "Newsletter sign-up"]),
        ("licence", ["THE FULL PROJECT GUTENBERG LICENSE", "Transcriber’s Notes", "Transcriber's Note:", "Licence"]),
        ("licence", ["Original Transcriber’s Notes:", "About this eBook", "Anmerkungen zur Transkription"]),
    ],
)
@pytest.mark.parametrize("pattern", ["{}", "  {}. ", "*{}*"])
def test_titles(kind: str, titles: list[str], pattern: str) -> None:
    """Matter is recognised by its title in many languages, whatever stands around it."""
    assert {title: matter.of_title(pattern.format(title)) for title in titles} == dict.fromkeys(titles, kind)


@pytest.mark.parametrize(
    "title",
    [
        "",
        "Chapter 1",
        "Notes from Underground",
        "A Note on the Text",
        "Author's Note",
        "Translator's Note",
        "Note",
        "Note.",
        "Advertisement",
        "Advertisements",
        "Cover Her Face",
        "Undercover",
        "The Index of Fear",
        "Title Fight",
        "Contents Under Pressure",
        "Table of Contents and Discontents",
        "Copyright and Its Discontents",
        "More by Accident",
        "Stand by Me",
        "Written by the Same Author as Before",
        "Licence to Kill",
        "The Register",
        "Illustrations of Madness",
        "References to God",
        "Legal Tender",
        "A Bibliography of Sorrow",
        "Inhalt und Form",
        "Notes sur la mélodie des choses",
        "About This Time",
        "Project Gutenberg",
        "The Impressum of the Soul",
        *("Preface", "Foreword", "Introduction", "Prologue", "Epilogue", "Afterword", "Conclusion"),
        *("Acknowledgements", "Acknowledgments", "Dedication", "Epigraph", "Appendix", "Glossary"),
        *("Préface", "Avant-propos", "Remerciements", "Vorwort", "Nachwort", "Danksagung", "Widmung"),
        *("Prólogo", "Agradecimientos", "Prefazione", "Предисловие", "Эпилог", "はじめに", "序", "مقدمة"),
        *("About the Author", "Über den Autor", "À propos de l’auteur"),
    ],
)
def test_titles_of_chapters(title: str) -> None:
    """A chapter whose title only begins or ends like that of matter is read, and so are prefaces and their like."""
    assert matter.of_title(title) == ""


@pytest.mark.parametrize(
    ("words", "outer", "kind"),
    [
        (["cover"], "", "cover"),
        (["frontmatter", "titlepage"], "", "title page"),
        (["copyright-page"], "", "copyright"),
        (["toc"], "", "contents"),
        (["backmatter", "index"], "", "index"),
        (["endnotes"], "", "notes"),
        (["rearnotes"], "", "notes"),
        (["bibliography"], "", "bibliography"),
        (["bodymatter", "chapter"], "", ""),
        (["frontmatter"], "", ""),
        (["footnote"], "", ""),
        (["bodymatter"], "cover", ""),
        (["dedication"], "title page", ""),
        (["copyright-page"], "title page", "copyright"),
        (["unknown"], "title page", "title page"),
        ([], "cover", "cover"),
        (["chapter"], "index", "index"),
        (["index"], "contents", "contents"),
        (["epigraph"], "licence", "licence"),
    ],
)
def test_elements(words: list[str], outer: str, kind: str) -> None:
    """What an element says it is counts, except inside matter; title pages hold text as well."""
    assert matter.of_element(words, "", outer) == kind


@pytest.mark.parametrize(
    "word",
    "preface foreword introduction prologue epilogue afterword acknowledgments dedication epigraph conclusion".split(),
)
def test_elements_that_are_read(word: str) -> None:
    """What an author wrote around a book is read, also on its title page."""
    assert (matter.of_element([word], "", ""), matter.of_element([word], "", "cover"), matter.of_term(word)) == (
        "",
    ) * 3


@pytest.mark.parametrize(
    ("classes", "kind"), [("pg-boilerplate", "licence"), ("a pg-boilerplate b", "licence"), ("my-pg-boilerplate", "")]
)
def test_elements_by_class(classes: str, kind: str) -> None:
    """Project Gutenberg marks its own words with a class."""
    assert matter.of_element([], classes, "") == kind


@pytest.mark.parametrize(("word", "kind"), [("toc", "contents"), ("cover", "cover"), ("text", ""), ("", "")])
def test_terms(word: str, kind: str) -> None:
    """A landmark is named with the words that elements are."""
    assert matter.of_term(word) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Copyright © 2013 by Ann Leckie. All rights reserved.",
        "First published 1998. ISBN 978-0-306-40615-7. No part of this book may be reproduced.",
        "© Éditions du Seuil, 2004. Tous droits réservés. ISBN : 2-02-012345-X",
        "Alle Rechte vorbehalten. Die Deutsche Bibliothek verzeichnet diese Publikation. ISBN 3-499-12345-6",
        "ISBN (ebook): 9780306406157. Copyright 1951 Somebody.",
        "Library of Congress Cataloging-in-Publication Data. Printed in the United States of America.",
    ],
)
def test_copyright_pages(text: str) -> None:
    """A short text that says two things which are said on copyright pages only is one."""
    assert of_text(text) == "copyright"
    assert of_text(text + " and so on" * 400) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "She turned to the copyright page, looked for the ISBN and the ©, and found neither.",
        "The © was smudged. “All rights reserved,” he read aloud, and laughed.",
        "The copyright, he said, had expired in 1890; the book was first published in 1818 and printed in London.",
        "Look it up: ISBN 978-0-306-40615-7, he wrote on her hand.",
        "Project Gutenberg is a fine thing, said Alice, and so are licences.",
        "It was printed in the United States, and no one there had heard of it.",
    ],
)
def test_texts_of_chapters(text: str) -> None:
    """A chapter that mentions what copyright pages say is a chapter."""
    assert of_text(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        LICENCE_PAGE,
        "The Project Gutenberg eBook of Emma. This ebook is for the use of anyone anywhere.",
        "*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***",
        "*** END OF THE PROJECT GUTENBERG EBOOK EMMA ***",
    ],
    ids=["full", "header", "start", "end"],
)
def test_gutenberg(text: str) -> None:
    """What Project Gutenberg puts around a book is its licence, however long that is."""
    assert of_text(text) == "licence"


def test_gutenberg_before_a_chapter() -> None:
    """A header that no mark parts from the first chapter does not take the chapter with it."""
    header = "The Project Gutenberg eBook of Emma. *** START OF THE PROJECT GUTENBERG EBOOK EMMA *** Chapter 1. "
    assert of_text(header + "Emma Woodhouse, handsome, clever, and rich. " * 100) == ""


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([matter.Line("Contents", is_heading=True), *links(4, 30)], "contents"),
        (links(3, 30), ""),
        (links(4, 120), "contents"),
        (links(4, 121), ""),
        ([*links(4, 60), "x" * 150], "contents"),
        ([*links(4, 60), "x" * 160], ""),
        ([matter.Line("x" * 90, 90, is_heading=True)] * 4, ""),
        ([*links(5, 30), *links(4, 9000)], ""),
        ([matter.Line("If you would rather stay here, turn to 20.", 42)] * 4, ""),
    ],
    ids=["four", "three", "short", "long", "mostly", "half", "headings", "chapter in a link", "choices"],
)
def test_contents_by_links(lines: list[str | matter.Line], kind: str) -> None:
    """A page of several short links is a table of contents; headings, a few links and long ones are none."""
    assert of_text(*lines) == kind
    assert matter.of_text(page(*lines), is_chapter=True) == ""


OWNED = "Copyright © 2020 Ann Author. All rights reserved. ISBN 978-0-306-40615-7"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["x" * 70, OWNED], "copyright"),
        (["x" * 75, OWNED], ""),
        (["© 2020 Ann Author", "x" * 1000, "All rights reserved"], "copyright"),
        (["© 2020 Ann Author", "x" * 1001, "All rights reserved"], ""),
    ],
    ids=["most", "half", "between", "around"],
)
def test_copyright_in_a_text(lines: list[str], kind: str) -> None:
    """A text is a copyright page when what is said on such pages, and what stands between, is more than half of it."""
    assert of_text(*lines) == kind
    assert matter.of_text(page(*lines), is_chapter=True) == ""


@pytest.mark.parametrize(
    ("lines", "places"),
    [
        (["For my mother.", OWNED, "“A line,” said the poet."], [1, 2]),
        (["For my mother.", "First printing", OWNED, "For more information write to us."], [2]),
        (["First printing", OWNED, "Typeset in Oxford"], []),
        (["For my mother.", "All rights reserved"], []),
    ],
)
def test_dedication_around_copyright(lines: list[str], places: list[int]) -> None:
    """A dedication or an epigraph is parted from the copyright notice that it shares a page with."""
    assert matter.around_copyright(page(*lines).lines) == places


@pytest.mark.parametrize(
    ("title", "size", "kind"),
    [
        ("Cover", 400, "cover"),
        ("Cover", 401, ""),
        ("Title Page", 1000, "title page"),
        ("Title Page", 1001, ""),
        ("Copyright", 5000, "copyright"),
        ("Copyright", 5001, ""),
        ("By the same author", 3000, "promotion"),
        ("By the same author", 3001, ""),
        ("Contents", 30_000, "contents"),
        ("Contents", 30_001, ""),
        ("Bibliography", 90_000, "bibliography"),
        *((title, 1000, kind) for title, kind in [("Illustrations", "contents"), ("References", "bibliography")]),
        *((title, 1001, "") for title in ["Illustrations", "References", "Newsletter", "Imprint", "Books by Mail"]),
        *((title, 1000, kind) for title, kind in [("Notes", "notes"), ("Index", "index"), ("Legal", "copyright")]),
        *((title, 1001, "") for title in ["Notes", "Anmerkungen", "Legal"]),
        ("Also by Moonlight", 1001, ""),
        ("Also by Ann Author", 1001, "promotion"),
        ("Books by Mail", 1000, "promotion"),
        ("License", 500, ""),
        ("Register", 500, ""),
    ],
)
def test_length_of_what_is_named(title: str, size: int, kind: str) -> None:
    """What has the title of matter is read when it is longer than such matter, or has a title that may mislead."""
    assert matter.named(title, page("x" * size, authors=("Ann Author",))) == kind


@pytest.mark.parametrize(
    ("title", "lines", "kind"),
    [
        ("Licence", ["Licence", "You may redistribute it."], "licence"),
        ("License", ["License", "x" * 30_000, "No warranty."], ""),
        ("License", ["License", "He drove without one."], ""),
        ("References", ["Smith, J. (1999), Minds, Oxford. " * 90], "bibliography"),
    ],
)
def test_words_of_what_is_named(title: str, lines: list[str], kind: str) -> None:
    """A licence speaks of the law, and references are full of years."""
    assert matter.named(title, page(*lines)) == kind


PROSE = "He went home to her, and neither of them said a word of it until the next day. "


@pytest.mark.parametrize(
    ("title", "lines", "kind"),
    [
        ("Notes", [PROSE * 6] * 6, ""),
        ("Notes", ["“No,” she said.", PROSE, "“Why?”"] * 12, ""),
        ("Notes", [f"12 March. {PROSE}", PROSE, PROSE, "He did not come."] * 9, ""),
        ("Notes", [f"1. {PROSE}"] * 20, "notes"),
        ("Notes", [f"[1] {PROSE}", PROSE, PROSE] * 20, "notes"),
        ("Anmerkungen", [f"S. 12: {PROSE}"] * 20, "notes"),
        ("Endnotes", ["1", PROSE] * 20, "notes"),
        ("Notes", [f"* {PROSE}", f"¹ {PROSE}"] * 20, "notes"),
        ("Notes", [f"“no word”: A. Smith, Words (Oxford, 1923). {PROSE}"] * 20, "notes"),
        ("Notes", [matter.Line("I", is_heading=True), f"1. {PROSE}", PROSE, PROSE] * 20, "notes"),
        ("Index", [PROSE * 6] * 6, ""),
        ("Index", ["“No,” she said.", PROSE, "‘Why?’", "— Non !", "« Oui »"] * 9, ""),
        ("Index", ["Abbott, John, 12, 45–47"] * 60, "index"),
        ("Index", ["Abbott, John, Bishop of the place that he was born in, and of others near it, 12."] * 20, "index"),
        ("Index", ["Abbott, John, see Smith"] * 60, "index"),
        ("Legal", [PROSE * 6] * 6, ""),
        ("Legal", ["© 2020 A. Smith. All rights reserved.", PROSE * 11, "ISBN 978-0-306-40615-7"], "copyright"),
    ],
)
def test_looks_of_what_is_named(title: str, lines: list[str | matter.Line], kind: str) -> None:
    """A story may be called Notes, Index or Legal: what looks like prose is read."""
    assert matter.named(title, page(*lines)) == kind


def test_register_in_german() -> None:
    """In German, a register is an index."""
    assert matter.named("Register", page("x" * 500, language="de-AT")) == "index"


@pytest.mark.parametrize(
    ("kind", "lines", "expected"),
    [
        ("cover", ["x" * 400], "cover"),
        ("cover", ["x" * 401], ""),
        ("contents", ["x" * 3000], "contents"),
        ("contents", ["x" * 3001], ""),
        ("contents", links(90, 90), "contents"),
        ("index", ["x" * 9000], "index"),
        ("", ["x"], ""),
    ],
)
def test_length_of_what_landmarks_name(kind: str, lines: list[str | matter.Line], expected: str) -> None:
    """What a landmark calls matter is read when it is longer than such matter is."""
    assert matter.marked(kind, page(*lines)) == expected
