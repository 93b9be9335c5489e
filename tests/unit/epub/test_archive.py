"""The container: names as they are found, damage as it is told, limits as they hold."""

import re
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from e2a.errors import ExitCode, UserError
from producer.epub import archive
from producer.epub.archive import Archive, Damaged, Oversized, open_archive
from tests.unit.books import zip_file

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
AES = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
OPF = "application/oebps-package+xml"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.epub"


def found(path: Path, member: str, name: str) -> str | None:
    """Return what a name finds in a zip of one file."""
    with open_archive(zip_file(path, {member: "content"})) as opened:
        return opened.find(name)


def refusal(path: Path) -> UserError:
    """Return the error that opening ends with: one line that names the file."""
    with pytest.raises(UserError) as caught:
        open_archive(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return caught.value


def patched(path: Path, signature: bytes, offset: int, value: bytes) -> Path:
    """Overwrite a field in each header of a kind in a zip."""
    whole = bytearray(path.read_bytes())
    for header in re.finditer(re.escape(signature), bytes(whole)):
        start = header.start() + offset
        whole[start : start + len(value)] = value
    path.write_bytes(whole)
    return path


def local(path: Path, offset: int, value: bytes) -> Path:
    """Overwrite a field before each file."""
    return patched(path, b"PK\x03\x04", offset, value)


def central(path: Path, offset: int, value: bytes) -> Path:
    """Overwrite a field in each line of the list of files."""
    return patched(path, b"PK\x01\x02", offset, value)


def damage(path: Path) -> str:
    """Return why the only file of a zip cannot be read."""
    with open_archive(path) as opened, pytest.raises(Damaged) as caught:
        opened.read(opened.names[0])
    assert caught.value.name == opened.names[0]
    assert opened.bytes_read == 0
    return caught.value.reason


def container(*rootfiles: tuple[str, str]) -> str:
    """Return a container file that names packages by media type and path."""
    lines = "".join(f'<rootfile media-type="{kind}" full-path="{path}"/>' for kind, path in rootfiles)
    return (
        f'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>{lines}</rootfiles></container>'
    )


def encryption(algorithm: str, *links: str) -> str:
    """Return a list of what is encrypted."""
    data = "".join(
        f'<e:EncryptedData><e:EncryptionMethod Algorithm="{algorithm}"/><e:CipherData><e:CipherReference URI="{link}"/>'
        "</e:CipherData></e:EncryptedData>"
        for link in links
    )
    return f'<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#">{data}</encryption>'


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("OEBPS/c1.xhtml", "OEBPS/c1.xhtml"),
        ("OEBPS/chapter one.xhtml", "OEBPS/chapter%20one.xhtml"),
        ("OEBPS/chapter%20one.xhtml", "OEBPS/chapter one.xhtml"),
        ("OEBPS/100%.xhtml", "OEBPS/100%.xhtml"),
        ("OEBPS\\c1.xhtml", "OEBPS/c1.xhtml"),
        ("OEBPS/c1.xhtml", "OEBPS\\c1.xhtml"),
        ("OEBPS/caf\u00e9.xhtml", "OEBPS/cafe\u0301.xhtml"),
        ("OEBPS/cafe\u0301.xhtml", "OEBPS/caf\u00e9.xhtml"),
        ("OEBPS/C1.XHTML", "oebps/c1.xhtml"),
        ("OEBPS/c1.xhtml", "OEBPS/text/.././c1.xhtml"),
        ("./OEBPS/c1.xhtml", "OEBPS/c1.xhtml"),
        ("/OEBPS/c1.xhtml", "OEBPS/c1.xhtml"),
        ("OEBPS/CAF\u00c9 1.xhtml", "OEBPS/cafe\u0301%201.xhtml"),
    ],
)
def test_names_that_mean_a_file(path: Path, member: str, name: str) -> None:
    """A file is found however its name is encoded, composed, cased or led to."""
    with open_archive(zip_file(path, {member: "content", "other": "other"})) as opened:
        assert opened.find(name) == opened.names[0]
        assert opened.read(name) == b"content"


@pytest.mark.parametrize("name", ["none", "", ".", "..", "../c1", "OEBPS/../../c1", "/c1", "..%2fc1", "\\c1", "c1/x"])
def test_names_that_mean_none(path: Path, name: str) -> None:
    """What leads out of the container, or is absolute, means nothing in it."""
    assert found(path, "c1", name) is None


