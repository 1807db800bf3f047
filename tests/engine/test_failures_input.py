"""A person's mistakes: every problem named at once, the nearest right word, an exit code, never a traceback."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from slipway.errors import ServiceFileError, SourceError, UserError
from tests.engine.conftest import GitRepository, Harness
from tests.engine.failing import assert_readable, ensure_live, ship_fails

pytestmark = pytest.mark.engine

SERVICE = "docker/toy/service.yaml"


@pytest.fixture(autouse=True)
def live(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> None:
    ensure_live(harness, tmp_path_factory.mktemp("live"))


def refused(harness: Harness, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line says no, in words."""
    done = harness.cli(*words)
    assert done.returncode != 0, done.stdout
    print(f"\n{words} -> {done.returncode}\n{done.stderr}")
    return done


def test_every_problem_of_a_service_file_is_named_with_its_line(harness: Harness, toy: GitRepository) -> None:
    text = (toy.path / SERVICE).read_text()
    text = text.replace("timeout_s: 20", "timeout: 20").replace("samples: 100", "samples: many")
    toy.commit({SERVICE: text.replace("budget_s: 60", "budget_s: -1")})
    error = ship_fails(harness, toy, ServiceFileError)
    lines = (toy.path / SERVICE).read_text().splitlines()
    for words in ("timeout: 20", "samples: many", "budget_s: -1"):
        number = next(number for number, line in enumerate(lines, start=1) if words in line)
        assert f"{SERVICE}:{number}: " in error.what
    assert "'timeout_s'" in error.what


def test_an_unknown_ref_is_refused_with_the_nearest_one(harness: Harness, toy: GitRepository) -> None:
    done = refused(harness, "ship", "--repository", str(toy.path), "--ref", "mian")
    assert done.returncode == SourceError.exit_code
    assert "did you mean main?" in done.stderr
    assert "Traceback" not in done.stderr
    assert_readable(done.stderr[done.stderr.index("slipway: ") :])


def test_debug_shows_the_traceback(harness: Harness, toy: GitRepository) -> None:
    done = refused(harness, "--debug", "ship", "--repository", str(toy.path), "--ref", "mian")
    assert "Traceback" in done.stderr
    assert "did you mean main?" in done.stderr


def test_a_folder_that_is_no_repository_is_refused(harness: Harness, tmp_path: Path) -> None:
    error = ship_fails(harness, str(tmp_path), SourceError)
    assert str(tmp_path) in str(error)


def test_submodules_and_lfs_pointers_are_named(harness: Harness, toy: GitRepository) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    head = toy.git("rev-parse", "HEAD")
    toy.git("update-index", "--add", "--cacheinfo", f"160000,{head},docker/toy/vendored")
    toy.git("commit", "--quiet", "--message", "a submodule")
    (toy.path / "docker/toy/vendored").mkdir()
    (toy.path / "docker/toy/weights.bin").write_text(pointer)
    toy.git("add", "docker/toy/weights.bin")
    toy.git("commit", "--quiet", "--message", "an LFS pointer")
    error = ship_fails(harness, toy, SourceError)
    assert "submodule docker/toy/vendored" in error.what
    assert "Git LFS pointer docker/toy/weights.bin" in error.what


NAMES = {
    "service": ("toi", "toy"),
    "flavour": ("cuda", "cpu"),
    "environment": ("lokal", "local"),
}


@pytest.mark.parametrize("word", NAMES)
def test_an_unknown_name_is_refused_with_the_known_ones(harness: Harness, toy: GitRepository, word: str) -> None:
    wrong, right = NAMES[word]
    error = ship_fails(harness, toy, UserError, **{word: wrong})
    assert repr(wrong) in error.what.splitlines()[0]
    assert right in str(error).partition("next: ")[2]


def runs(harness: Harness) -> int:
    api = harness.workshop.settings.prefect_api
    return int(httpx.post(f"{api}/flow_runs/count", json={}).json())


def test_an_address_with_credentials_is_refused_before_anything_keeps_it(harness: Harness) -> None:
    before = runs(harness)
    done = refused(harness, "ship", "--repository", "https://ada:t0p-s3cret-w0rd@git.example.com/team/repo.git")
    assert done.returncode == UserError.exit_code
    assert "t0p-s3cret-w0rd" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert runs(harness) == before


def test_a_run_given_credentials_in_its_address_is_refused_and_repeats_them_nowhere(harness: Harness) -> None:
    error = ship_fails(harness, "https://ada:t0p-s3cret-w0rd@git.example.com/team/repo.git", UserError)
    assert "revoked" in str(error)
    logs = httpx.post(f"{harness.workshop.settings.prefect_api}/logs/filter", json={"limit": 200}).text
    assert "t0p-s3cret-w0rd" not in logs + str(error)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rollback", "toi"), "toi"),
        (("trace", "sha256:abc"), "sha256:abc"),
        (("trace", "http://127.0.0.1:1"), "127.0.0.1:1"),
    ],
)
def test_a_command_about_something_unknown_says_so(harness: Harness, words: tuple[str, ...], said: str) -> None:
    done = refused(harness, *words)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert_readable(done.stderr[done.stderr.index("slipway: ") :])
