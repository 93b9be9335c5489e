"""Nouns and names by gender, and what they ask of a word before them: tables for `spoken`."""

FEMININE = {
    "de": frozenset(
        """Billion Familie Flasche Frage Frau Hand Karte Kirche Krone Mark Meile Milliarde Million Minute Mutter Nacht
        Person Sache Schwester Seite Sekunde Sprache Stadt Stimme Straße Stufe Stunde Tasse Tochter Tonne Tür
        Unze Woche Zeile""".split()
    ),
    "es": frozenset(
        """botella botellas cabeza cabezas calle calles cama camas carta cartas casa casas chica chicas cosa cosas
        familia familias fanega fanegas hectárea hectáreas hija hijas hoja hojas hora horas iglesia iglesias
        isla islas legua leguas letra letras libra libras línea líneas milla millas moneda monedas mujer
        mujeres muchacha muchachas niña niñas noche noches obra obras onza onzas oveja ovejas página páginas
        palabra palabras persona personas peseta pesetas piedra piedras plaza plazas puerta puertas pulgada
        pulgadas semana semanas silla sillas taza tazas tonelada toneladas vaca vacas vara varas ventana
        ventanas vez veces víctima víctimas yarda yardas""".split()
    ),
    "fr": frozenset(
        """année années bouteille bouteilles chambre chambres famille familles femme femmes feuille feuilles fille
        filles fois heure heures journée journées lettre lettres lieue lieues ligne lignes maison maisons minute
        minutes nuit nuits once onces page pages personne personnes pièce pièces place places porte portes rue
        rues seconde secondes semaine semaines tasse tasses tonne tonnes voix""".split()
    ),
    "it": frozenset(
        """bottiglia casa chiesa copia donna famiglia figlia finestra lettera libbra lira moglie notte pagina parola
        persona porta ragazza settimana sillaba sorella stanza sterlina tazza tonnellata volta""".split()
    ),
}
"""Common nouns, by language, that are counted with feminine numbers."""

ARTICLES = {
    "es": {"al": False, "del": False, "el": False, "la": True},
    "fr": {"au": False, "ce": False, "cette": True, "du": False, "la": True, "le": False},
    "it": {
        **dict.fromkeys("al col dal del il nel quel questo sul all' dall' dell' l' nell' quell' sull'".split(), False),
        **dict.fromkeys("alla dalla della la nella quella questa sulla".split(), True),
    },
}
"""Words before a noun in the singular, by language, and whether it is feminine."""

RANKED = {
    "der": "Akt Band Geburtstag Platz Rang Stock Tag Teil Weltkrieg",
    "die": "Armee Auflage Etage Klasse Reihe Stunde Szene Woche",
    "das": "Buch Jahr Jahrhundert Jahrtausend Kapitel Lebensjahr Mal Regiment Semester",
}
"""German nouns that are counted with ordinals, by article, even without one; months are masculine."""
OTHERS = {
    "der": """Abend Anlauf Bezirk Brief Gang Gast Grad Kandidat König Mann Mord Morgen Preis Präsident Roman Satz
        Schritt Schuss Sieg Sohn Stern Vers Versuch Vorsitzende Zug""",
    "die": """Ausgabe Dimension Division Ehe Etappe Fassung Folge Frage Frau Gruppe Hand Hälfte Instanz Karte Kompanie
        Liga Minute Nacht Person Phase Republik Runde Schicht Schwester Seite Sekunde Sinfonie Strophe Straße Stufe
        Symphonie Tochter Welle Welt Zeile""",
    "das": "Bataillon Bild Gebot Geschlecht Gesetz Glas Haus Kind Mädchen Opfer Rad Spiel Stadium Stück Tor",
}
"""German nouns that are so only after a word of the same group."""

SAINTS = (
    (
        "Sant'",
        """Agata Agnese Agostino Alessandro Alessio Alfonso Ambrogio Anastasia Andrea Angela Angelo Anna Anselmo
        Antonino Antonio Apollinare Apollonia Elena Elia Eligio Elisabetta Erasmo Eufemia Eusebio Eustachio Eustorgio
        Ignazio Ilario Ippolito Isidoro Ivo Omobono Onofrio Orsola Ubaldo Uffizio Urbano""",
    ),
    ("Santo ", "Padre Sepolcro Spirito Stefano"),
    (
        "Santa ",
        """Barbara Brigida Caterina Cecilia Chiara Cristina Croce Dorotea Felicita Francesca Giulia Giuliana Giustina
        Lucia Maddalena Margherita Maria Marina Marta Messa Monica Reparata Restituta Rita Rosa Rosalia Sabina
        Scolastica Sede Sofia Susanna Tecla Teresa Trinita Trinità Veronica Vittoria Zita""",
    ),
    (
        "San ",
        """Babila Bartolomeo Basilio Benedetto Bernardino Bernardo Biagio Bonaventura Bruno Callisto Candido Carlo
        Cipriano Clemente Cosimo Cristoforo Damiano Daniele Demetrio Domenico Donato Felice Ferdinando Filippo Francesco
        Frediano Gabriele Gaetano Gennaro Giacomo Gimignano Giorgio Giovanni Girolamo Giuliano Giuseppe Gregorio Lazzaro
        Leonardo Lorenzo Luca Luigi Marcello Marco Martino Matteo Maurizio Michele Miniato Nazaro Nicola Nicolò
        Pancrazio Pantaleone Paolo Pellegrino Petronio Pier Pietro Procolo Rocco Romualdo Salvatore Sebastiano Severino
        Silvestro Simeone Simone Siro Tommaso Valentino Venanzio Vincenzo Vitale Vito Vittore Zaccaria Zeno Zenone""",
    ),
)
"""What "S." is in Italian before a saint or what is called holy; before any other name it is an initial."""
