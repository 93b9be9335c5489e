"""Finding, licensing and loading models: what works, and that all that can be wrong with files is one line."""

import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import torch
from transformers.utils.hub import httpx

from e2a.errors import ExitCode, UserError
from e2a.settings import SynthSettings
from synth_consumer.engines.coqui import models
from tests.neural.tiny import VOICE, tiny_glow, tiny_xtts

CPU = torch.device("cpu")
VITS = "tts_models/en/ljspeech/vits"
XTTS = "tts_models/multilingual/multi-dataset/xtts_v2"
Change = Callable[[Path], object]


def find(model: object, *, accept_cpml: bool = True) -> models.Files:
    return models.find(str(model), accept_cpml=accept_cpml)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder where coqui-tts keeps its downloads; nothing is ever asked on standard input."""
    monkeypatch.setenv("TTS_HOME", str(tmp_path))
    monkeypatch.setattr("builtins.input", lambda _prompt: pytest.fail("asked on standard input"))
    return tmp_path / "tts"


def serve(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], bytes]) -> list[str]:
    """Let an answer stand for the network; return the addresses that are asked for, as they come."""
    asked: list[str] = []

    def get(url: str, **_options: object) -> requests.Response:
        asked.append(url)
        response = requests.Response()
        response.raw = io.BytesIO(answer())
        return response

    monkeypatch.setattr("TTS.utils.manage.requests.get", get)
    return asked


def unplugged() -> bytes:
    raise requests.ConnectionError("no route to host")


def zipped(folder: Path) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"{folder.name}/{path.name}")
    return target.getvalue()


def cut(name: str) -> Change:
    """Return a change that cuts a file of a model in half."""
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:1500])


def write(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text)


def save(value: object) -> Change:
    """Return a change that puts something else where the weights are."""
    return lambda folder: torch.save(value, folder / "model.pth")


def configure(args: dict[str, Any] | None = None, **fields: Any) -> Change:
    """Return a change of the config; `args` are those of the model."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config["model_args"] |= args or {}
        (folder / "config.json").write_text(json.dumps(config | fields))

    return change


def test_loads_a_folder_or_its_weights(vits_folder: Path) -> None:
    """A folder and the weights in it are the same model, loaded to be used and not to be trained."""
    by_folder, by_file = find(vits_folder), find(vits_folder / "model.pth")
    assert by_folder._replace(name="") == by_file._replace(name="")
    assert by_folder.kind == "vits"
    assert by_folder.languages == ("en",)
    synthesizer = models.load(by_folder, CPU)
    assert not any(module.training for module in synthesizer.modules())
    assert synthesizer.tts_model.speaker_manager.speaker_names == ["ann", "bob"]


def test_loads_xtts_with_its_voices(xtts_folder: Path) -> None:
    """XTTS finds its vocabulary and its voices in the folder, and is under its own licence wherever it came from."""
    files = find(xtts_folder)
    assert (files.kind, files.licence) == ("xtts", models.CPML)
    assert models.load(files, CPU).tts_model.speaker_manager.speaker_names == [VOICE]


def test_finds_a_vocoder_in_the_folder(tmp_path: Path) -> None:
    """A model of spectrograms brings its vocoder in a folder of that name, or has none."""
    with_vocoder, without = tiny_glow(tmp_path / "with"), tiny_glow(tmp_path / "without", vocoder=False)
    assert models.load(find(with_vocoder), CPU).vocoder_model is not None
    assert models.load(find(without), CPU).vocoder_model is None


