"""e2a-monitor: serve the page that shows books and workers."""

import socket
import sys

from e2a import log, metrics, service
from e2a.errors import ExitCode, UserError
from e2a.settings import MonitorSettings, load
from monitor.dashboard import serve

logger = log.get(__name__)


def run() -> int:
    """Serve until a signal; the page gets this command's options again and reads them for itself."""
    argv = sys.argv[1:]
    settings = load(MonitorSettings, argv)
    log.configure(settings.log_level, settings.log_format)
    port = _free_port(settings.monitor_host, settings.monitor_port)
    metrics.serve(settings.metrics_port, lambda: {"service": "e2a-monitor"})
    logger.info("monitor.serving", host=settings.monitor_host, port=port)
    serve(settings.monitor_host, port, argv)
    logger.info("monitor.stopped")
    return ExitCode.OK


def _free_port(host: str, port: int) -> int:
    """Return `port`, or one the system chose for port 0, once it was seen to be free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as server:
            return int(server.getsockname()[1])
    except OSError as error:
        message = f"cannot serve: {error.strerror}; set E2A_MONITOR_HOST, E2A_MONITOR_PORT"
        raise UserError(message, ExitCode.UNAVAILABLE) from error


def main() -> None:
    """Console script."""
    sys.exit(service.run("e2a-monitor", run))


if __name__ == "__main__":
    main()
