"""Fixtures of the neural engines: tiny random models, made once a session. Without the extra `coqui` nothing runs."""

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.servers import CI

MISSING = [
    package for package in ("torch", "torchaudio", "torchcodec", "transformers", "TTS") if find_spec(package) is None
]


class Unavailable(pytest.Module):
    """A file of tests whose packages are not installed: skipped on a laptop, failed in CI."""

    def collect(self) -> list[pytest.Item]:
        reason = f"{', '.join(MISSING)} not installed: uv pip install '.[synth,coqui]'"
        if CI:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Keep files from being imported that could not be."""
    if not MISSING:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the packages' own source, when Python compiles it for the first time
            import TTS.utils.synthesizer  # noqa: F401, PLC0415 - only where it is installed
        return None
    unavailable: pytest.Module = Unavailable.from_parent(parent, path=module_path)
    return unavailable


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> None:
    """The models are so small that more threads only wait for each other."""
    import torch  # noqa: PLC0415 - only where it is installed

    torch.set_num_threads(1)


@pytest.fixture(scope="package", autouse=True)
def small() -> Iterator[None]:
    """Every XTTS of these tests is made and loaded with small parts."""
    from tests.neural.tiny import small_parts  # noqa: PLC0415 - only where torch is installed

    with small_parts():
        yield


@pytest.fixture(scope="session")
def xtts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny XTTS."""
    from tests.neural.tiny import tiny_xtts  # noqa: PLC0415

    return tiny_xtts(tmp_path_factory.mktemp("models") / "tiny-xtts")


@pytest.fixture(scope="session")
def vits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny VITS with two voices, `ann` and `bob`, of one language."""
    from tests.neural.tiny import tiny_vits  # noqa: PLC0415

    return tiny_vits(tmp_path_factory.mktemp("models") / "tiny-vits", speakers=("ann", "bob"))