def test_names_that_leave_the_container(path: Path) -> None:
    """A file of a zip that claims a place outside the container is not in it."""
    with open_archive(zip_file(path, {"../../etc/passwd": "x", "a/../../b": "x", "a/../c": "x"})) as opened:
        assert opened.names == ("c",)
        assert opened.find("../../etc/passwd") is None


def test_case_that_is_ambiguous(path: Path) -> None:
    """Of two files that differ in case alone, only the exact name finds one."""
    with open_archive(zip_file(path, {"a.xhtml": "1", "A.xhtml": "2"})) as opened:
        assert (opened.find("A.xhtml"), opened.find("A.XHTML")) == ("A.xhtml", None)


def test_junk(path: Path) -> None:
    """What a Mac leaves in a zip, and folders, are no files of the book."""
    names = ["__MACOSX/._c1.xhtml", "__MACOSX/x", "a/.DS_Store", "a/._c1.xhtml", "a/", "c1.xhtml", "a.DS_Store"]
    with open_archive(zip_file(path, dict.fromkeys(names, ""))) as opened:
        assert opened.names == ("c1.xhtml", "a.DS_Store")


def test_names_that_are_not_said_to_be_utf_8(path: Path) -> None:
    """Names in UTF-8 without the flag that says so, as a Mac writes, are read as what they are."""
    zip_file(path, {"\u4e00\u4e8c.xhtml": "content"})
    with open_archive(central(local(path, 6, b"\0\0"), 8, b"\0\0")) as opened:
        assert opened.names == ("\u4e00\u4e8c.xhtml",)
        assert opened.read("\u4e00\u4e8c.xhtml") == b"content"


def test_wrapped_in_a_folder(path: Path) -> None:
    """Names are relative to the folder that META-INF is in."""
    with open_archive(zip_file(path, {f"Emma/{CONTAINER}": "", "Emma/c1.xhtml": "1", "other": "2"})) as opened:
        assert opened.names == (CONTAINER, "c1.xhtml")
        assert opened.read("c1.xhtml") == b"1"


def test_name_that_only_ends_like_a_container(path: Path) -> None:
    """Part of a file's name is no folder."""
    with open_archive(zip_file(path, {f"NOT{CONTAINER}": ""})) as opened:
        assert opened.names == (f"NOT{CONTAINER}",)


@pytest.mark.parametrize("second", [CONTAINER, f"B/{CONTAINER}"])
def test_wrapped_in_one_of_several_folders(path: Path, second: str) -> None:
    """A container in the usual place counts alone; of several elsewhere none is chosen."""
    with open_archive(zip_file(path, {f"A/{CONTAINER}": "", second: "", f"NOT{CONTAINER}": ""})) as opened:
        assert opened.names == (f"A/{CONTAINER}", second, f"NOT{CONTAINER}")


def test_missing_file(path: Path) -> None:
    """A file that is not there is told from one that is damaged."""
    with open_archive(zip_file(path, {"a": ""})) as opened, pytest.raises(KeyError):
        opened.read("b")


def test_damaged_content(path: Path) -> None:
    """A wrong checksum, broken compression, a false place and a cut are told apart."""
    text = bytes(range(256)) * 40
    zip_file(path, {"a": text})
    assert damage(central(path, 16, b"\0\0\0\0")) == "its checksum is wrong"
    assert damage(local(zip_file(path, {"a": text}), 31, b"\xff" * 40)) == "its compressed data are damaged"
    assert damage(local(zip_file(path, {"a": text}), 30, b"b")) == "its place in the zip is damaged"
    assert (
        damage(central(zip_file(path, {"a": text}), 42, struct.pack("<I", 10**9))) == "its place in the zip is damaged"
    )
    assert damage(central(zip_file(path, {"a": text}), 24, struct.pack("<I", 10))) == "its checksum is wrong"
    cut = central(zip_file(path, {"a": text}), 20, struct.pack("<I", 50))
    assert damage(cut) in {"it is cut short", "its checksum is wrong"}


@pytest.mark.parametrize(
    "error",
    [
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        OverflowError,
        UnicodeError,
        EOFError,
        OSError,
    ],
)
def test_whatever_goes_wrong_in_a_zip(path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """All that zipfile raises means damage, at opening and at reading."""

    def broken(*_arguments: object) -> None:
        raise error

    zip_file(path, {"a": "x"})
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "open", broken)
        assert damage(path).startswith("its " if error is not EOFError else "it is cut short")
    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", broken)
    assert refusal(path).code == ExitCode.BAD_INPUT


