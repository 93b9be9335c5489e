"""Varied sentences in several languages, and takes of them with a known defect, for the checks of takes."""

# ruff: noqa: RUF001 - the marks of other scripts look like ASCII

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from synth_consumer.engines import Pcm, Take
from synth_consumer.pace import Pace
from synth_consumer.quality import flaws
from synth_consumer.sound import trim


class Words(NamedTuple):
    """What sentences of a language are made of; every subject goes with every predicate."""

    subjects: tuple[str, ...]
    predicates: tuple[str, ...]
    places: tuple[str, ...]
    times: tuple[str, ...]
    clauses: tuple[str, ...]
    short: tuple[str, ...]
    joint: str = ", "
    space: str = " "
    stop: str = "."


_LISTS = {
    "en": Words(
        ("Mary", "the doctor's younger brother", "Mr Thornbury", "a tall woman in grey", "nobody", "the boy",
         "my grandfather", "the schoolmistress", "Captain Wyngate", "an old friend of the family"),
        ("opened the letter", "had forgotten the key", "bought 27 apples and a loaf", "laughed", "was asleep",
         "stretched the wet ropes", "said that it was far too late for supper", "asked for strawberries",
         "wrote three lengthy chapters", "thought of the strength of the stream", "saw the ship", "went up",
         "had been there since 1984", "carried the extraordinarily heavy photographic apparatus"),
        ("behind the house", "on the other side of the river", "in the kitchen", "by the sea", "at Ashcombe",
         "in the shadow of the cathedral", "under a chestnut tree", "upstairs"),
        ("that evening", "at half past eleven", "in the spring", "long ago", "the next day", "before breakfast",
         "on a Thursday in November", "once"),
        ("because the rain had not stopped", "although no one believed it", "while the others waited outside",
         "as if nothing had happened", "so that the children might sleep", "which surprised us all",
         "and then the lights went out", "for he was tired", "until the very last moment"),
        ("No.", "Yes!", "Why not?", "Wait.", "Oh, dear.", "Good night.", "Come in!", "I see.", "A.", "Silence.",
         "Who is there?", "Stop it, George!", "Well, perhaps.", "“Never!” he said.", "Chapter 12", "Quite so."),
    ),
    "de": Words(
        ("Anna", "der jüngere Bruder des Arztes", "Herr Bergmann", "eine große Frau in Grau", "niemand", "der Junge",
         "mein Großvater", "die Lehrerin", "Kapitän Weidenbach", "ein alter Freund der Familie"),
        ("öffnete den Brief", "vergaß den Schlüssel", "kaufte 27 Äpfel und ein Brot", "lachte", "schlief",
         "spannte die nassen Seile", "fand es viel zu spät zum Essen", "bat um Erdbeeren",
         "schrieb drei lange Kapitel", "dachte an die Strömung des Flusses", "sah das Schiff", "ging hinauf",
         "wohnte seit 1984 dort", "unterschrieb die Donaudampfschifffahrtsgenehmigung"),
        ("hinter dem Haus", "auf der anderen Seite des Flusses", "in der Küche", "am Meer", "in Ahrenshoop",
         "im Schatten der Kathedrale", "unter einem Kastanienbaum", "oben"),
        ("am Abend", "um halb zwölf", "im Frühling", "vor langer Zeit", "am nächsten Tag", "vor dem Frühstück",
         "an einem Donnerstag im November", "einmal"),
        ("weil der Regen nicht aufgehört hatte", "obwohl es niemand glaubte", "während die anderen draußen warteten",
         "als wäre nichts geschehen", "damit die Kinder schlafen konnten", "was uns alle überraschte",
         "und dann ging das Licht aus", "denn er war müde", "bis zum allerletzten Augenblick"),
        ("Nein.", "Ja!", "Warum nicht?", "Warte.", "Ach, du lieber Himmel.", "Gute Nacht.", "Herein!", "Ich verstehe.",
         "A.", "Stille.", "Wer ist da?", "Hör auf, Georg!", "Nun, vielleicht.", "„Niemals!“, sagte er.",
         "Kapitel 12", "Ganz recht."),
    ),
    "fr": Words(
        ("Marie", "le jeune frère du médecin", "monsieur Delacourt", "une grande femme en gris", "personne d'autre",
         "le garçon", "mon grand-père", "la maîtresse d'école", "le capitaine Roussel", "un vieil ami de la famille"),
        ("ouvrit la lettre", "perdit la clé", "acheta 27 pommes et un pain", "rit", "dormait",
         "tendit les cordes mouillées", "trouva qu'il était bien trop tard pour souper", "demanda des fraises",
         "écrivit trois longs chapitres", "pensa à la force du courant", "vit le bateau", "monta",
         "vivait là depuis 1984", "porta l'appareil photographique extraordinairement lourd"),
        ("derrière la maison", "de l'autre côté de la rivière", "dans la cuisine", "au bord de la mer", "à Trouville",
         "à l'ombre de la cathédrale", "sous un châtaignier", "en haut"),
        ("ce soir-là", "à onze heures et demie", "au printemps", "il y a longtemps", "le lendemain",
         "avant le petit déjeuner", "un jeudi de novembre", "une fois"),
        ("parce que la pluie n'avait pas cessé", "bien que nul n'y crût", "tandis que les autres attendaient dehors",
         "comme si rien ne s'était passé", "pour que les enfants puissent dormir", "ce qui nous surprit tous",
         "et puis la lumière s'éteignit", "car il était tard", "jusqu'au tout dernier moment"),
        ("Non.", "Oui !", "Pourquoi pas ?", "Attends.", "Oh, mon Dieu.", "Bonne nuit.", "Entrez !", "Je vois.", "À.",
         "Silence.", "Qui est là ?", "Arrête, Georges !", "Eh bien, peut-être.", "« Jamais ! » dit-il.",
         "Chapitre 12", "Tout à fait."),
    ),
    "es": Words(
        ("María", "el hermano menor del médico", "el señor Villalobos", "una mujer alta de gris", "ninguno",
         "el muchacho", "mi abuelo", "la maestra", "el capitán Echeverría", "un viejo amigo de la familia"),
        ("abrió la carta", "olvidó la llave", "compró 27 manzanas y un pan", "rió", "dormía",
         "tensó las cuerdas mojadas", "dijo que era demasiado tarde para cenar", "pidió fresas",
         "escribió tres largos capítulos", "pensó en la fuerza de la corriente", "vio el barco", "subió",
         "vivía allí desde 1984", "llevó el extraordinariamente pesado aparato fotográfico"),
        ("detrás de la casa", "al otro lado del río", "en la cocina", "junto al mar", "en Aranjuez",
         "a la sombra de la catedral", "bajo un castaño", "arriba"),
        ("aquella tarde", "a las once y media", "en primavera", "hace mucho tiempo", "al día siguiente",
         "antes del desayuno", "un jueves de noviembre", "una vez"),
        ("porque la lluvia no había cesado", "aunque nadie lo creía", "mientras los demás esperaban fuera",
         "como si nada hubiera ocurrido", "para que los niños pudieran dormir", "lo que nos sorprendió a todos",
         "y entonces se apagó la luz", "pues era tarde", "hasta el último momento"),
        ("No.", "¡Sí!", "¿Por qué no?", "Espera.", "¡Ay, Dios mío!", "Buenas noches.", "¡Adelante!", "Ya veo.", "A.",
         "Silencio.", "¿Quién está ahí?", "¡Basta, Jorge!", "Bueno, quizás.", "—¡Nunca! —dijo.", "Capítulo 12",
         "Así es."),
    ),
    "zh": Words(
        ("他", "老师", "我的爷爷", "那个高个子的女人", "医生的弟弟", "船长"),
        ("打开了那封信", "忘了带钥匙", "买了27个苹果和一些面包", "笑了", "睡着了", "写了三章很长的小说", "看见了船"),
        ("在房子后面", "在河的对岸", "在厨房里", "在海边", "在一棵大树下"),
        ("那天晚上", "第二天", "春天的时候", "很久以前", "早饭以前"),
        ("因为雨还没有停", "虽然没有人相信", "好像什么事也没有发生", "这让我们都很惊讶", "后来灯灭了"),
        ("不。", "是的！", "为什么不呢？", "等一等。", "晚安。", "请进！", "谁在那里？", "好吧，也许。"),
        "，", "", "。",
    ),
    "ja": Words(
        ("かれは", "先生は", "わたしの祖父は", "背の高い女の人は", "医者の弟は", "せんちょうは"),
        ("手紙をあけました", "かぎを忘れました", "りんごとパンを買いました", "わらいました", "ねむっていました",
         "長い小説を書きました", "ふねを見ました"),
        ("家のうしろで", "川の向こうで", "台所で", "海のそばで", "大きな木の下で"),
        ("その晩", "つぎの日", "春に", "むかし", "朝ごはんの前に"),
        ("雨がやまなかったので", "だれも信じませんでしたが", "なにもなかったように", "みんながおどろいたので"),
        ("いいえ。", "はい！", "なぜですか。", "待って。", "おやすみなさい。", "どうぞ！", "だれですか。"),
        "、", "", "。",
    ),
}  # fmt: skip
LANGUAGES = tuple(_LISTS)


