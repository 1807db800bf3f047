from __future__ import annotations

from uuid import UUID

import pytest

from deployments.runs import Ended
from slipway.errors import GateFailed, RegistryUnavailable, SlipwayError


def ended(message: str, *, completed: bool = False, state: str = "Failed") -> Ended:
    return Ended(UUID(int=1), "ship main -> local", completed, state, message, (), 1.0)


def test_a_completed_run_has_no_error() -> None:
    assert ended("", completed=True, state="Completed").error is None


@pytest.mark.parametrize(
    ("message", "kind", "what"),
    [
        ("Flow run encountered an exception: GateFailed: 1 of 4 gates failed", GateFailed, "1 of 4 gates failed"),
        ("Error: RegistryUnavailable: it is down\n  next: wait", RegistryUnavailable, "it is down\n  next: wait"),
        ("Finished: GateFailed: smoke: 1 of 2", GateFailed, "smoke: 1 of 2"),
    ],
)
def test_the_error_of_the_task_comes_back_with_its_exit_code(message: str, kind: type[SlipwayError], what: str) -> None:
    found = ended(message).error
    assert type(found) is kind
    assert found is not None
    assert found.what == what


@pytest.mark.parametrize("message", ["", "ValueError: x", "UUID: 4", "ClassVar: y", "Flow run was cancelled"])
def test_an_end_that_names_no_error_of_ours_is_told_as_it_is(message: str) -> None:
    found = ended(message, state="Crashed").error
    assert type(found) is SlipwayError
    assert found is not None
    assert found.what == f"the run ship main -> local ended as Crashed: {message}"
