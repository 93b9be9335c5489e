"""e2a-produce: an EPUB in, an audiobook out. Options to objects to exit code; wired here and nowhere else."""

import io
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from e2a import __version__, log, service, traits
from e2a.bus import Admin, KafkaPublisher
from e2a.checkpoint import BookRecord, RedisCheckpoint, view
from e2a.errors import ExitCode, Retryable, UserError
from e2a.messages import PartialWanted
from e2a.placement import layouts
from e2a.plan import Part, Plan, Reading
from e2a.report import Report
from e2a.settings import ProducerSettings, SpeechSettings, SynthSettings, load
from e2a.storage import ObjectStore, keys, open_store, read_master, read_plan, read_report
from e2a.topics import EVENTS, topics
from producer import delivery, follow, ingest, options, preview, voices

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
    output_format: options.OutputFormat = options.M4B,
    split: options.Split = None,
    bitrate: options.Bitrate = 64,
    loudness: options.Loudness = None,
    read_along: options.ReadAlong = False,
    partial: options.Partial = False,
    output_dir: options.OutputDir = None,
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
    69 a server or program is missing, or nothing is finished yet, 73 cannot write the output, 78 wrong setting,
    130 interrupted.
    """
    settings = _asked(load(ProducerSettings), engine=engine, model=model, accept_cpml=accept_cpml)
    log.configure(settings.log_level, settings.log_format)
    logging.getLogger("librdkafka").setLevel(logging.ERROR)  # what matters of it comes back as Retryable
    formats = [*map(str, output_format), *(["epub"] if read_along else [])]
    asked = ingest.Options(
        engine=settings.engine,
        model=settings.model,
        language=language,
        voice=voice,
        speed=speed,
        loudness=loudness or ("acx" if "acx" in formats else "r128"),
        output=ingest.output_of(formats, split=split is not None, bitrate=bitrate * 1000),
        reading=Reading(footnotes=footnotes, alt_text=alt_text, matter=matter, chapters=chapters.strip()),
        lexicon=lexicon,
    )
    if sequential_mode and (detach or status):
        raise UserError("--sequential works in this process alone: no --detach, no --status", ExitCode.USAGE)
    if partial and (detach or status):
        raise UserError("--partial fetches: no --detach, no --status", ExitCode.USAGE)
    if list_chapters:
        console.print(preview.section_table(ingest.draft(book, asked)))
        return ExitCode.OK
    submission = ingest.prepare(book, asked)
    if dry_run:
        console.print(preview.summary(submission.plan))
        return ExitCode.OK
    if status:
        return _print_status(settings, submission.plan)
    base = (output_dir.expanduser() if output_dir else book.parent) / book.stem
    if partial:
        return _fetch_partial(settings, submission.plan, base, sequential_mode=sequential_mode)
    return _make(settings, submission, None if detach else base, sequential_mode=sequential_mode)


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
    settings: ProducerSettings, submission: ingest.Submission, base: Path | None, *, sequential_mode: bool
) -> int:
    """Submit a book unless it is finished; follow it and deliver its files when they have where to go."""
    plan = submission.plan
    if traits.under_cpml(plan.speech.engine, plan.speech.model) and not settings.accept_cpml:
        raise UserError(voices.CPML, ExitCode.CONFIG)
    if base:
        delivery.check(base, delivery.expected(plan.output))
    store = _open_store(settings)
    finished = read_report(store, plan.book_id) is not None
    if not finished:
        plan = ingest.store_book(submission, store)
    _note(plan.problems)
    if submission.unread:
        _note([f"not read: {', '.join(submission.unread)}; --list-chapters shows why, --matter keep reads it"])
    if not finished:
        if sequential_mode:
            reason = _sequentially(settings, plan, store)
        else:
            reason = _on_the_cluster(settings, plan, store, detach=base is None)
        if reason:
            raise UserError(f"{plan.title!r} is not whole: {reason}", ExitCode.BOOK_FAILED)
    if base:
        _deliver(plan, store, base)
    else:
        said = "is submitted: run the same command without --detach to follow and fetch it"
        if finished:
            said = "is finished: run the same command without --detach to fetch it"
        _say(f"{plan.title!r} {said}")
    return ExitCode.OK


def _open_store(settings: ProducerSettings) -> ObjectStore:
    store = open_store(settings)
    _require(store.check)
    return store


def _sequentially(settings: ProducerSettings, plan: Plan, store: ObjectStore) -> str:
    """Make a book in this process; return why it is not whole, or an empty string."""
    sequential = _sequential()
    parts = _missing_parts(plan, store)
    asked = settings.model_dump(include=set(SpeechSettings.model_fields))
    with follow.display(console, plan.title) as show:
        book: BookRecord = sequential.run(plan, parts, store, load(SynthSettings).model_copy(update=asked), show)
    return book.reason


def _sequential() -> ModuleType:
    try:
        from producer import sequential  # noqa: PLC0415 - needs the packages of all services, the cluster does not
    except ImportError as error:
        raise UserError(f"--sequential needs the extras synth and merger: {error}", ExitCode.UNAVAILABLE) from error
    return sequential


def _on_the_cluster(settings: ProducerSettings, plan: Plan, store: ObjectStore, *, detach: bool) -> str:
    """Submit a book and follow it unless detached; return why it is not whole, or an empty string."""
    admin = Admin(settings.kafka_bootstrap, settings.patience)
    checkpoint = RedisCheckpoint(settings.redis_url)
    _require(admin.partitions, checkpoint.check)
    admin.ensure_topics(topics(settings.partitions))
    publisher = KafkaPublisher(settings.kafka_bootstrap, settings.patience)
    before = checkpoint.book(plan.book_id)
    where = layouts(admin.partitions(), checkpoint.workers(), checkpoint.queue(), time.time())
    ingest.publish(plan, _missing_parts(plan, store), publisher, where)
    if detach:
        return ""
    with follow.display(console, plan.title) as show:
        return follow.follow(checkpoint, store, plan.book_id, before=before, show=show)


def _missing_parts(plan: Plan, store: ObjectStore) -> list[Part]:
    """Return the parts that are to be made, and tell how many are to be spoken: of an edited book, those that changed.

    The others of them were spoken for a book of another bit rate, and are only to be encoded.
    """
    missing = ingest.missing_parts(plan, store)
    unspoken = sum(read_master(store, part.digest) is None for part in missing)
    _say(f"{unspoken} of {len(plan.parts)} parts to speak, {len(plan.parts) - unspoken} are there already")
    return missing


def _fetch_partial(settings: ProducerSettings, plan: Plan, base: Path, *, sequential_mode: bool) -> int:
    """Fetch the chapters that are finished of a book that was submitted; all of it when it is finished."""
    delivery.check(base, [delivery.PARTIAL])
    store = _open_store(settings)
    if read_report(store, plan.book_id):
        _deliver(plan, store, base)
        return ExitCode.OK
    stored = read_plan(store, plan.book_id)
    if stored is None:
        raise UserError(f"{plan.title!r} was not submitted with these options", ExitCode.NO_INPUT)
    report: Report | None = None
    if ingest.is_whole(stored.chapters[0], stored, store):
        report = _sequential().partial(stored, store) if sequential_mode else _partial(settings, stored, store)
    if report is None or not report.chapters:
        raise Retryable(f"the first chapter of {plan.title!r} is not finished yet; run the same command again later")
    _say(delivery.deliver_partial(report, store, base, len(stored.chapters)))
    return ExitCode.OK


def _partial(settings: ProducerSettings, plan: Plan, store: ObjectStore) -> Report:
    """Have the merger assemble what is finished of a book; return its report."""
    _require(Admin(settings.kafka_bootstrap, settings.patience).partitions)
    publisher = KafkaPublisher(settings.kafka_bootstrap, settings.patience)
    wanted = PartialWanted(book_id=plan.book_id)
    store.delete(keys.partial_report(plan.book_id))
    with follow.display(console, plan.title) as show:
        return follow.follow_partial(store, plan.book_id, ask=lambda: publisher.send(EVENTS, [wanted]), show=show)


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


def _deliver(plan: Plan, store: ObjectStore, base: Path) -> None:
    done = read_report(store, plan.book_id)
    if done is None:
        raise Retryable(f"the finished {plan.title!r} has left storage; run the same command again")
    _note(problem for problem in done.problems if problem not in plan.problems)
    for line in delivery.deliver(done, store, base):
        _say(line)
    if done.retakes:
        doubtful = sum(bool(retake.doubtful) for retake in done.retakes)
        report = delivery.place(base, delivery.REPORT)
        _say(f"{len(done.retakes)} sentences had a bad take, {doubtful} are kept doubtful: see {report}")


def _say(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True, markup=False)


def _note(problems: Iterable[str]) -> None:
    for problem in problems:
        complaints.print(f"note: {problem}", highlight=False, soft_wrap=True, markup=False)


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
