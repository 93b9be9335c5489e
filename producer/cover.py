"""The cover that every audiobook has: the book's own as a JPEG that any player shows, else one that is drawn."""

import colorsys
import hashlib
import io
import warnings
from collections.abc import Iterable
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

from producer.epub import Book
from producer.epub.archive import one_line
from producer.lettering import Lettering, fit

SIDE = 1400
"""Most pixels of a side."""
QUALITY = 85
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
"""What is opened; other plugins of Pillow start programs, or are hardly ever used."""
MOST_SCANS = 100
"""Of a JPEG; cameras write ten at most, and each costs a pass over the whole picture."""
MOST_PIXELS = 25_000_000
Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # Pillow warns of larger pictures; here they are refused
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_WHITE = (255, 255, 255)

Colour = tuple[int, int, int]


class Cover(NamedTuple):
    """A cover, and what went wrong with it, each in one line for the user."""

    jpeg: bytes
    problems: tuple[str, ...] = ()


class Unusable(Exception):
    """Ends the reading of a picture; the text says why."""


def make(book: Book) -> Cover:
    """Return the cover of a book: its own, or else one with its title and its authors."""
    if book.cover is None:
        return draw(book.title, book.authors)
    try:
        return Cover(convert(book.cover.content))
    except Unusable as error:
        drawn = draw(book.title, book.authors)
        problem = one_line(f"{book.cover.href}: the cover, but {error}: one with the title is drawn")
        return drawn._replace(problems=(problem, *drawn.problems))


def convert(content: bytes) -> bytes:
    """Return a picture as a baseline JPEG in RGB of at most `SIDE` pixels a side; it is never enlarged.

    Of an animation it is the first frame, turned as its Exif data say, with white where it is transparent.

    Raises:
        Unusable: it cannot be read.
    """
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MOST_SCANS:
        raise Unusable(f"a JPEG of more than {MOST_SCANS} scans")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                image.draft(None, (SIDE, SIDE))  # a JPEG is decoded no larger than it is needed
                picture = _flat(_upright(image))
    except _BOMBS as error:
        raise Unusable(f"of more than {MOST_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise Unusable("empty, or no picture that can be read") from error
    except Exception as error:  # what Pillow's decoders trip over in damaged files has no common type
        raise Unusable("damaged, or of a rare kind") from error
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return _jpeg(picture)


def draw(title: str, authors: Iterable[str]) -> Cover:
    """Return a cover with a title and authors, in colours that follow from the title.

    It is square: audiobook shops want it so, and players show it in a square. What no font of this machine has the
    letters of is left out.
    """
    ground, accent, ink = _colours(title)
    image = Image.new("RGB", (SIDE, SIDE), ground)
    pencil = ImageDraw.Draw(image)
    pencil.rectangle((64, 64, SIDE - 65, SIDE - 65), outline=accent, width=4)
    pencil.rectangle((80, 80, SIDE - 81, SIDE - 81), outline=accent, width=1)
    author = ", ".join(authors)
    head = fit(title, 1100, 720, range(160, 43, -6)) if title else None
    foot = fit(author, 1000, 190, range(72, 31, -4)) if author else None
    if head:
        _write(pencil, head, 550, ink)
    if foot:
        pencil.line((SIDE // 2 - 90, 1000, SIDE // 2 + 90, 1000), fill=accent, width=6)
        _write(pencil, foot, 1145, ink)
    lacking = [text for text, shown in ((title, head), (author, foot)) if text and not shown]
    problems = (f"the cover is drawn without {text[:80]!r}: no font here has its letters" for text in lacking)
    return Cover(_jpeg(image), tuple(map(one_line, problems)))


def _upright(image: Image.Image) -> Image.Image:
    """Return a picture as its Exif data say that it should be shown, or as it is when these are damaged."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - as above
        return image


def _flat(image: Image.Image) -> Image.Image:
    """Return a picture of any mode in RGB, over white."""
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, _WHITE)
    paper.alpha_composite(image)
    return paper.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a grey picture of 16 or more bits in 8; Pillow's own conversion makes all that is bright white."""
    brightest = 1.0 if image.mode == "F" else 65_535.0
    return image.convert("F").point(lambda value: value * (255 / brightest) + 0).convert("L")


def _colours(title: str) -> tuple[Colour, Colour, Colour]:
    """Return the colours of ground, ornament and text, the same for the same title."""
    digest = hashlib.sha256(title.encode(errors="replace")).digest()
    hue = int.from_bytes(digest[:2]) / 65_536
    return _rgb(hue, 0.24, 0.42), _rgb(hue + 0.08, 0.66, 0.46), _rgb(hue, 0.96, 0.40)


def _rgb(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = (round(value * 255) for value in colorsys.hls_to_rgb(hue % 1, lightness, saturation))
    return red, green, blue


def _write(pencil: ImageDraw.ImageDraw, text: Lettering, middle: float, colour: Colour) -> None:
    """Write lines centred around a height."""
    top = middle - text.line_height * (len(text.lines) - 1) / 2
    for number, line in enumerate(text.lines):
        place = (SIDE / 2, top + number * text.line_height)
        pencil.text(place, line, colour, text.font, anchor="mm", direction=text.direction)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
