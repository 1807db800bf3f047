from __future__ import annotations

import os
from pathlib import Path

import pytest

from slipway.image.base import EPOCH
from slipway.image.context import stage


@pytest.fixture
def service(tmp_path: Path) -> Path:
    folder = tmp_path / "service"
    (folder / "app").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM x")
    (folder / "app" / "run.sh").write_text("#!/bin/sh")
    (folder / "app" / "run.sh").chmod(0o700)
    (folder / "app" / "secretly.py").write_text("1")
    (folder / "app" / "secretly.py").chmod(0o600)
    (folder / "latest").symlink_to("app")
    (folder / "dangling").symlink_to("nowhere")
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    (folder / "a.whl").write_bytes(b"wheel")
    return folder


def test_the_builder_sees_the_service_and_the_extras_under_their_names(
    service: Path, wheels: Path, tmp_path: Path
) -> None:
    staged = stage(service, {"wheels": wheels}, tmp_path / "context")
    found = {str(path.relative_to(staged)) for path in staged.rglob("*")}
    expected = {"Dockerfile", "app", "app/run.sh", "app/secretly.py", "latest", "dangling", "wheels", "wheels/a.whl"}
    assert found == expected
    assert (staged / "latest").readlink() == Path("app")


def test_neither_clock_nor_umask_shows(service: Path, wheels: Path, tmp_path: Path) -> None:
    staged = stage(service, {"wheels": wheels}, tmp_path / "context")
    times = {path.lstat().st_mtime for path in (staged, *staged.rglob("*"))}
    assert times == {EPOCH}
    modes = {path.name: path.stat().st_mode & 0o777 for path in staged.rglob("*") if not path.is_symlink()}
    assert modes == {
        "Dockerfile": 0o644,
        "app": 0o755,
        "run.sh": 0o755,
        "secretly.py": 0o644,
        "wheels": 0o755,
        "a.whl": 0o644,
    }


def test_large_files_are_linked_not_copied(service: Path, wheels: Path, tmp_path: Path) -> None:
    staged = stage(service, {"wheels": wheels}, tmp_path / "context")
    assert (staged / "wheels" / "a.whl").samefile(wheels / "a.whl")


def test_where_links_are_impossible_files_are_copied(
    service: Path, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_source: str, _target: str) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refuse)
    staged = stage(service, {"wheels": wheels}, tmp_path / "context")
    assert (staged / "wheels" / "a.whl").read_bytes() == b"wheel"
    assert not (staged / "wheels" / "a.whl").samefile(wheels / "a.whl")


def test_what_an_earlier_try_left_is_gone(service: Path, wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "context" / "left").mkdir(parents=True)
    assert not (stage(service, {"wheels": wheels}, tmp_path / "context") / "left").exists()


def test_the_service_itself_is_left_as_it_was(service: Path, tmp_path: Path) -> None:
    before = (service / "app" / "run.sh").stat().st_mtime
    stage(service, {}, tmp_path / "context")
    assert (service / "app" / "run.sh").stat().st_mtime == before
