"""The coordinator: plans a book, sends a task for each chapter that is missing, waits for the checkpoint, assembles.

Started again it sends what is missing again.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from redis.exceptions import RedisError

from bench.celery.app import app, chapter, checkpoint, done_key
from e2a.plan import Chapter, Plan
from e2a.settings import ProducerSettings, load
from e2a.storage import ObjectStore, open_store
from merger.assembly import assemble
from producer import delivery, ingest

POLL = 0.1
"""Seconds between looks at the checkpoint."""


def missing(plan: Plan, store: ObjectStore) -> list[Chapter]:
    """Return the chapters that are not whole, the longest first: so workers end together."""
    found = [each for each in plan.chapters if not ingest.is_whole(each, plan, store)]
    return sorted(found, key=lambda each: -sum(part.estimate for part in each.parts))


def send(plan: Plan, chapters: Sequence[Chapter]) -> None:
    """Put a task for each chapter into the queue."""
    with app.connection_for_write() as connection:
        for each in chapters:
            chapter.apply_async((plan.book_id, each.index), connection=connection)


def wait(plan: Plan, store: ObjectStore, redis_url: str, again: float) -> None:
    """Send the missing chapters and return when the checkpoint has all of them.

    Args:
        plan: of the book, which is in storage.
        store: where its parts go.
        redis_url: of broker and checkpoint.
        again: seconds without a finished chapter after which the missing ones are sent again; 0 for never.
    """
    with checkpoint(redis_url) as redis:
        chapters = missing(plan, store)
        wanted = {str(each.index) for each in chapters}
        redis.delete(done_key(plan.book_id))
        send(plan, chapters)
        done: set[str] = set()
        moved = time.monotonic()
        while not wanted <= done:
            time.sleep(POLL)
            try:
                now = done | {str(index) for index in redis.hkeys(done_key(plan.book_id))}
            except RedisError:
                continue
            if now != done:
                done, moved = now, time.monotonic()
            elif again and time.monotonic() - moved > again:
                lost = missing(plan, store)
                done = {str(each.index) for each in plan.chapters} - {str(each.index) for each in lost}
                send(plan, lost)
                moved = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make an audiobook with Celery.")
    parser.add_argument("book", type=Path)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument(
        "--again", type=float, default=0.0, help="send missing chapters again after so many idle seconds"
    )
    options = parser.parse_args()
    settings = load(ProducerSettings, [])
    store = open_store(settings)
    plan = ingest.store_book(ingest.prepare(options.book, ingest.Options(engine=settings.engine)), store)
    wait(plan, store, settings.redis_url, options.again)
    for file in assemble(plan, store).files:
        delivery.fetch(store, file.key, delivery.place(options.output_dir / options.book.stem, file.name))


if __name__ == "__main__":
    main()
