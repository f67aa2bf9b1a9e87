"""Where people live: the invented provinces of the reference register, and addresses in them.

Province 39 and those that migrants come from have codes which GB/T 2260 does not assign, so that no ID number made
from them can belong to anybody. Towns, villages and roads are made up here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.simulate.dice import Dice, Weighted, words


@dataclass(frozen=True, slots=True)
class County:
    """A county-level division. ``weight`` is its share of the people, relative to the others of its list."""

    code: str
    province: str
    city: str
    name: str
    weight: int

    @property
    def is_urban(self) -> bool:
        """Districts and county-level cities; the others are rural."""
        return self.name.endswith(("区", "市"))


HOME: Final = (
    County("390102", "江岚省", "云州市", "青禾区", 13),
    County("390103", "江岚省", "云州市", "临津区", 12),
    County("390104", "江岚省", "云州市", "松浦区", 10),
    County("390121", "江岚省", "云州市", "望川县", 7),
    County("390202", "江岚省", "平澜市", "海棠区", 9),
    County("390203", "江岚省", "平澜市", "石桥区", 7),
    County("390221", "江岚省", "平澜市", "长柳县", 6),
    County("390281", "江岚省", "平澜市", "丹渡市", 7),
    County("390302", "江岚省", "南屿市", "东屿区", 7),
    County("390303", "江岚省", "南屿市", "芦湾区", 5),
    County("390321", "江岚省", "南屿市", "竹溪县", 5),
    County("390402", "江岚省", "岭安市", "岭东区", 5),
    County("390421", "江岚省", "岭安市", "雾山县", 4),
    County("390422", "江岚省", "岭安市", "红岩自治县", 3),
)
"""The province whose departments are simulated."""

OUTSIDE: Final = (
    County("160102", "北原省", "朔门市", "北桥区", 2),
    County("160421", "北原省", "雪岭市", "长垣县", 3),
    County("270102", "东泽省", "泽阳市", "湖西区", 2),
    County("270321", "东泽省", "荷浦市", "白芦县", 4),
    County("480102", "南屏省", "屏江市", "榕东区", 2),
    County("480521", "南屏省", "石盘市", "青岭县", 4),
    County("570102", "西岭省", "西岭市", "城中区", 1),
    County("570621", "西岭省", "沙河市", "玉泉县", 2),
    County("670102", "云川省", "川宁市", "锦里区", 3),
    County("670321", "云川省", "禾木市", "月湖县", 5),
)
"""Where migrants come from."""

COUNTY: Final = {county.code: county for county in (*HOME, *OUTSIDE)}

_HOME: Final = Weighted(HOME, [county.weight for county in HOME])
_OUTSIDE: Final = Weighted(OUTSIDE, [county.weight for county in OUTSIDE])

_TOWNS: Final = words(
    "长宁 石门 青龙 白沙 金坪 柳河 大桥 南塘 北山 东风 花园 双溪 高阳 清水 马鞍 太平 新店 古渡 枫林 莲塘 "
    "红星 龙泉 沙坝 凤鸣 临江 城关 永安 和顺 黄土 梅岭"
)
_VILLAGES: Final = words(
    "上湾 下湾 张家 李家 王家 陈家 大屋 新屋 老街 石板 竹园 桃园 水口 井边 樟树 银杏 西坡 东坡 团结 胜利 "
    "光明 前进 向阳 红旗 五里 十里 双井 三合 四方 八角 牛角 鹅颈 岩口 洞口 河边 塘边 桥头 庙前 坪上 岭下"
)
_ROADS: Final = words(
    "和平 人民 建设 解放 中山 文化 桂花 滨江 迎宾 新华 朝阳 育才 工农 环城 幸福 长江 银杏 学府 站前 五一 "
    "白马 梧桐 清河 枣园 丰收 康宁"
)
_TOWNS_PER_COUNTY: Final = 8
_VILLAGES_PER_TOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Address:
    """A home. ``community`` is the village or residents' committee, ``road`` empty in the country."""

    county: County
    town: str
    community: str
    road: str
    number: str
    room: str

    def full(self) -> str:
        """The address from the province to the door."""
        return self.spelled(0)

    def spelled(self, grain: int) -> str:
        """Return the address as somebody writes it.

        ``grain``: 0 in full, 1 without the province, 2 from the county on, 3 without the room, 4 without the number,
        5 down to the town only.
        """
        county = self.county
        if grain == 0:
            head = county.province + county.city + county.name
        elif grain == 1:
            head = county.city + county.name
        elif grain == 2:
            head = county.name
        else:
            head = county.province + county.city + county.name
        street = self.town + (self.road or self.community)
        if grain == 5:
            return head + self.town
        if grain == 4:
            return head + street
        if grain == 3:
            return head + street + self.number
        return head + street + self.number + self.room


_GRAINS: Final = Weighted((0, 1, 2, 3, 4, 5), (55, 14, 10, 9, 8, 4))


def any_grain(rng: Dice) -> int:
    """Return how much of an address somebody writes."""
    return _GRAINS.draw(rng)


def home_county(rng: Dice) -> County:
    """Return a county of the province, by its share of the people."""
    return _HOME.draw(rng)


def outside_county(rng: Dice) -> County:
    """Return a county of another province."""
    return _OUTSIDE.draw(rng)


def address_in(rng: Dice, county: County) -> Address:
    """Return a home in the county."""
    base = int(county.code) % 997
    town_number = rng.below(_TOWNS_PER_COUNTY)
    town = _TOWNS[(base + town_number * 7) % len(_TOWNS)]
    place = _VILLAGES[(base + town_number * 5 + rng.below(_VILLAGES_PER_TOWN)) % len(_VILLAGES)]
    if county.is_urban if rng.random() < 0.9 else not county.is_urban:
        road = _ROADS[(base + rng.below(9)) % len(_ROADS)] + rng.one("路路路街巷")
        number = f"{rng.between(1, 320)}号"
        room = f"{rng.between(1, 30)}栋{rng.between(1, 5)}单元{rng.between(1, 19)}{rng.between(1, 5):02d}室"
        return Address(county, town + "街道", place + "社区", road, number, room)
    suffix = "镇" if town_number % 3 else "乡"
    return Address(
        county, town + suffix, place + "村", "", f"{rng.between(1, 16)}组{rng.between(1, 240)}号", ""
    )


def police_station(address: Address) -> str:
    """Return the nine-digit code of the address's police station."""
    return f"{address.county.code}{sum(map(ord, address.town)) % 100 * 10:03d}"
