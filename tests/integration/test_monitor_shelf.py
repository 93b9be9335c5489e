"""The shelf as a viewer sees it: books, what can be done with them, and books that are sent."""

import pytest

from e2a.errors import ExitCode, Unavailable, UserError
from e2a.shelf import Removal
from monitor.records import QueuePage, Reading
from monitor.uploads import Upload, UploadOptions
from monitor.views import shelf
from tests.integration.pages import World, choose, confirm, offered, texts, words
from tests.unit.pages_feed import (
    HOSTILE,
    NOW,
    a_book,
    a_book_id,
    a_book_page,
    a_finished_book,
    a_letter,
    a_queue,
    a_worker,
)

EPUB = ("emma.epub", b"PK", "application/epub+zip")


@pytest.fixture
def world() -> World:
    world = World()
    world.feed.rows = (a_book(),)
    world.feed.worker_rows = (a_worker(),)
    return world


def test_first_run_says_what_to_do() -> None:
    """Without book, worker and merger the page names the commands that make some, and offers to add a book."""
    world = World()
    world.feed.waiting = QueuePage(taken=None)
    page = world.page("shelf").run()
    said = words(page)
    for command in ("e2a-produce book.epub", "e2a-synth", "e2a-merge"):
        assert command in said
    assert page.file_uploader
    assert page.expander[0].proto.expanded


def test_merger_that_has_stopped_is_missed(world: World) -> None:
    """A merger that looked at Kafka a minute ago is there; later it is not."""
    world.feed.waiting = QueuePage(taken=NOW - 59)
    assert "e2a-merge" not in words(world.page("shelf").run())
    world.now += 2
    assert "e2a-merge" in words(world.page("shelf").run())


def test_book_in_work_is_a_card(world: World) -> None:
    """A book in work shows its state, percent, when it is ready as a range, its chapters and its age."""
    said = words(world.page("shelf").run())
    card = "Emma Jane Austen ► synthesising 42% ready in 12 to 18 min 1:02:03 of 2:26:00 12.5× real time"  # noqa: RUF001
    assert card in said
    assert "✓ 1 done ► 1 running ○ 2 queued" in said
    assert "changed 3 sec ago" in said
    assert "Redis 1 sec ago" in said


def test_figures_at_a_glance(world: World) -> None:
    """The head of the page counts books by state, workers, what waits, and dead letters that are still failed."""
    world.feed.rows = (a_book(), a_book(1, speed=7.5), a_book(2, condition="failed", speed=9.0), a_finished_book(3))
    world.feed.worker_rows = (a_worker(), a_worker("gpu-1", state="silent"))
    world.feed.waiting = a_queue(letters=(a_letter(), a_letter(1, since="done")))
    said = words(world.page("shelf").run())
    assert "in work 2 done 1 failed 1 workers 2 1 silent speed 100× real time" in said  # noqa: RUF001
    assert "audio that waits 6 min dead letters 1" in said


def test_speed_is_that_of_now(world: World) -> None:
    """When nobody speaks any more there is no speed, whatever books had before."""
    world.feed.worker_rows = (a_worker(state="waiting"), a_worker("gpu-1", state="silent"))
    assert "speed – real time" in words(world.page("shelf").run())  # noqa: RUF001 - a dash


def test_finished_book_is_played_and_kept(world: World) -> None:
    """A finished book has a player of its audio and links to all its files, signed ones."""
    world.feed.rows = (a_finished_book(),)
    html = texts(world.page("shelf").run())
    assert f'src="{world.links.file(a_book_id(), 0)}"' in html
    for index, name in enumerate(("M4B · 5 MB", "VTT · 20 kB")):
        assert f'<a href="{world.links.file(a_book_id(), index, download=True)}" download>{name}</a>' in html


def test_player_keeps_its_link_for_hours(world: World) -> None:
    """A link that changes with the hour does not make the player of one who listens begin anew."""
    world.feed.rows = (a_finished_book(),)
    page = world.page("shelf").run()
    player = f'src="{world.links.file(a_book_id(), 0)}"'
    world.now += 5 * 3600
    assert player in texts(page.run())
    world.now += 2 * 3600
    assert player not in texts(page.run())


