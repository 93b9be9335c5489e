"""How fast and how loud a voice speaks: measured once on a fixed text, so that all workers go by the same."""

# ruff: noqa: RUF001 - the letters and marks of other scripts look like ASCII

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import combinations
from math import exp
from statistics import median
from typing import NamedTuple

import numpy as np

from e2a import traits
from e2a.errors import Poison
from e2a.plan import Frozen, Speech, take_seed
from synth_consumer import loudness
from synth_consumer.engines import Pcm, Take, TooLong
from synth_consumer.sound import Sound, listen, trim

_HAN = re.compile(r"[\u3005\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
_SYLLABLE = re.compile(r"[\u3005\u3041-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_SPELT = re.compile(r"\b(?:[A-Z]{2,5}|[b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ]+)\b", re.ASCII)
"""What may be said letter by letter: short words in capitals, and words without a vowel."""
_WORD = re.compile(r"[^\W_]\S*")
MARK = re.compile(r"[,;:.!?…—–、，；。：！？]+")
"""What a voice may pause at."""
_LETTERS_OF_MARK = 4
"""The last syllable before a pause is drawn out."""
_LETTERS_OF_INITIAL = 4
_LETTERS_OF_SYMBOL = 12
_LETTERS_OF_DIGIT = 7
"""`27` has eight to a digit in German, `1984` five in English."""
_SYLLABLES_OF_DIGIT = 3
_SYLLABLES_OF_SYMBOL = 4
_IDEOGRAPH = (1.0, 1.5, 2.0, 3.0, 6.0, 8.0, 12.0)
_SPELT_OUT = 3.0
"""Kana of an ideograph beyond which the voice cannot read them: espeak-ng reads a few and spells the others out."""
_LEAST_MARGIN = 0.22
"""Of the logarithm of a ratio: a quarter more or a fifth less than the line."""
_MARGIN_OF_SPREAD = 2.5
"""Were the spread that of a normal distribution, one sentence in seven hundred would lie outside."""
_MOST_MARGIN = 1.0
_GUESSED_SPREAD = 0.4
_SLACK = 0.25


class Length(NamedTuple):
    """How long a text is when it is spoken, in letters: the least and the most that it may become."""

    least: float
    most: float


class Measured(Frozen):
    """What is known of any measurement, whichever version made it."""

    weights: str
    """Digest of the model's files that it was measured of; empty for an engine without such files."""


class Pace(Measured):
    """What was measured of one way of speaking: `offset + per_letter * letters` is how long its speech lasts."""

    offset: float
    """Seconds that every sentence takes whatever it says."""
    per_letter: float
    """Seconds a letter; a syllable in scripts that write syllables."""
    ideograph: float = 1.0
    """Kana that an ideograph takes the time of, in Japanese."""
    spread: float
    """Four in five sentences differ from the line by less, as the logarithm of a ratio."""
    slack: float
    """Seconds by which any sentence may be longer, and half of which it may be shorter."""
    pause: float
    """Seconds of the longest pause in a sentence with commas, usually."""
    ending: float
    """Highest level at which a sentence ended, in decibels relative to its loud parts."""
    gains: dict[str, float]
    """Decibels by which it is amplified, by `Speech.loudness`; empty where nobody knows how loud it is."""
    calibrated: bool
    """False for a guess of all but the gains."""

    def bounds(self, text: str) -> tuple[float, float]:
        """Return how many seconds of speech, pauses not counted, a good take of a text has at least and at most."""
        length = spoken_length(text, self.ideograph)
        margin = exp(min(_MOST_MARGIN, max(_LEAST_MARGIN, _MARGIN_OF_SPREAD * self.spread)))
        least, most = (self.offset + self.per_letter * letters for letters in length)
        return least / margin - self.slack / 2, most * margin + self.slack


def spoken_length(text: str, ideograph: float = 1.0) -> Length:
    """Return how many letters a text has when it is spoken; a word counts one more, for the joints.

    Digits, symbols and what may be spelt become more letters than they are, nobody knows how many without the rules
    of the engine. In scripts that write syllables, a syllable is the letter.

    Args:
        text: as the engine is given it.
        ideograph: as in `Pace`.
    """
    text = unicodedata.normalize("NFKC", text)
    letters = sum(map(str.isalpha, text))
    digits = sum(map(str.isdecimal, text))
    symbols = sum(unicodedata.category(each)[0] == "S" or each in "%&@#*/\\_§" for each in text)
    marks = len(MARK.findall(text.rstrip()[:-1]))
    if len(_SYLLABLE.findall(text)) * 2 > letters:
        ideographs = len(_HAN.findall(text))
        read, spelt = (ideograph, ideograph) if ideograph <= _SPELT_OUT else (1.0, 2 * ideograph)
        names = _SYLLABLES_OF_DIGIT * digits + _SYLLABLES_OF_SYMBOL * symbols
        return Length(letters + digits + (read - 1) * ideographs, letters + names + (spelt - 1) * ideographs)
    letters += len(_WORD.findall(text))
    initials = sum(map(len, _SPELT.findall(text)))
    names = _LETTERS_OF_DIGIT * digits + _LETTERS_OF_SYMBOL * symbols + _LETTERS_OF_INITIAL * initials
    return Length(letters + digits, letters + names + _LETTERS_OF_MARK * marks)


class _Heard(NamedTuple):
    """A usable take of a text."""

    text: str
    sound: Sound
    kept: Pcm
    """What would be heard of it in a book."""


def measure(say: Callable[[str, int], Take], sample_rate: int, speech: Speech, weights: str, takes: int = 2) -> Pace:
    """Say the fixed text of a language and return the pace; a guess when there is none or nothing said is usable.

    One bad take among them changes little: the line and the spread are medians and quantiles. Where there is no text,
    the gains are measured on the English one, which nearly every voice can read.

    Args:
        say: makes a take of a text with a seed.
        sample_rate: of the takes, in hertz.
        speech: the way of speaking.
        weights: digest of the model's files.
        takes: how often each sentence is said; once is enough for an engine that does not vary.

    Raises:
        whatever `say` raises, but for `TooLong`: such a text is passed over; and but for `Poison` of the English text
            in another language.
    """
    texts = TEXTS.get(traits.primary_subtag(speech.language), ())
    heard = list(_heard(say, sample_rate, texts, takes))
    pace = _fitted(heard, speech, weights) if len(heard) * 2 > len(texts) * takes else guess(speech, weights)
    if not texts:
        with suppress(Poison):
            heard = list(_heard(say, sample_rate, TEXTS["en"], takes))
    said = np.concatenate([np.zeros(0, np.float32), *(each.kept for each in heard)])
    return pace.model_copy(update={"gains": loudness.gains(said, sample_rate)})


def guess(speech: Speech, weights: str) -> Pace:
    """Return the pace of a voice that nobody measured: bounds that only gross faults pass."""
    per_letter = 1 / (traits.rate(speech.engine, speech.language) * speech.speed)
    return Pace(
        offset=0.0,
        per_letter=per_letter,
        spread=_GUESSED_SPREAD,
        slack=_slack(speech),
        pause=0.4 / speech.speed,
        ending=0.0,
        gains={},
        weights=weights,
        calibrated=False,
    )


def _heard(say: Callable[[str, int], Take], sample_rate: int, texts: Sequence[str], takes: int) -> Iterator[_Heard]:
    """Say texts and yield the takes that are usable."""
    for text, attempt in ((text, attempt) for text in texts for attempt in range(takes)):
        try:
            take = say(text, take_seed(text, attempt))
        except TooLong:
            continue
        if take.stopped and np.isfinite(take.pcm).all() and not (sound := listen(take.pcm, sample_rate)).silent:
            yield _Heard(text, sound, trim(np.clip(take.pcm, -1, 1), sample_rate))


def _fitted(heard: Sequence[_Heard], speech: Speech, weights: str) -> Pace:
    seconds = [each.sound.speech for each in heard]
    mixed = any(_KANA.search(each.text) and _HAN.search(each.text) for each in heard)
    fits = []
    for ideograph in _IDEOGRAPH if mixed else (1.0,):
        letters = [_letters(each.text, ideograph) for each in heard]
        fits.append((*_line(letters, seconds), ideograph))
    spread, offset, per_letter, ideograph = min(fits)
    if ideograph > _SPELT_OUT:
        spread = max(spread, _GUESSED_SPREAD)
    at_commas = [max(each.sound.pauses) for each in heard if each.sound.pauses]
    return Pace(
        offset=offset,
        per_letter=per_letter,
        ideograph=ideograph,
        spread=spread,
        slack=_slack(speech),
        pause=median(at_commas) if at_commas else 0.0,
        ending=max(each.sound.ending for each in heard),
        gains={},
        weights=weights,
        calibrated=True,
    )


def _slack(speech: Speech) -> float:
    return _SLACK / min(1.0, speech.speed)


def _letters(text: str, ideograph: float) -> float:
    """Return how many letters a text without digits and symbols has."""
    return spoken_length(text).least + (ideograph - 1) * len(_HAN.findall(text))


def _line(letters: list[float], seconds: list[float]) -> tuple[float, float, float]:
    """Return spread, offset and slope of a line that outliers do not bend (Theil 1950, Sen 1968)."""
    points = list(zip(letters, seconds, strict=True))
    slope = median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2)
    offset = min(max(median(y - slope * x for x, y in points), 0.0), 0.5)
    slope = max(median((y - offset) / x for x, y in points), 0.001)
    misses = np.abs(np.log(np.array(seconds) / (offset + slope * np.array(letters))))
    return float(np.quantile(misses, 0.8)), offset, slope


TEXTS = {
    "en": (
        "The kitchen was warm and quiet.",
        "We left early, because the road over the hills is long.",
        "In the afternoon the wind turned, and a fine rain began to fall on the roofs of the village.",
        "My sister had painted the door green, the shutters white, and the old bench under the window the colour of"
        " ripe plums.",
        "When the train stopped at the last station, only three people got off, and none of them seemed to know which"
        " of the two paths led down to the harbour.",
        "Nobody answered.",
    ),
    "es": (
        "La cocina estaba tibia y tranquila.",
        "Salimos temprano, porque el camino por la sierra es largo.",
        "Por la tarde cambió el viento, y una lluvia fina empezó a caer sobre los tejados del pueblo.",
        "Mi hermana había pintado la puerta de verde, las ventanas de blanco y el viejo banco del jardín del color de"
        " las ciruelas.",
        "Cuando el tren paró en la última estación, solo bajaron tres personas, y ninguna parecía saber cuál de los dos"
        " senderos llevaba al puerto.",
        "Nadie contestó.",
    ),
    "fr": (
        "La cuisine était chaude et calme.",
        "Nous sommes partis tôt, car la route des collines est longue.",
        "Dans l'après-midi le vent tourna, et une pluie fine se mit à tomber sur les toits du village.",
        "Ma sœur avait peint la porte en vert, les volets en blanc et le vieux banc du jardin de la couleur des prunes"
        " mûres.",
        "Quand le train s'arrêta à la dernière gare, trois personnes seulement descendirent, et aucune ne semblait"
        " savoir lequel des deux sentiers menait au port.",
        "Personne ne répondit.",
    ),
    "de": (
        "In der Küche war es warm und still.",
        "Wir brachen früh auf, denn der Weg über die Hügel ist lang.",
        "Am Nachmittag drehte der Wind, und ein feiner Regen fiel auf die Dächer des Dorfes.",
        "Meine Schwester hatte die Tür grün gestrichen, die Fensterläden weiß und die alte Bank im Garten in der Farbe"
        " reifer Pflaumen.",
        "Als der Zug im letzten Bahnhof hielt, stiegen nur drei Leute aus, und keiner von ihnen schien zu wissen,"
        " welcher der beiden Wege zum Hafen hinunterführte.",
        "Niemand antwortete.",
    ),
    "it": (
        "La cucina era calda e silenziosa.",
        "Partimmo presto, perché la strada per le colline è lunga.",
        "Nel pomeriggio il vento cambiò, e una pioggia sottile cominciò a cadere sui tetti del paese.",
        "Mia sorella aveva dipinto la porta di verde, le persiane di bianco e la vecchia panca del giardino del colore"
        " delle prugne mature.",
        "Quando il treno si fermò all'ultima stazione, scesero soltanto tre persone, e nessuna sembrava sapere quale"
        " dei due sentieri portasse al porto.",
        "Nessuno rispose.",
    ),
    "pt": (
        "A cozinha estava quente e tranquila.",
        "Saímos cedo, porque o caminho pela serra é longo.",
        "À tarde o vento mudou, e uma chuva fina começou a cair sobre os telhados da aldeia.",
        "A minha irmã tinha pintado a porta de verde, as janelas de branco e o velho banco do jardim da cor das ameixas"
        " maduras.",
        "Quando o comboio parou na última estação, desceram apenas três pessoas, e nenhuma delas parecia saber qual dos"
        " dois caminhos levava ao porto.",
        "Ninguém respondeu.",
    ),
    "pl": (
        "W kuchni było ciepło i cicho.",
        "Wyruszyliśmy wcześnie, bo droga przez wzgórza jest długa.",
        "Po południu wiatr się zmienił i na dachy wioski zaczął padać drobny deszcz.",
        "Moja siostra pomalowała drzwi na zielono, okiennice na biało, a starą ławkę pod oknem na kolor dojrzałych"
        " śliwek.",
        "Kiedy pociąg zatrzymał się na ostatniej stacji, wysiadły tylko trzy osoby i żadna z nich nie wiedziała, która"
        " z dwóch ścieżek prowadzi do portu.",
        "Nikt nie odpowiedział.",
    ),
    "tr": (
        "Mutfak sıcak ve sessizdi.",
        "Erken yola çıktık, çünkü tepelerin üzerinden giden yol uzundur.",
        "Öğleden sonra rüzgâr döndü ve köyün çatılarına ince bir yağmur yağmaya başladı.",
        "Kız kardeşim kapıyı yeşile, pencereleri beyaza, bahçedeki eski sırayı da olgun erik rengine boyamıştı.",
        "Tren son istasyonda durunca yalnızca üç kişi indi ve hiçbiri iki yoldan hangisinin limana indiğini"
        " biliyor gibi görünmüyordu.",
        "Kimse cevap vermedi.",
    ),
    "ru": (
        "На кухне было тепло и тихо.",
        "Мы вышли рано, потому что дорога через холмы длинная.",
        "После полудня ветер переменился, и на крыши деревни стал падать мелкий дождь.",
        "Моя сестра покрасила дверь в зелёный цвет, ставни в белый, а старую скамейку под окном в цвет спелой сливы.",
        "Когда поезд остановился на последней станции, вышли только три человека, и никто из них, казалось, не знал,"
        " какая из двух тропинок ведёт вниз к гавани.",
        "Никто не ответил.",
    ),
    "nl": (
        "In de keuken was het warm en stil.",
        "We vertrokken vroeg, want de weg over de heuvels is lang.",
        "In de middag draaide de wind, en er viel een fijne regen op de daken van het dorp.",
        "Mijn zus had de deur groen geverfd, de luiken wit en de oude bank in de tuin in de kleur van rijpe pruimen.",
        "Toen de trein op het laatste station stopte, stapten er maar drie mensen uit, en geen van hen leek te weten"
        " welk van de twee paden naar de haven leidde.",
        "Niemand gaf antwoord.",
    ),
    "cs": (
        "V kuchyni bylo teplo a ticho.",
        "Vyrazili jsme brzy, protože cesta přes kopce je dlouhá.",
        "Odpoledne se vítr obrátil a na střechy vesnice začal padat drobný déšť.",
        "Moje sestra natřela dveře na zeleno, okenice na bílo a starou lavici pod oknem na barvu zralých švestek.",
        "Když vlak zastavil v poslední stanici, vystoupili jen tři lidé a nikdo z nich zřejmě nevěděl, která z těch"
        " dvou cest vede dolů k přístavu.",
        "Nikdo neodpověděl.",
    ),
    "ar": (
        "كان المطبخ دافئا وهادئا.",
        "خرجنا في الصباح الباكر، لأن الطريق عبر التلال طويل.",
        "بعد الظهر تغير اتجاه الريح، وبدأ مطر خفيف يسقط على سطوح القرية.",
        "كانت أختي قد دهنت الباب باللون الأخضر، والنوافذ باللون الأبيض، والمقعد القديم في الحديقة بلون الخوخ الناضج.",
        "عندما توقف القطار في المحطة الأخيرة، نزل منه ثلاثة أشخاص فقط، ولم يكن أحد منهم يعرف أي الطريقين يؤدي إلى"
        " الميناء.",
        "لم يجب أحد من الناس.",
    ),
    "zh": (
        "厨房里又暖和又安静。",
        "我们很早就出发了，因为山上的路很长。",
        "下午风向变了，村子的屋顶上开始下起小雨。",
        "我妹妹把门漆成了绿色，把窗户漆成了白色，把花园里的旧长椅漆成了李子的颜色。",
        "火车在最后一站停下来的时候，只有三个人下了车，他们好像谁也不知道这两条小路中哪一条通到下面的港口。",
        "没有人回答。",
    ),
    "hu": (
        "A konyhában meleg volt és csend.",
        "Korán indultunk, mert a dombokon át hosszú az út.",
        "Délután megfordult a szél, és apró szemű eső kezdett hullani a falu háztetőire.",
        "A nővérem zöldre festette az ajtót, fehérre az ablakokat, a kertben álló régi padot pedig érett szilva"
        " színűre.",
        "Amikor a vonat megállt az utolsó állomáson, csak három ember szállt le, és úgy látszott, egyikük sem tudja,"
        " hogy a két ösvény közül melyik vezet le a kikötőbe.",
        "Senki sem válaszolt.",
    ),
    "ko": (
        "부엌은 따뜻하고 조용했다.",
        "언덕을 넘는 길이 멀어서 우리는 일찍 떠났다.",
        "오후가 되자 바람이 바뀌었고, 마을의 지붕 위에 가는 비가 내리기 시작했다.",
        "누나는 문을 초록색으로, 창문을 하얀색으로, 마당에 있는 오래된 의자를 잘 익은 자두의 색으로 칠해 놓았다.",
        "기차가 마지막 역에 멈추었을 때 내린 사람은 세 명뿐이었고, 두 길 가운데 어느 쪽이 항구로 내려가는 길인지"
        " 아는 사람은 아무도 없는 것 같았다.",
        "아무도 대답하지 않았다.",
    ),
    "ja": (
        "だいどころはあたたかくて、とてもしずかでした。",
        "丘をこえる道は長いので、私たちは朝早く出かけました。",
        "午後になると風の向きが変わり、村の屋根にこまかい雨がふりはじめました。",
        "姉は戸を緑に、窓を白に、庭にある古いベンチをよく熟したすももの色にぬりました。",
        "汽車が終点の駅にとまったとき、おりた人は三人だけで、二つの道のどちらが港へおりていく道なのか、"
        "だれも知らないようでした。",
        "だれもこたえませんでした。",
    ),
    "hi": (
        "रसोई गरम और शांत थी।",
        "हम सुबह जल्दी निकले, क्योंकि पहाड़ियों का रास्ता लंबा है।",
        "दोपहर के बाद हवा का रुख बदल गया और गाँव की छतों पर हल्की बारिश होने लगी।",
        "मेरी बहन ने दरवाज़े को हरे रंग से, खिड़कियों को सफ़ेद रंग से और बगीचे की पुरानी बेंच को पके हुए आलूबुखारे के रंग से रँगा था।",
        "जब गाड़ी आख़िरी स्टेशन पर रुकी, तो केवल तीन लोग उतरे, और उनमें से किसी को भी नहीं मालूम था कि दोनों में से कौन"
        " सा रास्ता नीचे बंदरगाह की ओर जाता है।",
        "किसी ने जवाब नहीं दिया।",
    ),
}
"""What a voice is measured on, by the primary subtag of its language: plain prose of different lengths, without digits
or abbreviations."""
