"""Why a container failed, in a sentence for a tired person, and what to do about it. Pure."""

from __future__ import annotations

import json
from typing import Any

from slipway.verify.facts import Machine
from slipway.verify.outcome import Cause, Diagnosis, Outcome
from slipway.verify.symptoms import explain_text


def diagnose(outcome: Outcome, machine: Machine) -> Diagnosis | None:
    """Why it failed; None for a container that ended with 0."""
    if outcome.exit_code == 0 and not outcome.oom_killed:
        return None
    return _stopped(outcome, machine) or explain_text(outcome, machine) or _signal(outcome)


def _stopped(outcome: Outcome, machine: Machine) -> Diagnosis | None:
    """Ends that are certain whatever was printed."""
    if outcome.exit_code is None:
        said = f"its last words: {outcome.last_words}" if outcome.last_words else "it said nothing"
        return Diagnosis(
            Cause.HANG,
            f"it did not finish within {outcome.deadline_s:g} s and was stopped; {said}",
            "look for a wait on network or a lock; raise the timeout in service.yaml only if it is really that slow",
        )
    if outcome.oom_killed:
        limit = f" of {outcome.memory_limit_bytes / 2**20:.0f} MiB" if outcome.memory_limit_bytes else ""
        return Diagnosis(
            Cause.OUT_OF_MEMORY,
            f"it used more than its memory limit{limit} and the kernel killed it",
            "raise the memory limit in service.yaml, or load a smaller or quantized model",
        )
    if outcome.exit_code == 137:
        return Diagnosis(
            Cause.KILLED,
            "it was killed from outside (SIGKILL, 137), most likely because the machine ran out of memory "
            f"({machine.memory_bytes / 2**30:.1f} GiB in all)",
            "look into `dmesg` for 'Out of memory'; give the machine memory or set a memory limit for the container",
        )
    return _illegal_instruction(machine) if outcome.exit_code == 132 else None


def _illegal_instruction(machine: Machine) -> Diagnosis:
    lacks = [name for name in ("avx", "avx2", "avx512f") if machine.flags and name not in machine.flags]
    missing = f" (this one lacks {', '.join(lacks)})" if lacks else ""
    return Diagnosis(
        Cause.ILLEGAL_INSTRUCTION,
        f"it uses an instruction that the CPU {machine.cpu} does not have{missing}; exit code 132",
        "use wheels built for an older CPU, or run on a machine that has these instructions",
    )


def _signal(outcome: Outcome) -> Diagnosis:
    words = f"; its last words: {outcome.last_words}" if outcome.last_words else "; it said nothing"
    native = "run it again with PYTHONFAULTHANDLER=1 to see where; suspect the last changed native wheel"
    if outcome.exit_code == 139:
        return Diagnosis(Cause.SEGFAULT, f"native code crashed (segmentation fault, 139){words}", native)
    if outcome.exit_code == 134:
        return Diagnosis(Cause.ABORTED, f"native code gave up (abort, 134){words}", native)
    return Diagnosis(
        Cause.CRASH, f"it exited with {outcome.exit_code}{words}", "read its log above; run the same digest by hand"
    )


def read_json(stdout: str) -> dict[str, Any] | Diagnosis:
    """The one JSON object on stdout, or why there is none; NaN and Infinity are no JSON."""
    text = stdout.strip()
    if not text:
        return Diagnosis(Cause.NO_JSON, "it ended well but printed nothing on stdout", _CONTRACT)
    try:
        said = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as broken:
        first = text.splitlines()[0][:120]
        if "{" not in text:
            return Diagnosis(Cause.NO_JSON, f"it printed no JSON object on stdout but {first!r}", _CONTRACT)
        return Diagnosis(
            Cause.INVALID_JSON, f"its stdout is not one JSON object ({broken}); it begins with {first!r}", _CONTRACT
        )
    if not isinstance(said, dict):
        kind = type(said).__name__
        return Diagnosis(Cause.INVALID_JSON, f"its stdout is JSON, but a {kind} and not an object", _CONTRACT)
    return said


_CONTRACT = "print exactly one JSON object on stdout, and everything else (logs, progress, warnings) on stderr"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
