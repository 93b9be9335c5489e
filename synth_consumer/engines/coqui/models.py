"""Finding, licensing and loading a model of coqui-tts. Every way in which that fails is one line for the user."""

import contextlib
import fcntl
import hashlib
import json
import os
import pickle
import re
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import torch
from transformers.utils import logging as transformers_logging
from transformers.utils.hub import httpx
from TTS.config import load_config
from TTS.utils import manage
from TTS.utils.synthesizer import Synthesizer

from e2a import log
from e2a.errors import ExitCode, Retryable, UserError
from e2a.plan import CATALOGUE
from e2a.settings import SynthSettings

CONFIG = "config.json"
CHECKPOINTS = ("model.pth", "model_file.pth", "model_file.pth.tar", "best_model.pth", "checkpoint.pth")
"""File names of weights, the best first."""
VOCODER = "vocoder"
"""Folder inside a model's folder that holds its vocoder."""
BESIDE = (
    *("vocab.json", "speakers_xtts.pth", "speakers.pth", "speakers.json", "speaker_ids.json", "speaker_ids.pth"),
    *("language_ids.json", "scale_stats.npy", "model_se.pth", "model_se.pth.tar", "config_se.json"),
)
"""Files beside a checkpoint that are part of the model."""
CPML = "Coqui Public Model License: no commercial use of the model or of what it says"
UNKNOWN_LICENCE = "see the model's own licence"
_BROKEN = (
    *(OSError, EOFError, pickle.UnpicklingError, RuntimeError, ValueError, LookupError, TypeError, AttributeError),
    *(ImportError, AssertionError),
)
"""What loading raises for files that are cut short, of another kind, or do not belong together; each has been seen."""

STALLED = 60.0
"""Seconds after which a server that sends nothing has gone away."""

T = TypeVar("T")

logger = log.get(__name__)
_requests = manage.requests
# coqui-tts itself would wait for ever
manage.requests = SimpleNamespace(
    get=partial(_requests.get, timeout=STALLED), RequestException=_requests.RequestException
)
transformers_logging.set_verbosity_error()  # it has an opinion on every sentence of XTTS


class Files(NamedTuple):
    """A model as it lies on this machine, not yet loaded."""

    name: str
    """As the user named it."""
    checkpoint: Path
    """Weights, or the folder that holds them."""
    config: Path
    vocoder: tuple[Path, Path] | None
    """Weights and config of the vocoder, for a model that makes spectrograms."""
    kind: str
    """Its architecture, such as `xtts` or `vits`."""
    languages: tuple[str, ...]
    """That the model's own files name, as they spell them; empty when they name none."""
    licence: str


def device(settings: SynthSettings) -> Any:
    """Return the `torch.device` that the settings ask for; a GPU computes the same again the same way from then on.

    Raises:
        UserError: there is no GPU.
    """
    if settings.device == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        reason = f"torch {torch.__version__} finds no GPU that it can use"
        raise UserError(f"{reason}; E2A_DEVICE=cpu or --device cpu speaks on the CPU, far slower", ExitCode.UNAVAILABLE)
    # else a convolution may be of another kind each time, or rounded to 10 bits where the GPU has TF32
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = True, False
    torch.backends.cuda.enable_cudnn_sdp(False)  # it compiles an attention of 16 bits for each length
    return torch.device("cuda", 0)


def describe(where: Any) -> str:
    """Return what a device is called, such as `cpu` or `cuda:0 NVIDIA H100`."""
    return f"{where} {torch.cuda.get_device_name(where)}" if where.type == "cuda" else str(where)


def uuid(where: Any) -> str:
    """Return the UUID of a GPU as its driver spells it, empty for the CPU."""
    return f"GPU-{torch.cuda.get_device_properties(where).uuid}" if where.type == "cuda" else ""


def memory(where: Any) -> int:
    """Return the bytes of a device's memory that this process holds, 0 for the CPU."""
    return int(torch.cuda.memory_reserved(where)) if where.type == "cuda" else 0


def within_memory(work: Callable[[], T], lacking: str) -> T:
    """Return what `work` returns.

    Args:
        work: may need more of the GPU's memory than is free.
        lacking: what is said when it does, such as `no memory for the vocoder`.

    Raises:
        Retryable: it did. What it held is given back first.
    """
    try:
        return work()
    except torch.OutOfMemoryError as error:
        reason = f"{lacking}: {error}".split("\n")[0]
    torch.cuda.empty_cache()  # only now: the error held what was on the way
    raise Retryable(reason)


