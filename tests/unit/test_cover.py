"""The cover of an audiobook: any picture becomes a JPEG that players show, and a book without one gets one drawn."""

import io
import random
import struct
import subprocess
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageChops, ImageFont, features

from producer import cover, lettering
from producer.epub import Cover
from tests.unit.books import small_book

RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)


def opened(jpeg: bytes) -> Image.Image:
    """Return a JPEG, which must be whole."""
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, image.mode, image.info.get("progressive")) == ("JPEG", "RGB", None)
    image.load()
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def near(colour: object, expected: tuple[int, int, int], within: int = 12) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(one - other) <= within for one, other in zip(colour, expected, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_any_kind_of_picture(kind: str) -> None:
    """Whatever kind of picture a book has, its cover is a JPEG of the same size and colour."""
    image = opened(cover.convert(encoded(Image.new("RGB", (60, 90), RED), kind)))
    assert image.size == (60, 90)
    assert near(image.getpixel((30, 45)), RED)


@pytest.mark.parametrize(
    ("size", "expected"), [((2800, 1400), (1400, 700)), ((1400, 2100), (933, 1400)), ((1400, 20), (1400, 20))]
)
def test_large_pictures_are_made_smaller(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """No side is longer than 1,400 pixels, the shape stays, and nothing is enlarged."""
    assert opened(cover.convert(encoded(Image.new("L", size), "JPEG"))).size == expected


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.new("RGBA", (9, 9), (*BLUE, 0)), "PNG"),
        (Image.new("LA", (9, 9), (0, 0)), "PNG"),
        (Image.new("RGBA", (9, 9), (*BLUE, 0)), "WEBP"),
        (Image.new("RGBA", (9, 9), (*BLUE, 0)), "GIF"),
        (Image.new("1", (9, 9), 1), "PNG"),
    ],
    ids=["colour", "grey", "webp", "palette", "ink"],
)
def test_what_is_transparent_is_white(image: Image.Image, kind: str) -> None:
    """Under what can be seen through there is paper."""
    assert near(opened(cover.convert(encoded(image, kind))).getpixel((4, 4)), WHITE, 2)


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "expected"),
    [
        ("CMYK", "JPEG", (0, 255, 255, 0), (254, 0, 0)),
        ("CMYK", "TIFF", (0, 0, 0, 255), (0, 0, 0)),
        ("I;16", "PNG", 32_768, (128, 128, 128)),
        ("I;16", "TIFF", 65_535, WHITE),
        ("I", "TIFF", 16_384, (64, 64, 64)),
        ("F", "TIFF", 0.5, (128, 128, 128)),
        ("L", "PNG", 77, (77, 77, 77)),
        ("YCbCr", "JPEG", (128, 128, 128), (128, 128, 128)),
    ],
)
def test_colours_of_print_and_science(mode: str, kind: str, colour: object, expected: tuple[int, int, int]) -> None:
    """Inks, and more than eight bits a pixel, come out in the colours that they stand for."""
    picture = encoded(Image.new(mode, (16, 16), colour), kind)  # type: ignore[arg-type]
    assert near(opened(cover.convert(picture)).getpixel((8, 8)), expected)


