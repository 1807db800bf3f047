"""GitSource against remotes that are away, shut, damaged, or need a login: a real git server over HTTP."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from slipway import filelock
from slipway.errors import DeadlineExceeded, GitUnavailable, SlipwayError, SourceError
from slipway.source.git import GitSource
from tests.ports import free_port

USER, TOKEN = "robot", "s3cr3t/planted@token-0123456789"
URL_TOKEN = "s3cr3t%2Fplanted%40token-0123456789"
TRACES = (TOKEN, URL_TOKEN, base64.b64encode(f"{USER}:{TOKEN}".encode()).decode())


def git(repo: Path, *args: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *identity, *args], cwd=repo, text=True, capture_output=True, check=True)
    return done.stdout.strip()


class _GitServer(BaseHTTPRequestHandler):
    """`git http-backend` behind a login; every request also looks at the process list."""

    root: ClassVar[Path]
    login: ClassVar[bool]
    status: ClassVar[int]
    seen: ClassVar[list[str]]
    arrived: ClassVar[threading.Event]
    go_on: ClassVar[threading.Event]

    def do_GET(self) -> None:
        self.arrived.set()
        self.go_on.wait(30)
        type(self).seen += [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        wanted = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if self.status != 200:
            self.send_error(self.status)
        elif self.login and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer()

    do_POST = do_GET

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length", "0")
        environment = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": length,
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(length))
        backend = subprocess.run(
            ["git", "http-backend"], env={**os.environ, **environment}, input=body, capture_output=True, check=False
        )
        head, _, content = backend.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


class Server:
    """The server's switches and what it saw."""

    def __init__(self, handler: type[_GitServer], port: int) -> None:
        self.handler = handler
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}/repo"

    def url_for(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@{self.host}/repo"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "served" / "repo"
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main")
    (path / "a.py").write_text("a = 1\n")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "first")
    return path