def find(model: str, *, accept_cpml: bool) -> Files:
    """Find a model on this machine, and download it first when the catalogue of coqui-tts has it.

    Args:
        model: a name of the catalogue, a folder, or a file of weights beside its config.json.
        accept_cpml: whether the user accepts the Coqui Public Model License.

    Raises:
        UserError: no such model, or its licence is not accepted.
    """
    files = _download(model, accept_cpml) if model.startswith(CATALOGUE) else _local(model)
    _accept(model, files.kind == "xtts", accept_cpml)
    return files


def load(files: Files, where: Any) -> Any:
    """Return coqui's `Synthesizer` with the model, and its vocoder if any, on the device and in evaluation mode.

    Raises:
        UserError: the files are not what they should be, or the device has too little memory.
    """
    try:
        with _quiet():
            if files.kind == "xtts":
                _check_vocabulary(files.config.with_name("vocab.json"))
            checkpoint, config = files.vocoder or (None, None)
            synthesizer = Synthesizer(
                tts_checkpoint=files.checkpoint,
                tts_config_path=files.config,
                vocoder_checkpoint=checkpoint,
                vocoder_config=config,
                use_cuda=where.type == "cuda",
            )
    except _BROKEN as error:
        reason = f"model {files.name!r} cannot be loaded: {_reason(error)}"
        raise UserError(reason, ExitCode.UNAVAILABLE) from error
    return synthesizer.eval()


def weights_digest(files: Files) -> str:
    """Return the SHA-256 of a model's files, as 64 hexadecimal characters: the same on machines that speak the same.

    Paths in config.json do not count, since a download writes those of its machine there.
    """
    digest = hashlib.sha256()
    for name, content in sorted((path.name, _content(path)) for path in _parts(files)):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def spoken(tag: str, languages: tuple[str, ...]) -> str | None:
    """Return which of a model's languages a BCP 47 tag is, as the model spells it; None when there is none."""
    tag = tag.lower()
    named = {language.lower(): language for language in reversed(languages)}
    related = {language.split("-")[0]: spelling for language, spelling in named.items()}
    return named.get(tag) or named.get(tag.split("-")[0]) or related.get(tag.split("-")[0])


def _local(model: str) -> Files:
    path = Path(model).expanduser()
    if not path.exists():
        known = f"a folder with {CONFIG} and weights, or a name of the catalogue such as {CATALOGUE}en/ljspeech/vits"
        raise UserError(f"model {model!r}: there is no {path.absolute()}; it should be {known}", ExitCode.CONFIG)
    if "fairseq" in str(path):
        reason = "coqui-tts takes every path with 'fairseq' in it for a model of fairseq; move it, or call it otherwise"
        raise UserError(f"model {model!r}: {reason}", ExitCode.CONFIG)
    folder = path if path.is_dir() else path.parent
    if not (folder / CONFIG).is_file():
        raise UserError(f"model {model!r}: there is no {CONFIG} in {folder.absolute()}", ExitCode.CONFIG)
    vocoder = folder / VOCODER
    pair = (_checkpoint(vocoder), vocoder / CONFIG) if (vocoder / CONFIG).is_file() else None
    return _read(model, _checkpoint(path), folder / CONFIG, pair)


def _download(model: str, accept_cpml: bool) -> Files:
    if "fairseq" in model:
        reason = f"model {model!r} is one of fairseq (MMS), without a config that says how to speak with it"
        raise UserError(f"{reason}; take one that `tts --list_models` shows", ExitCode.CONFIG)
    catalogue = manage.ModelManager()
    try:
        item, folder, _name = catalogue._set_model_item(model)
    except (ValueError, LookupError) as error:
        reason = f"model {model!r} is not in the catalogue of coqui-tts; `tts --list_models` shows it"
        raise UserError(reason, ExitCode.CONFIG) from error
    _accept(model, item.get("license") == "CPML", accept_cpml)
    catalogue.tos_agreed = lambda _item, _folder: True  # it would ask on standard input
    try:
        with _quiet(), _alone(catalogue.output_prefix):
            logger.info("model.finding", model=model)
            checkpoint, config, _item = catalogue.download_model(model)
            vocoder = item.get("default_vocoder")
            pair = catalogue.download_model(vocoder)[:2] if vocoder else None
    except (OSError, ValueError, LookupError, httpx.HTTPError, zipfile.BadZipFile, tarfile.ReadError) as error:
        remedy = f"if {catalogue.output_prefix / folder} holds half a download, delete it"
        reason = f"model {model!r} cannot be downloaded: {_reason(error)}"
        raise UserError(f"{reason}; {remedy}", ExitCode.UNAVAILABLE) from error
    files = _read(model, checkpoint, config, pair)
    named = re.match(f"{CATALOGUE}([a-z]{{2}})(-[A-Z]+)?/", model)
    languages = files.languages or ((named[1],) if named else ())
    licence = files.licence if files.kind == "xtts" else item.get("license") or UNKNOWN_LICENCE
    return files._replace(languages=languages, licence=licence)


