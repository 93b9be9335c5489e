"""A book in memory with covers, parts and files, and a client that fetches them as browsers do."""

from starlette.applications import Starlette
from starlette.testclient import TestClient

from e2a.errors import Unavailable
from e2a.plan import Plan
from e2a.report import Report, ReportedFile
from e2a.storage import keys
from e2a.testing import Clock, MemoryStore
from monitor.library import Library
from monitor.links import Links
from monitor.media import Media
from tests.unit.builders import BOOK, a_plan, put_part, put_plan

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))


class Away(MemoryStore):
    """A store that goes away when told to, after so many more pieces."""

    pieces: int | None = None

    def read(self, key: str, offset: int, length: int) -> bytes:
        if self.pieces == 0:
            raise Unavailable("storage is away")
        if self.pieces is not None:
            self.pieces -= 1
        return super().read(key, offset, length)


class Shelf:
    """One book of two chapters, with two parts and one; parts and files are stored when a test says so."""

    def __init__(self) -> None:
        self.store = Away()
        self.plan: Plan = a_plan(parts=(2, 1), cover="cover.jpg")
        put_plan(self.store, self.plan)
        self.clock = Clock()
        self.clock.now = 1_000_000.0
        self.links = Links(bytes(32), self.clock)
        media = Media(Library(self.store), self.links)
        self.app = Starlette(routes=media.routes)
        self.client = TestClient(self.app, raise_server_exceptions=True)

    def speak(self, *parts: int) -> None:
        """Store the audio of parts."""
        for index in parts:
            put_part(self.store, self.plan.parts[index])

    def finish(self, *files: tuple[str, bytes], title: str = "Emma") -> None:
        """Store files of a finished book by the names that follow its own, and its report."""
        reported = []
        for number, (name, data) in enumerate(files):
            key = keys.output(BOOK, f"{number}{name[name.rindex('.') :]}")
            self.store.put(key, data)
            reported.append(ReportedFile(format="m4b", key=key, name=name, size=len(data)))
        report = Report(
            book_id=BOOK, title=title, output=reported[0].key, audio_seconds=1.0, audio_bytes=1, files=tuple(reported)
        )
        self.store.put(keys.report(BOOK), report.model_dump_json().encode())
