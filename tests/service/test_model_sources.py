"""Models from folders, hubs and pinned archives; nothing unverified is ever unpacked or served."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from mgeo.folder import verified_version
from mgeo.problems import ModelError
from mgeo.settings import ModelSettings, Source
from mgeo.sources import fetch
from mgeo.sources.archive import https_address


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """(address, folder that is served, paths that were asked for)."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: ARG002
            asked.append(self.path)

    folder = tmp_path / "www"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder, asked
    server.shutdown()
    thread.join()
    server.server_close()


def archived(target: Path, names: dict[str, bytes]) -> str:
    """Writes a .zip or .tar.gz, returns its sha256."""
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for name, data in names.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(target, "w:gz") as archive:
            for name, data in names.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return hashlib.sha256(target.read_bytes()).hexdigest()


def chosen(tmp_path: Path, source: Source) -> ModelSettings:
    return ModelSettings(version="v", versions={"v": source}, download_to=str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["m.tar.gz", "m.zip"])
def test_an_archive_is_fetched_verified_and_kept(web: tuple[str, Path, list[str]], tmp_path: Path, name: str) -> None:
    address, folder, asked = web
    sha256 = archived(folder / name, {"model/config.json": b"{}", "model/onnx/model.onnx": b"x"})
    model = chosen(tmp_path, Source(source="archive", location=f"{address}/{name}", sha256=sha256))
    first = fetch(model)
    assert (first / "onnx/model.onnx").read_bytes() == b"x"
    assert fetch(model) == first
    assert len(asked) == 1


