"""Debian's Chromium on the real thing: servers, merger, two workers and the page, once for each module of tests."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, ViewportSize, expect, sync_playwright

from e2a.bus import KafkaServer
from tests import servers
from tests.browser.website import PASSWORD, RTF, Site, Visit, log_in, open_chromium
from tests.servers import require
from tests.stack import stack

PATIENCE = 60_000
"""Milliseconds until what is awaited counts as missing."""
TALL = ViewportSize(width=1280, height=2000)
"""Nothing needs to be scrolled: lists of choices close when something is."""
LOOKED_FOR = re.compile(r"/(book|timeline|workers|queue)/_stcore/(health|host-config)$")
"""Streamlit looks for its server beside the page before it looks above it."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    require("chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        yield open_chromium(playwright)


@pytest.fixture(scope="module")
def site(redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a stack with its servers; no page of it may have met a bug in the end."""
    require("ffmpeg")
    folder = tmp_path_factory.mktemp("site")
    with (
        servers.kafka_server(tmp_path_factory.mktemp("kafka")) as kafka,
        stack(folder, KafkaServer(kafka.address), redis, workers=2, partitions=2, SIMULATED_RTF=RTF) as running,
    ):
        yield Site(running, kafka)
    logs = [path.read_text() for path in folder.glob("e2a-monitor-*.log")]
    assert "monitor/views/" not in "\n".join(logs)  # as a traceback names it


@pytest.fixture(scope="module")
def url(site: Site) -> str:
    """Return where the page is."""
    return site.monitor(MONITOR_PASSWORD=PASSWORD)


class Profile(NamedTuple):
    """What a browser keeps between pages, and what happened on them that must not."""

    context: BrowserContext
    faults: list[str]


def open_profile(browser: Browser, url: str, locale: str = "en-GB", expected: str = "nothing") -> Profile:
    """Open a profile, and note what happens in it but for what is `expected` on the console: scripts that fail, or
    that come from a book and ask something, and whatever leaves this machine."""
    context = browser.new_context(base_url=url, locale=locale, viewport=TALL, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    faults: list[str] = []

    def refuse(dialog: Dialog) -> None:
        faults.append(f"a script asks: {dialog.message}")
        dialog.dismiss()

    def said(kind: str, text: str, place: str) -> None:
        if kind == "error" and not LOOKED_FOR.search(place) and expected not in text:
            faults.append(f"{text} ({place})")

    def asked(address: str) -> None:
        if not address.startswith((f"{url}/", "blob:", "data:")):
            faults.append(f"asked for {address}")

    context.on("dialog", refuse)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda message: said(message.type, message.text, message.location["url"]))
    context.on("request", lambda request: asked(request.url))
    return Profile(context, faults)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Return what opens a site in a profile of its own."""
    opened: list[Profile] = []

    def visited(url: str, **options: str) -> Page:
        opened.append(open_profile(chromium, url, **options))
        page = opened[-1].context.new_page()
        page.goto("/")
        return page

    yield visited
    for profile in opened:
        profile.context.close()
        assert profile.faults == []


@pytest.fixture(scope="module")
def viewer(chromium: Browser, url: str) -> Iterator[Profile]:
    """Return the profile of somebody who has logged in."""
    profile = open_profile(chromium, url)
    with closing(profile.context.new_page()) as page:
        page.goto("/")
        log_in(page)
        expect(page.get_by_role("heading", name="Shelf")).to_be_visible()
    yield profile
    profile.context.close()


@pytest.fixture
def page(viewer: Profile) -> Iterator[Page]:
    """Return a tab of somebody who has logged in."""
    with closing(viewer.context.new_page()) as page:
        page.goto("/")
        yield page
    assert viewer.faults == []
