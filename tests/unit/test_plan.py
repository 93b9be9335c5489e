"""Content addresses, and the values a plan is made of."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from e2a.plan import (
    Output,
    Part,
    Plan,
    Reading,
    Sentence,
    Sidecar,
    Source,
    Speech,
    book_id,
    clip_voice,
    model_name,
    part_digest,
    speech_digest,
    take_seed,
)
from tests.unit.builders import a_part, a_plan, a_sidecar, a_speech

SENTENCES = (Sentence(text="Où suis-je ?", pause_ms=250), Sentence(text="Ici.", pause_ms=1500))
SPEECH = Speech(engine="espeak", language="fr", voice="fr+f2", speed=1.5)
READINGS = {"footnotes": "end", "alt_text": True, "matter": "keep", "chapters": "1", "lexicon": "0" * 16}
OUTPUTS = {"formats": ("mp3", "m4b"), "split": True, "bitrate": 96_000}
OTHER = {"engine": "simulated", "language": "fr-CA", "model": "alto", "voice": "", "speed": 1.25, "loudness": "acx"}


def test_part_digest_never_changes() -> None:
    """The address of known sentences is pinned: changing it re-synthesises every book in storage."""
    assert part_digest(SENTENCES, SPEECH) == "9f384228ec91856bc3e7a5769f8989f988e66216f9304ffffa4ea79657bbfb79"


def test_book_id_never_changes() -> None:
    """The identity of known bytes is pinned: changing it makes every book a new one."""
    assert book_id(b"epub", SPEECH, Reading(), Output()) == "070a4d3b82889244"


def test_other_values_cover_speech() -> None:
    """Every field of Speech has another value here, so the tests below cover all of them."""
    assert set(OTHER) == set(Speech.model_fields)


@pytest.mark.parametrize("field", OTHER)
def test_every_option_changes_the_sound(field: str) -> None:
    """Each option of the speech is part of the address of a part and of the identity of a book."""
    speech = SPEECH.model_copy(update={field: OTHER[field]})
    assert part_digest(SENTENCES, speech) != part_digest(SENTENCES, SPEECH)
    assert book_id(b"epub", speech, Reading(), Output()) != book_id(b"epub", SPEECH, Reading(), Output())


def test_other_values_cover_reading() -> None:
    """Every field of Reading has another value here, so the test below covers all of them."""
    assert set(READINGS) == set(Reading.model_fields)


@pytest.mark.parametrize("field", READINGS)
def test_every_way_of_reading_is_another_book(field: str) -> None:
    """Each option of the reading is part of the identity of a book; parts that sound the same are shared."""
    reading = Reading.model_validate({field: READINGS[field]})
    assert book_id(b"epub", SPEECH, reading, Output()) != book_id(b"epub", SPEECH, Reading(), Output())


def test_digest_is_of_what_is_said() -> None:
    """What an engine is given counts, not how the book writes it, nor where it stands."""
    source = Source(document=1, path="/4/2", start=0, end=3)
    written = (Sentence(text="XIV", spoken="quatorze", pause_ms=250, source=source),)
    assert written[0].say == "quatorze"
    assert part_digest(written, SPEECH) == part_digest((Sentence(text="quatorze", pause_ms=250),), SPEECH)
    assert part_digest(written, SPEECH) != part_digest((Sentence(text="XIV", pause_ms=250),), SPEECH)


def test_part_for_an_engine() -> None:
    """A worker is given what is said, and makes what has the same address."""
    source = Source(document=1, path="/4/2", start=0, end=3)
    part = a_part(sentences=(Sentence(text="XIV", spoken="quatorze", pause_ms=250, source=source),))
    assert part.for_engine() == part.model_copy(update={"sentences": (Sentence(text="quatorze", pause_ms=250),)})
    assert part_digest(part.for_engine().sentences, SPEECH) == part_digest(part.sentences, SPEECH)


@pytest.mark.parametrize(
    "sentences",
    [
        SENTENCES[:1],
        SENTENCES[::-1],
        (SENTENCES[0], Sentence(text="Ici.", pause_ms=600)),
        (SENTENCES[0], Sentence(text="Là.", pause_ms=1500)),
        (Sentence(text="Où suis-je ?Ici.", pause_ms=250),),
    ],
    ids=["fewer", "order", "pause", "text", "boundary"],
)
def test_every_sentence_changes_the_sound(sentences: tuple[Sentence, ...]) -> None:
    """Texts, their order, their boundaries and their pauses are all part of the address."""
    assert part_digest(sentences, SPEECH) != part_digest(SENTENCES, SPEECH)


def test_speed_as_a_whole_number() -> None:
    """A speed of 1 and a speed of 1.0 are the same book."""
    assert part_digest(SENTENCES, a_speech(speed=1)) == part_digest(SENTENCES, a_speech(speed=1.0))


def test_book_id_depends_on_the_source() -> None:
    """Other bytes are another book; the id is short enough for a key."""
    ids = {book_id(source, SPEECH, Reading(), Output()) for source in (b"epub", b"epub2")}
    assert len(ids) == 2
    assert {len(name) for name in ids} == {16}


def test_other_values_cover_output() -> None:
    """Every field of Output has another value here, so the test below covers all of them."""
    assert set(OUTPUTS) == set(Output.model_fields)


@pytest.mark.parametrize("field", OUTPUTS)
def test_every_output_is_another_book(field: str) -> None:
    """Each option of the output is part of the identity of a book; none is of that of a part, so parts are shared."""
    output = Output.model_validate({field: OUTPUTS[field]})
    assert book_id(b"epub", SPEECH, Reading(), output) != book_id(b"epub", SPEECH, Reading(), Output())


def test_a_seed_follows_from_text_and_attempt() -> None:
    """Each attempt at each text has a seed of its own, always the same, of 63 bits."""
    seeds = [take_seed(text, attempt) for text in ("One.", "Two.") for attempt in range(2)]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert take_seed("One.", 0) == 0x1CFF592487C3329B


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("", ""),
        ("tts_models/en/ljspeech/vits", "tts_models/en/ljspeech/vits"),
        ("/models/alto", "alto"),
        ("models/alto/", "alto"),
        ("~/models/alto.pth", "alto.pth"),
        (".", Path.cwd().name),
    ],
)
def test_a_folder_of_a_model_is_called_by_its_name(model: str, name: str) -> None:
    """The same model in different places of two machines is one; the catalogue's names stay whole."""
    assert model_name(model) == name


