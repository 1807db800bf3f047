"""A model folder: what it says it is, and whether it still is that."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mgeo.engines.tokens import read_json
from mgeo.problems import ModelError


def verified_version(folder: Path, wanted: str) -> str:
    """The version the manifest states, after every listed file was found with its sha256.

    A folder without manifest.json (a plain sentence-transformers folder) is taken as it is, under *wanted* or its own
    name. Raises ModelError naming every missing or changed file.
    """
    manifest = read_json(folder / "manifest.json")
    if not manifest:
        return wanted or folder.name
    files = manifest.get("files")
    version = manifest.get("version")
    if not isinstance(files, dict) or not isinstance(version, str) or not version:
        raise ModelError("manifest.json must hold a version and files")
    wrong = [problem for path, sha256 in files.items() if (problem := _problem(folder, path, str(sha256)))]
    if wrong:
        raise ModelError(f"the model {version} is damaged: {'; '.join(wrong)}")
    if wanted and wanted != version:
        raise ModelError(f"MGEO_VERSION asks for {wanted}, the folder {folder} holds {version}")
    return version


def _problem(folder: Path, path: str, sha256: str) -> str:
    try:
        with (folder / path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if found == sha256 else f"{path}: sha256 is {found[:12]}, manifest says {sha256[:12]}"