def sentences(language: str, count: int, seed: int = 1) -> list[str]:
    """Return different sentences, one in eight of a word or two; the same for the same arguments."""
    words, chance = _LISTS[language], random.Random(f"{language} {seed}")
    short, made = iter(words.short), dict[str, None]()
    for text in _endless(words, chance):
        made[text if len(made) % 8 else next(short, text)] = None
        if len(made) == count:
            break
    return list(made)


def _endless(words: Words, chance: random.Random) -> Iterator[str]:
    while True:
        clauses = [_clause(words, chance) for _ in range(chance.choice([1, 1, 1, 2, 2, 3]))]
        if chance.random() < 0.6:
            clauses.append(chance.choice(words.clauses))
        text = words.joint.join(clauses)
        yield text[0].upper() + text[1:] + words.stop


def _clause(words: Words, chance: random.Random) -> str:
    before: Sequence[str] = [chance.choice(words.times)] if chance.random() < 0.4 else []
    subject, predicate = chance.choice(words.subjects), chance.choice(words.predicates)
    place = [chance.choice(words.places)] if chance.random() < 0.5 else []
    if words.space:
        head = f"{before[0]}, " if before else ""
        return head + " ".join([subject, predicate, *place])
    return "".join([*before, subject, *place, predicate])


def hum(text: str, sample_rate: int = 24000, per_letter: float = 0.06, pause: float = 0.3) -> Pcm:
    """Return a stand-in for speech: noise of a fixed time a letter, pauses at commas and around."""
    chance = np.random.default_rng(len(text))
    silence = np.zeros(round(pause * sample_rate), np.float32)
    pieces = [silence]
    for clause in text.split(","):
        seconds = per_letter * (sum(map(str.isalpha, clause)) + len(clause.split()))
        noise = chance.normal(0, 0.1, round(seconds * sample_rate)).astype(np.float32)
        pieces += [np.clip(noise, -0.5, 0.5), silence]
    return np.concatenate(pieces)


