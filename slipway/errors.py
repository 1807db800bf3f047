"""Every failure Slipway knows, in one tree.

An error says what failed, on which revision or digest, with which command and last output, and what to do next.
`TemporaryError` is the only class that a task policy retries. Each class has its own exit code.
"""

from __future__ import annotations

from typing import ClassVar

_SHOWN = 240


class SlipwayError(Exception):
    """Base of all expected failures; anything else is a bug and keeps its traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, next_step: str = "", subject: str = "", command: str = "", tail: str = "") -> None:
        super().__init__(what, next_step, subject, command, tail)
        self.what = what
        self.next_step = next_step
        self.subject = subject
        self.command = command
        self.tail = tail

    def __str__(self) -> str:
        parts = [self.what]
        if self.subject:
            parts.append(f"  on: {self.subject}")
        if self.command:
            parts.append(f"  command: {_shortened(self.command)}")
        if self.tail:
            parts.append("  last output:\n" + "\n".join(f"    {line}" for line in self.tail.splitlines()))
        if self.next_step:
            parts.append(f"  next: {self.next_step}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Prefect pickles exceptions between processes; keyword-only arguments need help to survive that.
        return (_rebuild, (type(self), self.what, self.next_step, self.subject, self.command, self.tail))


def _shortened(command: str) -> str:
    """A build's command line fills a screen; its beginning and end tell enough, and `command` keeps it whole."""
    return command if len(command) <= _SHOWN else f"{command[: _SHOWN // 2]} [...] {command[-_SHOWN // 2 :]}"


def _rebuild(
    kind: type[SlipwayError], what: str, next_step: str, subject: str, command: str, tail: str
) -> SlipwayError:
    return kind(what, next_step=next_step, subject=subject, command=command, tail=tail)


class TemporaryError(SlipwayError):
    """The same call may succeed later; task policies retry it."""

    exit_code = 10


class PermanentError(SlipwayError):
    """The same call will fail again; somebody has to change something first."""

    exit_code = 20


class UserError(PermanentError):
    """The input is wrong; nothing was done."""

    exit_code = 2


# Temporary: an outside did not answer.
class EngineUnavailable(TemporaryError):
    """The Docker Engine does not answer."""

    exit_code = 11


class RegistryUnavailable(TemporaryError):
    """The registry does not answer, or answers 429 or 5xx."""

    exit_code = 12


class IndexUnavailable(TemporaryError):
    """The package index does not answer."""

    exit_code = 13


class GitUnavailable(TemporaryError):
    """The git remote does not answer."""

    exit_code = 14


class RouterUnavailable(TemporaryError):
    """The router's runtime API does not answer."""

    exit_code = 15


class PrefectUnavailable(TemporaryError):
    """The Prefect server does not answer."""

    exit_code = 16


class DeadlineExceeded(TemporaryError):
    """A command or call ran past its own deadline and was stopped, children included."""

    exit_code = 17


# Permanent: somebody has to change something.
class CommandFailed(PermanentError):
    """A command exited with a status other than 0."""

    exit_code = 21


class SourceError(UserError):
    """Not a repository, no such ref, unusable submodules or LFS pointers."""

    exit_code = 22


class ServiceFileError(UserError):
    """A service.yaml with problems; all of them are listed."""

    exit_code = 23


class TagRuleError(UserError):
    """A tag rule that docker/metadata-action would refuse, too."""

    exit_code = 24


class DependencyError(PermanentError):
    """A wheel is missing, or its hash is not the locked one."""

    exit_code = 25


class BuildFailed(PermanentError):
    """The image did not build; the failing line is named."""

    exit_code = 26


class NoBuilder(PermanentError):
    """No program here can build an image."""

    exit_code = 27


class SmokeFailed(PermanentError):
    """The image ran, and is not fit to serve."""

    exit_code = 28


class GateFailed(PermanentError):
    """One gate or more did not pass."""

    exit_code = 29


class RegistryRefused(PermanentError):
    """The registry said no: credentials, a protected tag, a digest that differs."""

    exit_code = 30


class RolloutFailed(PermanentError):
    """The release did not get the traffic; the old one still serves."""

    exit_code = 31


class NotEnoughSpace(PermanentError):
    """Too little disk space, even after cleaning up."""

    exit_code = 32


class LedgerError(PermanentError):
    """The ledger holds no such release, or cannot be read."""

    exit_code = 33


class HostNotReady(PermanentError):
    """This machine lacks something that only its owner can install."""

    exit_code = 34


class PortTaken(PermanentError):
    """A port that Slipway needs belongs to somebody else."""

    exit_code = 35


class GpuRequired(SmokeFailed):
    """`gpu: required`, and no usable GPU."""

    exit_code = 36


class ModelMissing(PermanentError):
    """The model version asked for is not there or does not match its manifest."""

    exit_code = 37


class TrainingFailed(PermanentError):
    """The service's training command failed or left no usable model."""

    exit_code = 39


class Superseded(PermanentError):
    """A newer push to the same branch took this run's place before its rollout began."""

    exit_code = 40
