"""Model folders from ModelScope and Hugging Face, over their plain HTTP interfaces: no hub library in the slim image.

Sources: ModelScope `GET /api/v1/models/<id>/repo/files` and `/repo?FilePath=`; Hugging Face `GET /api/models/<id>/tree/
<revision>` and `/<id>/resolve/<revision>/<path>`. MODELSCOPE_ENDPOINT and HF_ENDPOINT name mirrors, HF_TOKEN opens
private models.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode

from mgeo.problems import ModelError
from mgeo.sources.download import download, opened

_NOT_NEEDED = (".git*", "*.h5", "*.msgpack", "*.ot", "*.onnx_data_old", "openvino/*", "*.png", "*.jpg", "*.gif")


@dataclass(frozen=True)
class HubFile:
    """*sha256* is empty where the hub does not state it (small files kept in git)."""

    path: str
    address: str
    sha256: str


def from_modelscope(name: str, revision: str, cache: Path, environment: Mapping[str, str]) -> Path:
    endpoint = environment.get("MODELSCOPE_ENDPOINT", "https://www.modelscope.cn").rstrip("/")
    repository = f"{endpoint}/api/v1/models/{quote(name)}/repo"
    at = revision or "master"
    listing = _json(f"{repository}/files?{urlencode({'Revision': at, 'Recursive': 'True'})}", "")
    rows = (listing.get("Data") or {}).get("Files") if isinstance(listing, dict) else None
    files = [
        HubFile(
            row["Path"], f"{repository}?{urlencode({'Revision': at, 'FilePath': row['Path']})}", row.get("Sha256") or ""
        )
        for row in rows or []
        if row["Type"] != "tree"
    ]
    return _folder(f"ModelScope model {name}@{at}", files, cache, "")


def from_huggingface(name: str, revision: str, cache: Path, environment: Mapping[str, str]) -> Path:
    endpoint = environment.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    at, token = quote(revision or "main", safe=""), environment.get("HF_TOKEN", "")
    rows = _json(f"{endpoint}/api/models/{quote(name)}/tree/{at}?recursive=true", token)
    files = [
        HubFile(
            row["path"],
            f"{endpoint}/{quote(name)}/resolve/{at}/{quote(row['path'])}",
            (row.get("lfs") or {}).get("oid", ""),
        )
        for row in rows
        if row["type"] == "file"
    ]
    return _folder(f"Hugging Face model {name}@{at}", files, cache, token)


def _folder(what: str, files: list[HubFile], cache: Path, token: str) -> Path:
    """All needed files in one folder; it appears only when it is complete, and is kept for the next start."""
    if not files:
        raise ModelError(f"{what} has no files")
    target = cache / hashlib.sha256(what.encode()).hexdigest()[:32]
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            unfinished = Path(scratch) / "model"
            for file in _needed(files):
                _fetch(what, file, unfinished, token)
            unfinished.rename(target)
    return target


def _needed(files: list[HubFile]) -> Iterator[HubFile]:
    """One set of weights is enough: safetensors where there are both."""
    names = {file.path for file in files}
    for file in files:
        twin = file.path == "pytorch_model.bin" and "model.safetensors" in names
        if not twin and not any(fnmatch(file.path, pattern) for pattern in _NOT_NEEDED):
            yield file


def _fetch(what: str, file: HubFile, folder: Path, token: str) -> None:
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts:
        raise ModelError(f"{what} lists a file outside its folder: {file.path}")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    found = download(file.address, target, token=token)
    if file.sha256 and found != file.sha256:
        raise ModelError(f"{what}: {file.path} has sha256 {found}, the hub states {file.sha256}")


def _json(address: str, token: str) -> Any:
    try:
        with opened(address, token) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        raise ModelError(f"{address} cannot be read: {error}") from error
