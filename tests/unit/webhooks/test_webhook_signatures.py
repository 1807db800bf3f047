"""Who may speak, and who may not."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from standardwebhooks import Webhook

from slipway.webhooks.judgement import REFUSAL, DeliveryState, Source, Verdict, judge
from slipway.webhooks.signatures import HostKind, Proof, detect, prove
from tests.unit.webhooks.signing import SECRET, SIGNING_SECRET, gitee, hex_hmac, secret_for, signature, standard

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
A, B = "a" * 40, "b" * 40
MARK = {
    HostKind.GITHUB: {"x-github-event": b"push"},
    HostKind.GITLAB: {"x-gitlab-event": b"Push Hook"},
    HostKind.GITEA: {"x-gitea-event": b"push", "x-github-event": b"push"},
    HostKind.GITEE: {"x-gitee-event": b"Push Hook"},
    HostKind.BITBUCKET: {"x-event-key": b"repo:push"},
    HostKind.CODEUP: {"codeup-event": b"Push Hook"},
    HostKind.GENERIC: {"webhook-id": b"msg_1"},
}
BODY = json.dumps(
    {
        "ref": "refs/heads/main",
        "before": A,
        "after": B,
        "repository": {"full_name": "acme/mgeo", "clone_url": "https://git.example.com/acme/mgeo.git"},
    }
).encode()


def proof(kind: HostKind, headers: dict[str, bytes], *, body: bytes = BODY, secret: bytes, at: datetime = NOW) -> Proof:
    return prove(kind, {**MARK[kind], **headers}, body, secret, now=at, window_s=300)


def github(
    body: bytes = BODY, *secrets: bytes, signer: bytes = SECRET, repositories: tuple[str, ...] = ("acme/mgeo",)
) -> Verdict:
    headers = {**MARK[HostKind.GITHUB], "x-hub-signature-256": b"sha256=" + hex_hmac(signer, body)}
    source = Source(HostKind.GITHUB, "github", secrets or (SECRET,), dict.fromkeys(repositories, ""))
    return judge(headers, body, (source,), now=NOW, window_s=300)


@pytest.mark.parametrize("kind", list(HostKind))
def test_the_right_secret_is_believed(kind: HostKind) -> None:
    secret = secret_for(kind)
    assert proof(kind, signature(kind, dict(MARK[kind]), BODY, secret, NOW), secret=secret) is Proof.VALID


@pytest.mark.parametrize("kind", list(HostKind))
def test_another_secret_is_not_believed(kind: HostKind) -> None:
    other = b"whsec_" + b"QUJD" * 11 if kind is HostKind.GENERIC else b"another secret"
    assert proof(kind, signature(kind, dict(MARK[kind]), BODY, other, NOW), secret=secret_for(kind)) is Proof.BAD


@pytest.mark.parametrize("kind", list(HostKind))
def test_no_signature_is_not_believed(kind: HostKind) -> None:
    assert proof(kind, {}, secret=secret_for(kind)) is Proof.MISSING


@pytest.mark.parametrize("kind", [HostKind.GITHUB, HostKind.GITEA, HostKind.BITBUCKET, HostKind.GENERIC])
def test_a_signature_holds_for_its_own_body_only(kind: HostKind) -> None:
    headers = signature(kind, dict(MARK[kind]), BODY, secret_for(kind), NOW)
    assert proof(kind, headers, body=BODY + b" ", secret=secret_for(kind)) is Proof.BAD


@pytest.mark.parametrize("kind", list(HostKind))
@pytest.mark.parametrize("value", ["é".encode("latin-1"), "密码".encode(), b"\xff\xfe", b"sha256=", b"v1,", b","])
def test_odd_bytes_are_refused_without_an_error(kind: HostKind, value: bytes) -> None:
    names = signature(kind, dict(MARK[kind]), BODY, secret_for(kind), NOW)
    assert proof(kind, dict.fromkeys(names, value), secret=secret_for(kind)) is Proof.BAD


@pytest.mark.parametrize("kind", list(HostKind))
def test_an_empty_secret_proves_nothing(kind: HostKind) -> None:
    headers = {"x-gitlab-token": b"", "x-codeup-token": b"", "x-gitee-token": b"", "webhook-signature": b"v1,"}
    headers |= {"x-hub-signature-256": b"sha256=" + hex_hmac(b"", BODY), "x-hub-signature": hex_hmac(b"", BODY)}
    assert proof(kind, headers, secret=b"") is Proof.BAD


def test_githubs_sha1_signature_is_not_enough() -> None:
    sha1 = hmac.new(SECRET, BODY, hashlib.sha1).hexdigest().encode()
    assert proof(HostKind.GITHUB, {"x-hub-signature": b"sha1=" + sha1}, secret=SECRET) is Proof.MISSING


def test_gitea_is_recognised_although_it_sends_githubs_headers() -> None:
    assert detect({"x-github-event": b"push", "x-gogs-event": b"push", "x-gitea-event": b"push"}) is HostKind.GITEA
    assert detect({"x-github-event": b"push", "x-forgejo-event": b"push"}) is HostKind.GITEA


def test_a_gitea_delivery_cannot_pass_as_githubs() -> None:
    headers = {**MARK[HostKind.GITEA], "x-hub-signature-256": b"sha256=" + hex_hmac(SECRET, BODY)}
    sources = (Source(HostKind.GITHUB, "github", (SECRET,), {"acme/mgeo": ""}),)
    assert judge(headers, BODY, sources, now=NOW, window_s=300).status == 401


def test_a_forgejo_signature_is_believed() -> None:
    assert proof(HostKind.GITEA, {"x-forgejo-signature": hex_hmac(SECRET, BODY)}, secret=SECRET) is Proof.VALID


def test_gitlabs_signing_secret_is_never_taken_as_a_plain_token() -> None:
    assert proof(HostKind.GITLAB, {"x-gitlab-token": SIGNING_SECRET}, secret=SIGNING_SECRET) is Proof.MISSING


def test_gitees_plain_password_is_believed() -> None:
    assert proof(HostKind.GITEE, {"x-gitee-token": SECRET}, secret=SECRET) is Proof.VALID


@pytest.mark.parametrize(("age_s", "expected"), [(299, Proof.VALID), (301, Proof.STALE), (-301, Proof.STALE)])
def test_timestamped_signatures_expire(age_s: int, expected: Proof) -> None:
    at = NOW - timedelta(seconds=age_s)
    assert proof(HostKind.GITEE, gitee(SECRET, at), secret=SECRET) is expected
    assert proof(HostKind.GENERIC, standard(SIGNING_SECRET, b"msg_1", BODY, at), secret=SIGNING_SECRET) is expected
    assert proof(HostKind.GITLAB, standard(SIGNING_SECRET, b"msg_1", BODY, at), secret=SIGNING_SECRET) is expected


def test_a_fresh_timestamp_does_not_renew_an_old_signature() -> None:
    old = standard(SIGNING_SECRET, b"msg_1", BODY, NOW - timedelta(hours=1))
    forged = old | {"webhook-timestamp": str(int(NOW.timestamp())).encode()}
    assert proof(HostKind.GENERIC, forged, secret=SIGNING_SECRET) is Proof.BAD


def test_the_standard_librarys_own_signature_is_believed() -> None:
    signed = Webhook(SIGNING_SECRET.decode()).sign("msg_1", NOW, BODY.decode()).encode()
    headers = {"webhook-id": b"msg_1", "webhook-timestamp": str(int(NOW.timestamp())).encode()}
    both = headers | {"webhook-signature": b"v1a,AAAA v1,AAAA " + signed}
    assert proof(HostKind.GENERIC, both, secret=SIGNING_SECRET) is Proof.VALID


def test_every_active_secret_is_believed_and_a_retired_one_is_not() -> None:
    assert github(BODY, b"new secret", SECRET).state is DeliveryState.ACCEPTED
    assert github(BODY, SECRET, b"old secret").state is DeliveryState.ACCEPTED
    assert github(BODY, b"new secret").status == 401


def test_an_unknown_repository_gets_the_body_of_a_bad_signature() -> None:
    forged, foreign = github(signer=b"guess"), github(repositories=("acme/other",))
    assert (forged.status, foreign.status) == (401, 403)
    assert forged.answer == foreign.answer == REFUSAL
    assert foreign.reason == "the repository is not on the list"


def test_one_repositorys_secret_does_not_open_another() -> None:
    body = BODY.replace(b"acme/mgeo", b"acme/other")
    sources = (
        Source(HostKind.GITHUB, "github", (SECRET,), {"acme/mgeo": ""}),
        Source(HostKind.GITHUB, "github", (b"other secret",), {"acme/other": ""}),
    )
    headers = {**MARK[HostKind.GITHUB], "x-hub-signature-256": b"sha256=" + hex_hmac(SECRET, body)}
    assert judge(headers, body, sources, now=NOW, window_s=300).status == 403


def test_a_shared_secret_finds_its_source_by_the_repository() -> None:
    sources = (
        Source(HostKind.GITHUB, "one", (SECRET,), {"acme/other": ""}),
        Source(HostKind.GITHUB, "two", (SECRET,), {"acme/mgeo": ""}),
    )
    headers = {**MARK[HostKind.GITHUB], "x-hub-signature-256": b"sha256=" + hex_hmac(SECRET, BODY)}
    assert judge(headers, BODY, sources, now=NOW, window_s=300).host == "two"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "the body is not JSON"),
        (b'{"repository": {"full_name": 7}}', "`repository.full_name` is not plain text"),
        (b'{"repository": {"full_name": "../etc"}}', "the repository's name is not valid"),
        (BODY.replace(b"refs/heads/main", b"refs/heads/a..b"), "`ref` is not a valid ref name"),
        (BODY.replace(b"refs/heads/main", b"refs/heads/-x"), "`ref` is not a valid ref name"),
        (BODY.replace(b"refs/heads/main", b"refs/heads/\\ud800"), "`ref` is not plain text"),
        (BODY.replace(b"refs/heads/main", b"main"), "`ref` does not start with refs/"),
        (BODY.replace(b'"before": "' + A.encode(), b'"before": "HEAD'), "`before` is not a full commit SHA"),
        (BODY.replace(b"https://", b"ext::sh -c "), "the repository's URL is not valid"),
        (BODY.replace(b'"clone_url"', b'"nothing"'), "`repository.clone_url` or `repository.url` is missing"),
    ],
)
def test_a_malformed_body_is_told_what_is_wrong(body: bytes, complaint: str) -> None:
    verdict = github(body)
    assert verdict.status == 400
    assert complaint in verdict.answer


def test_a_malformed_body_is_not_read_before_its_signature_holds() -> None:
    assert github(b"{", signer=b"guess").answer == REFUSAL


def test_credentials_in_a_clone_url_are_dropped() -> None:
    (event,) = github(BODY.replace(b"https://", b"https://mina:hunter2@")).events
    assert event.url == "https://git.example.com/acme/mgeo.git"


def form(body: bytes) -> Verdict:
    headers = {**MARK[HostKind.GITHUB], "x-hub-signature-256": b"sha256=" + hex_hmac(SECRET, body)}
    headers["content-type"] = b"application/x-www-form-urlencoded"
    return judge(headers, body, (Source(HostKind.GITHUB, "h", (SECRET,), {"acme/mgeo": ""}),), now=NOW, window_s=300)


def test_githubs_form_encoding_is_understood() -> None:
    (event,) = form(urlencode({"payload": BODY}).encode()).events
    assert (event.ref, event.after) == ("refs/heads/main", B)


@pytest.mark.parametrize("body", [b"", b"other=1", BODY, b"&".join([b"payload=1"] * 50), b"payload=%ff"])
def test_a_form_without_a_payload_is_told_what_to_choose(body: bytes) -> None:
    verdict = form(body)
    assert verdict.status == 400
    assert "application/json" in verdict.answer
