"""Rules for figures beside other signs: minus and percent, fractions, money, the clock. Used by `spoken`."""

import re
from functools import partial

from producer.speech import wording
from producer.speech.abbreviations import after, before
from producer.speech.counting import LEFT, RIGHT, Match, Rule, before_noun, cardinal, gendered, number, say
from producer.speech.wording import Wording

_FRACTIONS = {"½": 0, "⅓": 1, "⅔": 2, "¼": 3, "¾": 4, "1/2": 0, "1/3": 1, "2/3": 2, "1/4": 3, "3/4": 4}
_MILLIONS = re.compile(r"(?:illions?|illiards?|ill[oó]n|illones|ilion[ei]|iliard[oi])$")


def signs(words: Wording, spells: frozenset[str]) -> list[Rule]:
    """Return the rules for signs beside figures, which they leave in figures; percent comes last."""
    rules = []
    if spells & {"symbol", "number", "figure"}:
        minus = r"(?:^|(?<=[\s(]))[-\u2212](?=[$£€¥]?\d)|(?<=[\d )])\u2212 ?(?=\d)|(?<!\w)\u2212(?=\d)"
        rules.append((minus, f" {words.minus} "))
    if words.full and "symbol" in spells:
        to, plus, equals, by, either, hash_, degree, degrees, _ = words.signs
        no_ordinal = "(?! [a-z])" if words.code == "it" else ""
        rules += [
            (r"(?<=\d) ?\u2013 ?(?=[$£€¥]?\d)", f" {to} "),
            (r"(?<![\w.,/-])(1[1-9]\d\d|20\d\d)-(?=(?:1[1-9]\d\d|20\d\d|\d\d)(?![\w-]|[.,/]\d))", rf"\1 {to} "),
            (r"(?<=[\d )])\+ ?(?=\d)|^\+(?=\d)", f" {plus} "),
            (r"(?<=[\w)]) ?= ?(?=\d)|(?<=\d) ?= ?(?=\w)", f" {equals} "),
            (r"(?<=[\d )]) ?\u00d7 ?(?=\d)", f" {by} "),
            (r"\u00b1 ?(?=\d)", f" {either} "),
            (r"(?<!\w)#(?=\d)", f"{hash_} "),
            (rf"(?<![\d.,])1 ?\u00b0{no_ordinal}(?! ?[CF]\b)(?!\w)", f"1 {degree}"),
            (r"(?<=\d) ?[\u00b0\u00ba] ?C\b", f" {degrees} Celsius"),
            (r"(?<=\d) ?[\u00b0\u00ba] ?F\b", f" {degrees} Fahrenheit"),
            (r"(?:(?<=\d\d)|(?<=[02-9])|(?<=[.,]\d)) ?\u00b0(?!\w)", f" {degrees}"),
        ]
    compiled = [Rule(re.compile(pattern), said) for pattern, said in rules]
    if spells & {"symbol", "number"} and words.percent:
        compiled.append(Rule(re.compile(rf"(?<![\d.,%])({number(words)}) ?%(?![\w%])"), partial(_percent, words)))
    return compiled


def _percent(words: Wording, match: Match) -> str:
    forms = words.percent.split("|")
    if len(forms) == 1:
        return f"{match[1]}{'' if words.glued else ' '}{words.percent}"
    return f"{match[1]} {forms[_slavic(match[1])]}"


def _slavic(number: str) -> int:
    """Return which form a counted thing has: of one, of two (and of decimals), of five."""
    if not number.isdigit():
        return 1 if "," in number else 2
    tens, ones = divmod(int(number) % 100, 10)
    if tens == 1 or ones == 0 or ones > 4:
        return 2
    return 0 if ones == 1 else 1


def fractions(words: Wording) -> list[Rule]:
    """Return the rule for a fraction, alone or after a whole number."""
    part = rf"[½⅓⅔¼¾](?!\w)|(?:1[/\u2044][234]|2[/\u2044]3|3[/\u2044]4){RIGHT}"
    pattern = re.compile(rf"{LEFT}(?:(?P<whole>\d++) ?)?(?P<part>{part})")
    return [Rule(pattern, partial(_say_fraction, words))]


def _say_fraction(words: Wording, match: Match) -> str:
    index = _FRACTIONS[match["part"].replace("\u2044", "/")]
    if not match["whole"]:
        return words.fractions[index]
    whole = before_noun(say(match["whole"], words) or match["whole"], words)
    if words.code == "de" and index == 0:
        return f"{whole}einhalb"
    return f"{whole} {words.signs[8]} {words.parts[index]}"


