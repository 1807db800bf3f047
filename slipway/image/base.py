"""Base images: pulled by digest where a registry answers, else bootstrapped from Debian packages.

The bootstrap is reproducible: the same package versions give the same bytes, so the same digest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from slipway.errors import CommandFailed, HostNotReady, UserError
from slipway.filelock import held
from slipway.identity import Tag
from slipway.processes import run
from slipway.settings import is_plain

EPOCH = 1686355200
"""2023-06-10, the day Debian 12 came out: one fixed time for every file of every layer."""

_BOOTSTRAP_DEADLINE_S = 900
_PULL_DEADLINE_S = 120
_LEFT_OUT = ("doc", "man", "locale", "info", "lintian")
# usrmerge has done its work once the bootstrap ends, and alone keeps 50 MB of Perl.
_PERL = "usrmerge libfile-find-rule-perl libnumber-compare-perl libtext-glob-perl perl perl-modules-5.36 libperl5.36"
_TRIM = (
    f'chroot "$1" dpkg --purge --force-depends {_PERL} libgdbm-compat4 libgdbm6 || true',
    'rm -rf "$1"/var/log/* "$1"/var/cache/* "$1"/var/lib/apt/lists/* "$1"/usr/lib/python3*/pydoc_data',
    'find "$1"/usr -name __pycache__ -type d -prune -exec rm -rf {} +',
    # Bytecode that names its source by hash, not by time: containers start fast, and the bytes stay the same.
    'test ! -x "$1"/usr/bin/python3 || chroot "$1" python3 -m compileall -q --invalidation-mode unchecked-hash '
    "/usr/lib/python3.11",
)


class BaseRecipe(BaseModel):
    """docker/<base>/base.yaml: which packages make this base, and which pinned image may stand in for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    suite: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    pull: str = ""

    @property
    def key(self) -> str:
        """Changes whenever the bootstrap would be asked for something else."""
        asked = json.dumps([self.suite, self.packages, self.command, _TRIM, _LEFT_OUT, EPOCH])
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    @property
    def tag(self) -> Tag:
        """Its name in the registry, and in the cache."""
        return Tag(f"{self.name}-{self.key}")


@dataclass(frozen=True)
class BootstrappedBase:
    """A root filesystem on disk, with the gzipped layer and the config that make it an image."""

    archive: Path
    layer: Path
    config: bytes


@dataclass(frozen=True)
class Login:
    """How the build registry is entered: plain HTTP only for one on this machine, and the file of its credentials
    (a Docker config.json; without one, those of this user count)."""

    plain: bool = False
    auth_file: Path | None = None


def load_recipe(path: Path) -> BaseRecipe:
    """The recipe in a base.yaml. Raises `UserError` when it is not there, or holds something else."""
    known = ", ".join(sorted(found.parent.name for found in path.parents[1].glob("*/base.yaml")))
    try:
        return BaseRecipe.model_validate(YAML(typ="safe").load(path))
    except FileNotFoundError as missing:
        raise UserError(
            f"there is no base image {path.parent.name!r}",
            next_step=f"choose one of: {known}; or describe it in docker/{path.parent.name}/base.yaml",
        ) from missing
    except (YAMLError, ValidationError) as wrong:
        raise UserError(
            f"docker/{path.parent.name}/base.yaml cannot be used: {wrong}",
            next_step=f"compare it with those of: {known}",
        ) from wrong


def bootstrap(recipe: BaseRecipe, cache: Path, on_line: Callable[[str], None] | None = None) -> BootstrappedBase:
    """The root filesystem of `recipe`, from the cache or made now with mmdebstrap.

    Raises `HostNotReady` where mmdebstrap is missing, `CommandFailed` with its last lines.
    """
    folder = cache / "bases" / recipe.tag
    with held(cache / "bases" / f"{recipe.name}.lock", deadline_s=_BOOTSTRAP_DEADLINE_S):
        if not folder.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
            try:
                _make(recipe, unfinished, on_line)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return BootstrappedBase(folder / "rootfs.tar", folder / "layer.tar.gz", (folder / "config.json").read_bytes())


def _make(recipe: BaseRecipe, folder: Path, on_line: Callable[[str], None] | None) -> None:
    if not shutil.which("mmdebstrap"):
        raise HostNotReady(
            f"the base image {recipe.name} cannot be bootstrapped: mmdebstrap is not installed",
            next_step="on Debian or Ubuntu: `apt-get install mmdebstrap debian-archive-keyring`; elsewhere use a "
            "machine that reaches the registry named in its base.yaml",
        )
    archive = folder / "rootfs.tar"
    run(
        _mmdebstrap(recipe, archive),
        deadline_s=_BOOTSTRAP_DEADLINE_S,
        env={"SOURCE_DATE_EPOCH": str(EPOCH)},
        on_line=on_line,
    )
    plain = archive.read_bytes()
    (folder / "layer.tar.gz").write_bytes(gzip.compress(plain, compresslevel=6, mtime=0))
    (folder / "config.json").write_bytes(_config(recipe, hashlib.sha256(plain).hexdigest()))


def _mmdebstrap(recipe: BaseRecipe, archive: Path) -> list[str]:
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    hooks = [f"--customize-hook={hook}" for hook in _TRIM]
    wanted = ",".join(("usr-is-merged", *recipe.packages))
    return [
        *("mmdebstrap", "--mode=root", "--variant=essential", "--quiet", f"--include={wanted}"),
        *left_out,
        *hooks,
        recipe.suite,
        str(archive),
    ]


def _config(recipe: BaseRecipe, diff_id: str) -> bytes:
    created, made_by = "2023-06-10T00:00:00Z", f"slipway bootstrap {recipe.suite} {' '.join(recipe.packages)}"
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {"Cmd": list(recipe.command), "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
        "history": [{"created": created, "created_by": made_by}],
    }
    return json.dumps(config, sort_keys=True, separators=(",", ":")).encode()


def pull_pinned(
    recipe: BaseRecipe, destination: str, login: Login, on_line: Callable[[str], None] | None = None
) -> bool:
    """Copy the pinned base to `destination` by digest; False where its registry does not answer."""
    if not recipe.pull or not shutil.which("skopeo"):
        return False
    try:
        run(copy_command(recipe.pull, destination, login), deadline_s=_PULL_DEADLINE_S, on_line=on_line)
    except CommandFailed as unreachable:
        if on_line:
            on_line(f"{recipe.pull} cannot be pulled here, so it is bootstrapped: {unreachable.tail[-200:]}")
        return False
    return True


def copy_command(pinned: str, destination: str, login: Login) -> list[str]:
    """What copies `name:tag@digest` to `destination`; the source is entered with the Docker config's login.

    TLS is verified on both sides, except for a registry on this machine.
    """
    # A reference may carry a tag for people or a digest, not both, where skopeo reads it.
    name, _, digest = pinned.partition("@")
    tag = name.rpartition("/")[2].partition(":")[1:]
    source = f"docker://{name.removesuffix(''.join(tag))}@{digest}"
    options = ["--src-tls-verify=false"] if is_plain(name.partition("/")[0]) else []
    options += ["--dest-tls-verify=false"] if login.plain else []
    if login.auth_file:
        options += ["--dest-authfile", str(login.auth_file)]
    return ["skopeo", "copy", *options, "--quiet", source, f"docker://{destination}"]
