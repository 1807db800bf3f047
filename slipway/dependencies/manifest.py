"""What a wheelhouse holds, written beside it, and whether that is still true."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class Wheel(BaseModel):
    """One wheel: its file name, SHA-256 in hex, size in bytes, and the pin (a requirements line) it was chosen for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filename: str
    sha256: str
    bytes: int
    pin: str


class Manifest(BaseModel):
    """The wheels for one target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    wheels: tuple[Wheel, ...]


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_manifest(file: Path) -> Manifest | None:
    """The manifest in `file`; None when there is none that can be read."""
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def is_intact(wheel: Wheel, folder: Path) -> bool:
    """True when the wheel lies in `folder` with the size and the content that were recorded."""
    file = folder / wheel.filename
    return file.is_file() and file.stat().st_size == wheel.bytes and sha256_of(file) == wheel.sha256
