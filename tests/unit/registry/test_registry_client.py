"""The registry client against a registry that misbehaves; no socket is opened."""

import base64
import hashlib
from collections.abc import Callable

import httpx
import pytest

from slipway.errors import RegistryRefused, RegistryUnavailable, SlipwayError
from slipway.identity import Digest, Repository, Tag
from slipway.redaction import redact
from slipway.registry.client import RegistryClient
from slipway.registry.credentials import Credentials
from slipway.registry.manifest import OCI_MANIFEST, Manifest

HOST = "registry.example.com"
REPOSITORY = Repository(HOST, "team/mgeo")
BODY = b'{"schemaVersion": 2,\n  "mediaType": "application/vnd.oci.image.manifest.v1+json"}'
MANIFEST = Manifest.of(BODY, OCI_MANIFEST)
OTHER = Digest("sha256:" + "0" * 64)
ROBOT = Credentials("robot", "s3cret-pass")
BASIC = "Basic " + base64.b64encode(b"robot:s3cret-pass").decode()

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, credentials: Credentials | None = None) -> RegistryClient:
    return RegistryClient(HOST, credentials, transport=httpx.MockTransport(handler), deadline_s=5)


def always(status: int, **options: object) -> Handler:
    return lambda _request: httpx.Response(status, **options)  # type: ignore[arg-type]


def serving(body: bytes = BODY, stated: str | None = None) -> Handler:
    said = {"docker-content-digest": stated} if stated else {}
    return always(200, content=body, headers={"content-type": OCI_MANIFEST, **said})


def refused_by(status: int, code: str = "", message: str = "") -> Handler:
    return always(status, json={"errors": [{"code": code, "message": message}]})


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_a_busy_registry_is_a_temporary_error(status: int) -> None:
    with pytest.raises(RegistryUnavailable, match=str(status)) as raised:
        client(always(status)).manifest(REPOSITORY, Tag("v1"))
    assert raised.value.subject == f"{HOST}/team/mgeo:v1"
    assert raised.value.next_step


def test_the_wait_a_registry_asks_for_is_passed_on() -> None:
    with pytest.raises(RegistryUnavailable) as raised:
        client(always(429, headers={"retry-after": "30"})).ping()
    assert "30 s" in raised.value.next_step


def test_a_rate_limit_told_as_403_is_still_temporary() -> None:
    with pytest.raises(RegistryUnavailable, match="TOOMANYREQUESTS"):
        client(refused_by(403, "TOOMANYREQUESTS", "slow down")).ping()


@pytest.mark.parametrize(
    ("status", "code", "next_step"),
    [
        (401, "UNAUTHORIZED", "docker login"),
        (403, "DENIED", "right to push"),
        (400, "DENIED", "right to push"),
        (404, "NAME_UNKNOWN", "check the name"),
        (405, "UNSUPPORTED", "DELETE_ENABLED"),
        (412, "PRECONDITION", "immutab"),
        (400, "MANIFEST_INVALID", "registry's own words"),
    ],
)
def test_a_refusal_is_permanent_and_says_what_to_do(status: int, code: str, next_step: str) -> None:
    with pytest.raises(RegistryRefused, match=code) as raised:
        client(refused_by(status, code, "no")).manifest(REPOSITORY, Tag("v1"))
    assert next_step in raised.value.next_step


@pytest.mark.parametrize(
    ("credentials", "words"), [(None, "none are known"), (ROBOT, "does not accept these credentials")]
)
def test_missing_credentials_are_told_apart_from_wrong_ones(credentials: Credentials | None, words: str) -> None:
    with pytest.raises(RegistryRefused, match=words):
        client(always(401, headers={"www-authenticate": 'Basic realm="x"'}), credentials).ping()


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ConnectError("Connection refused"), RegistryUnavailable, "Connection refused"),
        (httpx.ReadTimeout("slow"), RegistryUnavailable, "within 5 s"),
        (httpx.RemoteProtocolError("Server disconnected"), RegistryUnavailable, "disconnected"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), RegistryRefused, "not trusted"),
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version"), RegistryRefused, "does not speak TLS"),
    ],
)
def test_no_answer_is_temporary_unless_only_a_person_can_mend_it(
    error: Exception, kind: type[SlipwayError], words: str
) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(kind, match=words):
        client(fail).ping()


def test_a_manifests_bytes_and_digest_come_back_untouched() -> None:
    found = client(serving(stated=MANIFEST.digest)).manifest(REPOSITORY, MANIFEST.digest)
    assert found == MANIFEST
    assert found.digest == "sha256:" + hashlib.sha256(BODY).hexdigest()


def test_the_digest_a_registry_states_must_be_that_of_the_bytes() -> None:
    with pytest.raises(RegistryRefused, match="digests differ"):
        client(serving(stated=OTHER)).manifest(REPOSITORY, Tag("v1"))


def test_bytes_of_another_digest_than_asked_for_are_refused() -> None:
    with pytest.raises(RegistryRefused, match="digests differ"):
        client(serving()).manifest(REPOSITORY, OTHER)


