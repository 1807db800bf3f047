"""The pair scorer without training, and the decisive cases with the default model."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from mgeo.addresses import Divisions
from mgeo.scoring import PairScorer
from mgeo.scoring.features import DIRECTIONS, pair_features
from mgeo.scoring.forest import Forest
from mgeo.scoring.prepared import Weights, prepare
from mgeo.scoring.rules import DIFFERENT, MATCH, NO_MATCH, OPEN, PARTIAL
from mgeo.scoring.scorer import Forests, Thresholds
from training.divisions import official_divisions, write_divisions
from training.onnx_export import embed_with

SERVICE = Path(__file__).parents[2] / "docker" / "mgeo"
CASES = yaml.safe_load((SERVICE / "cases.yaml").read_text(encoding="utf-8"))


def test_default_model_passes_every_decisive_case(default_model: Path) -> None:
    scorer = PairScorer.load(default_model)
    a, b = [c["a"] for c in CASES], [c["b"] for c in CASES]
    onnx, tokenizer = default_model / "onnx/model.onnx", default_model / "tokenizer.json"
    left, right = (embed_with(onnx, tokenizer, side) for side in (a, b))
    scores = scorer.score(a, b, np.asarray((left * right).sum(axis=1), np.float32))
    failed = [
        f"{score:.3f} {scorer.verdict(score)}, wanted {case}"
        for case, score in zip(CASES, map(float, scores), strict=True)
        if scorer.verdict(score) != case["verdict"] or not case["min"] <= score <= case["max"]
    ]
    assert not failed


def test_features_are_what_models_were_trained_on() -> None:
    """Faster ways to the same numbers: a model in the field must not see others."""
    known = json.loads((Path(__file__).parent / "features.json").read_text(encoding="utf-8"))
    divisions, weights = Divisions.of(official_divisions()), Weights(_EveryGram(), 1.0)
    pairs = [(prepare(a, divisions, weights), prepare(b, divisions, weights)) for a, b, _ in known]
    rows = pair_features(pairs, np.full(len(pairs), 0.5, np.float32))
    np.testing.assert_allclose(rows[:, : len(DIRECTIONS)], np.array([row for *_, row in known]), atol=1e-4)


class _EveryGram(dict[str, float]):
    """A weight for any n-gram, different for most."""

    def get(self, gram: str, default: float | None = None) -> float:  # type: ignore[override]  # noqa: ARG002
        return zlib.crc32(gram.encode()) % 97 / 10


@pytest.mark.parametrize(
    ("a", "b", "settled"),
    [
        ("北京市", "北京", MATCH),
        ("江苏省南京市", "南京", MATCH),
        ("建国路88号", "建国路八十八号", MATCH),
        ("江苏省", "南京市", PARTIAL),
        ("北京市", "上海市", DIFFERENT),
        ("江苏省南京市", "江苏省苏州市", DIFFERENT),
        ("翠湖花园3-2-501", "翠湖花园3-2-502", NO_MATCH),
        ("人民路12号之1", "人民路12号之2", NO_MATCH),
        ("朝阳区", "北京市", OPEN),
        ("建国路88号", "北京市建国路88号", OPEN),
        ("北京市建国路88号", "北京市建国路88号现代城", OPEN),
        ("北京市建国路88号现代城", "北京市建国路86号现代城", OPEN),
    ],
)
def test_rules_settle_what_needs_no_model(a: str, b: str, settled: float) -> None:
    divisions, weights = Divisions.of(official_divisions()), Weights({}, 1.0)
    left, right = prepare(a, divisions, weights), prepare(b, divisions, weights)
    rows = pair_features([(left, right), (right, left)], np.zeros(2, np.float32))
    np.testing.assert_array_equal(rows[:, len(DIRECTIONS) :], [[settled]] * 2)


def test_what_is_settled_wins_over_the_forests() -> None:
    leaf = {"base": 8.0, "depth": 0, "roots": [0], "feature": [0], "left": [0], "right": [0], "threshold": [0.0]}
    sure = Forest.from_json({**leaf, "value": [0.0]})
    scorer = PairScorer(Divisions(), Weights({}, 1.0), Thresholds(0.8, 0.4), Forests(sure, sure))
    rows = np.zeros((5, len(DIRECTIONS) + 1), np.float32)
    rows[:, -1] = OPEN, MATCH, PARTIAL, DIFFERENT, NO_MATCH
    scores = scorer.score_rows(rows)
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-8.0)), 1.0, 0.6, 0.0, 0.6], atol=1e-6)
    assert [scorer.verdict(float(s)) for s in scores] == ["match", "match", "partial", "different", "partial"]


def test_cases_are_twenty_or_more_and_well_formed() -> None:
    assert len(CASES) >= 20
    assert len({c["name"] for c in CASES}) == len(CASES)
    assert all(c.keys() == {"name", "a", "b", "verdict", "min", "max"} for c in CASES)


def test_plain_folder_scores_by_cosine(tmp_path: Path) -> None:
    scorer = PairScorer.load(tmp_path)
    scores = scorer.score(["甲", "乙", "丙"], ["甲", "丁", "戊"], np.array([0.95, 0.8, -0.2], np.float32))
    np.testing.assert_allclose(scores, [0.95, 0.8, 0.0], atol=1e-6)
    assert [scorer.verdict(float(s)) for s in scores] == ["match", "partial", "different"]


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 0, "features": []}', "[]", '{"format": 1, "features": 3}'])
def test_broken_scoring_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scoring.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"scoring\.json"):
        PairScorer.load(tmp_path)


def test_differences_name_the_elements_that_decide(tmp_path: Path) -> None:
    write_divisions(official_divisions(), tmp_path / "divisions.tsv")
    scorer = PairScorer.load(tmp_path)
    found = scorer.differences("姑苏区桐馨花园3幢(南门)", "苏州市桐馨花园18号楼")
    assert [(d.element, d.a, d.b) for d in found] == [("building", "3幢", "18号楼"), ("gate", "南门", "")]
    assert scorer.differences("新街口街道办事处6栋", "新街口街道办6号楼") == []
    cities = scorer.differences("北京市朝阳区建国路88号", "长春市朝阳区建国路88号")
    assert {d.element for d in cities} >= {"city"}


@pytest.mark.parametrize(
    ("a", "b", "element"),
    [
        ("阳光100国际公寓3-2-501", "阳光100国际公寓3-2-502", "room"),
        ("翠湖花园3单元1201", "翠湖花园3单元1202", "room"),
        ("人民路12号之1", "人民路12号之2", "number"),
        ("人民路12号附1号", "人民路12号附2号", "number"),
        ("312国道100公里处", "312国道200公里处", "number"),
    ],
)
def test_numbers_that_decide_are_named(a: str, b: str, element: str, tmp_path: Path) -> None:
    scorer = PairScorer.load(tmp_path)
    assert [d.element for d in scorer.differences(a, b)] == [element]
    assert scorer.differences("人民路12号之1", "人民路12-1号") == []


def test_runtime_needs_only_numpy_and_the_standard_library() -> None:
    code = (
        "import sys; import mgeo.scoring, mgeo.addresses, json;"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=SERVICE, capture_output=True, text=True, check=True
    ).stdout
    assert not {"torch", "pandas", "sklearn", "scipy", "cpca", "transformers"} & set(json.loads(loaded))


def test_empty_gazetteer_is_enough_to_score() -> None:
    assert Divisions().locate("北京市海淀区").province == ""
