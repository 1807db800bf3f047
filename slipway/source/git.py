"""The adapter for git: any repository, one exact revision, and what changed between two of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from slipway import filelock
from slipway.errors import CommandFailed, SourceError
from slipway.redaction import remember_secret
from slipway.source import worktree
from slipway.source.address import Address, parse_address
from slipway.source.checkout import EVERYTHING, Checkout, Commit, parse_commit, require_whole
from slipway.source.export import export
from slipway.source.mirror import Mirror
from slipway.source.refs import Resolved, choose, is_full_sha, is_short_sha, is_unknown, no_such_ref

_Result = TypeVar("_Result")
_DESCRIBE = ("describe", "--tags", "--always", "--abbrev=12")  # a fixed length: git's own grows with the clone


@dataclass(frozen=True)
class Changes:
    """The paths that differ, and, when every path had to count as changed, the reason for it."""

    paths: tuple[str, ...]
    everything_because: str = ""


@dataclass(frozen=True)
class GitSource:
    """Repositories by URL, scp-like address or local path, mirrored in `cache_dir`; `deadline_s` bounds each fetch."""

    cache_dir: Path
    deadline_s: float = 600

    def check_out(
        self, repository: str, ref: str, into: Path | None = None, *, shipped: Sequence[str] = EVERYTHING
    ) -> Checkout:
        """Export the commit that `ref` (branch, tag, full or short SHA, HEAD, refs/...) names into its own new folder.

        The folder is made under `into` (default: under the cache) and is the caller's to remove. Of a local folder the
        committed revision is exported; what is uncommitted is named in `dirty`. Submodules and LFS pointers among the
        `shipped` globs are an error; pass () to decide later with `require_whole`.
        Raises `SourceError`, or `GitUnavailable` when the remote does not answer.
        """
        address = _locate(repository)
        target = into or self.cache_dir / "checkouts"
        checkout = self._use(address, lambda mirror: _check_out(mirror, ref, target))
        try:
            require_whole(checkout, shipped)
            return _with_local_state(checkout) if address.local else checkout
        except BaseException:
            shutil.rmtree(checkout.path, ignore_errors=True)
            raise

    def changes(self, repository: str, before: str, after: str) -> Changes:
        """The paths that differ between two revisions; every path of `after` when `before` says nothing about it."""
        return self._use(_locate(repository), lambda mirror: _changes(mirror, before, after))

    def changed_paths(self, repository: str, before: str, after: str) -> tuple[str, ...]:
        """`changes(...).paths`, for callers that need no reason."""
        return self.changes(repository, before, after).paths

    def last_change(self, repository: str, revision: str, globs: Sequence[str]) -> datetime | None:
        """When, up to `revision`, a commit last touched a file that git's own `globs` match; None if none ever did."""
        paths = [f":(glob){glob}" for glob in globs]
        asked = ("log", "-1", "--no-show-signature", "--format=%cI", revision, "--", *paths)
        said = self._use(_locate(repository), lambda mirror: mirror.git(*asked)).stdout.strip()
        return datetime.fromisoformat(said).astimezone(UTC) if said and globs else None

    def remote_refs(self, repository: str) -> str:
        """What `git ls-remote` says of the remote's branches and tags."""
        mirror = Mirror(self.cache_dir, _locate(repository), self.deadline_s)
        return mirror.ask_remote("ls-remote", "--heads", "--tags", "--").stdout

    def remote_heads(self, repository: str) -> dict[str, str]:
        """Each branch of the remote and its commit, asked for without fetching anything."""
        address = _locate(repository)
        answer = Mirror(self.cache_dir, address, self.deadline_s).ask_remote("ls-remote", "--heads", "--")
        pairs = (line.split("\t") for line in answer.stdout.splitlines())
        return {name.removeprefix("refs/heads/"): commit for commit, name in pairs}

    def _use(self, address: Address, work: Callable[[Mirror], _Result]) -> _Result:
        """Do `work` on the mirror, made when missing and made anew when damaged, while no other run touches it."""
        mirror = Mirror(self.cache_dir / f"{address.key}.git", address, self.deadline_s)
        with filelock.held(self.cache_dir / f"{address.key}.lock", deadline_s=self.deadline_s):
            mirror.sweep()
            if mirror.usable:
                # A full disk or a killed run may have damaged it; a new clone tells that from a broken remote.
                with suppress(CommandFailed):
                    return work(mirror)
            try:
                return work(mirror.create())
            except CommandFailed as failed:
                raise _unreadable(failed, address) from failed


def _unreadable(failed: CommandFailed, address: Address) -> SourceError:
    return SourceError(
        "git could not read the repository",
        subject=address.location,
        command=failed.command,
        tail=failed.tail,
        next_step="run the command above by hand: the repository itself may be damaged",
    )


