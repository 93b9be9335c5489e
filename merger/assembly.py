"""A book from its parts, as every file that was asked for.

Where the format allows it nothing is encoded again, so a book takes seconds, and a chapter mark is the sum of the
samples before it.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from e2a import __version__, log
from e2a.plan import Chapter, Format, Plan, Sidecar, letters
from e2a.report import Report, ReportedFile
from e2a.scratch import scratch
from e2a.storage import ObjectStore, keys
from merger import acx, ffmpeg, tags
from merger.captions import captions
from merger.faults import AssemblyFailed, CorruptParts, TextLost
from merger.formats import RECIPES, copying, encoding
from merger.names import track_name
from merger.parts import Parts
from merger.readalong import read_along
from merger.report import report
from merger.tags import Mark, Tags

BOOK = "book"
"""Stem of the keys of files that are the whole book."""

logger = log.get(__name__)


def assemble(
    plan: Plan,
    store: ObjectStore,
    *,
    stem: str = BOOK,
    cancelled: Event | None = None,
    fence: Callable[[], object] = lambda: None,
) -> Report:
    """Assemble a book whose parts are all in storage, put it there, and return its report, which is not stored.

    Args:
        plan: of the book.
        store: where its parts are, and where it goes.
        stem: of the keys of files that are the whole book.
        cancelled: ends the work when it is set.
        fence: called right before anything is put; raises when the book is somebody else's.

    Raises:
        CorruptParts: parts are missing or are not what their sidecars say; it names all of them.
        TextLost: the plan lost some of the book.
        AssemblyFailed: ffmpeg failed, or the scratch directory cannot be written.
        Cancelled: `cancelled` was set.
        Retryable: storage cannot be reached.
    """
    _check_text(plan)
    parts = Parts(plan, store)
    try:
        with scratch("merge") as folder:
            return _Assembly(plan, store, parts, folder, stem=stem, cancelled=cancelled or Event(), fence=fence).run()
    except CorruptParts as error:
        raise CorruptParts(parts.corrupt(error.parts)) from error
    except OSError as error:
        raise AssemblyFailed(f"{error.filename or tempfile.gettempdir()}: {error.strerror}") from error


def chapter_marks(plan: Plan, sidecars: Sequence[Sidecar]) -> list[Mark]:
    """Return the mark of each chapter, exact to the sample."""
    marks: list[Mark] = []
    position = 0
    for chapter in plan.chapters:
        end = position + sum(sidecars[part.index].samples for part in chapter.parts)
        marks.append(Mark(chapter.full_title, position / sidecars[0].sample_rate, end / sidecars[0].sample_rate))
        position = end
    return marks


class _Assembly:
    """The assembly of one book; for the arguments see `assemble`, `folder` is where it works."""

    def __init__(
        self,
        plan: Plan,
        store: ObjectStore,
        parts: Parts,
        folder: Path,
        *,
        stem: str,
        cancelled: Event,
        fence: Callable[[], object],
    ) -> None:
        self._plan = plan
        self._store = store
        self._parts = parts
        self._folder = folder
        self._stem = stem
        self._cancelled = cancelled
        self._fence = fence
        self._marks = chapter_marks(plan, parts.sidecars)
        self._problems: list[str] = []
        self._cover = self._fetch_cover()

    def run(self) -> Report:
        versions = {"e2a": __version__, "ffmpeg": ffmpeg.version("ffmpeg")}
        files = list(self._files())
        sidecars, problems = self._parts.sidecars, self._problems
        return report(self._plan, sidecars, self._marks, files=files, problems=problems, versions=versions)

    def _files(self) -> Iterator[ReportedFile]:
        output = self._plan.output
        forms = tuple(dict.fromkeys(output.formats))
        for form in forms:
            if form == "epub":
                yield from self._read_along()
            elif form == "acx" or output.split:
                yield from self._chapters(form)
            else:
                yield self._whole(form)
        if not output.split and output.recordings and self._stem == BOOK:
            yield self._captions()

    def _whole(self, form: Format) -> ReportedFile:
        extension = RECIPES[form].extension
        path = self._folder / f"{self._stem}{extension}"
        self._make(form, self._plan.chapters, path, tags.about_book(self._plan), self._marks)
        if lost := tags.left_out(form, self._marks):
            self._problems.append(
                f"{form}: {lost} of {len(self._marks)} chapters have no mark: there is no way to write it"
            )
        return self._put(form, path, path.name, extension)

    def _chapters(self, form: Format) -> Iterator[ReportedFile]:
        extension = RECIPES[form].extension
        place = self._plan.output.folder(form)
        for chapter in self._plan.chapters:
            number = chapter.index + 1
            path = self._folder / f"{number:03}{extension}"
            self._make(form, [chapter], path, tags.about_chapter(self._plan, chapter))
            name = track_name(number, len(self._plan.chapters), chapter.full_title)
            if form == "acx":
                self._problems += [
                    f"ACX, {name}: {fault}"
                    for fault in acx.faults(path, self._seconds([chapter]) + RECIPES[form].added)
                ]
            yield self._put(form, path, f"{form}/{path.name}", f"{place}/{name}{extension}")

    def _read_along(self) -> Iterator[ReportedFile]:
        if not self._plan.edition:  # its problems tell why
            return
        edition = self._folder / "edition.epub"
        key = keys.book(self._plan.book_id, self._plan.edition)
        try:
            self._store.get_file(key, edition)
        except KeyError:
            self._problems.append(f"no read-along edition was made: storage holds no {key}")
            return
        recordings = [self._folder / f"{chapter.index + 1:03}.m4a" for chapter in self._plan.chapters]
        for chapter, recording in zip(self._plan.chapters, recordings, strict=True):
            self._make("m4a", [chapter], recording)
        target = self._folder / f"{self._stem}.epub"
        try:
            read_along(self._plan, self._parts.sidecars, edition, recordings, target)
        except AssemblyFailed as error:
            self._problems.append(f"no read-along edition was made: {error}")
            return
        finally:
            for path in (edition, *recordings):
                path.unlink()
        yield self._put("epub", target, target.name, ".read-along.epub")

    def _captions(self) -> ReportedFile:
        path = self._folder / f"{self._stem}.vtt"
        path.write_text(captions(self._plan, self._parts.sidecars), encoding="utf-8")
        return self._put("vtt", path, path.name, path.suffix)

    def _make(
        self,
        form: Format,
        chapters: Sequence[Chapter],
        target: Path,
        about: Tags | None = None,
        marks: Sequence[Mark] = (),
    ) -> None:
        """Make a file of chapters; without `about` it has no tags and no cover."""
        recipe, rate = RECIPES[form], self._parts.sample_rate
        parts = [part for chapter in chapters for part in chapter.parts]
        if recipe.copies:
            metadata = self._folder / "marks.txt"
            metadata.write_text(tags.ffmetadata(marks, rate), encoding="utf-8")
            arguments = copying(recipe, metadata, tags.language_code(self._plan), target)
            audio = self._parts.aac(parts)
        else:
            is_long = form == "wav" and 2 * self._parts.samples(parts) >= tags.RIFF
            info = tags.riff_info(about) if about and is_long else {}
            arguments = encoding(recipe, rate, self._plan.output.bitrate, info, target)
            audio = self._parts.pcm(parts)
        ffmpeg.run(arguments, audio, self._cancelled)
        found, wanted = ffmpeg.samples(target, rate), round((self._seconds(chapters) + recipe.added) * rate)
        if abs(found - wanted) > recipe.tolerance * rate:
            raise AssemblyFailed(f"ffmpeg: {target.name} holds {found} samples, its parts {wanted}")
        if about:
            tags.write(target, form, about, marks, self._cover)

    def _seconds(self, chapters: Sequence[Chapter]) -> float:
        parts = (part for chapter in chapters for part in chapter.parts)
        return self._parts.samples(parts) / self._parts.sample_rate

    def _put(self, form: str, path: Path, name: str, delivered: str) -> ReportedFile:
        """Put a file into storage and remove it here."""
        key = keys.output(self._plan.book_id, name)
        size = path.stat().st_size
        self._fence()
        self._store.put_file(key, path)
        path.unlink()
        return ReportedFile(format=form, key=key, name=delivered, size=size)

    def _fetch_cover(self) -> bytes:
        """Return the cover, empty when there is none that can be shown: that is no reason to have no book."""
        if not self._plan.cover:
            return b""
        path = self._folder / "cover"
        try:
            self._store.get_file(keys.book(self._plan.book_id, self._plan.cover), path)
        except KeyError:
            return self._no_cover("is not in storage")
        return path.read_bytes() if ffmpeg.shows(path) else self._no_cover("is no picture, or a damaged one")

    def _no_cover(self, reason: str) -> bytes:
        logger.warning("assembly.no_cover", book=self._plan.book_id, cover=self._plan.cover, reason=reason)
        self._problems.append(f"the cover {self._plan.cover} was left out: it {reason}")
        return b""


def _check_text(plan: Plan) -> None:
    """Raise `TextLost` unless what the plan speaks is what its accounting of the book says."""
    if plan.accounting is None:
        return
    sentences = (sentence for part in plan.parts for sentence in part.sentences)
    spoken = sum(len(letters(sentence.text)) for sentence in sentences)
    if not plan.accounting.adds_up or spoken != plan.accounting.spoken:
        raise TextLost(f"the plan speaks {spoken} characters and does not add up: {plan.accounting}")
