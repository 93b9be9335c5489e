"""e2a-produce: an EPUB in, an audiobook out. Options to objects to exit code; wired here and nowhere else."""

import io
import logging
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from typer.exceptions import TyperException

from e2a import __version__, log, service
from e2a.bus import Admin, KafkaPublisher
from e2a.checkpoint import RedisCheckpoint, view
from e2a.errors import ExitCode, Retryable, UserError
from e2a.plan import Plan, Reading
from e2a.settings import ProducerSettings, SynthSettings, load
from e2a.storage import ObjectStore, open_store, read_plan, read_report
from e2a.topics import CHAPTERS, topics
from producer import follow, ingest, preview
from producer.planner import speeds_of

console = Console()
complaints = Console(stderr=True)
app = typer.Typer(
    add_completion=False, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"e2a-produce {__version__}")
        raise typer.Exit


@app.command()
def produce(
    book: Annotated[Path, typer.Argument(help="The EPUB to turn into an audiobook.", show_default=False)],
    *,
    voice: Annotated[
        str, typer.Option(metavar="NAME", help="Voice of the engine; by default the one that suits the language.")
    ] = "",
    language: Annotated[
        str, typer.Option(metavar="TAG", help="Language tag such as en or fr; by default the book's own.")
    ] = "",
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="Speech engine; by default E2A_ENGINE, else espeak.")
    ] = "",
    speed: Annotated[
        float,
        typer.Option(min=0.5, max=2.0, metavar="FACTOR", help="Speaking rate; 1.5 is half as fast again."),
    ] = 1.0,
    chapters: Annotated[
        str, typer.Option(metavar="NUMBERS", help="What to read, such as 3-7,9; the numbers of --list-chapters.")
    ] = "",
    matter: Annotated[
        Literal["skip", "keep"], typer.Option(help="Whether to read title pages, licences, indexes and the like.")
    ] = "skip",
    footnotes: Annotated[
        Literal["skip", "inline", "end"],
        typer.Option(help="Leave footnotes out, read them where they are referred to, or at the end of the chapter."),
    ] = "skip",
    alt_text: Annotated[bool, typer.Option("--alt-text", metavar=" ", help="Read the descriptions of images.")] = False,
    lexicon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pronunciations: lines of *word = spoken form*.")
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the audiobook goes; by default beside the book.")
    ] = None,
    output_format: Annotated[Literal["m4b"], typer.Option(help="Format of the audiobook.")] = "m4b",
    list_chapters: Annotated[
        bool, typer.Option("--list-chapters", metavar=" ", help="Show what would be read and why, and do nothing else.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", metavar=" ", help="Show where every character would go, and do nothing else."),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", metavar=" ", help="Return as soon as the book is submitted.")
    ] = False,
    sequential_mode: Annotated[
        bool, typer.Option("--sequential", metavar=" ", help="Make the book in this process, without any server.")
    ] = False,
    status: Annotated[
        bool,
        typer.Option("--status", metavar=" ", help="Print how far the book has got, as JSON, and do nothing else."),
    ] = False,
    _version_flag: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, metavar=" ", help="Show the version.")
    ] = False,
) -> int:
    """Turn an EPUB into a chaptered audiobook.

    The same command again resumes the book, or just fetches it when it is finished. Servers and storage are
    set by E2A_* variables (docs/settings.md).

    **Exit codes**: 0 done, 2 parts of the book failed, 64 wrong options, 65 not a readable EPUB, 66 no such file,
    69 a server or program is missing, 73 cannot write the output, 78 wrong setting, 130 interrupted.
    """
    settings = load(ProducerSettings)
    log.configure(settings.log_level, settings.log_format)
    logging.getLogger("librdkafka").setLevel(logging.ERROR)  # what matters of it comes back as Retryable
    options = ingest.Options(
        engine=_known_engine(engine or settings.engine),
        language=language,
        voice=voice,
        speed=speed,
        output_format=output_format,
        reading=Reading(footnotes=footnotes, alt_text=alt_text, matter=matter, chapters=chapters.strip()),
        lexicon=lexicon,
    )
    if sequential_mode and (detach or status):
        raise UserError("--sequential works in this process alone: no --detach, no --status", ExitCode.USAGE)
    if list_chapters:
        console.print(preview.section_table(ingest.draft(book, options)))
        return ExitCode.OK
    submission = ingest.prepare(book, options)
    if dry_run:
        console.print(preview.summary(submission.plan))
        return ExitCode.OK
    if status:
        return _print_status(settings, submission.plan)
    target = (output_dir.expanduser() if output_dir else book.parent) / f"{book.stem}.{output_format}"
    return _make(settings, submission, None if detach else target, sequential_mode=sequential_mode)


