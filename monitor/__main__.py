"""e2a-monitor: serve the page that shows books and workers."""

import sys

from e2a import log, metrics, service
from e2a.errors import ExitCode
from e2a.settings import MonitorSettings, load
from monitor import access, server, uploads

logger = log.get(__name__)


def run() -> int:
    """Serve until a signal; the page gets this command's options again and reads them for itself."""
    settings = load(MonitorSettings, sys.argv[1:])
    log.configure(settings.log_level, settings.log_format)
    protection = access.protection(settings)
    with server.listen(settings.monitor_host, settings.monitor_port) as listener:
        metrics.serve(settings.metrics_port, lambda: {"service": "e2a-monitor"})
        app = server.application(settings, [], uploads.shared(settings).close)
        logger.info("monitor.serving", host=settings.monitor_host, port=listener.getsockname()[1], access=protection)
        server.serve(app, listener)
    logger.info("monitor.stopped")
    return ExitCode.OK


def main() -> None:
    """Console script."""
    sys.exit(service.run("e2a-monitor", run))


if __name__ == "__main__":
    main()
