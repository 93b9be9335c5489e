"""Paragraphs to the pieces an engine is given: cut as a reader would, nothing lost, none too long, few too short."""

# ruff: noqa: RUF001 - the marks of other scripts look like ASCII

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.speech import sentences
from producer.speech.sentences import split

LANGUAGES = (
    "en",
    "en-GB",
    "fr",
    "de",
    "es",
    "it",
    "ru",
    "ar",
    "hi",
    "hy",
    "ja",
    "zh-Hans",
    "th",
    "el",
    "xx",
    "",
    "en_US",
)

# A bar stands where a careful reader would begin another sentence
PASSAGES = {
    "en": (
        "Yes. |No! |Run! |Help!",
        "Dr. Smith arrived.",
        "He paid $3.50 for it.",
        '"Marry me." |"Why?" |"Because."',
        '"Stop!" he cried, and ran after Mrs. Hale.',
        "“Are you ill?” Mr. Thornby asked. |“No,” I said. |“Only tired.”",
        "“Who is there?” |The door stayed shut.",
        "“Sit down. |You must be cold,” she said. |“Have some tea. |It is hot.”",
        "‘You came.’ |‘I did.’ |‘Why now?’",
        "J. R. R. Tolkien and T. S. Eliot never met here. |Or so they say.",
        "My sister sang, and so did I. |Then we went home.",
        "He waited... and waited. |Nobody came... |Then a bell rang.",
        "The shop moved to Main St. |He still walks past it.",
        "They buried him at St. Mary's on a Tuesday.",
        "We met at 5 p.m. |The train left at 6.15 a.m. and was late.",
        "She bought ribbons, buttons, etc. |Her aunt paid.",
        "The U.S. Navy sent a ship. |It came from the U.S. |He had never seen one.",
        "Was it number 12? |No. |It was No. 14, on p. 7 of vol. 2, see fig. 3.",
        "The king, e.g. Harold, or a duke, i.e. William, won vs. all odds.",
        "Write to me@post.example or open notes.v2.txt at www.library.example today. |Goodbye.",
        "It cost 1,000.50 at first. |By 10.30 it was 2.75 per cent cheaper.",
        "Martin Luther King Jr. spoke first. |Sam Weller Sr. |He listened.",
        "Alas! poor fellow, what a day! |What a week!",
        "(He lived alone.) |Nobody knew why.",
        "I. The Storm",
        "1. The harbour at night",
        "CHAPTER II",
        "1.E.8. You may copy it.",
        "“Tom left. |Mary stayed. |Mother slept,” he said.",
        "“What now?” I asked. |“Stop!” |Then Tom said nothing more.",
        "“Go.”|“No.”",
        "At 10 a.m. 40 men marched in.",
        "The R.S.P.C.A. Inspector called at noon.",
        "He feared them all—Mr. Gray above all.",
        "Approx. Forty came. |Nobody stayed.",
        "MR. GRAY MEETS DR. SMITH",
        "E.g. Harold won. |C. S. Lewis wrote of vitamin c. |It helps.",
        "“Well…” |“Well what?”",
        "“Perhaps...” Tom whispered. |“Perhaps not.” |Tom whispered to no one else.",
        "On Mar. 5, 1850 it snowed. |It was a month. |Two, no less, to go. |Jan. 6 was worse.",
        "He sat. |Mary stood. |“I like art. |Paul hates it.”",
        "The note ended there.[12] |The next began.",
    ),
    "fr": (
        "M. Dupont est là.",
        "MME. LEROY ET MLLE. PETIT",
        "Voici Jean a.k.a. Paul. |Il dort.",
        "Le prof. Martin arrive à 10 h. 30. |Partons.",
        "MM. Leroy et Petit attendent Mme Vidal. |Mlle Rose dort.",
        "« Où vas-tu ? » demanda Paul. |« À la mer. »",
        "« Viens. |Il est tard. » |Elle se leva.",
        "Quelle nuit ! |Quel froid ! |Il rentra.",
        "Le Dr. Blanc habite St. Malo. |Il soigne tout le monde.",
        "Rome fut prise en 52 av. J.-C. par un autre. |Puis le calme revint.",
        "Il apporta du pain, du vin, etc. |Nous avions faim.",
        "Prends un fruit, p. ex. une poire. |Elles sont mûres.",
        "— Tu viens ? |— Non. |— Pourquoi ?",
        "— Assez ! cria le vieux. |Personne ne bougea.",
        "Il hésita… puis il sauta. |On ne le revit pas.",
        "Le prix était de 3.50 francs, cf. p. 12 du livre.",
        "“C'est fini !” dit-elle. |“Enfin.”",
    ),
    "de": (
        "Am 3. Oktober kam er an. |Am 1. Mai fuhr er wieder.",
        "Er kaufte z. B. Brot, d. h. ein halbes. |Mehr gab es nicht.",
        "Dr. Weber und Prof. Klein wohnen in St. Gallen.",
        "„Komm!“ rief sie. |„Es wird dunkel. |Ich habe Angst.“",
        "»Wer da?« |»Ich bin es.« |»Gut.«",
        "Im 19. Jahrhundert war das anders. |Heute lacht man darüber.",
        "Kaiser Karl V. und Ludwig XIV. Arm in Arm: das wäre ein Bild.",
        "Er brachte Äpfel, Birnen usw. |Sie freute sich.",
        "Hr. Vogt zahlte ca. 20 Mark bzw. die Hälfte. |Fr. Vogt schwieg.",
        "Das Haus Nr. 7 steht leer. |Warum?",
        "Ach... das ist lange her. |Oder?",
        "Er las z. B. Die Räuber. |Mehr nicht.",
        "Das u. a. Geschriebene gilt. |So ist es.",
        "Es kostet 3.50 Franken. |Um 10.30 Uhr ist Schluss.",
        "J. S. Bach spielte. |Alle schwiegen.",
        "Vgl. S. 12 ff. und Bd. 3. |Das genügt.",
        "Er trank ein Bier, das war gen. |Dann ging er.",
    ),
    "es": (
        "La Sra. Ruiz vino con el Dr. Gil. |Después se fue.",
        "¿Quién es? |¡Nadie! |Abre.",
        "—¿Vienes? —preguntó Ana. |—No.",
        "Trajo pan, vino, etc. |Luego durmió.",
        "Dijo que no. |María lloró.",
        "«Espera. |Ya voy», dijo.",
    ),
    "it": (
        "Il Sig. Rossi parla con la Dott.ssa Neri. |Poi tace.",
        "«Chi è?» chiese. |«Sono io.»",
        "Disse di no. |Carla rise.",
        "Pane, vino, ecc. |Non mancava nulla.",
        "Aspettò... e aspettò. |Mai più!",
    ),
    "ru": (
        "А. С. Пушкин жил здесь. |Он писал.",
        "— Стой! — крикнул он. |— Зачем?",
        "Были книги, карты и т. д. |Потом всё сгорело.",
        "«Кто там?» — спросила мать. |Никто не ответил.",
        "Она ждала... и дождалась. |Пришла весна.",
    ),
    "ja": (
        "春が来た。|花が咲いた。|うれしい！",
        "「そうか。|わかった。」と彼は言った。|外は雨だった。",
        "「行くの？」|「行かない。」|母は黙っていた。",
        "「はい」|「いいえ」",
        "「はい。」、母は答えた。|それきりだった。",
        "「待って……」と声がした。|誰もいない。",
        "「誰だ！」って聞いた。|返事はない。",
    ),
    "zh": (
        "天黑了。|他还没有回来。|怎么办？",
        "他说：“好。|我去。”|然后走了。",
        "“你是谁？”|“我不知道。”",
        "真的！|真的！",
        "「来吧。」|「不。」",
    ),
    "ar": (
        "هل رأيته؟ |نعم. |كان هنا.",
        "وصل القطار۔ |نزل الرجل.",
        "قال: «تعال.» |ثم ذهب.",
        "يا للعجب! |لم يأت أحد.",
        "دفع 3.50 دينار. |ثم خرج.",
    ),
    "hi": ("वह आया। |फिर चला गया॥ |क्यों?",),
    "hy": ("Նա եկավ։ |Հետո գնաց։",),
    "am": ("ልጁ መጣ። |ከዚያ ሄደ።",),
    "km": ("គាត់មក។ |គាត់ទៅ។",),
    "el": ("Ποιος είναι; |Κανείς.",),
    "ka": ("ბიჭი მოვიდა. |მერე წავიდა.",),
}


