"""Timeline, workers and queue as an operator sees them."""

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Dataframe

from e2a.deadletters import Retried
from e2a.errors import ExitCode, Unavailable, UserError
from monitor.records import Agreement, QueuePage, Reading
from monitor.views import workers
from tests.integration.pages import World, choose, confirm, offered, texts, words
from tests.unit.pages_feed import (
    HOSTILE,
    NOW,
    a_book,
    a_book_id,
    a_letter,
    a_part_page,
    a_queue,
    a_timeline,
    a_worker,
)

AGREED = Agreement(book_id=a_book_id(), title="Emma", parts=8, recorded=3, told=3, stored=3)


@pytest.fixture
def world() -> World:
    world = World()
    world.feed.rows = (a_book(),)
    world.feed.worker_rows = (a_worker(),)
    world.feed.time = a_timeline()
    world.feed.waiting = a_queue()
    return world


def figures(page: AppTest) -> list[str]:
    """Return what the figures of a page are called by those who do not see them."""
    return [figure.proto.alt for figure in page.get("vega_lite_chart")]


def table(page: AppTest, column: str) -> Dataframe:
    """Return the table that has this column."""
    (found,) = [each for each in page.dataframe if column in each.value]
    return found


def pick(page: AppTest, row: int) -> AppTest:
    """Choose a dead letter, as a click on it does."""
    page.session_state[table(page, "since").key] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    return page.run()


def test_timeline_has_its_figures(world: World) -> None:
    """The timeline says how much was done in numbers, and shows who, how busy, how fast, and the speed-up."""
    page = world.page("timeline").run()
    said = words(page)
    assert "Kafka 1 sec ago · Redis 1 sec ago" in said
    assert "parts 12 mean time 1 min" in said
    assert "workers 2 busy 90%" in said
    assert len(figures(page)) == 6
    assert all(figures(page))


def test_timeline_of_a_stretch_and_a_book(world: World) -> None:
    """The viewer chooses how far to look back, and at which book; an hour and all books at first."""
    page = world.page("timeline").run()
    page.segmented_control[0].set_value("all").run()
    page.selectbox("of").set_value(a_book_id()).run()
    assert world.feed.asked == [(3600.0, ""), (None, ""), (None, a_book_id())]


def test_timeline_that_was_cut_says_so(world: World) -> None:
    """When parts are too many to be drawn the page says how many are not."""
    world.feed.time = a_timeline(left_out=1234)
    assert "1,234 earlier parts are not drawn; all figures count them." in words(world.page("timeline").run())


def test_idle_time_is_said(world: World) -> None:
    """A stretch in which nobody worked has no empty figures."""
    world.feed.time = a_timeline(spans=())
    page = world.page("timeline").run()
    assert "Nobody was at a part" in words(page)
    assert figures(page) == []


@pytest.mark.parametrize("page", ["timeline", "queue"])
def test_kafka_away(world: World, page: str) -> None:
    """While Kafka is away the page names it and shows what it knew."""
    world.feed.readings["kafka"] = Reading(taken=NOW - 42, problem="Kafka k:9092: no broker answers")
    shown = world.page(page).run()
    assert "Kafka is away: this is what was known 42 sec ago" in words(shown)
    assert figures(shown)


def test_nothing_was_ever_read(world: World) -> None:
    """When neither Kafka nor Redis could be read the timeline claims nothing."""
    world.feed.readings |= {source: Reading(problem=f"{source}: refused") for source in ("kafka", "redis")}
    page = world.page("timeline").run()
    assert words(page).count("nothing is known yet") == 2
    assert figures(page) == []


def test_no_timeline_without_events(world: World) -> None:
    """Before all events were read the timeline has no figures: they would be of a part of what happened."""
    world.feed.readings["kafka"] = Reading()
    page = world.page("timeline").run()
    assert "Not known yet." in words(page)
    assert figures(page) == []


def test_no_letters_without_redis(world: World) -> None:
    """What became of dead letters is in Redis; before it was read nobody says that there is none."""
    world.feed.waiting = QueuePage(taken=None)
    world.feed.readings["redis"] = Reading(problem="refused")
    said = words(world.page("queue").run())
    assert "No dead letter" not in said
    assert said.count("Not known yet.") == 2


def test_what_is_not_known_is_not_claimed() -> None:
    """Before anything could be read the queue does not say that nothing waits and nothing failed."""
    world = World()
    world.feed.waiting = QueuePage(taken=None)
    world.feed.readings |= {source: Reading(problem="refused") for source in ("kafka", "redis", "storage")}
    said = words(world.page("queue").run())
    assert said.count("Not known yet.") == 3
    for claim in ("Nothing waits", "No dead letter", "No book yet", "e2a-merge"):
        assert claim not in said


