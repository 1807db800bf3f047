"""What makes a checkout unfit to build from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from slipway.errors import SourceError
from slipway.source.checkout import Checkout, parse_commit, require_whole


def checkout(*, submodules: tuple[str, ...] = (), lfs_pointers: tuple[str, ...] = ()) -> Checkout:
    return Checkout(
        path=Path("/srv/x"),
        revision="ab" * 20,
        ref="main",
        ref_kind="branch",
        branch="main",
        tag="",
        describe="v1",
        author_name="A",
        author_email="a@example.com",
        committed_at=datetime(2026, 1, 2, tzinfo=UTC),
        subject="s",
        repository="https://git.example.com/x",
        origin="https://git.example.com/x",
        submodules=submodules,
        lfs_pointers=lfs_pointers,
    )


def test_all_that_is_missing_is_listed_at_once() -> None:
    with pytest.raises(SourceError) as refused:
        require_whole(checkout(submodules=("lib", "vendor/b"), lfs_pointers=("m.onnx",)))
    assert refused.value.what.count("submodule ") == 2
    assert "Git LFS pointer m.onnx" in refused.value.what
    assert refused.value.subject == "https://git.example.com/x at abababababab"


@pytest.mark.parametrize(
    ("shipped", "refused"),
    [
        (("docker/mgeo/**",), True),
        (("docker/mgeo",), True),
        (("*.onnx",), True),
        (("**", "!*.onnx"), False),
        (("docker/other/**",), False),
        ((), False),
    ],
)
def test_pointer_matters_only_where_it_would_be_shipped(shipped: tuple[str, ...], refused: bool) -> None:
    partial = checkout(lfs_pointers=("docker/mgeo/model.onnx",))
    if refused:
        with pytest.raises(SourceError):
            require_whole(partial, shipped)
    else:
        require_whole(partial, shipped)


def test_submodule_matters_to_a_glob_that_reaches_into_it() -> None:
    with pytest.raises(SourceError, match="submodule vendor/lib"):
        require_whole(checkout(submodules=("vendor/lib",)), ("vendor/lib/src/*.py",))
    require_whole(checkout(submodules=("vendor/lib",)), ("vendor/library/*.py",))


def test_commit_time_is_read_with_its_zone() -> None:
    commit = parse_commit("abc\0李雷\0li@example.com\x002026-11-20T08:00:00+08:00\0Fix: 地址\n")
    assert commit.committed_at == datetime(2026, 11, 20, tzinfo=UTC)
    assert commit.committed_at.tzinfo is UTC
    assert (commit.author_name, commit.subject) == ("李雷", "Fix: 地址")
