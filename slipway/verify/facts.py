"""What a machine is, as far as verification cares. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NOISE = re.compile(r"\((?:r|tm)\)|\b(?:cpu|processor|with radeon graphics)\b|@.*$|\b\d+-core\b", re.IGNORECASE)
_GIB = 2**30


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU as `nvidia-smi` names it; versions as dotted strings, empty when unknown."""

    name: str
    driver: str = ""
    cuda: str = ""
    capability: str = ""


@dataclass(frozen=True)
class Machine:
    """`cpu` as the kernel names it; `flags` are its instruction sets, empty when unknown."""

    cpu: str
    cores: int
    memory_bytes: int
    gpu: Gpu | None = None
    flags: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def kind(self) -> str:
        """A short stable name; measurements are compared only between machines with the same one.

        Memory is rounded to whole GiB (kernels reserve different amounts), a driver to its branch.
        """
        parts = [_slug(_NOISE.sub(" ", self.cpu)), f"{self.cores}c", f"{max(round(self.memory_bytes / _GIB), 1)}g"]
        if self.gpu:
            parts.append(_slug(self.gpu.name))
            if self.gpu.driver:
                parts.append(f"d{self.gpu.driver.partition('.')[0]}")
        return "-".join(parts)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unknown"


def parse_cpuinfo(text: str) -> tuple[str, frozenset[str]]:
    """Model name and flags from `/proc/cpuinfo`, on x86 and on ARM (which has `Features` and often no name)."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    model = fields.get("model name") or fields.get("hardware") or f"part {fields.get('cpu part', 'unknown')}"
    return model, frozenset((fields.get("flags") or fields.get("features", "")).split())


def parse_gpu(csv_line: str, banner: str) -> Gpu | None:
    """From `nvidia-smi --query-gpu=name,driver_version,compute_cap` and the CUDA version in plain `nvidia-smi`."""
    cells = [cell.strip() for cell in csv_line.split(",")]
    if len(cells) != 3 or not cells[0]:
        return None
    cuda = re.search(r"CUDA Version:\s*([\d.]+)", banner)
    return Gpu(cells[0], cells[1], cuda[1] if cuda else "", cells[2])
