"""Recorded shapes of failing containers -> the cause, the names that must be in the sentence, and a next step."""

import pytest

from slipway.verify.diagnosis import diagnose, read_json
from slipway.verify.facts import Gpu, Machine
from slipway.verify.outcome import Cause, Diagnosis, Outcome

LAPTOP = Machine("Intel Pentium Gold G5400", 2, 8 * 2**30, flags=frozenset({"sse4_2", "avx"}))
GPU_HOST = Machine("AMD EPYC", 16, 128 * 2**30, Gpu("Tesla T4", "470.57.02", "11.4", "7.5"))

TORCH_DRIVER = (
    '  File "/app/.venv/lib/python3.11/site-packages/torch/cuda/__init__.py", line 412, in _lazy_init\n'
    "    torch._C._cuda_init()\n"
    "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver "
    "by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx"
)
CLI_DRIVER = (
    "docker: Error response from daemon: failed to create task for container: OCI runtime create failed: runc create "
    "failed: error during container init: error running hook #0: exit status 1, stdout: , stderr: Auto-detected mode "
    "as 'legacy'\nnvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update your "
    "driver to a newer version, or use an earlier cuda container: unknown."
)
ORT_DRIVER = (
    "2026-11-20 10:00:01.123 [E:onnxruntime:Default, provider_bridge_ort.cc:2195] CUDA failure 35: CUDA driver version "
    "is insufficient for CUDA runtime version ; GPU=-1 ; hostname=3f2a ; expr=cudaSetDevice(info_.device_id);"
)
TORCH_KERNELS = (
    "/app/site-packages/torch/cuda/__init__.py:287: UserWarning: \n"
    "NVIDIA H200 with CUDA capability sm_90 is not compatible with the current PyTorch installation.\n"
    "The current PyTorch install supports CUDA capabilities sm_50 sm_60 sm_70 sm_75 sm_80 sm_86.\n"
    "torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device\n"
)
ORT_LIBRARY = (
    "[E:onnxruntime:Default, provider_bridge_ort.cc:1862 TryGetProviderInfo_CUDA] Failed to load library "
    "libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file: No such file or "
    "directory"
)

