"""The container of an EPUB (EPUB 3.3, section 4): a zip, forgiving about names and bounded in what it unpacks."""

import io
import posixpath
import re
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from lxml import etree

from e2a.errors import ExitCode, UserError
from producer.markup import Element, collapse, local_name, parse_xml

MAX_MEMBERS = 20_000
"""Files in one EPUB; the largest books known have some 2,000."""
MAX_MEMBER_BYTES = 64 * 2**20
"""Unpacked size of one file that is read; whole books are seldom beyond 5 MiB of text."""
MAX_TOTAL_BYTES = 512 * 2**20
"""Unpacked size of all files that are read."""
MAX_RATIO = 200
"""Unpacked to packed size of the files that are read; text packs 2:1 to 10:1, a zip bomb up to 1,032:1."""
RATIO_FREE_BYTES = 4 * 2**20
"""Up to this size in all they may pack as well as they can."""

_CHUNK = 64 * 2**10
_DIRECTORY_BYTES = 512 * MAX_MEMBERS
_TOO_MANY = f"more than {MAX_MEMBERS:,} files are in it, as in no book"
_CONTAINER = "META-INF/container.xml"
_PACKAGE_TYPE = "application/oebps-package+xml"
_FONT_OBFUSCATION = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
_SCHEMES = {
    "META-INF/license.lcpl": "Readium LCP",
    "META-INF/sinf.xml": "Apple FairPlay",
    "META-INF/rights.xml": "Adobe ADEPT",
}
"""What each kind of DRM leaves beside the list of what it encrypted."""
_JUNK = re.compile(r"(?:^|/)(?:__MACOSX(?:/|$)|\.DS_Store$|\._[^/]*$)")
_MAGIC = (
    (0, re.compile(rb"PK\x03\x04"), "the end of the zip is missing, the download is cut short: fetch it again"),
    (0, re.compile(rb"%PDF"), "not an EPUB but a PDF, which is not read"),
    (60, re.compile(rb"BOOKMOBI"), "not an EPUB but a Kindle book (MOBI, AZW), which is not read"),
    (0, re.compile(rb"\{\\rtf"), "not an EPUB but an RTF document, which is not read"),
    (
        0,
        re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)", re.IGNORECASE),
        "not an EPUB but a web page: fetch it again",
    ),
    (0, re.compile(rb""), "not an EPUB: it is no zip file"),
)
"""First bytes of what gets called .epub, from where in the file, and what to say of it."""
_UNZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # a later version of the format
    OverflowError,  # offsets beyond any file
    ValueError,  # names that are not in the encoding they claim
    EOFError,
    OSError,
)
"""All that zipfile raises on bytes that are not as they should be, encryption and compression looked at before."""


