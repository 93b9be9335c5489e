"""Ordinals that are written like other numbers: German ones with a full stop, Romance ones with a degree sign.

What only looks like one stays: the day before the end of a sentence, degrees of heat and of angles.
"""

# ruff: noqa: RUF001 - a Turkish letter looks like ASCII

import pytest

from e2a import traits
from e2a.traits import KINDS
from producer.speech.spoken import spoken

_ESPEAK = traits.of("espeak").spells

GERMAN = [
    ("Das war der 5. Versuch.", "Das war der fünfte Versuch."),
    ("Es steht in der 3. Person.", "Es steht in der dritten Person."),
    ("Er kam am 3. und 4. Oktober.", "Er kam am dritten und vierten Oktober."),
    ("Am 1., 2. oder 3. kam er.", "Am ersten, zweiten oder dritten kam er."),
    ("vom 3. bis 5. Mai", "vom dritten bis fünften Mai"),
    ("am 1. April und am 2. des Monats", "am ersten April und am zweiten des Monats"),
    ("des 3. und 4. Jahrhunderts", "des dritten und vierten Jahrhunderts"),
    ("Auf der 12. Seite, im 4. Bezirk.", "Auf der zwölften Seite, im vierten Bezirk."),
    ("in der 3. großen Stadt", "in der dritten großen Stadt"),
    ("Die 2. Hälfte, zum 10. Mal.", "Die zweite Hälfte, zum zehnten Mal."),
    ("die 3. großen Siege, die 10. Klassen", "die dritten großen Siege, die zehnten Klassen"),
    ("ins 19. Jahrhundert", "ins neunzehnte Jahrhundert"),
    ("der 2. von links, der 5. große Plan", "der zweite von links, der fünfte große Plan"),
    ("Er half der 2. Frau.", "Er half der zweiten Frau."),
    ("seine 2. Frau, ihr 3. Sohn, sein 4. Kind", "seine zweite Frau, ihr dritter Sohn, sein viertes Kind"),
    ("„Der 1. FC Köln“", "„Der erste FC Köln“"),
    # a sentence ends here
    ("Er kam am 5. Dann ging er.", "Er kam am fünf. Dann ging er."),
    ("Er war der 5. Er lachte.", "Er war der fünf. Er lachte."),
    ("Es waren 5. Peter kam.", "Es waren fünf. Peter kam."),
    ("Es waren 5. Frau Müller kam.", "Es waren fünf. Frau Müller kam."),
    ("Kapitel 5. Der Anfang", "Kapitel fünf. Der Anfang"),
    ("Er zählte 1990. Das war viel.", "Er zählte neunzehnhundertneunzig. Das war viel."),
    # the ending cannot be known: the engine says the figure
    ("Ein 5. Dackel bellte.", "Ein 5. Dackel bellte."),
    ("und der 2. Junge auch", "und der 2. Junge auch"),
    ("der Vater der 2. Braut", "der Vater der 2. Braut"),
    ("Er ging als 3. durchs Ziel.", "Er ging als 3. durchs Ziel."),
]
OTHERS = [
    ("cs", "V 19. století, dne 5. května.", "V 19. století, dne 5. května."),
    ("cs", "Bylo jich 19. Potom odešel.", "Bylo jich devatenáct. Potom odešel."),
    ("tr", "19. yüzyıl", "19. yüzyıl"),
    ("tr", "Sayı 19.", "Sayı ondokuz."),
    ("pl", "1. rozdział", "1. rozdział"),
    ("da", "er der 5. Peter kom", "er der fem. Peter kom"),
    ("pt", "Eram 19. depois", "Eram dezanove. depois"),
]
DEGREES = [
    ("it", "Il 2° capitolo e il 3° piano.", "Il secondo capitolo e il terzo piano."),
    ("it", "nel 1° e 2° libro, dal 2° al 5° piano", "nel primo e secondo libro, dal secondo al quinto piano"),
    ("it", "Il 21° secolo, la 2° edizione", "Il ventunesimo secolo, la seconda edizione"),
    ("it", "l'8° capitolo, l\u20198° giorno", "l'ottavo capitolo, l\u2019ottavo giorno"),
    ("it", "il 45° parallelo", "il quarantacinquesimo parallelo"),
    ("es", "El 1° de mayo, el 2° capítulo.", "El primero de mayo, el segundo capítulo."),
    ("es", "del 1° al 5° de mayo", "del primero al quinto de mayo"),
    ("es", "el 3° piso, la 1° vez", "el tercer piso, la primera vez"),
    ("es", "el 21° día, el 11° día", "el vigésimo primer día, el undécimo día"),
    ("fr", "Au 2° étage et au 1° rang.", "Au deuxième étage et au premier rang."),
    ("fr", "la 1° fois", "la première fois"),
    # heat and angles
    ("it", "A 20° di latitudine, 20° nord.", "A venti gradi di latitudine, venti gradi nord."),
    ("it", "Un angolo di 90° con la parete", "Un angolo di novanta gradi con la parete"),
    ("it", "I 30° all'ombra, il 20° C, 38° di febbre",
     "I trenta gradi all'ombra, il venti gradi Celsius, trentotto gradi di febbre"),
    ("it", "il 45° di latitudine, il 20° Nord", "il quarantacinque gradi di latitudine, il venti gradi Nord"),
    ("it", "l'8° edizione", "l'otto gradi edizione"),
    ("es", "los 20° del termómetro, a 40° norte", "los veinte grados del termómetro, a cuarenta grados norte"),
    ("es", "el 45° de latitud", "el cuarenta y cinco grados de latitud"),
    ("es", "Hacía 20° de calor.", "Hacía veinte grados de calor."),
    ("fr", "Il fait 20° dehors.", "Il fait vingt degrés dehors."),
    ("fr", "un virage à 90° serré, le 45° de latitude",
     "un virage à quatre-vingt-dix degrés serré, le quarante-cinq degrés de latitude"),
    ("en", "the 20° line", "the twenty degrees line"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), GERMAN)
