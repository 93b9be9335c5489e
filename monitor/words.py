"""What is said to a viewer, in their language: messages, and numbers, times and sizes as they write them.

Messages are English in the source, `_("{n} of {total}", ...)` and `_.plural(...)`; `locale/LANGUAGE.po` has them in
another language, and a test sees to it that none is missing there.
"""

import io
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime, get_timezone
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

LANGUAGES = {"en": "English", "fr": "Français"}
"""Languages there are, each by its own name."""
UNKNOWN = "–"  # noqa: RUF001 - a dash
"""Stands for what nobody can say."""
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_LOCALES = Path(__file__).parent / "locale"
_UNITS = ((86_400.0, "duration-day"), (3_600.0, "duration-hour"), (60.0, "duration-minute"), (1.0, "duration-second"))
_SIZES = ((1e9, "digital-gigabyte"), (1e6, "digital-megabyte"), (1e3, "digital-kilobyte"), (1.0, "digital-byte"))


class Words:
    """What is said to one viewer; call it with a message, whose `{names}` are filled in.

    Args:
        locale: how numbers and dates are written, and the language.
        translations: of the messages.
        zone: in which times are told.
    """

    def __init__(self, locale: Locale, translations: NullTranslations, zone: tzinfo) -> None:
        self.language = locale.language
        self._locale = locale
        self._translations = translations
        self._zone = zone

    def __call__(self, message: str, **values: object) -> str:
        said = self._translations.gettext(message)
        return said.format(**values) if values else said

    def plural(self, one: str, many: str, n: int, **values: object) -> str:
        """Return the one message or the other, as `n` asks for; `{n}` is the number as it is written."""
        return self._translations.ngettext(one, many, n).format(n=self.number(n), **values)

    def listed(self, items: Iterable[str]) -> str:
        """Return `a, b and c`."""
        return format_list(list(items), locale=self._locale)

    def number(self, value: float | None, digits: int = 0) -> str:
        """Return a number with so many digits after the point."""
        if value is None:
            return UNKNOWN
        return format_decimal(round(value, digits), format=f"#,##0.{'0' * digits}".rstrip("."), locale=self._locale)

    def percent(self, fraction: float) -> str:
        """Return a share in whole percent, rounded down: 100 % means all of it."""
        return format_percent(math.floor(fraction * 100 + 1e-9) / 100, locale=self._locale)

    def times(self, factor: float | None) -> str:
        """Return a speed as so many times."""
        return UNKNOWN if factor is None else f"{self.number(factor, 1 if factor < 100 else 0)}×"  # noqa: RUF001

    def clock(self, seconds: float | None) -> str:
        """Return a length of audio as `1:02:03`."""
        if seconds is None:
            return UNKNOWN
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{rest:02}"

    def span(self, seconds: float | None) -> str:
        """Return a length of time in its largest unit: `42 sec`, `5 min`, `3 hr`, `2 days`."""
        if seconds is None:
            return UNKNOWN
        size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
        return self._unit(math.floor(seconds / size), unit)

    def between(self, low: float, high: float) -> str:
        """Return a range of lengths of time as `12 to 18 min`, both in the unit of the longer."""
        _ = self
        size, unit = next(((size, unit) for size, unit in _UNITS if high >= 1.5 * size), _UNITS[-1])
        digits = 1 if size >= 3_600 and high < 10 * size else 0
        first, last = round(low / size, digits), round(high / size, digits)
        if first == last:
            return self._unit(last, unit, digits)
        low_written = format_decimal(first, format=_pattern(digits), locale=self._locale)
        return _("{low} to {high}", low=low_written, high=self._unit(last, unit, digits))

    def ago(self, seconds: float) -> str:
        """Return an age as `5 min ago`."""
        _ = self
        return _("{span} ago", span=self.span(seconds))

    def moment(self, time: float) -> str:
        """Return a Unix time in seconds as date and time of the viewer's zone."""
        return format_datetime(datetime.fromtimestamp(time, self._zone), "short", locale=self._locale)

    def size(self, count: int) -> str:
        """Return a number of bytes as `5.3 GB`, and none as unknown."""
        if not count:
            return UNKNOWN
        size, unit = next(((size, unit) for size, unit in _SIZES if count >= size), _SIZES[-1])
        return self._unit(count / size, unit, 1 if size == 1e9 else 0)

    def degrees(self, celsius: float | None) -> str:
        """Return a temperature as `64°C`."""
        return UNKNOWN if celsius is None else self._unit(celsius, "temperature-celsius")

    def watts(self, power: float | None) -> str:
        """Return a power as `420 W`."""
        return UNKNOWN if power is None else self._unit(power, "power-watt")

    def figures(self) -> dict[str, Any]:
        """Return how figures write numbers and times: a locale of Vega-Lite."""
        symbols, days = self._locale.number_symbols["latn"], self._locale.days["format"]
        months = self._locale.months["format"]
        names = {
            "days": _from_sunday(days["wide"]),
            "shortDays": _from_sunday(days["abbreviated"]),
            "months": [months["wide"][month] for month in range(1, 13)],
            "shortMonths": [months["abbreviated"][month] for month in range(1, 13)],
        }
        number = {"decimal": symbols["decimal"], "thousands": symbols["group"], "grouping": [3], "currency": ["", ""]}
        formats = {"dateTime": "%x %X", "date": "%Y-%m-%d", "time": "%H:%M:%S", "periods": ["AM", "PM"]}
        return {"number": number, "time": formats | names}

    def _unit(self, value: float, unit: str, digits: int = 0) -> str:
        return format_unit(round(value, digits), unit, "short", format=_pattern(digits), locale=self._locale)


@lru_cache(64)
def words(browser: str | None, zone: str | None, language: str = "") -> Words:
    """Return what is said to a viewer; the same object to all who read alike.

    Args:
        browser: locale that their browser tells, such as `fr-CA`; what is wrong or not spoken here becomes English.
        zone: time zone that it tells, such as `Europe/Paris`; what is wrong becomes UTC.
        language: one of `LANGUAGES` that they chose; empty takes the browser's.
    """
    locale = _locale(browser)
    if language and language != locale.language:
        locale = Locale(language)
    if locale.language not in LANGUAGES:
        locale = Locale("en")
    return Words(locale, _translations(locale.language), _zone(zone))


def one_line(text: str) -> str:
    """Return a text in one line, without the signs that turn the direction of what follows them."""
    return " ".join(text.translate(_TURNS).split())


def _from_sunday(days: Mapping[int, str]) -> list[str]:
    """Return the names of days, given by number from Monday on, as a list that begins with Sunday."""
    return [days[day] for day in (6, 0, 1, 2, 3, 4, 5)]


def _pattern(digits: int) -> str:
    return f"#,##0.{'#' * digits}".rstrip(".")


def _locale(tag: str | None) -> Locale:
    try:
        return Locale.parse(tag or "en", sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def _zone(name: str | None) -> tzinfo:
    try:
        return get_timezone(name or "UTC")
    except LookupError:
        return get_timezone("UTC")


@cache
def _translations(language: str) -> NullTranslations:
    path = _LOCALES / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
