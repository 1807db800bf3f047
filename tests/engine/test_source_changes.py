"""Which paths differ between two revisions, and when everything has to count as changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slipway.errors import SourceError
from slipway.source.git import GitSource

ZERO = "0" * 40


def git(repo: Path, *args: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *identity, *args], cwd=repo, text=True, capture_output=True, check=True)
    return done.stdout.strip()


def commit(repo: Path, *names: str) -> str:
    for name in names:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(f"{name}\n" * 20)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--allow-empty", "-m", "change")
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "repo"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=main")
    commit(path, "a.py", "docs/说明.md")
    return path


@pytest.fixture
def source(tmp_path: Path) -> GitSource:
    return GitSource(tmp_path / "cache", deadline_s=60)


def test_changed_added_and_deleted_paths_are_named(repo: Path, source: GitSource) -> None:
    before = git(repo, "rev-parse", "HEAD")
    git(repo, "rm", "--quiet", "a.py")
    commit(repo, "new file.py")
    after = commit(repo, "docs/第二.md")
    assert source.changed_paths(str(repo), before, after) == ("a.py", "docs/第二.md", "new file.py")


def test_renamed_path_counts_at_both_places(repo: Path, source: GitSource) -> None:
    before = git(repo, "rev-parse", "HEAD")
    git(repo, "mv", "a.py", "b.py")
    assert source.changed_paths(str(repo), before, commit(repo)) == ("a.py", "b.py")


def test_same_revision_changes_nothing(repo: Path, source: GitSource) -> None:
    head = git(repo, "rev-parse", "HEAD")
    changes = source.changes(str(repo), head, head)
    assert (changes.paths, changes.everything_because) == ((), "")


@pytest.mark.parametrize("before", [ZERO, "", "ab" * 20], ids=["zeros", "empty", "unknown"])
def test_everything_counts_when_the_earlier_revision_is_unknown(repo: Path, source: GitSource, before: str) -> None:
    changes = source.changes(str(repo), before, "main")
    assert changes.paths == ("a.py", "docs/说明.md")
    assert "earlier revision" in changes.everything_because


def test_everything_counts_after_a_forced_push(repo: Path, source: GitSource) -> None:
    before = commit(repo, "b.py")
    source.changes(str(repo), ZERO, "main")
    git(repo, "reset", "--quiet", "--hard", "HEAD~1")
    after = commit(repo, "c.py")
    changes = source.changes(str(repo), before, after)
    assert changes.paths == ("a.py", "c.py", "docs/说明.md")
    assert "history was rewritten" in changes.everything_because


def test_unknown_later_revision_is_an_error(repo: Path, source: GitSource) -> None:
    with pytest.raises(SourceError, match="no branch, tag or commit"):
        source.changes(str(repo), "main", "ab" * 20)


def test_heads_of_the_remote_are_read_without_a_mirror(repo: Path, source: GitSource) -> None:
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "branch", "feature/地址")
    git(repo, "tag", "v1")
    assert source.remote_heads(str(repo)) == {"main": head, "feature/地址": head}
    assert not list(source.cache_dir.glob("*.git"))