def letters(*texts: str) -> str:
    """Return all that is not white space."""
    return "".join("".join(texts).split())


def bare(paragraph: str, language: str = "en") -> list[str]:
    """Return the sentences, neither cut nor joined."""
    return split(paragraph, language, limit=10_000, shortest=0)


def check(pieces: list[str], paragraph: str, limit: int) -> None:
    """Assert all that holds of every split."""
    assert letters(*pieces) == letters(paragraph)
    place = 0
    for piece in pieces:
        assert piece == piece.strip() != ""
        assert len(piece) <= limit
        place = paragraph.index(piece, place) + len(piece)


@pytest.mark.parametrize(
    ("language", "passage"), [(language, passage) for language, passages in PASSAGES.items() for passage in passages]
)
def test_sentences(language: str, passage: str) -> None:
    """A passage is cut where a careful reader of its language would."""
    assert bare(passage.replace("|", ""), language) == [sentence.strip() for sentence in passage.split("|")]


@pytest.mark.parametrize("language", ["EN", "en-GB", "en_US", "eN-latn-US"])
def test_tag_of_a_language(language: str) -> None:
    """Region, script and case of a tag do not hide the language."""
    assert bare("“Why?” Tom asked. Mary left.", language) == ["“Why?” Tom asked.", "Mary left."]


@pytest.mark.parametrize("language", ["", "xx", "no such tag", "x-private", "日本"])
def test_unknown_language(language: str) -> None:
    """A language that nobody knows is split at what ends sentences anywhere."""
    assert bare("One. Two? 三。四。", language) == ["One.", "Two?", "三。", "四。"]


def test_nothing() -> None:
    """An empty paragraph has no pieces."""
    assert split("", "en", limit=100) == []


@pytest.mark.parametrize("paragraph", ["No.", "II", "7", "* * *", "…", "春。"])
def test_paragraph_that_is_short(paragraph: str) -> None:
    """What has no neighbour stays as it is, however short."""
    assert split(paragraph, "en", limit=100) == [paragraph]


TEXT = st.text(
    st.one_of(
        st.sampled_from(" .?!…。？؟।'\"”“«»」「()—-,;:、1aAß\u00a0\u3000\u0301\u200d👩🇫"), st.characters(codec="utf-8")
    ),
    max_size=120,
).map(lambda text: " ".join(text.split()))
WORDS = st.lists(
    st.sampled_from(
        [
            "Dr.",
            "No.",
            "he",
            "He",
            "I.",
            "“Yes.”",
            "$3.50,",
            "1,234",
            "p.",
            "z.",
            "B.",
            "...",
            "—",
            "春だ。",
            "ぷ、",
            "!",
        ]
    )
).map(" ".join)


@given(TEXT | WORDS, st.sampled_from(LANGUAGES), st.integers(10, 60), st.integers(0, 30))
def test_nothing_is_lost(paragraph: str, language: str, limit: int, shortest: int) -> None:
    """Of any text, the pieces are the paragraph, in its order, none longer than allowed; twice the same."""
    pieces = split(paragraph, language, limit=limit, shortest=shortest)
    check(pieces, paragraph, limit)
    assert split(paragraph, language, limit=limit, shortest=shortest) == pieces


@given(
    st.lists(st.sampled_from(["one", "twelve", "1,234", "3.14", "10:30", "12 345", "Why?", "so,", "no;"])),
    st.integers(10, 40),
)
def test_words_and_numbers_stay_whole(words: list[str], limit: int) -> None:
    """A word or number that fits is never cut, not even at the spaces of its thousands."""
    pieces = split(" ".join(words), "fr", limit=limit, shortest=0)
    # two numbers side by side cannot be told from one with spaces
    alone = [word for word, after in pairwise([*words, ""]) if word != "12 345" or not after[:1].isdigit()]
    assert all(any(word in piece for piece in pieces) for word in alone)


@pytest.mark.parametrize(
    "unit", ["e\u0301\u0323", "👩🏽\u200d👧", "❤\ufe0f", "か\u3099", "กิ", "กำ", "เก", "क\u094dष", "\u1112\u1161\u11ab"]
)
@pytest.mark.parametrize("count", [4, 7, 9])
def test_graphemes_stay_whole(unit: str, count: int) -> None:
    """A letter with its marks, or a picture of several characters, is not cut."""
    pieces = split(unit * 41, "th", limit=len(unit) * count - 1, shortest=0)
    assert all(piece == unit * (len(piece) // len(unit)) for piece in pieces)


@pytest.mark.parametrize("limit", range(10, 16))
def test_flags_stay_whole(limit: int) -> None:
    """The two letters of a flag are not parted."""
    pieces = split("🇫🇷a" * 41, "en", limit=limit, shortest=0)
    assert all(piece.count("🇫") == piece.count("🇷") for piece in pieces)


@pytest.mark.parametrize(
    ("passage", "limit"),
    [
        ("It rained all day; |we stayed in, read, and slept.", 40),
        ("It rained all day, |we stayed in and slept.", 30),
        ("It rained all day |and we stayed in.", 20),
        ("It rained “all day” |so, we stayed in.", 30),
        ("It rained! |how, we did not ask.", 25),
        ("He had come home at last—|we stayed in, at the inn.", 40),
        ("We asked Prof. Tompkinson |and a friend.", 30),
        ("It came to 12,345 and 3.14, |or at 10:30 to nothing more.", 40),
        ("Il avait payé 12 345 678 |francs à table.", 25),
        ("Mais où est-il |donc parti ?", 25),
        ("雨が降って、|外に出られない日が続いた。", 14),
        ("雨が降り続けていて|「外に出られない」", 14),
        ("天下雨了，|我们没有出去；|只好在家里睡觉", 8),
        ("我们约好在早上10：30见面，|谁都没有来", 16),
        ("我们约好在早上的|10：30见面", 12),
        ("天下雨了，我们没有出去；|只好在家里睡觉，然后做饭吃晚餐", 20),
        ("He had come home at last |— we stayed in the inn tonight", 40),
        ("No, it rained for days on end and |nobody came out of the house that week", 50),
        ("Il avait tout |perdu ; sa maison |et le reste aussi.", 20),
        ("قال الرجل إنه متعب، |ثم نام طويلا", 20),
    ],
)
def test_where_a_long_sentence_is_cut(passage: str, limit: int) -> None:
    """The best mark near the middle is chosen: sentence or quotation end, semicolon, comma or dash, space."""
    assert split(passage.replace("|", ""), "fr", limit=limit, shortest=0) == [
        part.strip() for part in passage.split("|")
    ]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("word " * 600, ("word",)),
        ("they came, they went, " * 140, (",",)),
        ("they came, they went; " * 140, (";",)),
        ("a" * 3000, ("a",)),
        ("漢" * 3000, ("漢",)),
        ("the year 1,234,567.89 " * 136, ("year", "1,234,567.89", "the")),
    ],
    ids=["words", "commas", "semicolons", "one-word", "han", "numbers"],
)
def test_long_sentence(text: str, ends: tuple[str, ...]) -> None:
    """A sentence of 3,000 characters becomes pieces that are alike in length, each cut at the best mark it has."""
    pieces = split(text.strip(), "en", limit=400)
    check(pieces, text, 400)
    assert all(piece.endswith(ends) for piece in pieces)
    assert min(map(len, pieces)) >= 200


