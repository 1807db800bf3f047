"""A small client of the OCI distribution specification: bytes and digests in, bytes and digests out.

It never retries (tasks do) and never re-serialises a manifest: a promotion is a PUT of the very bytes that were read.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

import httpx

from slipway.errors import RegistryRefused, RegistryUnavailable
from slipway.identity import Digest, Repository, Tag
from slipway.registry.credentials import Credentials
from slipway.registry.exchange import Answer, Exchange
from slipway.registry.manifest import MEDIA_TYPES, Manifest, digest_of

_MAX_DOCUMENT = 4 * 2**20  # the manifest size the specification asks registries to accept at least
_MAX_BLOB = 256 * 2**20  # configs, signatures, SBOMs; layers are the engine's business
_MAX_PAGES = 1000


class RegistryClient:
    """One registry. Every public call ends within `deadline_s`.

    `insecure` means plain HTTP. Raises `RegistryUnavailable` (no answer, 429, 5xx) or `RegistryRefused` (the rest).
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None = None,
        *,
        insecure: bool = False,
        deadline_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.registry = registry
        self._exchange = Exchange(registry, credentials, insecure=insecure, deadline_s=deadline_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._exchange.close()

    def ping(self) -> None:
        """Returns when the registry answers and accepts the credentials."""
        self._exchange.start()
        self._ask("GET", "/v2/", subject=self.registry)

    def digest(self, repository: Repository, tag: Tag) -> Digest | None:
        """What a tag names now; None when the tag, or the whole repository, is not there."""
        self._exchange.start()
        answer = self._get_manifest(repository, tag, absent_ok=True)
        return None if answer is None else answer.digest

    def holds(self, repository: Repository, digest: Digest) -> bool:
        """Whether the registry still has this manifest."""
        self._exchange.start()
        return self._get_manifest(repository, digest, absent_ok=True) is not None

    def manifest(self, repository: Repository, reference: Tag | Digest) -> Manifest:
        """The manifest's exact bytes, their digest computed here and compared with what was asked for and said."""
        self._exchange.start()
        found = self._get_manifest(repository, reference, absent_ok=False)
        assert found is not None
        return found

    def put_tag(self, repository: Repository, manifest: Manifest, tag: Tag) -> None:
        """Let `tag` name `manifest` by sending the very same bytes, then read it back and compare."""
        self._exchange.start()
        subject = repository.tagged(tag)
        self._put_manifest(repository, manifest, tag)
        back = self._get_manifest(repository, tag, absent_ok=False)
        if back is None or back.digest != manifest.digest:
            raise RegistryRefused(
                f"the tag was written for {manifest.digest} but names {back and back.digest}",
                subject=subject,
                next_step="somebody else may be writing this tag; find out who before trying again",
            )

    def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Store a manifest under its digest alone."""
        self._exchange.start()
        self._put_manifest(repository, manifest, manifest.digest)

    def tags(self, repository: Repository) -> tuple[Tag, ...]:
        """All tags, sorted; none when the repository is not there yet."""
        self._exchange.start()
        url, found = f"/v2/{repository.name}/tags/list", list[str]()
        for _ in range(_MAX_PAGES):
            answer = self._ask("GET", url, subject=str(repository), also_ok=(404,))
            if answer.status == 404:
                break
            found += _tags_in(answer)
            if not answer.next_page:
                break
            url = str(answer.url.join(answer.next_page))
        return tuple(Tag(name) for name in sorted(set(found)))

    def blob(self, repository: Repository, digest: Digest) -> bytes:
        """A blob's bytes, verified against its digest."""
        self._exchange.start()
        subject = repository.at(digest)
        answer = self._ask("GET", f"/v2/{repository.name}/blobs/{digest}", subject=subject, limit=_MAX_BLOB)
        _same(digest_of(answer.body), digest, subject)
        return answer.body

    def put_blob(self, repository: Repository, data: bytes) -> Digest:
        """Store bytes (a config, a signature, an SBOM); a blob that is there already is not sent again."""
        self._exchange.start()
        digest = digest_of(data)
        subject, blobs = repository.at(digest), f"/v2/{repository.name}/blobs"
        if self._ask("HEAD", f"{blobs}/{digest}", subject=subject, also_ok=(404,)).status == 200:
            return digest
        begun = self._ask("POST", f"{blobs}/uploads/", subject=subject)
        location = begun.headers.get("location")
        if not location:
            raise RegistryUnavailable(f"registry {self.registry} began an upload without saying where", subject=subject)
        target = begun.url.join(location).copy_merge_params({"digest": digest})
        sent = self._ask(
            "PUT", str(target), subject=subject, content=data, headers={"Content-Type": "application/octet-stream"}
        )
        _same(sent.headers.get("docker-content-digest", digest), digest, subject)
        return digest

    def delete_manifest(self, repository: Repository, digest: Digest) -> None:
        """Remove a manifest and every tag that names it; one that is gone already is fine."""
        self._exchange.start()
        self._ask("DELETE", f"/v2/{repository.name}/manifests/{digest}", subject=repository.at(digest), also_ok=(404,))

    def _get_manifest(self, repository: Repository, reference: Tag | Digest, *, absent_ok: bool) -> Manifest | None:
        subject = _subject(repository, reference)
        answer = self._ask(
            "GET",
            f"/v2/{repository.name}/manifests/{reference}",
            subject=subject,
            headers={"Accept": ", ".join(MEDIA_TYPES)},
            also_ok=(404,) if absent_ok else (),
            limit=_MAX_DOCUMENT,
        )
        if answer.status == 404:
            return None
        manifest = Manifest.of(answer.body, _media_type(answer, subject))
        _same(answer.headers.get("docker-content-digest", manifest.digest), manifest.digest, subject)
        if isinstance(reference, Digest):
            _same(manifest.digest, reference, subject)
        return manifest

    def _put_manifest(self, repository: Repository, manifest: Manifest, reference: Tag | Digest) -> None:
        subject = _subject(repository, reference)
        answer = self._ask(
            "PUT",
            f"/v2/{repository.name}/manifests/{reference}",
            subject=subject,
            content=manifest.body,
            headers={"Content-Type": manifest.media_type},
        )
        _same(answer.headers.get("docker-content-digest", manifest.digest), manifest.digest, subject)

    def _ask(
        self,
        method: str,
        url: str,
        *,
        subject: str,
        also_ok: tuple[int, ...] = (),
        limit: int = _MAX_DOCUMENT,
        **options: Any,
    ) -> Answer:
        return self._exchange.ask(method, url, subject=subject, also_ok=also_ok, limit=limit, **options)


def _subject(repository: Repository, reference: Tag | Digest) -> str:
    return repository.at(reference) if isinstance(reference, Digest) else repository.tagged(reference)


def _same(found: str, wanted: Digest, subject: str) -> None:
    if found != wanted:
        raise RegistryRefused(
            f"the digests differ: expected {wanted}, got {found}",
            subject=subject,
            next_step="nothing of this may be used; look for a proxy or a broken storage before the registry",
        )


def _media_type(answer: Answer, subject: str) -> str:
    """What the document says it is (a registry checks that on PUT), else the header."""
    try:
        stated = json.loads(answer.body).get("mediaType")
    except (ValueError, AttributeError):
        stated = None
    media_type = str(stated or answer.headers.get("content-type", "").partition(";")[0].strip())
    if media_type not in MEDIA_TYPES:
        raise RegistryRefused(
            f"the registry answered with {media_type or 'an unnamed document'}, which is no image manifest",
            subject=subject,
            next_step="push the image again with a current tool; check that the address is a registry",
        )
    return media_type


def _tags_in(answer: Answer) -> list[str]:
    try:
        return [str(name) for name in json.loads(answer.body)["tags"] or ()]
    except (ValueError, KeyError, TypeError) as broken:
        raise RegistryUnavailable(
            "the registry answered with something that is no list of tags", subject=str(answer.url)
        ) from broken
