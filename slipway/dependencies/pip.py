"""One `pip download`, with pip's configuration as the user has it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from slipway.dependencies.failures import Mismatch, differs_each_time, explain, find_mismatch, read_log
from slipway.dependencies.lock import Pin
from slipway.dependencies.target import Target
from slipway.errors import CommandFailed, DeadlineExceeded, IndexUnavailable
from slipway.processes import run

_OPTIONS = (
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-input",
    "--no-color",
    "--progress-bar=off",
    "--disable-pip-version-check",
)


@dataclass(frozen=True)
class Download:
    """Wheels for `target` into `work`/download; relative paths in `sources` (option lines) start at `start`."""

    work: Path
    start: Path
    target: Target
    sources: tuple[str, ...]
    deadline_s: float
    on_line: Callable[[str], None] | None = None

    @property
    def folder(self) -> Path:
        return self.work / "download"

    def fetch(self, pins: Iterable[Pin]) -> None:
        """Download one wheel for each pin; raises what the failure means."""
        wanted = list(pins)
        try:
            self._pip(wanted, "pip.log")
        except CommandFailed as failed:
            log = _log(self.work / "pip.log")
            wrong = find_mismatch(log)
            if wrong and not self._same_again(wrong, wanted):
                raise differs_each_time(wrong) from failed
            raise explain(log, failed.tail) from failed

    def _same_again(self, wrong: Mismatch, pins: list[Pin]) -> bool:
        """Whether the wrong content is what the index really has: pip takes a broken transfer for a wrong hash, too."""
        try:
            self._pip([pin for pin in pins if pin.name == wrong.name], "again.log", "--no-cache-dir")
        except CommandFailed:
            again = find_mismatch(_log(self.work / "again.log"))
            return again is not None and again.got == wrong.got
        return False

    def _pip(self, pins: list[Pin], log: str, *options: str) -> None:
        # Sources may hold credentials: they go into a file of this private folder, not on the command line.
        wanted = self.work / "requirements.txt"
        wanted.write_text("\n".join([*self.sources, *(pin.line for pin in pins)]) + "\n", encoding="utf-8")
        places = ("--dest", str(self.folder), "--log", str(self.work / log), "--requirement", str(wanted))
        # -P: the folder of the lock is no place to import from.
        pip = (sys.executable, "-P", "-m", "pip", "download")
        scratch = self.work / "tmp"
        scratch.mkdir(exist_ok=True)
        try:
            run(
                (*pip, *_OPTIONS, *self.target.pip_options, *options, *places),
                deadline_s=self.deadline_s,
                cwd=self.start,
                env={"TMPDIR": str(scratch), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
                on_line=self.on_line,
            )
        except DeadlineExceeded as late:
            raise IndexUnavailable(
                f"the wheels did not arrive within {self.deadline_s:.0f} s",
                command=late.command,
                tail=late.tail,
                next_step="it is tried again on its own; if it goes on, check the network and the index",
            ) from late


def _log(file: Path) -> str:
    return read_log(file.read_text(encoding="utf-8", errors="replace")) if file.exists() else ""
