"""The value a checkout is, and what makes one unfit to build from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pathspec import GitIgnoreSpec

from slipway.errors import SourceError
from slipway.source.refs import RefKind

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
EVERYTHING = ("**",)


@dataclass(frozen=True)
class Commit:
    """Who made a revision, when (UTC) and why."""

    revision: str
    author_name: str
    author_email: str
    committed_at: datetime
    subject: str

    FORMAT = "%H%x00%an%x00%ae%x00%cI%x00%s"


@dataclass(frozen=True)
class Checkout:
    """One revision in a folder of its own; the folder is the caller's to remove.

    `branch` and `tag` are set only when `ref` named one. `repository` is where it came from, without credentials;
    `origin` is its public address: the same URL, or for a local folder its remote named origin ("" without one).
    `dirty` names what a local working tree has and this revision has not. File times are the commit's.
    """

    path: Path
    revision: str
    ref: str
    ref_kind: RefKind
    branch: str
    tag: str
    describe: str
    author_name: str
    author_email: str
    committed_at: datetime
    subject: str
    repository: str
    origin: str
    dirty: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    lfs_pointers: tuple[str, ...] = ()


def parse_commit(text: str) -> Commit:
    """Read what `git log --format=<Commit.FORMAT>` printed."""
    revision, name, email, committed, subject = text.rstrip("\n").split("\0")
    return Commit(revision, name, email, datetime.fromisoformat(committed).astimezone(UTC), subject)


def require_whole(checkout: Checkout, shipped: Sequence[str] = EVERYTHING) -> None:
    """Refuse a checkout that lacks content which `shipped` (gitignore-style globs) would put into an image.

    Raises `SourceError` naming every submodule and every Git LFS pointer concerned.
    """
    missing = [f"submodule {path}" for path in _concerned(checkout.submodules, shipped)]
    missing += [f"Git LFS pointer {path}" for path in _concerned(checkout.lfs_pointers, shipped)]
    if missing:
        raise SourceError(
            "git holds only a reference to some of what would be shipped:\n    " + "\n    ".join(missing),
            subject=f"{checkout.repository} at {checkout.revision[:12]}",
            next_step="commit the files themselves (git lfs migrate export; git subtree add), "
            "keep large models in the model store, or narrow the service's paths",
        )


def _concerned(paths: Iterable[str], shipped: Sequence[str]) -> list[str]:
    globs = GitIgnoreSpec.from_lines(shipped)
    return [path for path in paths if globs.match_file(path) or any(_leads_into(glob, path) for glob in shipped)]


def _leads_into(glob: str, folder: str) -> bool:
    return glob.removeprefix("/").startswith(f"{folder}/")