def test_finished_chapters_are_heard_before_the_book_is(world: World) -> None:
    """The chapters of a book in work that are finished are made players only while somebody looks at them."""
    world.feed.pages[a_book_id()] = a_book_page()
    page = world.page("shelf").run()
    assert "<audio" not in texts(page)
    page.session_state[f"listen-{a_book_id()}"] = True
    html = texts(page.run())
    assert html.count("<audio") == 1
    assert world.links.chapter(a_book_id(), 1) in html
    assert 'download="1. Chapter 1.aac"' in html


def test_cover(world: World) -> None:
    """A cover is a picture with a text for those who do not see it; without one it is a letter."""
    world.feed.rows = (a_book(cover=True), a_book(1, title="Persuasion"))
    html = texts(world.page("shelf").run())
    assert f'<img class="e2a-cover" src="{world.links.cover(a_book_id())}" alt="Cover of Emma"' in html
    assert 'aria-hidden="true">P</div>' in html


def test_failed_book_says_why(world: World) -> None:
    """A failed book says why, as text."""
    world.feed.rows = (a_book(condition="failed", chapters_failed=1, reason="part 2: <no> *voice* $x$"),)
    said = words(world.page("shelf").run())
    assert "✕ failed" in said
    assert "part 2: &lt;no&gt; *voice* $x$" in said


def test_hostile_titles_are_text(world: World) -> None:
    """Titles, authors and reasons from books can put no element, link or formula into the page."""
    world.feed.rows = (a_book(title=HOSTILE, authors=HOSTILE, reason=HOSTILE, condition="failed"), a_finished_book(1))
    world.uploads.uploads = (Upload(name=HOSTILE, state="refused", message=HOSTILE, time=NOW),)
    page = world.page("shelf").run()
    html = texts(page)
    assert "<b onclick" not in html
    assert "<script" not in html
    assert "&lt;b onclick=&#34;x()&#34;&gt;T&lt;/b&gt; ![x](http://y) $z$ :red[r]" in html
    assert not page.markdown
    assert not any("onclick" in str(link.label) for link in page.page_link)


def test_many_books_are_paged(world: World) -> None:
    """A page holds so many cards; the others come after, and none is lost."""
    count = 2 * shelf.CARDS + 1
    world.feed.rows = tuple(a_book(number, title=f"Book {number}.") for number in range(count))
    page = world.page("shelf").run()
    seen = {number for number in range(count) if f">Book {number}.<" in texts(page)}
    assert seen == set(range(shelf.CARDS))
    page.pagination[0].set_value(3).run()
    assert f">Book {count - 1}.<" in texts(page)
    assert texts(page).count('class="e2a-card"') == 1


def test_books_are_searched(world: World) -> None:
    """A search finds titles and authors in any case, and says so when it finds nothing."""
    world.feed.rows = (a_book(), a_book(1, title="Middlemarch", authors="George Eliot"))
    page = world.page("shelf").run()
    assert texts(page.text_input("search").set_value("eLIOT").run()).count('class="e2a-card"') == 1
    assert "Middlemarch" in words(page)
    page.text_input("search").set_value("<i>").run()
    assert "No book has “&lt;i&gt;” in its title" in words(page)


def test_source_away_keeps_what_was_known(world: World) -> None:
    """While Redis is away the page says so, since when, and shows what it knew; nothing is a stack trace."""
    world.feed.readings["redis"] = Reading(taken=NOW - 42, problem="Redis redis://r:6379: refused <b>")
    said = words(world.page("shelf").run())
    assert "Redis is away: this is what was known 42 sec ago; the page keeps trying." in said
    assert "Redis redis://r:6379: refused &lt;b&gt;" in said
    assert "Emma" in said


def test_storage_away(world: World) -> None:
    """The shelf says when storage is away, which knows covers, files and what is wanted."""
    world.feed.readings["storage"] = Reading(taken=NOW - 42, problem="S3 h:9000: refused")
    said = words(world.page("shelf").run())
    assert "storage is away: this is what was known 42 sec ago" in said
    assert "Emma" in said


