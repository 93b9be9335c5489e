"""Full stops of abbreviations that a capital follows, and of sentences that end with the same letters."""

import pytest

from producer.speech.sentences import split

# a bar stands where a careful reader would begin another sentence
PASSAGES = [
    ("es", "Murió en el año 44 a. C. en Roma. |Nació en 100 a. C. |Entonces reinó Augusto."),
    ("es", "La respuesta es la a. |Carlos lo sabe."),
    ("it", "Nel 476 d. C. cadde Roma. |Morì nel 44 a. C. |Dopo vinse Ottaviano."),
    ("it", "Era la lettera a. |Carlo rise."),
    ("en", "He says in Vol. I of it, and in Ch. I, that it was so. |As Fig. I shows, it was (fig. II)."),
    ("en", "He lent me the first vol. |I read it. |He ate a fig. |I, too. |Then no. |I did not."),
    ("en", "See Ch. |I'm sure of it. |It is Vol. |“I, too,” he said."),
    ("en", "In Brown v. Board of Education (Roe v. Wade came later) they won. |See Luke v. 3 on it."),
    ("en", "Press the letter v. |Then go. |Press the letter v. |Tom did. |It is Plan V. |He left."),
    ("es", "Había hablado con Mr. Darcy, con Mrs. Bennet y con Ms. Smith. |Luego se fue."),
    ("fr", "Il parla avec Mr. Darcy et avec Mrs. Bennet. |Il vint."),
    ("it", "Parlava con Mr. Darcy e con Mrs. Bennet. |Poi tacque."),
]


@pytest.mark.parametrize(("language", "passage"), PASSAGES)
def test_abbreviation_or_end(language: str, passage: str) -> None:
    """A full stop before a capital ends the sentence only where the words beside it are no abbreviation's."""
    pieces = split(passage.replace("|", ""), language, limit=10_000, shortest=0)
    assert pieces == [piece.strip() for piece in passage.split("|")]
