"""What the graphics card is, whether it can be used, and how busy it is. Everything here answers, nothing raises."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """Versions as the driver and the runtime state them."""

    name: str
    driver: str
    runtime: str
    capability: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class GpuUse:
    """Utilisation in percent, memory in bytes."""

    utilisation: float
    memory_used: float
    memory_total: float


def choose_device(engine: str, wanted: str) -> tuple[str, str]:
    """(`cpu` or `cuda`, why the GPU is not used). The reason is empty when nothing was given up.

    *wanted* is `auto`, `cpu` or `cuda`; only the torch engine can use a GPU.
    """
    if engine != "torch" or wanted == "cpu":
        given_up = wanted == "cuda"
        return "cpu", f"engine {engine} runs on the CPU only, although cuda was asked for" if given_up else ""
    usable, reason = _cuda()
    if usable:
        return "cuda", ""
    return "cpu", reason if wanted == "cuda" or _driver() else ""


def describe() -> Gpu | None:
    """The first GPU, or None when the driver shows none."""
    driver = _driver()
    if not driver:
        return None
    torch = _module("torch")
    runtime = str(getattr(getattr(torch, "version", None), "cuda", "") or "")
    name, version, capability = driver
    return Gpu(name=name, driver=version, runtime=runtime, capability=capability)


def current_use() -> GpuUse | None:
    """How busy the first GPU is, or None without NVML or GPU."""
    nvml = _module("pynvml")
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        return GpuUse(nvml.nvmlDeviceGetUtilizationRates(handle).gpu, memory.used, memory.total)
    except Exception:  # no library, no driver, no device: all mean "nothing to show"
        return None


def _cuda() -> tuple[bool, str]:
    """Runs one real kernel: a driver too old or a GPU too new passes is_available() and fails here."""
    torch = _module("torch")
    if torch is None:
        return False, "torch is not installed"
    try:
        if not torch.cuda.is_available():
            return False, "torch sees no usable CUDA device"
        torch.ones(8, device="cuda").sum().item()
    except Exception as error:  # CUDA errors come as RuntimeError, AssertionError and their own types
        return False, f"CUDA is there but does not work: {error}"
    return True, ""


def _driver() -> tuple[str, str, str] | None:
    nvml = _module("pynvml")
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
        return _text(nvml.nvmlDeviceGetName(handle)), _text(nvml.nvmlSystemGetDriverVersion()), f"{major}.{minor}"
    except Exception:  # as in current_use
        return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