def test_german_full_stop(text: str, said: str) -> None:
    """A German number with a full stop is an ordinal beside what says so, with the ending that its article asks for."""
    assert spoken(text, "de", spells=KINDS) == said
    assert spoken(said, "de", spells=KINDS) == said


@pytest.mark.parametrize(("language", "text", "said"), OTHERS)
def test_full_stop_before_a_small_letter(language: str, text: str, said: str) -> None:
    """Where a full stop makes ordinals, one within a sentence keeps its figure, since no rule knows how to say it."""
    assert spoken(text, language, spells=KINDS) == said


@pytest.mark.parametrize(("language", "text", "said"), DEGREES)
def test_degree_sign(language: str, text: str, said: str) -> None:
    """After an article in the singular a degree sign is an ordinal's, unless what follows counts degrees."""
    assert spoken(text, language, spells=KINDS) == said
    assert spoken(said, language, spells=KINDS) == said


@pytest.mark.parametrize(
    ("language", "unit"), [("de", "1., "), ("de", "der 1. "), ("cs", "1. a "), ("it", "il 1° e "), ("fr", "la 1° ")]
)
def test_hostile_text(language: str, unit: str) -> None:
    """A hundred thousand characters of the worst kind for these rules are spoken like any other."""
    assert spoken(unit * (100_000 // len(unit)), language, spells=KINDS)


def test_what_espeak_is_given() -> None:
    """Ordinals are written out for an engine that reads numbers itself, too."""
    assert spoken("der 5. Versuch", "de", spells=_ESPEAK) == "der fünfte Versuch"
    assert spoken("il 2° capitolo, a 20° di latitudine", "it", spells=_ESPEAK) == (
        "il secondo capitolo, a 20 gradi di latitudine"
    )
