"""What languages write for numbers, money, ranks and titles, and how a reader says it: tables for `spoken`.

Abbreviations are grouped by what must stand beside them: `name`, a capitalised name after it (a final point is
optional where none is written here); `number`, a figure after it; `division`, a figure or a lone Roman numeral;
`place`, a capitalised name before it; `any`; `last`, anything, and its point may also end the sentence.
"""

from collections.abc import Mapping
from typing import NamedTuple

from producer.speech import genders


class Wording(NamedTuple):
    """A language: how its books write numbers, and the words to say them."""

    code: str
    """Of num2words."""
    groups: str
    """Marks between thousands, as the inside of a set."""
    point: str
    """Decimal mark."""
    decimal: str
    """Said for the decimal mark; empty leaves decimals to num2words, which says tenths and hundredths."""
    minus: str
    percent: str
    """Empty leaves the sign; three forms are those for 1, 2 and 5 things."""
    heads: str = ""
    """Words that a numeral follows, such as `chapter`."""
    pairs: bool = False
    """Up to two decimals are said as one number: "virgule quatorze"."""
    glued: bool = False
    """Figures stand among letters without spaces."""
    full: bool = False
    """All rules, not numbers only; what follows is for these languages."""
    signs: tuple[str, str, str, str, str, str, str, str, str] = ("",) * 9
    """Said for: a range, plus, equals, times, plus or minus, number, degree, degrees, whole and fraction."""
    fractions: tuple[str, ...] = ()
    """One half, one third, two thirds, one quarter, three quarters."""
    parts: tuple[str, ...] = ()
    """The same after a whole number."""
    currencies: Mapping[str, tuple[str, str, str]] = {}
    """By sign: one of it, several, several hundredths."""
    cents: tuple[str, bool] = (" ", False)
    """Between whole and hundredths, and whether the latter are named."""
    of: str = ""
    """Between a million and its noun, for vowels elided."""
    scales: str = ""
    """Words that multiply an amount of money, an expression."""
    one: Mapping[str, str] = {}
    """What "one" becomes before a noun, by how it ends alone."""
    abbreviations: Mapping[str, Mapping[str, str]] = {}
    marks: tuple[tuple[str, str], ...] = ()
    """Expressions for other marks, and what is said for them."""
    months: str = ""


BASIC = {
    "ar": Wording("ar", ",\u066c", ".", "فاصلة", "سالب", "بالمائة"),
    "ca": Wording("ca", ".", ",", "coma", "menys", "per cent", "capítol part llibre volum acte", pairs=True),
    "cs": Wording("cs", " ", ",", "čárka", "minus", "procent", "kapitola část díl kniha"),
    "da": Wording("da", ".", ",", "komma", "minus", "procent", "kapitel del bind bog"),
    "fa": Wording("fa", ",\u066c", "\u066b", "ممیز", "منفی", "درصد"),
    "fi": Wording("fi", " ", ",", "pilkku", "miinus", "prosenttia", "luku osa kirja"),
    "he": Wording("he", ",", ".", "נקודה", "מינוס", "אחוז"),
    "hu": Wording("hu", " ", ",", "", "mínusz", "százalék"),
    "id": Wording("id", ".", ",", "koma", "minus", "persen", "bab bagian jilid"),
    "ja": Wording("ja", ",", ".", "点", "マイナス", "パーセント", glued=True),
    "ko": Wording("ko", ",", ".", "점", "마이너스", "퍼센트", glued=True),
    "lt": Wording("lt", " ", ",", "kablelis", "minus", "procentų"),
    "lv": Wording("lv", " ", ",", "komats", "mīnus", "procenti"),
    "nl": Wording("nl", ".", ",", "komma", "min", "procent", "hoofdstuk deel boek"),
    "no": Wording("no", " .", ",", "komma", "minus", "prosent", "kapittel del bok"),
    "pl": Wording("pl", " ", ",", "przecinek", "minus", "procent", "rozdział część tom księga", pairs=True),
    "pt": Wording("pt", ".", ",", "vírgula", "menos", "por cento", "capítulo parte livro volume ato cena", pairs=True),
    "ro": Wording("ro", ".", ",", "virgulă", "minus", "la sută", "capitolul partea volumul", pairs=True),
    "ru": Wording("ru", " ", ",", "", "минус", "процент|процента|процентов", "глава часть том книга"),
    "sk": Wording("sk", " ", ",", "čiarka", "mínus", "percent", "kapitola časť diel kniha"),
    "sl": Wording("sl", ".", ",", "vejica", "minus", "odstotkov", "poglavje del knjiga"),
    "sr": Wording("sr", ".", ",", "zapeta", "minus", "posto"),
    "sv": Wording("sv", " ", ",", "komma", "minus", "procent", "kapitel del bok"),
    "th": Wording("th", ",", ".", "จุด", "ลบ", "เปอร์เซ็นต์", glued=True),
    "tr": Wording("tr", ".", ",", "virgül", "eksi", "", "bölüm cilt"),
    "uk": Wording(
        "uk", " ", ",", "кома", "мінус", "відсоток|відсотки|відсотків", "глава частина том книга", pairs=True
    ),
    "vi": Wording("vi", ".", ",", "phẩy", "âm", "phần trăm", "chương phần tập", pairs=True),
}
"""Languages of num2words whose whole numbers were found sound to 10**15; the others say nonsense or never end."""

