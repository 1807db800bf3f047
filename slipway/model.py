"""The model that goes into an image: made by the service's own command, kept under the content of its inputs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from pathlib import Path

from pathspec import PathSpec
from pydantic import BaseModel, ConfigDict, ValidationError

from slipway.errors import CommandFailed, DeadlineExceeded, ModelMissing, TrainingFailed, UserError
from slipway.filelock import held
from slipway.processes import run
from slipway.service.model import Service

MANIFEST = "manifest.json"
_UNFINISHED = ".training-"
_NAMED = 8
NO_MODEL = "none"


@dataclass(frozen=True)
class Model:
    """A folder of model files; `key` names the content it was made from, `version` is what it calls itself.

    A `chosen` one was asked for by its version; any other is what its revision trains, or trained.
    """

    path: Path
    key: str
    version: str
    cached: bool
    chosen: bool = False


@dataclass(frozen=True)
class ModelStore:
    """Models by key below `root`; a folder appears only when it is complete."""

    root: Path

    def prepare(
        self,
        service: Service,
        folder: Path,
        made_at: datetime,
        on_line: Callable[[str], None],
        labelled: Path | None = None,
    ) -> Model:
        """The model of this checkout's service, from the store or trained now; `made_at` dates a new one.

        `labelled` is a user's own file of examples. Raises `UserError` when the service takes none, and
        `TrainingFailed` with the command's last lines, or when it left no manifest.
        """
        if service.model is None:
            return self._empty()
        key = training_key(service, folder, made_at, labelled)
        with held(self.root / f"{key}.lock", deadline_s=service.model.budget_s):
            cached = (self.root / key / MANIFEST).exists()
            if not cached:
                self._train(service, folder, made_at, key, on_line, labelled)
        return Model(self.root / key, key, read_version(self.root / key), cached)

    def find(self, version: str) -> Model:
        """An earlier model by its version or key. Raises `ModelMissing` with the versions there are."""
        known = self._versions()
        for key, name in known.items():
            if version in (key, name):
                return Model(self.root / key, key, read_version(self.root / key), cached=True, chosen=version != key)
        raise ModelMissing(
            f"there is no model {version!r} here",
            next_step=f"train it first, or choose one of: {', '.join(_nearest(version, known.values())) or 'none yet'}",
        )

    def clear(self) -> None:
        """Remove what trainings left that died; one that goes on holds the lock of its key."""
        for left in self.root.glob(f"{_UNFINISHED}*"):
            key = left.name.removeprefix(_UNFINISHED)
            with contextlib.suppress(DeadlineExceeded), held(self.root / f"{key}.lock", deadline_s=0):
                shutil.rmtree(left, ignore_errors=True)

    def _versions(self) -> dict[str, str]:
        """Key and version of every finished model with a readable manifest; their files are not looked at."""
        found = dict[str, str]()
        for path in sorted(self.root.glob(f"[!.]*/{MANIFEST}")):
            with contextlib.suppress(ModelMissing):
                found[path.parent.name] = _manifest(path.parent).version
        return found

    def _empty(self) -> Model:
        folder = self.root / NO_MODEL
        folder.mkdir(parents=True, exist_ok=True)
        return Model(folder, NO_MODEL, NO_MODEL, cached=True)

    def _train(
        self,
        service: Service,
        folder: Path,
        made_at: datetime,
        key: str,
        on_line: Callable[[str], None],
        labelled: Path | None,
    ) -> None:
        assert service.model is not None
        self.clear()
        unfinished = self.root / f"{_UNFINISHED}{key}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            run(
                service.model.command(
                    python=sys.executable, output=str(unfinished), labelled=str(labelled.absolute()) if labelled else ""
                ),
                deadline_s=service.model.budget_s,
                cwd=folder,
                env={"SOURCE_DATE_EPOCH": str(int(made_at.timestamp())), "PYTHONDONTWRITEBYTECODE": "1"},
                on_line=on_line,
            )
            read_version(unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(self.root / key)
        except (CommandFailed, ModelMissing) as failed:
            raise TrainingFailed(
                f"{service.name}'s model could not be made: {failed.what}",
                command=failed.command or " ".join(service.model.train),
                tail=failed.tail,
                next_step=f"run that command in {service.folder} to see it fail",
            ) from failed
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _nearest(version: str, known: Iterable[str]) -> list[str]:
    """The few that are most like what was asked for."""
    return sorted(set(known), key=lambda name: -SequenceMatcher(None, version, name).ratio())[:_NAMED]


def training_key(service: Service, folder: Path, made_at: datetime, labelled: Path | None = None) -> str:
    """Changes with the training command, its date, and the content of the files that decide the model."""
    assert service.model is not None
    if labelled and not (service.model.labelled and labelled.is_file()):
        raise UserError(
            f"{service.name} cannot be trained with the examples in {labelled}",
            next_step="the file must exist on the worker's machine, and service.yaml's model part must have `labelled`",
        )
    found = hashlib.sha256(json.dumps([service.model.train, int(made_at.timestamp())]).encode())
    names = sorted(PathSpec.from_lines("gitignore", service.model.inputs).match_tree_files(folder))
    if not names:
        raise UserError(
            f"none of {service.name}'s model inputs exists: {', '.join(service.model.inputs)}",
            next_step=f"they are globs from {service.folder}; a change of what they match makes a new model",
        )
    for name in names:
        found.update(f"{name}\0".encode())
        found.update(hashlib.sha256((folder / name).read_bytes()).digest())
    if labelled:
        found.update(hashlib.sha256(labelled.read_bytes()).digest())
    return found.hexdigest()[:32]


class _Manifest(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    version: str
    files: dict[str, str]


def read_version(folder: Path) -> str:
    """The version in a model's manifest, its files checked against their hashes. Raises `ModelMissing`."""
    manifest = _manifest(folder)
    wrong = sorted(name for name, digest in manifest.files.items() if _sha256(folder / name) != digest)
    if wrong:
        raise ModelMissing(
            f"{', '.join(wrong)} of the model {manifest.version} are not what its manifest says",
            next_step=f"remove {folder.name} from the model store ({folder.parent}); it is made again",
        )
    return manifest.version


def _manifest(folder: Path) -> _Manifest:
    try:
        return _Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as broken:
        raise ModelMissing(
            f"the model has no usable {MANIFEST}: {broken}",
            next_step="the training command has to write one: {version, files: {path: sha256}}",
        ) from broken


def _sha256(path: Path) -> str:
    """The hash of a file; empty when it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
