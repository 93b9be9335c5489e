"""The pages as a viewer sees them, run by Streamlit's own test runner on figures that a test makes up."""

import re

from streamlit.testing.v1 import AppTest

from monitor.links import Links
from tests.unit.pages_feed import NOW, FakeDesk, FakeFeed, FakeUploads


class World:
    """Everything behind the pages."""

    def __init__(self, *, may_change: bool = True) -> None:
        self.feed = FakeFeed()
        self.uploads = FakeUploads()
        self.desk = FakeDesk(may_change=may_change)
        self.links = Links(b"k" * 32, self.clock)
        self.now = NOW

    def clock(self) -> float:
        return self.now

    def page(self, name: str, locale: str = "en-US", **query: str) -> AppTest:
        """Return a page that was not shown yet."""
        app = AppTest.from_function(_script, kwargs={"world": self, "name": name}, default_timeout=60)
        app.context = {"locale": locale, "timezone": "Europe/Paris"}
        for key, value in query.items():
            app.query_params[key] = value
        return app


def texts(page: AppTest) -> str:
    """Return all that a page says outside tables and figures, HTML as it is sent."""
    assert not page.exception, page.exception
    kinds = (page.title, page.header, page.subheader, page.caption, page.html, page.markdown, page.code)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def words(page: AppTest) -> str:
    """Return what is read of a page: its HTML without elements, white space closed up."""
    return " ".join(re.sub(r"<[^>]+>", " ", texts(page)).split())


def choose(page: AppTest, label: str, key: str = "") -> AppTest:
    """Choose from a menu of actions: that of this key, or the only one there is."""
    menus = [menu for menu in page.menu_button if not key or menu.key == key]
    assert len(menus) == 1, [menu.key for menu in page.menu_button]
    return menus[0].click(label).run()


def confirm(page: AppTest) -> AppTest:
    """Say yes to the question that is asked."""
    return page.button("sure").click().run()


def offered(page: AppTest, key: str = "") -> list[str]:
    """Return what a menu offers; nothing where there is none."""
    return [option for menu in page.menu_button if not key or menu.key == key for option in menu.options]


def _script(world, name):
    """Show one page; Streamlit runs the source of this function alone, so it imports for itself."""
    from importlib import import_module  # noqa: PLC0415

    import streamlit  # noqa: PLC0415

    from monitor import dashboard  # noqa: PLC0415

    sources = dashboard.Sources(world.feed, world.links, world.uploads)
    view = dashboard.view_of(sources, world.desk, 2.0, world.clock)
    streamlit.navigation(list(view.pages.values()), position="hidden")
    import_module(f"monitor.views.{name}").show(view)
