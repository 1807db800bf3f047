"""A real bare repository: `git push` to a delivery in the ledger, without a git host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.processes import Completed, run
from tests.engine.test_webhook_receiver import CONFIG, ROOT, SECRET, Receiver

IDENTITY = {
    "GIT_AUTHOR_NAME": "Mina",
    "GIT_AUTHOR_EMAIL": "mina@example.com",
    "GIT_COMMITTER_NAME": "Mina",
    "GIT_COMMITTER_EMAIL": "mina@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


class Workplace:
    """A bare repository with the hook, and a clone of it to push from."""

    def __init__(self, folder: Path, url: str, shape: str) -> None:
        self.bare, self.clone = folder / "mgeo.git", folder / "clone"
        run(["git", "init", "-q", "--bare", "-b", "trunk", str(self.bare)], deadline_s=20)
        shutil.copy(ROOT / "deployments" / "webhook" / "hook.py", self.bare / "hooks" / "post-receive")
        (self.bare / "hooks" / "post-receive").chmod(0o755)
        (folder / "secret").write_text(SECRET + "\n")
        settings = {"url": f"{url}/hooks", "repository": "acme/mgeo", "shape": shape}
        settings |= {"cloneUrl": self.bare.as_uri(), "secretFile": str(folder / "secret")}
        for key, value in settings.items():
            run(["git", "-C", str(self.bare), "config", f"slipway.{key}", value], deadline_s=20)
        run(["git", "clone", "-q", str(self.bare), str(self.clone)], deadline_s=20)
        self.git("checkout", "-q", "-b", "main")

    def git(self, *arguments: str) -> Completed:
        return run(["git", "-C", str(self.clone), *arguments], deadline_s=60, env=IDENTITY)

    def commit(self, text: str) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", text)
        return self.git("rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    one = Receiver(tmp_path)
    gitlab = CONFIG.split("sources:\n")[1].replace("github", "gitlab")
    (tmp_path / "webhook.yaml").write_text(CONFIG + gitlab)
    one.start()
    yield one
    one.kill()


@pytest.mark.parametrize("shape", ["github", "gitlab"])
def test_every_kind_of_push_is_told_exactly(receiver: Receiver, tmp_path: Path, shape: str) -> None:
    work = Workplace(tmp_path, receiver.url, shape)
    first = work.commit("one")
    assert "refs/heads/main: accepted" in work.git("push", "origin", "main").tail
    second = work.commit("two")
    work.git("tag", "-a", "v1.0.0", "-m", "release")
    work.git("push", "-q", "origin", "main", "v1.0.0")
    work.git("push", "-q", "--force", "origin", f"{first}:refs/heads/main")
    work.git("push", "-q", "origin", ":refs/heads/main")
    told = [event for delivery in reversed(receiver.deliveries()) for event in delivery["events"]]
    none, forced = "0" * 40, shape == "github"
    seen = {(one["name"], one["ref"], one["before"], one["after"], bool(one["forced"])) for one in told}
    assert seen == {
        ("git.branch.created", "refs/heads/main", none, first, False),
        ("git.push", "refs/heads/main", first, second, False),
        ("git.tag", "refs/tags/v1.0.0", none, second, False),
        ("git.push", "refs/heads/main", second, first, forced),
        ("git.branch.deleted", "refs/heads/main", first, none, False),
    }
    assert len(told) == 5


def test_a_receiver_that_is_down_is_told_to_the_one_who_pushes_and_refuses_nothing(tmp_path: Path) -> None:
    work = Workplace(tmp_path, "http://127.0.0.1:9", "github")
    revision = work.commit("one")
    assert "NOT told: the receiver cannot be reached" in work.git("push", "origin", "main").tail
    assert revision in run(["git", "ls-remote", str(work.bare)], deadline_s=20).stdout


def test_a_wrong_secret_is_told_to_the_one_who_pushes(receiver: Receiver, tmp_path: Path) -> None:
    work = Workplace(tmp_path, receiver.url, "github")
    (tmp_path / "secret").write_text("another")
    work.commit("one")
    assert "NOT told: the receiver answered 401" in work.git("push", "origin", "main").tail
