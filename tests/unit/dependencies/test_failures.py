"""Pip's words, from several of its versions, and what they mean."""

from __future__ import annotations

import pytest

from slipway.dependencies.failures import Mismatch, explain, find_mismatch, read_log
from slipway.errors import DependencyError, HostNotReady, IndexUnavailable, NotEnoughSpace

A, B, C = "a" * 64, "b" * 64, "c" * 64
MISMATCH = f"""\
2026-11-20T10:29:01,123 ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated
2026-11-20T10:29:01,123     Typing_Extensions==4.12.2 from https://u:planted@i.example/t.whl#sha256={C} (from -r r):
2026-11-20T10:29:01,123         Expected sha256 {A}
2026-11-20T10:29:01,123         Expected     or {B}
2026-11-20T10:29:01,123              Got        {C}
"""
NOT_FOUND = "ERROR: No matching distribution found for torch==2.13.0\n"


def unfetched(url: str, why: str) -> str:
    return f"Could not fetch URL {url}: {why} - skipping\n"


def test_mismatch_is_read_with_every_hash() -> None:
    found = find_mismatch(read_log(MISMATCH))
    assert found is not None
    assert (found.name, found.expected, found.got) == ("typing-extensions", (A, B), C)
    assert "planted" not in found.what


def test_mismatch_names_the_package_and_both_hashes() -> None:
    error = explain(read_log(MISMATCH), "tail")
    assert isinstance(error, DependencyError)
    assert f"typing-extensions is not what was locked\n    locked: sha256:{A} or sha256:{B}\n" in error.what
    assert f"found:  sha256:{C}" in error.what


def test_many_locked_hashes_are_cut_to_a_few() -> None:
    many = "".join(f"        Expected     or {number:064x}\n" for number in range(70))
    what = "numpy==2.1.0 from https://i.example/n.whl"
    log = f"    {what}:\n        Expected sha256 {A}\n{many}             Got        {B}"
    assert find_mismatch(log) == Mismatch("numpy", what, (A, *(f"{n:064x}" for n in range(70))), B)
    assert "or 66 more\n" in explain(log, "").what


@pytest.mark.parametrize(
    "why",
    [
        "503 Server Error: Service Unavailable for url: https://i.example/simple/torch/",
        "429 Client Error: Too Many Requests for url: https://i.example/simple/torch/",
        "connection error: HTTPSConnectionPool(host='i.example', port=443): Max retries exceeded",
        "timed out",
        "HTTPSConnectionPool(host='i.example', port=443): Max retries exceeded (too many 500 error responses)",
    ],
)
def test_page_that_did_not_come_is_temporary(why: str) -> None:
    error = explain(unfetched("https://i.example/simple/torch/", why) + NOT_FOUND, "")
    assert isinstance(error, IndexUnavailable)
    assert error.subject == "https://i.example/simple/torch/"


def test_page_that_an_extra_index_does_not_have_is_normal() -> None:
    log = (
        unfetched("https://i.example/simple/torch/", "404 Client Error: Not Found for url: https://i.example/")
        + NOT_FOUND
    )
    error = explain(log, "")
    assert isinstance(error, DependencyError)
    assert error.what.startswith("no index has a wheel of torch==2.13.0")


def test_wheels_for_other_machines_and_sources_are_named() -> None:
    tags = "none of the wheel's tags (cp311-win_amd64) are compatible (run pip debug --verbose to show compatible tags)"
    log = (
        f"Skipping link: {tags}: https://i.example/torch-2.13.0-cp311-cp311-win_amd64.whl#sha256=1 (from https://i.ex/)\n"
        f"Skipping link: {tags}: https://i.example/torch-2.12.0-cp311-cp311-win_amd64.whl (from https://i.example/)\n"
        "Skipping link: No sources permitted for torch: https://i.example/torch-2.13.0.tar.gz (from https://i.example/)\n"
    )
    what = explain(log + NOT_FOUND, "").what
    assert "there is only torch-2.13.0-cp311-cp311-win_amd64.whl, torch-2.13.0.tar.gz" in what
    assert "2.12.0" not in what


def test_other_index_that_is_away_explains_a_mismatch() -> None:
    log = unfetched("https://cpu.example/simple/typing-extensions/", "timed out") + read_log(MISMATCH)
    assert isinstance(explain(log, ""), IndexUnavailable)
    log = unfetched("https://cpu.example/simple/torch/", "timed out") + read_log(MISMATCH)
    assert isinstance(explain(log, ""), DependencyError)


@pytest.mark.parametrize(
    ("log", "tail", "kind", "words"),
    [
        ("ERROR: HTTP error 502 while getting https://i.example/a.whl", "", IndexUnavailable, "does not answer"),
        ("ERROR: HTTP error 403 while getting https://i.example/a.whl", "", DependencyError, "credentials"),
        (unfetched("https://i.example/", "401 Client Error"), "", DependencyError, "credentials"),
        (
            unfetched("https://i.example/", "There was a problem confirming the ssl certificate: x"),
            "",
            DependencyError,
            "certificate",
        ),
        (
            "pip._vendor.requests.exceptions.RetryError: HTTPSConnectionPool(host='i.example', port=443): Max retries",
            "",
            IndexUnavailable,
            "does not answer",
        ),
        (
            "ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='i', port=443): Max retries",
            "",
            IndexUnavailable,
            "does not answer",
        ),
        ("", "× Download failed because not enough bytes were received", IndexUnavailable, "broke"),
        ("", "ProtocolError: ('Connection broken: IncompleteRead(10 bytes read)')", IndexUnavailable, "broke"),
        ("", "ERROR: [Errno 28] No space left on device", NotEnoughSpace, "disk is full"),
        ("", "/usr/bin/python3: No module named pip", HostNotReady, "no pip"),
        ("", "something new", DependencyError, "could not fetch"),
    ],
)
def test_failure_is_explained(log: str, tail: str, kind: type[Exception], words: str) -> None:
    error = explain(log, tail)
    assert type(error) is kind
    assert words in error.what
    assert error.next_step
