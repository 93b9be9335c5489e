"""The workers: what each is at, how fast, on which machine, and what is wanted of it."""

from collections.abc import Iterable

import streamlit as st
from markupsafe import Markup

from monitor import actions, looks, markup
from monitor.looks import GREY, ORANGE, SKY, VERMILLION, WORKERS
from monitor.markup import Figure
from monitor.records import WorkerRow
from monitor.views.view import View
from monitor.words import Words

CARDS = 24
"""Workers on a page."""


def show(view: View) -> None:
    """Show the workers."""
    _ = view.words
    st.title(_("Workers"), anchor=False)
    actions.attend(_)
    view.live(workers)


def workers(view: View) -> None:
    """Show all workers in a few numbers, and a page of them."""
    _ = view.words
    if not view.sources("redis"):
        return
    rows = view.feed.workers()
    if not rows:
        said = Markup("{} <code>e2a-synth</code>").format(_("No worker is running. Start one for each GPU with"))
        st.html(markup.block(markup.warning(said)))
        return
    st.html(markup.block(_numbers(rows, _)))
    pages = -(-len(rows) // CARDS)
    place = st.container()
    page = st.pagination(pages, key=f"workers-{pages}") if pages > 1 else 1
    with place:
        grid = st.grid(min_column_width=330, gap="small", border=True)
    for row in rows[(page - 1) * CARDS : page * CARDS]:
        with grid.cell():
            st.html(markup.block(_card(row, _)))
            actions.menu(actions.worker_deeds(row, view.desk, _), _, key=f"worker-{row.worker}")


def speed(rows: Iterable[WorkerRow]) -> float | None:
    """Return how many seconds of audio those that speak make a second, each as it was measured; None when none was."""
    return sum(1 / row.real_time_factor for row in rows if row.state == "speaking" and row.real_time_factor) or None


def _numbers(rows: tuple[WorkerRow, ...], _: Words) -> Markup:
    states = [row.state for row in rows]
    silent = states.count("silent")
    gpus = [row.gpu for row in rows if row.gpu and row.state != "silent"]
    said = sum(row.characters_per_second or 0.0 for row in rows if row.state == "speaking")
    figures = [
        Figure(_("speaking"), _.number(states.count("speaking")), _("of {n}", n=_.number(len(rows))), SKY),
        Figure(_("waiting"), _.number(states.count("waiting")), colour=GREY),
        Figure(_("draining or drained"), _.number(states.count("draining") + states.count("drained")), colour=ORANGE),
        Figure(_("silent"), _.number(silent), colour=VERMILLION if silent else ""),
        Figure(_("speed"), _.times(speed(rows)), _("real time")),
        Figure(_("characters a second"), _.number(said)),
    ]
    if gpus:
        use = sum(gpu.use for gpu in gpus) / len(gpus)
        power = sum(gpu.power or 0.0 for gpu in gpus)
        figures.append(Figure(_("GPUs"), _.percent(use), _.watts(power) if power else ""))
    return markup.figures(figures)


def _card(row: WorkerRow, _: Words) -> Markup:
    worker = markup.short(row.worker)
    engine = " · ".join(filter(None, [row.engine, row.model, row.device]))
    heading = Markup(
        '<div class="e2a-head"><div><p class="e2a-title e2a-clip" dir="auto" title="{0}">{0}</p>'
        '<p class="e2a-dim e2a-clip" dir="auto">{1}</p></div>{2}</div>'
    ).format(worker, engine, markup.pill(WORKERS[row.state], looks.worker_state(row.state, _)))
    pieces = [heading, _task(row, _), markup.meters(_meters(row, _)), *_facts(row, _)]
    if row.problem:
        pieces.append(markup.warning(_("waits: {problem}", problem=markup.short(row.problem))))
    return Markup('<div role="group" aria-label="{}">{}</div>').format(worker, Markup("").join(pieces))


def _task(row: WorkerRow, _: Words) -> Markup:
    """Return what a worker is at."""
    if not row.book_id:
        return Markup('<p class="e2a-dim">{}</p>').format(_("has no part in hand"))
    title = markup.short(row.title) or row.book_id
    place = _("chapter {chapter}", chapter=row.chapter)
    if row.sentences:
        place += ", " + _("sentence {n} of {all}", n=_.number(row.sentence), all=_.number(row.sentences))
    share = row.sentence / row.sentences if row.sentences else 0.0
    return Markup('<p class="e2a-clip" dir="auto">{}</p><p class="e2a-dim">{}</p>{}').format(
        title, place, markup.bar(share, WORKERS[row.state].colour, place)
    )


def _meters(row: WorkerRow, _: Words) -> list[tuple[str, float, str]]:
    """Return how busy its GPU is, and how full."""
    gpu = row.gpu
    if gpu is None:
        return []
    total = gpu.memory_total or 1
    memory = _("{used} of {total}", used=_.size(gpu.memory_used), total=_.size(gpu.memory_total))
    return [(_("GPU"), gpu.use, _.percent(gpu.use)), (_("memory"), gpu.memory_used / total, memory)]


def _facts(row: WorkerRow, _: Words) -> list[Markup]:
    """Return what there is to say in lines, each of one kind."""
    gpu = row.gpu
    heat = [_.degrees(gpu.temperature), _.watts(gpu.power)] if gpu else []
    factor = row.real_time_factor
    speed = _("{characters} characters/s", characters=_.number(row.characters_per_second))
    wishes = {"work": "", "drain": _("to be drained"), "stop": _("to stop")}
    lines = [
        [markup.short(gpu.name), *heat] if gpu else [],
        [
            _("{times} real time", times=_.times(1 / factor)) if factor else "",
            _("real-time factor {factor}", factor=_.number(factor, 3)) if factor else "",
            speed if row.characters_per_second else "",
        ],
        [
            _.plural("{n} done", "{n} done", row.done),
            _.plural("{n} failed", "{n} failed", row.failed),
            _.plural("{n} sentence again", "{n} sentences again", row.retaken) if row.retaken else "",
            _.plural("{n} doubtful", "{n} doubtful", row.doubtful) if row.doubtful else "",
        ],
        [
            markup.short(row.host),
            _("{cores} cores, {memory}", cores=_.number(row.cpu, 1), memory=_.size(row.resident)),
            _("{n} at once", n=_.number(row.at_once)),
        ],
        [
            _("partitions {listed}", listed=_.listed(map(str, row.partitions))) if row.partitions else "",
            _("express {listed}", listed=_.listed(map(str, row.express))) if row.express else "",
            wishes[row.wish],
        ],
        [
            _("heard of {ago}", ago=_.ago(row.age)),
            "" if row.last_take is None else _("last take {ago}", ago=_.ago(row.last_take)),
            _("runs for {span}", span=_.span(row.uptime)),
        ],
    ]
    return [_line(line) for line in lines if any(line)]


def _line(pieces: list[str]) -> Markup:
    said = Markup("").join(Markup('<span dir="auto">{}</span>').format(each) for each in pieces if each)
    return Markup('<p class="e2a-counts">{}</p>').format(said)
