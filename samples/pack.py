"""Pack the sample book: `python3 samples/pack.py OUT.epub`. The same bytes every time, on every machine."""

import argparse
import zipfile
from pathlib import Path

BOOK = Path(__file__).with_name("two-hundred-and-fourteen-umbrellas")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""


def pack(book: Path, target: Path) -> None:
    """Zip an expanded EPUB: its mimetype first, as EPUB asks, then every file in the order of its name.

    Nothing is compressed: what deflate makes of a file differs between versions of zlib.
    """
    paths = sorted(
        (path for path in book.rglob("*") if path.is_file() and not path.name.startswith(".")),
        key=lambda path: (path.name != "mimetype", path.relative_to(book).as_posix()),
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as epub:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(book).as_posix(), EPOCH)
            entry.create_system = 3  # Unix, also where it is not
            entry.external_attr = 0o644 << 16
            epub.writestr(entry, path.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack the sample book as an EPUB.")
    parser.add_argument("target", type=Path, metavar="OUT.epub", help="the file to write")
    pack(BOOK, parser.parse_args().target)


if __name__ == "__main__":
    main()