def test_what_is_not_known_is_not_claimed() -> None:
    """Before storage was read nobody says that there is no book, and before Kafka was that there is no dead letter."""
    world = World()
    world.feed.readings |= {"storage": Reading(), "kafka": Reading()}
    said = words(world.page("shelf").run())
    assert "No book yet" not in said
    assert "dead letters –" in said  # noqa: RUF001 - a dash
    assert "e2a-synth" in said


def test_source_never_there() -> None:
    """When Redis could never be read, the page says so and does not claim that there is no worker."""
    world = World()
    world.feed.readings["redis"] = Reading(taken=None, problem="Redis: refused")
    said = words(world.page("shelf").run())
    assert "Redis is away: nothing is known yet" in said
    assert "e2a-synth" not in said


DEEDS = [
    ("Pause", {}, ("pause", a_book_id()), True, "is paused"),
    ("Cancel", {}, ("cancel", a_book_id()), True, "is cancelled"),
    ("Remove", {}, ("remove", a_book_id()), True, "is removed"),
    ("Make urgent", {}, ("set_urgent", a_book_id(), True), False, "before all others"),
    ("No longer urgent", {"urgent": True}, ("set_urgent", a_book_id(), False), False, "when its turn comes"),
    ("Resume", {"condition": "paused"}, ("resume", a_book_id()), False, "goes on"),
    ("Retry what failed", {"condition": "failed", "chapters_failed": 1}, ("retry", a_book_id(), ()), False, "again"),
]


@pytest.mark.parametrize(("label", "state", "call", "asks", "outcome"), DEEDS, ids=[deed[0] for deed in DEEDS])
def test_deeds(world: World, label: str, state: dict[str, object], call: object, asks: bool, outcome: str) -> None:
    """A deed is done at once, or after a yes where it stops work or cannot be undone, and what came of it is said."""
    world.feed.rows = (a_book(**state),)
    page = choose(world.page("shelf").run(), label)
    if asks:
        assert world.desk.asked == []
        confirm(page)
    assert world.desk.asked == [call]
    assert outcome in words(page)
    assert not any(button.key == "sure" for button in page.button)


def test_a_no_changes_nothing(world: World) -> None:
    """Who leaves it at the question has changed nothing, and is asked no more."""
    page = choose(world.page("shelf").run(), "Remove")
    assert "This cannot be undone." in words(page)
    page.button("leave").click().run()
    assert world.desk.asked == []
    assert not any(button.key == "sure" for button in page.run().button)


@pytest.mark.parametrize("fault", [Unavailable("Kafka k:9092: no answer"), UserError("it is finished", ExitCode.USAGE)])
@pytest.mark.parametrize("label", ["Pause", "Make urgent"])
def test_what_goes_wrong_is_a_line(world: World, label: str, fault: Exception) -> None:
    """A deed that fails says why in a line, beside the question or at the head of the page."""
    page = world.page("shelf").run()
    world.desk.fault = fault
    choose(page, label)
    if label == "Pause":
        confirm(page)
    assert str(fault) in words(page)


def test_unfinished_removal_says_so(world: World) -> None:
    """A removal that is not whole says why, and that it is to be done again."""
    world.desk.removal = Removal(1, 2, "the merger has not forgotten it")
    page = confirm(choose(world.page("shelf").run(), "Remove"))
    assert "not wholly removed; remove it again: the merger has not forgotten it" in words(page)


@pytest.mark.parametrize(
    ("condition", "deeds"),
    [
        ("synthesising", ["Make urgent", "Pause", "Cancel", "Remove"]),
        ("paused", ["Resume", "Make urgent", "Cancel", "Remove"]),
        ("cancelled", ["Resume", "Make urgent", "Remove"]),
        ("done", ["Remove"]),
        ("incomplete", ["Remove"]),
        ("removing", ["Remove"]),
    ],
)
def test_only_what_fits_is_offered(world: World, condition: str, deeds: list[str]) -> None:
    """A book offers what its state allows."""
    world.feed.rows = (a_book(condition=condition),)
    assert offered(world.page("shelf").run()) == deeds


