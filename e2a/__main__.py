"""e2a-init: makes the topics and the bucket; safe to run again."""

import sys

from e2a import log, service
from e2a.bus import Admin, KafkaServer
from e2a.errors import ExitCode
from e2a.settings import InitSettings, load
from e2a.storage import open_store
from e2a.topics import topics

logger = log.get(__name__)


def run() -> int:
    settings = load(InitSettings, sys.argv[1:])
    log.configure(settings.log_level, settings.log_format)
    wanted = topics(settings.partitions)
    Admin(KafkaServer.of(settings), settings.patience).ensure_topics(wanted)
    open_store(settings).check()
    logger.info("init.done", topics=[topic.name for topic in wanted], storage=settings.storage)
    return ExitCode.OK


def main() -> None:
    sys.exit(service.run("e2a-init", run))


if __name__ == "__main__":
    main()
