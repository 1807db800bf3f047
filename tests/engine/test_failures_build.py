"""What cannot be built is refused with the reason and the next step; the live release never notices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.errors import BuildFailed, ModelMissing, TrainingFailed, UserError
from tests.engine.conftest import GitRepository, Harness
from tests.engine.failing import ensure_live, ship_fails

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def live(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> None:
    ensure_live(harness, tmp_path_factory.mktemp("live"))


def test_a_broken_dockerfile_is_refused_with_the_failing_line(harness: Harness, toy: GitRepository) -> None:
    toy.replace("docker/toy/Dockerfile", "USER 10001", "RUN echo preparing && python3 -c 'import numbre'\nUSER 10001")
    error = ship_fails(harness, toy, BuildFailed)
    assert "Dockerfile, line 8: RUN echo preparing && python3 -c 'import numbre'" in error.what.splitlines()[0]
    assert "No module named 'numbre'" in str(error)


def test_a_dockerfile_that_is_not_one_is_refused_with_its_line(harness: Harness, toy: GitRepository) -> None:
    toy.replace("docker/toy/Dockerfile", "COPY model", "COPPY model")
    error = ship_fails(harness, toy, BuildFailed)
    assert "Dockerfile, line 6: COPPY" in error.what.splitlines()[0]


def test_a_base_with_a_wrong_digest_is_refused_by_that_digest(harness: Harness, toy: GitRepository) -> None:
    wrong = "sha256:" + "0" * 64
    toy.replace(
        "docker/toy/Dockerfile", "FROM ${BASE}", f"FROM {harness.workshop.repository('slipway/python')}@{wrong}"
    )
    error = ship_fails(harness, toy, BuildFailed)
    assert wrong in error.what.splitlines()[0]


def test_a_base_that_is_not_described_is_refused_by_name(harness: Harness, toy: GitRepository) -> None:
    toy.replace("docker/toy/service.yaml", "base: python", "base: pyton")
    error = ship_fails(harness, toy, UserError)
    assert "pyton" in error.what


def test_an_unknown_model_is_refused_with_the_ones_there_are(harness: Harness, toy: GitRepository) -> None:
    error = ship_fails(harness, toy, ModelMissing, model="toy-1")
    assert "'toy-1'" in error.what.splitlines()[0]
    assert "toy-1" in str(error).partition("next: ")[2]


def test_training_that_fails_says_so_with_its_last_words(harness: Harness, toy: GitRepository) -> None:
    toy.replace("docker/toy/train.py", "folder = ", 'raise SystemExit("no labelled pairs in pairs.tsv")\nfolder = ')
    error = ship_fails(harness, toy, TrainingFailed)
    assert "no labelled pairs in pairs.tsv" in str(error)


def test_a_model_that_its_manifest_does_not_fit_is_refused(harness: Harness, toy: GitRepository) -> None:
    toy.replace("docker/toy/train.py", 'write_text("2")', 'write_text("3")')
    error = ship_fails(harness, toy, TrainingFailed)
    assert "factor.txt" in error.what.splitlines()[0]


@pytest.fixture
def damaged(harness: Harness, toy: GitRepository) -> Iterator[Path]:
    """A model in the store, of this test's repository alone, one file of it changed after it was made."""
    assert harness.ship(toy).completed
    release = harness.workshop.releases.of_revision("toy", toy.git("rev-parse", "HEAD"))[0]
    folder = harness.workshop.settings.cache / "models" / str(release.facts["model_key"])
    (folder / "factor.txt").write_text("7")
    yield folder
    shutil.rmtree(folder)


def test_a_model_that_changed_in_the_store_is_refused(harness: Harness, toy: GitRepository, damaged: Path) -> None:
    toy.commit({"docker/toy/note.txt": "another revision, the same model"})
    error = ship_fails(harness, toy, ModelMissing)
    assert damaged.name in str(error)