def test_a_login_page_is_not_taken_for_a_manifest() -> None:
    with pytest.raises(RegistryRefused, match="text/html"):
        client(always(200, html="<html>log in</html>")).manifest(REPOSITORY, Tag("v1"))


def test_a_schema_1_manifest_is_refused() -> None:
    old = always(
        200, content=b"{}", headers={"content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}
    )
    with pytest.raises(RegistryRefused, match=r"v1\+prettyjws"):
        client(old).manifest(REPOSITORY, Tag("v1"))


def test_an_endless_body_is_cut_off() -> None:
    with pytest.raises(RegistryRefused, match="more than 4 MiB"):
        client(serving(b" " * (5 * 2**20))).manifest(REPOSITORY, Tag("v1"))


def test_an_absent_tag_names_no_digest() -> None:
    assert client(refused_by(404, "MANIFEST_UNKNOWN")).digest(REPOSITORY, Tag("v1")) is None


def test_a_tag_is_written_with_the_very_same_bytes_and_read_back() -> None:
    sent: list[httpx.Request] = []

    def registry(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(201) if request.method == "PUT" else serving()(request)

    client(registry).put_tag(REPOSITORY, MANIFEST, Tag("v1"))

    assert [(one.method, one.url.path) for one in sent] == [
        ("PUT", "/v2/team/mgeo/manifests/v1"),
        ("GET", "/v2/team/mgeo/manifests/v1"),
    ]
    assert sent[0].content == BODY
    assert sent[0].headers["content-type"] == OCI_MANIFEST


def test_a_tag_that_names_something_else_afterwards_is_an_error() -> None:
    def raced(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201) if request.method == "PUT" else serving(BODY + b"\n")(request)

    with pytest.raises(RegistryRefused, match="but names sha256:"):
        client(raced).put_tag(REPOSITORY, MANIFEST, Tag("v1"))


def test_tags_are_collected_over_all_pages() -> None:
    def paged(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("last") == "b":
            return httpx.Response(200, json={"tags": ["c"]})
        link = '</v2/team/mgeo/tags/list?n=2&last=b>; rel="next"'
        return httpx.Response(200, json={"tags": ["b", "a"]}, headers={"link": link})

    assert client(paged).tags(REPOSITORY) == ("a", "b", "c")


@pytest.mark.parametrize("answer", [always(404), always(200, json={"name": "team/mgeo", "tags": None})])
def test_a_repository_without_tags_has_none(answer: Handler) -> None:
    assert client(answer).tags(REPOSITORY) == ()


def test_a_blob_with_other_bytes_is_refused() -> None:
    with pytest.raises(RegistryRefused, match="digests differ"):
        client(always(200, content=b"tampered")).blob(REPOSITORY, OTHER)


def test_a_blob_goes_where_the_registry_says_keeping_its_parameters() -> None:
    sent: list[httpx.Request] = []

    def registry(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if request.method == "HEAD":
            return httpx.Response(404)
        location = {"location": "/upload/1?_state=abc%3D"}
        return httpx.Response(202, headers=location) if request.method == "POST" else httpx.Response(201)

    digest = client(registry).put_blob(REPOSITORY, b"signature")

    assert digest == "sha256:" + hashlib.sha256(b"signature").hexdigest()
    assert sent[-1].method == "PUT"
    assert dict(sent[-1].url.params) == {"_state": "abc=", "digest": digest}
    assert sent[-1].content == b"signature"


def test_a_blob_that_is_there_is_not_sent_again() -> None:
    def registry(request: httpx.Request) -> httpx.Response:
        assert request.method == "HEAD"
        return httpx.Response(200)

    client(registry).put_blob(REPOSITORY, b"signature")


def test_deleting_what_is_gone_is_fine() -> None:
    client(always(404)).delete_manifest(REPOSITORY, MANIFEST.digest)


class TokenRegistry:
    """Asks for a bearer token the way ACR, Harbor and GHCR do; remembers what it was asked."""

    def __init__(
        self, realm: str = "https://auth.example.com/service/token?tenant=1", token_key: str = "token"
    ) -> None:
        self.realm, self.token_key = realm, token_key
        self.seen: list[httpx.Request] = []
        self.valid = "Bearer tok-1-secret"
        self.answer_login: Handler = self._login

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.url.host == "auth.example.com":
            return self.answer_login(request)
        if request.headers.get("authorization") == self.valid:
            return httpx.Response(201) if request.method == "PUT" else serving()(request)
        action = "pull,push" if request.method == "PUT" else "pull"
        challenge = f'Bearer realm="{self.realm}",service="reg",scope="repository:team/mgeo:{action}"'
        return httpx.Response(401, headers={"www-authenticate": challenge})

    def _login(self, request: httpx.Request) -> httpx.Response:
        form = dict(httpx.QueryParams(request.content.decode()))
        if request.headers.get("authorization") != BASIC and form.get("refresh_token") != "identity-token":
            return httpx.Response(401, json={"details": "incorrect username or password"})
        return httpx.Response(200, json={self.token_key: self.valid.removeprefix("Bearer ")})

    @property
    def logins(self) -> list[httpx.Request]:
        return [request for request in self.seen if request.url.host == "auth.example.com"]


@pytest.mark.parametrize("token_key", ["token", "access_token"])
def test_a_bearer_challenge_is_answered_with_the_scope_it_names(token_key: str) -> None:
    registry = TokenRegistry(token_key=token_key)

    assert client(registry, ROBOT).manifest(REPOSITORY, Tag("v1")) == MANIFEST

    (login,) = registry.logins
    assert dict(login.url.params) == {"tenant": "1", "service": "reg", "scope": "repository:team/mgeo:pull"}


def test_a_token_is_used_again_and_pushing_gets_its_own() -> None:
    registry = TokenRegistry()
    with client(registry, ROBOT) as one:
        one.manifest(REPOSITORY, Tag("v1"))
        one.manifest(REPOSITORY, Tag("v1"))
        one.put_tag(REPOSITORY, MANIFEST, Tag("v1"))

    assert [login.url.params["scope"].rpartition(":")[2] for login in registry.logins] == ["pull", "pull,push"]


def test_an_expired_token_is_renewed_once() -> None:
    registry = TokenRegistry()
    with client(registry, ROBOT) as one:
        one.manifest(REPOSITORY, Tag("v1"))
        registry.valid = "Bearer tok-2-secret"
        one.manifest(REPOSITORY, Tag("v1"))
    assert len(registry.logins) == 2


def test_an_identity_token_is_exchanged_and_never_sent_as_a_password() -> None:
    registry = TokenRegistry()
    client(registry, Credentials("<token>", identity_token="identity-token")).manifest(REPOSITORY, Tag("v1"))
    (login,) = registry.logins
    assert login.method == "POST"
    assert "authorization" not in login.headers


def test_a_wrong_password_is_refused_with_the_next_step() -> None:
    with pytest.raises(RegistryRefused, match="incorrect username") as raised:
        client(TokenRegistry(), Credentials("robot", "wrong-pass")).manifest(REPOSITORY, Tag("v1"))
    assert "docker login" in raised.value.next_step
    assert "wrong-pass" not in str(raised.value)


def test_a_token_that_may_not_push_is_refused_after_one_try() -> None:
    registry = TokenRegistry()
    registry.valid = "Bearer other"
    registry.answer_login = lambda _request: httpx.Response(200, json={"token": "useless"})
    with pytest.raises(RegistryRefused, match="401"):
        client(registry, ROBOT).put_tag(REPOSITORY, MANIFEST, Tag("v1"))
    assert len(registry.logins) == 1


def test_a_token_service_that_is_down_is_temporary() -> None:
    registry = TokenRegistry()
    registry.answer_login = always(503)
    with pytest.raises(RegistryUnavailable, match="503"):
        client(registry, ROBOT).manifest(REPOSITORY, Tag("v1"))


def test_a_password_is_not_sent_to_an_unencrypted_realm() -> None:
    registry = TokenRegistry(realm="http://auth.example.com/token")
    with pytest.raises(RegistryRefused, match="unencrypted"):
        client(registry, ROBOT).manifest(REPOSITORY, Tag("v1"))
    assert registry.logins == []


def test_basic_authentication_is_sent_only_when_asked_for() -> None:
    seen: list[str | None] = []

    def registry(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        if request.headers.get("authorization") == BASIC:
            return serving()(request)
        return httpx.Response(401, headers={"www-authenticate": 'Basic realm="Registry"'})

    client(registry, ROBOT).manifest(REPOSITORY, Tag("v1"))
    assert seen == [None, BASIC]


def test_a_redirects_target_gets_neither_credentials_nor_a_say() -> None:
    seen: list[httpx.Request] = []

    def registry(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "storage.example.net":
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="phish"'})
        if "authorization" not in request.headers:
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="Registry"'})
        return httpx.Response(307, headers={"location": "https://storage.example.net/blob"})

    with pytest.raises(RegistryRefused):
        client(registry, ROBOT).blob(REPOSITORY, OTHER)
    storage = [request for request in seen if request.url.host == "storage.example.net"]
    assert len(storage) == 1
    assert "authorization" not in storage[0].headers


def test_an_upload_to_another_host_gets_no_credentials() -> None:
    seen: list[httpx.Request] = []

    def registry(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "storage.example.net":
            return httpx.Response(201)
        if "authorization" not in request.headers:
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="Registry"'})
        return (
            httpx.Response(404)
            if request.method == "HEAD"
            else httpx.Response(202, headers={"location": "https://storage.example.net/up"})
        )

    client(registry, ROBOT).put_blob(REPOSITORY, b"x")
    assert "authorization" not in seen[-1].headers


def test_tokens_and_passwords_are_hidden_from_every_log() -> None:
    client(TokenRegistry(), ROBOT).manifest(REPOSITORY, Tag("v1"))
    for secret in ("s3cret-pass", "tok-1-secret", BASIC.removeprefix("Basic ")):
        assert secret not in redact(f"GET with {secret} failed")
