"""Structured logs on standard error: constant dotted event names with fields, never sentences."""

import logging
import sys

import stamina.instrumentation
import structlog

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(level: str = "info", style: str = "console") -> None:
    """Send structlog's and the standard library's records through one handler.

    Args:
        level: least level shown, such as `info`.
        style: `json` for machines, `console` for people.
    """
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    if style == "json":
        renderer = structlog.processors.JSONRenderer()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    get("stamina").warning("retry.scheduled", reason=str(details.caused_by), wait=round(details.wait_for, 1))


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger; `name` is the module's."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger
