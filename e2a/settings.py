"""Every setting of every service: `E2A_*` variables, or options of the same name. Nobody else reads the environment."""

import os
import re
import ssl
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Interval
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, CliApp, CliSuppress, SettingsConfigDict, SettingsError

from e2a.errors import ExitCode, UserError


def _has_a_port_if_any(url: str) -> str:
    _ = urlsplit(url if "://" in url else f"//{url}").port  # raises ValueError
    return url


def _authority_if_any(file: str) -> str:
    if not file:
        return file
    path = Path(file).expanduser().resolve()
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # an SSLError is one
        raise ValueError(f"no certificate of an authority, in PEM, can be read there: {error.strerror}") from error
    return str(path)


Port = Annotated[int, Interval(ge=0, le=65535)]
Address = Annotated[str, AfterValidator(_has_a_port_if_any)]
Patience = Annotated[float, Interval(gt=0, le=86_400)]
LogLevel = Literal["debug", "info", "warning", "error"]
SECRETS = Path("/run/secrets")


class Settings(BaseSettings):
    """Where the servers are; shared by every service."""

    model_config = SettingsConfigDict(
        env_prefix="E2A_",
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_exit_on_error=False,
        extra="ignore",
        frozen=True,
    )

    ca_file: Annotated[str, AfterValidator(_authority_if_any)] = Field(
        "",
        description="PEM file of the authority that signed the certificates of Kafka, Redis and S3; empty: those that"
        " the system trusts",
    )
    kafka_bootstrap: str = Field("127.0.0.1:9092", description="host:port of a Kafka broker")
    kafka_tls: bool = Field(False, description="speak TLS to Kafka")
    kafka_username: str = Field("", description="user of Kafka, by SCRAM-SHA-512; empty where it asks for none")
    kafka_password: CliSuppress[SecretStr] = Field(
        SecretStr(""), description="its password; may be a file e2a_kafka_password in /run/secrets"
    )
    partitions: Annotated[int, Ge(1)] = Field(
        12, description="partitions of the chapters topic: one for each worker that may work at once"
    )
    redis_url: Address = Field(
        "redis://127.0.0.1:6379/0",
        pattern="^(redis|rediss|unix)://",
        description="URL of Redis, redis://HOST:PORT/DATABASE, or rediss://USER@HOST:PORT/DATABASE with TLS and a user",
    )
    redis_password: CliSuppress[SecretStr] = Field(
        SecretStr(""),
        description="password of Redis, unless the URL holds one; may be a file e2a_redis_password in /run/secrets",
    )
    storage: Annotated[str, AfterValidator(os.path.expanduser)] = Field(
        str(Path.home() / ".local/share/e2a/storage"),
        pattern="^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|[^:]+)$",
        description="directory where books live, or s3://BUCKET",
    )
    s3_endpoint: Address = Field(
        "127.0.0.1:9000",
        pattern=r"^[\w.:\[\]-]+$",
        description="host:port of MinIO or another S3 server, without a scheme",
    )
    s3_access_key: str = Field("", description="S3 access key")
    s3_secret_key: CliSuppress[SecretStr] = Field(
        SecretStr(""), description="S3 secret key; may be a file e2a_s3_secret_key in /run/secrets"
    )
    s3_secure: bool = Field(False, description="speak TLS to the S3 server")
    patience: Patience = Field(
        120.0, description="seconds to wait for a server at the start, and for storage before a call to it is given up"
    )
    log_level: LogLevel = Field("info", description="least level logged")
    log_format: Literal["console", "json"] = Field("console", description="how log lines look")


class InitSettings(Settings):
    """Make the topics and the bucket, once before the services start; safe to run again."""


class ServiceSettings(Settings):
    """Settings of everything that runs until it is stopped."""

    metrics_port: Port = Field(0, description="port of the Prometheus page, /healthz and /readyz; 0 serves none")


