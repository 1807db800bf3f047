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
from mgeo.scoring.prepared import Language, prepare
from mgeo.scoring.rules import DIFFERENT, MATCH, NO_MATCH, OPEN, PARTIAL
from mgeo.scoring.scorer import RELATED_SHARE, Forests, Thresholds, sounds_of
from training.divisions import official_divisions, write_divisions
from training.onnx_export import embed_with
from training.sounds import same_sounds

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
    divisions, language = Divisions.of(official_divisions()), Language(_EveryGram(), 1.0, sounds_of(same_sounds()))
    pairs = [(prepare(a, divisions, language), prepare(b, divisions, language)) for a, b, _ in known]
    rows = pair_features(pairs, np.full(len(pairs), 0.5, np.float32))
    np.testing.assert_allclose(rows[:, : len(DIRECTIONS)], np.array([row for *_, row in known]), atol=1e-4)


def test_the_order_of_two_addresses_makes_no_difference() -> None:
    known = json.loads((Path(__file__).parent / "features.json").read_text(encoding="utf-8"))
    divisions, language = Divisions.of(official_divisions()), Language({}, 1.0)
    pairs = [(prepare(a, divisions, language), prepare(b, divisions, language)) for a, b, _ in known]
    cosine = np.full(len(pairs), 0.5, np.float32)
    there, back = pair_features(pairs, cosine), pair_features([(b, a) for a, b in pairs], cosine)
    np.testing.assert_array_equal(there, back)


@pytest.mark.parametrize(("x", "y", "alike"), [("珞喻路", "珞瑜路", 1.0), ("珞喻路", "珞狮路", 0.0)])
def test_roads_that_sound_the_same_are_told_from_others(x: str, y: str, alike: float) -> None:
    divisions, language = Divisions(), Language({}, 1.0, sounds_of(same_sounds()))
    pair = prepare(f"{x}1037号", divisions, language), prepare(f"{y}1037号", divisions, language)
    row = pair_features([pair], np.zeros(1, np.float32))[0]
    assert row[list(DIRECTIONS).index("road_sounds_agree")] == alike
    assert row[list(DIRECTIONS).index("road_agrees")] == 0


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
        ("翠湖花园3-2-501", "翠湖花园3-2-502", PARTIAL),
        ("人民路12号之1", "人民路12号之2", NO_MATCH),
        ("翠园3号楼", "翠园5号楼", PARTIAL),
        ("保利花园一期", "保利花园二期", PARTIAL),
        ("国贸大厦3层", "国贸大厦5层", PARTIAL),
        ("国贸大厦1层", "国贸大厦地下1层", PARTIAL),
        ("翠园03栋", "解放路1号翠园3栋", OPEN),
        ("人民路1号翠园3栋", "解放路1号翠园5栋", NO_MATCH),
        ("美宜佳便利店1号楼", "美宜佳便利店2号楼", NO_MATCH),
        ("清华大学东门", "清华大学西门", PARTIAL),
        ("裕华区万达广场", "长安区万达广场", NO_MATCH),
        ("裕华区万达广场", "长安区万达广场一层", NO_MATCH),
        ("人民路1、2号", "人民路12号", NO_MATCH),
        ("翠园1(2栋)3单元", "翠园12栋3单元", OPEN),
        ("湖南长沙麓山南路1号", "湖南省长沙市岳麓区麓山南路1号", OPEN),
        ("余杭区临平街道迎宾路1号", "临平区临平街道迎宾路1号", OPEN),
        ("软件园二期西区", "软件园西区二期", OPEN),
        ("翠园二期3号楼", "翠园二区3号楼", OPEN),
        ("海淀医院门诊大楼", "海淀医院门诊楼", OPEN),
        ("海淀医院门诊楼", "海淀医院急诊楼", PARTIAL),
        ("公安局宿舍楼3栋", "公安局宿舍楼5栋", NO_MATCH),
        ("万达广场1-2层优衣库", "万达广场1层优衣库", OPEN),
        ("莘松路958弄8-101", "莘松路958弄8号101室", MATCH),
        ("国贸站A口", "国贸站A出口", OPEN),
        ("华星大厦1201", "华星大厦1202", PARTIAL),
        ("华星大厦A-1201", "华星大厦A-1202", PARTIAL),
        ("浦东机场T1航站楼", "浦东机场T2航站楼", NO_MATCH),
        ("望京SOHO塔1", "望京SOHO塔3", NO_MATCH),
        ("花园路与农业路交叉口西北角", "花园路与农业路交叉口东南角", NO_MATCH),
        ("花园路与农业路交叉口西50米好家便利店", "农业路与丰产路交叉口东50米好家便利店", OPEN),
        ("延安中路955弄14支弄3号", "延安中路955弄41支弄3号", NO_MATCH),
        ("延安中路14号附1", "延安中路14号附2", NO_MATCH),
        ("第八师143团5连", "第八师143团8连", NO_MATCH),
        ("张三 13912345678 文三路478号", "文三路478号", MATCH),
        ("139-1234-5678", "138-8765-4321", NO_MATCH),
        ("延安中路14号甲", "延安中路14号", NO_MATCH),
        ("国贸地铁站A口", "国贸站A口", MATCH),
        ("X杭州市西湖区文三路478号", "杭州市西湖区文三路478号", OPEN),
        ("310012浙江省杭州市西湖区文三路478号", "浙江省杭州市西湖区文三路478号😀", MATCH),
        ("国贸站A口", "国贸站B出口", NO_MATCH),
        ("肯德基(人民路店)", "肯德基人民路店", MATCH),
        ("人民路12", "人民路12号", MATCH),
        ("裕华区万达广场", "石家庄万达广场", OPEN),
        ("朝阳区", "北京市", OPEN),
        ("建国路88号", "北京市建国路88号", OPEN),
        ("北京市建国路88号", "北京市建国路88号现代城", OPEN),
        ("北京市建国路88号现代城", "北京市建国路86号现代城", OPEN),
    ],
)
def test_rules_settle_what_needs_no_model(a: str, b: str, settled: float) -> None:
    divisions, language = Divisions.of(official_divisions()), Language({}, 1.0)
    left, right = prepare(a, divisions, language), prepare(b, divisions, language)
    rows = pair_features([(left, right), (right, left)], np.zeros(2, np.float32))
    np.testing.assert_array_equal(rows[:, len(DIRECTIONS) :], [[settled]] * 2)


