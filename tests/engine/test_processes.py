"""The one place that starts processes, with real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from slipway.errors import CommandFailed, DeadlineExceeded, HostNotReady, TemporaryError
from slipway.processes import TAIL_LINES, run

ROOT = Path(__file__).parents[2]


def ends(pid: int, within_s: float = 10) -> bool:
    """Whether a process is gone (or only waits to be reaped) before long."""
    return eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", within_s)


def eventually(holds: Callable[[], bool], within_s: float = 10) -> bool:
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        try:
            if holds():
                return True
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.02)
    return False


def pid_in(file: Path) -> int:
    assert eventually(lambda: file.exists() and file.read_text().strip() != ""), f"{file.name} was never written"
    return int(file.read_text())


def test_a_finished_command_gives_its_stdout_and_the_tail_of_both_streams() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2"], deadline_s=20)
    assert done.stdout == "out\n"
    assert sorted(done.tail.splitlines()) == ["err", "out"]
    assert done.returncode == 0


def test_every_line_is_heard_while_the_command_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    command = ["sh", "-c", f"echo first; while [ ! -e {gate} ]; do sleep 0.02; done; echo second"]
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        gate.touch()  # the command ends only when its first line was heard before

    run(command, deadline_s=20, on_line=hear)
    assert heard == ["first", "second"]


def test_a_failing_command_names_itself_its_status_and_its_last_lines() -> None:
    with pytest.raises(CommandFailed) as failed:
        run(["sh", "-c", "echo the reason >&2; exit 3"], deadline_s=20)
    assert "exited with 3" in failed.value.what
    assert failed.value.tail == "the reason"
    assert failed.value.command.startswith("sh -c")


def test_a_failure_may_be_an_answer() -> None:
    assert run(["sh", "-c", "exit 3"], deadline_s=20, check=False).returncode == 3


def test_only_the_last_lines_stay_for_the_error() -> None:
    done = run(["sh", "-c", f"seq 1 {TAIL_LINES + 5}"], deadline_s=20)
    assert done.tail.splitlines() == [str(number) for number in range(6, TAIL_LINES + 6)]
    assert len(done.stdout.splitlines()) == TAIL_LINES + 5


def test_a_missing_program_says_so_before_anything_starts() -> None:
    with pytest.raises(HostNotReady, match="no-such-program is not installed"):
        run(["no-such-program", "--version"], deadline_s=20)


def test_output_that_is_no_text_does_not_stop_a_command() -> None:
    assert run(["printf", r"\377\376\n"], deadline_s=20).stdout == "��\n"


def test_the_deadline_ends_the_whole_tree(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/child; echo started; wait"
    with pytest.raises(DeadlineExceeded) as late:
        run(["sh", "-c", script], deadline_s=1)
    assert isinstance(late.value, TemporaryError)
    assert "did not finish within 1 s" in late.value.what
    assert late.value.tail == "started"
    assert ends(pid_in(tmp_path / "child"))


def test_the_deadline_ends_a_grandchild_whose_parent_is_gone(tmp_path: Path) -> None:
    script = f"sh -c 'sleep 600 & echo $! > {tmp_path}/orphan'; sleep 600"
    with pytest.raises(DeadlineExceeded):
        run(["sh", "-c", script], deadline_s=1)
    assert ends(pid_in(tmp_path / "orphan"))


def test_a_command_that_ignores_the_polite_signal_is_ended_all_the_same(tmp_path: Path) -> None:
    script = f"trap '' TERM; echo $$ > {tmp_path}/stubborn; while :; do sleep 0.1; done"
    with pytest.raises(DeadlineExceeded):
        run(["sh", "-c", script], deadline_s=1)
    assert ends(pid_in(tmp_path / "stubborn"))


def test_what_a_finished_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    done = run(["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/left; echo done"], deadline_s=20)
    assert done.stdout == "done\n"
    assert ends(pid_in(tmp_path / "left"))


def test_stdin_reaches_the_command_whole() -> None:
    text = "one line\n" * 50_000  # more than a pipe holds
    assert run(["cat"], deadline_s=20, stdin=text).stdout == text


def test_a_command_that_does_not_read_its_stdin_still_ends() -> None:
    assert run(["true"], deadline_s=20, stdin="x" * 10**6).returncode == 0


def test_without_stdin_a_command_reads_an_empty_one() -> None:
    assert run(["cat"], deadline_s=20).stdout == ""


def test_env_adds_to_the_environment() -> None:
    done = run(["sh", "-c", 'echo $ADDED; test -n "$PATH"'], deadline_s=20, env={"ADDED": "here"})
    assert done.stdout == "here\n"


def test_secrets_are_hidden_in_lines_tail_and_command() -> None:
    heard: list[str] = []
    with pytest.raises(CommandFailed) as failed:
        run(
            ["sh", "-c", "echo pushing to https://bob:hunter22@example.com; exit 1"],
            deadline_s=20,
            on_line=heard.append,
        )
    assert heard == ["pushing to https://***@example.com"]
    assert "hunter22" not in str(failed.value)


def test_kill_children_ends_what_another_thread_waits_for(tmp_path: Path) -> None:
    program = f"""
import pathlib, threading, time
from slipway.processes import kill_children, run

pid = pathlib.Path({str(tmp_path / "pid")!r})
command = ["sh", "-c", f"echo $$ > {{pid}}.part; mv {{pid}}.part {{pid}}; exec sleep 600"]
thread = threading.Thread(target=lambda: run(command, deadline_s=600, check=False))
thread.start()
while not pid.exists():
    time.sleep(0.02)
kill_children()
thread.join(timeout=20)
print("ended" if not thread.is_alive() else "still waiting")
"""
    done = run([sys.executable, "-c", program], deadline_s=60, cwd=ROOT)
    assert done.stdout == "ended\n"
    assert ends(pid_in(tmp_path / "pid"))


def test_a_killed_parent_takes_its_command_with_it(tmp_path: Path) -> None:
    program = (
        "from slipway.processes import run\n"
        f"run(['sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 600'], deadline_s=600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        pid = pid_in(tmp_path / "pid")
        os.kill(parent.pid, signal.SIGKILL)
        assert ends(pid)
    finally:
        parent.kill()
        parent.wait()
