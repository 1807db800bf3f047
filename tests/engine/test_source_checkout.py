"""GitSource against real repositories: which commit a word names, and what the folder then holds."""

from __future__ import annotations

import os
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slipway.errors import SourceError
from slipway.source.checkout import Checkout, require_whole
from slipway.source.git import GitSource

EPOCH = 1_700_000_000


def git(repo: Path, *args: str, stdin: str | None = None) -> str:
    when = f"{EPOCH} +0800"
    env = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "GIT_CONFIG_GLOBAL": os.devnull}
    identity = ("-c", "user.name=Li Lei 李雷", "-c", "user.email=li@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *identity, *args], cwd=repo, env=env, input=stdin, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


def commit(repo: Path, files: dict[str, str], message: str = "change") -> str:
    for name, content in files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(content, encoding="utf-8")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "repo"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=main")
    commit(path, {"app/main.py": "print(1)\n", "docs/指南.md": "hello\n"}, "First: 地址匹配")
    return path


@pytest.fixture
def source(tmp_path: Path) -> GitSource:
    return GitSource(tmp_path / "cache", deadline_s=60)


def listing(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Each path below a folder with its content, mode and time."""
    entries = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else "" if path.is_dir() else path.read_text()
        entries[path.relative_to(folder).as_posix()] = (content, status.st_mode, int(status.st_mtime))
    return entries


def test_branch_is_checked_out_with_its_history_named(repo: Path, source: GitSource) -> None:
    git(repo, "tag", "v1.2.0")
    head = commit(repo, {"app/main.py": "print(2)\n"}, "Second")
    checkout = source.check_out(str(repo), "main")
    assert (checkout.revision, checkout.ref_kind, checkout.branch, checkout.tag) == (head, "branch", "main", "")
    assert checkout.describe == f"v1.2.0-1-g{head[:12]}"
    assert (checkout.author_name, checkout.author_email) == ("Li Lei 李雷", "li@example.com")
    assert checkout.committed_at == datetime.fromtimestamp(EPOCH, UTC)
    assert checkout.subject == "Second"
    assert (checkout.path / "app/main.py").read_text() == "print(2)\n"
    assert (checkout.path / "docs/指南.md").read_text() == "hello\n"
    assert not (checkout.path / ".git").exists()


@pytest.mark.parametrize("flags", [[], ["-a", "-m", "release"]], ids=["lightweight", "annotated"])
def test_tag_leads_to_its_commit_however_it_was_made(repo: Path, source: GitSource, flags: list[str]) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", *flags, "v1.0.0")
    commit(repo, {"later": "x"})
    checkout = source.check_out(str(repo), "v1.0.0")
    assert (checkout.revision, checkout.ref_kind, checkout.tag, checkout.branch) == (first, "tag", "v1.0.0", "")
    assert checkout.describe == "v1.0.0"


def test_full_and_short_sha_name_the_same_commit(repo: Path, source: GitSource) -> None:
    first = git(repo, "rev-parse", "HEAD")
    commit(repo, {"later": "x"})
    for ref in (first, first[:7], first[:7].upper()):
        checkout = source.check_out(str(repo), ref)
        assert (checkout.revision, checkout.ref_kind, checkout.branch) == (first, "sha", "")
        assert not (checkout.path / "later").exists()


def test_branch_named_like_a_sha_is_still_the_branch(repo: Path, source: GitSource) -> None:
    short = git(repo, "rev-parse", "HEAD")[:7]
    git(repo, "checkout", "--quiet", "-b", short)
    newer = commit(repo, {"on-branch": "x"})
    assert source.check_out(str(repo), short).revision == newer


def test_known_sha_needs_no_remote(repo: Path, source: GitSource, tmp_path: Path) -> None:
    first = source.check_out(f"file://{repo}", "main")
    repo.rename(tmp_path / "gone")
    assert source.check_out(f"file://{repo}", first.revision).revision == first.revision


def test_head_of_a_folder_is_its_branch(repo: Path, source: GitSource) -> None:
    git(repo, "checkout", "--quiet", "-b", "功能/新地址")
    checkout = source.check_out(str(repo), "HEAD")
    assert (checkout.ref_kind, checkout.branch) == ("branch", "功能/新地址")


def test_detached_head_on_no_branch_is_found(repo: Path, source: GitSource) -> None:
    git(repo, "checkout", "--quiet", "--detach")
    lonely = commit(repo, {"lonely": "x"})
    source.check_out(str(repo), "main")
    checkout = source.check_out(str(repo), "HEAD")
    assert (checkout.revision, checkout.ref_kind, checkout.branch) == (lonely, "sha", "")


def test_pull_request_ref_is_fetched_when_asked_for(repo: Path, source: GitSource) -> None:
    git(repo, "checkout", "--quiet", "--detach")
    proposed = commit(repo, {"proposed": "x"})
    git(repo, "update-ref", "refs/pull/7/head", proposed)
    git(repo, "checkout", "--quiet", "main")
    assert source.check_out(str(repo), "refs/pull/7/head").revision == proposed


def test_forced_push_and_deleted_branch_are_followed(repo: Path, source: GitSource) -> None:
    git(repo, "branch", "topic")
    source.check_out(str(repo), "topic")
    git(repo, "commit", "--quiet", "--amend", "-m", "rewritten")
    git(repo, "branch", "--delete", "--force", "topic")
    git(repo, "branch", "topic/deeper")
    assert source.check_out(str(repo), "main").subject == "rewritten"
    assert source.check_out(str(repo), "topic/deeper").subject == "rewritten"
    with pytest.raises(SourceError, match=r"did you mean topic/deeper"):
        source.check_out(str(repo), "topic")


def test_name_of_both_a_branch_and_a_tag_is_refused_until_said_in_full(repo: Path, source: GitSource) -> None:
    tagged = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "stable")
    git(repo, "branch", "stable")
    assert source.check_out(str(repo), "stable").revision == tagged
    git(repo, "checkout", "--quiet", "refs/heads/stable")
    git(repo, "update-ref", "refs/heads/stable", commit(repo, {"x": "x"}))
    with pytest.raises(SourceError, match=r"both a branch .* and a tag"):
        source.check_out(str(repo), "stable")
    assert source.check_out(str(repo), "refs/tags/stable").revision == tagged


def test_short_sha_of_two_commits_is_refused_with_longer_ones(repo: Path, source: GitSource) -> None:
    lines = []
    for number in range(1500):  # enough for two SHAs to share four digits, whatever their content
        lines.append(f"commit refs/heads/many\ncommitter A <a@example.com> {EPOCH + number} +0000\ndata 1\nx\n")
    git(repo, "fast-import", "--quiet", stdin="\n".join(lines))
    shas = git(repo, "rev-list", "many").splitlines()
    prefixes = [sha[:4] for sha in shas]
    twice = next(prefix for prefix in prefixes if prefixes.count(prefix) > 1)
    with pytest.raises(SourceError, match=f"{twice} is the beginning of") as refused:
        source.check_out(str(repo), twice)
    assert all(sha[:12] in refused.value.next_step for sha in shas if sha.startswith(twice))


def test_equal_revisions_give_equal_folders_whatever_the_user_has_set(
    repo: Path, source: GitSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "run.sh").write_text("#!/bin/sh\n")
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("docs")
    commit(repo, {"crlf.txt": "one\ntwo\n"})
    plain = listing(source.check_out(str(repo), "main", tmp_path / "one").path)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        '[core]\n autocrlf = true\n fileMode = false\n[filter "lfs"]\n required = true\n smudge = false\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    before = os.umask(0o077)
    try:
        strict = listing(source.check_out(str(repo), "main", tmp_path / "two").path)
    finally:
        os.umask(before)
    assert plain == strict
    assert {time for _, _, time in plain.values()} == {EPOCH}
    assert plain["run.sh"][1] & 0o777 == 0o755
    assert plain["link"][0] == "docs"


def test_uncommitted_paths_are_named_and_not_shipped(repo: Path, source: GitSource) -> None:
    (repo / "app/main.py").write_text("print('edited')\n")
    (repo / "新文件.txt").write_text("untracked")
    (repo / "docs/指南.md").unlink()
    index = (repo / ".git/index").read_bytes()
    checkout = source.check_out(str(repo), "main")
    assert checkout.dirty == ("app/main.py", "docs/指南.md", "新文件.txt")
    assert (checkout.path / "app/main.py").read_text() == "print(1)\n"
    assert not (checkout.path / "新文件.txt").exists()
    assert (repo / ".git/index").read_bytes() == index


def test_folder_inside_a_repository_stands_for_it(
    repo: Path, source: GitSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repo, "remote", "add", "origin", "https://someone:hunter22@git.example.com/team/app.git")
    monkeypatch.chdir(repo / "docs")
    checkout = source.check_out(".", "main")
    assert checkout.repository == str(repo)
    assert checkout.origin == "https://git.example.com/team/app.git"


def test_bare_repository_and_linked_worktree_are_folders_like_others(
    repo: Path, source: GitSource, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(repo), "bare.git")
    git(repo, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = commit(tmp_path / "side", {"side": "x"})
    (tmp_path / "side/draft").write_text("not yet")
    bare = source.check_out(str(tmp_path / "bare.git"), "HEAD")
    linked = source.check_out(str(tmp_path / "side"), "HEAD")
    assert (bare.branch, bare.dirty, bare.repository) == ("main", (), str(tmp_path / "bare.git"))
    assert (linked.branch, linked.revision, linked.dirty) == ("side", side, ("draft",))


def test_checkout_started_from_a_git_hook_ignores_the_repository_of_the_hook(
    repo: Path, source: GitSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    commit(other, {"other": "x"})
    index = (other / ".git/index").read_bytes()
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    checkout = source.check_out(str(repo), "main")
    assert sorted(entry.name for entry in checkout.path.iterdir()) == ["app", "docs"]
    assert checkout.dirty == ()
    assert (other / ".git/index").read_bytes() == index


def test_runs_side_by_side_share_one_mirror(repo: Path, source: GitSource) -> None:
    found: list[Checkout] = []
    runs = [threading.Thread(target=lambda: found.append(source.check_out(str(repo), "main"))) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len({checkout.path for checkout in found}) == 4
    assert len({str(listing(checkout.path)) for checkout in found}) == 1
    assert len(list(source.cache_dir.glob("*.git"))) == 1


def test_submodule_and_lfs_pointer_are_named_unless_they_are_not_shipped(
    repo: Path, source: GitSource, tmp_path: Path
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90000000\n"
    commit(repo, {"docker/app/model.onnx": pointer, "app/readme": "version https://git-lfs.github.com/ is a page\n"})
    git(repo, "submodule", "--quiet", "add", str(repo), "vendor/lib")
    commit(repo, {})
    into = tmp_path / "into"
    with pytest.raises(SourceError) as refused:
        source.check_out(str(repo), "main", into)
    assert "submodule vendor/lib" in refused.value.what
    assert "Git LFS pointer docker/app/model.onnx" in refused.value.what
    assert "readme" not in refused.value.what
    assert list(into.iterdir()) == []

    checkout = source.check_out(str(repo), "main", into, shipped=())
    assert checkout.submodules == ("vendor/lib",)
    require_whole(checkout, ("app/**",))
    with pytest.raises(SourceError, match=r"model\.onnx"):
        require_whole(checkout, ("docker/app/**",))
    with pytest.raises(SourceError, match="vendor/lib"):
        require_whole(checkout, ("/vendor/lib/src/*.py",))


def test_failed_checkout_leaves_nothing_behind(
    repo: Path, source: GitSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    source.check_out(str(repo), "main")
    monkeypatch.setattr("slipway.source.export.os.utime", full_disk)
    with pytest.raises(OSError, match="No space"):
        source.check_out(str(repo), "main", tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []
