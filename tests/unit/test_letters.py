"""Dead letters as they are read, of whatever age."""

import json
from collections.abc import Callable

import pytest

from e2a.bus.letters import read_letter
from e2a.messages import BookChanged, ChapterJob, chapter_job, encode
from tests.unit.builders import a_plan

EMMA = "aaaa000000000001"
OLD = '{"type":"DeadLetter","version":1,"reason":"too old","source":"e2a.chapters/0/1","payload":%s}'


@pytest.mark.parametrize(
    ("raw", "part", "reason"),
    [
        (lambda job: OLD % json.dumps(job.model_dump_json()), 1, "too old"),
        (lambda job: OLD % json.dumps(encode(BookChanged(book_id=EMMA)).decode()), None, "too old"),
        (lambda job: OLD % '"{"', None, "too old"),
        (lambda job: encode(job).decode(), 1, "not a dead letter"),
        (lambda job: "{", None, "not a dead letter: message: Invalid JSON"),
    ],
    ids=["of version 1", "of an event", "of no message", "a job", "nothing"],
)
def test_letters_of_all_ages(raw: Callable[[ChapterJob], str], part: int | None, reason: str) -> None:
    """A letter of version 1 names its part although that is only in its payload; what is no letter is shown as one."""
    plan = a_plan(book_id=EMMA)
    letter = read_letter(raw(chapter_job(plan, plan.parts[1])).encode(), 3)
    assert (letter.part, letter.book_id) == (part, EMMA if part else "")
    assert letter.reason.startswith(reason)