def test_a_path_may_begin_with_a_tilde(vits_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home directory, also where no shell replaces it."""
    monkeypatch.setenv("HOME", str(vits_folder.parent))
    assert find(f"~/{vits_folder.name}").config == vits_folder / "config.json"


@pytest.mark.parametrize(
    ("named", "files", "reason"),
    [
        ("nowhere", (), "there is no .*/nowhere; it should be a folder with config.json and weights, or a name of"),
        ("xtts_v2", (), "such as tts_models/en/ljspeech/vits"),
        ("bare", ("bare/model.pth",), "there is no config.json in .*/bare"),
        ("empty", ("empty/config.json",), "there are no weights in .*/empty, such as model.pth"),
    ],
)
def test_names_what_is_not_there(
    named: str, files: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is missing or lacks something is a wrong setting; the message says what it should be, and where."""
    monkeypatch.chdir(tmp_path)
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(UserError, match=reason) as caught:
        find(named)
    assert caught.value.code == ExitCode.CONFIG


def test_a_path_that_coqui_would_misread_is_refused(vits_folder: Path, tmp_path: Path) -> None:
    """By its path alone it takes a VITS for a model of fairseq, and fails with what nobody could make sense of."""
    folder = shutil.copytree(vits_folder, tmp_path / "fairseq/vits")
    with pytest.raises(UserError, match="call it otherwise") as caught:
        find(folder)
    assert caught.value.code == ExitCode.CONFIG


@pytest.mark.parametrize("config", ["", '{"mod', "[]", "{}", '{"model": "opera"}', '{"model_type": "vits"}'])
def test_names_a_config_that_is_none(config: str, vits_folder: Path, tmp_path: Path) -> None:
    """A config that is cut short, empty or of another program is named."""
    folder = shutil.copytree(vits_folder, tmp_path / "model")
    write("config.json", config)(folder)
    with pytest.raises(UserError, match=f"{folder}/config.json: ") as caught:
        find(folder)
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize("model", ["vits", "xtts"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cut("model.pth"), "RuntimeError: PytorchStreamReader failed"),
        (write("model.pth", ""), "EOFError"),
        (write("model.pth", "version https://git-lfs.github.com/spec/v1"), "UnpicklingError"),
        (save({"weights": 1}), "KeyError: 'model'"),
        (save([1]), "TypeError"),
        (save({"model": Path("code")}), "UnpicklingError"),
        (configure(audio=None), "AttributeError"),
        (
            configure(args={"hidden_channels": 32, "gpt_n_model_channels": 128}),
            "RuntimeError: Error.* in loading state",
        ),
    ],
)
def test_names_weights_that_cannot_be_loaded(
    model: str, change: Change, reason: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Weights that are cut short, no weights, or of another size are an unusable model, said in one line."""
    folder = shutil.copytree(request.getfixturevalue(f"{model}_folder"), tmp_path / "model")
    change(folder)
    with pytest.raises(UserError, match=f"model '.*/model' cannot be loaded: {reason}") as caught:
        models.load(find(folder), CPU)
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "vocab.json").unlink(), "FileNotFoundError: `vocab.json` file not found"),
        (cut("vocab.json"), "JSONDecodeError"),
        (write("vocab.json", '{"a": 1}'), "ValueError: vocab.json is not a tokenizer"),
        (write("vocab.json", '{"model": {"[STOP]": 0}, "added_tokens": []}'), r"vocab.json has no token \[START\]"),
        (write("speakers_xtts.pth", "nobody"), ""),
    ],
)
def test_names_what_is_wrong_beside_the_weights_of_xtts(
    change: Change, reason: str, xtts_folder: Path, tmp_path: Path
) -> None:
    """A vocabulary or voices that cannot be used are an unusable model."""
    folder = shutil.copytree(xtts_folder, tmp_path / "model")
    change(folder)
    with pytest.raises(UserError, match=f"cannot be loaded: .*{reason}"):
        models.load(find(folder), CPU)


def test_names_a_config_that_contradicts_itself(vits_folder: Path, tmp_path: Path) -> None:
    """What coqui-tts asserts of a config, or misses, is said as it says it."""
    for change, reason in (
        (configure(args={"upsample_rates_decoder": [8, 8, 2]}), "AssertionError: .*Product of upsample rates"),
        (configure(use_phonemes=True, phonemizer="opera"), "ValueError: Phonemizer opera not found"),
        (configure(characters={"characters_class": "no_package.Letters"}), "ModuleNotFoundError: .*no_package"),
    ):
        folder = shutil.copytree(vits_folder, tmp_path / "model", dirs_exist_ok=True)
        change(folder)
        with pytest.raises(UserError, match=reason):
            models.load(find(folder), CPU)


def test_wants_the_licence_of_xtts_accepted(xtts_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XTTS from a folder or from the catalogue is refused until its licence is accepted, before anything is loaded."""
    asked = serve(monkeypatch, unplugged)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_args, **_options: pytest.fail("downloaded"))
    for model in (xtts_folder, XTTS):
        with pytest.raises(UserError, match="commercially.*E2A_ACCEPT_CPML=1 or --accept-cpml") as caught:
            find(model, accept_cpml=False)
        assert caught.value.code == ExitCode.CONFIG
    assert not asked


