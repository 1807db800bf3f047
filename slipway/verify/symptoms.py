"""What the container's own words give away: glibc, Python, torch, onnxruntime, runc, nvidia-container-cli. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from slipway.verify.facts import Machine
from slipway.verify.gpu_symptoms import driver_too_old, no_kernels
from slipway.verify.outcome import Cause, Diagnosis, Outcome


def explain_text(outcome: Outcome, machine: Machine) -> Diagnosis | None:
    """The first rule that fits, most specific first, whatever the exit code was: a service may fall back to CPU."""
    text = f"{outcome.stdout}\n{outcome.stderr}"
    for pattern, explain in _RULES:
        found = pattern.search(text)
        if found:
            return explain(found, outcome, machine)
    return None


_Explain = Callable[[re.Match[str], Outcome, Machine], Diagnosis]


def _plain(cause: Cause, what: str, next_step: str) -> _Explain:
    """A rule whose sentence only needs the pattern's groups: `{0}`, `{1}`."""

    def explain(found: re.Match[str], _outcome: Outcome, _machine: Machine) -> Diagnosis:
        groups = [group or "" for group in found.groups()]
        return Diagnosis(cause, what.format(*groups), next_step.format(*groups))

    return explain


_PACKAGES = {
    "libgomp.so.1": "libgomp1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libstdc++.so.6": "libstdc++6",
    "libssl.so.3": "libssl3",
    "libffi.so.8": "libffi8",
    "libsqlite3.so.0": "libsqlite3-0",
    "libopenblas.so.0": "libopenblas0",
}


def _missing_library(found: re.Match[str], _outcome: Outcome, _machine: Machine) -> Diagnosis:
    name = found[1]
    what = f"the shared library {name} is not in the image"
    if name.startswith(("libcuda.so", "libnvidia-ml.so")):
        return Diagnosis(
            Cause.MISSING_LIBRARY,
            f"the NVIDIA driver's library {name} is not in the container",
            "start it with a GPU request and the NVIDIA container toolkit; this library never belongs into an image",
        )
    package = _PACKAGES.get(name)
    hint = f"install {package}" if package else f"install the package that holds it (`apt-file search {name}`)"
    return Diagnosis(Cause.MISSING_LIBRARY, what, f"{hint} in the Dockerfile's final stage")


_GPU_TOOLKIT = "install nvidia-container-toolkit on the host and restart the Docker Engine; `slipway doctor` checks it"
_REBUILD = "add it to the service's requirements, lock again and rebuild"
_WRITABLE = "write to /tmp or a declared volume instead; the root file system is read-only on purpose"

_TABLE: tuple[tuple[str, _Explain], ...] = (
    (
        r"CUDA driver version is insufficient for CUDA runtime version"
        r"|NVIDIA driver on your system is too old"
        r"|unsatisfied condition: cuda\s*>="
        r"|CUDA_ERROR_SYSTEM_DRIVER_MISMATCH|cudaErrorInsufficientDriver|forward compatibility was attempted",
        driver_too_old,
    ),
    (r"no kernel image is available for execution|cudaErrorNoKernelImageForDevice", no_kernels),
    (
        r"(?:CUDA out of memory|CUDA failure 2: out of memory|CUBLAS_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation)",
        _plain(
            Cause.GPU_OUT_OF_MEMORY,
            "the GPU's memory is full",
            "see with `nvidia-smi` who else uses the GPU; use a smaller batch or model",
        ),
    ),
    (
        r"could not select device driver .*gpu|nvidia-container-cli: (?:initialization error|.*not found)",
        _plain(Cause.NO_GPU_RUNTIME, "the Docker Engine cannot hand the GPU to a container", _GPU_TOOLKIT),
    ),
    (r"(?:^|[\s:])(lib[\w.+-]+\.so[\w.]*): cannot open shared object file", _missing_library),
    (
        r"version [`']((?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found \(required by (\S+?)\)",
        _plain(
            Cause.MISSING_LIBRARY,
            "{1} needs {0}, which the image's C or C++ library is too old for",
            "build and run on the same base image, or use a wheel for an older glibc (manylinux2014)",
        ),
    ),
    (
        r"(?:ModuleNotFoundError: No module named|Error while finding module specification for) '([\w.]+)'",
        _plain(Cause.MISSING_MODULE, "the Python module {0} is not in the image", _REBUILD),
    ),
    (
        r"No module named ([\w.]+)",
        _plain(Cause.MISSING_MODULE, "the Python module {0} is not in the image", _REBUILD),
    ),
    (
        r'exec: "([^"]+)": executable file not found',
        _plain(
            Cause.MISSING_COMMAND,
            "the command {0} is not in the image",
            "correct the command in service.yaml, or install it in the Dockerfile's final stage",
        ),
    ),
    (
        r"exec format error",
        _plain(
            Cause.WRONG_ARCHITECTURE,
            "the image, or its entry point, is for another CPU architecture or is a script without `#!`",
            "build for this machine's platform; check the first line of the entry point",
        ),
    ),
    (
        r"Read-only file system: '([^'\n]+)'|'?([^\s']+)'?: Read-only file system|Read-only file system",
        _plain(Cause.READ_ONLY, "it tried to write where it must not: {0}{1}", _WRITABLE),
    ),
    (
        r"No space left on device",
        _plain(
            Cause.DISK_FULL,
            "there is no space left on the disk (or in /tmp or /dev/shm, which are bounded)",
            "free space on the host, or raise the container's tmpfs or shm size",
        ),
    ),
    (
        r"address already in use|port is already allocated",
        _plain(
            Cause.PORT_IN_USE,
            "the port it wants belongs to another process",
            "find that process with `ss -ltnp`; stop it or choose another port in service.yaml",
        ),
    ),
    (
        r"Permission denied: '([^'\n]+)'|exec: \"([^\"]+)\": permission denied|'?([^\s']+)'?: Permission denied",
        _plain(
            Cause.PERMISSION,
            "the unprivileged user may not open or run {0}{1}{2}",
            "give the file to that user in the Dockerfile (COPY --chown, chmod +x for commands)",
        ),
    ),
    (
        r"can't start new thread|Resource temporarily unavailable|fork: retry",
        _plain(
            Cause.TOO_MANY_PROCESSES,
            "it reached its limit of processes and threads",
            "set OMP_NUM_THREADS and the worker count to the cores it has, or raise the pids limit in service.yaml",
        ),
    ),
    (
        r"Temporary failure in name resolution|Name or service not known|Network is unreachable"
        r"|Couldn't connect to 'https://huggingface.co'",
        _plain(
            Cause.NO_NETWORK,
            "it asked for the network, which a smoke test does not have",
            "bring the model and every file in the image; set HF_HUB_OFFLINE=1 to see who asks",
        ),
    ),
    (
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '([^']+)'",
        _plain(
            Cause.MISSING_FILE,
            "the file {0} is not in the container",
            "copy it in the Dockerfile, or mount the model",
        ),
    ),
    (
        r"MemoryError|std::bad_alloc|DefaultCPUAllocator: can't allocate memory",
        _plain(
            Cause.OUT_OF_MEMORY,
            "it could not get the memory it asked for",
            "raise the memory limit in service.yaml, or load a smaller or quantized model",
        ),
    ),
)
_RULES = tuple((re.compile(pattern), explain) for pattern, explain in _TABLE)
