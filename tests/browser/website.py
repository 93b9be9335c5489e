"""The page of a running stack, and what one finds on it."""

import os
import re
import shutil
from collections.abc import Callable
from typing import NamedTuple

from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from deploy.local.kept import free_ports
from e2a.checkpoint import WorkerRecord
from tests.servers import Server, listens, wait_until
from tests.stack import Stack

Visit = Callable[..., Page]
"""Opens a site, given its URL."""
PASSWORD = "correct horse"
RTF = 0.05
"""The simulated engine works this long a second of audio."""


class Site(NamedTuple):
    """What the page shows, and where from."""

    stack: Stack
    kafka: Server

    def monitor(self, **settings: object) -> str:
        """Start a monitor and return its URL, without a slash at the end, when it listens."""
        (port,) = free_ports(1)
        self.stack.start("e2a-monitor", MONITOR_PORT=port, MONITOR_REFRESH=1, **settings)
        wait_until(lambda: listens(port))
        return f"http://127.0.0.1:{port}"

    def book_id(self, title: str) -> str:
        """Return the id of the book of a title."""
        books = (self.stack.checkpoint.book(book_id) for book_id in self.stack.checkpoint.books())
        (found,) = (book.book_id for book in books if book is not None and book.title == title)
        return found

    def caught(self, worker: str, wanted: Callable[[WorkerRecord], bool]) -> WorkerRecord:
        """Return the first record of a worker that is as wanted."""
        found: list[WorkerRecord] = []

        def looked() -> bool:
            found.extend(each for each in self.stack.checkpoint.workers() if each.worker == worker and wanted(each))
            return bool(found)

        wait_until(looked)
        return found[0]


def open_chromium(playwright: Playwright) -> Browser:
    """Start Debian's Chromium, which has no sandbox when it is root's."""
    as_root = [] if os.geteuid() else ["--no-sandbox"]
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=as_root)


def log_in(page: Page, password: str = PASSWORD) -> None:
    """Give a password."""
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def go_to(page: Page, name: str) -> None:
    """Go to a page of the site by its menu."""
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def card(page: Page, name: str) -> Locator:
    """Return the card of a book or of a worker, with all that can be done with it; while it moves there are two."""
    return page.get_by_test_id("stGridCell").filter(has=page.get_by_role("group", name=name, exact=True)).first


def state(place: Locator) -> Locator:
    """Return the state on a card."""
    return place.locator(".e2a-pill")


def share(place: Locator) -> float:
    """Return how much of a book is done, in percent."""
    return float(place.get_by_role("progressbar").get_attribute("aria-valuenow") or "nan")


def next_share(place: Locator, after: float) -> float:
    """Return how much of a book is done as soon as it is more than that, in percent."""
    shares: list[float] = []

    def rose() -> bool:
        shares.append(share(place))
        return shares[-1] > after

    wait_until(rose)
    return shares[-1]


def figure(page: Page, name: str) -> Locator:
    """Return a number of a page, by what it is called."""
    term = page.get_by_role("term").filter(has_text=re.compile(f"^{name}$"))
    return page.locator(".e2a-figures > div").filter(has=term).get_by_role("definition")


def fact(place: Locator, name: str) -> Locator:
    """Return what is said behind a name; while a page is drawn again it may be there twice."""
    return place.locator(".e2a-facts dt").filter(has_text=name).locator("+ dd").first


def act(page: Page, place: Locator, deed: str) -> None:
    """Choose something from the menu of a card."""
    place.get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name=deed, exact=True).click()


def play(audio: Locator) -> None:
    """Play an audio as somebody without a mouse does, and return when it is heard."""
    audio.focus()
    audio.press(" ")
    audio.evaluate(
        """audio => new Promise((heard, failed) => {
            audio.addEventListener("error", () => failed(new Error(`cannot be played: ${audio.error.message}`)))
            audio.addEventListener("timeupdate", () => audio.currentTime > 0.3 && heard())
        })"""
    )
