"""Keys of names: equal where the same name is written in another way, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro.normalize.characters import DAMAGED, character_of, sounds, toneless
from avro.normalize.name_key import _read, _surnames, name_key

DOTS = "\u00b7\u2022\u2027\u30fb\uff0e. "
HAN_TEXT = st.text("张王欧阳司马单雄信買买提艾山鍾锺钟𠮷吉己已巳?*·. 　Ａa", max_size=8)


@pytest.mark.parametrize("dot", ["", *DOTS, " · ", "･"])
def test_a_name_is_the_same_with_any_dot_and_with_none(dot: str) -> None:
    key = name_key(f"买买提{dot}艾山")
    assert key.folded == "买买提艾山"
    assert key.syllables == ("mai", "mai", "ti", "ai", "shan")
    assert key.parts == ((5,) if dot == "" else (3, 2))
    assert key.surname == 0


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("單雄信", "单雄信"),
        ("鍾 馗", "钟馗"),
        ("锺馗", "钟馗"),
        ("𠮷田", "吉田"),
        ("ＪＯＨＮ　Smith", "JOHNSMITH"),
        ("Müller, J.", "MULLERJ"),
        ("\uf9b4文", "领文"),
        ("", ""),
        ("12", ""),
    ],
)
def test_scripts_variants_width_and_accents_fold(written: str, folded: str) -> None:
    assert name_key(written).folded == folded


@pytest.mark.parametrize(
    ("name", "pinyin", "surname"),
    [
        ("单雄信", "shan xiong xin", 1),
        ("仇英", "qiu ying", 1),
        ("解缙", "xie jin", 1),
        ("區寿山", "ou shou shan", 1),
        ("朴正", "piao zheng", 1),
        ("曾国", "zeng guo", 1),
        ("查良", "zha liang", 1),
        ("盖明", "ge ming", 1),
        ("翟让", "zhai rang", 1),
        ("乐毅", "yue yi", 1),
        ("尉迟敬德", "yu chi jing de", 2),
        ("万俟明", "mo qi ming", 2),
        ("长孙无忌", "zhang sun wu ji", 2),
        ("司马", "si ma", 1),
        ("王快乐", "wang kuai le", 1),
        ("吕布", "lv bu", 1),
        ("阿迪力江", "a di li jiang", 1),
        ("爱新觉罗明", "ai xin jue luo ming", 4),
        ("JOHN SMITH", "john smith", 0),
    ],
)
def test_surnames_have_readings_of_their_own(name: str, pinyin: str, surname: int) -> None:
    key = name_key(name)
    assert " ".join(key.syllables) == pinyin
    assert key.surname == surname
    assert key.given_syllables == tuple(pinyin.split(" "))[surname:]


def test_a_lost_character_is_known_as_lost() -> None:
    key = name_key("王?")
    assert (key.units, key.syllables, key.is_damaged) == (("王", DAMAGED), ("wang", ""), True)
    assert name_key("张*").is_damaged
    assert not name_key("王明").is_damaged


def test_look_alikes_share_a_shape() -> None:
    assert name_key("张己").shapes == name_key("张巳").shapes
    assert name_key("张己").folded != name_key("张巳").folded
    assert character_of("末").shape == character_of("未").shape != character_of("本").shape


def test_all_readings_are_known() -> None:
    assert set(sounds("乐")) >= {"le", "yue"}
    assert sounds("樂") != ()
    assert sounds("A") == ()
    assert [toneless(reading) for reading in ("lǜ", "nǚ", "ér", "ḿ", "zhōng")] == [
        "lv",
        "nv",
        "er",
        "m",
        "zhong",
    ]


def test_surnames_have_a_syllable_a_character() -> None:
    for surname, readings in _surnames().items():
        assert len(surname) == len(readings), surname
        assert all(reading.isascii() and reading.isalpha() for reading in readings), surname


@given(HAN_TEXT | st.text(max_size=30))
def test_no_text_has_no_key_and_the_quick_way_is_the_long_one(text: str) -> None:
    key = name_key(text)
    assert key == _read(text)
    assert len(key.units) == len(key.syllables) == len(key.shapes) == sum(key.parts)
    assert "".join(key.units) == key.folded
    assert key.surname < max(1, len(key.units)) or len(key.units) == 1
    assert name_key(key.folded).folded == key.folded
