"""e2a-books: what is being made, and what its owner wants of it. Options to objects to exit code; wired here."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import typer
from typer import Argument, Option

from e2a import __version__, deadletters, log
from e2a.bus import KafkaPublisher, KafkaServer, Letter, read_letters
from e2a.checkpoint import STOPPED, open_checkpoint
from e2a.errors import ExitCode, Poison, Retryable, UserError
from e2a.settings import ProducerSettings, load
from e2a.shelf import Shelf, Shelved
from e2a.storage import open_store
from producer import catalogue, terminal
from producer.terminal import console, note, say, show_table

PROGRAM = "e2a-books"
LETTING_GO = 5.0
"""Seconds that merger and workers have to let go of a book that is removed."""
_STYLE = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(add_completion=False, rich_markup_mode="markdown", context_settings=_STYLE)
dlq = typer.Typer(rich_markup_mode="markdown", help="Dead letters: what could not be made, and why.")
app.add_typer(dlq, name="dlq")

Reference = Annotated[str, Argument(metavar="BOOK", help="Its id, the beginning of that, or its title or part of it.")]
References = Annotated[list[str], Argument(metavar="BOOK", help="Ids, beginnings of them, or titles or parts of them.")]
Number = Annotated[int, Argument(metavar="N", min=0, help="Number of `dlq list`.")]
Json = Annotated[bool, Option("--json", metavar=" ", help="Print JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _settings(
    _version_flag: Annotated[
        bool, Option("--version", callback=_version, is_eager=True, metavar=" ", help="Show the version.")
    ] = False,
) -> None:
    """Show the books of a cluster, and change what is wanted of them.

    Servers and storage are set by E2A_* variables, as for e2a-produce.

    **Exit codes**: 0 done, 2 several things failed for different reasons, 64 wrong options, 66 no such book or dead
    letter, 69 a server is missing, 78 wrong setting, 130 interrupted.
    """


@app.command("list")
def list_books(*, json: Json = False) -> int:
    """List all books: urgent ones first, then the first submitted first."""
    shelf = _shelf()
    books = shelf.books()
    if json:
        console.print_json(data=[catalogue.book_json(book) for book in books])
    elif books:
        show_table(catalogue.BOOK_COLUMNS, map(catalogue.book_row, books))
    else:
        say("no books")
    return _noted(shelf)


@app.command()
def show(book: Reference, *, json: Json = False) -> int:
    """Show the chapters of a book: how far they are, who is at them, and what failed and why."""
    shelf = _shelf()
    found = shelf.book(shelf.find(book))
    plan = shelf.plan(found.book_id)
    parts = shelf.parts(plan) if plan else {}
    chapters = catalogue.chapter_states(plan, parts, shelf.workers(found.book_id)) if plan else []
    troubles = catalogue.troubles(parts, time.time())
    if json:
        more = {"chapters": [each._asdict() for each in chapters], "parts": [each._asdict() for each in troubles]}
        console.print_json(data=catalogue.book_json(found) | more)
        return _noted(shelf)
    say(f"{found.name}: {found.condition}{', urgent' if found.urgent else ''}")
    if found.reason:
        say(found.reason)
    if chapters:
        show_table(catalogue.CHAPTER_COLUMNS, map(catalogue.chapter_row, chapters))
    if troubles:
        show_table(catalogue.PART_COLUMNS, map(catalogue.trouble_row, troubles))
    return _noted(shelf)


@app.command()
def pause(books: References) -> int:
    """Begin no other part of a book until it is resumed."""
    return _each(books, lambda shelf, book: shelf.pause(book.book_id), "is paused")


@app.command()
def resume(books: References) -> int:
    """Go on with a book that was paused or cancelled."""

    def resume_one(shelf: Shelf, book: Shelved) -> str:
        shelf.resume(book.book_id)
        return f"{book.name} {'goes on' if book.condition in STOPPED else 'is not paused'}"

    return _each(books, resume_one)


@app.command()
def cancel(books: References) -> int:
    """Give a book up. What is spoken of it stays; `resume` goes on with it."""
    return _each(books, lambda shelf, book: shelf.cancel(book.book_id), "is cancelled")


@app.command()
def urgent(books: References, *, off: Annotated[bool, Option("--off", metavar=" ", help="No longer.")] = False) -> int:
    """Make a book before all others."""
    said = "is made when its turn comes" if off else "is made before all others"
    return _each(books, lambda shelf, book: shelf.set_urgent(book.book_id, not off), said)


@app.command()
def retry(books: References) -> int:
    """Try all parts of a book again that have failed."""

    def retry_one(shelf: Shelf, book: Shelved) -> str:
        shelf.retry(book.book_id)
        if book.numbers is None:
            return f"{book.name}: what has failed is tried again"
        return f"{book.name}: {_tried(book.numbers.failed)}"

    return _each(books, retry_one)


@app.command()
def remove(
    books: References, *, yes: Annotated[bool, Option("--yes", "-y", metavar=" ", help="Do not ask.")] = False
) -> int:
    """Remove a book and its audio from storage. Parts that other books share stay, and so do voices."""

    def remove_one(shelf: Shelf, book: Shelved) -> str:
        if not yes and not _confirmed(book):
            return f"{book.name} stays"
        gone = shelf.remove(book.book_id, LETTING_GO)
        shared = f", {gone.shared} kept for other books" if gone.shared else ""
        said = f"{book.name} is removed; of its parts {gone.removed} removed{shared}"
        return f"{said}; not finished, remove it again: {gone.unfinished}" if gone.unfinished else said

    return _each(books, remove_one)


@dlq.command("list")
def list_letters(*, json: Json = False) -> int:
    """List the dead letters, the last of each part, and what became of the part since; the newest comes last."""
    shelf, letters = _shelf(), deadletters.latest(_letters())
    found = deadletters.entries(letters, shelf)
    if json:
        console.print_json(data=[catalogue.letter_json(entry) for entry in found])
    elif found:
        show_table(catalogue.LETTER_COLUMNS, map(catalogue.letter_row, found))
    else:
        say("no dead letters")
    return _noted(shelf)


@dlq.command("show")
def show_letter(number: Number, *, json: Json = False) -> int:
    """Show a dead letter with the text that was to be spoken."""
    shelf = _shelf()
    (entry,) = deadletters.entries(_numbered([number]), shelf)
    if json:
        console.print_json(data=catalogue.letter_json(entry))
        return _noted(shelf)
    for line in catalogue.letter_lines(entry):
        say(line)
    payload = entry.letter.letter.payload
    try:
        said = deadletters.sentences(payload)
    except Poison:
        said = []
    say("")
    say("to be spoken:" if said else "message:")
    for sentence in said or [payload]:
        say(sentence)
    return _noted(shelf)


@dlq.command("retry")
def retry_letters(
    numbers: Annotated[list[int] | None, Argument(metavar="N", help="Numbers of `dlq list`.")] = None,
    *,
    book: Annotated[str, Option("--book", metavar="BOOK", help="All of a book.")] = "",
    everything: Annotated[bool, Option("--all", metavar=" ", help="All there are.")] = False,
) -> int:
    """Try the parts of dead letters again, but for those that were made since."""
    if sum([bool(numbers), bool(book), everything]) != 1:
        raise UserError("say which: numbers of `e2a-books dlq list`, --book BOOK or --all", ExitCode.USAGE)
    shelf = _shelf()
    book_id = shelf.find(book) if book else ""
    letters = _numbered(numbers) if numbers else deadletters.latest(_letters())
    chosen = [letter for letter in letters if not book_id or letter.letter.book_id == book_id]
    retried = deadletters.retry(deadletters.entries(chosen, shelf), shelf)
    if retried.parts or not retried.refused:
        say(_tried(retried.parts))
    for entry in retried.odd:
        terminal.complain(PROGRAM, f"dead letter {entry.letter.number} cannot be tried again: {entry.since}")
    for error in retried.refused:
        terminal.complain(PROGRAM, error)
    _noted(shelf)
    codes = [ExitCode.NO_INPUT] if retried.odd and numbers else []
    return terminal.code_of(codes + [error.code for error in retried.refused])


def _shelf() -> Shelf:
    settings = load(ProducerSettings)
    log.configure(settings.log_level, settings.log_format)
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)  # what matters of it comes back as Unavailable
    publisher = KafkaPublisher(KafkaServer.of(settings), settings.patience)
    return Shelf(open_store(settings), open_checkpoint(settings), publisher)


def _letters() -> Iterable[Letter]:
    settings = load(ProducerSettings)
    return read_letters(KafkaServer.of(settings), settings.patience)


def _numbered(numbers: Sequence[int]) -> list[Letter]:
    """Return the dead letters of these numbers. Raises `UserError` when there is none of one (exit code NO_INPUT)."""
    found = {letter.number: letter for letter in _letters() if letter.number in numbers}
    if missing := [str(number) for number in numbers if number not in found]:
        raise UserError(f"no dead letter {', '.join(missing)}; e2a-books dlq list shows them", ExitCode.NO_INPUT)
    return [found[number] for number in dict.fromkeys(numbers)]


def _each(references: Sequence[str], change: Callable[[Shelf, Shelved], str | None], said: str = "") -> int:
    """Change one book after another, once all of them are found; what one does not allow is told, and stops no other.

    Args:
        references: to the books.
        change: does it, and may return what to say.
        said: what to say otherwise, after the name of the book.
    """
    shelf = _shelf()
    books = [shelf.book(book_id) for book_id in dict.fromkeys(map(shelf.find, references))]
    codes = []
    for book in books:
        try:
            say(change(shelf, book) or f"{book.name} {said}")
        except (UserError, Retryable) as error:
            if len(books) == 1:
                raise
            terminal.complain(PROGRAM, error, book.name, [book.book_id])
            codes.append(terminal.code_for(error))
    return terminal.code_of(codes)


def _tried(parts: int) -> str:
    """Say how many failed parts are tried again."""
    if not parts:
        return "no failed part to try again"
    return "1 failed part is tried again" if parts == 1 else f"{parts} failed parts are tried again"


def _confirmed(book: Shelved) -> bool:
    if not sys.stdin.isatty():
        raise UserError(f"{book.name}: --yes removes it where nobody can be asked", ExitCode.USAGE)
    return typer.confirm(f"Remove {book.name} from storage?")


def _noted(shelf: Shelf) -> int:
    """Tell what is missing in what was shown."""
    if shelf.problem:
        note([f"only what storage knows is shown: {shelf.problem}"])
    return ExitCode.OK


def _run() -> int:
    return terminal.run(PROGRAM, app, "stopped")


def main() -> None:
    terminal.main(_run)


if __name__ == "__main__":
    main()
