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
        ("湖北恩施州恩施市舞阳大道119号", "湖北省", "恩施土家族苗族自治州", "恩施市"),
        ("广西河池市东兰县", "广西壮族自治区", "河池市", "东兰县"),
        ("青岛市南区香港中路", "山东省", "青岛市", "市南区"),
        ("310012浙江省杭州市西湖区文三路478号", "浙江省", "杭州市", "西湖区"),
        ("中国浙江省杭州市西湖区文三路478号", "浙江省", "杭州市", "西湖区"),
        ("地址：杭州市西湖区文三路478号", "浙江省", "杭州市", "西湖区"),
        ("★杭州市西湖区文三路478号", "浙江省", "杭州市", "西湖区"),
        ("阿里中心", "", "", ""),
    ],
)
def test_divisions_are_read_in_full_and_in_short(text: str, province: str, city: str, district: str) -> None:
    address = parse(text, DIVISIONS)
    assert (address.province, address.city, address.district) == (province, city, district)


def test_every_province_is_read_by_its_short_name() -> None:
    lower = {division.parent: division.name for division in DIVISIONS.by_code.values()}
    provinces = [division for division in DIVISIONS.by_code.values() if division.level == "province"]
    assert len(provinces) == 34
    for province in provinces:
        assert DIVISIONS.locate(normalise(province.shorts[0] + lower.get(province.code, ""))).province == province.name


@pytest.mark.parametrize(
    ("text", "district"),
    [
        ("内蒙古呼伦贝尔鄂温克", "鄂温克族自治旗"),
        ("呼伦贝尔市鄂伦春", "鄂伦春自治旗"),
        ("甘肃省临夏东乡", "东乡族自治县"),
    ],
)
def test_divisions_named_after_their_nation_have_a_short_name(text: str, district: str) -> None:
    assert parse(text, DIVISIONS).district == district


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
    ("text", "number"),
    [
        ("人民路12号之1", "12号之1"),
        ("人民路十二号之一", "12号之1"),
        ("人民路12号附2号", "12号附2号"),
        ("人民路附2号", "附2号"),
        ("人民路7号-1号楼", "7号"),
        ("人民路7号附二单元", "7号"),
        ("312国道100公里处", "100公里"),
        ("京沪高速K100+200", "100+200公里"),
        ("人民路往东2公里", ""),
        ("人民路K11购物中心", ""),
        ("人民路12", "12号"),
        ("中山大道100,维多利广场", "100号"),
        ("莘松路958弄8", "8号"),
        ("县道102", ""),
        ("地铁1号线建国门站", ""),
    ],
)
def test_all_of_a_number_is_read(text: str, number: str) -> None:
    assert parse(text, DIVISIONS).number == number


