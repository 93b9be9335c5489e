"""How states look: a mark and a colour each, so that nobody needs to tell colours apart.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart, on light and dark.
"""

from typing import Literal, NamedTuple

from e2a.shelf import Condition
from monitor.records import PartState
from monitor.words import Words

Activity = Literal["speaking", "waiting", "draining", "drained", "silent"]
"""What a worker is at."""
SKY, BLUE, GREEN, ORANGE = "#56B4E9", "#0072B2", "#009E73", "#E69F00"
VERMILLION, PURPLE, GREY = "#D55E00", "#CC79A7", "#999999"


class Look(NamedTuple):
    """How a state is shown."""

    mark: str
    """A sign, one character."""
    colour: str


PARTS: dict[PartState, Look] = {
    "done": Look("✓", GREEN),
    "running": Look("►", SKY),
    "waiting": Look("○", GREY),
    "retry": Look("↻", ORANGE),
    "failed": Look("✕", VERMILLION),
}
BOOKS: dict[Condition, Look] = {
    "synthesising": Look("►", SKY),
    "assembling": Look("+", PURPLE),
    "done": Look("✓", GREEN),
    "failed": Look("✕", VERMILLION),
    "paused": Look("‖", ORANGE),
    "cancelled": Look("⊘", GREY),
    "submitted": Look("○", GREY),
    "incomplete": Look("!", ORANGE),
    "removing": Look("⊗", GREY),
}
WORKERS: dict[Activity, Look] = {
    "speaking": Look("►", SKY),
    "waiting": Look("○", GREY),
    "draining": Look("↓", ORANGE),
    "drained": Look("⊘", GREY),
    "silent": Look("✕", VERMILLION),
}


def part_state(state: PartState, _: Words) -> str:
    """Return the name of a state of a part, or of a chapter."""
    return {
        "done": _("done"),
        "running": _("running"),
        "waiting": _("waiting"),
        "retry": _("to be tried again"),
        "failed": _("failed"),
    }[state]


def condition(state: Condition, _: Words) -> str:
    """Return the name of a condition of a book."""
    return {
        "synthesising": _("synthesising"),
        "assembling": _("assembling"),
        "done": _("done"),
        "failed": _("failed"),
        "paused": _("paused"),
        "cancelled": _("cancelled"),
        "submitted": _("submitted"),
        "incomplete": _("incomplete"),
        "removing": _("being removed"),
    }[state]


def worker_state(state: Activity, _: Words) -> str:
    """Return the name of a state of a worker."""
    return {
        "speaking": _("speaking"),
        "waiting": _("waiting"),
        "draining": _("draining"),
        "drained": _("drained"),
        "silent": _("silent"),
    }[state]
