"""What a neighbour decides: the "I" that is a numeral or a pronoun, the "S." of a saint, the gender of a number."""

import pytest

from e2a.traits import KINDS
from producer.speech.spoken import spoken

NUMERALS = [
    ("World War I began.", "World War one began."),
    ("Before World War I ended, he left.", "Before World War one ended, he left."),
    ("Part I deals with it.", "Part one deals with it."),
    ("Chapter I describes it.", "Chapter one describes it."),
    ("See Vol. I of it, or Ch. I, p. 5.", "See Volume one of it, or Chapter one, page five."),
    ("As Fig. I shows, and Fig. V too (vol. I).", "As Figure one shows, and Figure five too (volume one)."),
    ("see vol. I, p. 5", "see volume one, page five"),
    # the pronoun, or nobody knows
    *[
        (text, text)
        for text in (
            "That is the Part I think best.",
            "Part I was the best of it.",
            "During the World War I served in France.",
            "In the First World War I fought.",
            "It is a figure I know.",
            "In this volume I, too, have said it.",
            "He had vol. I read it.",
            "He ate a fig. I, too.",
            "This is Ch. I'm here.",
            "No. I won't.",
            "It is no. I, for one, left.",
        )
    ],
]
SAINTS = [
    (
        "S. Maria, S. Antonio, S. Lucia e S. Stefano",
        "Santa Maria, Sant'Antonio, Santa Lucia e Santo Stefano",
    ),
    ("S. Luca, S.Pietro, S. Andrea, S. Zeno", "San Luca, San Pietro, Sant'Andrea, San Zeno"),
    ("la S. Sede, lo S. Spirito", "la Santa Sede, lo Santo Spirito"),
    *[(text, text) for text in ("S. Rossi", "S. Mariani", "P. S. Pietro", "J.S. Maria", "S. M. il re", "SS. Pietro")],
]
COUNTED = [
    ("es", "200 personas, 1 casa, 21 mujeres", "doscientas personas, una casa, veintiuna mujeres"),
    ("es", "200.000 personas, 200 £", "doscientas mil personas, doscientas libras"),
    ("es", "1 libro, 1 mapa, 200 libros, 1 y 2", "un libro, un mapa, doscientos libros, uno y dos"),
    ("es", "200.000.000 personas", "doscientos millones personas"),
    ("es", "31 a. C.", "treinta y uno antes de Cristo."),
    ("de", "1 Stunde, 1 Million Menschen, nach 1 Woche", "eine Stunde, eine Million Menschen, nach einer Woche"),
    ("de", "1 Mann, 1 Kind, 21 Frauen, 1 und 2", "ein Mann, ein Kind, einundzwanzig Frauen, eins und zwei"),
    ("fr", "1 fois, 21 femmes, 81 pages", "une fois, vingt et une femmes, quatre-vingt-une pages"),
    ("fr", "1 homme, 1 livre, 21 ans, page 1", "un homme, un livre, vingt et un ans, page un"),
    ("it", "1 casa, 1 libro, 21 case", "una casa, un libro, ventuno case"),
]


@pytest.mark.parametrize(("text", "said"), NUMERALS)
def test_numeral_or_pronoun(text: str, said: str) -> None:
    """An English "I" after a word such as "Part" is a number only where it cannot be the pronoun."""
    assert spoken(text, "en", spells=KINDS) == said
    assert spoken(said, "en", spells=KINDS) == said


@pytest.mark.parametrize(("text", "said"), SAINTS)
def test_saint_or_initial(text: str, said: str) -> None:
    """An Italian "S." before a saint has the form that the name asks for; before another name it is an initial."""
    assert spoken(text, "it", spells=KINDS) == said


@pytest.mark.parametrize(("language", "text", "said"), COUNTED)
def test_gender_of_a_number(language: str, text: str, said: str) -> None:
    """Before a common feminine noun a number is feminine where the language has such a form; else nothing changes."""
    assert spoken(text, language, spells=KINDS) == said
    assert spoken(said, language, spells=KINDS) == said
