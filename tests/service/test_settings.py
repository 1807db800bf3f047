"""A broken configuration is reported whole, before any model loads."""

from __future__ import annotations

from pathlib import Path

import pytest
from mgeo.problems import ConfigError
from mgeo.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]


def problems(tmp_path: Path, text: str | bytes, **environment: str) -> list[str]:
    config = tmp_path / "config.yaml"
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as error:
        load_settings(config, environment)
    return error.value.problems


def test_the_shipped_config_is_sound_and_has_chinese_pairs() -> None:
    settings = load_settings(ROOT / "docker/mgeo/config.yaml", {})
    assert settings.pairs[0].a == "北京市朝阳区建国路88号"


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "engine: {name: tensorrt, batch_tokens: -1}\nserving: {port: 99999, prot: 1}\n"
        "model: {versions: {x: {source: ftp, location: ''}, y: {source: archive, location: 'https://a/m.zip'}}}\n",
    )
    text = "\n".join(found)
    wrong = ("engine.name", "engine.batch_tokens", "serving.port", "serving.prot", "x.source", "x.location", "y.sha256")
    for field in wrong:
        assert field in text
    assert "tensorrt" in text


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "{}", MGEO_PORT="eighty")
    assert "serving.port" in found
    assert "MGEO_PORT" in found


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("engine: {name: onnx}\nserving:\n")
    settings = load_settings(config, {"MGEO_ENGINE": "stub", "MGEO_PORT": "9000", "SLIPWAY_REVISION": "abc"})
    assert (settings.engine.name, settings.serving.port, settings.build.revision) == ("stub", 9000, "abc")


def test_an_archive_must_be_pinned(tmp_path: Path) -> None:
    text = "model: {versions: {v1: {source: archive, location: 'https://example.com/m.tar.gz'}}}"
    (found,) = problems(tmp_path, text)
    assert found == "model.versions.v1.sha256: an archive must name its sha256, got ''"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe\x00", "UTF-8"),
        ("engine: [", "YAML"),
        ("- a\n- b\n", "sections"),
        ("engine: onnx", "engine"),
        ("engine: {batch_tokens: 16}", "batch_tokens"),
    ],
)
def test_an_unreadable_config_says_why(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in "\n".join(problems(tmp_path, text))


def test_a_stated_config_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "nothing.yaml", {})


def test_the_chosen_version_comes_from_the_table(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model: {versions: {v1: {source: modelscope, location: iic/mgeo_backbone_chinese_base}}}")
    assert load_settings(config, {"MGEO_VERSION": "v1"}).model.chosen.source == "modelscope"
    assert load_settings(config, {"MGEO_VERSION": "v2"}).model.chosen.source == "local"