def test_a_recording_is_a_voice() -> None:
    """The voice names the content, so the same recording under two names is one voice."""
    assert clip_voice(b"la la") == clip_voice(b"la la") != clip_voice(b"la")
    assert clip_voice(b"la la").startswith("clip:")


@pytest.mark.parametrize("field", sorted(set(Speech.model_fields) - {"loudness"}))
def test_a_way_of_speaking_is_known_by_all_it_has(field: str) -> None:
    """Every field of the speech changes its identity, but for how loud it is made afterwards."""
    assert speech_digest(SPEECH) != speech_digest(SPEECH.model_copy(update={field: OTHER[field]}))


def test_a_louder_voice_is_the_same_voice() -> None:
    """A voice is measured once for all loudnesses."""
    assert speech_digest(SPEECH) == speech_digest(SPEECH.model_copy(update={"loudness": "acx"}))


def test_parts_in_reading_order() -> None:
    """The parts of a plan are those of its chapters, in order, each at its index."""
    plan = a_plan(parts=(2, 1, 3))
    assert [part.index for part in plan.parts] == list(range(6))
    assert [part.chapter for part in plan.parts] == [0, 0, 1, 2, 2, 2]


def test_plan_survives_storage() -> None:
    """A plan read from its JSON is equal, also after its parts were listed."""
    plan = a_plan()
    assert plan.parts
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_newer_fields_are_ignored() -> None:
    """A field that a newer version has added does not stop an older reader."""
    assert Part.model_validate(a_part().model_dump() | {"mood": "sad"}) == a_part()


def test_values_are_frozen() -> None:
    """A plan cannot be changed."""
    with pytest.raises(ValidationError, match="frozen"):
        a_plan().title = "Persuasion"  # type: ignore[misc]


def test_sidecar_in_seconds() -> None:
    """The length in seconds is samples over sample rate, and is not stored."""
    sidecar = a_sidecar(a_part(), samples=30_720, sample_rate=20_480)
    assert sidecar.seconds == 1.5
    assert "seconds" not in Sidecar.model_dump(sidecar)


@pytest.mark.parametrize(("name", "model"), [("Plan-1", Plan), ("Plan-3", Plan), ("Sidecar-2", Sidecar)])
def test_what_is_in_storage_stays_readable(name: str, model: type[BaseModel]) -> None:
    """What any version stored is read, and no field of it is lost or changed but the format, which was always m4b."""
    stored = json.loads((Path(__file__).parent / "stored" / f"{name}.json").read_text())
    read = model.model_validate(stored).model_dump(mode="json", exclude_unset=True)
    assert read == {key: value for key, value in stored.items() if key != "output_format"}
    assert getattr(model.model_validate(stored), "output", Output()) == Output()