class Scene(NamedTuple):
    """What a defect is made of."""

    text: str
    say: Callable[[str], Pcm]
    """Says a text well."""
    sample_rate: int
    chance: random.Random
    other: str
    """Another sentence."""

    @property
    def good(self) -> Pcm:
        return self.say(self.text)

    def silence(self, seconds: float) -> Pcm:
        return np.zeros(round(seconds * self.sample_rate), np.float32)

    def babble(self, seconds: float) -> Pcm:
        """Return another sentence backwards, as often as it takes; it dies away."""
        backwards = trim(self.say(self.other), self.sample_rate)[::-1]
        sound = np.resize(backwards, round(seconds * self.sample_rate))
        fade = self.sample_rate // 10
        sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        return sound


def _cut(share: float) -> Callable[[Scene], Take]:
    def make(scene: Scene) -> Take:
        sound = trim(scene.good, scene.sample_rate)
        return Take(sound[: round((1 - share) * len(sound))])

    return make


def _left_out(share: float) -> Callable[[Scene], Take]:
    def make(scene: Scene) -> Take:
        words = scene.text.split()
        return Take(scene.say(" ".join(words[: max(1, round((1 - share) * len(words)))])))

    return make


def _dropped(scene: Scene) -> Take:
    words = scene.text.split()
    del words[scene.chance.randrange(len(words))]
    return Take(scene.say(" ".join(words)) if words else scene.silence(1))