def test_palette() -> None:
    """A picture in a palette comes out in its colours."""
    picture = encoded(Image.new("RGB", (16, 16), RED).convert("P", palette=Image.Palette.ADAPTIVE), "PNG")
    assert near(opened(cover.convert(picture)).getpixel((8, 8)), RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_turned_as_the_camera_says(kind: str) -> None:
    """A picture that was taken sideways stands upright."""
    image = Image.new("RGB", (40, 20), RED)
    image.paste(BLUE, (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # its top is on the right
    found = opened(cover.convert(encoded(image, kind, exif=exif)))
    assert found.size == (20, 40)
    assert near(found.getpixel((10, 3)), BLUE, 40)
    assert near(found.getpixel((10, 36)), RED, 40)


def test_damaged_exif_is_passed_over() -> None:
    """A picture whose Exif data cannot be read is shown as it is."""
    picture = encoded(Image.new("RGB", (40, 20), RED), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12\xff")
    assert opened(cover.convert(picture)).size == (40, 20)


def test_first_frame_of_an_animation() -> None:
    """Of a picture that moves it is what is shown first."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    for kind in ("GIF", "WEBP"):
        picture = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        assert near(opened(cover.convert(picture)).getpixel((8, 8)), RED)


def bomb(side: int) -> bytes:
    """Return a PNG that says it is so large; what follows is never looked at."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


WHOLE = encoded(Image.effect_mandelbrot((64, 64), (-2, -1.5, 1, 1.5), 30), "JPEG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty, or no picture"),
        (b"<svg/>", "empty, or no picture"),
        (b"\xff\xd8\xff jpeg", "empty, or no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "empty, or no picture"),
        (WHOLE[: len(WHOLE) // 2], "damaged"),
        (encoded(Image.new("RGB", (9, 9)), "PNG")[:45], "damaged"),
        (bomb(8_000), "of more than 25,000,000 pixels"),
        (bomb(60_000), "of more than 25,000,000 pixels"),
        (WHOLE[:-2] + b"\xff\xda" * 100, "a JPEG of more than 100 scans"),
    ],
    ids=["empty", "vector", "a few bytes", "program", "half", "cut", "too large", "bomb", "scans"],
)
def test_cover_that_cannot_be_used(content: bytes, reason: str) -> None:
    """What cannot be shown is named with the reason, and one with the title is drawn in its place."""
    made = cover.make(small_book("<p>One.</p>", cover=Cover("OEBPS/front.jpg", content)))
    (problem,) = made.problems
    assert problem.startswith(f"OEBPS/front.jpg: the cover, but {reason}")
    assert made.jpeg == cover.draw("Emma", ("Jane Austen",)).jpeg


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_damaged_pictures(kind: str) -> None:
    """Whatever of a picture is damaged, there is a cover, and never a crash."""
    whole = encoded(Image.effect_mandelbrot((32, 32), (-2, -1.5, 1, 1.5), 30), kind)
    outcomes = set()
    for seed in range(60):
        chance = random.Random(seed)
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            opened(cover.convert(bytes(damaged)))
            outcomes.add("read")
        except cover.Unusable:
            outcomes.add("refused")
    assert "refused" in outcomes


def test_own_cover_of_a_book() -> None:
    """A cover that can be used is used, and there is nothing to say."""
    content = encoded(Image.new("RGB", (60, 90), RED), "PNG")
    made = cover.make(small_book("<p>One.</p>", cover=Cover("front.png", content)))
    assert opened(made.jpeg).size == (60, 90)
    assert made.problems == ()


def test_drawn_cover() -> None:
    """A book without a cover has a square one, the same each time, on which title and authors are to be seen."""
    made = cover.make(small_book("<p>One.</p>"))
    image = opened(made.jpeg)
    assert (image.size, made.problems) == ((1400, 1400), ())
    assert made == cover.make(small_book("<p>One.</p>"))
    blank = opened(cover.draw("", ()).jpeg).convert("L")
    assert inked(image, (120, 180, 1280, 920)) > inked(blank, (120, 180, 1280, 920)) == 0
    assert inked(image, (120, 1020, 1280, 1260)) > 1000


def inked(image: Image.Image, box: tuple[int, int, int, int]) -> int:
    """Return how many pixels of a box are not of its ground."""
    part = image.convert("L").crop(box)
    ground = part.getpixel((0, 0))
    assert isinstance(ground, int)
    return part.point(lambda value: int(abs(value - ground) > 60)).histogram()[1]


def test_shelf_is_not_all_alike() -> None:
    """Two titles have different colours."""
    corners = {opened(cover.draw(title, ()).jpeg).getpixel((9, 9)) for title in ("Emma", "Persuasion", "Sanditon")}
    assert len(corners) == 3


TITLES = [
    "Emma",
    "The Personal History, Adventures, Experience and Observation of David Copperfield the Younger",
    "word " * 3000,
    "x" * 500,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "\u202eEmma\x00\n\t\u200d",
    "Emma \U0001f4da",
]


@pytest.mark.parametrize(
    "title", TITLES, ids=["short", "long", "endless", "no spaces", "compound", "controls", "emoji"]
)
def test_any_title_fits(title: str) -> None:
    """However long a title is, it stays inside the frame."""
    image = opened(cover.draw(title, ()).jpeg)
    frame = opened(cover.draw(title, ()).jpeg)
    frame.paste(frame.getpixel((9, 9)), (100, 100, 1300, 1300))  # type: ignore[arg-type]
    beyond = ImageChops.difference(image, frame).convert("L").point(lambda value: value > 60 and 255).getbbox()
    assert beyond
    assert beyond[0] >= 120
    assert beyond[1] >= 160
    assert beyond[2] <= 1280
    assert beyond[3] <= 940


def fitted(text: str, width: int = 1000, height: int = 600) -> lettering.Lettering:
    found = lettering.fit(text, width, height, range(100, 39, -10))
    assert found
    return found


def test_words_are_not_cut_while_a_smaller_size_will_do() -> None:
    """A long word makes the letters smaller; only one that is longer than a line is cut."""
    assert " ".join(fitted("Incomprehensibilities of Newfoundland").lines) == "Incomprehensibilities of Newfoundland"
    assert len(fitted("x" * 90).lines) > 1
    assert "".join(fitted("x" * 90).lines) == "x" * 90


def test_a_text_that_is_too_long_ends_in_dots() -> None:
    """What is left out is not left out silently."""
    assert fitted("word " * 200).lines[-1].endswith("…")
    assert fitted("word " * 50, height=120).lines[-1].endswith("…")


def test_lines_of_ideographs() -> None:
    """Where there are no spaces a line ends after any sign, but none begins with a full stop."""
    assert list(lettering._units("吾輩は猫。名前は")) == ["吾", "輩", "は", "猫。", "名", "前", "は"]
    assert list(lettering._units("Der 猫 isst")) == ["Der ", "猫 ", "isst"]
    assert list(lettering._clusters("e\u0301le\u0301")) == ["e\u0301", "l", "e\u0301"]


@pytest.fixture
def no_fontconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_arguments: object, **_options: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", run)


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch, no_fontconfig: None) -> None:
    """No font is installed: there is only the one that Pillow brings."""
    monkeypatch.setattr(lettering, "_NAMED", ())


def test_letters_that_no_font_has(no_fonts: None) -> None:
    """A text with letters that no font has is left out, which is told; there are no rows of boxes."""
    made = cover.draw("Эмма", ("Jane Austen",))
    assert made.problems == ("the cover is drawn without 'Эмма': no font here has its letters",)
    assert inked(opened(made.jpeg), (120, 180, 1280, 920)) == 0
    assert inked(opened(made.jpeg), (120, 1020, 1280, 1260)) > 1000


def test_signs_that_no_font_has(no_fonts: None) -> None:
    """Signs that are no letters are left out alone."""
    assert fitted("Emma \U0001f4da ☃ — at last").lines == ("Emma at last",)
    assert lettering.fit("\U0001f4da", 900, 900, [40]) is None


@pytest.mark.parametrize("broken", [b"", b"/no/such.ttf\n0", b"/etc/passwd\n0", b"\xff"])
def test_fontconfig_that_is_of_no_use(monkeypatch: pytest.MonkeyPatch, broken: bytes) -> None:
    """Whatever fontconfig says, there is a font."""
    answer = subprocess.CompletedProcess([], 0, broken)
    monkeypatch.setattr(subprocess, "run", lambda *_arguments, **_options: answer)
    assert fitted("Emma").lines == ("Emma",)


def test_without_fontconfig(no_fontconfig: None) -> None:
    """Without fontconfig fonts are found by their names, or Pillow's own is taken."""
    assert fitted("Emma").lines == ("Emma",)


def covers(text: str) -> bool:
    """Say whether some font of this machine has the letters of a text."""
    return lettering.fit(text, 1000, 600, [60]) is not None


@pytest.mark.skipif(not (features.check("raqm") and covers("שלום")), reason="no Hebrew font")
def test_right_to_left() -> None:
    """Hebrew is set from the right, where Pillow can; where it cannot it is left out."""
    assert fitted("שלום עולם").direction == "rtl"
    assert fitted("Emma (שלום)").direction == "ltr"


@pytest.mark.parametrize("text", ["שלום", "سلام", "हिन्दी"])
def test_scripts_that_need_shaping(monkeypatch: pytest.MonkeyPatch, no_fonts: None, text: str) -> None:
    """Without the library that shapes letters, a script that needs it is left out instead of shown wrong."""
    everything: Callable[..., set[str]] = lambda *_arguments: set()  # noqa: E731
    monkeypatch.setattr(lettering, "_lacking", everything)
    assert lettering.fit(text, 1000, 600, [60]) is None
    assert fitted("Emma").direction is None


def test_bundled_font_is_there() -> None:
    """Pillow brings a font that grows: without any other a title in ASCII can be drawn."""
    assert isinstance(ImageFont.load_default(10), ImageFont.FreeTypeFont)
