"""The report of a book that was just assembled: a pure function."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby

from e2a.plan import Chapter, Plan, Sidecar
from e2a.report import Report, ReportedChapter, ReportedFile, ReportedRetake, ReportedWorker, reported
from merger.tags import Mark


def report(
    plan: Plan,
    sidecars: Sequence[Sidecar],
    marks: Sequence[Mark],
    *,
    files: Sequence[ReportedFile],
    problems: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
) -> Report:
    """Return what is known of a finished book.

    Args:
        plan: of the book.
        sidecars: one for each part, in reading order, all of one sample rate.
        marks: one for each chapter.
        files: that it was made as; the first is the one that older readers know of.
        problems: what was found beside those that the plan has.
        versions: of the programs that assembled it.
    """
    return Report(
        book_id=plan.book_id,
        title=plan.title,
        authors=plan.authors,
        speech=plan.speech,
        output=files[0].key if files else "",
        audio_seconds=sum(sidecar.samples for sidecar in sidecars) / sidecars[0].sample_rate,
        audio_bytes=files[0].size if files else 0,
        files=tuple(files),
        accounting=plan.accounting,
        problems=(*plan.problems, *problems),
        chapters=tuple(
            ReportedChapter(
                title=mark.title,
                start=round(mark.start, 3),
                seconds=round(mark.end - mark.start, 3),
                loudness=_loudness(chapter, sidecars),
            )
            for chapter, mark in zip(plan.chapters, marks, strict=True)
        ),
        retakes=tuple(_retakes(plan, sidecars)),
        workers=tuple(_workers(sidecars)),
        versions={
            **(versions or {}),
            "engine": ", ".join(sorted({sidecar.engine for sidecar in sidecars})),
            "encoder": ", ".join(sorted({sidecar.encoder for sidecar in sidecars})),
        },
    )


def _loudness(chapter: Chapter, sidecars: Sequence[Sidecar]) -> float | None:
    """Return the mean loudness of a chapter's parts by energy; None when none of them has one."""
    made = [sidecars[part.index] for part in chapter.parts]
    known = [(sidecar.samples, sidecar.loudness) for sidecar in made if sidecar.loudness is not None]
    if not known:
        return None
    energy = sum(samples * 10 ** (loudness / 10) for samples, loudness in known)
    return round(10 * math.log10(energy / sum(samples for samples, _loudness in known)), 2)


def _workers(sidecars: Sequence[Sidecar]) -> Iterator[ReportedWorker]:
    by_name = sorted(sidecars, key=lambda sidecar: sidecar.worker)
    for name, group in groupby(by_name, key=lambda sidecar: sidecar.worker):
        made = list(group)
        yield ReportedWorker(
            worker=name,
            parts=len(made),
            audio_seconds=round(sum(sidecar.seconds for sidecar in made), 3),
            work_seconds=round(sum(sidecar.work_seconds for sidecar in made), 3),
        )


def _retakes(plan: Plan, sidecars: Sequence[Sidecar]) -> Iterator[ReportedRetake]:
    starts = accumulate((sidecar.seconds for sidecar in sidecars), initial=0.0)
    for part, sidecar, start in zip(plan.parts, sidecars, starts, strict=False):  # the last start is the end
        for retake in sidecar.retakes:
            title = plan.chapters[part.chapter].full_title
            yield reported(retake, chapter=part.chapter, title=title, part=part.index, offset=start)