class Damaged(Exception):
    """A file in the container cannot be unpacked."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class Oversized(Damaged):
    """A file in the container, or all that were read, would unpack to more than a limit of this module."""


class Archive:
    """An open container; names are relative to the folder that META-INF is in, with slashes.

    Use it in a `with` statement: it holds the file open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes_read = 0
        """Unpacked bytes so far."""
        self._bytes_packed = 0
        with ExitStack() as stack:
            raw = stack.enter_context(_BoundedFile(path))
            self._zip = stack.enter_context(zipfile.ZipFile(raw))
            if len(self._zip.infolist()) > MAX_MEMBERS:
                raise Oversized("", _TOO_MANY)
            self._stack = stack.pop_all()
        self._members = _below_root({name: info for info in self._zip.infolist() if (name := _member_name(info))})
        self._index: list[dict[str, list[str]]] = [defaultdict(list) for _ in _FOLDS]
        for name in self._members:
            for fold, index in zip(_FOLDS, self._index, strict=True):
                index[fold(name)].append(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files, in the order of the zip, without what operating systems leave in it."""
        return tuple(self._members)

    def find(self, name: str) -> str | None:
        """Return the name of the file that a link means; None when it means none, or leads out of the container.

        After the exact name come percent-encoding, Unicode normalisation and letter case, if one file alone fits.
        """
        if not (path := normal_path(name)):
            return None
        for fold, index in zip(_FOLDS, self._index, strict=True):
            found = index.get(fold(path), ())
            if len(found) == 1:
                return found[0]
        return None

    def read(self, name: str) -> bytes:
        """Return the content of a file, which is looked for as `find` does.

        Raises:
            KeyError: there is none.
            Oversized: it passes a limit of this module.
            Damaged: it cannot be unpacked.
        """
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        member = self._members[found]
        if member.flag_bits & 0x1:
            raise Damaged(found, "it is encrypted")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Damaged(found, f"it is compressed by method {member.compress_type}, which no EPUB may use")
        self._check_size(found, member, member.file_size)
        try:
            return self._unpack(found, member)
        except _UNZIP_ERRORS as error:
            raise Damaged(found, _reason(error)) from error

    def refusal(self, reason: str) -> UserError:
        """Return the error that says why this file cannot be read as an EPUB."""
        return UserError(one_line(f"{self.path}: {reason}"), ExitCode.BAD_INPUT)

    def _unpack(self, name: str, member: zipfile.ZipInfo) -> bytes:
        content = bytearray()
        with self._zip.open(member) as stream:
            while chunk := stream.read(_CHUNK):
                content += chunk
                self._check_size(name, member, len(content))  # what the zip declares may be a lie
        self.bytes_read += len(content)
        self._bytes_packed += member.compress_size
        return bytes(content)

    def _check_size(self, name: str, member: zipfile.ZipInfo, size: int) -> None:
        if size > MAX_MEMBER_BYTES:
            raise Oversized(name, f"it unpacks to more than {MAX_MEMBER_BYTES // 2**20} MiB")
        if self.bytes_read + size > max(RATIO_FREE_BYTES, MAX_RATIO * (self._bytes_packed + member.compress_size)):
            raise Oversized(name, f"it unpacks to more than {MAX_RATIO} times its size")
        if self.bytes_read + size > MAX_TOTAL_BYTES:
            raise Oversized(name, f"with it more than {MAX_TOTAL_BYTES // 2**20} MiB would be unpacked")


def open_archive(path: Path) -> Archive:
    """Open the container of an EPUB.

    Raises:
        UserError: there is no such file (NO_INPUT), or it is no zip, or one of too many files (BAD_INPUT).
    """
    try:
        if not path.is_file():
            reason = "not a file" if path.exists() else "no such file"
            raise UserError(one_line(f"{path}: {reason}"), ExitCode.NO_INPUT)
        return Archive(path)
    except Oversized as error:
        raise UserError(one_line(f"{path}: {error.reason}"), ExitCode.BAD_INPUT) from error
    except _UNZIP_ERRORS as error:
        raise UserError(one_line(f"{path}: {_seems(path, error)}"), ExitCode.BAD_INPUT) from error


def rootfiles(archive: Archive) -> list[str]:
    """Return the names of the package documents that the container names, the one to read first.

    That is the first of its media type (EPUB 3.3, section 4.2.6.3.1); those of another come last.
    """
    lines = [each for each in _elements(archive, _CONTAINER) if local_name(each) == "rootfile"]
    lines.sort(key=lambda line: line.get("media-type", "").strip().lower() != _PACKAGE_TYPE)
    return [found for line in lines if (found := archive.find(line.get("full-path", "").strip()))]


def encrypted(archive: Archive) -> frozenset[str]:
    """Return the names of the files that cannot be read without a key; obfuscated fonts are none of them."""
    names: set[str] = set()
    for data in _elements(archive, "META-INF/encryption.xml"):
        if local_name(data) != "encrypteddata":
            continue
        methods = [each.get("Algorithm", "") for each in data.iter() if local_name(each) == "encryptionmethod"]
        if methods[:1] and methods[0].strip() in _FONT_OBFUSCATION:
            continue
        links = (each.get("URI", "") for each in data.iter() if local_name(each) == "cipherreference")
        names.update(found for link in links if (found := archive.find(link.strip())))
    return frozenset(names)


def protection(archive: Archive) -> str:
    """Return the name of the DRM that a container shows signs of; empty when there are none."""
    return next((scheme for sign, scheme in _SCHEMES.items() if archive.find(sign)), "")


def normal_path(name: str) -> str:
    """Return a path in a container without `.`, `..` and backslashes; empty when it leads out of it."""
    path = posixpath.normpath(name.replace("\\", "/"))
    return "" if path.startswith("/") or path in {"", ".", ".."} or path.startswith("../") else path


def one_line(text: str) -> str:
    """Return a text, of which names in a file may be a part, as one line that does nothing to a terminal."""
    line = collapse(text)
    return line if line.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in line)


class _BoundedFile(io.FileIO):
    """A file of which no more is read at once than the list of the most files that are let in."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_BYTES:
            raise Oversized("", _TOO_MANY)
        return super().read(-1 if size is None else size) or b""


def _unquoted(path: str) -> str:
    return normal_path(unquote(path))


def _normalised(path: str) -> str:
    return unicodedata.normalize("NFC", _unquoted(path))


def _folded(path: str) -> str:
    return _normalised(path).casefold()


_FOLDS: tuple[Callable[[str], str], ...] = (str, _unquoted, _normalised, _folded)
"""What two names must have in common to be the same, from the strictest to the most forgiving."""


def _member_name(member: zipfile.ZipInfo) -> str:
    """Return the path of a file in a zip; empty for a folder and for junk."""
    name = member.filename
    if not member.flag_bits & 0x800:  # not said to be UTF-8, and most often it is
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    if name.endswith(("/", "\\")) or _JUNK.search(path := normal_path(name.lstrip("/\\"))):
        return ""
    return path


def _below_root(members: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the files under the folder that holds META-INF, by their paths from there."""
    roots = {name[: -len(_CONTAINER)] for name in members if name.casefold().endswith(_CONTAINER.casefold())}
    roots = {root for root in roots if root == "" or root.endswith("/")}
    if "" in roots or len(roots) != 1:
        return members
    (root,) = roots
    return {name.removeprefix(root): info for name, info in members.items() if name.startswith(root)}


def _elements(archive: Archive, name: str) -> Iterator[Element]:
    """Yield the elements of an XML file; none when it cannot be read."""
    with suppress(KeyError, Damaged):
        root = parse_xml(archive.read(name))
        if root is not None:
            yield from root.iter(etree.Element)


def _seems(path: Path, error: Exception) -> str:
    """Say what a file that cannot be opened as a zip looks like."""
    try:
        if isinstance(error, OSError):
            raise error
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as trouble:
        return f"cannot be read: {trouble.strerror or trouble}"
    if not head:
        return "not an EPUB: the file is empty"
    if zipfile.is_zipfile(path):
        return "not a readable EPUB: the list of files in the zip is damaged"
    return next(message for offset, magic, message in _MAGIC if magic.match(head, offset))


def _reason(error: Exception) -> str:
    if isinstance(error, zlib.error):
        return "its compressed data are damaged"
    if isinstance(error, EOFError):
        return "it is cut short"
    if "CRC" in str(error):
        return "its checksum is wrong"
    return "its place in the zip is damaged"
