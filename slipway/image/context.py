"""What the builder sees: a folder staged from the checkout, the wheels, the model. Nothing else, and no clock.

All files get one fixed time: neither the clone's times nor the commit's may decide whether a layer is the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from slipway.image.base import EPOCH


def stage(service_folder: Path, extras: Mapping[str, Path], destination: Path) -> Path:
    """Fill `destination` with the service's files and each extra folder under its name.

    Extras are hard-linked where the filesystem allows it: wheels and models are large, and their bytes stay untouched.
    """
    shutil.rmtree(destination, ignore_errors=True)  # what an earlier try of the same run staged
    shutil.copytree(service_folder, destination, symlinks=True)
    for name, folder in extras.items():
        shutil.copytree(folder, destination / name, copy_function=_link_or_copy, dirs_exist_ok=True)
    for path in sorted(destination.rglob("*"), reverse=True):
        _normalise(path)
    _normalise(destination)
    return destination


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _normalise(path: Path) -> None:
    """One time, and modes that do not depend on the umask of whoever cloned."""
    if not path.is_symlink():
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
    os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
