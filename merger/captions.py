"""Captions of a book as WebVTT: every sentence with the times at which it is said."""

import html
from collections.abc import Sequence
from itertools import accumulate

from e2a.plan import Plan, Sidecar, sentence_id
from merger.clock import clock


def captions(plan: Plan, sidecars: Sequence[Sidecar]) -> str:
    """Return a WebVTT of all sentences; a cue is called as `sentence_id` says.

    Args:
        plan: of the book.
        sidecars: one for each part, in reading order.
    """
    starts = list(accumulate((sidecar.seconds for sidecar in sidecars), initial=0.0))
    blocks = ["WEBVTT"]
    for chapter in plan.chapters:
        blocks.append(f"NOTE {_escape(chapter.full_title)}")
        for part in chapter.parts:
            sidecar, start = sidecars[part.index], starts[part.index]
            for index, (sentence, (first, last)) in enumerate(zip(part.sentences, sidecar.sentences, strict=True)):
                times = (clock(start + sample / sidecar.sample_rate) for sample in (first, last))
                blocks.append(f"{sentence_id(part.index, index)}\n{' --> '.join(times)}\n{_escape(sentence.text)}")
    return "\n\n".join(blocks) + "\n"


def _escape(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False)
