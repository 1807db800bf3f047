"""A lock written anew from its source: the same wishes, today's versions."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from slipway.processes import run

_DEADLINE_S = 600.0


def renew_lock(lock: Path, on_line: Callable[[str], None]) -> str:
    """Rewrite `<name>.lock` from `<name>.in` beside it (and `overrides-<name>.in`); why it stays as it is, or "".

    Raises what a compilation that fails raises: a lock that cannot be renewed is news.
    """
    source, overrides = lock.with_suffix(".in"), lock.with_name(f"overrides-{lock.stem}.in")
    if not source.is_file():
        return f"{lock.name} stays: there is no {source.name} to renew it from"
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if not uv:
        return f"{lock.name} stays: uv is not installed"
    options = ["--generate-hashes", "--python-version", "3.11", "--no-header", "--no-annotate", "--quiet", "--upgrade"]
    if overrides.is_file():
        options += ["--override", overrides.name]
    command = [uv, "pip", "compile", source.name, *options, "--no-emit-index-url", "-o", lock.name]
    run(command, deadline_s=_DEADLINE_S, cwd=lock.parent, on_line=on_line)
    return ""
