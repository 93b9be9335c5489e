"""The zip of an EPUB (EPUB 3.3, section 4), the same bytes for the same files."""

import io
import posixpath
import re
import zipfile
from collections.abc import Mapping

MIMETYPE = b"application/epub+zip"
CONTAINER = "META-INF/container.xml"
_DATE = (1980, 1, 1, 0, 0, 0)
_PACKED = frozenset(".jpg .jpeg .png .gif .webp .mp3 .m4a .mp4 .m4v .webm .ogg .opus .woff .woff2 .zip".split())
_CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>\
<rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>
"""
_UNSAFE = re.compile(r'["*:<>?\\|\x00-\x1f\x7f]')
"""Characters that no name may have (EPUB 3.3, section 4.2.4)."""


def safe(path: str) -> str:
    """Return a path that a file may have."""
    return _UNSAFE.sub("_", path)


def container(package: str, files: Mapping[str, bytes]) -> bytes:
    """Return an EPUB.

    Args:
        package: path of the package document.
        files: all files but those that every EPUB has, by their paths.
    """
    name = safe(package).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    every = {safe(path): content for path, content in files.items()}
    every[CONTAINER] = _CONTAINER.format(name).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(_info("mimetype", zipfile.ZIP_STORED), MIMETYPE)
        for path in sorted(every, key=lambda path: (path != CONTAINER, path)):
            is_packed = posixpath.splitext(path)[1].lower() in _PACKED
            archive.writestr(_info(path, zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED), every[path])
    return target.getvalue()


def _info(path: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, _DATE)
    info.compress_type = compression
    info.create_system = 3
    return info
