"""The short name under which measurements are comparable."""

import pytest

from slipway.verify.facts import Gpu, Machine, parse_cpuinfo, parse_gpu

X86 = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\nflags\t\t: fpu avx avx2\n\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n\n"
H200 = Gpu("NVIDIA H200", "570.86.15", "12.8", "9.0")
GIB = 2**30


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        (Machine("Intel(R) Xeon(R) CPU @ 2.20GHz", 2, 8 * GIB), "intel-xeon-2c-8g"),
        (Machine("AMD EPYC 7763 64-Core Processor", 64, 256 * GIB), "amd-epyc-7763-64c-256g"),
        (Machine("AMD EPYC 9654 96-Core Processor", 16, 128 * GIB, H200), "amd-epyc-9654-16c-128g-nvidia-h200-d570"),
        (Machine("", 1, 0), "unknown-1c-1g"),
    ],
)
def test_kind_is_short_and_names_what_decides_speed(machine: Machine, kind: str) -> None:
    assert machine.kind == kind


def test_a_kernels_own_share_of_memory_does_not_change_the_kind() -> None:
    kinds = {Machine("AMD EPYC", 2, memory).kind for memory in (8 * GIB, 8 * GIB - 200 * 2**20, 8 * GIB - 10)}
    assert len(kinds) == 1


@pytest.mark.parametrize(
    ("text", "model", "flag"),
    [(X86 * 2, "Intel(R) Xeon(R) CPU @ 2.20GHz", "avx2"), (ARM, "part 0xd0c", "asimd")],
)
def test_cpuinfo_of_both_architectures(text: str, model: str, flag: str) -> None:
    found, flags = parse_cpuinfo(text)
    assert found == model
    assert flag in flags


def test_nvidia_smi_is_read() -> None:
    banner = "| NVIDIA-SMI 570.86.15     Driver Version: 570.86.15     CUDA Version: 12.8     |"
    assert parse_gpu("NVIDIA H200, 570.86.15, 9.0", banner) == H200


@pytest.mark.parametrize("line", ["", "No devices were found", "Field error, x"])
def test_nvidia_smi_without_a_gpu_is_no_gpu(line: str) -> None:
    assert parse_gpu(line, "") is None