def test_worker_is_a_card(world: World) -> None:
    """A worker says its GPU, engine, task, speed, what it has done, and when it was heard of."""
    said = words(world.page("workers").run())
    for piece in (
        "gpu-0 xtts · xtts_v2 · cuda:0 NVIDIA H100 ► speaking Emma chapter 2, sentence 12 of 40",
        "GPU 98% memory 40 GB of 80 GB NVIDIA H100 64°C 420 W",
        "100× real time real-time factor 0.010 1,593 characters/s",  # noqa: RUF001
        "17 done 2 failed 4 sentences again 1 doubtful",
        "node-1 1.2 cores, 3.1 GB 64 at once",
        "partitions 0 and 3 express 1",
        "heard of 1 sec ago last take 0 sec ago runs for 2 hr",
    ):
        assert piece in said


def test_worker_without_gpu(world: World) -> None:
    """A worker on a CPU shows what its process takes, and one that is new shows no speed."""
    row = a_worker(gpu=None, real_time_factor=None, characters_per_second=None, book_id="", sentences=0, last_take=None)
    world.feed.worker_rows = (row,)
    said = words(world.page("workers").run())
    assert "has no part in hand" in said
    assert "1.2 cores, 3.1 GB" in said
    assert "°C" not in said
    assert "real-time factor" not in said


def test_workers_at_a_glance(world: World) -> None:
    """The head counts workers by state and adds up speeds and GPUs; those that are silent do not count as GPUs."""
    world.feed.worker_rows = (
        a_worker(),
        a_worker("b", state="waiting", problem="S3 <h>: refused"),
        a_worker("c", state="drained", gpu=None),
        a_worker("d", state="silent"),
    )
    said = words(world.page("workers").run())
    assert "speaking 1 of 4 waiting 1 draining or drained 1 silent 1 speed 100× real time" in said  # noqa: RUF001
    assert "GPUs 98% 840 W" in said
    assert "waits: S3 &lt;h&gt;: refused" in said


def test_no_worker() -> None:
    """Without workers the page says how to start one."""
    assert "e2a-synth" in words(World().page("workers").run())


def test_many_workers_are_paged(world: World) -> None:
    """Sixty-four workers are pages of cards, of which none is lost."""
    world.feed.worker_rows = tuple(a_worker(f"gpu-{number:02}.") for number in range(64))
    page = world.page("workers").run()
    assert texts(page).count('role="group"') == workers.CARDS
    page.pagination[0].set_value(3).run()
    assert "gpu-63." in words(page)


@pytest.mark.parametrize(
    ("label", "wish", "wanted", "asks"),
    [("Drain", "work", "drain", True), ("Stop", "work", "stop", True), ("Work again", "drain", "work", False)],
)
def test_what_is_wanted_of_a_worker(world: World, label: str, wish: str, wanted: str, asks: bool) -> None:
    """A worker is drained or stopped after a yes, and works again at once."""
    world.feed.worker_rows = (a_worker(wish=wish),)
    page = choose(world.page("workers").run(), label)
    if asks:
        assert world.desk.asked == []
        confirm(page)
    assert world.desk.asked == [("wish", "gpu-0", wanted)]


def test_hostile_workers(world: World) -> None:
    """Names of workers, engines and problems are text."""
    row = a_worker(HOSTILE, engine=HOSTILE, title=HOSTILE, problem=HOSTILE, host=HOSTILE)
    world.feed.worker_rows = (row,)
    page = choose(world.page("workers").run(), "Stop")
    assert "Stop &lt;b onclick" in words(page)
    assert "<b onclick" not in texts(page)
    assert not page.markdown


def test_queue_in_figures(world: World) -> None:
    """The queue says what waits in parts and in audio, how uneven, who owns it, and when it was looked at."""
    page = world.page("queue").run()
    assert (
        "parts wait 6 audio waits 0:06:00 skew 2.0× fullest to mean rebalances 3 without a worker 1 partitions"  # noqa: RUF001
        " to be tried again 1 dead letters 1 looked at 2 sec ago" in words(page)
    )
    assert figures(page) == ["Audio that waits, by partition"]
    assert table(page, "committed").value.to_dict("records")[3] == {
        "topic": "e2a.chapters",
        "partition": 3,
        "worker": "nobody",
        "parts": 3,
        "audio": "0:03:00",
        "committed": 30,
        "end": 33,
    }


def test_retries_say_when(world: World) -> None:
    """A part that is tried again says when, after how many failures, and why it failed."""
    page = world.page("queue").run()
    (row,) = table(page, "due").value.to_dict("records")
    assert (row["due"], row["part"], row["failed attempts"], row["reason"]) == ("in 12 sec", 7, 1, "out of memory")
    world.now += 13
    assert table(page.run(), "due").value["due"].tolist() == ["now"]


