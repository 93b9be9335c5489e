"""EPUBs damaged in every way that files are: bytes, names, markup, and what the files say of each other."""

import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

_WORDS = (
    b"&nbsp; &x; &#0; &#xD800; ]]> <![CDATA[ <!-- --> <?x ?> <p> </p> <title/> <script/> <br> <td> <svg> <nav> <li> "
    b"<a href='#x'> \x00 \xff\xfe \xef\xbb\xbf \xe2\x80 \xc3\xa9 <!DOCTYPE html [<!ENTITY x '&x;'>]> <h1></h1> "
    b"[pause:5] 1e999"
).split(b" ")
_ATTRIBUTE = re.compile(rb'(href|id|idref|src|media-type|properties|epub:type|full-path|linear|toc)="([^"]*)"')
_TAG = re.compile(rb"<[^<>]*>")

Mutation = Callable[[random.Random, bytes], bytes]


def mutate(source: Path, target: Path, seed: int) -> str:
    """Write a damaged copy of an EPUB, always the same for the same seed, and return what was done to it."""
    chance = random.Random(seed)
    done: list[str] = []
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(chance.randint(1, 4)):
        name = chance.choice([each for each in members if each.endswith(("ml", "opf", "ncx"))] or list(members))
        mutation = chance.choice([_bytes, _cut, _insert, _drop_tag, _double, _swap_attributes, _empty, _repeat])
        members[name] = mutation(chance, members[name])
        done.append(f"{mutation.__name__} {name}")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    if chance.random() < 0.2:
        target.write_bytes(_bytes(chance, target.read_bytes()))
        done.append("bytes of the zip")
    return ", ".join(done)


def _bytes(chance: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 8) if damaged else 0):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged)


def _cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randint(0, len(content))]


def _insert(chance: random.Random, content: bytes) -> bytes:
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice(_WORDS) * chance.choice((1, 1, 3, 500)) + content[place:]


def _drop_tag(chance: random.Random, content: bytes) -> bytes:
    tags = list(_TAG.finditer(content))
    if not tags:
        return content
    tag = chance.choice(tags)
    return content[: tag.start()] + content[tag.end() :]


def _double(chance: random.Random, content: bytes) -> bytes:
    first, last = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:last] + content[first:]


def _swap_attributes(chance: random.Random, content: bytes) -> bytes:
    found = list(_ATTRIBUTE.finditer(content))
    if not found:
        return content
    old, new = chance.choice(found), chance.choice(found)
    return content[: old.start(2)] + new[2] + content[old.end(2) :]


def _empty(_chance: random.Random, _content: bytes) -> bytes:
    return b""


def _repeat(chance: random.Random, content: bytes) -> bytes:
    """Nest a tag deeply, or many times in a row."""
    tags = _TAG.findall(content)
    place = chance.randint(0, len(content))
    return content[:place] + (chance.choice(tags) if tags else b"<i>") * 3000 + content[place:]