ENGLISH = Wording(
    *("en", ",", ".", "point", "minus", "percent"),
    heads="act appendix article book canto chapter class figure grade lesson letter level page part phase psalm scene "
    "section stage title tome type volume war",
    full=True,
    signs=("to", "plus", "equals", "times", "plus or minus", "number", "degree", "degrees", "and"),
    fractions=("one half", "one third", "two thirds", "one quarter", "three quarters"),
    parts=("a half", "a third", "two thirds", "a quarter", "three quarters"),
    currencies={
        "$": ("one dollar", "dollars", "cents"),
        "£": ("one pound", "pounds", "pence"),
        "€": ("one euro", "euros", "cents"),
        "¥": ("one yen", "yen", ""),
    },
    cents=(" and ", True),
    scales="hundred|thousand|million|billion|trillion",
    abbreviations={
        "name": {
            **{"Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "St": "Saint", "Prof": "Professor"},
            **{"Mt": "Mount", "Messrs": "Messieurs", "Rev.": "Reverend", "Capt.": "Captain", "Col.": "Colonel"},
            **{"Gen.": "General", "Lt.": "Lieutenant", "Maj.": "Major", "Sgt.": "Sergeant", "Cpl.": "Corporal"},
            **{"Gov.": "Governor", "Sen.": "Senator", "Rep.": "Representative", "Pres.": "President"},
            **{"Fr.": "Father", "Hon.": "Honourable", "Ft.": "Fort", "Adm.": "Admiral", "Cmdr.": "Commander"},
        },
        "number": {
            **{"No.": "Number", "no.": "number", "Nos.": "Numbers", "nos.": "numbers", "p.": "page", "pp.": "pages"},
            **{"fig.": "figure", "Art.": "Article", "c.": "circa", "ca.": "circa", "v.": "verse", "vv.": "verses"},
        },
        "division": {
            **{"Vol.": "Volume", "vol.": "volume", "Ch.": "Chapter", "ch.": "chapter", "Fig.": "Figure"},
        },
        "place": {"St.": "Street", "Ave.": "Avenue", "Rd.": "Road", "Blvd.": "Boulevard"},
        "any": {
            **{"Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miz", "Dr.": "Doctor", "e.g.": "for example"},
            **{"i.e.": "that is", "vs.": "versus", "viz.": "namely", "cf.": "compare"},
        },
        "last": {"etc.": "et cetera", "Jr.": "Junior", "Sr.": "Senior", "Inc.": "Incorporated", "Ltd.": "Limited"},
    },
    marks=(
        (r"§§ ?(?=\d)", "sections "),
        (r"§ ?(?=\d)", "section "),
        (r"&c\.?(?!\w)", "et cetera"),
        (r"&(?<=[\w ]&)(?= ?\w)", " and "),
        ("@", " at "),
    ),
    months="January February March April May June July August September October November December",
)

FRENCH = Wording(
    *("fr", " .", ",", "virgule", "moins", "pour cent"),
    heads="acte annexe article chant chapitre guerre lettre livre page partie planche scène section titre tome volume",
    pairs=True,
    full=True,
    signs=("à", "plus", "égale", "fois", "plus ou moins", "numéro", "degré", "degrés", "et"),
    fractions=("un demi", "un tiers", "deux tiers", "un quart", "trois quarts"),
    parts=("demi", "un tiers", "deux tiers", "un quart", "trois quarts"),
    currencies={
        "$": ("un dollar", "dollars", "cents"),
        "£": ("une livre", "livres", "pence"),
        "€": ("un euro", "euros", "centimes"),
        "¥": ("un yen", "yens", ""),
    },
    of="de",
    scales="mille|millions?|milliards?",
    abbreviations={
        "name": {
            **{"M.": "Monsieur", "MM.": "Messieurs", "Mme": "Madame", "Mmes": "Mesdames", "Mlle": "Mademoiselle"},
            **{"Mlles": "Mesdemoiselles", "Dr": "Docteur", "Pr": "Professeur", "St": "Saint", "Ste": "Sainte"},
            **{"Mgr": "Monseigneur", "Vve": "Veuve"},
        },
        "number": {
            **{"n°": "numéro", "nº": "numéro", "N°": "Numéro", "Nº": "Numéro", "p.": "page", "pp.": "pages"},
            **{"vol.": "volume", "chap.": "chapitre", "art.": "article", "fig.": "figure", "t.": "tome"},
            **{"v.": "vers", "env.": "environ", "ch.": "chapitre"},
        },
        "any": {"c.-à-d.": "c'est-à-dire", "p. ex.": "par exemple", "cf.": "confer"},
        "last": {"etc.": "et cetera", "av. J.-C.": "avant Jésus-Christ", "apr. J.-C.": "après Jésus-Christ"},
    },
    marks=((r"§ ?(?=\d)", "paragraphe "), (r"&(?<=[\w ]&)(?= ?\w)", " et "), ("@", " arobase ")),
    months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
)

GERMAN = Wording(
    *("de", ".", ",", "Komma", "minus", "Prozent"),
    heads="abschnitt akt anhang artikel aufzug auftritt band buch gesang kapitel klasse seite szene teil weltkrieg",
    full=True,
    signs=("bis", "plus", "gleich", "mal", "plus minus", "Nummer", "Grad", "Grad", "und"),
    fractions=("ein halb", "ein Drittel", "zwei Drittel", "ein Viertel", "drei Viertel"),
    parts=("ein halb", "ein Drittel", "zwei Drittel", "ein Viertel", "drei Viertel"),
    currencies={
        "$": ("ein Dollar", "Dollar", "Cent"),
        "£": ("ein Pfund", "Pfund", "Pence"),
        "€": ("ein Euro", "Euro", "Cent"),
        "¥": ("ein Yen", "Yen", ""),
    },
    scales=r"Tausend|Millionen?|Milliarden?|Mio\.|Mrd\.",
    one={"eins": "ein"},
    abbreviations={
        "name": {"St.": "Sankt", "Hr.": "Herr", "Hrn.": "Herrn", "Fr.": "Frau", "Frl.": "Fräulein", "Dr": "Doktor"},
        "number": {
            **{"Nr.": "Nummer", "S.": "Seite", "Bd.": "Band", "ca.": "circa", "Kap.": "Kapitel", "Abb.": "Abbildung"},
            **{"Art.": "Artikel", "Abs.": "Absatz", "V.": "Vers"},
        },
        "any": {
            **{"z. B.": "zum Beispiel", "d. h.": "das heißt", "bzw.": "beziehungsweise", "vgl.": "vergleiche"},
            **{"Dr.": "Doktor", "Prof.": "Professor", "evtl.": "eventuell", "ggf.": "gegebenenfalls"},
            **{"Mio.": "Millionen", "Mrd.": "Milliarden", "i. d. R.": "in der Regel"},
        },
        "last": {
            **{"usw.": "und so weiter", "usf.": "und so fort", "u. a.": "unter anderem", "etc.": "et cetera"},
            **{"v. Chr.": "vor Christus", "n. Chr.": "nach Christus", "Jh.": "Jahrhundert", "o. Ä.": "oder Ähnliches"},
        },
    },
    marks=(
        (r"§§ ?(?=\d)", "Paragrafen "),
        (r"§ ?(?=\d)", "Paragraf "),
        (r"&(?<=[\w ]&)(?= ?\w)", " und "),
        ("@", " ät "),
    ),
    months="Januar Jänner Februar März April Mai Juni Juli August September Oktober November Dezember",
)

SPANISH = Wording(
    *("es", ". ", ",", "coma", "menos", "por ciento"),
    heads="acto artículo canto capítulo carta escena jornada libro parte sección siglo título tomo volumen",
    pairs=True,
    full=True,
    signs=("a", "más", "igual a", "por", "más menos", "número", "grado", "grados", "y"),
    fractions=("medio", "un tercio", "dos tercios", "un cuarto", "tres cuartos"),
    parts=("medio", "un tercio", "dos tercios", "cuarto", "tres cuartos"),
    currencies={
        "$": ("un dólar", "dólares", "centavos"),
        "£": ("una libra", "libras", "peniques"),
        "€": ("un euro", "euros", "céntimos"),
        "¥": ("un yen", "yenes", ""),
    },
    cents=(" con ", False),
    of="de",
    scales="mil|mill[oó]n|millones",
    one={"veintiuno": "veintiún", "uno": "un"},
    abbreviations={
        "name": {
            **{"Sr.": "Señor", "Sres.": "Señores", "Sra.": "Señora", "Srta.": "Señorita", "Dr.": "Doctor"},
            **{"Dra.": "Doctora", "Dña.": "Doña", "D.ª": "Doña", "Sta.": "Santa", "Sto.": "Santo", "Prof.": "Profesor"},
            **{"Gral.": "General", "Ing.": "Ingeniero", "Lic.": "Licenciado"},
        },
        "number": {
            **{"n.º": "número", "N.º": "Número", "núm.": "número", "pág.": "página", "págs.": "páginas"},
            **{"cap.": "capítulo", "vol.": "volumen", "art.": "artículo", "p.": "página", "pp.": "páginas"},
        },
        "any": {"p. ej.": "por ejemplo", "Ud.": "usted", "Uds.": "ustedes", "Vd.": "usted", "Vds.": "ustedes"},
        "last": {
            "etc.": "etcétera",
            "EE. UU.": "Estados Unidos",
            "a. C.": "antes de Cristo",
            "d. C.": "después de Cristo",
        },
    },
    marks=((r"§ ?(?=\d)", "sección "), (r"&(?<=[\w ]&)(?= ?\w)", " y "), ("@", " arroba ")),
    months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
)

ITALIAN = Wording(
    *("it", ".", ",", "virgola", "meno", "per cento"),
    heads="articolo atto canto capitolo lettera libro parte scena secolo sezione titolo tomo volume",
    pairs=True,
    full=True,
    signs=("a", "più", "uguale", "per", "più o meno", "numero", "grado", "gradi", "e"),
    fractions=("mezzo", "un terzo", "due terzi", "un quarto", "tre quarti"),
    parts=("mezzo", "un terzo", "due terzi", "un quarto", "tre quarti"),
    currencies={
        "$": ("un dollaro", "dollari", "centesimi"),
        "£": ("una sterlina", "sterline", "penny"),
        "€": ("un euro", "euro", "centesimi"),
        "¥": ("uno yen", "yen", ""),
    },
    cents=(" e ", False),
    of="di",
    scales="mila|milion[ei]|miliard[oi]",
    one={"uno": "un"},
    abbreviations={
        "name": {
            **{"Sig.": "Signor", "Sigg.": "Signori", "Sig.ra": "Signora", "Sig.na": "Signorina", "Dott.": "Dottor"},
            **{"sig.": "signor", "sig.ra": "signora", "sig.na": "signorina", "dott.": "dottor", "prof.": "professor"},
            **{"Dott.ssa": "Dottoressa", "Prof.": "Professor", "Prof.ssa": "Professoressa", "Avv.": "Avvocato"},
            **{"Ing.": "Ingegner", "Dr.": "Dottor", "On.": "Onorevole"},
        },
        "number": {
            **{"n.": "numero", "N.": "Numero", "pag.": "pagina", "pagg.": "pagine", "p.": "pagina", "pp.": "pagine"},
            **{"cap.": "capitolo", "vol.": "volume", "art.": "articolo", "fig.": "figura", "n°": "numero"},
        },
        "any": {"ad es.": "ad esempio", "p. es.": "per esempio", "cfr.": "confronta"},
        "last": {"ecc.": "eccetera", "a. C.": "avanti Cristo", "d. C.": "dopo Cristo"},
    },
    marks=(
        *(
            (rf"S\.(?<![\w.]S\.)(?<![A-Z]\. S\.) ?(?=(?:{'|'.join(names.split())})\b)", holy)
            for holy, names in genders.SAINTS
        ),
        *((r"§ ?(?=\d)", "paragrafo "), (r"&(?<=[\w ]&)(?= ?\w)", " e "), ("@", " chiocciola ")),
    ),
    months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
)

POINTED = frozenset(["de-ch", "de-li", "it-ch", *(f"es-{land}" for land in "do gt hn mx ni pa pe pr sv us".split())])
"""Places where the decimal mark is a point and the comma may group, unlike their language elsewhere."""

MONARCHS = frozenset(
    "Adrian Albert Alejandro Alessandro Alexander Alexandre Alfonso Amadeo Anastasius Artaxerxes Augustus Baldwin "
    "Bedřich Benedetto Benedict Benedicto Benedikt Benoît Boniface Bonifacio Bonifaz Carl Carlo Carlos Casimir "
    "Catalina Caterina Catherine Celestine Charles Childeric Christian Christina Clement Clemente Clovis "
    "Constantin Constantine Cristina Darius David Edmund Edward Elisabeth Elisabetta Elizabeth Emanuele Emmanuel "
    "Enrico Enrique Eric Erik Ernst Eugene Felipe Ferdinand Ferdinando Fernando Filippo Francesco Francis "
    "Francisco Franz François Frederick Friedrich Frédéric Georg George Georges Giacomo Giorgio Giovanni Gregor "
    "Gregorio Gregory Gustav Gustave Haakon Harald Heinrich Henri Henry Honorius Humbert Innocent Innocenzo "
    "Innozenz Inocencio Isabel Isabella Ivan Iván Jacques Jaime Jakob James Jean Johann Johannes John Joseph José "
    "Juan Julian Julius Justinian Karl Katharina Konrad Konstantin Ladislaus Leo Leone Leopold Leopoldo León "
    "Lothar Louis Ludwig Luigi Luis Léopold Manuel Margarethe Margrethe Maria Marie Martin Mary María Maximilian "
    "Maximilien Mehmed Michael Michel Murad Napoleon Napoleone Napoleón Napoléon Nicholas Nicola Nicolas Nikolaus "
    "Olaf Otto Ottone Otón Pablo Paolo Paul Paulus Pedro Peter Philip Philipp Philippe Pie Pierre Pietro Pio Pius "
    "Ptolemy Pío Ramesses Ramses Richard Robert Roger Rudolf Rudolph Selim Sigismund Sixtus Stanislaus Stephan "
    "Stephen Suleiman Sylvester Theodore Theodosius Thutmose Umberto Urbain Urban Urbano Victor Vittorio Víctor "
    "Wilhelm Wilhelmina William Xerxes Élisabeth".split()
)
"""First names that a regnal number follows; after other names a numeral is a plain number ("Rocky III")."""
QUEENS = frozenset(
    "Catalina Caterina Catherine Christina Cristina Elisabeth Elisabetta Elizabeth Élisabeth Isabel Isabella Katharina "
    "Margarethe Margrethe María Maria Marie Mary Wilhelmina".split()
)
SINGLE = {
    "cents": "cent",
    "pence": "penny",
    "centimes": "centime",
    "centavos": "centavo",
    "céntimos": "céntimo",
    "peniques": "penique",
    "centesimi": "centesimo",
}
ALIASES = {"iw": "he", "in": "id", "nb": "no", "nn": "no"}
"""Other tags of languages that are known."""
REGIONS = {"fr-be": "fr_BE", "fr-ch": "fr_CH", "pt-br": "pt_BR"}
"""Places that count in other words, and their codes in num2words."""
FULL = {"de": GERMAN, "en": ENGLISH, "es": SPANISH, "fr": FRENCH, "it": ITALIAN}
SPANISH_TEENS = {
    **{11: "undécimo", 12: "duodécimo", 13: "decimotercero", 14: "decimocuarto", 15: "decimoquinto"},
    **{16: "decimosexto", 17: "decimoséptimo", 18: "decimoctavo", 19: "decimonoveno"},
}
"""Ordinals that num2words says in two words."""
_POSSESSIVES = ("dein", "ihr", "kein", "mein", "sein", "unser")
DATIVE = frozenset(
    "am beim dem den des diesem diesen einem einen einer eines im jedem jeden vom zum zur".split()
    + [word + ending for word in _POSSESSIVES for ending in ("em", "en", "er", "es")]
)
"""German words that give an ordinal after them the ending -n."""
NOMINATIVE = frozenset(
    "ans aufs das die diese durchs eine fürs ins jede jedes".split() + [f"{word}e" for word in _POSSESSIVES]
)
"""Those that give it -e, or -n before a plural."""
OPEN = frozenset(["der", "dieser", "jeder", "ein", *_POSSESSIVES])
"""Those after which it depends on the noun."""
DATIVE_BEFORE = frozenset(
    "ab an auf aus außer bei hinter in mit nach neben seit unter von vor wegen während zu zwischen über".split()
)
"""Prepositions that give an ordinal -n before an article or a name."""
STOPPED = frozenset("cs da de fi hu lv no pl sk sl sr tr".split())
"""Languages in which a full stop makes a number an ordinal."""
