"""Looks at the machine it runs on."""

from __future__ import annotations

from pathlib import Path

import psutil

from slipway.errors import CommandFailed, DeadlineExceeded, HostNotReady
from slipway.processes import run
from slipway.verify.facts import Gpu, Machine, parse_cpuinfo, parse_gpu

_CPUINFO = Path("/proc/cpuinfo")


def observe_machine(*, deadline_s: float = 10.0) -> Machine:
    """This machine; a GPU that `nvidia-smi` cannot talk to within the deadline counts as none."""
    model, flags = parse_cpuinfo(_CPUINFO.read_text(encoding="utf-8"))
    return Machine(model, psutil.cpu_count() or 1, psutil.virtual_memory().total, _gpu(deadline_s), flags)


def _gpu(deadline_s: float) -> Gpu | None:
    query = ["nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        listed = run(query, deadline_s=deadline_s).stdout.splitlines()
        return parse_gpu(listed[0], run(["nvidia-smi"], deadline_s=deadline_s).stdout) if listed else None
    except (HostNotReady, CommandFailed, DeadlineExceeded):
        return None
