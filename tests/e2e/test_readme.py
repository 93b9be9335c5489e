"""The commands of the README's section "Try it", taken from its text and followed in turn, as a reader does.

They run in a copy of the working tree with a home of its own. The environment in .venv is the one that the tests run
in: it was made by the same Makefile of the same requirements, and to make it again would only measure the network.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.local.stack import Stack
from samples import pack
from tests.processes import running_in
from tests.servers import ROOT, require

NOT_HERE = {
    "--engine xtts": "speaks with XTTSv2, which takes a GPU and 5 GB",
    "make test": "would begin all tests again",
}
CACHE = os.environ.get("E2A_CACHE", str(Path.home() / ".cache/e2a"))


def commands() -> list[str]:
    """Return the commands of the section: the lines of its code blocks, with their comments."""
    section = re.search(r"^## Try it$(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert section
    return re.findall(r"^    (\S.*)$", section[1], re.MULTILINE)


class Reader(NamedTuple):
    """Somebody who has cloned the repository."""

    clone: Path
    home: Path

    def follow(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Type a command in a shell."""
        own = ("E2A_", "MAKE", "MFLAGS")
        env = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        env |= {"HOME": str(self.home), "E2A_CACHE": CACHE, "PYTHONPATH": str(self.clone)}
        return subprocess.run(
            ["bash", "-c", command], cwd=self.clone, env=env, capture_output=True, text=True, check=False, timeout=300
        )

    def audiobooks(self) -> list[Path]:
        """Return all audiobooks that there are."""
        return [
            path for folder in (self.clone, self.home) for path in folder.rglob("*.m4b") if ".e2a" not in path.parts
        ]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Return a reader for whom nothing keeps running in the end."""
    require("git")
    folder = tmp_path_factory.mktemp("readme")
    made = Reader(folder / "e2a", folder / "home")
    made.home.mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (made.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, made.clone / name)
    (made.clone / ".venv").symlink_to(sys.prefix)
    try:
        yield made
    finally:
        left = running_in(made.clone / ".e2a")
        Stack(made.clone / ".e2a").stop()
        assert left == []


@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_command_of_the_readme(reader: Reader, command: str) -> None:
    """A reader who types it is told that it worked, and has an audiobook where one is promised."""
    for mark, reason in NOT_HERE.items():
        if mark in command:
            pytest.skip(reason)
    if "STORAGE=minio" in command and not any(Path(CACHE).glob("minio-*")):
        require("go")
    for book in re.findall(r"BOOK=(\S+)", command):
        (reader.clone / book).parent.mkdir(parents=True, exist_ok=True)
        pack.pack(pack.BOOK, reader.clone / book)
    for old in reader.audiobooks():
        old.unlink()
    result = reader.follow(command)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(reader.audiobooks()) == command.startswith("make audiobook")


def test_what_cannot_be_followed_is_there() -> None:
    """Each command that is left out is still one of the README's."""
    assert all(any(mark in command for command in commands()) for mark in NOT_HERE)
