"""What a local folder says about itself, read without writing a byte into it."""

from __future__ import annotations

from pathlib import Path

from slipway.errors import CommandFailed, SlipwayError, SourceError
from slipway.source.address import parse_address
from slipway.source.failures import explain
from slipway.source.mirror import git


def top_of(folder: str) -> Path:
    """The repository that `folder` lies in: its working tree's top, or the bare repository itself."""
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise SourceError(f"there is no folder {path}", next_step="give a git URL, or a folder with a git repository")
    try:
        inside = git("rev-parse", "--is-inside-work-tree", cwd=path).stdout.strip() == "true"
        answer = git("rev-parse", "--show-toplevel" if inside else "--absolute-git-dir", cwd=path)
    except CommandFailed as failed:
        raise _as_source_error(failed, path) from failed
    return Path(answer.stdout.rstrip("\n"))


def _as_source_error(failed: CommandFailed, path: Path) -> SlipwayError:
    return explain(failed, str(path)) or SourceError(
        "the git repository cannot be read", subject=str(path), command=failed.command, tail=failed.tail
    )


def dirty_paths(top: Path) -> tuple[str, ...]:
    """Paths that differ from the last commit, untracked ones included; none for a bare repository."""
    if not (top / ".git").exists():
        return ()
    status = git("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal", cwd=top)
    return tuple(sorted(entry[3:] for entry in status.stdout.split("\0") if entry))


def origin_of(top: Path) -> str:
    """The address of the remote named origin, without credentials; "" when there is none, or it is a folder."""
    url = git("config", "--get", "remote.origin.url", cwd=top, check=False).stdout.strip()
    if not url:
        return ""
    origin = parse_address(url)
    return "" if origin.local else origin.location
