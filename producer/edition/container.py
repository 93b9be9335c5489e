"""The zip of an EPUB (EPUB 3.3, section 4), the same bytes for the same files."""

import io
import posixpath
import re
import unicodedata
import zipfile
from collections.abc import Collection, Mapping

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
_MIMETYPE = "mimetype"
_DATE = (1980, 1, 1, 0, 0, 0)
_PACKED = frozenset(".jpg .jpeg .png .gif .webp .mp3 .m4a .mp4 .m4v .webm .ogg .opus .woff .woff2 .zip".split())
_CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>\
<rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>
"""
_UNSAFE = re.compile(r'["*:<>?\\|\x00-\x1f\x7f]')
"""Characters that no name may have (EPUB 3.3, section 4.2.4)."""


class Names:
    """What files are called in an EPUB: each path gets a name that it may have and no other one has."""

    def __init__(self) -> None:
        self._names = {path: path for path in (_MIMETYPE, CONTAINER, ENCRYPTION)}
        self._taken = {folded(path) for path in self._names}

    def __call__(self, path: str) -> str:
        """Return the name for a path."""
        if path not in self._names:
            self._names[path] = free(_UNSAFE.sub("_", path), self._taken)
            self._taken.add(folded(self._names[path]))
        return self._names[path]


def folded(path: str) -> str:
    """Return what two paths share that an EPUB may not both have (EPUB 3.3, section 4.2.3)."""
    return unicodedata.normalize("NFC", path).casefold()


def free(path: str, taken: Collection[str]) -> str:
    """Return a path for a new file.

    Args:
        path: what it is unless that is taken; then `_` is put before its name, often enough.
        taken: what `folded` makes of the paths that there are.
    """
    folder, name = posixpath.split(path)
    while folded(path) in taken:
        path = posixpath.join(folder, name := f"_{name}")
    return path


def container(package: str, files: Mapping[str, bytes]) -> bytes:
    """Return an EPUB.

    Args:
        package: name of the package document.
        files: all files but those that every EPUB has, by their names.
    """
    name = package.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    every = {**files, CONTAINER: _CONTAINER.format(name).encode()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(_info(_MIMETYPE, zipfile.ZIP_STORED), b"application/epub+zip")
        for path in sorted(every, key=lambda path: (path != CONTAINER, path)):
            is_packed = posixpath.splitext(path)[1].lower() in _PACKED
            archive.writestr(_info(path, zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED), every[path])
    return target.getvalue()


def _info(path: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, _DATE)
    info.compress_type = compression
    info.create_system = 3
    return info
