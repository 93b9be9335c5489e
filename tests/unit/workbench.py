"""A worker on the in-memory kernel, with an engine that does as it is told."""

from e2a.checkpoint import LeaseKeeper
from e2a.plan import Part, Sentence, speech_digest
from e2a.storage import keys
from e2a.testing import Clock, MemoryCheckpoint, MemoryStore
from synth_consumer.orders import Orders
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker
from tests.unit.builders import a_book_record, a_speech
from tests.unit.puppet import Puppet, a_pace

SENTENCES = tuple(Sentence(text=text, pause_ms=100) for text in ("One.", "Two.", "Three."))
"""What the part of these tests says."""


class OrderedStore(MemoryStore):
    """Remembers the order of puts."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def put(self, key: str, data: bytes) -> None:
        self.order.append(key)
        super().put(key, data)


class Bench:
    """A worker and all it stands on."""

    def __init__(self, at_once: int = 1) -> None:
        self.engine = Puppet(at_once)
        self.store = OrderedStore()
        self.store.objects[keys.pace(speech_digest(a_speech()))] = a_pace().model_dump_json().encode()
        self.clock = Clock()
        self.checkpoint = MemoryCheckpoint(self.clock)
        self.checkpoint.seed(a_book_record(), {})
        self.leases = LeaseKeeper(self.checkpoint, "w0")
        self.status = Status("w0", self.engine)
        self.worker = Worker(
            name="w0",
            engine=self.engine,
            speaker=Speaker(self.engine, took=self.status.took),
            store=self.store,
            leases=self.leases,
            status=self.status,
            orders=Orders(self.checkpoint, self.store),
            workers=self.checkpoint.workers,
        )

    def free(self, part: Part) -> bool:
        """Say whether somebody else could take the part's lease."""
        return bool(self.checkpoint.claim(f"part/{part.digest}", "other", 1))
