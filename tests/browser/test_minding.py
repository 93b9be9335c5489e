"""What somebody sees and does who minds the shelf: books and workers on hold, hostile names, servers that are away."""

import html
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from e2a.bus import KafkaServer
from e2a.messages import PartDone, decode
from e2a.topics import EVENTS
from tests.browser.website import Site, Visit, act, card, figure, go_to, share, state
from tests.epubs import made_epub
from tests.servers import wait_until
from tests.topics import read_topic

PAGES = ("Shelf", "Book", "Timeline", "Workers", "Queue")
HOSTILE = '<img src=x onerror="alert(1)"> $x$ :red[x] **x** \u202e\u05d0\u05d1\u05d2</p><script>alert(2)</script>'


def test_a_book_is_paused_goes_on_and_is_given_up(page: Page, site: Site, tmp_path: Path) -> None:
    """Once one is sure, nobody begins another part of a book; resumed, it gets further; given up, it stays as it is."""
    book = made_epub(tmp_path / "book.epub", chapters=60, characters=800, title="Long")
    assert site.stack.produce(book, "--detach").returncode == 0
    long = card(page, "Long")
    act(page, long, "Pause")
    page.get_by_role("dialog").get_by_role("button", name="Leave it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(state(long)).to_contain_text("synthesising")
    act(page, long, "Pause")
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").first).to_contain_text("is paused")
    expect(state(long)).to_contain_text("paused")
    wait_until(lambda: idle(site))
    page.reload()
    expect(state(long)).to_contain_text("paused")
    before = share(long)
    act(page, long, "Resume")
    wait_until(lambda: share(long) > before)
    act(page, long, "Cancel")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(state(long)).to_contain_text("cancelled")
    assert share(long) < 100
    wait_until(lambda: idle(site))


def idle(site: Site) -> bool:
    """Say whether nobody is at a part."""
    return not any(worker.book_id for worker in site.stack.checkpoint.workers())


def test_workers_are_drained_and_stopped(page: Page, site: Site) -> None:
    """A worker is drained, works again, and ends, as one asks for on its card."""
    extra = site.stack.start("e2a-synth", WORKER_ID="extra")
    site.caught("extra", lambda worker: bool(worker.partitions))
    go_to(page, "Workers")
    extra_card = card(page, "extra")
    act(page, extra_card, "Drain")
    page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    expect(state(extra_card)).to_contain_text("drained")
    act(page, extra_card, "Work again")
    expect(state(extra_card)).to_contain_text("waiting")
    act(page, extra_card, "Stop")
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    assert extra.wait(40) == 0
    expect(extra_card).to_have_count(0)


def test_who_may_only_look_finds_nothing_to_press(visit: Visit, site: Site, tmp_path: Path) -> None:
    """Read-only, and in French: books are heard and fetched, and no page offers to change anything."""
    book = made_epub(tmp_path / "book.epub", chapters=1, characters=200, title="Seen")
    assert site.stack.produce(book, "--output-dir", tmp_path).returncode == 0
    page = visit(site.monitor(MONITOR_READ_ONLY=True), locale="fr-FR")
    seen = card(page, "Seen")
    expect(state(seen)).to_contain_text("terminé")
    expect(seen.locator("audio")).to_be_visible()
    expect(page.get_by_text("Cette page montre seulement")).to_be_visible()
    for name in ("Étagère", "Livre", "Chronologie", "Lecteurs", "File d’attente"):  # noqa: RUF001 - as French has it
        go_to(page, name)
        expect(page.get_by_text("Actions")).to_have_count(0)
        expect(page.get_by_test_id("stFileUploader")).to_have_count(0)
    page.get_by_role("combobox", name="Langue").click()
    page.get_by_role("option", name="English").click()
    expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()


def test_hostile_names_are_text(page: Page, site: Site, tmp_path: Path) -> None:
    """Whatever a book or a worker is called, all pages show it as text: no script runs and no picture is fetched."""
    title = html.escape(HOSTILE)
    book = made_epub(tmp_path / "book.epub", chapters=3, characters=700, title=title)
    site.stack.start("e2a-synth", WORKER_ID=HOSTILE)
    assert site.stack.produce(book, "--detach").returncode == 0
    shown = HOSTILE.replace("\u202e", "")
    for name in PAGES:
        go_to(page, name)
        if name in {"Book", "Timeline", "Queue"}:
            choose(page, shown)
        if name == "Timeline":
            page.get_by_label(f"book: {shown}").first.hover()
        if name != "Queue":
            expect(page.get_by_text(shown).first).to_be_visible()
        expect(page.locator("img[src=x]")).to_have_count(0)


def choose(page: Page, title: str) -> None:
    """Choose a book."""
    page.get_by_role("combobox", name="Book").click()
    page.get_by_role("option", name=title).click()
    expect(page.get_by_role("combobox", name="Book")).to_have_value(re.compile(re.escape(title)))


def test_the_figures_are_those_of_the_servers(page: Page, site: Site, tmp_path: Path) -> None:
    """What the pages count is what Kafka, Redis and storage hold."""
    book = made_epub(tmp_path / "book.epub", chapters=3, characters=300, title="Counted")
    assert site.stack.produce(book, "--output-dir", tmp_path).returncode == 0
    books = [site.stack.checkpoint.book(book_id) for book_id in site.stack.checkpoint.books()]
    finished = sum(book is not None and book.stage == "done" for book in books)
    expect(figure(page, "done")).to_have_text(str(finished))
    told = [decode(raw) for raw in read_topic(KafkaServer(site.kafka.address), EVENTS)]
    spoken = [each for each in told if isinstance(each, PartDone) and each.work_seconds]
    go_to(page, "Timeline")
    page.get_by_text("all", exact=True).click()
    expect(figure(page, "parts")).to_have_text(str(len(spoken)))
    go_to(page, "Queue")
    expect(figure(page, "parts wait")).to_have_text("0")
    choose(page, "Counted")
    page.get_by_role("button", name="Compare").click()
    for name in ("parts", "done in the checkpoint", "stored"):
        expect(figure(page, name)).to_have_text("3")
    expect(figure(page, "done in the events")).to_contain_text("3")
    expect(page.get_by_text("Checkpoint and storage agree.")).to_be_visible()


def test_kafka_goes_away_and_comes_back(page: Page, site: Site, tmp_path: Path) -> None:
    """Without Kafka the pages say so and show what was known; with it they go on, without being loaded again."""
    book = made_epub(tmp_path / "book.epub", chapters=1, characters=200, title="Known")
    assert site.stack.produce(book, "--output-dir", tmp_path).returncode == 0
    go_to(page, "Timeline")
    away = page.get_by_text("Kafka is away")
    expect(figure(page, "parts")).to_be_visible()
    parts = figure(page, "parts").inner_text()
    site.kafka.stop()
    expect(away).to_contain_text("this is what was known")
    expect(figure(page, "parts")).to_have_text(parts)
    go_to(page, "Shelf")
    expect(state(card(page, "Known"))).to_contain_text("done")
    go_to(page, "Queue")
    expect(away).to_be_visible()
    site.kafka.start()
    expect(away).to_have_count(0)
