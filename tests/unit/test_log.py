"""Log lines, for people and for machines."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import stamina
import stamina.instrumentation
import structlog

from e2a import log


@pytest.fixture(autouse=True)
def _restored_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level, config = root.level, structlog.get_config()
    yield
    root.setLevel(level)
    structlog.configure(**config)
    stamina.instrumentation.set_on_retry_hooks(None)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was logged; nothing is ever written to standard output."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def json_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the one line that was logged."""
    (line,) = lines(capsys)
    value: dict[str, Any] = json.loads(line)
    return value


def test_console_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for people holds time, level, event and fields, without colour codes where there is no terminal."""
    log.configure("info", "console")
    log.get("tests").info("part.done", part=17)
    (line,) = lines(capsys)
    assert "[info" in line
    assert line.split()[-2:] == ["part.done", "part=17"]
    assert "\x1b" not in line


def test_console_line_of_a_library(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of the standard library goes through the same handler."""
    log.configure("info", "console")
    logging.getLogger("kafka").warning("broker %s is away", "b1")
    (line,) = lines(capsys)
    assert "[warning" in line
    assert "broker b1 is away" in line


def test_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for machines is one JSON object: event, level, UTC time and the fields."""
    log.configure("info", "json")
    log.get("tests").warning("part.failed", part=17, reason="two\nlines")
    value = json_line(capsys)
    assert value.pop("timestamp").endswith("Z")
    assert value == {"event": "part.failed", "level": "warning", "part": 17, "reason": "two\nlines"}


def test_json_line_of_a_library(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of the standard library becomes JSON of the same shape."""
    log.configure("info", "json")
    logging.getLogger("kafka").warning("broker %s is away", "b1")
    value = json_line(capsys)
    assert value.pop("timestamp").endswith("Z")
    assert value == {"event": "broker b1 is away", "level": "warning"}


@pytest.mark.parametrize("library", [False, True], ids=["ours", "library"])
def test_exception_in_json(capsys: pytest.CaptureFixture[str], library: bool) -> None:
    """A traceback is a field, so an exception is one line too."""
    log.configure("info", "json")
    logger: Any = logging.getLogger("kafka") if library else log.get("tests")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logger.exception("merge.bug")
    value = json_line(capsys)
    assert (value["event"], value["level"]) == ("merge.bug", "error")
    assert value["exception"].splitlines()[-1] == "ZeroDivisionError"


def test_exception_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    """For people the traceback follows the line."""
    log.configure("info", "console")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        log.get("tests").exception("merge.bug")
    shown = lines(capsys)
    assert shown[0].endswith("merge.bug")
    assert shown[-1] == "ZeroDivisionError"


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the level nothing is shown, neither ours nor the libraries'."""
    log.configure("warning", "json")
    log.get("tests").info("part.done")
    logging.getLogger("kafka").info("chatter")
    log.get("tests").error("part.failed")
    assert json_line(capsys)["event"] == "part.failed"


def test_debug_level(capsys: pytest.CaptureFixture[str]) -> None:
    """At debug everything is shown."""
    log.configure("debug", "json")
    log.get("tests").debug("part.started")
    assert json_line(capsys)["level"] == "debug"


def test_one_handler(capsys: pytest.CaptureFixture[str]) -> None:
    """Configuring again replaces the handler: a line is not written twice."""
    log.configure("info", "console")
    log.configure("info", "json")
    log.get("tests").info("part.done")
    assert json_line(capsys)["event"] == "part.done"


def test_context_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """Fields bound to the context are on every line inside it."""
    log.configure("info", "json")
    with structlog.contextvars.bound_contextvars(book="b"):
        log.get("tests").info("part.done")
    assert json_line(capsys)["book"] == "b"


@pytest.mark.parametrize(("level", "count"), [("warning", 1), ("error", 0)])
def test_a_retry_is_a_line(capsys: pytest.CaptureFixture[str], level: str, count: int) -> None:
    """What is tried again is told with the reason to those who run a service, and not to those who wait for a book."""
    log.configure(level, "json")
    failures = [OSError("no space")]
    with stamina.set_testing(True, attempts=2):
        for attempt in stamina.retry_context(on=OSError):
            with attempt:
                if failures:
                    raise failures.pop()
    told = [json.loads(line) for line in lines(capsys)]
    assert [(line["event"], line["reason"]) for line in told] == [("retry.scheduled", "no space")] * count