class SpeechSettings(BaseSettings):
    """The engine, known to those who ask for speech and to those who make it."""

    engine: str = Field("espeak", description="speech engine: an entry point in the group e2a.engines")
    model: str = Field(
        "",
        description="model of an engine that has several: a name of its catalogue, or a folder, whose own name stands"
        " for what is in it",
    )
    accept_cpml: bool = Field(
        False,
        description="accept the Coqui Public Model License: no commercial use of XTTSv2, or of what it says",
    )


class ProducerSettings(SpeechSettings, Settings):
    """Settings of e2a-produce and e2a-books that are not options of their command lines."""

    patience: Patience = Field(5.0, description="seconds to wait for a server before giving up")
    log_level: LogLevel = Field("error", description="least level logged")


class SynthSettings(SpeechSettings, ServiceSettings):
    """Turn chapter messages into speech: one process, one GPU, one partition."""

    worker_id: str = Field("", description="name of this worker; empty takes host name and process number")
    grace: Annotated[float, Ge(0)] = Field(
        20.0, description="seconds that a stopping worker spends on the part in hand before it hands it back"
    )
    session_timeout: Annotated[float, Interval(ge=1, le=900)] = Field(
        6.0, description="seconds of silence after which Kafka gives a worker's partition to another"
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        "classic", description="protocol of the consumer group: `consumer` is that of KIP-848; the same for all workers"
    )
    steal: bool = Field(True, description="take parts that wait for other workers when none waits for this one")
    engine_patience: Annotated[float, Gt(0)] = Field(
        900.0, description="seconds without a finished sentence after which a worker that speaks ends itself"
    )
    brake: Annotated[int, Ge(1)] = Field(
        5, description="parts that may fail in a row, for reasons that may pass, before the worker ends itself"
    )
    device: Literal["cuda", "cpu"] = Field(
        "cuda", description="where a neural engine runs: the first GPU of CUDA_VISIBLE_DEVICES, or the CPU, far slower"
    )
    gpu_lease: bool = Field(
        False, description="take one of the visible GPUs that no other worker has, and wait while there is none"
    )
    batch: Annotated[int, Ge(0)] = Field(
        0, description="sentences that engine xtts decodes at once; 0 takes what fits into the GPU's memory"
    )
    precision: Literal["float32", "float16", "bfloat16"] = Field(
        "float32",
        description="numbers that engine xtts decodes with: half of the memory with the 16-bit ones, but another take"
        " now and then",
    )
    recogniser: str = Field(
        "",
        description="recogniser that listens to every take: an entry point in the group e2a.recognisers; empty: none",
    )
    simulated_rtf: Annotated[float, Ge(0)] = Field(
        0.0, description="simulated engine only: seconds of pretended work for a second of audio"
    )


class MergerSettings(ServiceSettings):
    """Fold completion events into the checkpoint and assemble finished books."""

    sweep: Annotated[float, Gt(0)] = Field(
        1.0, description="seconds between looks for parts and books that nobody is at although somebody should be"
    )
    backoff: Annotated[float, Gt(0)] = Field(
        5.0, description="seconds before a part that failed is tried again; doubled for the time after, with jitter"
    )