@pytest.mark.parametrize(
    ("text", "element", "value"),
    [
        ("地铁二号线建国门站A口", "road", "2号线"),
        ("地铁二号线建国门站A口", "gate", "a口"),
        ("县道102", "road", "102县道"),
        ("软件园二期西区10号楼", "phase", "2期"),
        ("软件园二期西区10号楼", "zone", "西区"),
        ("国贸地铁站A出口", "gate", "a出口"),
        ("国贸地铁站10号出口", "gate", "10号出口"),
        ("人民路12号ABC口腔医院", "gate", ""),
        ("国道107", "road", "107国道"),
        ("G107国道", "road", "107国道"),
        ("工业路12号线缆厂", "number", "12号"),
        ("翠园3楼5层", "building", "3楼"),
        ("翠园3楼5层", "floor", "5层"),
        ("国贸大厦-1层", "floor", "b1层"),
        ("科技园南区", "zone", "南区"),
        ("华星大厦1201", "code", "1201"),
        ("创意产业园5-A2", "code", "5-a2"),
        ("浦东机场T1航站楼", "building", "t1航站楼"),
        ("浦东机场2号航站楼", "building", "2号航站楼"),
        ("物流园2号仓", "building", "2号仓"),
        ("静安寺站1号口", "gate", "1号口"),
        ("花园路与农业路交叉口西北角", "side", "西北角"),
        ("延安中路955弄14支弄3号", "lane", "955弄14支弄"),
        ("红星村3社", "group", "3社"),
        ("143团5连", "group", "143团5连"),
        ("人民路/中山路路口", "crossroad", "中山路"),
        ("收货人李强，电话 139-1234-5678，文三路1号", "poi", ""),
        ("张三 13912345678 文三路1号", "poi", ""),
        ("文三路1号李女士18888888888", "poi", ""),
        ("红星村3社区", "group", ""),
        ("延安中路14号附1", "number", "14号附1"),
        ("延安中路14号甲", "number", "14号甲"),
        ("西乡街道固戍一路", "road", "固戍一路"),
        ("茅台镇中华村", "village", "中华村"),
        ("文三路肆佰柒拾捌号", "number", "478号"),
        ("陆家嘴", "poi", "陆家嘴"),
        ("文三路1号13912345678", "code", ""),
        ("万达广场地下一层", "floor", "b1层"),
        ("万达广场负二楼", "floor", "b2楼"),
        ("万达广场一层", "floor", "1层"),
        ("阳光小区", "zone", ""),
        ("海淀医院急诊楼", "wing", "急诊楼"),
        ("公安局宿舍楼3栋", "building", "3栋"),
        ("阳光口腔门诊部", "wing", ""),
        ("海淀医院急诊楼", "poi", "海淀医院"),
    ],
)
def test_parts_of_a_place_are_told_from_its_name(text: str, element: str, value: str) -> None:
    assert getattr(parse(text, DIVISIONS), element) == value


@pytest.mark.parametrize(
    ("long", "short"),
    [("南京市第一中学", "南京一中"), ("郑州市第三人民医院", "郑州三院"), ("第二小学", "二小")],
)
def test_what_is_known_by_its_ordinal_has_one_canonical_form(long: str, short: str) -> None:
    assert canonical(parse(long, DIVISIONS).rest) == canonical(parse(short, DIVISIONS).rest)


@pytest.mark.parametrize(
    ("text", "number", "building", "unit", "room"),
    [
        ("翠湖花园3-2-501", "", "3栋", "2单元", "501室"),
        ("翠湖花园(北区)B3-2-501室", "", "b3栋", "2单元", "501室"),
        ("阳光100国际公寓12-501", "", "12栋", "", "501室"),
        ("人民路12-3-501", "12号", "", "3单元", "501室"),
        ("翠湖花园6号楼3-501", "", "6号楼", "3单元", "501室"),
        ("翠湖花园3单元1201", "", "", "3单元", "1201室"),
        ("翠湖花园12号楼1201(东门)", "", "12号楼", "", "1201室"),
        ("翠湖花园5号楼503-504室", "", "5号楼", "", "503-504室"),
        ("人民路95-102", "", "", "", ""),
        ("莘松路958弄8-101", "8号", "", "", "101室"),
        ("莘松路958弄8-1-101", "8号", "", "1单元", "101室"),
        ("电话010-8888", "", "", "", ""),
    ],
)
def test_flats_in_bare_numbers_are_read(text: str, number: str, building: str, unit: str, room: str) -> None:
    address = parse(text, DIVISIONS)
    assert (address.number, address.building, address.unit, address.room) == (number, building, unit, room)


@pytest.mark.parametrize(
    ("text", "digits"),
    [("八十八", "88"), ("十", "10"), ("一二〇", "120"), ("二十", "20"), ("三百零五", "305"), ("两", "2")],
)
def test_chinese_numerals_become_digits(text: str, digits: str) -> None:
    assert numeral(text) == digits


def test_width_script_case_and_numerals_are_one_spelling() -> None:
    assert normalise("東風路８８號Ａ座") == normalise("东风路八十八号a座")
    assert normalise("大興區沙彌巷撫順橫線") == "大兴区沙弥巷抚顺横线"


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
