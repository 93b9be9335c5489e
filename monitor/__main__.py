"""e2a-monitor: serve the page that shows books and workers."""

import os
import sys

from e2a import log, metrics, scratch, service
from e2a.errors import ExitCode
from e2a.settings import MonitorSettings, load
from e2a.storage import open_store
from monitor import links, server, uploads
from monitor.library import Library
from monitor.media import Media
from monitor.protection import protection

logger = log.get(__name__)

PATIENCE = 3.0
"""Seconds to wait for storage before a file is refused for now."""


def run() -> int:
    """Serve until a signal; the page gets this command's options again and reads them for itself."""
    settings = load(MonitorSettings, sys.argv[1:])
    log.configure(settings.log_level, settings.log_format)
    service.end_on_bugs_in_threads()  # a feed that no longer reads would show what was, for ever
    protected_by = protection(settings)
    store = open_store(settings.model_copy(update={"patience": PATIENCE}))
    media = Media(Library(store), links.shared())
    with server.listen(settings.monitor_host, settings.monitor_port) as listener:
        scratch.remove_abandoned(uploads.WORK)
        metrics.serve(settings.metrics_port, lambda: {"service": "e2a-monitor"}, metrics.MONITOR)
        app = server.application(settings, media.routes, uploads.shared(settings).close)
        logger.info("monitor.serving", host=settings.monitor_host, port=listener.getsockname()[1], access=protected_by)
        server.serve(app, listener)
    logger.info("monitor.stopped")
    return ExitCode.OK


def main() -> None:
    """Console script."""
    code = service.run("e2a-monitor", run)
    # nothing is left to do, and without a broker Kafka's clients, which the page holds, would take seconds to end
    os._exit(code)


if __name__ == "__main__":
    main()
