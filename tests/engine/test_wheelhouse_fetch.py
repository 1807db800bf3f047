"""Wheelhouse with the real pip and a real package index (PEP 503) that can be away, flaky or dishonest."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from slipway.dependencies.target import Target
from slipway.dependencies.wheelhouse import Wheelhouse, Wheels
from slipway.errors import DependencyError, IndexUnavailable

PURE = "py3-none-any"
LINUX = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"


def wheel(name: str, version: str = "1.0", tag: str = PURE, body: str = "x = 1\n") -> tuple[str, bytes]:
    """The file name and bytes of a wheel that pip accepts."""
    info = f"{name}-{version}.dist-info"
    tags = "".join(f"Tag: {part}\n" for part in [tag])
    files = {
        f"{name}.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n{tags}",
        f"{info}/RECORD": "",
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-{tag}.whl", buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Index:
    """Files by project, and how requests are answered: `fault(path)` gives a status to fail with, or 0."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}/simple/"
        self.files: dict[str, dict[str, bytes]] = {}
        self.requests: list[str] = []
        self.seen: list[str] = []
        self.fault: Callable[[str], int] = lambda _: 0
        self.deliver: Callable[[bytes], bytes] = lambda content: content
        self.arrived = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def add(self, name: str, version: str = "1.0", tag: str = PURE, body: str = "x = 1\n") -> str:
        """Publish a wheel; returns its line in a lock."""
        filename, content = wheel(name, version, tag, body)
        self.files.setdefault(name, {})[filename] = content
        return f"{name}=={version} --hash=sha256:{sha256(content)}\n"

    def page(self, project: str) -> bytes:
        links = (f'<a href="/files/{project}/{name}">{name}</a>' for name in self.files[project])
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.requests.append(self.path)
            index.seen += [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
            index.arrived.set()
            index.go_on.wait(30)
            parts = self.path.strip("/").split("/")
            status = index.fault(self.path)
            if status:
                self.send_error(status)
            elif parts[1] not in index.files:
                self.send_error(404)
            elif parts[0] == "simple":
                self._send("text/html", index.page(parts[1]))
            else:
                content = index.files[parts[1]][parts[2]]
                self._send("application/octet-stream", index.deliver(content), len(content))

        def _send(self, kind: str, content: bytes, announced: int | None = None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(announced or len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    return Handler


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index that is the only one pip knows, with pip's own retries off: Slipway's policies own retry."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as http:
        served = Index(http.server_port)
        http.RequestHandlerClass = _handler(served)
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
        monkeypatch.setenv("PIP_INDEX_URL", served.url)
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield served
        served.go_on.set()
        http.shutdown()


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(tmp_path / "wheelhouse", deadline_s=120)


@pytest.fixture
def fetch(house: Wheelhouse, tmp_path: Path) -> Callable[[str], Wheels]:
    def fetch(text: str) -> Wheels:
        lock = tmp_path / "requirements.lock"
        lock.write_text(text)
        return house.fetch(lock)

    return fetch


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leftovers(house: Wheelhouse) -> list[str]:
    return [name for name in names(house.root) if not name.endswith(".lock")]


def test_locked_wheels_arrive_and_the_second_time_need_no_index(
    index: Index, house: Wheelhouse, tmp_path: Path
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(index.add("alpha") + index.add("beta", tag=LINUX))
    lines: list[str] = []
    first = house.fetch(lock, Target(), lines.append)
    assert names(first.path) == ["alpha-1.0-py3-none-any.whl", f"beta-1.0-{LINUX}.whl"]
    assert (first.count, first.cached) == (2, False)
    assert first.bytes == sum(path.stat().st_size for path in first.path.iterdir())
    assert any(line.startswith("Collecting alpha==1.0") for line in lines)

    index.requests.clear()
    lock.write_text("# another order, and a comment\n" + "".join(reversed(lock.read_text().splitlines(True))))
    second = house.fetch(lock)
    assert (second.cached, second.key, second.path) == (True, first.key, first.path)
    assert index.requests == []
    assert leftovers(house) == [first.key]


def test_new_lock_downloads_only_what_changed_and_shares_the_rest(
    index: Index, house: Wheelhouse, fetch: Callable[[str], Wheels]
) -> None:
    alpha, beta, gamma = index.add("alpha"), index.add("beta"), index.add("gamma")
    old = fetch(alpha + beta)
    index.requests.clear()
    new = fetch(alpha + gamma)
    assert [path for path in index.requests if "alpha" in path] == []
    shared = "alpha-1.0-py3-none-any.whl"
    assert (old.path / shared).stat().st_ino == (new.path / shared).stat().st_ino

    assert house.evict(old.key) == len(index.files["beta"]["beta-1.0-py3-none-any.whl"])
    assert names(new.path) == [shared, "gamma-1.0-py3-none-any.whl"]
    assert fetch(alpha + gamma).cached
    assert not fetch(alpha + beta).cached


def test_another_target_never_gets_the_wheels_of_this_one(index: Index, house: Wheelhouse, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lines = [index.add("alpha", tag=LINUX), index.add("alpha", tag="cp311-cp311-manylinux_2_17_aarch64")]
    lock.write_text(lines[0].strip() + lines[1].removeprefix("alpha==1.0"))
    here, there = house.fetch(lock), house.fetch(lock, Target(machine="aarch64"))
    assert here.key != there.key
    assert names(here.path) == [f"alpha-1.0-{LINUX}.whl"]
    assert names(there.path) == ["alpha-1.0-cp311-cp311-manylinux_2_17_aarch64.whl"]


def test_markers_are_read_for_the_image_and_not_for_this_machine(index: Index, fetch: Callable[[str], Wheels]) -> None:
    alpha, other = index.add("alpha"), index.add("winonly")
    wheels = fetch(
        alpha.replace(" --hash", ' ; sys_platform == "linux" --hash') + other.replace(" --", ' ; os_name == "nt" --')
    )
    assert names(wheels.path) == ["alpha-1.0-py3-none-any.whl"]


def test_lock_of_nothing_gives_an_empty_wheelhouse(fetch: Callable[[str], Wheels]) -> None:
    assert fetch("# nothing is needed\n").count == 0


@pytest.mark.parametrize("damage", ["changed", "missing", "stranger", "manifest"])
def test_damaged_wheelhouse_is_fetched_again(index: Index, fetch: Callable[[str], Wheels], damage: str) -> None:
    lock = index.add("alpha")
    wheels = fetch(lock)
    (file,) = wheels.path.iterdir()
    good = file.read_bytes()
    if damage == "changed":
        file.chmod(0o644)
        file.write_bytes(good[:-1] + b"!")
    elif damage == "missing":
        file.unlink()
    elif damage == "stranger":
        (wheels.path / "stranger-1.0-py3-none-any.whl").write_bytes(good)
    else:
        (wheels.path.parent / "manifest.json").write_text("{")
    again = fetch(lock)
    assert not again.cached
    assert [path.read_bytes() for path in again.path.iterdir()] == [good]


def test_tampered_wheel_is_permanent_and_named_with_both_hashes(
    index: Index, house: Wheelhouse, fetch: Callable[[str], Wheels]
) -> None:
    lock = index.add("alpha") + index.add("beta")
    locked = lock.split("sha256:")[1].split()[0]
    index.add("alpha", body="x = 'evil'\n")
    found = sha256(index.files["alpha"]["alpha-1.0-py3-none-any.whl"])
    with pytest.raises(DependencyError, match="alpha is not what was locked") as refused:
        fetch(lock)
    assert f"sha256:{locked}" in refused.value.what
    assert f"sha256:{found}" in refused.value.what
    assert leftovers(house) == []


def test_transfer_cut_short_is_not_mistaken_for_tampering(
    index: Index, house: Wheelhouse, fetch: Callable[[str], Wheels]
) -> None:
    lock = index.add("alpha", body="x = 1\n" * 4000)
    cuts = iter([1000, 2000])
    index.deliver = lambda content: content[: next(cuts)]
    with pytest.raises(IndexUnavailable):
        fetch(lock)
    assert leftovers(house) == []
    index.deliver = lambda content: content
    assert fetch(lock).count == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("where", ["/simple/", "/files/"])
def test_index_in_trouble_is_temporary(
    index: Index, house: Wheelhouse, fetch: Callable[[str], Wheels], status: int, where: str
) -> None:
    lock = index.add("alpha")
    index.fault = lambda path: status if path.startswith(where) else 0
    with pytest.raises(IndexUnavailable, match="does not answer") as away:
        fetch(lock)
    assert index.host in away.value.subject
    assert leftovers(house) == []
    index.fault = lambda _: 0
    assert fetch(lock).count == 1


def test_index_that_is_down_is_temporary(
    index: Index, fetch: Callable[[str], Wheels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
    with pytest.raises(IndexUnavailable, match="does not answer"):
        fetch(index.add("alpha"))


def test_index_that_hangs_is_left_at_the_deadline(index: Index, house: Wheelhouse, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(index.add("alpha"))
    index.go_on.clear()
    with pytest.raises(IndexUnavailable, match="did not arrive within"):
        Wheelhouse(house.root, deadline_s=3).fetch(lock)
    assert leftovers(house) == []


def test_second_index_that_is_down_is_not_taken_for_tampering(index: Index, house: Wheelhouse, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(index.add("alpha"))
    index.add("alpha", body="the other index's build\n")
    with pytest.raises(IndexUnavailable, match="another has a different alpha"):
        Wheelhouse(house.root, ("http://127.0.0.1:1/simple/",)).fetch(lock)


def test_index_that_wants_a_login_is_permanent(index: Index, fetch: Callable[[str], Wheels]) -> None:
    lock = index.add("alpha")
    index.fault = lambda _: 401
    with pytest.raises(DependencyError, match="credentials"):
        fetch(lock)


def test_missing_wheel_is_named_with_what_there_is_instead(index: Index, fetch: Callable[[str], Wheels]) -> None:
    lock = index.add("alpha", tag="cp39-cp39-win_amd64") + index.add("beta")
    with pytest.raises(DependencyError, match=r"no index has a wheel of alpha==1\.0") as missing:
        fetch(lock)
    assert "alpha-1.0-cp39-cp39-win_amd64.whl" in missing.value.what
    assert "beta" not in missing.value.what


def test_unknown_package_is_permanent(index: Index, fetch: Callable[[str], Wheels]) -> None:
    with pytest.raises(DependencyError, match=r"no index has a wheel of nowhere==1\.0"):
        fetch(index.add("alpha") + f"nowhere==1.0 --hash=sha256:{'0' * 64}\n")


def test_extra_index_is_searched_and_its_password_is_seen_nowhere(
    index: Index, house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(index.add("alpha"))
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "no-index").as_uri())
    lines: list[str] = []
    extra = f"http://robot:planted-password@{index.host}/simple/"
    wheels = Wheelhouse(house.root, (extra,)).fetch(lock, on_line=lines.append)
    assert wheels.count == 1
    index.fault = lambda _: 503
    lock.write_text(index.add("beta"))
    with pytest.raises(IndexUnavailable) as away:
        Wheelhouse(house.root, (extra,)).fetch(lock)
    left = [path.read_bytes().decode(errors="replace") for path in house.root.rglob("*") if path.is_file()]
    places = [*lines, *index.seen, *left, str(away.value), repr(away.value.__cause__)]
    assert any("pip download" in place for place in index.seen)
    assert not [place for place in places if "planted-password" in place]


def test_killed_fetch_leaves_no_half_wheelhouse_and_the_next_one_completes(
    index: Index, house: Wheelhouse, tmp_path: Path, fetch: Callable[[str], Wheels]
) -> None:
    text = index.add("alpha") + index.add("beta")
    lock = tmp_path / "requirements.lock"
    lock.write_text(text)
    index.go_on.clear()
    program = (
        "import sys; from pathlib import Path; from slipway.dependencies.wheelhouse import Wheelhouse\n"
        "Wheelhouse(Path(sys.argv[1])).fetch(Path(sys.argv[2]))"
    )
    run = subprocess.Popen([sys.executable, "-c", program, str(house.root), str(lock)])
    assert index.arrived.wait(30)
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert [name for name in leftovers(house) if not name.startswith(".")] == []
    index.go_on.set()
    psutil.wait_procs(family, timeout=30)
    wheels = fetch(text)
    assert (wheels.count, wheels.cached) == (2, False)
    assert leftovers(house) == [wheels.key]


def test_fetches_side_by_side_download_once(index: Index, house: Wheelhouse, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(index.add("alpha"))
    found: list[Wheels] = []
    runs = [threading.Thread(target=lambda: found.append(house.fetch(lock))) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(wheels.cached for wheels in found) == [False, True, True]
    assert len([path for path in index.requests if path.startswith("/files/")]) == 1
