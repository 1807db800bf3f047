"""Git's words, as recorded from its versions and the hosts in use, and what they mean."""

from __future__ import annotations

import pytest

from slipway.errors import CommandFailed, GitUnavailable, NotEnoughSpace, SourceError, TemporaryError
from slipway.source.failures import explain, no_such_commit

AWAY = "does not answer"
LOGIN = "credentials"
NOWHERE = "no git repository"


@pytest.mark.parametrize(
    ("tail", "kind", "words"),
    [
        ("fatal: unable to access 'https://x/': Could not resolve host: x", GitUnavailable, AWAY),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 503", GitUnavailable, AWAY),
        ("error: RPC failed; curl 18 transfer closed with outstanding read data remaining", GitUnavailable, AWAY),
        ("fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF", GitUnavailable, AWAY),
        ("ssh: connect to host x port 22: Connection timed out\nfatal: Could not read", GitUnavailable, AWAY),
        ("kex_exchange_identification: Connection closed by remote host", GitUnavailable, AWAY),
        ("fatal: unable to access 'https://x/': gnutls_handshake() failed: Error in the pull", GitUnavailable, AWAY),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", SourceError, LOGIN),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'", SourceError, LOGIN),
        ("git@x: Permission denied (publickey).\nfatal: The remote end hung up unexpectedly", SourceError, LOGIN),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", SourceError, LOGIN),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", SourceError, "host key"),
        ("fatal: unable to access 'https://x/': SSL certificate problem: self-signed", SourceError, "certificate"),
        ("remote: Repository not found.\nfatal: repository 'https://x/y/' not found", SourceError, NOWHERE),
        ("fatal: '/srv/x' does not appear to be a git repository", SourceError, NOWHERE),
        ("fatal: not a git repository (or any of the parent directories): .git", SourceError, NOWHERE),
        ("fatal: detected dubious ownership in repository at '/srv/x'", SourceError, "another user"),
        ("fatal: write error: No space left on device", NotEnoughSpace, "disk is full"),
    ],
)
def test_failure_is_explained(tail: str, kind: type[Exception], words: str) -> None:
    error = explain(CommandFailed("git exited with 128", command="git fetch", tail=tail), "https://x/y")
    assert type(error) is kind
    assert words in error.what
    assert (error.subject, error.command, error.tail) == ("https://x/y", "git fetch", tail)
    assert error.next_step
    assert isinstance(error, TemporaryError) == (kind is GitUnavailable)


def test_words_never_heard_before_are_left_unexplained() -> None:
    assert explain(CommandFailed("x", tail="fatal: bad object refs/heads/main"), "x") is None


@pytest.mark.parametrize(
    "tail",
    [
        "fatal: remote error: upload-pack: not our ref abababab",
        "fatal: couldn't find remote ref refs/pull/9/head",
        "error: Server does not allow request for unadvertised object abababab",
    ],
)
def test_commit_that_the_server_does_not_give_out_is_recognised(tail: str) -> None:
    failed = CommandFailed("x", tail=tail)
    assert no_such_commit(failed)
    assert explain(failed, "x") is None