def test_nothing_is_wrong(world: World) -> None:
    """Without retries and dead letters the page says so; without a merger it names the command."""
    world.feed.waiting = QueuePage(taken=None)
    said = words(world.page("queue").run())
    assert "e2a-merge" in said
    assert "Nothing waits to be tried again." in said
    assert "No dead letter" in said


def test_letter_is_shown_with_its_text(world: World) -> None:
    """A dead letter is listed with book, part and reason; the chosen one shows the text that was to be said."""
    world.feed.waiting = a_queue(letters=(a_letter(), a_letter(1, letter={"reason": HOSTILE})))
    world.feed.parts[a_book_id(), 1] = a_part_page(text=("To be said.", HOSTILE))
    page = pick(world.page("queue").run(), 1)
    row = table(page, "since").value.to_dict("records")[0]
    assert (row["book"], row["part"], row["since"], row["reason"]) == ("Emma", 0, "still failed", "no such voice")
    assert "To be said." in words(page)
    assert "from e2a.chapters/0/1" in words(page)
    assert "<b onclick" not in texts(page)


def test_one_letter_is_tried_again(world: World) -> None:
    """The part of the chosen letter is tried again at once."""
    world.feed.waiting = a_queue(letters=(a_letter(4), a_letter(5)))
    page = pick(world.page("queue").run(), 1)
    page.button("redrive").click().run()
    assert world.desk.asked == [("redrive", 5)]
    assert "1 failed part is tried again." in words(page)


def test_the_chosen_letter_stays(world: World) -> None:
    """A letter that comes while one is looked at does not put itself in its place."""
    world.feed.waiting = a_queue(letters=(a_letter(4), a_letter(5)))
    page = pick(world.page("queue").run(), 1)
    world.feed.waiting = a_queue(letters=(a_letter(6), a_letter(4), a_letter(5)))
    page.run().button("redrive").click().run()
    assert world.desk.asked == [("redrive", 5)]


def test_all_letters_are_tried_again(world: World) -> None:
    """All parts that are still failed are tried again after a yes; those that were made since are not."""
    letters = (a_letter(1), a_letter(2, since="done"), a_letter(3))
    world.feed.waiting = a_queue(letters=letters)
    odd = [a_letter(9, since="book gone")]
    world.desk.retried = Retried(1, odd, [UserError("<Emma> is finished", ExitCode.USAGE)])
    page = world.page("queue").run()
    page.button("redrive-all").click().run()
    assert "Try 2 parts again?" in words(page)
    assert world.desk.asked == []
    said = words(confirm(page))
    assert world.desk.asked == [("redrive", 1, 3)]
    assert "1 failed part is tried again. 1 letter cannot be tried again. &lt;Emma&gt; is finished" in said


def test_letter_that_is_not_of_a_part(world: World) -> None:
    """A message that nobody could read is shown, and cannot be tried again."""
    letter = a_letter(letter={"part": None, "book_id": ""}, title="", chapter=None, since="not of a book")
    world.feed.waiting = a_queue(letters=(letter,))
    page = pick(world.page("queue").run(), 0)
    assert "not of a book" in words(page)
    assert [button.key for button in page.button] == ["compare"]


def test_read_only_queue(world: World) -> None:
    """Where viewers may only look nothing is offered, for letters and workers."""
    world.desk.may_change = False
    world.feed.waiting = a_queue(letters=(a_letter(4), a_letter(5)))
    page = pick(world.page("queue").run(), 1)
    assert [button.key for button in page.button] == ["compare"]
    assert offered(world.page("workers").run()) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (AGREED, "Checkpoint and storage agree."),
        (AGREED.model_copy(update={"parts": 0}), "no plan that can be read"),
        (AGREED.model_copy(update={"missing": (2, 5)}), "Recorded as done, but not stored: 2 and 5"),
        (AGREED.model_copy(update={"unrecorded": tuple(range(25))}), "18, 19, and 5 others"),
        (Unavailable("S3 h:9000: refused"), "S3 h:9000: refused"),
    ],
)
def test_agreement(world: World, found: Agreement | Unavailable, said: str) -> None:
    """Checkpoint, events and storage are compared when it is asked, and where they differ parts are named."""
    world.feed.agreed = found
    page = world.page("queue").run()
    assert said not in words(page)
    assert said in words(page.button("compare").click().run())
    if found is AGREED:
        assert "parts 8 done in the checkpoint 3 done in the events 3 of a week stored 3" in words(page)


def test_french(world: World) -> None:
    """All pages speak French to who reads it."""
    assert "Qui faisait quoi" in words(world.page("timeline", locale="fr-FR").run())
    assert "chapitre 2, phrase 12 sur 40" in words(world.page("workers", locale="fr-FR").run())
    assert "parties en attente 6" in words(world.page("queue", locale="fr-FR").run())
