"""A read-along edition: the book's own pages, in which each sentence lights up while it is heard (media overlays).

The producer has made the pages; here come the sound, and what says which element is heard when.
"""

import posixpath
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from lxml import etree

from e2a.plan import ACTIVE_CLASS, Plan, Sidecar, sentence_id
from merger.faults import AssemblyFailed
from merger.tags import about_book

_CONTAINER = "META-INF/container.xml"
_FIRST = ("mimetype", _CONTAINER)
_OPF = "http://www.idpf.org/2007/opf"
_SMIL = "http://www.w3.org/ns/SMIL"
_DATE = (1980, 1, 1, 0, 0, 0)
_LARGE = 2**31
"""Bytes from which a file in a zip needs 64-bit sizes."""


class Clip(NamedTuple):
    """A sentence, and where it is heard. Times are in milliseconds from the start of its chapter's recording."""

    identifier: str
    """Of its element."""
    chapter: int
    """Index of its chapter, from 0."""
    start: int
    end: int
    """Where the next one begins: what is between two sentences is heard too."""


class _Overlay(NamedTuple):
    """What is heard of a page."""

    page: str
    """Path in the EPUB."""
    path: str
    """Of its SMIL document."""
    clips: list[Clip]

    @property
    def milliseconds(self) -> int:
        return sum(clip.end - clip.start for clip in self.clips)


def read_along(
    plan: Plan, sidecars: Sequence[Sidecar], edition: Path, recordings: Sequence[Path], target: Path
) -> None:
    """Write a read-along edition; the same bytes for the same files.

    Args:
        plan: of the book.
        sidecars: one for each part, in reading order.
        edition: an EPUB 3 in which the element of a sentence is called as `sentence_id` says.
        recordings: an MP4 for each chapter, in which its parts follow each other without a gap.
        target: where it goes.

    Raises:
        AssemblyFailed: the edition is damaged.
        OSError: it cannot be written.
    """
    try:
        with zipfile.ZipFile(edition) as source:
            _write(plan, sidecars, source, recordings, target)
    except (zipfile.BadZipFile, KeyError, etree.XMLSyntaxError) as error:
        raise AssemblyFailed(f"{edition.name}: {error}") from error


