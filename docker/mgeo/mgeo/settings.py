"""The configuration: config.yaml, then the environment on top. Every mistake is reported, before any model loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from mgeo.problems import ConfigError

DEFAULT_CONFIG = "/app/config.yaml"
_ENVIRONMENT = {
    "MGEO_MODEL": ("model", "path"),
    "MGEO_VERSION": ("model", "version"),
    "MGEO_ENGINE": ("engine", "name"),
    "MGEO_DEVICE": ("engine", "device"),
    "MGEO_HOST": ("serving", "host"),
    "MGEO_PORT": ("serving", "port"),
    "MGEO_CACHE": ("serving", "cache_entries"),
    "MGEO_LOG_ADDRESSES": ("logging", "addresses"),
    "SLIPWAY_REVISION": ("build", "revision"),
    "SLIPWAY_DIGEST": ("build", "digest"),
    "SLIPWAY_RELEASE": ("build", "release"),
}
Positive = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Source(_Section):
    """Where a model version comes from.

    `local`: a folder. `modelscope`, `huggingface`: an id, with an optional revision. `archive`: a .tar(.gz) or .zip at
    http(s)://, s3:// or oss://, which must name the sha256 of the file.
    """

    source: Literal["local", "modelscope", "huggingface", "archive"] = "local"
    location: str = Field(min_length=1)
    revision: str = ""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$", validate_default=True)

    @field_validator("sha256")
    @classmethod
    def _pinned(cls, sha256: str, others: ValidationInfo) -> str:
        if others.data.get("source") == "archive" and not sha256:
            raise PydanticCustomError("unpinned", "an archive must name its sha256")
        return sha256


class ModelSettings(_Section):
    """*version* chooses from *versions*; what is not listed there is expected in the folder *path*."""

    path: str = "/app/model"
    version: str = ""
    versions: dict[str, Source] = {}
    download_to: str = "/tmp/mgeo-models"

    @property
    def chosen(self) -> Source:
        return self.versions.get(self.version) or Source(location=self.path)


class EngineSettings(_Section):
    """Sizes in tokens. 0 chooses: *workers* one per usable processor; *batch_tokens* 256, on CUDA 16384."""

    name: Literal["onnx", "onnx-int8", "torch", "stub"] = "onnx"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    max_sequence_length: Annotated[int, Field(ge=8, le=8192)] = 128
    batch_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    @field_validator("batch_tokens")
    @classmethod
    def _holds_a_sequence(cls, batch_tokens: int, others: ValidationInfo) -> int:
        if 0 < batch_tokens < (longest := others.data.get("max_sequence_length", 0)):
            raise PydanticCustomError(
                "too_few", "must hold a sequence of {longest}, or be 0 to be chosen", {"longest": longest}
            )
        return batch_tokens


class ServingSettings(_Section):
    """Limits of one process. *queue_tokens* bounds what may wait; *deadline_s* what one request may take."""

    host: str = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    queue_tokens: Positive = 100_000
    deadline_s: Annotated[float, Field(gt=0, le=600)] = 10
    drain_s: Annotated[int, Field(ge=0, le=600)] = 20
    cache_entries: Annotated[int, Field(ge=0, le=10_000_000)] = 20_000


class LoggingSettings(_Section):
    """Addresses are personal data: they are logged only when *addresses* is switched on."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    addresses: bool = False


class BuildSettings(_Section):
    """Which build this is; set by the pipeline through the environment."""

    revision: str = ""
    digest: str = ""
    release: str = ""


class Pair(_Section):
    """A test pair of addresses for `mgeo.inference`."""

    a: str
    b: str


class Settings(_Section):
    model: ModelSettings = ModelSettings()
    engine: EngineSettings = EngineSettings()
    serving: ServingSettings = ServingSettings()
    logging: LoggingSettings = LoggingSettings()
    build: BuildSettings = BuildSettings()
    pairs: list[Pair] = []


def load_settings(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Settings from *path* (or MGEO_CONFIG, or /app/config.yaml) and *environment*; ConfigError lists all problems.

    Only the default file may be absent: then the defaults hold.
    """
    stated = path or (Path(environment["MGEO_CONFIG"]) if environment.get("MGEO_CONFIG") else None)
    source = stated or Path(DEFAULT_CONFIG)
    content = _read(source) if stated or source.exists() else {}
    origins = _overlay(content, environment)
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise ConfigError(str(source), [_sentence(e, origins) for e in error.errors()]) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [f"is not UTF-8 (byte {error.start})"]) from error
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"is not valid YAML: {' '.join(str(error).split())}"]) from error
    if content is not None and not isinstance(content, dict):
        raise ConfigError(str(path), ["must hold sections (model:, engine:, serving:, ...)"])
    return content or {}


def _overlay(content: dict[str, Any], environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Writes the environment into *content*; returns which fields came from which variable."""
    origins: dict[tuple[str, ...], str] = {}
    for variable, (section, key) in _ENVIRONMENT.items():
        value = environment.get(variable)
        if value and isinstance(content.setdefault(section, {}) or {}, dict):
            content[section] = {**(content[section] or {}), key: value}
            origins[section, key] = variable
    return origins


def _sentence(error: Any, origins: Mapping[tuple[str, ...], str]) -> str:
    where = tuple(str(part) for part in error["loc"])
    origin = f" (from {origins[where]})" if where in origins else ""
    return f"{'.'.join(where)}{origin}: {error['msg']}, got {error['input']!r:.80}"
