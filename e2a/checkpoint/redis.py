"""The checkpoint in Redis: every key in one place, every update atomic. The only home of redis-py."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, WatchError
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from e2a.checkpoint.records import BookRecord, NotRecorded, PartRecord, QueueRecord, Stage, Wish, WorkerRecord
from e2a.errors import Refused, Unavailable

Record = TypeVar("Record", BookRecord, PartRecord)

BOOKS = "e2a:books"
STAGES = "e2a:stages"
URGENT = "e2a:urgent"
QUEUE = "e2a:queue"
WHOLE = "e2a:whole"
CLAIMED = "e2a:claimed"
"""Leases that were claimed and not given back."""
WORKER_TTL = 300
"""Seconds for which a worker that fell silent is still listed."""
ATTEMPTS_TTL = 86_400
WISH_TTL = 86_400
"""Seconds after which the wish is forgotten of a worker that does not ask any more."""
_NEVER = Retry(NoBackoff(), 0)
AWAY = 1.0
"""Seconds after a failure in which the server is not asked: else every call of every thread would wait for it."""

_CLAIM = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
local attempt = redis.call('incr', KEYS[2])
redis.call('expire', KEYS[2], ARGV[3])
redis.call('sadd', KEYS[3], ARGV[4])
return attempt
"""
_SURVIVE = """
if tonumber(redis.call('get', KEYS[1]) or 0) > 1 then redis.call('decr', KEYS[1]) end
"""
_RENEW = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('srem', KEYS[3], ARGV[2])
return redis.call('del', KEYS[1], KEYS[2])
"""

# one string: to read a thousand small ones costs the client four times as much
_READY = "return table.concat(redis.call('zdiff', 2, KEYS[1], KEYS[2]), ' ')"


def _book_key(book_id: str) -> str:
    return f"e2a:book:{book_id}"


def _parts_key(book_id: str) -> str:
    return f"e2a:book:{book_id}:parts"


def _pending_key(book_id: str) -> str:
    return f"e2a:book:{book_id}:pending"


def _retries_key(book_id: str) -> str:
    return f"e2a:book:{book_id}:retries"


def _worker_key(worker: str) -> str:
    return f"e2a:worker:{worker}"


def _wish_key(worker: str) -> str:
    return f"e2a:wish:{worker}"


def _lease_keys(name: str) -> list[str]:
    return [f"e2a:lease:{name}", f"e2a:attempts:{name}"]


class RedisCheckpoint:
    """`Checkpoint` in Redis. Thread- and process-safe.

    A server that does not answer is asked again after `AWAY` seconds; until then every call fails at once.

    Args:
        url: URL of Redis, such as `redis://127.0.0.1:6379/0`, or `rediss://USER@HOST:PORT/0` with TLS.
        password: unless the URL holds one.
        ca_file: PEM of the authority that signed its certificate; empty: those that the system trusts.
    """

    def __init__(self, url: str, password: str = "", ca_file: str = "") -> None:
        self._where = f"Redis {url.partition('?')[0].rpartition('@')[2].removeprefix('redis://')}"
        options: dict[str, Any] = {"decode_responses": True, "socket_timeout": 2, "socket_connect_timeout": 2}
        options |= {"password": password} if password else {}
        options |= {"ssl_ca_certs": ca_file} if ca_file and url.startswith("rediss:") else {}
        retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2)
        self._redis: Redis = Redis.from_url(url, **options, retry=retry)
        self._away_until = 0.0
        self._failure = Unavailable()
        # a claim that is sent twice would count as two, and one of them as a death
        once = Redis.from_url(url, **options, retry=_NEVER)
        self._claim = once.register_script(_CLAIM)
        self._survive = once.register_script(_SURVIVE)
        self._renew = self._redis.register_script(_RENEW)
        self._release = self._redis.register_script(_RELEASE)
        self._ready = self._redis.register_script(_READY)

    def check(self) -> None:
        with self._errors():
            self._redis.ping()

    def is_whole(self) -> bool:
        with self._errors():
            return bool(self._redis.exists(WHOLE))

    def declare_whole(self) -> None:
        with self._errors():
            self._redis.set(WHOLE, "1")

    def seed(self, book: BookRecord, parts: Mapping[int, PartRecord]) -> None:
        book_id = book.book_id
        pending = [str(index) for index, record in parts.items() if record.state == "pending"]
        retries = {str(index): record.retry_at for index, record in parts.items() if record.retry_at}
        with self._errors(), self._redis.pipeline() as pipe:
            pipe.delete(_parts_key(book_id), _pending_key(book_id), _retries_key(book_id))
            if parts:
                pipe.hset(_parts_key(book_id), mapping={str(i): each.model_dump_json() for i, each in parts.items()})
            if pending:
                pipe.sadd(_pending_key(book_id), *pending)
            if retries:
                pipe.zadd(_retries_key(book_id), retries)
            _set_book(pipe, book)
            pipe.zadd(BOOKS, {book_id: book.start_time})
            pipe.execute()

    def forget(self, book_id: str) -> None:
        with self._errors(), self._redis.pipeline() as pipe:
            pipe.delete(_book_key(book_id), _parts_key(book_id), _pending_key(book_id), _retries_key(book_id))
            pipe.zrem(BOOKS, book_id)
            pipe.hdel(STAGES, book_id)
            pipe.srem(URGENT, book_id)
            pipe.execute()

    def books(self) -> list[str]:
        with self._errors():
            return [str(book_id) for book_id in self._redis.zrange(BOOKS, 0, -1)]

    def stages(self) -> dict[str, Stage]:
        with self._errors(), self._redis.pipeline() as pipe:
            pipe.zrange(BOOKS, 0, -1)
            pipe.hgetall(STAGES)
            pipe.smembers(URGENT)
            books, stages, urgent = pipe.execute()
        in_order = sorted(books, key=lambda book_id: book_id not in urgent)
        return {book_id: stages[book_id] for book_id in in_order if book_id in stages}

    def stage(self, book_id: str) -> Stage | None:
        with self._errors():
            return cast(Stage | None, self._redis.hget(STAGES, book_id))

    def book(self, book_id: str) -> BookRecord | None:
        with self._errors():
            raw = self._redis.get(_book_key(book_id))
        return None if raw is None else BookRecord.model_validate_json(raw)

    def parts(self, book_id: str) -> dict[int, PartRecord]:
        with self._errors():
            raw = self._redis.hgetall(_parts_key(book_id))
        records = {int(index): PartRecord.model_validate_json(value) for index, value in raw.items()}
        return dict(sorted(records.items()))

    def part(self, book_id: str, index: int) -> PartRecord | None:
        with self._errors():
            raw = self._redis.hget(_parts_key(book_id), str(index))
        return None if raw is None else PartRecord.model_validate_json(raw)

    def pending(self, book_id: str) -> int:
        with self._errors():
            return int(self._redis.scard(_pending_key(book_id)))

    def ready(self, book_id: str) -> list[int]:
        with self._errors():
            found = self._ready(keys=[_pending_key(book_id), _retries_key(book_id)])
        return sorted(map(int, str(found).split()))

    def retries(self, book_id: str) -> dict[int, float]:
        with self._errors():
            found = cast(list[tuple[str, float]], self._redis.zrange(_retries_key(book_id), 0, -1, withscores=True))
        return {int(index): due for index, due in found}

    def update_book(self, book_id: str, change: Callable[[BookRecord], BookRecord]) -> BookRecord:
        def run(pipe: Pipeline) -> BookRecord:
            raw = pipe.get(_book_key(book_id))
            if raw is None:
                raise NotRecorded(book_id)
            book = change(BookRecord.model_validate_json(str(raw)))
            pipe.multi()
            _set_book(pipe, book)
            return book

        return self._atomically(run, _book_key(book_id))

    def update_part(self, book_id: str, index: int, change: Callable[[PartRecord], PartRecord]) -> PartRecord:
        def run(pipe: Pipeline) -> PartRecord:
            raw = pipe.hget(_parts_key(book_id), str(index))
            if raw is None:
                raise NotRecorded(f"{book_id}/{index}")
            record = change(PartRecord.model_validate_json(str(raw)))
            pipe.multi()
            pipe.hset(_parts_key(book_id), str(index), record.model_dump_json())
            (pipe.sadd if record.state == "pending" else pipe.srem)(_pending_key(book_id), str(index))
            if record.retry_at:
                pipe.zadd(_retries_key(book_id), {str(index): record.retry_at})
            else:
                pipe.zrem(_retries_key(book_id), str(index))
            return record

        return self._atomically(run, _parts_key(book_id))

    def claim(self, name: str, holder: str, ttl: float) -> int:
        with self._errors():
            keys = [*_lease_keys(name), CLAIMED]
            return int(self._claim(keys=keys, args=[holder, int(ttl * 1000), ATTEMPTS_TTL, name]))

    def deaths(self, name: str, holder: str) -> int:
        with self._errors():
            owner, attempts = self._redis.mget(_lease_keys(name))
        return int(attempts or 0) if owner in {None, holder} else 0

    def dead(self) -> dict[str, int]:
        with self._errors():
            names = sorted(cast(set[str], self._redis.smembers(CLAIMED)))
            found = self._redis.mget([key for name in names for key in _lease_keys(name)]) if names else []
            owners, attempts = found[::2], found[1::2]
            if forgotten := [name for name, count in zip(names, attempts, strict=True) if count is None]:
                self._redis.srem(CLAIMED, *forgotten)
        dead = zip(names, owners, attempts, strict=True)
        return {name: int(count) for name, owner, count in dead if owner is None and count is not None}

    def survive(self, name: str) -> None:
        with self._errors():
            self._survive(keys=_lease_keys(name)[1:])

    def renew(self, name: str, holder: str, ttl: float) -> bool:
        with self._errors():
            return bool(self._renew(keys=_lease_keys(name)[:1], args=[holder, int(ttl * 1000)]))

    def held(self, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        with self._errors():
            owners = self._redis.mget([_lease_keys(name)[0] for name in names])
        return {name for name, owner in zip(names, owners, strict=True) if owner is not None}

    def release(self, name: str, holder: str) -> None:
        with self._errors():
            self._release(keys=[*_lease_keys(name), CLAIMED], args=[holder, name])

    def heartbeat(self, worker: WorkerRecord) -> None:
        with self._errors():
            self._redis.set(_worker_key(worker.worker), worker.model_dump_json(), ex=WORKER_TTL)

    def sign_off(self, worker: str) -> None:
        with self._errors():
            self._redis.delete(_worker_key(worker))

    def workers(self) -> list[WorkerRecord]:
        with self._errors():
            names = sorted(self._redis.scan_iter(_worker_key("*"), count=1000))
            with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.get(name)
                    pipe.pttl(name)
                answers = pipe.execute()
        now = time.time()
        found = zip(answers[::2], answers[1::2], strict=True)
        return [
            WorkerRecord.model_validate_json(value).model_copy(update={"last_seen": now - WORKER_TTL + left / 1000})
            for value, left in found
            if value is not None
        ]

    def wish(self, worker: str) -> Wish:
        with self._errors():
            return cast(Wish, self._redis.getex(_wish_key(worker), ex=WISH_TTL) or "work")

    def set_wish(self, worker: str, wish: Wish) -> None:
        with self._errors():
            self._redis.set(_wish_key(worker), wish, ex=WISH_TTL)

    def queue(self) -> QueueRecord | None:
        with self._errors():
            raw = self._redis.get(QUEUE)
        return None if raw is None else QueueRecord.model_validate_json(raw)

    def set_queue(self, queue: QueueRecord) -> None:
        with self._errors():
            self._redis.set(QUEUE, queue.model_dump_json())

    def _atomically(self, run: Callable[[Pipeline], Record], key: str) -> Record:
        """Read, change and write one key; do it again whenever somebody else wrote in between."""
        with self._errors(), self._redis.pipeline() as pipe:
            while True:
                try:
                    pipe.watch(key)  # type: ignore[no-untyped-call]
                    record = run(pipe)
                    pipe.execute()
                except WatchError:
                    continue
                return record

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if time.monotonic() < self._away_until:
            raise type(self._failure)(*self._failure.args)
        try:
            yield
        except RedisError as error:
            failure = _failure(self._where, error)
            if isinstance(error, NotConnected | NoAnswer):
                self._away_until, self._failure = time.monotonic() + AWAY, failure
            raise failure from error


def _failure(where: str, error: RedisError) -> Unavailable:
    if isinstance(error, AuthenticationError):
        return Refused(f"{where}: {error}; look at the user in E2A_REDIS_URL, and at E2A_REDIS_PASSWORD")
    if isinstance(error, NoPermissionError):
        return Refused(f"{where}: {error}")
    if isinstance(error.__context__, ssl.SSLError):
        return Refused(f"{where}: {error.__context__}; look at E2A_CA_FILE, and whether Redis speaks TLS at this port")
    return Unavailable(f"{where}: {error}")


def _set_book(pipe: Pipeline, book: BookRecord) -> None:
    pipe.set(_book_key(book.book_id), book.model_dump_json())
    pipe.hset(STAGES, book.book_id, book.stage)
    (pipe.sadd if book.urgent else pipe.srem)(URGENT, book.book_id)
