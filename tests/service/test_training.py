"""Training: deterministic pairs, a complete and loadable folder, honest figures, the decisive cases."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
import training.train as trainer
from mgeo.addresses import Divisions, canonical, normalise
from mgeo.scoring import PairScorer
from mgeo.scoring.features import DIRECTIONS
from sentence_transformers import SentenceTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from training.__main__ import main
from training.divisions import official_divisions
from training.encoder import load_encoder, new_encoder, train_encoder
from training.evaluate import calibration_error, measure
from training.forest import _plain, best_thresholds, steady_thresholds
from training.labelled import LabelledFileError, read_labelled
from training.onnx_export import embed_with
from training.pairs import Size, _nearest, generate
from training.perturb import chinese_numeral, full_width, numerals, traditional
from training.render import written
from training.spots import wanted_spot
from training.train import Budget, Options, train
from training.world import make_world

TINY = Budget(Size(20, 500, 250), Size(20, 500, 400), Size(20, 500, 150), 25, 32)
ROWS = official_divisions()


def _train(output: Path, **more: Any) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(trainer.BUDGETS, "small", TINY)
        made = train(Options(output, more.pop("seed", 0), 1_700_000_000, **more), lambda _: None)
    return trainer.as_json(made)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("model") / "m"
    _train(output)
    return output


def test_same_seed_gives_the_same_pairs_and_another_seed_others() -> None:
    size = Size(10, 200, 60)
    assert generate(ROWS, 5, size) == generate(ROWS, 5, size)
    assert generate(ROWS, 5, size) != generate(ROWS, 6, size)


def test_generated_pairs_have_all_grades_and_decisive_changes() -> None:
    pairs = generate(ROWS, 1, Size(40, 2000, 800))
    grades = Counter(p.label for p in pairs)
    assert grades[0] > grades[1] > grades[2] > 0
    changed = {name for p in pairs if p.decisive for name in p.perturbations}
    assert {"district changed", "building changed", "gate changed", "name changed", "nothing changed"} <= changed
    assert all(p.label < 2 for p in pairs if p.perturbations == ("gate changed",))


def test_a_search_looks_first_in_the_city_that_a_query_names() -> None:
    texts = ["人民路8号金桂花园", "人民路8号金桂小区", *(f"解放街{number}号" for number in range(40))]
    in_the_city = np.array([0.5, *[1.0] * 41], np.float32)
    found = list(_nearest(["人民路8号金桂花园"] * 2, texts, [None, in_the_city], 1))
    assert found == [[0], [1]]


def test_a_world_holds_several_districts_of_each_of_its_cities() -> None:
    areas = make_world(ROWS, Random(3), 40, 10).areas
    counts = Counter(area.city for area in areas)
    assert len(areas) == 40
    assert min(counts.values()) >= 4


def test_those_who_name_every_level_mostly_ask_for_what_an_index_has() -> None:
    divisions, random = Divisions.of(ROWS), Random(4)
    listed = Counter[tuple[int, bool]]()
    for place in make_world(ROWS, random, 40, 3000).complexes:
        text, _ = written(wanted_spot(place, random), random)
        listed[len(divisions.locate(normalise(text)).stated), place.listed] += 1
    known = {levels: listed[levels, True] / (listed[levels, True] + listed[levels, False]) for levels in (0, 3)}
    assert known[0] < 0.5
    assert known[3] > 0.7


def test_decisive_pairs_hold_the_hard_ones_of_the_field() -> None:
    pairs = [p for p in generate(ROWS, 1, Size(40, 2000, 800, decisive=1.0)) if p.decisive]
    divisions = Divisions.of(ROWS)
    heads = [(divisions.locate(p.a), divisions.locate(p.b)) for p in pairs if p.perturbations == ("district changed",)]
    assert any(a.district == b.district and a.city != b.city for a, b in heads), "one name in two cities"
    assert any(a.district != b.district and a.city == b.city for a, b in heads), "one name in two districts"
    grades = {(name, p.label) for p in pairs for name in p.perturbations}
    assert {("building dropped", 1), ("floor changed", 1), ("name changed", 0)} <= grades
    assert not {("building dropped", 2), ("floor changed", 2), ("name changed", 1)} & grades


def test_same_inputs_give_byte_identical_folders(folder: Path, tmp_path: Path) -> None:
    _train(tmp_path / "again")
    assert _hashes(tmp_path / "again") == _hashes(folder)


def test_manifest_names_every_file_with_its_hash(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["version"] == "mgeo-generated-20231114221320"
    assert manifest["files"] == {k: v for k, v in _hashes(folder).items() if k != "manifest.json"}
    needed = {
        "modules.json",
        "tokenizer.json",
        "onnx/model.onnx",
        "divisions.tsv",
        "scoring.json",
        "README.md",
        "report.md",
    }
    assert needed <= manifest["files"].keys()


def _hashes(folder: Path) -> dict[str, str]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_folder_says_nothing_of_the_machine_it_was_made_on(folder: Path) -> None:
    assert all(str(folder.parent).encode() not in p.read_bytes() for p in folder.rglob("*") if p.is_file())


def test_onnx_and_sentence_transformers_agree_whatever_the_padding(folder: Path) -> None:
    texts = ["北京市海淀区中关村大街1号", "翠园", "東莞市虎門鎮", "a", "苏州市姑苏区桐馨花园3幢2单元501室"]
    wanted = SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)
    got = embed_with(folder / "onnx/model.onnx", folder / "tokenizer.json", texts)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1.0, atol=1e-5)


def test_traditional_and_simplified_text_embed_alike(folder: Path) -> None:
    a, b = embed_with(
        folder / "onnx/model.onnx", folder / "tokenizer.json", ["東莞市虎門鎮龍泉大廈", "东莞市虎门镇龙泉大厦"]
    )
    assert float(a @ b) > 0.999


def test_int8_model_ships_only_inside_its_budget(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["int8"]["kept"] == (report["int8"]["related_auc_loss"] <= report["int8"]["budget"])
    assert (folder / "onnx/model_int8.onnx").exists() == report["int8"]["kept"]


@pytest.mark.parametrize("kind", ["table", "layers"])
def test_an_encoder_is_trained_by_its_seed_and_says_how_far_it_is(kind: str, bert_folder: Path) -> None:
    pairs, said = generate(ROWS, 2, Size(20, 500, 100)), list[str]()
    vectors = []
    for seed in (3, 3, 4):
        encoder = new_encoder(0) if kind == "table" else load_encoder(bert_folder)
        before = encoder.encode(["北京市海淀区中关村大街1号"])
        train_encoder(encoder, pairs, seed, 10, 16, said.append)
        vectors.append(encoder.encode(["北京市海淀区中关村大街1号"]))
        assert not np.array_equal(vectors[-1], before)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])
    assert [line.split(",")[0] for line in said[:5]] == [f"encoder: step {n} of 10" for n in (2, 4, 6, 8, 10)]
    assert not torch.are_deterministic_algorithms_enabled(), "what training asks of torch ends with it"


def test_a_bert_folder_can_be_the_base(bert_folder: Path, tmp_path: Path) -> None:
    made = _train(tmp_path / "m", base=bert_folder)
    assert made["version"] == f"{bert_folder.name}-generated-20231114221320"
    texts = ["北京市海淀区中关村大街1号", "南门"]
    wanted = SentenceTransformer(str(tmp_path / "m"), device="cpu").encode(texts, normalize_embeddings=True)
    got = embed_with(tmp_path / "m/onnx/model.onnx", tmp_path / "m/tokenizer.json", texts)
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_report_slices_by_region_and_perturbation(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["perturbations"]
    assert report["regions"]
    assert len(report["worst"]) == 20
    assert "## Worst examples" in (folder / "report.md").read_text(encoding="utf-8")


def test_a_folder_that_no_training_wrote_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(trainer.BUDGETS, "small", TINY)
        assert main(["--output", str(tmp_path)]) == 2
    assert (tmp_path / "thesis.txt").exists()
    assert "not empty" in capsys.readouterr().err


def test_own_labelled_pairs_change_the_model_and_its_name(folder: Path, tmp_path: Path) -> None:
    lines = [f"{p.a}\t{p.b}\t{p.label}" for p in generate(ROWS, 9, Size(20, 500, 120)) if p.a.strip() and p.b.strip()]
    (tmp_path / "own.tsv").write_text("\n".join(lines), encoding="utf-8")
    made = _train(tmp_path / "m", labelled=tmp_path / "own.tsv", base=folder)
    assert made["version"] == "m-labelled-20231114221320"
    assert made["metrics"]["count"] == len(lines)
    assert _hashes(tmp_path / "m")["scoring.json"] != _hashes(folder)["scoring.json"]


def test_labelled_file_problems_are_reported_together_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "address_a,address_b,label\n甲路1号,乙路2号,3\n甲路1号,,1\n甲路1号\n甲路1号,甲路1号,2\n", encoding="utf-8"
    )
    with pytest.raises(LabelledFileError) as problem:
        read_labelled(path)
    assert str(problem.value).split("; ") == [
        "own.csv: line 2, column label: '3' is not 0, 1 or 2",
        "line 3, column address_b: empty",
        "line 4: wanted 3 columns (address_a, address_b, label), got 1",
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no pairs"),
        (b"address_a,address_b,label\n", "no pairs"),
        ("甲路,乙路,1\n".encode() + "丙路,丁路,0\n".encode("gb18030"), "line 2 is not UTF-8: save the file as UTF-8"),
        ('甲路,"乙\n路",1\n甲路,丙路,x\n'.encode(), "line 3, column label: 'x' is not 0, 1 or 2"),
        ("甲路,乙路,7\n".encode() * 30, "and 20 more"),
    ],
)
def test_a_labelled_file_that_cannot_be_used_says_where(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(LabelledFileError, match=re.escape(why)):
        read_labelled(tmp_path / "own.csv")


def test_a_few_labelled_pairs_are_enough_to_train_with(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("甲路1号,甲路1号,2\n甲路1号,乙路2号,0\n", encoding="utf-8")
    assert _train(tmp_path / "m", labelled=tmp_path / "own.csv")["metrics"]["count"] == 2


def test_labelled_csv_and_tsv_are_read_with_and_without_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('address_a,address_b,label\n"甲路1号,东门",甲路1号,1\n', encoding="utf-8")
    (tmp_path / "b.tsv").write_text("甲路1号,东门\t甲路1号\t1\n", encoding="utf-8")
    assert read_labelled(tmp_path / "a.csv") == read_labelled(tmp_path / "b.tsv")


def test_plain_forest_computes_what_the_fitted_model_computes() -> None:
    rows = np.random.default_rng(0).normal(size=(1500, len(DIRECTIONS))).astype(np.float32)
    labels = rows[:, 0] + rows[:, 3] * rows[:, 5] > 0
    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=10, early_stopping=False, random_state=0).fit(
        rows, labels
    )
    np.testing.assert_allclose(_plain(model).predict(rows), model.predict_proba(rows)[:, 1], atol=1e-3)


def test_thresholds_found_are_the_best_there_are() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 400)
    scores = np.clip(labels / 2 + random.normal(0, 0.25, 400), 0, 1).astype(np.float32)
    best = measure(scores, labels, best_thresholds(scores, labels)).macro_f1
    tried = [
        measure(scores, labels, type(best_thresholds(scores, labels))(upper, lower)).macro_f1
        for upper in np.linspace(0.3, 1, 15)
        for lower in np.linspace(0, upper, 10)
    ]
    assert best >= max(tried) - 0.005


def test_steady_thresholds_lose_little_and_do_not_follow_the_sample() -> None:
    random = np.random.default_rng(2)
    found = []
    for _ in range(6):
        labels = random.choice(3, 3000, p=[0.6, 0.33, 0.07])
        scores = np.clip(labels / 2 + random.normal(0, 0.25, 3000), 0, 1).astype(np.float32)
        steady, best = steady_thresholds(scores, labels), best_thresholds(scores, labels)
        assert measure(scores, labels, steady).macro_f1 >= measure(scores, labels, best).macro_f1 - 0.01
        found.append((steady.match, best.match))
    assert np.std([steady for steady, _ in found]) < np.std([best for _, best in found])


def test_perfect_calibration_has_no_error_and_a_constant_lie_has() -> None:
    labels = np.array([0, 0, 2, 2])
    assert calibration_error(np.array([0, 0, 1, 1], np.float32), labels) == 0.0
    assert calibration_error(np.array([1, 1, 1, 1], np.float32), labels) == 0.5


@pytest.mark.parametrize("number", [1, 10, 12, 20, 88, 99, 101, 250])
def test_written_numerals_are_read_back(number: int) -> None:
    assert normalise(chinese_numeral(number) + "号") == f"{number}号"


def test_perturbed_spellings_are_one_after_normalising() -> None:
    text = "东莞市虎门镇龙泉大厦(88号)"
    spellings = {text, traditional(text), full_width(text), numerals(text, Random(0))}
    assert len(spellings) == 4
    assert {canonical(normalise(t)) for t in spellings} == {canonical(normalise(text))}


def test_scores_keep_order_and_bounds(folder: Path) -> None:
    scorer = PairScorer.load(folder)
    a = ["南京市玄武区新街口街道办事处", "翠园小区", "甲", ""]
    b = ["玄武区新街口街道办", "三亚市海棠区", "甲", "乙"]
    scores = scorer.score(a, b, np.array([0.9, 0.1, 1.0, 0.0], np.float32))
    assert scores.dtype == np.float32
    assert scores.shape == (4,)
    assert ((scores >= 0) & (scores <= 1)).all()
    swapped = scorer.score(a[::-1], b[::-1], np.array([0.0, 1.0, 0.1, 0.9], np.float32))
    np.testing.assert_array_equal(scores, swapped[::-1])