def test_downloads_xtts_without_a_question(xtts_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its licence is accepted here, coqui-tts does not ask for that on standard input."""
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_args, **_options: str(xtts_folder))
    files = find(XTTS)
    assert files.config == xtts_folder / "config.json"
    assert files.licence == models.CPML


def test_downloads_a_model_once(
    vits_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of the catalogue comes into coqui's cache with its licence, is loaded from there, and says nothing."""
    asked = serve(monkeypatch, lambda: zipped(vits_folder))
    files = find(VITS, accept_cpml=False)
    assert files == find(VITS)
    assert len(asked) == 1
    assert files.checkpoint.parent == cache / "tts_models--en--ljspeech--vits"
    assert files.licence == "apache 2.0"
    assert models.load(files, CPU).tts_model is not None
    assert capsys.readouterr().out == ""


def test_the_catalogue_knows_the_language(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose config names no language speaks that of its name."""
    folder = tiny_glow(tmp_path / "glow", vocoder=False)
    serve(monkeypatch, lambda: zipped(folder))
    assert find("tts_models/it/mai_female/glow-tts").languages == ("it",)


@pytest.mark.parametrize(
    ("answer", "reason"), [(unplugged, "ConnectionError: no route to host"), (lambda: b"<html>", "BadZipFile")]
)
def test_names_why_a_download_failed(
    answer: Callable[[], bytes], reason: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network, or with a wrong file, the reason is one line that also says what to clear away."""
    serve(monkeypatch, answer)
    with pytest.raises(
        UserError, match=f"cannot be downloaded: {reason}.*if {cache}/tts_models--en--lj.* delete it"
    ) as caught:
        find(VITS)
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_a_download_that_breaks_off_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of Hugging Face has errors of its own."""

    def cut_off(*_args: object, **_options: object) -> str:
        raise httpx.RemoteProtocolError("peer closed connection")

    monkeypatch.setattr("huggingface_hub.snapshot_download", cut_off)
    with pytest.raises(UserError, match="cannot be downloaded: RemoteProtocolError: peer closed connection"):
        find(XTTS)


def test_a_server_that_goes_silent_is_not_waited_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """coqui-tts itself sets no limit."""

    def request(_session: object, **options: object) -> requests.Response:
        assert options["timeout"] == models.STALLED
        raise requests.ReadTimeout("Read timed out.")

    monkeypatch.setattr("requests.sessions.Session.request", request)
    with pytest.raises(UserError, match="cannot be downloaded: ReadTimeout: Read timed out."):
        find(VITS)


def test_one_process_downloads_at_once(vits_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second worker would take the half that is there for the whole."""

    def answer() -> bytes:
        handle = os.open(cache, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        return zipped(vits_folder)

    asked = serve(monkeypatch, answer)
    find(VITS)
    find(VITS)
    assert len(asked) == 1


def test_models_of_fairseq_are_refused_before_they_are_downloaded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """coqui-tts would fetch one for any language, but says nothing of it that an engine could go by."""
    asked = serve(monkeypatch, unplugged)
    with pytest.raises(UserError, match=r"fairseq \(MMS\), without a config.*tts --list_models") as caught:
        find("tts_models/hin/fairseq/vits")
    assert caught.value.code == ExitCode.CONFIG
    assert not asked


@pytest.mark.parametrize("model", ["tts_models/en/ljspeech/opera", "tts_models/en", "tts_models/"])
def test_names_a_model_that_the_catalogue_lacks(model: str, cache: Path) -> None:
    """A name that is not in the catalogue is a wrong setting."""
    with pytest.raises(UserError, match=f"'{model}' is not in the catalogue") as caught:
        find(model)
    assert caught.value.code == ExitCode.CONFIG


def test_the_digest_is_of_what_decides_the_sound(xtts_folder: Path, tmp_path: Path) -> None:
    """A copy has the same digest, also with other paths in its config; other weights, words or voices have another."""
    digest = models.weights_digest(find(xtts_folder))
    copy = shutil.copytree(xtts_folder, tmp_path / "elsewhere")
    configure(args={"tokenizer_file": "/home/one/vocab.json"})(copy)
    moved = models.weights_digest(find(copy))
    configure(args={"tokenizer_file": "/home/two/vocab.json"})(copy)
    (copy / "notes.txt").write_text("of no importance")
    assert models.weights_digest(find(copy)) == moved
    others = [digest, moved, models.weights_digest(find(tiny_xtts(tmp_path / "other", seed=1)))]
    for name in ("vocab.json", "speakers_xtts.pth"):
        (copy / name).write_bytes((copy / name).read_bytes() + b" ")
        others.append(models.weights_digest(find(copy)))
    assert len(set(others)) == len(others)
    assert models.weights_digest(find(shutil.copytree(xtts_folder, tmp_path / "same"))) == digest


def test_the_cpu_is_taken_when_it_is_asked_for() -> None:
    """The setting `cpu` needs no GPU, uses none of its memory, and is called so."""
    where = models.device(SynthSettings(device="cpu"))
    assert (models.describe(where), models.uuid(where)) == ("cpu", "")
    assert models.memory(where) == 0


def test_a_missing_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default wants a GPU; without one the message says how to do without."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="finds no GPU.*E2A_DEVICE=cpu or --device cpu.*far slower") as caught:
        models.device(SynthSettings())
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first visible GPU is taken, called by its number and its name, and by its UUID as its driver calls it; it is
    told to compute alike every time."""
    monkeypatch.setattr("torch.backends.cudnn.deterministic", False)
    monkeypatch.setattr("torch.backends.cudnn.allow_tf32", True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _where: "NVIDIA H100")
    told = SimpleNamespace(uuid="2b1a6b62-0000-4000-8000-000000000001")
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _where: told)
    where = models.device(SynthSettings())
    assert models.describe(where) == "cuda:0 NVIDIA H100"
    assert models.uuid(where) == "GPU-2b1a6b62-0000-4000-8000-000000000001"
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        *(("en", "en"), ("en-GB", "en-gb"), ("en-US", "en"), ("zh", "zh-cn"), ("zh-CN", "zh-cn"), ("pt", "pt-br")),
        *(("fr-CA", "fr-fr"), ("xx", None)),
    ],
)
def test_tags_find_the_language_of_a_model(tag: str, language: str | None) -> None:
    """A BCP 47 tag finds the same tag, then its language, then the language in another region."""
    assert models.spoken(tag, ("en", "en-gb", "fr-fr", "pt-br", "zh-cn")) == language


@pytest.mark.parametrize(
    ("change", "languages"),
    [
        (configure(), ("en",)),
        (configure(languages=["fr-fr", "de"]), ("fr-fr", "de")),
        (configure(languages=[], datasets=[{"language": "pl"}, {"language": "pl"}, {"language": ""}]), ("pl",)),
        (configure(languages=[], use_phonemes=True, phoneme_language="de"), ("de",)),
        (configure(languages=[], use_phonemes=False, phoneme_language="de"), ()),
    ],
)
def test_languages_are_those_that_the_config_names(
    change: Change, languages: tuple[str, ...], vits_folder: Path, tmp_path: Path
) -> None:
    """Of the places where a config may name them, the most telling counts; English is not guessed."""
    folder = shutil.copytree(vits_folder, tmp_path / "model")
    change(folder)
    assert find(folder).languages == languages


def test_torchaudio_loads_without_its_extension() -> None:
    """Where the extension is of another build than torch, as on a machine without CUDA, what TTS needs still works."""
    program = """
import torch
def fail(path):
    raise OSError("libc10_cuda.so: cannot open shared object file")
torch.ops.load_library = fail
import synth_consumer.engines.coqui
import torchaudio
assert not hasattr(torchaudio._extension, "__file__")
assert torchaudio.transforms.MelSpectrogram(22050)(torch.zeros(1, 22050)).shape[1] == 128
print(torchaudio.functional.resample(torch.zeros(1, 44100), 44100, 22050).shape[1])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.stdout == "22050\n", result.stderr
