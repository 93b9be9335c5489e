"""Settings: where values come from, and what a wrong one says."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from e2a.errors import ExitCode, UserError
from e2a.settings import (
    MergerSettings,
    MonitorSettings,
    ProducerSettings,
    Settings,
    SynthSettings,
    environment_for,
    load,
    markdown_page,
)

SERVICES = [ProducerSettings, SynthSettings, MergerSettings, MonitorSettings]
AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBmTCCAT6gAwIBAgIUV+Obk07cvNMfbEffOvPXXSp469cwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNZTJhIGF1dGhvcml0eTAeFw0yNjExMjcwMzA3MzFaFw0zNjEx
MjQwMzA3MzFaMBgxFjAUBgNVBAMMDWUyYSBhdXRob3JpdHkwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQG+MpSoNukIgVaAkv88Cq6FJuET2el2yAn3EbFTUAQLcF3
bn6PAxTaIGYZwbXspbLDV5hZEjG3mpJl9dVxd8JSo2YwZDAdBgNVHQ4EFgQU2SJ4
6TpiC8kRBsuoP6PdFQFc2bIwHwYDVR0jBBgwFoAU2SJ46TpiC8kRBsuoP6PdFQFc
2bIwEgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0E
AwIDSQAwRgIhAJqyWLbrrGHkURsiZyshcg0a3GsP7p8803nZonR+k3PoAiEAvgoJ
QmAIzzNGbpKN/CVW4SPlqyxeF6+vLIsRbGDiQkA=
-----END CERTIFICATE-----
"""
PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.mark.parametrize("cls", SERVICES, ids=lambda cls: cls.__name__)
def test_defaults(cls: type[Settings]) -> None:
    """Without any variable every service has settings that work on one machine."""
    settings = load(cls)
    assert settings.kafka_bootstrap == "127.0.0.1:9092"
    assert settings.storage.endswith(".local/share/e2a/storage")


@pytest.mark.parametrize("argv", [None, []], ids=["environment", "options"])
def test_environment(monkeypatch: pytest.MonkeyPatch, argv: list[str] | None) -> None:
    """A variable sets the field of its name, of a shared class too, whether or not options are read."""
    monkeypatch.setenv("E2A_PARTITIONS", "3")
    monkeypatch.setenv("E2A_ENGINE", "simulated")
    settings = load(SynthSettings, argv)
    assert (settings.partitions, settings.engine) == (3, "simulated")


def test_variables_of_others_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable without our prefix, or of another service, changes nothing."""
    monkeypatch.setenv("ENGINE", "steam")
    monkeypatch.setenv("E2A_MONITOR_PORT", "none")
    assert load(SynthSettings, []).engine == "espeak"


def test_options_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option wins over the variable of the same name; the other variables stay."""
    monkeypatch.setenv("E2A_LOG_LEVEL", "error")
    monkeypatch.setenv("E2A_PARTITIONS", "3")
    settings = load(SynthSettings, ["--log-level", "debug"])
    assert (settings.log_level, settings.partitions) == ("debug", 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("E2A_PARTITIONS", "0"),
        ("E2A_PARTITIONS", "many"),
        ("E2A_PATIENCE", "0"),
        ("E2A_METRICS_PORT", "65536"),
        ("E2A_LOG_LEVEL", "loud"),
        ("E2A_LOG_FORMAT", "xml"),
        ("E2A_S3_SECURE", "perhaps"),
        ("E2A_REDIS_URL", "localhost:6379"),
        ("E2A_S3_ENDPOINT", "http://minio:9000"),
        ("E2A_REDIS_URL", "redis://host:port/0"),
        ("E2A_S3_ENDPOINT", "host:port"),
        ("E2A_S3_ENDPOINT", "host:70000"),
        ("E2A_S3_ENDPOINT", "host?query"),
        ("E2A_STORAGE", ""),
        ("E2A_STORAGE", "s3://"),
        ("E2A_STORAGE", "s3://ab"),
        ("E2A_STORAGE", "s3://bucket/folder"),
        ("E2A_STORAGE", "C:/books"),
        ("E2A_PATIENCE", "1e9"),
        ("E2A_GRACE", "-1"),
        ("E2A_SESSION_TIMEOUT", "0.5"),
        ("E2A_SESSION_TIMEOUT", "901"),
        ("E2A_SIMULATED_RTF", "-0.1"),
    ],
)
@pytest.mark.parametrize("argv", [None, []], ids=["environment", "options"])
def test_wrong_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, argv: list[str] | None) -> None:
    """A wrong value ends the command with CONFIG, and one line names the variable and the value."""
    monkeypatch.setenv(name, value)
    with pytest.raises(
        UserError, match=f"^{re.escape(f'setting {name} = {value!r}: ')}(Input|Port|should be a) .+$"
    ) as caught:
        load(SynthSettings, argv)
    assert caught.value.code == ExitCode.CONFIG


