"""How many processors this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1 = Path("/sys/fs/cgroup/cpu")


def usable_cpus() -> int:
    """Processors in the affinity mask, cut down to the container's CPU quota; at least 1."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(_CGROUP_V2, _CGROUP_V1)
    return max(1, min(allowed, math.ceil(quota)) if quota else allowed)


def _quota(v2: Path, v1: Path) -> float | None:
    try:
        if v2.exists():
            limit, period = v2.read_text().split()
        else:
            limit, period = ((v1 / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return None if limit in ("max", "-1") else int(limit) / int(period)
    except (OSError, ValueError):
        return None