def _locate(repository: str) -> Address:
    address = parse_address(repository)
    for secret in address.secrets:
        remember_secret(secret)
    return replace(address, location=str(worktree.top_of(address.location))) if address.local else address


def _with_local_state(checkout: Checkout) -> Checkout:
    top = Path(checkout.repository)
    return replace(checkout, dirty=worktree.dirty_paths(top), origin=worktree.origin_of(top))


def _check_out(mirror: Mirror, ref: str, into: Path) -> Checkout:
    resolved = _resolve(mirror, ref)
    commit = _commit(mirror, resolved.object)
    exported = export(mirror, commit.revision, into, int(commit.committed_at.timestamp()))
    location = mirror.address.location
    return Checkout(
        path=exported.path,
        revision=commit.revision,
        ref=ref,
        ref_kind=resolved.kind,
        branch=resolved.name if resolved.kind == "branch" else "",
        tag=resolved.name if resolved.kind == "tag" else "",
        describe=mirror.git(*_DESCRIBE, commit.revision).stdout.strip(),
        author_name=commit.author_name,
        author_email=commit.author_email,
        committed_at=commit.committed_at,
        subject=commit.subject,
        repository=location,
        origin=location,
        submodules=exported.submodules,
        lfs_pointers=exported.lfs_pointers,
    )


def _commit(mirror: Mirror, revision: str) -> Commit:
    return parse_commit(mirror.git("log", "-1", "--no-show-signature", f"--format={Commit.FORMAT}", revision).stdout)


def _resolve(mirror: Mirror, ref: str) -> Resolved:
    """The commit that `ref` names, fetched when it was not here yet; a SHA that is here needs no remote."""
    found = _find(mirror, ref)
    if not found:
        raise no_such_ref(ref, mirror.refs(), mirror.address.location)
    return found


def _find(mirror: Mirror, ref: str) -> Resolved | None:
    if is_full_sha(ref) and mirror.has(ref):
        return Resolved(mirror.commit_of(ref), "sha")
    mirror.refresh()
    found = (_head(mirror) if ref == "HEAD" else choose(ref, mirror.refs())) or _other(mirror, ref)
    commit = mirror.commit_of(found.object) if found else ""
    return replace(found, object=commit) if found and commit else None


def _head(mirror: Mirror) -> Resolved | None:
    """What the remote has checked out: usually a branch, in a detached folder only a commit."""
    lines = mirror.ask_remote("ls-remote", "--symref", "--", names=["HEAD"]).stdout.splitlines()
    words = [line.split() for line in lines]
    branch = next((name[1] for name in words if name[0] == "ref:"), "")
    commit = next((name[0] for name in words if name[0] != "ref:" and name[1] == "HEAD"), "")
    if not commit or not (mirror.has(commit) or mirror.fetch_commit(commit)):
        return None
    return Resolved(commit, "branch", branch.removeprefix("refs/heads/")) if branch else Resolved(commit, "sha")


def _other(mirror: Mirror, ref: str) -> Resolved | None:
    """A SHA, or a ref outside branches and tags, such as refs/pull/7/head."""
    if is_full_sha(ref) or ref.startswith("refs/"):
        found = mirror.has(ref) or mirror.fetch_commit(ref)
        return Resolved(ref if is_full_sha(ref) else f"refs/slipway/{ref}", "sha") if found else None
    matches = mirror.commits_starting_with(ref) if is_short_sha(ref) else ()
    if len(matches) > 1:
        raise SourceError(
            f"{ref} is the beginning of {len(matches)} commits",
            subject=mirror.address.location,
            next_step=f"use more digits: {', '.join(sha[: len(ref) + 8] for sha in matches[:8])}",
        )
    return Resolved(matches[0], "sha") if matches else None


def _changes(mirror: Mirror, before: str, after: str) -> Changes:
    new = _resolve(mirror, after).object
    reason = _why_everything(mirror, before, new)
    if reason:
        return Changes(_paths(mirror, "ls-tree", "-r", "--name-only", "-z", new), reason)
    return Changes(_paths(mirror, "diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", f"{before}..{new}"))


def _why_everything(mirror: Mirror, before: str, after: str) -> str:
    if is_unknown(before):
        return "there is no earlier revision to compare with"
    old = _find(mirror, before)
    if not old:
        return f"the earlier revision {before[:12]} is not in the repository any more"
    if mirror.git("merge-base", "--is-ancestor", old.object, after, check=False).returncode != 0:
        return f"history was rewritten: {before[:12]} is not an ancestor of {after[:12]}"
    return ""


def _paths(mirror: Mirror, *args: str) -> tuple[str, ...]:
    return tuple(sorted(path for path in mirror.git(*args).stdout.split("\0") if path))