def _inner_pause(scene: Scene) -> Take:
    sound = trim(scene.good, scene.sample_rate)
    at = round(scene.chance.uniform(0.2, 0.8) * len(sound))
    return Take(np.concatenate([sound[:at], scene.silence(2), sound[at:]]))


def _detached(scene: Scene) -> list[Pcm]:
    """Return a sentence, a pause and a word of another sentence."""
    word = scene.say(scene.chance.choice(scene.other.split()))
    gap = scene.silence(scene.chance.uniform(0.5, 1.0))
    return [trim(scene.good, scene.sample_rate), gap, trim(word, scene.sample_rate)]


def _joined(*pieces: Pcm) -> Take:
    return Take(np.concatenate(pieces))


def _codes(scene: Scene) -> tuple[int, ...]:
    """Return tokens as XTTS makes them, the last second of them in a loop."""
    tokens = [scene.chance.randrange(1024) for _ in range(round(len(scene.good) / scene.sample_rate * 21.5))]
    loop = [scene.chance.randrange(1024) for _ in range(scene.chance.randint(1, 8))]
    return (*tokens, *np.resize(loop, 34).tolist())


DEFECTS: dict[str, Callable[[Scene], Take]] = {
    "last 40 % cut": _cut(0.4),
    "last 20 % cut": _cut(0.2),
    "last 40 % of the words not said": _left_out(0.4),
    "last 20 % of the words not said": _left_out(0.2),
    "one word dropped": _dropped,
    "last three words said twice": lambda scene: Take(
        scene.say(" ".join([scene.text, *scene.text.split()[-3:]])),
    ),
    "sentence twice": lambda scene: _joined(scene.good, scene.good),
    "detached word after a pause": lambda scene: _joined(*_detached(scene)),
    "detached word before a pause": lambda scene: _joined(*_detached(scene)[::-1]),
    "2 s babble attached": lambda scene: _joined(trim(scene.good, scene.sample_rate), scene.babble(2)),
    "15 s runaway": lambda scene: _joined(trim(scene.good, scene.sample_rate), scene.babble(15)),
    "3 s trailing silence": lambda scene: _joined(scene.good, scene.silence(3)),
    "3 s leading silence": lambda scene: _joined(scene.silence(3), scene.good),
    "2 s inner pause": _inner_pause,
    "clipped": lambda scene: Take(np.clip(4 * scene.good, -1, 1)),
    "NaN": lambda scene: _joined(scene.good, np.full(1, np.nan, np.float32)),
    "all silence": lambda scene: Take(np.zeros_like(scene.good)),
    "empty": lambda scene: Take(np.zeros(0, np.float32)),
    "no stop": lambda scene: Take(scene.good, stopped=False),
    "code loop": lambda scene: Take(scene.good, codes=_codes(scene)),
}
"""Ways in which a take of a sentence goes wrong."""


def scenes(texts: Sequence[str], sample_rate: int, say: Callable[[str], Pcm]) -> Iterator[Scene]:
    """Yield a scene for each text; whatever chance decides in it follows from the text."""
    for text, other in zip(texts, texts[::-1], strict=True):
        yield Scene(text, say, sample_rate, random.Random(text), other)


def caught(scene: Scene, pace: Pace) -> list[tuple[str, tuple[str, ...]]]:
    """Return each defect with the flaws that are found in a take that has it."""
    return [(name, flaws(make(scene), scene.text, scene.sample_rate, pace)) for name, make in DEFECTS.items()]
