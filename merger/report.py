"""The report of a book that was just assembled: a pure function."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from e2a.plan import Plan, Sidecar
from e2a.report import Report, ReportedChapter, ReportedRetake, reported
from merger.tags import Mark


def report(plan: Plan, sidecars: Sequence[Sidecar], marks: Sequence[Mark], *, output: str, audio_bytes: int) -> Report:
    """Return what is known of a finished book.

    Args:
        plan: of the book.
        sidecars: one for each part, in reading order, all of one sample rate.
        marks: one for each chapter.
        output: storage key of the book.
        audio_bytes: its size.
    """
    sample_rate = sidecars[0].sample_rate
    return Report(
        book_id=plan.book_id,
        title=plan.title,
        authors=plan.authors,
        speech=plan.speech,
        output=output,
        audio_seconds=sum(sidecar.samples for sidecar in sidecars) / sample_rate,
        audio_bytes=audio_bytes,
        accounting=plan.accounting,
        problems=plan.problems,
        chapters=tuple(
            ReportedChapter(
                title=mark.title,
                start=round(mark.start / sample_rate, 3),
                seconds=round((mark.end - mark.start) / sample_rate, 3),
            )
            for mark in marks
        ),
        retakes=tuple(_retakes(plan, sidecars)),
    )


def _retakes(plan: Plan, sidecars: Sequence[Sidecar]) -> Iterator[ReportedRetake]:
    starts = accumulate((sidecar.seconds for sidecar in sidecars), initial=0.0)
    for part, sidecar, start in zip(plan.parts, sidecars, starts, strict=False):  # the last start is the end
        for retake in sidecar.retakes:
            title = plan.chapters[part.chapter].full_title
            yield reported(retake, chapter=part.chapter, title=title, part=part.index, offset=start)