def test_length_that_is_a_lie(path: Path) -> None:
    """A file that declares to be longer than it is is read, if its checksum is right."""
    zip_file(path, {"a": "content"})
    with open_archive(central(path, 24, struct.pack("<I", 10**6))) as opened:
        assert opened.read("a") == b"content"


def test_content_that_no_epub_may_have(path: Path) -> None:
    """A file that is encrypted by the zip, or packed in another way than EPUB allows, is not read."""
    assert damage(central(zip_file(path, {"a": "x"}), 8, b"\1\0")) == "it is encrypted"
    assert "method 14" in damage(central(zip_file(path, {"a": "x"}), 10, b"\x0e\0"))


def test_limit_on_one_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is unpacked up to a size and not beyond, by what the zip declares."""
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 2**20)
    with open_archive(zip_file(path, {"fits": bytes(2**20), "beyond": bytes(2**20 + 1)})) as opened:
        assert len(opened.read("fits")) == 2**20
        with pytest.raises(Oversized) as caught:
            opened.read("beyond")
    assert str(caught.value) == "beyond: it unpacks to more than 1 MiB"


def test_limit_on_what_is_not_declared(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that declares less than it holds is counted while it is unpacked."""
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 2**20)
    with open_archive(zip_file(path, {"a": bytes(2**21)})) as opened:
        monkeypatch.setattr(Archive, "_check_size", counting(checks := [], Archive._check_size))
        monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 2**22)
        opened.read("a")
    assert checks[0] == 2**21
    assert checks[1] <= 2**16
    assert checks[-1] == 2**21


def counting(checks: list[int], check: object) -> object:
    """Return the check of sizes that also notes what it is asked."""

    def noted(self: Archive, name: str, member: zipfile.ZipInfo, size: int) -> None:
        checks.append(size)
        check(self, name, member, size)  # type: ignore[operator]

    return noted


def test_limit_on_compression(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may pack as well as it can while it is small, and as text does when it is not."""
    assert len(bytes(2**20)) < archive.RATIO_FREE_BYTES
    with open_archive(zip_file(path, {"small": bytes(2**20), "bomb": bytes(2**23)})) as opened:
        assert opened.read("small") == bytes(2**20)
        with pytest.raises(Oversized, match="bomb: it unpacks to more than 200 times its size"):
            opened.read("bomb")
        assert opened.bytes_read == 2**20


def test_many_small_bombs(path: Path) -> None:
    """Files that each stay below the limit pass it together."""
    names = [f"{number}.xhtml" for number in range(5)]
    with open_archive(zip_file(path, dict.fromkeys(names, bytes(2**20)))) as opened:
        for name in names[:4]:
            opened.read(name)
        with pytest.raises(Oversized, match="more than 200 times its size"):
            opened.read(names[4])


def test_limit_on_all_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is read counts, and what is not read does not."""
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 2**20)
    with open_archive(zip_file(path, {"a": bytes(2**19), "b": bytes(2**19), "c": b"x", "d": bytes(2**22)})) as opened:
        opened.read("a")
        opened.read("b")
        assert opened.bytes_read == 2**20
        with pytest.raises(Oversized, match="c: with it more than 1 MiB would be unpacked"):
            opened.read("c")


def test_limit_on_the_number_of_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip of more files than any book has is not opened, nor is its list of them read when that is as long."""
    zip_file(path, dict.fromkeys("abcd", ""))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    assert "more than 20,000 files" in str(refusal(path))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 4)
    with open_archive(path) as opened:
        assert len(opened.names) == 4
    monkeypatch.setattr(archive, "_DIRECTORY_BYTES", 150)
    assert "more than 20,000 files" in str(refusal(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"\xef\xbb\xbf\n<HTML>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"{\\rtf1", "RTF"),
        (b"\0" * 60 + b"BOOKMOBI", "Kindle"),
        (b"BOOKMOBI", "no zip file"),
        (b"PK\x03\x04" + b"\0" * 100, "cut short"),
        (b"PK\x05\x06" + b"\xff" * 18, "damaged"),
    ],
)
def test_file_that_is_no_zip(path: Path, content: bytes, reason: str) -> None:
    """A file that is no zip is refused, and called what it seems to be."""
    path.write_bytes(content)
    assert refusal(path).code == ExitCode.BAD_INPUT
    assert reason in str(refusal(path))


def test_zip_with_a_damaged_list(path: Path) -> None:
    """A list of files that cannot be read is told from a zip that is none."""
    for offset, value in ((0, b"X"), (6, b"\xff\xff"), (30, b"\xff\xff"), (46, b"\xff")):
        zip_file(path, {"\u00e9": "x", "b": "y"})
        assert "the list of files in the zip is damaged" in str(refusal(central(path, offset, value)))


@pytest.mark.parametrize("name", ["none.epub", "folder", "no/such/folder"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is a folder, is told from one that cannot be read."""
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path / name).code == ExitCode.NO_INPUT