class MonitorSettings(ServiceSettings):
    """Show books and workers in a browser."""

    monitor_host: str = Field("127.0.0.1", description="address the page is served on")
    monitor_port: Port = Field(8501, description="port the page is served on")
    monitor_refresh: Annotated[float, Gt(0)] = Field(2.0, description="seconds between refreshes of the page")
    monitor_password: CliSuppress[SecretStr] = Field(
        SecretStr(""),
        description="password that the page asks for, of at least 8 characters; may be a file e2a_monitor_password in"
        " /run/secrets",
    )
    monitor_oidc_metadata_url: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="URL of an OpenID Connect provider's metadata, which ends in /.well-known/openid-configuration:"
        " people log in there instead of with a password",
    )
    monitor_oidc_client_id: str = Field("", description="what the provider calls this page")
    monitor_oidc_client_secret: CliSuppress[SecretStr] = Field(
        SecretStr(""),
        description="its secret with the provider; may be a file e2a_monitor_oidc_client_secret in /run/secrets",
    )
    monitor_oidc_redirect_uri: str = Field(
        "",
        pattern="^(https?://[^/]+/oauth2callback)?$",
        description="URL that the provider sends people back to: where they see the page, and /oauth2callback",
    )
    monitor_users: str = Field(
        "",
        description="e-mail addresses of who may see the page, with commas; empty: all that the provider knows",
    )
    monitor_open: bool = Field(
        False, description="show the page to everybody who reaches its address, without a password"
    )
    monitor_read_only: bool = Field(False, description="show the page without anything that changes something")
    monitor_upload_mb: Annotated[int, Interval(ge=1, le=2000)] = Field(
        200, description="largest EPUB that the page takes, in megabytes"
    )


AnySettings = TypeVar("AnySettings", bound=Settings)


def load(cls: type[AnySettings], argv: list[str] | None = None) -> AnySettings:
    """Read settings from the environment, and from options where `argv` is given.

    Raises:
        UserError: a value is wrong, and the message names the variable (exit code CONFIG), or there is no such
            option (USAGE).
    """
    try:
        return cls() if argv is None else CliApp.run(cls, cli_args=argv)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = str(fault["loc"][0]).lower().removeprefix("e2a_")
        wanted = cls.model_fields[name].description if fault["type"] == "string_pattern_mismatch" else ""
        reason = f"should be a {wanted}" if wanted else fault["msg"].removeprefix("Value error, ")
        given = re.sub(r"(:/*).*@", r"\1***@", repr(fault["input"]))  # a URL may hold a password
        raise UserError(f"setting E2A_{name.upper()} = {given}: {reason}", ExitCode.CONFIG) from error
    except SettingsError as error:
        raise UserError(str(error), ExitCode.USAGE) from error


def environment_for(settings: Settings, **others: object) -> dict[str, str]:
    """Return the environment of a program that uses the same servers: this process's, without the secrets of its own.

    The program may run in another folder.

    Args:
        settings: of this process; where the servers are goes on, its patience and the looks of its log do not.
        others: settings of the program, by their names here.
    """
    own = ("E2A_MONITOR_", "E2A_LOG_", "E2A_PATIENCE", "E2A_METRICS_", "STREAMLIT_")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(own)}
    shared = settings.model_dump(include=set(Settings.model_fields) - {"patience", "log_level", "log_format"})
    storage = settings.storage if settings.storage.startswith("s3://") else Path(settings.storage).resolve()
    given = shared | {"storage": storage} | others
    return kept | {f"E2A_{name.upper()}": _plain(value) for name, value in given.items()}


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def markdown_page() -> str:
    """Return `docs/settings.md`: every setting of every service."""
    services: dict[str, type[Settings]] = {
        "e2a-init": InitSettings,
        "e2a-produce, e2a-books": ProducerSettings,
        "e2a-synth": SynthSettings,
        "e2a-merge": MergerSettings,
        "e2a-monitor": MonitorSettings,
    }
    lines = [
        "# Settings",
        "",
        "Each is an environment variable, and for the services an option too: `E2A_LOG_LEVEL` is `--log-level`.",
        "This page is written by `make docs`.",
    ]
    for service, cls in services.items():
        lines += ["", f"## {service}", "", "| variable | default | meaning |", "|---|---|---|"]
        lines += [_row(name, field) for name, field in sorted(cls.model_fields.items())]
    return "\n".join(lines) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    default = str(field.get_default()).replace(str(Path.home()), "~")
    shown = f"`{default}`" if default else ""
    return f"| `E2A_{name.upper()}` | {shown} | {field.description} |"
