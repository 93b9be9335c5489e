"""Books are sent to the page and become audiobooks while somebody looks on, whatever happens to workers and parts."""

import signal
from pathlib import Path

from playwright.sync_api import Page, expect

from e2a.storage import keys
from tests.browser.website import PASSWORD, Site, Visit, card, fact, figure, go_to, log_in, next_share, play, state
from tests.epubs import made_epub
from tests.servers import require
from tests.stores import directory_store


def send(page: Page, book: Path) -> None:
    """Send a book with the form of the shelf."""
    uploader = page.get_by_test_id("stFileUploaderDropzoneInput")
    uploader.wait_for(state="attached")
    if not uploader.locator("xpath=ancestor::details[@open]").count():
        page.get_by_text("Add books").click()
    uploader.set_input_files(book)
    page.get_by_role("button", name="Make audiobooks").click()


def test_only_who_knows_the_password_gets_in(visit: Visit, url: str) -> None:
    """A wrong password is refused, and pages are not shown; the right one shows them until one logs out."""
    page = visit(url, expected="403 (Forbidden)")
    log_in(page, "wrong horse")
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    page.goto("/workers")
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.get_by_text("w0")).to_have_count(0)
    log_in(page, PASSWORD)
    expect(card(page, "w0")).to_be_visible()
    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto("/workers")
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_book_that_is_sent_becomes_an_audiobook(page: Page, site: Site, tmp_path: Path) -> None:
    """Sent with options, a book gets further before one's eyes; then it is played on, while the page is refreshed, and
    kept, the same bytes that are stored, and that the command line makes."""
    book = made_epub(tmp_path / "lamps.epub", chapters=10, characters=800, title="Lamps")
    page.get_by_text("Before all other books").click()
    page.get_by_label("Voice").fill("tone")
    send(page, book)
    lamps = card(page, "Lamps")
    expect(lamps.get_by_text("urgent", exact=True)).to_be_visible()
    first = next_share(lamps, after=0)
    assert 0 < first < next_share(lamps, after=first) < 100
    expect(state(lamps)).to_contain_text("done")
    player, age = lamps.locator("audio"), lamps.get_by_text("changed")
    play(player)
    expect(age).not_to_have_text(age.inner_text())
    assert player.evaluate("audio => !audio.paused && audio.duration") > 100
    with page.expect_download() as kept:
        lamps.get_by_role("link", name="M4B").click()
    assert kept.value.suggested_filename == "Lamps.m4b"
    data, folder = Path(kept.value.path()).read_bytes(), site.stack.folder / "storage"
    assert data == directory_store(folder, 1).get(keys.output(site.book_id("Lamps"), "book.m4b"))
    assert site.stack.produce(book, "--voice", "tone", "--sequential", "--output-dir", tmp_path).returncode == 0
    assert data == (tmp_path / "lamps.m4b").read_bytes()


def test_what_is_no_book_is_refused(page: Page, tmp_path: Path) -> None:
    """A file that is only called a book is listed as refused, with the line that says why."""
    broken = tmp_path / "broken.epub"
    broken.write_bytes(b"once upon a time")
    send(page, broken)
    line = page.locator("p").filter(has_text="broken.epub")
    expect(line).to_contain_text("refused")
    expect(line).to_contain_text("not an EPUB: it is no zip file")


def test_a_killed_worker_is_seen_and_its_part_is_made_by_the_other(page: Page, site: Site, tmp_path: Path) -> None:
    """kill -9 of a worker in the middle of a part: the page shows that it is silent, and who made the part instead."""
    running = site.stack
    killed = running.start("e2a-synth", WORKER_ID="doomed")
    book = made_epub(tmp_path / "book.epub", chapters=6, characters=1600, title="Candles")
    assert running.produce(book, "--detach").returncode == 0
    go_to(page, "Workers")
    expect(state(card(page, "doomed"))).to_contain_text("speaking")
    lost = site.caught("doomed", lambda worker: 0 < worker.sentence < 8)
    killed.send_signal(signal.SIGKILL)
    expect(state(card(page, "doomed"))).to_contain_text("silent")
    go_to(page, "Shelf")
    expect(state(card(page, "Candles"))).to_contain_text("done")
    card(page, "Candles").get_by_role("link", name="Open").click()
    page.get_by_role("spinbutton", name="Part").fill(str(lost.part))
    page.get_by_role("spinbutton", name="Part").press("Enter")
    made_by = running.checkpoint.parts(site.book_id("Candles"))[lost.part].worker
    assert made_by in {"w0", "w1"}
    shown = page.locator(".st-key-chosen-part")
    expect(fact(shown, "worker")).to_have_text(made_by)
    expect(shown.get_by_role("row", name="done").first).to_contain_text(made_by)
    expect(shown.get_by_text("doomed")).to_have_count(0)
    expect(shown.get_by_role("listitem").last).to_contain_text("lamp along the quiet road")
    play(shown.locator("audio"))


def test_dead_letters_are_tried_again(page: Page, site: Site, tmp_path: Path) -> None:
    """Parts that nobody can speak are dead letters with their reason; when somebody can, the button on the page has
    them spoken, once one is sure, and they are open no more."""
    require("espeak-ng")
    running = site.stack
    book = made_epub(tmp_path / "book.epub", chapters=2, characters=200, title="Matches")
    assert running.produce(book, "--engine", "espeak", "--detach").returncode == 0
    go_to(page, "Queue")
    expect(figure(page, "dead letters")).to_have_text("2")
    page.get_by_role("region", name="Dead letters").locator(".dvn-scroller").click(position={"x": 16, "y": 52})
    expect(page.get_by_role("alert")).to_contain_text("start workers with E2A_ENGINE=espeak")
    for name in ("w0", "w1"):
        running.checkpoint.set_wish(name, "drain")
        site.caught(name, lambda worker: worker.state == "drained")
    able = running.start("e2a-synth", WORKER_ID="able", ENGINE="espeak")
    site.caught("able", lambda worker: bool(worker.partitions))
    page.get_by_role("button", name="Try all again").click()
    expect(page.get_by_role("dialog")).to_contain_text("Try 2 parts again?")
    page.get_by_role("dialog").get_by_role("button", name="Try all again").click()
    expect(page.get_by_role("status").first).to_contain_text("2 failed parts are tried again.")
    expect(figure(page, "dead letters")).to_have_text("0")
    expect(fact(page.locator("body"), "since")).to_have_text("done since")
    go_to(page, "Shelf")
    expect(state(card(page, "Matches"))).to_contain_text("done")
    for name in ("w0", "w1"):
        running.checkpoint.set_wish(name, "work")
    able.terminate()
    assert able.wait(40) == 0
