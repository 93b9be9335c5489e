"""Who can speak: engines as a table for the terminal, and what `--voice` and `--language` may ask of one."""

import os
import shutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from e2a import traits
from e2a.errors import ExitCode, UserError

LARGEST_CLIP = 50_000_000
"""Bytes; every worker that speaks with a recording fetches it."""
CPML = (
    "XTTSv2 is under the Coqui Public Model License (CPML): its weights, and what they say, are for non-commercial use"
    " only; to accept that, add --accept-cpml or set E2A_ACCEPT_CPML=1, or take another engine (--list-voices)"
)
_AUDIO = frozenset(".aac .aif .aiff .flac .m4a .m4b .mka .mp3 .mp4 .oga .ogg .opus .wav .webm .wma".split())
_CLONES = {True: "yes: --voice FILE", False: "no", None: "with a model that can: --voice FILE"}
_HINT = (
    "--engine NAME --voice NAME speaks with a voice of that engine, by default the one that suits the language;"
    " --voice FILE with the voice of a recording. docs/voices.md says more."
)


def installed() -> list[str]:
    """Return the names of the engines that have an entry point."""
    return sorted(entry_points(group="e2a.engines").names)


def table() -> RenderableType:
    """Return what is known of every engine, those that are not installed included."""
    lines = Table(box=box.SIMPLE, show_header=False)
    lines.add_column(style="bold", no_wrap=True)
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column(overflow="fold")
    for engine in sorted({*installed(), *traits.ENGINES}):
        name = engine
        for label, said in (*facts(engine), ("on this machine", state(engine))):
            lines.add_row(escape(name), label, escape(said))
            name = ""
        lines.add_section()
    return Group(lines, _HINT)


def facts(engine: str) -> Iterator[tuple[str, str]]:
    """Yield what users should know of an engine: what of it, and the text."""
    known = traits.of(engine)
    languages = sorted(known.languages or [""])
    limits = sorted({traits.of(engine, language).sentence_limit for language in languages})
    longest = (
        f"{limits[0]:,} characters" if len(limits) == 1 else f"{limits[0]} to {limits[-1]} characters, by language"
    )
    if engine not in traits.ENGINES:
        yield "longest sentence", longest
        yield "all else", "see its package"
        return
    others = "those of its program" if known.program else "those of its model" if known.models else "any"
    yield "languages", ", ".join(languages) or others
    yield "longest sentence", longest
    yield "voices", known.voices
    yield "clones a voice", _CLONES[known.clones]
    yield "runs on", "a GPU, or far slower a CPU" if known.gpu else "any CPU"
    yield "licence", known.licence


def state(engine: str) -> str:
    """Return whether an engine could speak on this machine, and else what to do."""
    known = traits.of(engine)
    if engine not in installed():
        return "not installed"
    if known.program and shutil.which(known.program) is None:
        return f"not installed: apt-get install {known.program}"
    if known.package and find_spec(known.package) is None:
        return "not installed: pip install '.[coqui]'"
    return "installed"


def check_language(engine: str, language: str) -> None:
    """Refuse a language that an engine surely does not speak.

    Raises:
        UserError: with its languages, and the engines that may speak this one (exit code USAGE).
    """
    if _may_speak(engine, language):
        return
    spoken = ", ".join(sorted(traits.of(engine).languages or ()))
    others = [name for name in installed() if name != "simulated" and _may_speak(name, language)]
    raise UserError(
        f"engine {engine} does not speak {language!r}, only {spoken}; take another with --engine,"
        f" such as {' or '.join(others)}, or name the language with --language if the book names a wrong one",
        ExitCode.USAGE,
    )


def read_clip(voice: str, engine: str) -> bytes:
    """Return the recording that a value of `--voice` names; empty where it names a voice of the engine.

    A file is what has a slash in it or the suffix of an audio file; for engines that clone, also what is one.

    Raises:
        UserError: the engine clones no voices (exit code USAGE), the file cannot be read (NO_INPUT), or it is empty or
            larger than `LARGEST_CLIP` (BAD_INPUT).
    """
    path = Path(os.path.expanduser(voice))
    able = traits.of(engine).clones is not False
    if not ("/" in voice or path.suffix.lower() in _AUDIO or (able and os.path.isfile(path))):
        return b""
    if not able:
        others = " or ".join(name for name in installed() if traits.of(name).clones is not False)
        message = f"--voice {voice}: engine {engine} takes no recording, only names of its voices (--list-voices)"
        raise UserError(f"{message}; engines that do: {others}", ExitCode.USAGE)
    try:
        with path.open("rb") as file:
            clip = file.read(LARGEST_CLIP + 1)
    except OSError as error:
        wanted = "--voice takes a recording, or the name of a voice (--list-voices)"
        raise UserError(f"{path}: {error.strerror}; {wanted}", ExitCode.NO_INPUT) from error
    if not clip:
        raise UserError(f"{path}: is empty; record the voice again, for 6 to 30 seconds", ExitCode.BAD_INPUT)
    if len(clip) > LARGEST_CLIP:
        most = f"larger than {LARGEST_CLIP // 1_000_000} MB"
        raise UserError(f"{path}: {most}; cut 6 to 30 seconds of clear speech out of it", ExitCode.BAD_INPUT)
    return clip


def _may_speak(engine: str, language: str) -> bool:
    spoken = traits.of(engine).languages
    return spoken is None or traits.primary_subtag(language) in spoken
