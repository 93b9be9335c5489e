"""Front and back matter: what is recognised, and, more important, what is not."""

# ruff: noqa: RUF001 - titles in other scripts look like ASCII

import pytest

from producer.sections import matter

LICENCE_PAGE = (
    "*** END OF THE PROJECT GUTENBERG EBOOK EMMA *** Updated editions will replace the previous one. "
    + "You may use this eBook under the terms of the Project Gutenberg License, says Project Gutenberg. " * 200
)


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
        ("index", ["Index", "Indexes", "Sachregister", "Register", "Index des noms", "Índice onomástico", "索引"]),
        ("bibliography", ["Bibliography", "Works Cited", "References", "Literaturverzeichnis", "Bibliographie"]),
        ("notes", ["Notes", "Endnotes", "Footnotes", "Anmerkungen", "Fußnoten", "Notes de fin", "Notas", "Примечания"]),
        ("promotion", ["Also by Stephen King", "By the same author", "Other titles by Ann Leckie", "Advertisements"]),
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
    assert matter.of_text(text, 0) == "copyright"
    assert matter.of_text(text + " and so on" * 400, 0) == ""


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
    assert matter.of_text(text, 0) == ""


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
    assert matter.of_text(text, 0) == "licence"


def test_gutenberg_before_a_chapter() -> None:
    """A header that no mark parts from the first chapter does not take the chapter with it."""
    header = "The Project Gutenberg eBook of Emma. *** START OF THE PROJECT GUTENBERG EBOOK EMMA *** Chapter 1. "
    assert matter.of_text(header + "Emma Woodhouse, handsome, clever, and rich. " * 100, 0) == ""


@pytest.mark.parametrize(
    ("size", "linked", "kind"),
    [(300, 300, "contents"), (300, 181, "contents"), (300, 180, ""), (39, 39, ""), (30_000, 30_000, "contents")],
)
def test_contents_by_links(size: int, linked: int, kind: str) -> None:
    """A page that is mostly links is a table of contents; a single link is none."""
    assert matter.of_text("x" * size, linked) == kind


def test_chapter_in_a_link() -> None:
    """A chapter before whose beginning somebody forgot to end a link is no table of contents."""
    assert matter.of_text("x" * 30_001, 30_001) == ""
