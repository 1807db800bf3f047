"""Runs are forked from a warm process, and none can tell: streams, folder, signals, exit codes, deaths."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.installation import Installation
from tests.engine.conftest import ROOT, GitRepository, Harness
from tests.engine.runs import process_of, until

CLIENT = ROOT / "deployments" / "forkserver" / "client.py"
# Stands for Prefect: a child does what its order's environment says, and knows that it was forked.
SERVER = """
import os, sys
from pathlib import Path
from deployments.forkserver.server import Forkserver
code = Path(os.environ["CODE"])
known = code.stat().st_mtime_ns
order = Forkserver(
    Path(os.environ["SLIPWAY_HOME"]) / "run",
    is_stale=lambda: code.stat().st_mtime_ns != known,
    renew=lambda: os.execv(sys.executable, sys.orig_argv),
).serve()
order.take_on()
exec(os.environ["WORK"])
"""


class Forks:
    """A fork server in a folder of its own, and clients that ask it."""

    def __init__(self, home: Path) -> None:
        self.home, self.code = home, home / "code.py"
        (home / "run").mkdir()
        self.code.touch()
        # A plain interpreter, which a client becomes where no server answers, has no run to do and ends with an error.
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")},
            **{"SLIPWAY_HOME": str(home), "CODE": str(self.code), "PYTHONPATH": str(ROOT)},
        }
        self.process = subprocess.Popen([sys.executable, "-c", SERVER], env=self.environment)
        until((home / "run" / "forkserver.sock").exists)

    def start(self, work: str, **more: str) -> subprocess.Popen[str]:
        """A client whose run does *work*."""
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(CLIENT)],
            env={**self.environment, "WORK": work, **more},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, work: str, **more: str) -> tuple[int, str, str]:
        """Exit code, output and errors of such a run."""
        with self.start(work, **more) as client:
            output, errors = client.communicate(timeout=60)
        return client.returncode, output, errors


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    started = Forks(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()


def parent_and_pid(client: subprocess.Popen[str]) -> psutil.Process:
    """The forked run, which says its process id first."""
    assert client.stdout
    return psutil.Process(int(client.stdout.readline()))


TELL = "import os, sys, time; print(os.getpid(), flush=True)\n"


def test_a_run_has_its_own_folder_environment_and_streams(forks: Forks) -> None:
    work = "import json; print(json.dumps([os.getcwd(), os.environ['WORD'], os.getppid()])); sys.stderr.write('so')"
    code, output, errors = forks.ask(work, WORD="建国路")
    assert json.loads(output) == [str(forks.home), "建国路", forks.process.pid]
    assert (code, errors) == (0, "so")


def test_a_run_knows_no_variable_that_only_the_server_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "1")
    forks = Forks(tmp_path)
    del forks.environment["OF_THE_SERVER"]
    try:
        assert forks.ask("print(os.environ.get('OF_THE_SERVER'))")[1] == "None\n"
    finally:
        forks.process.kill()
        forks.process.wait()


@pytest.mark.parametrize("code", [0, 1, 7])
def test_exit_codes_come_back(forks: Forks, code: int) -> None:
    assert forks.ask(f"sys.exit({code})")[0] == code


def test_an_error_that_nobody_catches_ends_the_run_as_it_ends_any_program(forks: Forks) -> None:
    code, _, errors = forks.ask("raise ValueError('no such street')")
    assert code == 1
    assert "ValueError: no such street" in errors
    assert forks.ask("print('next')")[1] == "next\n"


def test_a_run_that_is_killed_looks_killed(forks: Forks) -> None:
    with forks.start(TELL + "time.sleep(60)") as client:
        parent_and_pid(client).kill()
        assert client.wait(10) == -signal.SIGKILL


def test_a_signal_reaches_the_run_which_may_answer_it(forks: Forks) -> None:
    work = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n" + TELL + "time.sleep(60)"
    with forks.start(work) as client:
        parent_and_pid(client)
        client.terminate()
        assert client.wait(10) == 3


def test_a_client_that_is_killed_takes_its_run_with_it_and_no_other(forks: Forks) -> None:
    with forks.start(TELL + "time.sleep(60)") as client, forks.start(TELL + "time.sleep(60)") as other:
        run, untouched = parent_and_pid(client), parent_and_pid(other)
        client.kill()
        run.wait(10)
        assert untouched.is_running()
        other.kill()


def test_a_server_that_is_killed_takes_its_runs_with_it_and_the_clients_say_so(forks: Forks) -> None:
    with forks.start(TELL + "time.sleep(60)") as client:
        run = parent_and_pid(client)
        forks.process.kill()
        assert client.wait(10) == -signal.SIGKILL
        until(lambda: not run.is_running(), 10)


def test_without_a_server_the_run_gets_an_interpreter_of_its_own(forks: Forks) -> None:
    forks.process.kill()
    forks.process.wait()
    code, _, errors = forks.ask("print('forked')")
    assert code == 1
    assert "Invalid flow run id" in errors, "Prefect's engine itself, which was told of no run"


def test_code_that_changed_is_not_run_from_memory_and_the_server_renews_itself(forks: Forks) -> None:
    with forks.start(TELL + "time.sleep(60)") as client:
        parent_and_pid(client)
        forks.code.write_text("# changed")
        assert "Invalid flow run id" in forks.ask("print('forked')")[2]
        assert client.poll() is None, "a run under way goes on"
        assert "Invalid flow run id" in forks.ask("print('forked')")[2], "and as long, the server stays as it is"
        client.kill()
    until(lambda: forks.ask("print('forked')")[1] == "forked\n", 30)
    assert psutil.Process(forks.process.pid).is_running()


def test_the_socket_is_its_users_alone_and_nonsense_ends_nothing(forks: Forks) -> None:
    path = forks.home / "run" / "forkserver.sock"
    assert path.stat().st_mode & 0o077 == 0
    for nonsense in (b"{}", b"\xff", b"[]", b""):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(path))
            client.send(nonsense)
            assert client.recv(10) == b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(str(path))
        began = time.monotonic()
        assert forks.ask("print('next')")[1] == "next\n"
        assert time.monotonic() - began < 30


@pytest.mark.engine
def test_the_runs_of_an_installation_are_forked(harness: Harness, toy: GitRepository) -> None:
    server = Installation(harness.workshop).forkserver.pid
    assert server
    until((harness.workshop.settings.home / "run" / "forkserver.sock").exists)
    run = harness.start(repository=str(toy.path))
    process = until(lambda: forked_for(run))
    assert process.ppid() == server
    ended = harness.wait(run)
    assert ended.completed, ended.message


def forked_for(run: object) -> psutil.Process | None:
    try:
        return process_of(run)  # type: ignore[arg-type]
    except AssertionError:
        return None
