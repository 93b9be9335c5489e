"""What a full stop after a word means, by language. Tables of words, for `producer.speech.sentences`."""

# ruff: noqa: RUF001 - Russian letters look like ASCII

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a full stop after a word means when white space and no lower-case letter follow."""

    JOINED = "never an end: a title before a name, cf., vs."
    NUMBERED = "an abbreviation before a number, a word that may end a sentence before anything else"
    ENDING = "an end, unless a number follows"
    EITHER = "an end if the next word is one that sentences begin with"
    BETWEEN = "as `EITHER` after a capitalised word, else as `NUMBERED`: Brown v. Board"


@dataclass(frozen=True)
class Language:
    """The words of a language that matter to its full stops."""

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """By the word as written, inner full stops kept, inner spaces not ("z.B"), the last full stop dropped."""
    ordinals: bool = False
    """Whether a full stop after a numeral makes it an ordinal."""
    starters: frozenset[str] = frozenset()
    """Capitalised words that sentences often begin with and that are no names."""
    says: frozenset[str] = frozenset()
    """Verbs of saying that follow the name of the speaker."""
    divisions: frozenset[str] = frozenset()
    """Abbreviations before a numeral, among them an "I" that is elsewhere a word."""


def _language(
    *, ordinals: bool = False, starters: str = "", says: str = "", divisions: str = "", **words: str
) -> Language:
    """Build a language; words of two letters and more also count in capitals, lower-case ones also capitalised."""
    kinds: dict[str, Kind] = {}
    for kind in Kind:
        for word in words.get(kind.name.lower(), "").split():
            first = word.capitalize() if word.islower() else word
            for form in (word, first, word.upper()) if len(word) > 1 else (word,):
                kinds.setdefault(form, kind)
    sets = (frozenset(listed.split()) for listed in (starters, says, divisions))
    return Language(kinds, ordinals, *sets)


_ENGLISH = _language(
    joined="""Mr Mrs Ms Dr Prof Gen Col Capt Lt Rev Hon Sgt Maj Cmdr Adm Messrs Fr Gov Sen Rep Pres Supt Insp Cpl Pvt
        Mt Ft Mme Mlle Ven Esqr vs cf e.g i.e viz approx ca dept est incl ibid misc op""",
    numbered="""no fig sec art par col l n c man me may mar jun jul sat sun mass ill in ass wash miss fed mo id dist
        gen ref reg rep per sons ma pa is via ore inn""",
    ending="etc a.m p.m",
    between="v",
    divisions="Vol vol VOL Ch ch CH Chap chap CHAP Fig FIG Bk Pt",
    either="""nos vol vols p pp pg ch chap figs pt ll fol bk St Sts Jr Sr Inc Ltd Co Corp Bros Ave Rd Blvd Esq Ph.D
        M.D B.A M.A B.C A.D B.C.E C.E D.C U.S U.S.A U.K Jan Feb Apr Aug Sept Oct Nov Dec et.al al""",
    starters="""I A An The This That These Those There Then Thus He She It They We You His Her Its Their Our My Your And
        But Or Nor So Yet For If When While What Who Whom Whose Where Why How Which Yes No Not Now As At In On Of To By
        From With After Before Because Although Though Once Since Until All Both Each Every Some Many Most Few One
        Another Here Perhaps Even Only Such Still Never Nothing Nobody Everyone Everything Let Did Do Does Had Has Have
        Is Was Were Are Would Could Should Will Can Oh Well Just Meanwhile However Today Tomorrow Yesterday""",
    says="""said says asked asks cried replied answered exclaimed shouted whispered called screamed inquired enquired
        demanded returned repeated added began continued muttered murmured observed remarked thought yelled
        interrupted""",
)
_FRENCH = _language(
    joined="""M MM Mme Mmes Mlle Mlles Mgr Mr Mrs Ms Dr Drs Pr Prof prof Me St Ste Sts cf p.ex c.-à-d c.à.d av apr env
        ca vs éd dir trad ill""",
    numbered="no n° t h art al col f ann ex inf masc sing sup lib contr ms in",
    ending="etc",
    either="""vol p pp chap ch fig sect Cie J.-C J.C A.D N.B S.M S.A U.R.S.S U.S.A janv févr avr juil sept oct nov déc
        suiv""",
    starters="""Le La Les L Un Une Des Du De Ce Cet Cette Ces C Il Elle Ils Elles On Je Tu Nous Vous J Son Sa Ses Mon Ma
        Mes Ton Ta Tes Notre Nos Votre Vos Leur Leurs Et Mais Ou Donc Or Ni Car Puis Alors Ainsi Après Avant Quand Si
        Comme Que Qui Quoi Où Pourquoi Comment En Dans Sur Sous Pour Par Avec Sans Oui Non Ne Tout Toute Tous Toutes
        Rien Personne Enfin Voilà Voici À Au Aux Aussi Pourtant Cependant Peut Quel Quelle D S Là Maintenant""",
)
_GERMAN = _language(
    joined="""Dr Prof Hr Hrn Fr Frl St Sr Mag Ing Dipl Dipl.-Ing med phil jur Gebr Mr Mrs z.B d.h u.a i.d.R s.o s.u v.a
        bzw ca vgl evtl ggf inkl exkl zzgl bzgl sog geb gest verh allg bes insb Abt Tel Fa Hl hl u.U i.e o.g
        z.T z.Zt""",
    numbered="""Art Vers art gen sog ist rep rev op in sa mag man me sen nun bes ob""",
    ending="usw etc u.s.w usf u.ä u.dgl",
    either="""S Nr Nrn Bd Bde Kap Abb Abs Ziff Tab Anm Aufl v.Chr n.Chr Chr Jan Febr Feb Apr Aug Sept Okt Nov Dez Jh
        Jhdt Str Co GmbH AG""",
    starters="""Der Die Das Den Dem Des Ein Eine Einen Einem Einer Er Sie Es Ich Du Wir Ihr Man Mein Meine Sein Seine
        Ihre Unser Dieser Diese Dieses Und Aber Oder Denn Doch Dann Da So Nun Als Wenn Weil Ob Wie Was Wer Wo Warum Wann
        In Im An Am Auf Aus Bei Beim Mit Nach Von Vom Vor Zu Zum Zur Für Durch Über Unter Um Ohne Gegen Bis Seit Nicht
        Nichts Niemand Alle Alles Jeder Jede Noch Schon Auch Nur Ja Nein Hier Dort Jetzt Heute Gestern Morgen Danach
        Damals Dabei Dazu Darauf Daher Deshalb Trotzdem Vielleicht Endlich Plötzlich Kein Keine Sogar Sofort Später""",
    ordinals=True,
)
_SPANISH = _language(
    joined="""Sr Sra Srta Sres Sras Srtas Mr Mrs Ms Dr Dra Dres D Dña Da Prof Profa Lic Ing Gral Cap Cnel Tte Sto Sta
        Fr Mons Excmo Excma Ud Uds Vd Vds EE p.ej cf vs aprox Pbro""",
    numbered="""no art fig t sobre con para bien entre cuando mar sed don mini as bis auto co com contra des dom fin
        id in inter intro jun jul let mono un una vol ex extra super vice vid pos post pre pro uni sub tri trans tras
        bi di sig a de o y e me te se la lo le mi tu su""",
    ending="etc",
    either="""núm núms n° pág págs p pp vol cap tel av avda a.C d.C a.m p.m S.A EE.UU JJ.OO RR.HH ene feb abr ago
        sept oct nov dic Cía""",
    starters="""El La Los Las Lo Un Una Unos Unas Él Ella Ellos Ellas Yo Tú Nosotros Usted Ustedes Este Esta Estos Estas
        Ese Esa Eso Aquel Aquella Su Sus Mi Mis Tu Tus Nuestro Y E O U Pero Mas Sino Porque Pues Que Qué Quién Cómo
        Cuándo Cuando Dónde Donde Si Sí No Ni Nunca Nada Nadie Todo Toda Todos Todas En De Del Al A Con Sin Por Para
        Sobre Entre Desde Hasta Tras Ante Después Luego Entonces Ahora Así Aunque Como También Tampoco Era Había Es Hay
        Se Le Les Me Te Nos Muy Más Ya Aquí Allí Quizá Quizás Otro Otra Cada Mientras""",
)
_ITALIAN = _language(
    joined="""Sig Sigg Sig.ra Sig.na Sigg.ri Dott Dott.ssa Dr Prof Prof.ssa Avv Ing Arch Geom Rag On Mons S SS Gen Col
        Cap Ten Spett Egr Gent Ill cfr cf vs ca p.es ad.es""",
    numbered="""no art par la lo si via come con di da in su per tra fra sole mare amare ed or un al che me te se ne
        voi noi lui lei ala alla sai fai vai dai stai sa fa va do so sto ho ha hai più mai ora bar gas re tu io mi ti
        ci vi bene male fine mano pane sera vero casa caro sempre seco pro ancor pie dir far dar star tal qual nato
        san lega edge fu seta rosa nodo rete""",
    ending="ecc etc",
    either="""n nn pag pagg p pp vol cap artt fig tel tab a.C d.C a.m p.m S.p.A S.r.l U.S.A gen febbr sett ott nov dic
        Co""",
    starters="""Il Lo La I Gli Le L Un Uno Una Egli Ella Lui Lei Loro Io Tu Noi Voi Essi Questo Questa Questi Queste
        Quel Quello Quella Quei Suo Sua Suoi Mio Mia E Ed O Ma Però Perché Poiché Che Chi Cosa Come Quando Dove Se Sì
        No Non Né Mai Nulla Niente Nessuno Tutto Tutta Tutti Tutte In Nel Nella Di Del Della Da Dal Al Alla A Con
        Senza Per Su Sul Sulla Tra Fra Dopo Poi Allora Ora Adesso Così Anche Neppure Era Aveva È C Si Gli Mi Ti Ci Vi
        Più Già Qui Là Forse Ogni Mentre Intanto""",
)
_RUSSIAN = _language(
    joined="т.е см ср св им ул проф акад тов гр напр кн ген",
    ending="т.д т.п др пр",
    either="№ стр с т гл рис п пп ст г гг в вв н.э руб коп тыс млн млрд",
    starters="""Я Ты Он Она Оно Мы Вы Они Это Этот Эта Эти Тот Та Те И А Но Или Да Нет Не Ни В Во На С Со К Ко По За Из
        От До У О Об Для Без При Под Над Что Кто Как Где Когда Куда Почему Зачем Если Так Там Тут Здесь Тогда Потом
        Теперь Уже Ещё Еще Все Всё Вот Только Его Её Ее Их Мой Моя Наш Был Была Было Были После Однако Никто Ничего""",
)
NONE = Language()
LANGUAGES = {"en": _ENGLISH, "fr": _FRENCH, "de": _GERMAN, "es": _SPANISH, "it": _ITALIAN, "ru": _RUSSIAN}
