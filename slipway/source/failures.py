"""What git's last words mean: a remote that is away, a door that is shut, or no repository at all."""

from __future__ import annotations

import re

from slipway.errors import CommandFailed, GitUnavailable, NotEnoughSpace, SlipwayError, SourceError

_Meaning = tuple[re.Pattern[str], type[SlipwayError], str, str]


def _means(pattern: str, kind: type[SlipwayError], what: str, next_step: str) -> _Meaning:
    return re.compile(pattern, re.IGNORECASE), kind, what, next_step


# In this order: ssh says "hung up unexpectedly" after every failure, so the particular comes before the general.
_MEANINGS: tuple[_Meaning, ...] = (
    _means(
        r"no space left on device|disk quota exceeded",
        NotEnoughSpace,
        "the disk is full: the repository could not be fetched",
        "free some space where Slipway keeps its cache, then run again",
    ),
    _means(
        r"dubious ownership",
        SourceError,
        "git refuses the repository: its files belong to another user",
        "run as the owner, or allow it: git config --global --add safe.directory <folder>",
    ),
    _means(
        r"host key verification failed",
        SourceError,
        "the host key of the git server is unknown, or has changed",
        "check the key with the server's owner, then add it to ~/.ssh/known_hosts",
    ),
    _means(
        r"authentication failed|could not read (?:username|password)|permission denied|access denied|\b40[13]\b",
        SourceError,
        "the git server refused the credentials, or wants some",
        "give git a credential helper, GIT_ASKPASS or an ssh key that may read this repository; check its name, too:"
        " many servers ask for a login when a repository does not exist",
    ),
    _means(
        r"certificate|self-signed|SSL peer",
        SourceError,
        "the certificate of the git server is not trusted here",
        "point http.sslCAInfo (or GIT_SSL_CAINFO) at the right authority",
    ),
    _means(
        r"does not appear to be a git repository|repository .*not found|not a git repository|error: 404"
        r"|repository .*does not exist|invalid gitfile|not valid: is this a git repository",
        SourceError,
        "there is no git repository at this address",
        "check the address",
    ),
    _means(
        r"could not resolve host|failed to connect|couldn't connect|connection (?:refused|timed out|reset|closed)"
        r"|timed out|timeout|network is unreachable|no route to host|early eof|rpc failed|hung up unexpectedly"
        r"|returned error: (?:429|5\d\d)|empty reply|unable to connect|temporary failure|name or service not known"
        r"|gnutls|ssl_error|unexpected disconnect|recv failure|transfer closed",
        GitUnavailable,
        "the git server does not answer",
        "it is tried again on its own; if it goes on, check the network and the server",
    ),
)


def explain(failed: CommandFailed, location: str) -> SlipwayError | None:
    """The error that `failed`, a git command that spoke to `location`, stands for; None when git said nothing known."""
    for pattern, kind, what, next_step in _MEANINGS:
        if pattern.search(failed.tail):
            return kind(what, subject=location, command=failed.command, tail=failed.tail, next_step=next_step)
    return None


def no_such_commit(failed: CommandFailed) -> bool:
    """True when the server does not have, or does not give out, the commit or ref that was asked for."""
    return bool(re.search(r"not our ref|couldn't find remote ref|no such remote ref|unadvertised object", failed.tail))