def test_file_that_the_system_does_not_give(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says of a file that it cannot read is passed on."""

    def denied(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    zip_file(path, {"a": ""})
    monkeypatch.setattr(archive, "_BoundedFile", denied)
    assert str(refusal(path)) == f"{path}: cannot be read: Permission denied"


def test_paths() -> None:
    """A path is what it leads to; one that leads out of the container is none."""
    assert [archive.normal_path(path) for path in ("a\\b/../c", "./a", "/a", "..", "a/../..", ".", "")] == [
        "a/c",
        "a",
        *[""] * 5,
    ]


def test_lines_for_the_terminal() -> None:
    """Names in a file cannot break a line, or tell the terminal to do anything."""
    assert archive.one_line("a\nb\x1b[2J\u202e \u00e9") == "a b\ufffd[2J\ufffd \u00e9"


def packages(path: Path, content: str) -> list[str]:
    """Return the packages that a container file names, of those that are there."""
    files = {CONTAINER: content, "first.opf": "", "second.opf": "", "x.pdf": ""}
    with open_archive(zip_file(path, files)) as opened:
        return archive.rootfiles(opened)


def test_first_package_of_its_type(path: Path) -> None:
    """Of several renditions the first package counts; of those of other types, the first of them all."""
    assert packages(path, container((OPF, "second.opf"), (OPF, "first.opf")))[0] == "second.opf"
    assert packages(path, container(("application/pdf", "x.pdf"), (OPF, "first.opf")))[0] == "first.opf"
    assert packages(path, container(("", "second.opf"), ("x", "first.opf")))[0] == "second.opf"
    assert packages(path, container((OPF, "none.opf"), (OPF, "FIRST.opf"))) == ["first.opf"]


@pytest.mark.parametrize("content", ["", "<container/>", "<rootfile/>", "no markup", "<rootfile full-path=''/>"])
def test_container_that_names_none(path: Path, content: str) -> None:
    """A container file that is damaged names nothing."""
    assert packages(path, content) == []


def test_no_container(path: Path) -> None:
    """No container file names nothing, and neither does one that cannot be unpacked."""
    with open_archive(zip_file(path, {"first.opf": ""})) as opened:
        assert archive.rootfiles(opened) == []
    zip_file(path, {CONTAINER: container((OPF, CONTAINER))})
    with open_archive(central(path, 16, b"\0\0\0\0")) as opened:
        assert archive.rootfiles(opened) == []


def test_encrypted_files(path: Path) -> None:
    """What needs a key is named as it is in the zip; fonts that are only obfuscated, and what is not there, are not."""
    obfuscation = "http://www.idpf.org/2008/embedding"
    files = {ENCRYPTION: encryption(AES, "O/a%20b", "O/none"), "O/a b": "", "O/f.otf": ""}
    with open_archive(zip_file(path, files)) as opened:
        assert archive.encrypted(opened) == {"O/a b"}
    for algorithm in (obfuscation, "http://ns.adobe.com/pdf/enc#RC"):
        with open_archive(zip_file(path, files | {ENCRYPTION: encryption(algorithm, "O/f.otf")})) as opened:
            assert archive.encrypted(opened) == frozenset()


@pytest.mark.parametrize(
    ("sign", "scheme"),
    [
        ("META-INF/rights.xml", "Adobe ADEPT"),
        ("META-INF/license.lcpl", "Readium LCP"),
        ("META-INF/sinf.xml", "Apple FairPlay"),
        ("META-INF/com.apple.ibooks.xml", ""),
    ],
)
def test_protection(path: Path, sign: str, scheme: str) -> None:
    """A scheme is known by the file that it leaves."""
    with open_archive(zip_file(path, {sign: ""})) as opened:
        assert archive.protection(opened) == scheme
