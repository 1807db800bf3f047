from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway import model as module
from slipway.errors import CommandFailed, ModelMissing, TrainingFailed, UserError
from slipway.filelock import held
from slipway.model import MANIFEST, NO_MODEL, ModelStore, read_version, training_key
from slipway.processes import Completed
from slipway.service.loading import load_service
from slipway.service.model import Service

TOY = Path(__file__).parents[1] / "fixtures" / "toy"
WHEN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def service() -> Service:
    return load_service(TOY / "docker" / "toy" / "service.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "train.py").write_text("print(1)")
    return checkout


def put_model(folder: Path, version: str = "v1", content: bytes = b"weights", **manifest: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(content)
    said = {"version": version, "files": {"weights": hashlib.sha256(b"weights").hexdigest()}} | manifest
    (folder / MANIFEST).write_text(json.dumps(said))
    return folder


class Training:
    """Stands in for the training command: leaves a model in the folder named last, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failure: Exception | None = None, content: bytes = b"weights"):
        self.calls: list[dict[str, Any]] = []
        self.failure, self.content = failure, content
        monkeypatch.setattr(module, "run", self.run)

    def run(self, argv: tuple[str, ...], **how: Any) -> Completed:
        self.calls.append({"argv": argv, **how})
        if self.failure:
            raise self.failure
        made = put_model(Path(argv[-1]) / "made", "v7", self.content)
        for file in made.iterdir():
            file.rename(Path(argv[-1]) / file.name)
        return Completed("", "", 0.1, 0)


def quiet(_line: str) -> None:
    """Nobody listens."""


def test_a_model_is_trained_once_and_then_kept(
    service: Service, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, store = Training(monkeypatch), ModelStore(tmp_path / "models")
    first = store.prepare(service, folder, WHEN, quiet)
    again = store.prepare(service, folder, WHEN, quiet)
    assert (first.version, first.cached) == ("v7", False)
    assert (again.version, again.cached, again.path) == ("v7", True, first.path)
    assert len(training.calls) == 1


def test_training_runs_in_the_service_folder_with_the_commits_time(
    service: Service, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(monkeypatch)
    ModelStore(tmp_path / "models").prepare(service, folder, WHEN, quiet)
    (call,) = training.calls
    assert call["cwd"] == folder
    assert call["env"]["SOURCE_DATE_EPOCH"] == str(int(WHEN.timestamp()))
    assert call["deadline_s"] == 60
    assert call["argv"][1] == "train.py"


def test_a_failed_training_names_the_service_and_leaves_nothing(
    service: Service, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Training(monkeypatch, CommandFailed("python exited with 1", command="python train.py", tail="no data"))
    with pytest.raises(TrainingFailed) as failed:
        ModelStore(tmp_path / "models").prepare(service, folder, WHEN, quiet)
    assert "toy's model could not be made: python exited with 1" in str(failed.value)
    assert "no data" in str(failed.value)
    assert [path for path in (tmp_path / "models").iterdir() if path.is_dir()] == []


def test_what_a_dead_training_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    for name in (".training-dead", ".training-alive", "finished"):
        put_model(tmp_path / name)
    with held(tmp_path / "alive.lock", deadline_s=1):
        ModelStore(tmp_path).clear()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [".training-alive", "finished"]


def test_a_training_starts_in_an_empty_folder_also_after_one_that_died(
    service: Service, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Training(monkeypatch)
    key = training_key(service, folder, WHEN)
    root = tmp_path / "models"
    put_model(root / f".training-{key}", "half")
    put_model(root / ".training-other", "half")
    assert ModelStore(root).prepare(service, folder, WHEN, quiet).version == "v7"
    assert [path.name for path in root.iterdir() if path.is_dir()] == [key]


def test_a_training_whose_files_are_not_those_it_lists_fails(
    service: Service, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Training(monkeypatch, content=b"other bytes")
    with pytest.raises(TrainingFailed, match="weights of the model v7"):
        ModelStore(tmp_path / "models").prepare(service, folder, WHEN, quiet)


def test_a_service_without_a_model_gets_an_empty_folder(service: Service, folder: Path, tmp_path: Path) -> None:
    bare = service.model_copy(update={"model": None})
    made = ModelStore(tmp_path / "models").prepare(bare, folder, WHEN, quiet)
    assert (made.version, list(made.path.iterdir())) == (NO_MODEL, [])


def test_the_key_follows_content_command_and_date_but_not_other_files(service: Service, folder: Path) -> None:
    key = training_key(service, folder, WHEN)
    (folder / "server.py").write_text("not an input")
    assert training_key(service, folder, WHEN) == key
    assert training_key(service, folder, WHEN.replace(minute=1)) != key
    (folder / "train.py").write_text("print(2)")
    assert training_key(service, folder, WHEN) != key


def test_inputs_that_match_nothing_are_a_mistake(service: Service, folder: Path) -> None:
    (folder / "train.py").unlink()
    with pytest.raises(UserError, match="none of toy's model inputs exists"):
        training_key(service, folder, WHEN)


def test_labelled_examples_for_a_service_that_takes_none_are_a_mistake(service: Service, folder: Path) -> None:
    with pytest.raises(UserError, match="toy cannot be trained with the examples"):
        training_key(service, folder, WHEN, folder / "train.py")


def test_an_earlier_model_is_found_by_version_and_by_key(tmp_path: Path) -> None:
    put_model(tmp_path / "aaa", "v1")
    put_model(tmp_path / "bbb", "v2")
    store = ModelStore(tmp_path)
    assert store.find("v2").key == "bbb"
    assert store.find("aaa").version == "v1"


def test_an_unknown_version_lists_those_there_are_and_no_unfinished_one(tmp_path: Path) -> None:
    put_model(tmp_path / "aaa", "v1")
    put_model(tmp_path / ".training-x", "unfinished")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / MANIFEST).write_text("{")
    with pytest.raises(ModelMissing) as missing:
        ModelStore(tmp_path).find("unfinished")
    assert missing.value.next_step == "train it first, or choose one of: v1"


def test_a_damaged_model_does_not_hide_the_others(tmp_path: Path) -> None:
    put_model(tmp_path / "aaa", "v1", content=b"damaged")
    put_model(tmp_path / "bbb", "v2")
    assert ModelStore(tmp_path).find("v2").key == "bbb"
    with pytest.raises(ModelMissing, match="weights of the model v1 are not what its manifest says"):
        ModelStore(tmp_path).find("v1")


def test_a_listed_file_that_is_missing_is_named(tmp_path: Path) -> None:
    (put_model(tmp_path / "aaa") / "weights").unlink()
    with pytest.raises(ModelMissing, match="weights of the model v1"):
        read_version(tmp_path / "aaa")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": "v1"}', '{"files": {}}', '{"version": "v1", "files": []}']
)
def test_a_manifest_of_another_shape_says_what_it_should_hold(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ModelMissing) as missing:
        read_version(tmp_path)
    assert "{version, files: {path: sha256}}" in missing.value.next_step


def test_a_model_asked_for_by_version_is_a_chosen_one_by_key_it_is_what_was_trained(tmp_path: Path) -> None:
    folder = tmp_path / "the-key"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"version": "toy-1", "files": {}}))
    store = ModelStore(tmp_path)
    assert store.find("toy-1").chosen
    assert not store.find("the-key").chosen