def test_wrong_option_names_the_variable() -> None:
    """A wrong value given as an option is reported as the same setting."""
    with pytest.raises(UserError, match="setting E2A_MONITOR_PORT = '70000'") as caught:
        load(MonitorSettings, ["--monitor-port", "70000"])
    assert caught.value.code == ExitCode.CONFIG


def test_wrong_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A merger that never sweeps is not accepted."""
    monkeypatch.setenv("E2A_SWEEP", "0")
    with pytest.raises(UserError, match="E2A_SWEEP"):
        load(MergerSettings, [])


def test_secret_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The S3 secret key is not shown when settings are printed."""
    monkeypatch.setenv("E2A_S3_SECRET_KEY", "hush")
    settings = load(Settings)
    assert settings.s3_secret_key == SecretStr("hush")
    assert "hush" not in repr(settings)


def test_a_wrong_url_does_not_tell_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of a URL that cannot be read names it without the password in it."""
    for url in ("redis://user:hush@there:99999/0", "redi://:hush@there/0", "redis:user:hu@sh@there"):
        monkeypatch.setenv("E2A_REDIS_URL", url)
        with pytest.raises(UserError, match="there") as refused:
            load(MergerSettings)
        assert "hu" not in str(refused.value)


def test_another_program_uses_the_same_storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that is begun in another folder finds the directory that this one means, and the same bucket."""
    monkeypatch.chdir(tmp_path)
    assert environment_for(Settings(storage="books"))["E2A_STORAGE"] == str(tmp_path / "books")
    assert environment_for(Settings(storage="~/books"))["E2A_STORAGE"] == str(Path.home() / "books")
    assert environment_for(Settings(storage="s3://books"))["E2A_STORAGE"] == "s3://books"


def test_another_program_proves_itself_as_this_one_does() -> None:
    """The passwords of the servers go on as they are, and those of the settings are not shown."""
    given = {
        "kafka_username": "monitor",
        "kafka_password": "hush1",
        "redis_password": "hush2",
        "s3_secret_key": "hush3",
    }
    settings = Settings(**given)
    assert environment_for(settings).items() >= {f"E2A_{name.upper()}": value for name, value in given.items()}.items()
    assert "hush" not in repr(settings)


def test_a_ca_file_is_read_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that is not there, or holds no certificate, ends the command with CONFIG, and the variable is named."""
    (tmp_path / "ca.pem").write_text("no certificate")
    for file in (tmp_path / "none.pem", tmp_path / "ca.pem", tmp_path):
        monkeypatch.setenv("E2A_CA_FILE", str(file))
        with pytest.raises(UserError, match=re.escape(f"setting E2A_CA_FILE = '{file}': no certificate")) as refused:
            load(SynthSettings, [])
        assert refused.value.code == ExitCode.CONFIG


def test_a_ca_file_is_found_from_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file is named by its whole path, for a program that is begun elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("ca.pem").write_text(AUTHORITY)
    assert environment_for(Settings(ca_file="ca.pem"))["E2A_CA_FILE"] == str(tmp_path / "ca.pem")


def test_page_is_up_to_date() -> None:
    """docs/settings.md is what `make docs` writes."""
    assert PAGE.read_text(encoding="utf-8") == markdown_page()


@pytest.mark.parametrize("cls", SERVICES, ids=lambda cls: cls.__name__)
def test_page_lists_every_setting(cls: type[Settings]) -> None:
    """Every setting of every service has a row with its meaning."""
    page = markdown_page()
    for name, field in cls.model_fields.items():
        assert field.description
        assert f"| `E2A_{name.upper()}` |" in page
        assert field.description in page


def test_page_does_not_know_who_wrote_it() -> None:
    """The default storage is shown below ~, whoever runs `make docs`, and an empty default as nothing."""
    page = markdown_page()
    assert "| `E2A_STORAGE` | `~/.local/share/e2a/storage` |" in page
    assert "| `E2A_S3_SECRET_KEY` |  |" in page
