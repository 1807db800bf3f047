"""The machine that wheels are for; it is the image, not the host that fetches them."""

from __future__ import annotations

from dataclasses import dataclass

# PEP 600 names for the older profiles that wheels still carry.
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class Target:
    """CPython `python` on Linux with glibc 2.`glibc` or newer; 2.28 is met by every base image since 2018."""

    python: str = "3.11"
    machine: str = "x86_64"
    glibc: int = 28

    @property
    def abi(self) -> str:
        return "cp" + self.python.replace(".", "")

    @property
    def platforms(self) -> tuple[str, ...]:
        """Platform tags that run on this target, the best first."""
        names: list[str] = []
        for minor in range(self.glibc, 4, -1):
            names.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _LEGACY:
                names.append(f"{_LEGACY[minor]}_{self.machine}")
        return (*names, f"linux_{self.machine}")

    @property
    def markers(self) -> dict[str, str]:
        """The values of environment markers (PEP 508) on this target."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }

    @property
    def pip_options(self) -> tuple[str, ...]:
        """What `pip download` must be told to choose wheels for this target."""
        platforms = (word for name in self.platforms for word in ("--platform", name))
        return ("--python-version", self.python, "--implementation", "cp", "--abi", self.abi, *platforms)

    def __str__(self) -> str:
        return f"{self.abi}-manylinux_2_{self.glibc}_{self.machine}"
