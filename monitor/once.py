"""What a process has one of, whoever asks for it first."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def once(make: Callable[[Given], Made]) -> Callable[[Given], Made]:
    """Return what makes its value the first time and has it from then on, whatever it is given; thread-safe.

    Streamlit's caches are for what may be lost: any browser may have them cleared, at any time.
    """
    lock = threading.Lock()
    made: list[Made] = []

    @wraps(make)
    def shared(given: Given) -> Made:
        with lock:
            if not made:
                made.append(make(given))
        return made[0]

    return shared
