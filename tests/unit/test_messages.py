"""Messages: every class round-trips, old examples stay readable, and what cannot be read is poison."""

import json
import typing
from pathlib import Path
from typing import Any

import pytest

from e2a import messages
from e2a.errors import Poison
from e2a.messages import ChapterJob, DeadLetter, Event, Message, dead_letter, decode, encode
from tests.unit.builders import a_job, a_part_done

MESSAGES = typing.get_args(Message)
GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = sorted(GOLDEN.glob("*.json"), key=lambda path: path.name)
VERSIONS = [
    (cls.__name__, version)
    for cls in MESSAGES
    for version in range(1, typing.cast(int, cls.model_fields["version"].default) + 1)
]
REQUIRED = [(cls.__name__, field) for cls in MESSAGES for field, info in cls.model_fields.items() if info.is_required()]


def example(name: str, version: int = 1) -> dict[str, Any]:
    """Return a golden example as plain JSON values."""
    return typing.cast(dict[str, Any], json.loads((GOLDEN / f"{name}-{version}.json").read_text()))


def as_bytes(value: object) -> bytes:
    """Return plain JSON values as they travel."""
    return json.dumps(value).encode()


def test_every_class_can_be_read() -> None:
    """Every class with a type is one that decode knows."""
    declared = {cls.__name__ for cls in vars(messages).values() if "type" in getattr(cls, "model_fields", {})}
    assert declared == {cls.__name__ for cls in MESSAGES}


def test_golden_examples_are_complete() -> None:
    """There is one golden example for each version of each message, and nothing else in the folder."""
    assert {path.stem for path in EXAMPLES} == {f"{name}-{version}" for name, version in VERSIONS}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_golden_example_is_readable(path: Path) -> None:
    """An example of any version is read as its class, and no field of it is lost or changed."""
    message = decode(path.read_bytes())
    assert type(message).__name__ == path.stem.partition("-")[0]
    assert message.model_dump(mode="json", exclude_unset=True) == json.loads(path.read_text())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_round_trip(path: Path) -> None:
    """A message that is encoded and decoded is equal and of the same class."""
    message = decode(path.read_bytes())
    assert decode(encode(message)) == message


@pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.__name__)
def test_type_is_the_class_name(cls: type[Any]) -> None:
    """The type on the wire is the name of the class, and everything names its book."""
    assert cls.model_fields["type"].default == cls.__name__
    assert "book_id" in cls.model_fields


@pytest.mark.parametrize("name", [cls.__name__ for cls in MESSAGES])
def test_newer_fields_are_ignored(name: str) -> None:
    """A field that a newer worker has added does not stop an older one."""
    value = example(name)
    assert decode(as_bytes(value | {"version": 99, "mood": "sad"})) == decode(as_bytes(value | {"version": 99}))


def test_newer_fields_inside_are_ignored() -> None:
    """The same is true of the values inside a job."""
    value = example("ChapterJob")
    newer = value | {"speech": value["speech"] | {"mood": "sad"}, "part": value["part"] | {"mood": "sad"}}
    assert decode(as_bytes(newer)) == decode(as_bytes(value))


@pytest.mark.parametrize(("name", "field"), REQUIRED)
def test_missing_field_is_named(name: str, field: str) -> None:
    """A message without a field is poison, and the reason names class and field."""
    value = example(name)
    del value[field]
    with pytest.raises(Poison, match=rf"^{name}\.{field}: Field required$"):
        decode(as_bytes(value))


def test_missing_field_inside_is_named() -> None:
    """The reason names the way to a field inside a part."""
    value = example("ChapterJob")
    del value["part"]["sentences"][1]["pause_ms"]
    with pytest.raises(Poison, match=r"^ChapterJob\.part\.sentences\.1\.pause_ms: "):
        decode(as_bytes(value))


def test_wrong_value_is_named() -> None:
    """A value of the wrong kind is poison, and the reason names its field."""
    with pytest.raises(Poison, match=r"^PartDone\.part: .*integer"):
        decode(as_bytes(example("PartDone") | {"part": "the first"}))


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b'"text"', b"[]", b"null"])
def test_not_a_message(raw: bytes) -> None:
    """What is not a JSON object is poison, and the message as a whole is at fault."""
    with pytest.raises(Poison, match=r"^message: "):
        decode(raw)


@pytest.mark.parametrize("value", [{"type": "Parcel"}, {"book_id": "b"}], ids=["unknown", "none"])
def test_wrong_type(value: dict[str, str]) -> None:
    """A message of an unknown type, or of none, is poison, and the reason says that it is the type."""
    with pytest.raises(Poison, match="'type'"):
        decode(as_bytes(value))


def test_events_are_told_apart() -> None:
    """A done part is an event; a job and a dead letter are not."""
    assert isinstance(a_part_done(), Event)
    assert not isinstance(a_job(), Event)
    assert not isinstance(decode(as_bytes(example("DeadLetter"))), Event)


def test_dead_letter_names_its_book() -> None:
    """A readable message becomes a letter with its book and its own text."""
    job = a_job()
    letter = dead_letter(encode(job), reason="no voice", source="e2a.chapters/0/7")
    assert (letter.book_id, letter.reason, letter.source) == (job.book_id, "no voice", "e2a.chapters/0/7")
    assert decode(letter.payload.encode()) == job


def test_dead_letter_of_bytes() -> None:
    """Bytes that are not UTF-8 are shown as escapes, name no book, and the letter can be sent."""
    letter = dead_letter(b"caf\xe9 \xff", reason="message: Invalid JSON", source="e2a.chapters/0/7")
    assert letter == DeadLetter(
        reason="message: Invalid JSON", source="e2a.chapters/0/7", payload="caf\\xe9 \\xff", book_id=""
    )
    assert decode(encode(letter)) == letter


@pytest.mark.parametrize("raw", [b"\xff" * 500_000, b"\x00" * 500_000, b'"' * 500_000, "\u00e9".encode() * 500_000])
def test_dead_letter_of_too_much(raw: bytes) -> None:
    """A letter about a huge message still fits into what a broker takes, 1 MB, however it must be escaped."""
    letter = dead_letter(raw, reason="message: Invalid JSON", source="e2a.chapters/0/7")
    assert len(encode(letter)) < 1_000_000
    assert raw.decode(errors="backslashreplace").startswith(letter.payload)


@pytest.mark.parametrize("book_id", ["", "../../../etc", "b0123456789abcd", "B0123456789ABCDE"])
def test_no_book_has_such_an_id(book_id: str) -> None:
    """An id that is not a book's is poison before it becomes part of a storage key."""
    with pytest.raises(Poison, match="book_id"):
        decode(as_bytes(example("PartDone") | {"book_id": book_id}))


def test_no_part_has_such_a_digest() -> None:
    """A digest that is none is poison before it becomes part of a storage key."""
    job = example("ChapterJob")
    job["part"]["digest"] = "/../../../../x"
    with pytest.raises(Poison, match="part.digest"):
        decode(as_bytes(job))


def test_text_travels_as_utf8() -> None:
    """Text is not escaped on the wire."""
    job = ChapterJob.model_validate(example("ChapterJob"))
    assert "« Où suis-je ? » dit-il.".encode() in encode(job)
