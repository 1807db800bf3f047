"""How a container ended, and what that means. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

_LAST_LINES = 3


class Cause(StrEnum):
    """What kind of failure it was."""

    HANG = "hang"
    OUT_OF_MEMORY = "out of memory"
    KILLED = "killed"
    ILLEGAL_INSTRUCTION = "illegal instruction"
    SEGFAULT = "segmentation fault"
    ABORTED = "aborted"
    GPU_OUT_OF_MEMORY = "GPU out of memory"
    DRIVER_TOO_OLD = "CUDA driver too old"
    NO_GPU_KERNELS = "no kernels for this GPU"
    NO_GPU_RUNTIME = "no GPU runtime"
    MISSING_LIBRARY = "missing library"
    MISSING_MODULE = "missing Python module"
    MISSING_COMMAND = "missing command"
    MISSING_FILE = "missing file"
    WRONG_ARCHITECTURE = "wrong architecture"
    READ_ONLY = "read-only file system"
    PERMISSION = "permission denied"
    DISK_FULL = "disk full"
    PORT_IN_USE = "port in use"
    NO_NETWORK = "no network"
    TOO_MANY_PROCESSES = "too many processes"
    NO_JSON = "no JSON"
    INVALID_JSON = "invalid JSON"
    CRASH = "crash"


@dataclass(frozen=True)
class Outcome:
    """How a container ended. `exit_code` is None when the deadline stopped it; `image_cuda` as the image states it."""

    exit_code: int | None
    stdout: str = field(default="", repr=False)
    stderr: str = field(default="", repr=False)
    oom_killed: bool = False
    deadline_s: float = 0.0
    memory_limit_bytes: int = 0
    image_cuda: str = ""

    @property
    def last_words(self) -> str:
        """The last lines it said, errors first."""
        lines = [line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return " | ".join(lines[-_LAST_LINES:])[-500:]


@dataclass(frozen=True)
class Diagnosis:
    """What happened and what to do."""

    cause: Cause
    what: str
    next_step: str
