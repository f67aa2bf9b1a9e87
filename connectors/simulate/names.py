"""What people are called, and how clerks write it.

Surnames follow the well-known skew (the first five make up about 30 %), given names their bearers' generation and
sex. All combinations are drawn at random; none is anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.simulate.dice import Dice, Weighted, words

_COMMON: Final = (
    ("王", 72), ("李", 71), ("张", 67), ("刘", 53), ("陈", 45),
    ("杨", 31), ("黄", 23), ("赵", 22), ("吴", 21), ("周", 20), ("徐", 17), ("孙", 16), ("马", 15),
    ("朱", 14), ("胡", 14), ("郭", 13), ("何", 12), ("林", 12), ("罗", 11), ("高", 11), ("郑", 10), ("梁", 10),
)  # fmt: skip
_LESS_COMMON: Final = (
    "谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦"
    "白江阎薛尹段雷黎史龙贺陶顾毛郝龚邵万钱严武莫孔汤向常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧"
    "耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶"
    "解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬仇栾隋商"
    "刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝区朴盖乐"
)
_DOUBLE: Final = ("欧阳", "上官", "司马", "诸葛", "尉迟", "东方", "皇甫", "令狐")

_SURNAMES: Final = tuple(s for s, _ in _COMMON) + tuple(_LESS_COMMON) + _DOUBLE
_SURNAME_WEIGHTS: Final = tuple(
    [float(w) for _, w in _COMMON]
    + [125 / (9 + rank) for rank in range(len(_LESS_COMMON))]
    + [0.15] * len(_DOUBLE)
)
_SURNAME: Final = Weighted(_SURNAMES, _SURNAME_WEIGHTS)


@dataclass(frozen=True, slots=True)
class _Cohort:
    """Given names of those born before ``until``: first and second characters, the earlier the more frequent."""

    until: int
    single: float
    male: str
    female: str


_COHORTS: Final = (
    _Cohort(
        1950, 0.10,
        "德福金国玉文长有宝永世明树万春秀成云山贵生财发才清林海祥",
        "秀英桂兰玉珍凤芝淑素翠荣香莲梅菊花娥华云",
    ),
    _Cohort(
        1966, 0.16,
        "建国志明永华德文福平金海新军荣成生林玉光民学庆世",
        "秀英玉兰桂芳淑珍凤丽华梅素琴红霞珠萍芬香云",
    ),
    _Cohort(
        1982, 0.33,
        "建军伟勇国强志明海波华平斌辉涛超文永红东俊峰刚",
        "丽芳红艳敏霞静燕娟萍玲英秀梅琴华春晓莉娜",
    ),
    _Cohort(
        1996, 0.38,
        "伟杰磊超鹏浩俊峰涛强晨飞凯宇龙文斌志明亮帅威",
        "静婷丹丽雪娜敏倩莹颖佳晶玲燕慧琳艳芳璐瑶",
    ),
    _Cohort(
        2010, 0.22,
        "子浩宇轩俊杰天文博涵泽佳嘉铭鑫睿思晨明志逸航",
        "子涵欣怡雨佳雪梦思婷诗琪语嘉悦文静雅馨晨颖",
    ),
    _Cohort(
        9999, 0.08,
        "子浩宇泽沐梓轩辰睿奕宸铭瑞嘉晨逸俊霖墨安言书",
        "梓涵一诺欣怡雨可馨悦语思若汐诗琪沐瑶安宁艺",
    ),
)  # fmt: skip

_RARE: Final = "𬭎𬱖𫖮𬍛𫍲𬘭𨱏𠅤𡈼𪨶"
"""Characters outside the basic multilingual plane, as they occur in given names."""
_RARE_SHARE: Final = 0.003

_DOTTED: Final = (
    words("阿力木 艾尼瓦尔 买买提 吐尔逊 玉素甫 亚森 卡德尔 艾合买提 居马 叶尔肯"),
    words("古丽娜尔 阿依古丽 热依汗古丽 米热姑丽 帕提古丽 玛依拉 再娜甫 阿孜古丽 努尔曼古丽 加娜尔"),
)
_FOREIGN_FAMILIES: Final = words(
    "ANDERSEN BRAUN COSTA DUBOIS EKLUND FERRARI GRUBER HORVAT IVANOV JANSEN KOVAC LINDQVIST MOREAU NOVAK OKAFOR PETROV "
    "QUISPE ROSSI SANTOS TANAKA"
)
_FOREIGN_GIVEN: Final = (
    words("ADAM BORIS CARLO DAVID ERIK FELIX GORAN HUGO IVAN JONAS KENJI LUCA MARCO NILS OSCAR PAUL"),
    words("ANNA BIANCA CLARA DARIA ELENA FRIDA GRETA HELENE IRINA JULIA KARIN LAURA MARIA NORA OLGA PAULA"),
)
DOT: Final = "·"
"""U+00B7, the dot that the standard asks for."""
_DOT_VARIANTS: Final = ("•", "‧", "・", "．", ".", " ", "")

ETHNICITY: Final = {
    "01": "汉", "02": "蒙古", "03": "回", "04": "藏", "05": "维吾尔", "06": "苗", "07": "彝",
    "08": "壮", "11": "满", "12": "侗", "13": "瑶", "15": "土家", "17": "哈萨克",
}  # fmt: skip
"""GB/T 3304 codes that occur, with their names without 族."""
FOREIGN: Final = "98"
"""GB/T 3304: not of one of the peoples of China."""
_ETHNICITY_CODES: Final = tuple(ETHNICITY)
_ETHNICITY: Final = Weighted(_ETHNICITY_CODES, (900, 4, 14, 3, 6, 18, 7, 12, 10, 6, 5, 12, 3))
_RED_CLIFF: Final = Weighted(_ETHNICITY_CODES, (420, 2, 8, 2, 6, 260, 20, 20, 10, 60, 40, 150, 2))
"""红岩自治县 (390422): an autonomous county."""
_DOTTED_ETHNICITIES: Final = ("05", "17")

_ALIKE: Final = words(
    "张章 陈程 刘留 李黎 王汪 杨扬 吴武 周邹 徐许 丽莉 伟玮 军君 建健 芳方 静婧 红宏 燕艳 霞侠 娟绢 萍平 玲铃 "
    "英瑛 志智 明鸣 海亥 波博 辉晖 涛滔 超朝 文雯 永勇 峰锋 刚钢 婷停 倩茜 佳嘉 浩皓 宇雨 轩萱 杰捷 泽择 涵含 "
    "欣新 怡宜 梓紫 诗施 琪琦 悦月 福富 金今 玉育 兰蓝 珍真 桂贵 淑叔 凤风 秀绣 华花 荣容 梅玫 国囯 强墙 春椿"
)
"""Pairs of characters that sound or look alike."""
_LOOKALIKE: Final = {pair[n]: pair[1 - n] for pair in _ALIKE for n in (1, 0)}


def ethnicity(rng: Dice, county_code: str) -> str:
    """Return a GB/T 3304 code as frequent as in the county."""
    return (_RED_CLIFF if county_code == "390422" else _ETHNICITY).draw(rng)


def surname(rng: Dice) -> str:
    """Return a surname as frequent as in the country."""
    return _SURNAME.draw(rng)


def given_name(rng: Dice, sex: int, year: int) -> str:
    """Return a given name of one or two characters for somebody born in ``year``; ``sex`` is 1 male or 2 female."""
    cohort = next(cohort for cohort in _COHORTS if year < cohort.until)
    characters = cohort.male if sex == 1 else cohort.female
    if rng.random() < _RARE_SHARE:
        return rng.one(_RARE) if rng.random() < 0.5 else _skewed(rng, characters) + rng.one(_RARE)
    if rng.random() < cohort.single:
        return _skewed(rng, characters)
    return _skewed(rng, characters) + _skewed(rng, characters)


def full_name(rng: Dice, sex: int, year: int, ethnic: str, family: str | None = None) -> str:
    """Return a name: surname first, or given name, dot and father's name where that is the custom.

    ``family`` is the surname to take, or the father's name of a dotted one; None draws it.
    """
    if ethnic in _DOTTED_ETHNICITIES:
        father = family.split(DOT)[0] if family and len(family) > 2 else rng.one(_DOTTED[0])
        return f"{rng.one(_DOTTED[sex - 1])}{DOT}{father}"
    return (family or surname(rng)) + given_name(rng, sex, year)


def family_part(name: str) -> str:
    """Return what a child inherits from the bearer: the surname, or the whole name where it has a dot."""
    if DOT in name:
        return name
    return name[:2] if name[:2] in _DOUBLE else name[:1]


def foreign_name(rng: Dice, sex: int) -> str:
    """Return a name in Latin letters, family name first, as in a passport."""
    return f"{rng.one(_FOREIGN_FAMILIES)} {rng.one(_FOREIGN_GIVEN[sex - 1])}"


def masked(name: str) -> str:
    """Return the name as screens at a counter show it: the first character and stars."""
    return name[:1] + "*" * max(1, min(2, len(name) - 1))


def misspelled(rng: Dice, name: str) -> str:
    """Return the name as a hurried clerk types it: a character that sounds alike, a missing one, or a swap."""
    if DOT in name:
        return name.replace(DOT, rng.one(_DOT_VARIANTS))
    places = [n for n, character in enumerate(name) if character in _LOOKALIKE]
    if places and rng.random() < 0.75:
        place = rng.one(places)
        return name[:place] + _LOOKALIKE[name[place]] + name[place + 1 :]
    if len(name) > 2:
        return name[:-1] if rng.random() < 0.5 else name[0] + name[:0:-1]
    return name


def dotted_variant(rng: Dice, name: str) -> str:
    """Return the name with another character for its dot, or none; other names as they are."""
    return name.replace(DOT, rng.one(_DOT_VARIANTS)) if DOT in name else name


def without_rare(name: str) -> str:
    """Return the name as a system without the full character set keeps it."""
    return "".join("?" if ord(character) > 0xFFFF else character for character in name)


def _skewed(rng: Dice, characters: str) -> str:
    return characters[int(len(characters) * rng.random() ** 1.6)]