def money(words: Wording) -> list[Rule]:
    """Return the rules for amounts of money, the sign before or after."""
    sign = r"(?P<sign>(?:\b(?:US|CA?|AU?|NZ))?\$|[£€¥])"
    amount = rf"(?P<amount>\d++[.,]\d\d(?!\d)|{number(words)})"
    scale = rf"(?: (?P<scale>{words.scales})(?!\w))?"
    said = partial(_say_money, words)
    return [
        Rule(re.compile(rf"(?<![.,$£€¥\d]){sign}(?: (?<!\d . ))?{amount}(?![\w$£€¥]|[.,:/]\d){scale}"), said),
        Rule(re.compile(rf"{LEFT}{amount}{scale} ?{sign}(?![\w$£€¥])"), said),
    ]


def _say_money(words: Wording, match: Match) -> str:
    one, many, hundredths = words.currencies[match["sign"][-1]]
    amount = re.sub(r"[.,](\d\d)$", rf"{words.point}\1", match["amount"])
    whole, _, cents = amount.partition(words.point)
    said = say(amount, words)
    if not said:
        return match[0]
    if match["scale"]:
        return _counted(f"{said} {match['scale']}", many, words)
    is_one_piece = words.code == "en" and re.match(r"[ -](?:bill|note|coin)\b", after(match))
    if is_one_piece or (words.code.startswith("fr") and whole in {"0", "1"}):
        many = one.split(" ", 1)[1]
    if len(cents) == 2 and hundredths:
        return _coins(whole, int(cents), (one, many, hundredths), words)
    return one if amount == "1" else _counted(gendered(said, one, words), many, words)


def _coins(whole: str, cents: int, names: tuple[str, str, str], words: Wording) -> str:
    one, many, hundredths = names
    units = one if whole == "1" else _counted(gendered(say(whole, words), one, words), many, words)
    if not cents:
        return units
    coins = before_noun(cardinal(cents, words), words)
    named = f"{coins} {wording.SINGLE.get(hundredths, hundredths) if cents == 1 else hundredths}"
    if whole == "0":
        return named
    between, is_named = words.cents
    return f"{units}{between}{named if is_named else cardinal(cents, words)}"


def _counted(said: str, noun: str, words: Wording) -> str:
    link = f" {words.of} " if words.of and _MILLIONS.search(said) else " "
    counted = f"{said}{link}{noun}"
    return counted.replace(" de euros", " d'euros") if words.code.startswith("fr") else counted


def times(words: Wording) -> list[Rule]:
    """Return the rules for times of day."""
    hour, minutes = r"(?P<hour>[01]?\d|2[0-4])", r"(?P<minutes>[0-5]\d)"
    half = r" ?(?P<half>[ap])\.? ?m\b"
    shapes = {
        "en": [rf"{hour}:{minutes}(?:{half}|{RIGHT})", rf"{hour}(?:\.{minutes})?{half}"],
        "fr": [rf"{hour} ?h(?: ?{minutes})?{RIGHT}", rf"{hour}:{minutes}{RIGHT}"],
        "de": [rf"{hour}(?:[.:]{minutes})? Uhr\b", rf"{hour}:{minutes}{RIGHT}"],
        "es": [rf"{hour}:{minutes}{RIGHT}(?: h\b)?"],
        "it": [rf"{hour}:{minutes}{RIGHT}", rf"(?:(?<=ore )|(?<=alle )){hour}\.{minutes}{RIGHT}"],
    }
    said = partial(_say_time, words)
    return [Rule(re.compile(LEFT + shape), said) for shape in shapes[words.code[:2]]]


def _say_time(words: Wording, match: Match) -> str:
    hour, minutes = int(match["hour"]), int(match["minutes"] or 0)
    base = words.code[:2]
    if base == "en":
        return _say_english_time(match, words)
    preceding = before(match).split()
    if ":" in match[0] and preceding and re.fullmatch(r"[^\W\d_]{4,}", preceding[-1]) and preceding[-1][0].isupper():
        return match[0]  # "Jean 3:16" is a verse
    said = gendered(cardinal(hour, words), {"fr": "une heure", "de": "ein Uhr"}.get(base, "una hora"), words)
    rest = cardinal(minutes, words) if minutes else ""
    if base == "fr":
        return f"{said} heure{'s' if hour > 1 else ''} {rest}".strip()
    if base == "de":
        return f"{said} Uhr {rest}".strip()
    return f"{said} {'y' if base == 'es' else 'e'} {rest}" if rest else said


def _say_english_time(match: Match, words: Wording) -> str:
    hour, minutes, half = int(match["hour"]), match["minutes"] or "00", match["half"]
    said = cardinal(hour, words)
    if minutes != "00":
        said += (" oh " if minutes[0] == "0" else " ") + cardinal(int(minutes), words)
    elif not half:
        said += " o'clock" if 1 <= hour <= 12 else " hundred"
    return f"{said} {half}.m{'' if after(match).startswith('.') else '.'}" if half else said