def _read(model: str, checkpoint: Path, config: Path, vocoder: tuple[Path, Path] | None) -> Files:
    try:
        with _quiet():
            read = load_config(config)
        kind, languages = str(read.model).lower(), _languages(read)
    except _BROKEN as error:
        raise UserError(f"model {model!r}: {config}: {_reason(error)}", ExitCode.UNAVAILABLE) from error
    licence = CPML if kind == "xtts" else UNKNOWN_LICENCE
    return Files(model, checkpoint, config, vocoder, kind, languages, licence)


def _accept(model: str, needed: bool, accepted: bool) -> None:
    if needed and not accepted:
        licence = "may not be used commercially, nor may what it says (Coqui Public Model License)"
        how = "accept that with E2A_ACCEPT_CPML=1 or --accept-cpml"
        raise UserError(f"model {model!r} is an XTTS, which {licence}: {how}", ExitCode.CONFIG)


def _languages(config: Any) -> tuple[str, ...]:
    """Return the languages that a config names itself; coqui's own reading of it falls back to English."""
    named = [*config.languages] or [dataset.language for dataset in config.datasets if dataset.language]
    if not named and config.use_phonemes and config.phoneme_language:
        named = [config.phoneme_language]
    return tuple(dict.fromkeys(named))


def _checkpoint(path: Path) -> Path:
    """Return the weights that a path means: itself, a file of a usual name, the only one, or what is in the folder."""
    if path.is_file():
        return path
    usual = [path / name for name in CHECKPOINTS if (path / name).is_file()]
    others = [file for file in path.glob("*.pt*") if file.name not in BESIDE]
    if not usual and not others:
        raise UserError(f"there are no weights in {path.absolute()}, such as {CHECKPOINTS[0]}", ExitCode.CONFIG)
    return (usual or (others if len(others) == 1 else [path]))[0]


def _check_vocabulary(path: Path) -> None:
    """Look into XTTS's tokenizer, whose own reader raises a bare `Exception` or takes what it cannot use.

    Raises:
        ValueError: it is not the tokenizer of an XTTS.
    """
    if not path.is_file():
        return  # the config names another
    text = path.read_text(encoding="utf-8")
    if not {"model", "added_tokens"} <= set(json.loads(text)):
        raise ValueError(f"{path.name} is not a tokenizer")
    if missing := [token for token in ("[START]", "[STOP]") if f'"{token}"' not in text]:
        raise ValueError(f"{path.name} has no token {missing[0]}")


def _parts(files: Files) -> set[Path]:
    """Return the files that make up a model."""
    parts = {files.config}
    for checkpoint in (files.checkpoint, *(files.vocoder or ())):
        folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
        parts |= {path for path in folder.iterdir() if path.is_file()} if checkpoint.is_dir() else {checkpoint}
        parts |= {folder / name for name in BESIDE if (folder / name).is_file()}
    return parts


def _content(path: Path) -> bytes:
    if path.name == CONFIG:
        portable = _without_folders(json.loads(path.read_text(encoding="utf-8")))
        return hashlib.sha256(json.dumps(portable, sort_keys=True).encode()).digest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _without_folders(value: Any) -> Any:
    """Return a value of JSON with every absolute path in it reduced to its last step."""
    if isinstance(value, dict):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_folders(item) for item in value]
    return PurePath(value).name if isinstance(value, str) and value.startswith("/") else value


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait while another process of this machine downloads: coqui-tts would take half a model for a whole one."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep standard output clean of what packages print, and their warnings about each other away from the user."""
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _reason(error: BaseException) -> str:
    """Return an error as part of a line; torch and coqui-tts write paragraphs."""
    first = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
