"""Reading an EPUB, however broken: metadata, cover, contents, and the documents of the spine."""

from pathlib import Path

from producer.epub import cover, metadata, navigation, package
from producer.epub.archive import one_line, open_archive
from producer.epub.book import Book, Cover, Document, Entry, Landmark

__all__ = ["Book", "Cover", "Document", "Entry", "Landmark", "book_of", "read"]


def read(path: Path) -> Book:
    """Read an EPUB; what is broken in it is read around, and told in `Book.problems`.

    Raises:
        UserError: there is no such file (NO_INPUT), or nothing of it can be read, or it is protected (BAD_INPUT).
    """
    with open_archive(path) as archive:
        return book_of(package.open_package(archive))


def book_of(source: package.Source) -> Book:
    """Read an EPUB whose package was read; what `read` does with a file.

    Raises:
        UserError: nothing of it can be read, or it is protected (BAD_INPUT).
    """
    spine = list(package.read_spine(source))
    package.refuse_protected(source, spine)
    documents = package.read_documents(source, spine)
    navs = list(navigation.nav_documents(source))
    landmarks = tuple(dict.fromkeys(navigation.landmarks(source, navs)))
    return Book(
        title=metadata.title(source) or source.archive.path.stem,
        authors=tuple(metadata.authors(source)),
        language=next((value.text for value in source.values("language")), ""),
        metadata=metadata.metadata(source),
        cover=cover.find_cover(source, documents, landmarks),
        documents=documents,
        contents=navigation.table_of_contents(source, navs, {document.href for document in documents}),
        landmarks=landmarks,
        problems=tuple(map(one_line, dict.fromkeys(source.problems))),
    )
