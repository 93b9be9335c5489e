"""A book as a viewer sees it: parts, chapters, text and quality."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from e2a.plan import Accounting
from monitor.grid import LISTED
from monitor.records import Reading
from tests.integration.pages import World, choose, confirm, offered, texts, words
from tests.unit.pages_feed import (
    HOSTILE,
    NOW,
    a_book,
    a_book_id,
    a_book_page,
    a_cell,
    a_finished_book,
    a_part_page,
    a_retake,
)

BOOK = a_book_id()


@pytest.fixture
def world() -> World:
    world = World()
    world.feed.rows = (a_book(), a_book(1, title="Persuasion"))
    world.feed.pages = {BOOK: a_book_page(), a_book_id(1): a_book_page(a_book(1, title="Persuasion"))}
    world.feed.parts = {(BOOK, cell.part): a_part_page(cell) for cell in a_book_page().cells}
    return world


def tab(page: AppTest, name: str) -> AppTest:
    """Open a tab of the page."""
    page.session_state["tab"] = name
    return page.run()


def pick(page: AppTest, row: int) -> AppTest:
    """Choose a row of the only table, as a click on it does."""
    (table,) = page.dataframe
    page.session_state[table.key] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    return page.run()


def test_address_names_the_book(world: World) -> None:
    """A page that is loaded with the id of a book shows that book; the choice of another is in the address."""
    page = world.page("book", book=BOOK).run()
    assert "Emma Jane Austen" in words(page)
    assert page.selectbox("book").options == [f"Emma ({BOOK})", f"Persuasion ({a_book_id(1)})"]
    page.selectbox("book").set_value(a_book_id(1)).run()
    assert page.query_params["book"] in (a_book_id(1), [a_book_id(1)])
    assert "Persuasion Jane Austen" in words(page.run())


def test_a_link_counts_more_than_the_last_choice(world: World) -> None:
    """Who comes to the page by another link sees the book of that link."""
    page = world.page("book", book=BOOK).run()
    page.query_params["book"] = a_book_id(1)
    assert "Persuasion Jane Austen" in words(page.run())


@pytest.mark.parametrize("query", [{}, {"book": "<b>nonsense"}])
def test_no_book_is_chosen(world: World, query: dict[str, str]) -> None:
    """Without a book, or with one that is not there, the page lets one be chosen, and says which was not there."""
    page = world.page("book", **query).run()
    assert ("There is no such book" in words(page)) == bool(query)
    assert "Emma Jane Austen" not in words(page)
    assert page.selectbox("book").value is None


def test_empty_shelf() -> None:
    """Without any book the page says where to make one, but for when nobody can say whether there is one."""
    world = World()
    assert "the shelf says how to make one" in words(world.page("book").run())
    world.feed.readings["storage"] = Reading(problem="refused")
    assert "the shelf says how to make one" not in words(world.page("book").run())


def test_book_that_went_away(world: World) -> None:
    """A book of which nothing can be said now is no error."""
    world.feed.pages = {}
    said = words(world.page("book", book=BOOK).run())
    assert "Nothing is known of this book now." in said
    assert "Its parts are not known now." in said


def test_what_was_read_around(world: World) -> None:
    """What the reader had to read around is listed, as text."""
    world.feed.pages[BOOK] = a_book_page(problems=("<ch7> is missing", "x"))
    said = words(world.page("book", book=BOOK).run())
    assert "2 things had to be read around &lt;ch7&gt; is missing" in said


def test_actions_are_those_of_the_shelf(world: World) -> None:
    """A book offers on its own page what it offers on the shelf, and does it."""
    page = world.page("book", book=BOOK).run()
    assert offered(page) == ["Make urgent", "Pause", "Cancel", "Remove"]
    confirm(choose(page, "Cancel"))
    assert world.desk.asked == [("cancel", BOOK)]


def test_parts_are_a_figure_and_a_number(world: World) -> None:
    """Parts are squares of a figure with a name, and the number of one chooses it as well."""
    page = world.page("book", book=BOOK).run()
    (figure,) = page.get("vega_lite_chart")
    assert figure.proto.alt.startswith("Parts by chapter")
    said = words(page)
    assert "Choose a part to see its text" in said
    assert "✓ done 3 ► running 1 ○ waiting 2 ↻ to be tried again 1 ✕ failed 1" in said
    field = page.number_input(f"part-{BOOK}")
    assert (field.min, field.max) == (0, 7)
    said = words(field.set_value(1).run())
    assert "Part 1, chapter 1" in said
    assert "One. Two." in said


def test_done_part_can_be_heard(world: World) -> None:
    """A part that is done has a player, who made it, and what became of it in all attempts."""
    page = world.page("book", book=BOOK).run()
    page.number_input(f"part-{BOOK}").set_value(0).run()
    assert world.links.part(BOOK, 0) in texts(page)
    said = words(page)
    assert "length 0:01:01 worker gpu-0" in said
    assert "gpu-1 ✕ failed out of memory" in said
    assert "gpu-0 ✓ done 7 sec" in said


def test_failed_part_is_tried_again(world: World) -> None:
    """A part that failed says why, as text, has no player, and can be tried again alone."""
    cell = a_cell(6, state="failed", attempts=3, reason="no <voice> $x$")
    world.feed.parts[BOOK, 6] = a_part_page(cell)
    page = world.page("book", book=BOOK).run()
    page.number_input(f"part-{BOOK}").set_value(6).run()
    said = words(page)
    assert "no &lt;voice&gt; $x$" in said
    assert "failed attempts 3" in said
    assert "<audio" not in texts(page)
    page.button("retry-6").click().run()
    assert world.desk.asked == [("retry", BOOK, (6,))]
    assert "Part 6 is tried again." in words(page)


def test_part_that_waits_says_how_long(world: World) -> None:
    """A part that waits to be tried again says when."""
    world.feed.parts[BOOK, 7] = a_part_page(a_cell(7, state="retry", due=NOW + 12))
    page = world.page("book", book=BOOK).run()
    assert "tried again in 12 sec" in words(page.number_input(f"part-{BOOK}").set_value(7).run())


def test_read_only_part(world: World) -> None:
    """Where viewers may only look a failed part offers nothing."""
    world.desk.may_change = False
    world.feed.parts[BOOK, 6] = a_part_page(a_cell(6, state="failed"))
    page = world.page("book", book=BOOK).run()
    assert "failed" in words(page.number_input(f"part-{BOOK}").set_value(6).run())
    assert not page.button
    assert offered(page) == []


def test_another_book_has_parts_of_its_own(world: World) -> None:
    """The part that was chosen of a book is not chosen of the next."""
    page = world.page("book", book=BOOK).run()
    page.number_input(f"part-{BOOK}").set_value(5).run()
    page.query_params["book"] = a_book_id(1)
    assert page.run().number_input[0].value is None


def test_hostile_texts(world: World) -> None:
    """Sentences, reasons, workers and titles are text on every tab, in tables, choices and figures too."""
    row = a_book(title=HOSTILE, authors=HOSTILE)
    chapters = tuple(chapter.model_copy(update={"title": HOSTILE}) for chapter in a_book_page().chapters)
    retake = a_retake(title=HOSTILE, text=HOSTILE, doubtful=("cut",))
    world.feed.rows = (row,)
    world.feed.pages = {BOOK: a_book_page(row, chapters=chapters, retakes=(retake,), problems=(HOSTILE,))}
    world.feed.parts = {(BOOK, 0): a_part_page(a_cell(worker=HOSTILE, reason=HOSTILE), text=(HOSTILE,))}
    page = world.page("book", book=BOOK).run()
    page.number_input(f"part-{BOOK}").set_value(0).run()
    for name in ("Parts", "Chapters", "Text", "Quality"):
        html = texts(tab(page, name))
        assert "<b onclick" not in html
        assert "<script" not in html
        assert not page.markdown
        if page.dataframe:
            assert '<b onclick="x()">T</b> ![x](http://y) $z$' in page.dataframe[0].value.to_string()
            pick(page, 0)
            assert "<b onclick" not in texts(page)
    assert page.selectbox("book").options[0].startswith('<b onclick="x()">T</b> ![x](http://y)')


def test_chapters_are_a_table(world: World) -> None:
    """Chapters are listed with state, parts, length and loudness; a figure of loudness comes once it is known."""
    page = tab(world.page("book", book=BOOK).run(), "Chapters")
    (table,) = page.dataframe
    first, *_others, last = table.value.to_dict("records")
    assert first == {
        "no.": 1,
        "chapter": "Chapter 1",
        "state": "✓ done",
        "parts": "2/2",
        "length": "0:01:01",
        "loudness": "–",  # noqa: RUF001 - a dash
    }
    assert last["state"] == "✕ failed"
    assert not page.get("vega_lite_chart")
    loud = tuple(chapter.model_copy(update={"loudness": -19.04}) for chapter in a_book_page().chapters)
    world.feed.pages[BOOK] = a_book_page(chapters=loud)
    page.run()
    assert page.dataframe[0].value["loudness"].tolist() == ["-19.0"] * 4
    assert page.get("vega_lite_chart")


def test_chosen_chapter_is_heard(world: World) -> None:
    """The chapter that is chosen has a player when it is finished, and says so when it is not."""
    page = tab(world.page("book", book=BOOK).run(), "Chapters")
    html = texts(pick(page, 0))
    assert world.links.chapter(BOOK, 1) in html
    assert 'download="1. Chapter 1.aac"' in html
    assert "can be heard when it is finished" in words(pick(page, 1))


def test_text_adds_up(world: World) -> None:
    """Where the text went is listed, the largest first, and whether it adds up."""
    page = tab(world.page("book", book=BOOK).run(), "Text")
    said = words(page)
    assert "spoken 900 90% head 60 6% navigation 40 4% all 1,000 100% It adds up" in said
    lost = Accounting(characters=1_001, spoken=900, skipped={"head": 60, "navigation": 40})
    world.feed.pages[BOOK] = a_book_page(accounting=lost)
    assert "It does not add up" in words(page.run())
    world.feed.pages[BOOK] = a_book_page(accounting=None)
    assert "is not known of this book" in words(page.run())


def test_sentences_that_were_said_again(world: World) -> None:
    """The quality report lists the sentences with place and flaws; the chosen one is heard from just before it on."""
    retakes = (a_retake(doubtful=("cut",), part=3, text="Who?"), a_retake())
    world.feed.pages[BOOK] = a_book_page(a_book(retaken=2, doubtful=1), retakes=retakes)
    page = tab(world.page("book", book=BOOK).run(), "Quality")
    assert "2 sentences were said again. 1 is doubtful still." in words(page)
    first, second = page.dataframe[0].value.to_dict("records")
    assert (first["sentence"], first["part"], first["kept take"]) == ("Who?", 3, "cut")
    assert (second["at"], second["takes"], second["first take"], second["kept take"]) == (
        "0:01:05",
        2,
        "too-short",
        "good",
    )
    assert f"{world.links.part(BOOK, 3)}#t=63.500" in texts(pick(page, 0))


def test_the_chosen_sentence_stays(world: World) -> None:
    """What was chosen stays so when other sentences come before it; when it is gone nothing is chosen."""

    def shown(*retakes: Any) -> str:
        world.feed.pages[BOOK] = a_book_page(retakes=retakes)
        return texts(page.run())

    ours, other = a_retake(text="Ours"), a_retake(text="Other", part=1)
    page = world.page("book", book=BOOK).run()
    tab(page, "Quality")
    shown(ours)
    assert "<q>Ours</q>" in texts(pick(page, 0))
    assert "<q>Ours</q>" in shown(other, ours)
    assert "<q>" not in shown(other)


def test_long_quality_report_says_so(world: World) -> None:
    """A list that was cut says where the rest is; a book without such sentences says that."""
    world.feed.pages[BOOK] = a_book_page(retakes=tuple(a_retake(start=float(each)) for each in range(LISTED)))
    page = tab(world.page("book", book=BOOK).run(), "Quality")
    assert "the report of the book has all" in words(page)
    world.feed.pages[BOOK] = a_book_page()
    assert "good at the first take" in words(page.run())


def test_book_that_only_storage_knows(world: World) -> None:
    """A book without parts shows what it is, and no empty tables."""
    world.feed.pages[BOOK] = a_book_page(a_finished_book(age=None), cells=(), chapters=())
    page = world.page("book", book=BOOK).run()
    assert "changed" not in words(page)
    assert "Its parts are not known now." in words(page)
    assert "Its chapters are not known now." in words(tab(page, "Chapters"))
    assert "Its parts are not known now." in words(tab(page, "Quality"))
    assert not page.dataframe


def test_storage_away(world: World) -> None:
    """While storage is away the page says so and shows the rest."""
    world.feed.readings["storage"] = Reading(taken=NOW - 90, problem="S3 h:9000: refused")
    said = words(world.page("book", book=BOOK).run())
    assert "storage is away: this is what was known 1 min ago" in said
    assert "Emma" in said
