"""`make screenshots`: pictures of all pages of the monitor, of a stack that runs, into docs/img.

Servers, workers, merger and page are real, and so are all figures; the engine is the SIMULATED one, and the books but
for the sample are made up. Pages are 1280 pixels wide, light and dark; the shelf also as on a phone.
"""

import io
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from deploy.local.stack import ROOT
from samples.pack import BOOK as SAMPLE
from samples.pack import pack
from tests import servers
from tests.browser.website import Site, go_to, open_chromium
from tests.epubs import made_epub
from tests.servers import wait_until
from tests.stack import Stack, stack

FOLDER = ROOT / "docs/img"
WIDE, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
COLOURS = 200
"""Of a picture, which makes it a third as large."""
PATIENCE = 120_000
"""Milliseconds until what is awaited counts as missing."""
SETTLED = 3_000
"""Milliseconds in which what is there has been refreshed, and is laid out."""
Scheme = Literal["light", "dark"]


class Invented(NamedTuple):
    """A book that does not exist."""

    title: str
    author: str
    chapters: int
    characters: int
    """Of a chapter."""
    sentence: str


DONE = (
    Invented(
        "The Lighthouse Keeper's Almanac", "Ines Tolland", 9, 1500, "On day {} of fog, ship {} answered the bell."
    ),
    Invented(
        "Cartography for Sleepwalkers", "R. M. Ashgrove", 6, 2400, "In house {} stair {} led further than at noon."
    ),
)
FAILED = Invented("Salt and Semaphore", "Jonas Quill", 3, 1200, "Mast {} raised flag {}, and nobody on shore replied.")
PAUSED = Invented("A Winter of Small Repairs", "Maud Ferrant", 30, 2000, "In week {} she mended chair {} by the stove.")
IN_WORK = Invented(
    "The Clockmaker's Orchard",
    "Oskar Blume",
    14,
    14_000,
    "In row {} of the orchard, tree {} struck the hour a little late, and the old man wound it with a silver key.",
)


def submit(running: Stack, book: Invented, *options: str) -> str:
    """Have a book made, and return its id."""
    path = running.folder / f"{book.title}.epub"
    made_epub(path, **book._asdict())
    running.produce(path, "--detach", *options).check_returncode()
    return book_id(running, book.title)


def book_id(running: Stack, title: str) -> str:
    """Return the id of the book of a title."""
    books = (running.checkpoint.book(each) for each in running.checkpoint.books())
    return next(book.book_id for book in books if book is not None and book.title == title)


def done(running: Stack, book: str) -> int:
    """Return how many parts of a book are done."""
    return sum(part.state == "done" for part in running.checkpoint.parts(book).values())


def fill(running: Stack) -> str:
    """Make books until there is one of each kind, and return the id of the one that is being made."""
    sample = running.folder / "umbrellas.epub"
    pack(SAMPLE, sample)
    running.produce(sample, "--output-dir", running.folder).check_returncode()
    finished = [submit(running, book) for book in DONE]
    failed = submit(running, FAILED, "--engine", "espeak")
    wait_until(lambda: all(running.checkpoint.stage(each) == "done" for each in finished))
    wait_until(lambda: running.checkpoint.stage(failed) == "failed")
    paused = submit(running, PAUSED)
    wait_until(lambda: done(running, paused) >= 5)
    running.start("e2a-books", "pause", paused).wait(60)
    running.checkpoint.set_wish("w3", "drain")
    made = submit(running, IN_WORK, "--urgent")
    wait_until(lambda: done(running, made) >= 15, timeout=600)
    return made


def take(browser: Browser, url: str, book: str, scheme: Scheme) -> None:
    """Take the pictures of all pages."""
    page = browser.new_page(base_url=url, viewport=WIDE, color_scheme=scheme, locale="en-GB", reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    page.goto("/")
    keep(page, f"shelf-{scheme}")
    page.goto(f"/book?book={book}")
    page.get_by_role("spinbutton", name="Part").fill("3")
    page.get_by_role("spinbutton", name="Part").press("Enter")
    expect(page.get_by_role("heading", name="Part 3")).to_be_visible()
    keep(page, f"book-{scheme}")
    for name in ("Timeline", "Workers", "Queue"):
        go_to(page, name)
        if name == "Timeline":
            page.get_by_text("10 minutes").click()
        keep(page, f"{name.lower()}-{scheme}")
    page.set_viewport_size(PHONE)
    page.goto("/")
    keep(page, f"phone-{scheme}")
    page.context.close()


def keep(page: Page, name: str) -> None:
    """Keep a picture of the whole page when all of it is drawn."""
    expect(page.get_by_role("combobox", name="Language")).to_be_visible()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.locator(".stVegaLiteChart:not(:has(svg))")).to_have_count(0)
    page.wait_for_timeout(SETTLED)
    size = page.viewport_size or WIDE
    height = page.locator(".stMainBlockContainer").evaluate("page => page.scrollHeight")
    page.set_viewport_size(ViewportSize(width=size["width"], height=height))
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.set_viewport_size(size)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"monitor-{name}.png", optimize=True)
    print(f"docs/img/monitor-{name}.png", picture.size)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    with (
        tempfile.TemporaryDirectory() as name,
        servers.kafka_server(Path(name, "kafka")) as kafka,
        servers.redis(Path(name, "redis")) as redis,
        stack(Path(name), kafka.address, redis, workers=4, partitions=4, SIMULATED_RTF=0.06) as running,
        sync_playwright() as playwright,
    ):
        made = fill(running)
        url, browser = Site(running, kafka).monitor(), open_chromium(playwright)
        for scheme in ("light", "dark"):
            take(browser, url, made, scheme)


if __name__ == "__main__":
    main()
