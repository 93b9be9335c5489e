"""Ends a worker whose engine hangs: a thread inside a GPU's driver cannot be interrupted, only a process."""

import logging
import os
import threading
from collections.abc import Callable

from e2a import log
from e2a.errors import ExitCode

LOOK = 5.0
"""Most seconds between looks."""

logger = log.get(__name__)


def watch(silent_seconds: Callable[[], float], patience: float, ended: threading.Event) -> None:
    """Look at an engine until `ended` is set, and end the process at once when it is silent for too long.

    Args:
        silent_seconds: returns how long the engine has said nothing although it was to; 0 when it was not.
        patience: seconds for which it may be silent.
        ended: set when nobody need look any more.
    """
    while not ended.wait(min(LOOK, patience / 4)):
        if (silent := silent_seconds()) > patience:
            logger.error("engine.stuck", silent_seconds=round(silent), remedy=_REMEDY)
            logging.shutdown()
            os._exit(ExitCode.STUCK)


_REMEDY = (
    "the parts in hand go to other workers; start this one again, and if it happens again look at its device, "
    "or raise E2A_ENGINE_PATIENCE where a sentence may take that long"
)
