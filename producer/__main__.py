"""e2a-produce: EPUBs in, audiobooks out. Options to objects to exit code; wired here and nowhere else."""

import logging
from typing import Annotated

import typer

from e2a import __version__, log, traits
from e2a.errors import ExitCode, UserError
from e2a.plan import Reading
from e2a.settings import ProducerSettings, load
from producer import ingest, looking, making, options, terminal, voices
from producer.terminal import console

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
    books: options.Books,
    *,
    engine: options.Engine = "",
    model: options.Model = "",
    voice: options.Voice = "",
    no_recording: options.NoRecording = False,
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
    urgent: options.Urgent = False,
    sequential_mode: options.Sequential = False,
    list_chapters: options.ListChapters = False,
    dry_run: options.DryRun = False,
    status: options.Status = False,
    _list_voices_flag: ListVoices = False,
    _version_flag: Version = False,
) -> int:
    """Turn EPUBs into chaptered audiobooks.

    The same command again resumes a book, or just fetches it when it is finished; e2a-books shows and changes what is
    being made. Of several books an odd one stops no other; a table at the end says what became of each. Servers and
    storage are set by E2A_* variables (docs/settings.md).

    **Exit codes**: 0 done, 2 parts of a book failed, or several books for different reasons, 64 wrong options, 65 not
    a readable EPUB, 66 no such file, 69 a server or program is missing, or nothing is finished yet, 73 cannot write
    the output, 78 wrong setting, 130 interrupted.
    """
    settings = _asked(load(ProducerSettings), engine=engine, model=model, accept_cpml=accept_cpml)
    log.configure(settings.log_level, settings.log_format)
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)  # what matters of it comes back as Unavailable
    formats = [*map(str, output_format), *(["epub"] if read_along else [])]
    asked = ingest.Options(
        engine=settings.engine,
        model=settings.model,
        language=language,
        voice=voice,
        recording=not no_recording,
        speed=speed,
        loudness=loudness or ("acx" if "acx" in formats else "r128"),
        output=ingest.output_of(formats, split=split is not None, bitrate=bitrate * 1000),
        reading=Reading(footnotes=footnotes, alt_text=alt_text, matter=matter, chapters=chapters.strip()),
        lexicon=lexicon,
    )
    if sequential_mode and (detach or status or urgent):
        raise UserError("--sequential works in this process alone: no --detach, --status or --urgent", ExitCode.USAGE)
    if partial and (detach or status):
        raise UserError("--partial fetches: no --detach, no --status", ExitCode.USAGE)
    wish = making.Wish(
        settings, asked, making.Places(output_dir), detach=detach, sequential=sequential_mode, urgent=urgent
    )
    paths = ingest.epubs(books)
    looks = {
        looking.list_chapters: list_chapters,
        looking.dry_run: dry_run,
        looking.print_status: status,
        looking.fetch_partial: partial,
    }
    for look, wanted in looks.items():
        if wanted:
            return looking.in_turn(look, wish, paths)
    return making.Making(wish, paths).run()


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


def _run() -> int:
    return terminal.run(making.PROGRAM, app, "stopped; the same command again goes on")


def main() -> None:
    terminal.main(_run)


if __name__ == "__main__":
    main()
