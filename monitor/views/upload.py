"""Books that viewers send: EPUBs, how they are to be spoken, and what became of them."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup
from streamlit.runtime.uploaded_file_manager import UploadedFile

from e2a.errors import UserError
from monitor import markup
from monitor.looks import GREEN, GREY, SKY, VERMILLION, Look
from monitor.uploads import Upload, UploadOptions
from monitor.views.view import View

LISTED = 12
"""Uploads that are shown, the last ones."""
RECENT = 600.0
"""Seconds for which one that has ended is shown."""


_GOING_ON = frozenset(["waiting", "running"])


def show(view: View) -> None:
    """Show where books are added, and what became of the last ones; nothing where viewers may only look."""
    if not view.desk.may_change:
        return
    _ = view.words
    with st.expander(_("Add books"), icon=":material/upload:", expanded=not view.feed.shelf()):
        st.fragment(_form)(view)
    view.live(listed)


def listed(view: View) -> None:
    """Show what became of the last uploads."""
    _ = view.words
    states = {
        "waiting": (Look("○", GREY), _("waiting")),
        "running": (Look("►", SKY), _("being read")),
        "submitted": (Look("✓", GREEN), _("submitted")),
        "refused": (Look("✕", VERMILLION), _("refused")),
    }
    now = view.clock()
    shown = [each for each in view.uploads.listed() if each.state in _GOING_ON or now - each.time < RECENT]
    pieces = [_line(upload, *states[upload.state], view) for upload in shown[:LISTED]]
    with st.container():
        if pieces:
            st.html(markup.block(*pieces))


def _line(upload: Upload, look: Look, state: str, view: View) -> Markup:
    age = view.words.ago(max(0.0, view.clock() - upload.time))
    return Markup('<p>{} <bdi>{}</bdi> <span class="e2a-dim">{}</span> <span dir="auto">{}</span></p>').format(
        markup.pill(look, state), markup.short(upload.name), age, markup.short(upload.message)
    )


def _form(view: View) -> None:
    _ = view.words
    # another key empties the uploader once its books are sent
    turn = st.session_state.setdefault("upload-turn", 0)
    files = st.file_uploader(_("EPUB files"), type="epub", accept_multiple_files=True, key=f"upload-{turn}")
    options = _options(view)
    with st.container(horizontal=True):
        sent = st.button(_("Make audiobooks"), type="primary", disabled=not files, key="send")
        looked = st.button(_("Show chapters"), disabled=not files, key="preview")
    if sent and files:
        for file in files:
            view.desk.send(file.name, file.getvalue(), options)
        st.session_state["upload-turn"] = turn + 1
        st.rerun()
    if looked and files:
        with st.spinner(_("Reading")):
            _preview(files, options, view)


def _options(view: View) -> UploadOptions:
    """Ask how books are to be spoken; engines that workers have are offered, others nobody would speak with.

    The one that was chosen stays, also when its last worker goes: no book is spoken with another than is seen.
    """
    _ = view.words
    found = {(worker.engine, worker.model) for worker in view.feed.workers()} or {("", "")}
    engines = sorted(found | {st.session_state.get("engine", min(found))})
    with st.grid(3, min_column_width=190, gap="small"):
        engine, model = st.selectbox(
            _("Engine"), engines, format_func=lambda each: " ".join(filter(None, each)) or _("as set"), key="engine"
        )
        voice = st.text_input(_("Voice"), placeholder=_("that of the language"), key="voice")
        language = st.text_input(_("Language"), placeholder=_("that of the book"), key="language")
        speed = st.slider(_("Speed"), 0.5, 2.0, 1.0, 0.05, key="speed")
        urgent = st.checkbox(_("Before all other books"), key="urgent")
    return UploadOptions(
        engine=engine, model=model, voice=voice.strip(), language=language.strip(), speed=speed, urgent=urgent
    )


def _preview(files: Sequence[UploadedFile], options: UploadOptions, view: View) -> None:
    """Show what would be read of each book."""
    for file in files:
        try:
            table = view.desk.preview(file.name, file.getvalue(), options)
        except UserError as error:
            st.html(markup.block(markup.failure(f"{file.name}: {error}")))
            continue
        with st.container(border=True, height=360):
            st.html(markup.block(Markup("<p><b><bdi>{}</bdi></b></p>").format(markup.short(file.name))))
            st.code(table, language=None)