def test_a_wrong_hash_is_never_unpacked(web: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    address, folder, _ = web
    sha256 = archived(folder / "m.zip", {"model/config.json": b"{}"})
    model = chosen(tmp_path, Source(source="archive", location=f"{address}/m.zip", sha256="0" * 64))
    with pytest.raises(ModelError, match=f"has sha256 {sha256}, pinned is 000"):
        fetch(model)
    assert not list((tmp_path / "cache").iterdir())


def test_an_archive_cannot_write_outside_its_folder(web: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    address, folder, _ = web
    sha256 = archived(folder / "m.tar.gz", {"../../../escaped": b"x"})
    with pytest.raises(ModelError):
        fetch(chosen(tmp_path, Source(source="archive", location=f"{address}/m.tar.gz", sha256=sha256)))
    assert not list(tmp_path.rglob("escaped"))


def test_a_file_that_is_no_archive_says_so(web: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    address, folder, _ = web
    (folder / "m.tar.gz").write_bytes(b"hello")
    sha256 = hashlib.sha256(b"hello").hexdigest()
    with pytest.raises(ModelError, match=r"no readable \.tar"):
        fetch(chosen(tmp_path, Source(source="archive", location=f"{address}/m.tar.gz", sha256=sha256)))


def test_a_missing_archive_is_named_without_its_query(web: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    location = f"{web[0]}/nothing.zip?X-Amz-Signature=secret"
    with pytest.raises(ModelError, match=r"nothing\.zip cannot be fetched: HTTP Error 404") as error:
        fetch(chosen(tmp_path, Source(source="archive", location=location, sha256="0" * 64)))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("location", "environment", "address"),
    [
        ("s3://models/mgeo/1 a.zip", {}, "https://models.s3.us-east-1.amazonaws.com/mgeo/1%20a.zip"),
        ("s3://models/m.zip", {"AWS_REGION": "cn-north-1"}, "https://models.s3.cn-north-1.amazonaws.com/m.zip"),
        ("s3://models/m.zip", {"AWS_ENDPOINT_URL": "http://minio:9000/"}, "http://minio:9000/models/m.zip"),
        ("oss://models/m.zip", {}, "https://models.oss-cn-hangzhou.aliyuncs.com/m.zip"),
        (
            "oss://models/m.zip",
            {"OSS_ENDPOINT": "https://oss-cn-beijing.aliyuncs.com"},
            "https://models.oss-cn-beijing.aliyuncs.com/m.zip",
        ),
        ("https://example.com/m.zip?x=1", {}, "https://example.com/m.zip?x=1"),
    ],
)
def test_bucket_addresses(location: str, environment: dict[str, str], address: str) -> None:
    assert https_address(location, environment) == address


def test_other_schemes_are_refused() -> None:
    with pytest.raises(ModelError, match="file:///etc/passwd"):
        https_address("file:///etc/passwd", {})


def test_a_bucket_is_read_through_its_endpoint(
    web: tuple[str, Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder, _ = web
    (folder / "models").mkdir()
    sha256 = archived(folder / "models/m.zip", {"config.json": b"{}"})
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    found = fetch(chosen(tmp_path, Source(source="archive", location="s3://models/m.zip", sha256=sha256)))
    assert (found / "config.json").exists()


Answers = dict[str, tuple[int, bytes]]


@contextlib.contextmanager
def hub(answers: Answers) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(address, what was asked with which token); a status of 302 redirects to its content."""
    asked: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            status, content = answers.get(self.path, (404, b""))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", content.decode())
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_modelscope_model_is_fetched_once_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = b"weights"
    listing = {
        "Data": {
            "Files": [
                {"Path": "config.json", "Type": "blob"},
                {"Path": "onnx", "Type": "tree"},
                {"Path": "onnx/model.onnx", "Type": "blob", "Sha256": hashlib.sha256(weights).hexdigest()},
                {"Path": ".gitattributes", "Type": "blob"},
            ]
        }
    }
    base = "/api/v1/models/iic/mgeo/repo"
    answers: Answers = {
        f"{base}/files?Revision=v1.2&Recursive=True": (200, json.dumps(listing).encode()),
        f"{base}?Revision=v1.2&FilePath=config.json": (200, b"{}"),
        f"{base}?Revision=v1.2&FilePath=onnx%2Fmodel.onnx": (200, weights),
    }
    with hub(answers) as (address, asked):
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
        model = chosen(tmp_path, Source(source="modelscope", location="iic/mgeo", revision="v1.2"))
        folder = fetch(model)
        assert fetch(model) == folder
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*")} == {"config.json", "onnx", "onnx/model.onnx"}
    assert [path for path, _ in asked].count(f"{base}?Revision=v1.2&FilePath=config.json") == 1


def test_a_hugging_face_token_does_not_travel_to_the_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = b"weights"
    rows = [
        {"path": "model.safetensors", "type": "file", "lfs": {"oid": hashlib.sha256(weights).hexdigest()}},
        {"path": "pytorch_model.bin", "type": "file"},
        {"path": "1_Pooling", "type": "directory"},
    ]
    with hub({"/blob": (200, weights)}) as (storage, stored):
        answers: Answers = {
            "/api/models/me/model/tree/main?recursive=true": (200, json.dumps(rows).encode()),
            "/me/model/resolve/main/model.safetensors": (302, f"{storage}/blob".encode()),
        }
        with hub(answers) as (address, asked):
            monkeypatch.setenv("HF_ENDPOINT", address)
            monkeypatch.setenv("HF_TOKEN", "secret")
            folder = fetch(chosen(tmp_path, Source(source="huggingface", location="me/model")))
    assert (folder / "model.safetensors").read_bytes() == weights
    assert not (folder / "pytorch_model.bin").exists()
    assert {token for _, token in asked} == {"Bearer secret"}
    assert stored == [("/blob", "")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"path": "a.bin", "type": "file", "lfs": {"oid": "0" * 64}}, "the hub states 0000"),
        ({"path": "../a.bin", "type": "file"}, "outside its folder"),
        ({"path": "b.bin", "type": "file"}, "404"),
        ({"path": "b", "type": "directory"}, "has no files"),
    ],
)
def test_a_hub_model_that_cannot_be_trusted_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: dict[str, object], said: str
) -> None:
    answers: Answers = {
        "/api/models/me/model/tree/main?recursive=true": (200, json.dumps([row]).encode()),
        "/me/model/resolve/main/a.bin": (200, b"x"),
    }
    with hub(answers) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(ModelError, match=said):
            fetch(chosen(tmp_path, Source(source="huggingface", location="me/model")))
    assert not list((tmp_path / "cache").glob("*"))


def test_an_unknown_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub({}) as (address, _):
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
        with pytest.raises(ModelError, match=r"iic/nothing.* cannot be read: HTTP Error 404"):
            fetch(chosen(tmp_path, Source(source="modelscope", location="iic/nothing")))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model folder at"):
        fetch(ModelSettings(path=str(tmp_path / "nothing")))


def with_manifest(folder: Path, **files: bytes) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    (folder / "manifest.json").write_text(json.dumps({"version": "m-1", "files": hashes}))
    return folder


def test_a_sound_folder_gives_its_version(tmp_path: Path) -> None:
    assert verified_version(with_manifest(tmp_path, a=b"1", b=b"2"), "") == "m-1"


def test_every_damaged_file_is_named(tmp_path: Path) -> None:
    folder = with_manifest(tmp_path, a=b"1", b=b"2", c=b"3")
    (folder / "a").write_bytes(b"changed")
    (folder / "b").unlink()
    with pytest.raises(ModelError, match=r"a: sha256 is .*; b: No such file") as error:
        verified_version(folder, "")
    assert "c:" not in str(error.value)


def test_another_version_than_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"asks for m-2, the folder .* holds m-1"):
        verified_version(with_manifest(tmp_path, a=b"1"), "m-2")


def test_a_folder_without_manifest_goes_by_its_name(tmp_path: Path) -> None:
    assert verified_version(tmp_path, "") == tmp_path.name
