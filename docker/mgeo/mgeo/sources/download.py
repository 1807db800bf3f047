"""Fetching one file over http, hashed on the way."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from mgeo.problems import ModelError

_TIMEOUT_S = 30
_CHUNK = 1 << 20


def download(address: str, target: Path, *, token: str = "") -> str:
    """Writes *address* to *target* and returns its sha256. The error leaves the query out: it may hold a secret."""
    digest = hashlib.sha256()
    try:
        with opened(address, token) as response, target.open("wb") as file:
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except OSError as error:  # URLError and HTTPError are OSErrors
        raise ModelError(f"{urlsplit(address)._replace(query='').geturl()} cannot be fetched: {error}") from error
    return digest.hexdigest()


def opened(address: str, token: str) -> IO[bytes]:
    request = urllib.request.Request(address)
    if token:
        # hubs redirect to storage of other parties: the token must not travel there
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return cast(IO[bytes], urllib.request.urlopen(request, timeout=_TIMEOUT_S))
