"""The cached bare copy of one remote repository, and every git command that touches it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import CommandFailed, DeadlineExceeded, GitUnavailable
from slipway.processes import Completed, run
from slipway.source.address import Address
from slipway.source.failures import explain, no_such_commit

# What is committed, byte for byte, whatever this user's own git settings are; and no child that outlives its command.
_SETTINGS = (
    ("core.autocrlf", "false"),
    ("core.attributesFile", os.devnull),
    ("core.hooksPath", os.devnull),
    ("filter.lfs.smudge", ""),
    ("filter.lfs.process", ""),
    ("filter.lfs.required", "false"),
    ("gc.autoDetach", "false"),
    ("maintenance.autoDetach", "false"),
)
# Set while git runs a hook: a deployment started from one must not work on the hook's repository.
_HOOK_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)
_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
QUERY_DEADLINE_S = 60.0


def git(
    *args: str,
    settings: Iterable[tuple[str, str]] = (),
    env: Mapping[str, str] | None = None,
    deadline_s: float = QUERY_DEADLINE_S,
    cwd: Path | None = None,
    stdin: str | None = None,
    check: bool = True,
) -> Completed:
    """Run one git command that never prompts; `settings` (git config) go through the environment, unseen by `ps`."""
    strange = [name for name in _HOOK_VARIABLES if name in os.environ and name not in (env or {})]
    unset = [word for name in strange for word in ("-u", name)]
    quiet = {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_OPTIONAL_LOCKS": "0",
    }
    return run(
        [*(["env", *unset] if unset else []), "git", *args],
        deadline_s=deadline_s,
        cwd=cwd,
        env={**quiet, **_as_environment(settings), **(env or {})},
        stdin=stdin,
        check=check,
    )


def _as_environment(settings: Iterable[tuple[str, str]]) -> dict[str, str]:
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    variables: dict[str, str] = {}
    count = first
    for count, (key, value) in enumerate(settings, start=first + 1):
        variables[f"GIT_CONFIG_KEY_{count - 1}"] = key
        variables[f"GIT_CONFIG_VALUE_{count - 1}"] = value
    return {**variables, "GIT_CONFIG_COUNT": str(count)}


@dataclass(frozen=True)
class Mirror:
    """A bare repository at `path` that follows the branches and tags of `address`; hold its lock while using it."""

    path: Path
    address: Address
    deadline_s: float
    fresh: bool = False

    @property
    def usable(self) -> bool:
        """Whether git takes the folder for a repository; what lies deeper shows when it is read."""
        return self.path.exists() and self.git("rev-parse", "--git-dir", check=False).returncode == 0

    def git(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        deadline_s: float = QUERY_DEADLINE_S,
        stdin: str | None = None,
        check: bool = True,
    ) -> Completed:
        """A git command on this mirror; failures stay `CommandFailed`, a sign that the mirror is damaged."""
        settings = (*_SETTINGS, *self.address.settings)
        where = f"--git-dir={self.path}"
        return git(where, *args, settings=settings, env=env, deadline_s=deadline_s, stdin=stdin, check=check)

    def sweep(self) -> None:
        """Remove what killed runs left half done."""
        _remove(self.path.parent.glob(f"{self.path.stem}.new-*"))
        _remove(self.path.glob("index-*"))

    def create(self) -> Mirror:
        """A new mirror, complete before it appears under its name, so a killed clone is never mistaken for one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f"{self.path.stem}.new-", dir=self.path.parent))
        try:
            unborn = Mirror(building, self.address, self.deadline_s)
            unborn.git("init", "--quiet", "--bare", "--template=")
            unborn.refresh()
            _remove([self.path])
            building.rename(self.path)
        except BaseException:
            _remove([building])
            raise
        return Mirror(self.path, self.address, self.deadline_s, fresh=True)

    def refresh(self) -> None:
        """Bring branches and tags up to date, forgetting those that are gone."""
        if not self.fresh:
            self._fetch("--prune", *_REFSPECS)

    def fetch_commit(self, wanted: str) -> bool:
        """Fetch a commit or ref that no branch or tag leads to; False when the server does not give it out."""
        try:
            self._fetch(f"+{wanted}:refs/slipway/{wanted}")
        except CommandFailed as failed:
            if no_such_commit(failed):
                return False
            raise
        return True

    def _fetch(self, *args: str) -> None:
        names = [arg for arg in args if not arg.startswith("--")]
        flags = [arg for arg in args if arg.startswith("--")]
        self.ask_remote("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *flags, "--", names=names)

    def ask_remote(self, *args: str, names: Iterable[str] = ()) -> Completed:
        """A git command that speaks to the remote: its address follows `args`, `names` follow the address."""
        try:
            return self.git(*args, self.address.location, *names, deadline_s=self.deadline_s)
        except DeadlineExceeded as late:
            raise GitUnavailable(
                late.what,
                subject=self.address.location,
                command=late.command,
                tail=late.tail,
                next_step="it is tried again on its own; if it goes on, check the network and the server",
            ) from late
        except CommandFailed as failed:
            meaning = explain(failed, self.address.location)
            if meaning:
                raise meaning from failed
            raise

    def has(self, commit: str) -> bool:
        return self.git("cat-file", "-e", f"{commit}^{{commit}}", check=False).returncode == 0

    def commit_of(self, name: str) -> str:
        """The commit that an object name leads to, through annotated tags; "" when it is none."""
        done = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def commits_starting_with(self, prefix: str) -> tuple[str, ...]:
        """Every commit whose SHA begins with `prefix`."""
        objects = self.git("rev-parse", f"--disambiguate={prefix.lower()}").stdout
        kinds = self.git("cat-file", "--batch-check", stdin=objects).stdout if objects else ""
        return tuple(line.split()[0] for line in kinds.splitlines() if " commit " in line)

    def refs(self) -> dict[str, str]:
        """Every branch and tag, by its full name, with the object it points to (annotated tags peeled)."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", "refs/heads", "refs/tags")
        return {name: objects[-1] for name, *objects in (line.split() for line in lines.stdout.splitlines())}


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