@pytest.fixture
def server(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.delenv("GIT_ASKPASS", raising=False)
    arrived, go_on = threading.Event(), threading.Event()
    go_on.set()
    switches = {"root": repo.parent, "login": False, "status": 200, "seen": [], "arrived": arrived, "go_on": go_on}
    handler = type("Handler", (_GitServer,), switches)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield Server(handler, http.server_port)
        go_on.set()
        http.shutdown()


@pytest.fixture
def source(tmp_path: Path) -> GitSource:
    return GitSource(tmp_path / "cache", deadline_s=60)


def all_text_below(folder: Path) -> str:
    return "\n".join(path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file())


def test_public_repository_is_checked_out_over_http(server: Server, source: GitSource, repo: Path) -> None:
    checkout = source.check_out(server.url, "main")
    assert checkout.revision == git(repo, "rev-parse", "HEAD")
    assert (checkout.repository, checkout.origin, checkout.dirty) == (server.url, server.url, ())


def test_token_in_a_url_opens_the_door_and_is_seen_nowhere(server: Server, source: GitSource) -> None:
    server.handler.login = True
    checkout = source.check_out(server.url_for(USER, URL_TOKEN), "main")
    heads = source.remote_heads(server.url_for(USER, URL_TOKEN))
    assert (checkout.repository, checkout.origin) == (server.url, server.url)
    assert heads == {"main": checkout.revision}
    assert any("fetch" in command for command in server.handler.seen)
    places = [repr(checkout), *server.handler.seen, all_text_below(source.cache_dir)]
    assert not [trace for trace in TRACES for place in places if trace in place]


def test_refused_token_is_a_clear_error_that_does_not_repeat_it(server: Server, source: GitSource) -> None:
    server.handler.login = True
    with pytest.raises(SourceError, match="refused the credentials") as refused:
        source.check_out(server.url_for("someone-else", URL_TOKEN), "main")
    said = f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"
    assert not [trace for trace in TRACES if trace in said]
    assert "credential helper" in refused.value.next_step


def test_login_comes_from_the_credential_helper_for_the_user_named_in_the_url(
    server: Server, source: GitSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.handler.login = True
    store = tmp_path / "store"
    store.write_text(f"http://other:wrong@{server.host}\nhttp://{USER}:{URL_TOKEN}@{server.host}\n")
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[credential]\n helper = store --file={store}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert source.check_out(f"http://{USER}@{server.host}/repo", "main").branch == "main"


def test_settings_already_in_the_environment_stay_in_force(
    server: Server, source: GitSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.handler.login = True
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"http.http://{server.host}/.extraHeader")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"Authorization: Basic {TRACES[2]}")
    assert source.check_out(server.url, "main").branch == "main"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_in_trouble_is_temporary_and_keeps_the_mirror(server: Server, source: GitSource, status: int) -> None:
    revision = source.check_out(server.url, "main").revision
    server.handler.status = status
    with pytest.raises(GitUnavailable, match="does not answer"):
        source.check_out(server.url, "main")
    assert source.check_out(server.url, revision).revision == revision


def test_server_that_is_down_is_temporary(source: GitSource) -> None:
    port = free_port()
    with pytest.raises(GitUnavailable, match="does not answer"):
        source.check_out(f"http://127.0.0.1:{port}/repo", "main")
    with pytest.raises(GitUnavailable):
        source.remote_heads(f"http://127.0.0.1:{port}/repo")


def test_server_that_hangs_is_stopped_at_the_deadline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(GitUnavailable, match="did not finish"):
        GitSource(tmp_path / "cache", deadline_s=1).check_out(f"http://127.0.0.1:{silent.getsockname()[1]}/r", "main")
    assert list((tmp_path / "cache").glob("*.new-*")) == []


def test_wrong_address_is_the_users_to_mend(server: Server, source: GitSource, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no git repository at this address"):
        source.check_out(f"http://{server.host}/nothing", "main")
    with pytest.raises(SourceError, match="no git repository at this address"):
        source.check_out(str(tmp_path), "main")
    with pytest.raises(SourceError, match="there is no folder"):
        source.check_out(str(tmp_path / "nothing"), "main")
    with pytest.raises(SourceError, match="no git repository at this address"):
        source.check_out(f"file://{tmp_path}/nothing", "main")


def test_repository_without_commits_is_named_as_such(source: GitSource, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    for ref in ("main", "HEAD"):
        with pytest.raises(SourceError, match="no commits yet"):
            source.check_out(str(tmp_path / "empty"), ref)


@pytest.mark.parametrize("damage", ["packs gone", "head gone", "objects cut", "stale lock"])
def test_damaged_mirror_is_made_anew(server: Server, source: GitSource, repo: Path, damage: str) -> None:
    source.check_out(server.url, "main")
    (mirror,) = source.cache_dir.glob("*.git")
    if damage == "packs gone":
        shutil.rmtree(mirror / "objects")
    elif damage == "head gone":
        (mirror / "HEAD").unlink()
    elif damage == "stale lock":
        (mirror / "refs/heads/main.lock").touch()
        git(repo, "commit", "--quiet", "--allow-empty", "-m", "second")
    else:
        for file in (path for path in (mirror / "objects").rglob("*") if path.is_file()):
            file.chmod(0o644)
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    checkout = source.check_out(server.url, "main")
    assert checkout.revision == git(repo, "rev-parse", "HEAD")
    assert (checkout.path / "a.py").read_text() == "a = 1\n"


def test_clone_that_was_killed_is_swept_away(server: Server, source: GitSource) -> None:
    source.check_out(server.url, "main")
    (mirror,) = source.cache_dir.glob("*.git")
    half = source.cache_dir / f"{mirror.stem}.new-killed"
    mirror.rename(half)
    source.check_out(server.url, "main")
    assert mirror.exists()
    assert not half.exists()


@pytest.mark.parametrize("known", [False, True], ids=["first clone", "later fetch"])
def test_killed_run_does_not_stand_in_the_way_of_the_next(
    server: Server, source: GitSource, repo: Path, tmp_path: Path, known: bool
) -> None:
    if known:
        source.check_out(server.url, "main")
        git(repo, "commit", "--quiet", "--allow-empty", "-m", "second")
    server.handler.arrived.clear()
    server.handler.go_on.clear()
    program = (
        "import sys; from pathlib import Path; from slipway.source.git import GitSource\n"
        "GitSource(Path(sys.argv[1])).check_out(sys.argv[2], 'main', Path(sys.argv[3]))"
    )
    into = tmp_path / "into"
    run = subprocess.Popen([sys.executable, "-c", program, str(source.cache_dir), server.url, str(into)])
    assert server.handler.arrived.wait(30)
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.wait()
    server.handler.go_on.set()
    assert source.check_out(server.url, "main", into).revision == git(repo, "rev-parse", "HEAD")
    psutil.wait_procs(family, timeout=30)
    source.check_out(server.url, "main", into)
    assert len(list(into.iterdir())) == 2
    assert sorted(path.suffix for path in source.cache_dir.iterdir() if path.name != "checkouts") == [".git", ".lock"]


def test_mirror_in_use_for_too_long_says_so(repo: Path, source: GitSource) -> None:
    source.check_out(str(repo), "main")
    (lock,) = source.cache_dir.glob("*.lock")
    with filelock.held(lock, deadline_s=1), pytest.raises(DeadlineExceeded, match="another run has held"):
        GitSource(source.cache_dir, deadline_s=0.2).check_out(str(repo), "main")


@pytest.mark.parametrize("address", ["", "--upload-pack=touch /tmp/x", "https://user:pa/ss@host/repo"])
def test_nonsense_address_is_refused_before_git_sees_it(source: GitSource, address: str) -> None:
    with pytest.raises(SlipwayError) as refused:
        source.check_out(address, "main")
    assert isinstance(refused.value, SourceError)
    assert "pa/ss" not in str(refused.value)


@pytest.mark.parametrize("ref", ["", "--all", "main~1", "main:a.py", "@{-1}", "*", "refs/heads/*"])
def test_expression_is_not_a_ref(repo: Path, source: GitSource, ref: str) -> None:
    with pytest.raises(SourceError, match="no branch, tag or commit"):
        source.check_out(str(repo), ref)
