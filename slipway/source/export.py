"""One revision of a mirror, laid out in a folder so that equal revisions give equal folders."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slipway.source.checkout import LFS_POINTER
from slipway.source.mirror import Mirror

_SUBMODULE = "160000"
# The LFS specification keeps pointer files under this many bytes.
_POINTER_BYTES = 1024


@dataclass(frozen=True)
class Export:
    """The folder, and what in it only points elsewhere."""

    path: Path
    submodules: tuple[str, ...]
    lfs_pointers: tuple[str, ...]


def export(mirror: Mirror, revision: str, into: Path, epoch: int) -> Export:
    """Write `revision` into a new folder under `into`, every time in it set to `epoch` seconds.

    Nothing is left in `into` when this fails.
    """
    into.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=f"{revision[:12]}-", dir=into))
    try:
        with tempfile.TemporaryDirectory(prefix="index-", dir=mirror.path) as scratch:
            place = {"GIT_WORK_TREE": str(path), "GIT_INDEX_FILE": str(Path(scratch, "index"))}
            mirror.git("read-tree", "-m", "-u", revision, env=place, deadline_s=mirror.deadline_s)
        submodules = tuple(_submodules_of(mirror, revision))
        pointers = tuple(sorted(_settle(path, epoch)))
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return Export(path, submodules, pointers)


def _submodules_of(mirror: Mirror, revision: str) -> Iterator[str]:
    """The paths of `revision` that are submodules."""
    for entry in mirror.git("ls-tree", "-r", "-z", revision).stdout.split("\0"):
        meta, _, name = entry.partition("\t")
        if meta.startswith(_SUBMODULE):
            yield name


def _settle(top: Path, epoch: int) -> Iterator[str]:
    """Set times and modes (which follow the user's umask) below `top`; yield the LFS pointers met on the way."""
    for folder, folders, names in os.walk(top, topdown=False):
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
                if _is_pointer(file):
                    yield file.relative_to(top).as_posix()
        for name in (*names, *folders):  # links to folders are among the folders
            os.utime(Path(folder, name), (epoch, epoch), follow_symlinks=False)
        Path(folder).chmod(0o755)
        os.utime(folder, (epoch, epoch))


def _is_pointer(file: Path) -> bool:
    if file.stat().st_size >= _POINTER_BYTES:
        return False
    with file.open("rb") as content:
        return content.read(len(LFS_POINTER)) == LFS_POINTER