TABLE = [
    (LAPTOP, Outcome(137, oom_killed=True, memory_limit_bytes=512 * 2**20), Cause.OUT_OF_MEMORY, ["512 MiB"]),
    (LAPTOP, Outcome(0, '{"results": []}', oom_killed=True), Cause.OUT_OF_MEMORY, ["memory limit"]),
    (LAPTOP, Outcome(137, stderr="ModuleNotFoundError: No module named 'x'"), Cause.KILLED, ["137", "8.0 GiB"]),
    (LAPTOP, Outcome(132), Cause.ILLEGAL_INSTRUCTION, ["Pentium Gold", "avx2, avx512f", "132"]),
    (LAPTOP, Outcome(139, stderr="loading model"), Cause.SEGFAULT, ["139", "loading model"]),
    (LAPTOP, Outcome(134, stderr="terminate called"), Cause.ABORTED, ["134", "terminate called"]),
    (LAPTOP, Outcome(None, deadline_s=120.0, stderr="waiting for lock"), Cause.HANG, ["120 s", "waiting for lock"]),
    (LAPTOP, Outcome(None, deadline_s=5.0), Cause.HANG, ["5 s", "said nothing"]),
    (GPU_HOST, Outcome(1, stderr=TORCH_DRIVER, image_cuda="12.8"), Cause.DRIVER_TOO_OLD, ["12.8", "11.4", "470.57.02"]),
    (GPU_HOST, Outcome(125, stderr=CLI_DRIVER), Cause.DRIVER_TOO_OLD, ["CUDA 12.8", "CUDA 11.4"]),
    (GPU_HOST, Outcome(1, stderr=ORT_DRIVER, image_cuda="12.2"), Cause.DRIVER_TOO_OLD, ["12.2", "11.4"]),
    (LAPTOP, Outcome(1, stderr=ORT_DRIVER), Cause.DRIVER_TOO_OLD, ["a newer version", "unknown"]),
    (GPU_HOST, Outcome(1, stderr=TORCH_KERNELS), Cause.NO_GPU_KERNELS, ["NVIDIA H200", "sm_90", "sm_50 sm_60"]),
    (GPU_HOST, Outcome(1, stderr="CUDA error: no kernel image is available for execution on the device"),
     Cause.NO_GPU_KERNELS, ["Tesla T4", "sm_75"]),
    (GPU_HOST, Outcome(1, stderr="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."),
     Cause.GPU_OUT_OF_MEMORY, ["GPU's memory"]),
    (LAPTOP, Outcome(125, stderr='could not select device driver "" with capabilities: [[gpu]].'),
     Cause.NO_GPU_RUNTIME, ["GPU"]),
    (LAPTOP, Outcome(127, stderr="python3: error while loading shared libraries: libpython3.11.so.1.0: cannot open "
     "shared object file: No such file or directory"), Cause.MISSING_LIBRARY, ["libpython3.11.so.1.0"]),
    (LAPTOP, Outcome(1, stderr="ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"),
     Cause.MISSING_LIBRARY, ["libgomp.so.1", "install libgomp1"]),
    (GPU_HOST, Outcome(1, stderr=ORT_LIBRARY), Cause.MISSING_LIBRARY, ["libcublasLt.so.12"]),
    (LAPTOP, Outcome(1, stderr="ImportError: libcuda.so.1: cannot open shared object file: No such file"),
     Cause.MISSING_LIBRARY, ["libcuda.so.1", "toolkit"]),
    (LAPTOP, Outcome(1, stderr="/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by "
     "/app/_core.so)"), Cause.MISSING_LIBRARY, ["GLIBC_2.38", "/app/_core.so"]),
    (LAPTOP, Outcome(1, stderr="ModuleNotFoundError: No module named 'onnxruntime.capi'"),
     Cause.MISSING_MODULE, ["onnxruntime.capi"]),
    (LAPTOP, Outcome(1, stderr="/usr/bin/python3: No module named mgeo"), Cause.MISSING_MODULE, ["mgeo"]),
    (LAPTOP, Outcome(127, stderr='runc create failed: exec: "smoke": executable file not found in $PATH: unknown'),
     Cause.MISSING_COMMAND, ["smoke"]),
    (LAPTOP, Outcome(126, stderr='runc create failed: exec: "/app/smoke": permission denied: unknown'),
     Cause.PERMISSION, ["/app/smoke"]),
    (LAPTOP, Outcome(1, stderr="PermissionError: [Errno 13] Permission denied: '/app/cache'"),
     Cause.PERMISSION, ["/app/cache"]),
    (LAPTOP, Outcome(126, stderr="sh: 1: /app/run.sh: Permission denied"), Cause.PERMISSION, ["/app/run.sh"]),
    (LAPTOP, Outcome(1, stderr="OSError: [Errno 30] Read-only file system: '/app/log.txt'"),
     Cause.READ_ONLY, ["/app/log.txt"]),
    (LAPTOP, Outcome(1, stderr="touch: cannot touch '/app/x': Read-only file system"), Cause.READ_ONLY, ["/app/x"]),
    (LAPTOP, Outcome(1, stderr="ERROR: [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): "
     "address already in use"), Cause.PORT_IN_USE, ["port"]),
    (LAPTOP, Outcome(125, stderr="Bind for :80 failed: port is already allocated"), Cause.PORT_IN_USE, ["port"]),
    (LAPTOP, Outcome(1, stderr="OSError: [Errno 28] No space left on device"), Cause.DISK_FULL, ["space"]),
    (LAPTOP, Outcome(1, stderr="exec /app/smoke: exec format error"), Cause.WRONG_ARCHITECTURE, ["architecture"]),
    (LAPTOP, Outcome(1, stderr="RuntimeError: can't start new thread"), Cause.TOO_MANY_PROCESSES, ["threads"]),
    (LAPTOP, Outcome(1, stderr="socket.gaierror: [Errno -3] Temporary failure in name resolution"),
     Cause.NO_NETWORK, ["network"]),
    (LAPTOP, Outcome(1, stderr="FileNotFoundError: [Errno 2] No such file or directory: '/models/mgeo/model.onnx'"),
     Cause.MISSING_FILE, ["/models/mgeo/model.onnx"]),
    (LAPTOP, Outcome(1, stderr="RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 GB"),
     Cause.OUT_OF_MEMORY, ["memory"]),
    (LAPTOP, Outcome(3, stderr="Traceback\nValueError: bad weights"), Cause.CRASH, ["exited with 3", "bad weights"]),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "outcome", "cause", "named"), TABLE, ids=lambda value: str(value)[:40])
def test_a_failed_container_is_explained_in_words(
    machine: Machine, outcome: Outcome, cause: Cause, named: list[str]
) -> None:
    found = diagnose(outcome, machine)

    assert found is not None
    assert found.cause is cause
    assert found.next_step
    assert [word for word in named if word not in f"{found.what} {found.next_step}"] == []


def test_every_cause_is_in_the_table() -> None:
    told = {cause for _, _, cause, _ in TABLE} | {Cause.NO_JSON, Cause.INVALID_JSON}
    assert told == set(Cause)


def test_a_container_that_ended_well_needs_no_explanation() -> None:
    assert diagnose(Outcome(0, "{}", stderr="ModuleNotFoundError: No module named 'optional'"), LAPTOP) is None


def test_braces_in_the_output_do_not_break_the_sentence() -> None:
    found = diagnose(Outcome(1, stderr="PermissionError: [Errno 13] Permission denied: '/app/{0.x}/{'"), LAPTOP)
    assert found is not None
    assert "/app/{0.x}/{" in found.what


@pytest.mark.parametrize(
    ("stdout", "cause"),
    [
        ("", Cause.NO_JSON),
        ("  \n", Cause.NO_JSON),
        ("Loading model...\ndone", Cause.NO_JSON),
        ('Loading model...\n{"results": []}', Cause.INVALID_JSON),
        ('{"results": []}\n{"results": []}', Cause.INVALID_JSON),
        ('{"results": [', Cause.INVALID_JSON),
        ('[{"status": "success"}]', Cause.INVALID_JSON),
        ('{"score": NaN}', Cause.INVALID_JSON),
        ("{" + '"a":[' * 100_000, Cause.INVALID_JSON),
    ],
    ids=range(9),
)
def test_anything_but_one_json_object_is_refused(stdout: str, cause: Cause) -> None:
    found = read_json(stdout)
    assert isinstance(found, Diagnosis)
    assert found.cause is cause
    assert "stdout" in found.what
    assert "stderr" in found.next_step