def test_what_is_settled_wins_over_the_forests() -> None:
    leaf = {"base": 8.0, "depth": 0, "roots": [0], "feature": [0], "left": [0], "right": [0], "threshold": [0.0]}
    sure = Forest.from_json({**leaf, "value": [0.0]})
    scorer = PairScorer(Divisions(), Language({}, 1.0), Thresholds(0.8, 0.4), Forests(sure, sure))
    rows = np.zeros((5, len(DIRECTIONS) + 1), np.float32)
    rows[:, -1] = OPEN, MATCH, PARTIAL, DIFFERENT, NO_MATCH
    scores = scorer.score_rows(rows)
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-8.0)), 1.0, 0.6, 0.0, 0.6], atol=1e-6)
    assert [scorer.verdict(float(s)) for s in scores] == ["match", "match", "partial", "different", "partial"]


def test_a_draft_calls_no_partial_match_a_match_before_it_has_thresholds_of_its_own() -> None:
    leaf = {"base": 8.0, "depth": 0, "roots": [0], "feature": [0], "left": [0], "right": [0], "threshold": [0.0]}
    sure = Forest.from_json({**leaf, "value": [0.0]})
    rows = np.zeros((2, len(DIRECTIONS) + 1), np.float32)
    rows[:, -1] = PARTIAL, NO_MATCH
    draft = PairScorer(Divisions(), Language({}, 1.0), Thresholds(), Forests(sure, sure))
    np.testing.assert_allclose(draft.score_rows(rows), RELATED_SHARE, atol=1e-6)


def test_cases_are_twenty_or_more_and_well_formed() -> None:
    assert len(CASES) >= 20
    assert len({c["name"] for c in CASES}) == len(CASES)
    assert all(c.keys() == {"name", "a", "b", "verdict", "min", "max"} for c in CASES)


def test_plain_folder_scores_by_cosine(tmp_path: Path) -> None:
    scorer = PairScorer.load(tmp_path)
    scores = scorer.score(["甲", "乙", "丙"], ["甲", "丁", "戊"], np.array([0.95, 0.8, -0.2], np.float32))
    np.testing.assert_allclose(scores, [0.95, 0.8, 0.0], atol=1e-6)
    assert [scorer.verdict(float(s)) for s in scores] == ["match", "partial", "different"]


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 0, "features": []}', "[]", '{"format": 2, "features": 3}'])
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