def test_word_longer_than_the_limit() -> None:
    """A word that no piece could hold is cut, and its neighbours are not cut with it."""
    assert split(f"See {'x' * 25} there", "en", limit=10, shortest=0) == ["See", "x" * 8, "x" * 8, "x" * 9, "there"]


def test_character_longer_than_the_limit() -> None:
    """Marks without end on one letter are cut where they must be."""
    check(split("a" + "\u0301" * 35, "en", limit=10), "a" + "\u0301" * 35, 10)


@pytest.mark.parametrize(
    ("passage", "language"),
    [
        ("Yes. No! Run! Help!", "en"),
        ("Oh! The rain has not stopped since noon. |It will not stop before night.", "en"),
        ("The rain has not stopped since noon. |No. It will not stop tonight.", "en"),
        ("It rained all night. No. |Nobody who knew that house had slept.", "en"),
        ("The rain has not stopped since noon. Why?", "en"),
        ("春が来た。花が咲いた。|風も静かに吹いていた。", "ja"),
        ("행복했다. 그는 웃었다. |그리고 아무 말도 하지 않았다.", "ko"),
    ],
)
def test_short_pieces_are_joined(passage: str, language: str) -> None:
    """A piece of less than twenty letters goes to the shorter neighbour; a wide character counts as three letters."""
    pieces = split(passage.replace("|", ""), language, limit=48)
    assert pieces == [part.strip() for part in passage.split("|")]


def test_no_room_to_join() -> None:
    """A short piece between two that are full stays alone."""
    full = "Nobody came to see us that day."
    assert split(f"{full} No. {full}", "en", limit=len(full)) == [full, "No.", full]


@pytest.mark.parametrize(
    "passage",
    ["?! So he left.", "He went home. |— — She stayed.", "He went home. |* * * She stayed.", "One. |Two. * * *"],
)
def test_ornaments_are_joined(passage: str) -> None:
    """What has neither letter nor digit never stands alone beside words, even when nothing is too short."""
    assert bare(passage.replace("|", "")) == [part.strip() for part in passage.split("|")]


@pytest.mark.parametrize(
    "unit", ["“", "春だ。", ". ", "“Hi. ", "」「", "a\u0301", "1.", "(a. B) ", "—", ", ", "!? ", "\u0301"]
)
def test_text_that_no_one_wrote(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However odd and long, a paragraph is split, and sentencex is never shown enough of it to become slow."""
    seen: list[int] = []
    segment = sentences.sentencex.segment

    def watch(language: str, text: str) -> list[str]:
        seen.append(len(text))
        return list(segment(language, text))

    monkeypatch.setattr(sentences.sentencex, "segment", watch)
    text = (unit * 100_000)[:100_000].strip()
    check_fast(split(text, "el", limit=5000), text)
    assert max(seen, default=0) <= 2000
    assert sum(seen) <= 2 * len(text) + 2000


def check_fast(pieces: list[str], text: str) -> None:
    assert letters(*pieces) == letters(text)
    assert max(map(len, pieces)) <= 5000


def test_end_that_a_window_hides() -> None:
    """Where the text is cut for sentencex, sentences are neither cut nor lost."""
    expected = [f"Tom went {'far ' * (turn % 23)}along Expy. Miller." for turn in range(800)]
    assert bare(" ".join(expected)) == expected
