"""Errors the service expects, each written for the person who has to act on it."""

from __future__ import annotations


class MgeoError(Exception):
    """Base of expected failures; anything else is a bug and keeps its traceback."""


class ConfigError(MgeoError):
    """The configuration is wrong; *problems* lists every mistake found, not only the first."""

    def __init__(self, path: str, problems: list[str]) -> None:
        super().__init__(f"{path}: {len(problems)} problem(s)\n" + "\n".join(f"  - {p}" for p in problems))
        self.problems = problems


class ModelError(MgeoError):
    """The model is missing, damaged or of an unknown shape."""


class Overloaded(MgeoError):
    """The queue cannot take this work in time; try again after *retry_after* seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too much work is waiting; try again in {retry_after} s")
        self.retry_after = retry_after


class DeadlineExceeded(MgeoError):
    """The work was accepted but not finished in time."""


class Stopping(MgeoError):
    """The service is draining and takes no new work."""
