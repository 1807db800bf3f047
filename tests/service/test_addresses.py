"""Addresses: one spelling, official divisions, elements; never an error, whatever the text."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mgeo.addresses import Division, Divisions, canonical, normalise, parse
from mgeo.addresses.normalise import MAX_CHARACTERS, numeral
from training.divisions import official_divisions, write_divisions

DIVISIONS = Divisions.of(official_divisions())


@pytest.mark.parametrize(
    ("text", "province", "city", "district"),
    [
        ("北京市海淀区中关村大街1号", "北京市", "北京市", "海淀区"),
        ("北京海淀中关村大街1号", "北京市", "北京市", "海淀区"),
        ("上海市上海市浦东新区北蔡镇御青路313号", "上海市", "上海市", "浦东新区"),
        ("重庆渝中区解放碑", "重庆市", "重庆市", "渝中区"),
        ("江苏南京市浦口区东大路2号", "江苏省", "南京市", "浦口区"),
        ("江宁区秣陵街道", "江苏省", "南京市", "江宁区"),
        ("河南省郑州市二七区德化街78号", "河南省", "郑州市", "二七区"),
        ("湖北省仙桃市沔阳大道", "湖北省", "", "仙桃市"),
        ("東莞市虎門鎮龍眼東一路", "广东省", "东莞市", ""),
        ("深圳市龙华区东环二路", "广东省", "深圳市", "龙华区"),
    ],
)
def test_divisions_are_read_in_full_and_in_short(text: str, province: str, city: str, district: str) -> None:
    address = parse(text, DIVISIONS)
    assert (address.province, address.city, address.district) == (province, city, district)


def test_ambiguous_district_leaves_upper_levels_open() -> None:
    address = parse("朝阳区建国路88号", DIVISIONS)
    assert (address.province, address.city, address.district) == ("", "", "朝阳区")


@pytest.mark.parametrize("text", ["南京路100号", "北京东路12号", "海口大道8号", "黄山岭路21号"])
def test_road_named_after_a_city_is_no_city(text: str) -> None:
    address = parse(text, DIVISIONS)
    assert (address.city, address.road) == ("", text.rstrip("号0123456789"))


def test_inferred_levels_are_told_from_stated_ones() -> None:
    assert parse("江宁区天元路", DIVISIONS).stated == {"district"}
    assert parse("北京市海淀区中关村", DIVISIONS).stated == {"province", "city", "district"}


def test_former_name_leads_to_the_district_of_today() -> None:
    assert parse("北京市崇文区广渠门内大街", DIVISIONS).district == "东城区"


def test_elements_are_split() -> None:
    address = parse("深圳市石岩街道水田社区石环路1号裕达大厦B座2单元12楼1203室(东南门)", DIVISIONS)
    assert address.town == "石岩街道"
    assert address.village == "水田社区"
    assert (address.road, address.number) == ("石环路", "1号")
    assert (address.poi, address.building, address.unit) == ("裕达大厦", "b座", "2单元")
    assert (address.floor, address.room, address.gate) == ("12楼", "1203室", "东南门")


def test_lane_and_crossing_are_read() -> None:
    assert parse("上海市莘松路1500弄荣盛名邸127号", DIVISIONS).lane == "1500弄"
    crossing = parse("人民路与建设路交叉口西150米好家便利店", DIVISIONS)
    assert (crossing.road, crossing.crossroad, crossing.crossing) == ("人民路", "建设路", True)
    assert crossing.poi == "好家便利店"


@pytest.mark.parametrize(
    ("text", "digits"),
    [("八十八", "88"), ("十", "10"), ("一二〇", "120"), ("二十", "20"), ("三百零五", "305"), ("两", "2")],
)
def test_chinese_numerals_become_digits(text: str, digits: str) -> None:
    assert numeral(text) == digits


def test_width_script_case_and_numerals_are_one_spelling() -> None:
    assert normalise("東風路８８號Ａ座") == normalise("东风路八十八号a座")


def test_words_for_one_building_are_one_in_canonical_form() -> None:
    forms = {canonical(normalise(f"翠园6{word}")) for word in ("号楼", "栋", "幢", "座", "#")}
    assert forms == {"翠园6栋"}


def test_names_keep_their_numerals_when_parsed() -> None:
    assert parse("三元里大街五金店", DIVISIONS).poi == "五金店"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_parsed_without_error(text: str) -> None:
    assert len(parse(text, DIVISIONS).rest) <= MAX_CHARACTERS


_WORDS = st.sampled_from(
    [*"省市区县路街号弄栋单元楼层室门(),与东南西北一二十百12a·", "北京", "交叉口", "街道", "有限公司"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORDS, max_size=120).map("".join))
def test_any_row_of_address_words_is_parsed_without_error(text: str) -> None:
    address = parse(text, DIVISIONS)
    assert all(isinstance(getattr(address, name), str) for name in ("road", "number", "poi", "building"))


@pytest.mark.parametrize("unit", ["一", "路", "1", "(", "a1", "东1门", "北京市", "\x00", "😀"])
def test_long_input_is_cut_not_chewed(unit: str) -> None:
    address = parse(unit * 2_000_000, DIVISIONS)
    assert len(address.rest) <= MAX_CHARACTERS


def test_divisions_survive_writing_and_reading(tmp_path: Path) -> None:
    rows = official_divisions()
    write_divisions(rows, tmp_path / "divisions.tsv")
    assert list(Divisions.load(tmp_path / "divisions.tsv").by_code.values()) == rows


def test_broken_divisions_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "divisions.tsv").write_text("110000\t北京市\tprovince\t\t\n110108 海淀区\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        Divisions.load(tmp_path / "divisions.tsv")


def test_every_division_finds_itself_below_its_parents() -> None:
    for division in DIVISIONS.by_code.values():
        upper = DIVISIONS.by_code.get(division.parent)
        located = DIVISIONS.locate(normalise((upper.name if upper else "") + division.name))
        assert division.name in (located.province, located.city, located.district), division


def test_empty_gazetteer_still_splits_the_rest() -> None:
    assert parse("建国路88号", Divisions.of([Division("1", "甲", "province", "")])).number == "88号"
