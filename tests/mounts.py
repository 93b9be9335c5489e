"""One folder mounted by several sshfs clients, each with caches of its own, as several machines would have them."""

import hashlib
import os
import random
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import require, wait_until
from tests.stores import directory_store

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
OPTIONS = "passive,direct_io,dir_cache=no,attr_timeout=0"
"""Passive: SFTP is spoken over stdin and stdout, so that no sshd is needed. The others are those of docs/servers.md:
without them sshfs reads a new file up to the length that the one before it had."""
FORBIDDEN = ("device not found", "not permitted", "denied")
"""What sshfs says where it may not mount."""
OBJECTS = tuple(f"parts/{number:02}/object" for number in range(3))


@contextmanager
def mounted(folder: Path, where: Path) -> Iterator[Path]:
    """Mount a folder until the block ends; skip the test where this user or machine may not mount anything."""
    require("sshfs")
    require(SFTP_SERVER)
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("there is no /dev/fuse here that this user may open")
    where.mkdir()
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as log:
        server = subprocess.Popen([SFTP_SERVER], stdin=theirs, stdout=theirs)
        command = ["sshfs", f":{folder}", str(where), "-o", OPTIONS]
        client = subprocess.Popen(command, stdin=ours, stdout=ours, stderr=log)
        ours.close()
        theirs.close()
        try:
            wait_until(lambda: os.path.ismount(where) or client.poll() is not None)
            if client.poll() is not None:
                log.seek(0)
                said = log.read().decode().strip()
                (pytest.skip if any(words in said for words in FORBIDDEN) else pytest.fail)(f"sshfs: {said}")
            yield where
        finally:
            client.terminate()
            client.wait(30)
            server.wait(30)


def content(writer: str, generator: random.Random) -> bytes:
    """Return a new object of up to a megabyte: its checksum, who made it, and noise."""
    said = f"{writer} ".encode() + generator.randbytes(generator.randrange(1 << 20))
    return hashlib.sha256(said).digest() + said


def maker(data: bytes) -> str:
    """Return who made an object; it must be whole."""
    checksum, said = data[:32], data[32:]
    assert hashlib.sha256(said).digest() == checksum, f"{len(data)} bytes of no object, beginning with {data[:40]!r}"
    return said.partition(b" ")[0].decode()


def write(root: Path, writer: str, finished: Path) -> int:
    """Put all objects again and again, from memory and from files, until a file is there; return how often."""
    store = directory_store(root)
    generator = random.Random(writer)
    puts = 0
    with tempfile.NamedTemporaryFile() as file:
        while not finished.exists():
            for key in OBJECTS:
                data = content(writer, generator)
                if puts % 2:
                    Path(file.name).write_bytes(data)
                    store.put_file(key, Path(file.name))
                else:
                    store.put(key, data)
                puts += 1
    return puts


def read(root: Path, scratch: Path, times: int) -> set[str]:
    """Read all objects so many times, as bytes and into files, and return who has made them; each must be whole."""
    store = directory_store(root)
    makers = set()
    for number in range(times):
        for key in OBJECTS:
            if number % 2:
                store.get_file(key, scratch)
                makers.add(maker(scratch.read_bytes()))
            else:
                makers.add(maker(store.get(key)))
            folder, _, name = key.rpartition("/")
            listed = list(store.list(f"{folder}/"))
            assert listed == [f"{folder}/{name}"], listed
    return makers