def clips(plan: Plan, sidecars: Sequence[Sidecar], present: Iterable[str]) -> Iterator[Clip]:
    """Yield the clips of a book in the order in which they are heard; they leave out nothing of a chapter.

    Args:
        plan: of the book.
        sidecars: one for each part, in reading order.
        present: identifiers of the elements that there are; what has none is heard with the sentence before it.
    """
    known = frozenset(present)
    for chapter in plan.chapters:
        starts: list[tuple[str, int]] = []
        samples = 0
        for part in chapter.parts:
            for number, (first, _last) in enumerate(sidecars[part.index].sentences):
                if (identifier := sentence_id(part.index, number)) in known:
                    starts.append((identifier, samples + first if starts else 0))
            samples += sidecars[part.index].samples
        rate = sidecars[0].sample_rate
        times = [(identifier, start * 1000 // rate) for identifier, start in [*starts, ("", samples)]]
        for (identifier, start), (_next, end) in pairwise(times):
            if start < end:
                yield Clip(identifier, chapter.index, start, end)


def _write(
    plan: Plan, sidecars: Sequence[Sidecar], source: zipfile.ZipFile, recordings: Sequence[Path], target: Path
) -> None:
    opf = _package_path(source)
    package = etree.fromstring(source.read(opf))
    pages = {identifier: page for page in _pages(opf, package) for identifier in _identifiers(source, page)}
    stem = _free_stem(opf, source.namelist())
    overlays = _overlays(clips(plan, sidecars, pages), pages, stem)
    chapters = dict.fromkeys(clip.chapter for overlay in overlays for clip in overlay.clips)
    audio = {chapter: f"{stem}-chapter-{chapter + 1:03}.m4a" for chapter in chapters}
    _complete(package, opf, overlays, audio.values(), about_book(plan).narrator)
    made = {overlay.path: _smil(overlay, audio) for overlay in overlays}
    made[opf] = _serialized(package)
    recorded = {path: recordings[chapter] for chapter, path in audio.items()}
    names = {*source.namelist(), *made, *recorded}
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(names, key=lambda name: (name not in _FIRST, name != "mimetype", name)):
            if name in made:
                archive.writestr(_info(name, zipfile.ZIP_DEFLATED), made[name])
            elif name in recorded:
                _copy(recorded[name], archive, _info(name, zipfile.ZIP_STORED))
            else:
                old = source.getinfo(name)
                with source.open(old) as content, archive.open(_info(name, old.compress_type), "w") as copy:
                    shutil.copyfileobj(content, copy)


def _copy(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    is_large = path.stat().st_size >= _LARGE
    with path.open("rb") as content, archive.open(info, "w", force_zip64=is_large) as copy:
        shutil.copyfileobj(content, copy, 2**20)


def _info(name: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = compression
    return info


def _package_path(source: zipfile.ZipFile) -> str:
    container = etree.fromstring(source.read(_CONTAINER))
    return next(str(each.get("full-path")) for each in container.iter("{*}rootfile"))


def _pages(opf: str, package: etree._Element) -> list[str]:
    """Return the paths of the content documents."""
    items = package.iter(f"{{{_OPF}}}item")
    return [_path(opf, item) for item in items if item.get("media-type") == "application/xhtml+xml"]


def _path(opf: str, item: etree._Element) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(opf), unquote(item.get("href", ""))))


def _identifiers(source: zipfile.ZipFile, page: str) -> list[str]:
    return [str(element.get("id")) for element in etree.fromstring(source.read(page)).iter("{*}*") if element.get("id")]


def _free_stem(opf: str, names: Iterable[str]) -> str:
    """Return what the paths of new files begin with, so that none is that of a file, letter case apart."""
    stem = posixpath.join(posixpath.dirname(opf), "e2a")
    taken = [each.casefold() for each in names]
    while any(each.startswith((f"{stem}-chapter-".casefold(), f"{stem}-overlay-".casefold())) for each in taken):
        stem += "_"
    return stem


def _overlays(heard: Iterable[Clip], pages: Mapping[str, str], stem: str) -> list[_Overlay]:
    """Return the clips by page, the pages in the order in which they are first heard."""
    by_page: dict[str, list[Clip]] = defaultdict(list)
    for clip in heard:
        by_page[pages[clip.identifier]].append(clip)
    return [
        _Overlay(page, f"{stem}-overlay-{number:03}.smil", found)
        for number, (page, found) in enumerate(by_page.items(), 1)
    ]


def _smil(overlay: _Overlay, audio: Mapping[int, str]) -> bytes:
    root = etree.Element(f"{{{_SMIL}}}smil", {"version": "3.0"}, nsmap={None: _SMIL})  # type: ignore[dict-item]
    body = etree.SubElement(root, f"{{{_SMIL}}}body")
    page = _relative(overlay.path, overlay.page)
    for number, clip in enumerate(overlay.clips, 1):
        par = etree.SubElement(body, f"{{{_SMIL}}}par", id=f"par-{number}")
        etree.SubElement(par, f"{{{_SMIL}}}text", src=f"{page}#{clip.identifier}")
        times = {"clipBegin": _clock(clip.start), "clipEnd": _clock(clip.end)}
        etree.SubElement(par, f"{{{_SMIL}}}audio", {"src": _relative(overlay.path, audio[clip.chapter]), **times})
    return _serialized(root)


def _complete(
    package: etree._Element, opf: str, overlays: Sequence[_Overlay], audio: Iterable[str], narrator: str
) -> None:
    """Add overlays and recordings to the package document."""
    metadata, manifest = (next(package.iter(f"{{{_OPF}}}{name}")) for name in ("metadata", "manifest"))
    items = {_path(opf, item): item for item in manifest}
    for number, overlay in enumerate(overlays, 1):
        name = f"e2a-overlay-{number}"
        items[overlay.page].set("media-overlay", name)
        _item(manifest, name, _relative(opf, overlay.path), "application/smil+xml")
        _meta(metadata, "media:duration", _clock(overlay.milliseconds)).set("refines", f"#{name}")
    for number, path in enumerate(audio, 1):
        _item(manifest, f"e2a-audio-{number}", _relative(opf, path), "audio/mp4")
    if overlays:
        _meta(metadata, "media:duration", _clock(sum(overlay.milliseconds for overlay in overlays)))
        _meta(metadata, "media:narrator", narrator)
        _meta(metadata, "media:active-class", ACTIVE_CLASS)


def _item(manifest: etree._Element, name: str, href: str, media_type: str) -> None:
    etree.SubElement(manifest, f"{{{_OPF}}}item", {"id": name, "href": href, "media-type": media_type})


def _meta(metadata: etree._Element, name: str, text: str) -> etree._Element:
    meta = etree.SubElement(metadata, f"{{{_OPF}}}meta", {"property": name})
    meta.text = text
    return meta


def _relative(base: str, path: str) -> str:
    return quote(posixpath.relpath(path, posixpath.dirname(base) or "."))


def _clock(milliseconds: int) -> str:
    """Return a time as SMIL has it."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}s"


def _serialized(root: etree._Element) -> bytes:
    etree.indent(root)
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))
