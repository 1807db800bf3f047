"""A model as one file at an http(s), S3 or OSS address. What does not hash to the pinned sha256 is never unpacked."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from mgeo.problems import ModelError
from mgeo.sources.download import download


def fetch_archive(location: str, sha256: str, cache: Path) -> Path:
    """The folder with the unpacked archive, kept under its hash: the second call needs no network."""
    target = cache / sha256
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            packed = Path(scratch) / Path(urlsplit(location).path).name
            found = download(https_address(location, os.environ), packed)
            if found != sha256:
                raise ModelError(f"{location} has sha256 {found}, pinned is {sha256}; nothing was unpacked")
            unpacked = Path(scratch) / "unpacked"
            _unpack(packed, unpacked)
            _only_child(unpacked).rename(target)
    return target


def https_address(location: str, environment: Mapping[str, str]) -> str:
    """s3:// and oss:// as the https address of the object; private objects need a presigned https address instead.

    AWS_ENDPOINT_URL / AWS_REGION and OSS_ENDPOINT name other regions and S3-compatible stores.
    """
    parts = urlsplit(location)
    key = quote(parts.path.lstrip("/"))
    if parts.scheme == "s3":
        if endpoint := environment.get("AWS_ENDPOINT_URL", "").rstrip("/"):
            return f"{endpoint}/{parts.netloc}/{key}"
        region = environment.get("AWS_REGION", "us-east-1")
        return f"https://{parts.netloc}.s3.{region}.amazonaws.com/{key}"
    if parts.scheme == "oss":
        endpoint = environment.get("OSS_ENDPOINT", "oss-cn-hangzhou.aliyuncs.com").removeprefix("https://")
        return f"https://{parts.netloc}.{endpoint}/{key}"
    if parts.scheme in ("http", "https"):
        return location
    raise ModelError(f"{location}: an archive is fetched from http://, https://, s3:// or oss://")


def _unpack(packed: Path, target: Path) -> None:
    target.mkdir()
    try:
        if zipfile.is_zipfile(packed):
            with zipfile.ZipFile(packed) as archive:
                archive.extractall(target)  # drops absolute paths and ".." itself
        else:
            with tarfile.open(packed) as archive:
                archive.extractall(target, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise ModelError(f"{packed.name} is no readable .tar, .tar.gz or .zip: {error}") from error


def _only_child(folder: Path) -> Path:
    """Archives often hold one folder with everything in it; then that is the model folder."""
    children = list(folder.iterdir())
    return children[0] if len(children) == 1 and children[0].is_dir() else folder
