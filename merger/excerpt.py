"""The finished chapters of a book that is still being made, as one m4b."""

from threading import Event

from e2a.plan import Chapter, Output, Plan, first_chapters
from e2a.report import Report
from e2a.storage import ObjectStore, read_sidecar
from merger.assembly import assemble
from merger.faults import CorruptParts

PARTIAL = "partial"
"""Stem of the key of its file."""


def assemble_finished(plan: Plan, store: ObjectStore, cancelled: Event) -> Report:
    """Assemble the chapters from the first on whose parts are all in storage, and return their report.

    Without a finished chapter the report has no file.

    Raises:
        AssemblyFailed: ffmpeg failed, or the scratch directory cannot be written.
        Cancelled: `cancelled` was set.
        Retryable: storage cannot be reached.
    """
    finished = list(_finished(plan, store))
    while finished:
        try:
            return assemble(_excerpt(plan, tuple(finished)), store, stem=PARTIAL, cancelled=cancelled)
        except CorruptParts as error:  # is made anew when the book is assembled
            finished = finished[: error.parts[0].chapter]
    return Report(
        book_id=plan.book_id,
        title=plan.title,
        authors=plan.authors,
        speech=plan.speech,
        output="",
        audio_seconds=0.0,
        audio_bytes=0,
        files=(),
    )


def _finished(plan: Plan, store: ObjectStore) -> list[Chapter]:
    finished: list[Chapter] = []
    for chapter in plan.chapters:
        if not all(read_sidecar(store, part.digest, plan.output.bitrate) for part in chapter.parts):
            break
        finished.append(chapter)
    return finished


def _excerpt(plan: Plan, chapters: tuple[Chapter, ...]) -> Plan:
    """Return the plan of some chapters of a book, which says so in its title."""
    which = f"{first_chapters(len(chapters))} of {len(plan.chapters)}"
    title = plan.title if chapters == plan.chapters else f"{plan.title} ({which})"
    output = Output(bitrate=plan.output.bitrate)
    changes = {"title": title, "chapters": chapters, "output": output, "accounting": None}
    return Plan(**(dict(plan) | changes))  # a copy would keep the parts that were cached
