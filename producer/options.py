"""The options of e2a-produce, as Typer shows and reads them; what they do is in `__main__`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from e2a.errors import ExitCode, UserError

_SPEECH = "Speech"
_READING = "What is read"
_AUDIOBOOK = "The audiobook"
LOOKING = "Do nothing else"
AudioFormat = StrEnum("AudioFormat", ["m4b", "m4a", "mp3", "opus", "flac", "wav", "acx"])
M4B = [AudioFormat("m4b")]


def _book(name: str) -> Path:
    if not name:  # Path("") is the working directory
        raise UserError("'': no such file", ExitCode.NO_INPUT)
    return Path(name)


Books = Annotated[
    list[Path],
    Argument(
        metavar="BOOK",
        help="EPUBs to turn into audiobooks, or folders that they are in.",
        show_default=False,
        parser=_book,
    ),
]

Engine = Annotated[
    str, Option(metavar="NAME", help="Speech engine; by default E2A_ENGINE, else espeak.", rich_help_panel=_SPEECH)
]
Model = Annotated[
    str,
    Option(
        metavar="NAME|FOLDER",
        help="Model of an engine that has several; by default E2A_MODEL, else the engine's own choice.",
        rich_help_panel=_SPEECH,
    ),
]
Voice = Annotated[
    str,
    Option(
        metavar="NAME|FILE",
        help="Voice of the engine, or a recording of the voice to speak with; by default the one that suits the"
        " language.",
        rich_help_panel=_SPEECH,
    ),
]
NoRecording = Annotated[
    bool,
    Option(
        "--no-recording",
        metavar=" ",
        help="Take --voice for the name of a voice, also where a file is called so.",
        rich_help_panel=_SPEECH,
    ),
]
Language = Annotated[
    str,
    Option(metavar="TAG", help="Language tag such as en or fr; by default the book's own.", rich_help_panel=_SPEECH),
]
Speed = Annotated[
    float,
    Option(
        min=0.5,
        max=2.0,
        metavar="FACTOR",
        help="Speaking rate; 1.5 is half as fast again.",
        rich_help_panel=_SPEECH,
    ),
]
AcceptCpml = Annotated[
    bool,
    Option(
        "--accept-cpml",
        metavar=" ",
        help="Accept the licence of XTTSv2, the Coqui Public Model License: non-commercial use only.",
        rich_help_panel=_SPEECH,
    ),
]

Chapters = Annotated[
    str,
    Option(
        metavar="NUMBERS",
        help="What to read, such as 3-7,9; the numbers of --list-chapters.",
        rich_help_panel=_READING,
    ),
]
Matter = Annotated[
    Literal["skip", "keep"],
    Option(help="Whether to read title pages, licences, indexes and the like.", rich_help_panel=_READING),
]
Footnotes = Annotated[
    Literal["skip", "inline", "end"],
    Option(
        help="Leave footnotes out, read them where they are referred to, or at the end of the chapter.",
        rich_help_panel=_READING,
    ),
]
AltText = Annotated[
    bool, Option("--alt-text", metavar=" ", help="Read the descriptions of images.", rich_help_panel=_READING)
]
Lexicon = Annotated[
    Path | None,
    Option(metavar="FILE", help="Pronunciations: lines of *word = spoken form*.", rich_help_panel=_READING),
]

OutputFormat = Annotated[
    list[AudioFormat],
    Option(
        metavar="FORMAT",
        help="m4b, m4a, mp3, opus, flac, wav, or acx: mp3 as that distributor wants it. May be given several times.",
        rich_help_panel=_AUDIOBOOK,
    ),
]
Split = Annotated[
    Literal["chapters"] | None, Option(help="A file for each chapter, in a folder.", rich_help_panel=_AUDIOBOOK)
]
Bitrate = Annotated[
    int,
    Option(
        min=24,
        max=320,
        metavar="KBIT",
        help="Kilobits a second, for formats that lose something; acx has its own.",
        rich_help_panel=_AUDIOBOOK,
    ),
]
Loudness = Annotated[
    Literal["r128", "acx"] | None,
    Option(
        help="Level to -19 LUFS by EBU R 128, or to -20 dB RMS; by default r128, but acx for all formats where that"
        " is one of them.",
        rich_help_panel=_AUDIOBOOK,
    ),
]
ReadAlong = Annotated[
    bool,
    Option(
        "--read-along",
        metavar=" ",
        help="Also make an EPUB 3 of the book that shows each sentence as it is spoken.",
        rich_help_panel=_AUDIOBOOK,
    ),
]
Partial = Annotated[
    bool,
    Option(
        "--partial",
        metavar=" ",
        help="Fetch as m4b the chapters that are finished so far of a book that was submitted with the same options.",
        rich_help_panel=_AUDIOBOOK,
    ),
]
OutputDir = Annotated[
    Path | None,
    Option(metavar="FOLDER", help="Where the audiobook goes; by default beside the book.", rich_help_panel=_AUDIOBOOK),
]

Detach = Annotated[bool, Option("--detach", metavar=" ", help="Return as soon as the book is submitted.")]
Urgent = Annotated[bool, Option("--urgent", metavar=" ", help="Make the books before all others.")]
Sequential = Annotated[
    bool, Option("--sequential", metavar=" ", help="Make the book in this process, without any server.")
]

ListChapters = Annotated[
    bool, Option("--list-chapters", metavar=" ", help="Show what would be read and why.", rich_help_panel=LOOKING)
]
DryRun = Annotated[
    bool, Option("--dry-run", metavar=" ", help="Show where every character would go.", rich_help_panel=LOOKING)
]
Status = Annotated[
    bool, Option("--status", metavar=" ", help="Print how far the book has got, as JSON.", rich_help_panel=LOOKING)
]
