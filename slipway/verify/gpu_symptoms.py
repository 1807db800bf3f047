"""What torch, onnxruntime and nvidia-container-cli say when the GPU, its driver and the image do not fit. Pure."""

from __future__ import annotations

import re

from slipway.verify.facts import Machine
from slipway.verify.outcome import Cause, Diagnosis, Outcome

_NEEDED = (
    re.compile(r"unsatisfied condition: cuda\s*>=\s*(\d+\.\d+)"),
    re.compile(r"CUDA runtime version:?\s*(\d+\.\d+)"),
    re.compile(r"\btorch[-=]+\S*\+cu(\d{3})\b"),
    re.compile(r"Require(?:s)? (?:cuDNN [\w.*]+ and )?CUDA (\d+\.[\d*x]+)"),
)
_OFFERED = (
    re.compile(r"found version (\d{4,5})\b"),
    re.compile(r"(?:CUDA )?driver version:?\s*(\d+\.\d+)\b(?!\.)", re.IGNORECASE),
)


def cuda_needed(text: str) -> str:
    """The CUDA version the runtime asks for, as `12.8`; empty when its words do not tell."""
    return _first(_NEEDED, text)


def cuda_offered(text: str) -> str:
    """The CUDA version the driver offers; torch writes 12040 for 12.4."""
    return _first(_OFFERED, text)


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> str:
    found = next((match[1] for pattern in patterns if (match := pattern.search(text))), "")
    if found.isdigit() and len(found) == 3:
        return f"{found[:2]}.{found[2]}"
    return f"{int(found) // 1000}.{int(found) % 1000 // 10}" if found.isdigit() else found


def driver_too_old(_found: re.Match[str], outcome: Outcome, machine: Machine) -> Diagnosis:
    text = f"{outcome.stdout}\n{outcome.stderr}"
    gpu = machine.gpu
    offered = cuda_offered(text) or (gpu.cuda if gpu else "") or "unknown"
    driver = f" (driver {gpu.driver})" if gpu and gpu.driver else ""
    needed = cuda_needed(text) or outcome.image_cuda or "a newer version"
    return Diagnosis(
        Cause.DRIVER_TOO_OLD,
        f"the image needs CUDA {needed}, but this machine's NVIDIA driver offers CUDA {offered}{driver}",
        "update the NVIDIA driver on the host, or build the image with an older CUDA",
    )


def no_kernels(_found: re.Match[str], outcome: Outcome, machine: Machine) -> Diagnosis:
    text = f"{outcome.stdout}\n{outcome.stderr}"
    has = re.search(r"^\s*(\S.*?) with CUDA capability sm_(\d+) is not compatible", text, re.MULTILINE)
    built = re.search(r"supports CUDA capabilities ((?:sm_\d+ ?|compute_\d+ ?)+)", text)
    gpu = machine.gpu
    name = has[1] if has else (gpu.name if gpu else "this GPU")
    capability = f"sm_{has[2]}" if has else f"sm_{gpu.capability.replace('.', '')}" if gpu and gpu.capability else ""
    return Diagnosis(
        Cause.NO_GPU_KERNELS,
        f"the image has no GPU code for {name}"
        + (f" ({capability})" if capability else "")
        + (f"; it was built for {built[1].strip()}" if built else ""),
        "use a torch or onnxruntime build that covers this compute capability, or run on CPU",
    )
