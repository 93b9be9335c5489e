"""The script of the page: its composition, its pages, and the languages that it speaks."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from e2a.errors import ExitCode, UserError
from e2a.settings import MonitorSettings
from monitor import access, dashboard, desk, feed, links, uploads
from monitor.once import once
from tests.integration.pages import World, words
from tests.unit.pages_feed import a_book


@pytest.fixture
def world() -> World:
    world = World()
    world.feed.rows = (a_book(),)
    return world


def page(world: World, locale: str = "en-US", **options: Any) -> AppTest:
    """Return the whole page, its navigation included."""
    app = AppTest.from_function(script, kwargs={"world": world, "options": options}, default_timeout=60)
    app.context = {"locale": locale}
    return app


def script(world, options):
    from monitor.dashboard import Sources, render  # noqa: PLC0415 - Streamlit runs the source of this function alone

    render(Sources(world.feed, world.links, world.uploads), world.desk, 2.0, world.clock, **options)


def test_shelf_comes_first(world: World) -> None:
    """Who comes without an address sees the shelf."""
    app = page(world).run()
    assert [title.value for title in app.title] == ["Shelf"]
    assert "Emma" in words(app)


def test_language_is_chosen(world: World) -> None:
    """The page speaks the browser's language at first, and the one that is chosen from then on."""
    app = page(world, "fr-FR").run()
    assert [title.value for title in app.title] == ["Étagère"]
    choice = app.selectbox(dashboard.LANGUAGE)
    assert (choice.value, choice.options) == ("fr", ["English", "Français"])
    choice.set_value("en").run()
    assert [title.value for title in app.run().title] == ["Shelf"]


def test_foot_says_who_and_what(world: World) -> None:
    """The foot names who is logged in and leads out, and says when the page only shows."""
    app = page(world, log_out="/logout").run()
    assert "ann@example.org · Log out" in words(app)
    assert '<a href="/logout" target="_self">' in "".join(str(html.value) for html in app.html)
    assert "only shows" not in words(app)
    world.desk.may_change = False
    assert "This page only shows; it changes nothing." in words(app.run())


def test_live_parts_refresh_themselves(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """What is live is a fragment that runs again after so many seconds; what holds an upload runs when it is used."""
    seen: list[object] = []

    def fragment(function: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
        seen.append(run_every)
        return function

    monkeypatch.setattr(st, "fragment", fragment)
    assert "Emma" in words(page(world).run())
    assert seen == [2.0, None, 2.0, 2.0]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, world: World) -> list[str]:
    """Put the world of a test behind the script, and return what was opened."""
    opened: list[str] = []

    def opening(settings: MonitorSettings) -> object:
        opened.append(settings.redis_url)
        return world.feed

    monkeypatch.setattr(feed, "open_feed", opening)
    monkeypatch.setattr(feed, "shared", once(feed.shared.__wrapped__))
    monkeypatch.setattr(desk, "servers", once(lambda _: desk.Servers(*[None] * 3)))
    monkeypatch.setattr(uploads, "shared", lambda _: world.uploads)
    monkeypatch.setattr(links, "shared", lambda: world.links)
    return opened


def run_script(monkeypatch: pytest.MonkeyPatch, *options: str) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["e2a-monitor", *options])
    return AppTest.from_file(Path(dashboard.__file__), default_timeout=60).run()


def test_script_composes_itself_from_options(monkeypatch: pytest.MonkeyPatch, servers: list[str]) -> None:
    """Run by Streamlit, the script reads the options of its process, and gives all viewers one feed.

    A browser may have Streamlit's caches cleared; that opens no other, which would have threads of its own.
    """
    for _viewer in range(2):
        app = run_script(monkeypatch, "--redis-url", "redis://elsewhere")
        assert "Emma" in words(app)
        assert app.menu_button
        st.cache_resource.clear()
    assert servers == ["redis://elsewhere"]


def test_script_obeys_read_only(monkeypatch: pytest.MonkeyPatch, servers: list[str]) -> None:
    """A page that may not change anything offers nothing to change."""
    app = run_script(monkeypatch, "--monitor-read-only", "true")
    assert "This page only shows" in words(app)
    assert not app.menu_button
    assert not app.file_uploader


def test_script_asks_who_it_is_first(monkeypatch: pytest.MonkeyPatch, servers: list[str]) -> None:
    """A viewer who has to log in sees nothing before, and no server is asked for them."""

    def refuse(_settings: MonitorSettings) -> None:
        raise UserError("log in first", ExitCode.USAGE)

    monkeypatch.setattr(access, "require_login", refuse)
    app = run_script(monkeypatch)
    assert [fault.message for fault in app.exception] == ["log in first"]
    assert servers == []
    assert not app.title
