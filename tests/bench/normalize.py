"""What normalizing costs: the normalizers of common columns, one core, CPU time."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any, Final

from avro.normalize.address import normalize_address
from avro.normalize.date import normalize_date
from avro.normalize.name import normalize_name
from avro.normalize.name_key import name_key
from avro.normalize.phone import normalize_phone
from avro.normalize.place import place_of
from avro.normalize.resident_id import check_character, normalize_resident_id

VALUES: Final = 100_000
_SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红"


def _numbers() -> list[str]:
    numbers = []
    for at in range(VALUES):
        body = f"3901{at % 4 + 2:02}{1940 + at % 80}{at % 12 + 1:02}{at % 28 + 1:02}{at % 999:03}"
        numbers.append(body + check_character(body))
    return numbers


def _names() -> list[str]:
    return [
        _SURNAMES[at % 20]
        + _GIVEN[at // 20 % 27]
        + _GIVEN[at // 540 % 27]
        + ("", _GIVEN[at // 14_580 % 27])[at % 2]
        for at in range(VALUES)
    ]


def _addresses() -> list[str]:
    return [f"江岚省云州市青禾区长宁街道石门社区和平路{at}号" for at in range(VALUES)]


def measure(name: str, normalize: Callable[[Any], object], values: Sequence[object]) -> None:
    """Print what a value costs, best of three."""
    best = float("inf")
    for _ in range(3):
        start = process_time()
        for value in values:
            normalize(value)
        best = min(best, process_time() - start)
    print(f"{name:14} {best / len(values) * 1e6:6.2f} µs {len(values) / best:12,.0f}/s")


def main() -> None:
    """Print the table."""
    print(platform.processor() or platform.machine(), platform.python_version())
    numbers, names, addresses = _numbers(), _names(), _addresses()
    measure("resident_id", normalize_resident_id, numbers)
    measure("  15 digits", normalize_resident_id, [number[:6] + number[8:17] for number in numbers])
    measure("  damaged", normalize_resident_id, [f" {number.lower()}\t" for number in numbers])
    measure("name", normalize_name, names)
    measure("name_key", name_key, names)
    measure("date", normalize_date, [number[6:14] for number in numbers])
    measure("phone", normalize_phone, [f"138{number[9:17]}" for number in numbers])
    measure("address", normalize_address, addresses)
    measure("place", place_of, addresses)


if __name__ == "__main__":
    main()
