"""What would be read of a book, as tables for the terminal: its sections, and where every character went."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from e2a.plan import Plan, full_title
from producer.ingest import Draft
from producer.planner import rate_of
from producer.sections.contents import Section
from producer.terminal import printable


def section_table(draft: Draft) -> RenderableType:
    """Return the sections of a book, numbered as `--chapters` takes them."""
    table = Table(box=box.SIMPLE, title=escape(printable(draft.book.title)), title_justify="left")
    table.add_column("no.", justify="right")
    table.add_column("title", overflow="fold")
    table.add_column("length", justify="right")
    table.add_column("", overflow="fold")
    numbered = zip(draft.outline.sections, draft.outline.chosen, strict=True)
    for number, (section, chosen) in enumerate(numbered, 1):
        seconds = sum(len(located.block.text) for located in section.blocks) / rate_of(draft.speech)
        style = "" if chosen else "dim"
        table.add_row(str(number), _title(section), _duration(seconds), _verdict(section, chosen), style=style)
    return Group(table, *_notes(draft.book.problems))


def summary(plan: Plan) -> RenderableType:
    """Return where every character of a book went, and what it would make."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for count, said in _lines(plan):
        table.add_row(count, said)
    return Group(table, *_notes(plan.problems))


def _lines(plan: Plan) -> Iterator[tuple[str, str]]:
    accounting = plan.accounting
    assert accounting is not None, "the planner accounts for every book"
    yield f"{accounting.characters:,}", "characters in the book, white space not counted"
    yield f"{accounting.spoken:,}", "spoken"
    for rule, count in accounting.skipped.items():
        yield f"{count:,}", f"not spoken: {rule}"
    yield "0", "neither spoken nor skipped"
    sentences = sum(len(part.sentences) for part in plan.parts)
    seconds = sum(part.estimate for part in plan.parts)
    yield "", ""
    yield f"{len(plan.chapters):,}", "chapters"
    yield f"{len(plan.parts):,}", f"parts, of {sentences:,} sentences"
    yield _duration(seconds), f"of audio, estimated for {plan.speech.engine} in {plan.speech.language}"


def _notes(problems: Iterable[str]) -> list[str]:
    return [f"[yellow]note:[/] {escape(printable(problem))}" for problem in problems]


def _title(section: Section) -> str:
    return escape(printable(full_title(section.group, section.title)))


def _verdict(section: Section, chosen: bool) -> str:
    kind = f"{section.kind} (by its {section.why})" if section.kind else ""
    if chosen:
        return f"read: {kind}" if kind else "read"
    return f"skip: {kind or 'not chosen'}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