def _make(
    settings: ProducerSettings, submission: ingest.Submission, target: Path | None, *, sequential_mode: bool
) -> int:
    """Submit a book unless it is finished; follow and deliver it when there is a target."""
    plan = submission.plan
    notes = list(plan.problems)
    if submission.unread:
        notes.append(f"not read: {', '.join(submission.unread)}; --list-chapters shows why, --matter keep reads it")
    for note in notes:
        complaints.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
    if target:
        ingest.check_target(target)
    store = open_store(settings)
    _require(store.check)
    finished = read_report(store, plan.book_id) is not None
    if not finished:
        plan = ingest.store_book(submission, store)
        detach = target is None
        reason = _sequentially(plan, store) if sequential_mode else _on_the_cluster(settings, plan, store, detach)
        if reason:
            raise UserError(f"{plan.title!r} is not whole: {reason}", ExitCode.BOOK_FAILED)
    if target:
        _deliver(plan, store, target)
    else:
        said = "is submitted: run the same command without --detach to follow and fetch it"
        if finished:
            said = "is finished: run the same command without --detach to fetch it"
        console.print(f"{plan.title!r} {said}", highlight=False, soft_wrap=True, markup=False)
    return ExitCode.OK


def _sequentially(plan: Plan, store: ObjectStore) -> str:
    """Make a book in this process; return why it is not whole, or an empty string."""
    try:
        from producer import sequential  # noqa: PLC0415 - needs the packages of all services, the cluster does not
    except ImportError as error:
        raise UserError(f"--sequential needs the extras synth and merger: {error}", ExitCode.UNAVAILABLE) from error
    settings = load(SynthSettings).model_copy(update={"engine": plan.speech.engine})
    with follow.display(console, plan.title) as show:
        return sequential.run(plan, store, settings, show).reason


def _on_the_cluster(settings: ProducerSettings, plan: Plan, store: ObjectStore, detach: bool) -> str:
    """Submit a book and follow it unless detached; return why it is not whole, or an empty string."""
    admin = Admin(settings.kafka_bootstrap, settings.patience)
    checkpoint = RedisCheckpoint(settings.redis_url)
    _require(admin.partitions, checkpoint.check)
    admin.ensure_topics(topics(settings.partitions))
    publisher = KafkaPublisher(settings.kafka_bootstrap, settings.patience)
    before = checkpoint.book(plan.book_id)
    speeds = speeds_of(checkpoint.workers(), admin.partitions()[CHAPTERS], time.time())
    ingest.publish(plan, store, publisher, speeds)
    if detach:
        return ""
    with follow.display(console, plan.title) as show:
        return follow.follow(checkpoint, store, plan.book_id, before=before, show=show)


def _print_status(settings: ProducerSettings, plan: Plan) -> int:
    checkpoint = RedisCheckpoint(settings.redis_url)
    record = checkpoint.book(plan.book_id)
    if record is None:
        store = open_store(settings)
        if read_plan(store, plan.book_id) is None:
            raise UserError(f"{plan.title!r} was not submitted with these options", ExitCode.NO_INPUT)
        said = "is finished" if read_report(store, plan.book_id) else "is submitted"
        todo = "the checkpoint does not know it: run the same command without --status"
        raise UserError(f"{plan.title!r} {said}, but {todo}", ExitCode.UNAVAILABLE)
    console.print_json(data=view(record, checkpoint.parts(plan.book_id), checkpoint.workers(), time.time()))
    return ExitCode.OK


def _deliver(plan: Plan, store: ObjectStore, target: Path) -> None:
    done = read_report(store, plan.book_id)
    if done is None:
        raise Retryable(f"the finished {plan.title!r} has left storage; run the same command again")
    ingest.fetch(store, done.output, target)
    length = timedelta(seconds=round(done.audio_seconds))
    console.print(f"{target}  {length}  {done.audio_bytes / 1e6:.1f} MB", highlight=False, soft_wrap=True, markup=False)


def _require(*checks: Callable[[], object]) -> None:
    """Raise one `UserError` that names every server that does not answer."""
    problems = []
    for check in checks:
        try:
            check()
        except Retryable as error:
            problems.append(str(error))
    if problems:
        raise UserError("not reachable: " + "; ".join(problems), ExitCode.UNAVAILABLE)


def _known_engine(name: str) -> str:
    installed = sorted(entry_points(group="e2a.engines").names)
    if name not in installed:
        raise UserError(f"engine {name!r} is not installed; there are: {', '.join(installed)}", ExitCode.CONFIG)
    return name


def _run() -> int:
    try:
        code = int(app(standalone_mode=False) or ExitCode.OK)
    except TyperException as error:
        raise UserError(error.format_message(), ExitCode.USAGE) from error
    if code == ExitCode.INTERRUPTED:
        raise UserError("stopped; the same command again goes on", ExitCode.INTERRUPTED)
    return code


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # titles hold what many a terminal cannot show
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(service.run("e2a-produce", _run))


if __name__ == "__main__":
    main()