def test_read_only_offers_nothing() -> None:
    """Where viewers may only look there is no menu, no upload and no word of one."""
    world = World(may_change=False)
    page = world.page("shelf").run()
    assert not page.file_uploader
    assert "Add an EPUB below" not in words(page)
    world.feed.rows = (a_book(),)
    assert offered(page.run()) == []


def test_books_are_sent_with_their_options(world: World) -> None:
    """EPUBs are sent once, with what was asked for, and the field is empty again."""
    world.feed.worker_rows = (a_worker(), a_worker("gpu-1"), a_worker("gpu-2", engine="espeak", model=""))
    page = world.page("shelf").run()
    assert page.selectbox("engine").options == ["espeak", "xtts xtts_v2"]
    assert page.button("send").disabled
    page.file_uploader[0].set_value([EPUB, ("b.epub", b"PK2", "application/epub+zip")]).run()
    page.selectbox("engine").set_value(("xtts", "xtts_v2"))
    page.text_input("voice").set_value(" Claribel Dervla ")
    page.slider("speed").set_value(1.25)
    page.checkbox("urgent").set_value(True)
    page.button("send").click().run()
    assert not page.exception
    options = UploadOptions(engine="xtts", model="xtts_v2", voice="Claribel Dervla", speed=1.25, urgent=True)
    assert world.desk.asked == [("send", "emma.epub", b"PK", options), ("send", "b.epub", b"PK2", options)]
    assert page.run().button("send").disabled
    assert len(world.desk.asked) == 2


def test_chosen_engine_stays(world: World) -> None:
    """A book is sent with the engine that was seen, also when the last worker that has it went meanwhile."""
    world.feed.worker_rows = (a_worker(), a_worker("gpu-1", engine="espeak", model=""))
    page = world.page("shelf").run()
    page.file_uploader[0].set_value([EPUB]).run()
    page.selectbox("engine").set_value(("xtts", "xtts_v2")).run()
    world.feed.worker_rows = (a_worker("gpu-1", engine="espeak", model=""),)
    page.button("send").click().run()
    assert world.desk.asked == [("send", "emma.epub", b"PK", UploadOptions(engine="xtts", model="xtts_v2"))]


def test_chapters_are_shown_before_sending(world: World) -> None:
    """The chapters of an EPUB can be looked at; a book that cannot be read says why, and nothing was sent."""
    page = world.page("shelf").run()
    page.file_uploader[0].set_value([EPUB]).run()
    page.button("preview").click().run()
    assert [code.value for code in page.code] == ["chapters"]
    world.desk.fault = UserError("not an EPUB but a web page", ExitCode.BAD_INPUT)
    page.button("preview").click().run()
    assert "emma.epub: not an EPUB but a web page" in words(page)
    assert [deed for deed, *_rest in world.desk.asked] == ["preview"]


def test_uploads_say_what_became_of_them(world: World) -> None:
    """Uploads are listed while they go on, and for a while after."""
    world.uploads.uploads = (
        Upload(name="a.epub", state="running", time=NOW - 5000),
        Upload(name="b.epub", state="refused", message="not an EPUB", time=NOW - 61),
        Upload(name="c.epub", state="submitted", time=NOW - 5000),
    )
    said = words(world.page("shelf").run())
    assert "► being read a.epub" in said
    assert "✕ refused b.epub 1 min ago not an EPUB" in said
    assert "c.epub" not in said


def test_french(world: World) -> None:
    """A viewer whose browser is French reads French, and numbers as they are written there."""
    world.feed.rows = (a_book(), a_finished_book(1))
    page = world.page("shelf", locale="fr-FR").run()
    said = words(page)
    assert "prêt dans 12 à 18 min" in said
    assert "12,5× le temps réel" in said  # noqa: RUF001
    assert "Mettre en pause" in offered(page, f"menu-{a_book_id()}")
    assert "M4B · 5 Mo" in said
