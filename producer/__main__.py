"""e2a-produce: an EPUB in, an audiobook out. Options to objects to exit code; wired here and nowhere else."""

import io
import logging
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from e2a import __version__, log, service, traits
from e2a.bus import Admin, KafkaPublisher
from e2a.checkpoint import RedisCheckpoint, view
from e2a.errors import ExitCode, Retryable, UserError
from e2a.plan import Plan, Reading
from e2a.settings import ProducerSettings, SpeechSettings, SynthSettings, load
from e2a.storage import ObjectStore, keys, open_store, read_plan, read_report
from e2a.topics import CHAPTERS, topics
from producer import follow, ingest, options, preview, voices
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


def _list_voices(wanted: bool) -> None:
    if wanted:
        console.print(voices.table(), highlight=False)
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, metavar=" ", help="Show the version.")
]
ListVoices = Annotated[
    bool,
    typer.Option(
        "--list-voices",
        callback=_list_voices,
        is_eager=True,
        metavar=" ",
        help="Show the engines: languages, voices, limits, licences.",
        rich_help_panel=options.LOOKING,
    ),
]


@app.command()
def produce(
    book: options.Book,
    *,
    engine: options.Engine = "",
    model: options.Model = "",
    voice: options.Voice = "",
    language: options.Language = "",
    speed: options.Speed = 1.0,
    accept_cpml: options.AcceptCpml = False,
    chapters: options.Chapters = "",
    matter: options.Matter = "skip",
    footnotes: options.Footnotes = "skip",
    alt_text: options.AltText = False,
    lexicon: options.Lexicon = None,
    output_dir: options.OutputDir = None,
    output_format: options.OutputFormat = "m4b",
    detach: options.Detach = False,
    sequential_mode: options.Sequential = False,
    list_chapters: options.ListChapters = False,
    dry_run: options.DryRun = False,
    status: options.Status = False,
    _list_voices_flag: ListVoices = False,
    _version_flag: Version = False,
) -> int:
    """Turn an EPUB into a chaptered audiobook.

    The same command again resumes the book, or just fetches it when it is finished. Servers and storage are
    set by E2A_* variables (docs/settings.md).

    **Exit codes**: 0 done, 2 parts of the book failed, 64 wrong options, 65 not a readable EPUB, 66 no such file,
    69 a server or program is missing, 73 cannot write the output, 78 wrong setting, 130 interrupted.
    """
    settings = _asked(load(ProducerSettings), engine=engine, model=model, accept_cpml=accept_cpml)
    log.configure(settings.log_level, settings.log_format)
    logging.getLogger("librdkafka").setLevel(logging.ERROR)  # what matters of it comes back as Retryable
    asked = ingest.Options(
        engine=settings.engine,
        model=settings.model,
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
        console.print(preview.section_table(ingest.draft(book, asked)))
        return ExitCode.OK
    submission = ingest.prepare(book, asked)
    if dry_run:
        console.print(preview.summary(submission.plan))
        return ExitCode.OK
    if status:
        return _print_status(settings, submission.plan)
    target = (output_dir.expanduser() if output_dir else book.parent) / f"{book.stem}.{output_format}"
    return _make(settings, submission, None if detach else target, sequential_mode=sequential_mode)


def _asked(settings: ProducerSettings, *, engine: str, model: str, accept_cpml: bool) -> ProducerSettings:
    """Return the settings with the options that count more than they do.

    Raises:
        UserError: the engine is not installed or wants a model that is not named (exit code CONFIG), or a model is
            named and it has none to choose from (USAGE).
    """
    given = {"engine": engine, "model": model, "accept_cpml": accept_cpml}
    settings = settings.model_copy(update={name: value for name, value in given.items() if value})
    if settings.engine not in voices.installed():
        there_are = ", ".join(voices.installed())
        raise UserError(f"engine {settings.engine!r} is not installed; there are: {there_are}", ExitCode.CONFIG)
    known = traits.of(settings.engine)
    if known.needs_model and not settings.model:
        wanted = (
            "set E2A_MODEL or --model to a name of its catalogue, such as tts_models/en/ljspeech/vits, or to a folder"
        )
        raise UserError(f"engine {settings.engine} has many models: {wanted}", ExitCode.CONFIG)
    if model and not known.models:
        raise UserError(f"--model {model}: engine {settings.engine} has no models to choose from", ExitCode.USAGE)
    return settings


def _make(
    settings: ProducerSettings, submission: ingest.Submission, target: Path | None, *, sequential_mode: bool
) -> int:
    """Submit a book unless it is finished; follow and deliver it when there is a target."""
    plan = submission.plan
    if traits.under_cpml(plan.speech.engine, plan.speech.model) and not settings.accept_cpml:
        raise UserError(voices.CPML, ExitCode.CONFIG)
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
        if sequential_mode:
            reason = _sequentially(settings, plan, store)
        else:
            reason = _on_the_cluster(settings, plan, store, detach=target is None)
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


def _sequentially(settings: ProducerSettings, plan: Plan, store: ObjectStore) -> str:
    """Make a book in this process; return why it is not whole, or an empty string."""
    try:
        from producer import sequential  # noqa: PLC0415 - needs the packages of all services, the cluster does not
    except ImportError as error:
        raise UserError(f"--sequential needs the extras synth and merger: {error}", ExitCode.UNAVAILABLE) from error
    asked = settings.model_dump(include=set(SpeechSettings.model_fields))
    with follow.display(console, plan.title) as show:
        return sequential.run(plan, store, load(SynthSettings).model_copy(update=asked), show).reason


def _on_the_cluster(settings: ProducerSettings, plan: Plan, store: ObjectStore, *, detach: bool) -> str:
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
    report = target.with_suffix(".report.json")
    ingest.fetch(store, keys.report(plan.book_id), report)
    length = timedelta(seconds=round(done.audio_seconds))
    said = f"{target}  {length}  {done.audio_bytes / 1e6:.1f} MB"
    if done.retakes:
        doubtful = sum(bool(retake.doubtful) for retake in done.retakes)
        said += f"\n{len(done.retakes)} sentences had a bad take, {doubtful} are kept doubtful: see {report}"
    console.print(said, highlight=False, soft_wrap=True, markup=False)


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
