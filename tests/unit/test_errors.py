from __future__ import annotations

import inspect
import pickle

import pytest

from slipway import errors
from slipway.errors import CommandFailed, PermanentError, SlipwayError, TemporaryError, UserError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SlipwayError)]


def test_every_kind_has_an_exit_code_of_its_own() -> None:
    codes = [kind.exit_code for kind in KINDS]
    assert sorted(codes) == sorted(set(codes))
    assert all("exit_code" in vars(kind) for kind in KINDS), "an inherited code is nobody's own"
    assert all(0 < code < 126 for code in codes), "0 is success; a shell uses 126 and above itself"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not SlipwayError])
def test_every_kind_is_either_temporary_or_permanent(kind: type[SlipwayError]) -> None:
    assert issubclass(kind, TemporaryError) != issubclass(kind, PermanentError)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind: type[SlipwayError]) -> None:
    sent = kind("it failed", next_step="mend it", subject="sha256:12", command="make", tail="last\nwords")
    got = pickle.loads(pickle.dumps(sent))
    assert type(got) is kind
    assert vars(got) == vars(sent)
    assert str(got) == str(sent)


def test_an_error_says_what_where_how_and_what_next() -> None:
    failed = CommandFailed("git exited with 1", subject="abc", command="git fetch", tail="one\ntwo", next_step="retry")
    assert str(failed) == (
        "git exited with 1\n  on: abc\n  command: git fetch\n  last output:\n    one\n    two\n  next: retry"
    )


def test_what_is_unknown_takes_no_line() -> None:
    assert str(UserError("no such thing")) == "no such thing"
