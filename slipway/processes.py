"""The one place that starts processes.

Prefect's task timeout neither interrupts a submitted sync task nor ends its children, so the deadline lives here:
when it passes, or when the caller dies by an exception, the whole process tree goes. What a command leaves behind in
its session when it ends goes, too; only a program that takes a session of its own (a daemon) outlives it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from slipway.errors import CommandFailed, DeadlineExceeded, HostNotReady
from slipway.redaction import redact

TAIL_LINES = 30


@dataclass(frozen=True)
class Completed:
    """What a finished command left: its whole stdout, the last lines of both streams, its seconds and status."""

    stdout: str
    tail: str
    seconds: float
    returncode: int


def run(
    argv: Sequence[str],
    *,
    deadline_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    stdin: str | None = None,
    check: bool = True,
) -> Completed:
    """Run `argv` to its end, streaming every line to `on_line`.

    `env` adds to the current environment. Raises `CommandFailed` (unless `check` is false), `DeadlineExceeded`, or
    `HostNotReady` when the program does not exist.
    """
    started = time.monotonic()
    shown = redact(shlex.join(argv))
    if not shutil.which(argv[0]):
        raise HostNotReady(
            f"{argv[0]} is not installed", command=shown, next_step="run `slipway doctor`: it says how to install it"
        )
    process = _start(argv, cwd, env, with_stdin=stdin is not None)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    stdout: list[str] = []
    readers = [
        _reader(process.stdout, stdout.append, tail, on_line),
        _reader(process.stderr, None, tail, on_line),
    ]
    try:
        if stdin is not None:
            _writer(process.stdin, stdin)
        process.wait(timeout=deadline_s)
    except subprocess.TimeoutExpired as late:
        raise DeadlineExceeded(
            f"{argv[0]} did not finish within {deadline_s:.0f} s and was stopped",
            command=shown,
            tail="\n".join(tail),
            next_step="look at the last output for what it waited for",
        ) from late
    finally:
        kill_tree(process.pid)
        for reader in readers:
            reader.join(timeout=5)
    done = Completed("".join(stdout), "\n".join(tail), time.monotonic() - started, process.returncode)
    if check and process.returncode != 0:
        raise CommandFailed(f"{argv[0]} exited with {process.returncode}", command=shown, tail=done.tail)
    return done


def _start(
    argv: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, *, with_stdin: bool
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_bound_to_parent(), *argv],
        cwd=cwd,
        env={**os.environ, **env} if env else None,
        stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _reader(
    stream: IO[str] | None,
    keep: Callable[[str], None] | None,
    tail: deque[str],
    on_line: Callable[[str], None] | None,
) -> threading.Thread:
    def pump() -> None:
        for line in stream or ():
            if keep:
                keep(line)
            clean = redact(line.rstrip("\n"))
            tail.append(clean)
            if on_line:
                on_line(clean)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    return thread


def _writer(stream: IO[str] | None, text: str) -> None:
    """Feed stdin beside the deadline's wait: a command may read it late, or end without reading it."""

    def feed() -> None:
        assert stream is not None
        with contextlib.suppress(BrokenPipeError), stream:
            stream.write(text)

    threading.Thread(target=feed, daemon=True).start()


def _bound_to_parent() -> list[str]:
    """A prefix that lets the kernel end the command when this process is killed: no `finally` runs then."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


def kill_tree(pid: int) -> None:
    """End a process and everything it started; quiet when it is already gone."""
    family = _family(pid)
    for member in family:
        _quietly(member.terminate)
    _, alive = psutil.wait_procs(family, timeout=5)
    for member in alive:
        _quietly(member.kill)


def kill_children() -> None:
    """End everything this process started and still runs, whichever thread waits for it."""
    for child in psutil.Process().children():
        kill_tree(child.pid)


def _family(pid: int) -> list[psutil.Process]:
    """A process, what it started, and what stayed in its session when the one that started it ended."""
    found: set[psutil.Process] = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        found |= {parent, *parent.children(recursive=True)}
    for other in psutil.pids():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(other) == pid and psutil.Process(other).status() != psutil.STATUS_ZOMBIE:
                found.add(psutil.Process(other))
    return list(found)


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
