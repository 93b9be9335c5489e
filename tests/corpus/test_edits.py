"""A real book that was edited: what of it is made anew."""

import random
import re
import zipfile
from pathlib import Path

from e2a.plan import Plan
from producer import ingest
from producer.ingest import Options

EDITS = 20


def planned(path: Path) -> Plan:
    return ingest.prepare(path, Options(engine="espeak")).plan


def edit(source: Path, target: Path, document: str, chance: random.Random) -> Path:
    """Write a copy of a book in which one word of a document is another, shorter or longer one."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == document:
                head, body = content.decode().split("<body", 1)
                word = chance.choice(list(re.finditer("(?<=[a-z] )[a-z]{3,9}(?= [a-z])", body)))
                other = "".join(chance.choices("aeioulnrst", k=chance.randint(2, 12)))
                content = f"{head}<body{body[: word.start()]}{other}{body[word.end() :]}".encode()
            new.writestr(info, content)
    return target


def test_one_word(epubs: Path, tmp_path: Path) -> None:
    """After each of 20 edits of a word anywhere in a book, only the part that it is in is made anew."""
    path = epubs / "gutenberg/alice-in-wonderland.epub"
    whole = planned(path)
    there = {part.digest for part in whole.parts}
    remade = []
    for seed in range(EDITS):
        chance = random.Random(seed)
        source = chance.choice(whole.parts).sentences[0].source
        assert source
        edited = planned(edit(path, tmp_path / "edited.epub", whole.documents[source.document], chance))
        assert len(edited.parts) == len(whole.parts) == 35
        remade.append(sum(part.digest not in there for part in edited.parts))
    assert remade == [1] * EDITS
