"""One chosen source becomes one local folder."""

from __future__ import annotations

import os
from pathlib import Path

from mgeo.problems import ModelError
from mgeo.settings import ModelSettings
from mgeo.sources.archive import fetch_archive
from mgeo.sources.hub import from_huggingface, from_modelscope


def fetch(model: ModelSettings) -> Path:
    """The folder of the chosen version, downloaded when it is not there yet. Raises ModelError."""
    source, cache = model.chosen, Path(model.download_to)
    if source.source == "archive":
        return fetch_archive(source.location, source.sha256, cache)
    if source.source == "huggingface":
        return from_huggingface(source.location, source.revision, cache, os.environ)
    if source.source == "modelscope":
        return from_modelscope(source.location, source.revision, cache, os.environ)
    folder = Path(source.location)
    if not folder.is_dir():
        raise ModelError(f"there is no model folder at {folder}")
    return folder
