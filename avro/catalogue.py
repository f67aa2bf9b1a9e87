"""The catalogue of the standard: one browsable page in both languages, made from the tables and schemas.

``python -m avro.catalogue FILE`` writes it; ``docs/elements.md`` is kept so, and a test fails when it is not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from avro.codes import CodeList, code_list
from avro.elements import Element, ElementType, Masking, elements
from avro.normalize.issues import finding_rules
from avro.quality import Comparison, Unit, thresholds
from avro.schema import SCHEMA_FOLDER, feed_schema

_LEVELS: Final = {
    1: ("公开", "public"),
    2: ("内部", "internal"),
    3: ("敏感", "sensitive"),
    4: ("高度敏感", "highly sensitive"),
}
_MASKING: Final = {
    Masking.NONE: ("不脱敏", "the value"),
    Masking.SURNAME: ("只留姓", "the surname"),
    Masking.MIDDLE: ("隐去中段", "both ends"),
    Masking.YEAR: ("只留年份", "the year"),
    Masking.COUNTY: ("只到县级", "down to the county"),
    Masking.ALL: ("全部隐去", "nothing"),
}
_TYPES: Final = {
    ElementType.STRING: "文本",
    ElementType.DATE: "日期",
    ElementType.TIMESTAMP: "时刻（微秒，UTC）",
    ElementType.LONG: "整数",
    ElementType.BOOLEAN: "是或否",
    ElementType.STRINGS: "文本数组",
}
_LONG_LIST: Final = 20
_DAY: Final = 86_400


def page() -> str:
    """Return the page, as Markdown."""
    return "\n".join((*_head(), *_elements(), *_lists(), *_rules(), *_thresholds())) + "\n"


def _head() -> Iterator[str]:
    yield from (
        "# Data elements / 数据元目录",
        "",
        "Made by `make catalogue` from `avro/codes/` and `avro/schemas/`: change those, not this page.",
        "本页由 `make catalogue` 生成，请修改 `avro/codes/` 与 `avro/schemas/`。",
        "",
        "| level 级别 | |",
        "|---|---|",
        *(f"| {level} | {zh} {en} |" for level, (zh, en) in _LEVELS.items()),
        "",
        "| masking 脱敏规则 | what is shown 可见部分 |",
        "|---|---|",
        *(f"| {masking} | {zh} {en} |" for masking, (zh, en) in _MASKING.items()),
        "",
    )


def _elements() -> Iterator[str]:
    yield from (
        f"## Elements / 数据元 ({len(elements())})",
        "",
        *_table(
            (
                "element",
                "名称 title",
                "类型 type",
                "代码表 codes",
                "级别 level",
                "脱敏 masking",
                "示例 example",
                "来源 source",
            ),
            map(_element_cells, elements().values()),
        ),
        "",
    )
    for element in elements().values():
        yield from (
            f"### {element.name}",
            f"**{element.zh} / {element.en}.** {element.definition_zh}。{element.definition_en}.",
            "",
            "Fields 字段: "
            + (", ".join(_uses().get(element.name, ())) or "of mentions and persons 人员要素"),
            "",
        )


def _element_cells(element: Element) -> tuple[str, ...]:
    codes = "" if element.codes is None else f"[{element.codes.name}](#codes-{element.codes.name})"
    return (
        f"[{element.name}](#{element.name})",
        element.zh,
        element.en,
        f"{_TYPES[element.type]} {element.type}",
        codes,
        str(element.level),
        element.masking.value,
        element.example,
        element.standard,
    )


@cache
def _uses() -> dict[str, tuple[str, ...]]:
    """Return element → the fields of all feeds that are it, as <department>.<type>.<field>."""
    uses: dict[str, list[str]] = {}
    for path in sorted(SCHEMA_FOLDER.glob("*/*.avsc")):
        feed = f"{path.parent.name}.{path.stem}"
        for field in feed_schema(feed)["fields"]:
            uses.setdefault(field["element"], []).append(f"`{feed}.{field['name']}`")
    return {element: tuple(fields) for element, fields in uses.items()}


def _lists() -> Iterator[str]:
    used = sorted({element.codes.name for element in elements().values() if element.codes is not None})
    yield from ("## Code lists / 代码表", "")
    for name in used:
        yield from _list(code_list(name))


def _list(codes: CodeList) -> Iterator[str]:
    is_long = len(codes.codes) > _LONG_LIST
    yield from (f"### codes {codes.name}", "")
    if is_long:
        yield from (f"<details><summary>{len(codes.codes)} codes 项代码</summary>", "")
    yield from _table(
        ("code", "名称", "title", "其他写法 also written"),
        (
            (code.code, code.zh + ("（不留值）" if code.unstated else ""), code.en, " ".join(code.also))
            for code in codes.codes.values()
        ),
    )
    yield from ("", "</details>", "") if is_long else ("",)


def _rules() -> Iterator[str]:
    yield from (
        f"## Findings / 质量规则 ({len(finding_rules())})",
        "",
        *_table(
            ("rule", "类别 kind", "严重程度 severity", "说明", "what it says"),
            (
                (rule.code, rule.kind.value, rule.severity.value, rule.zh, rule.en)
                for rule in finding_rules().values()
            ),
        ),
        "",
    )


def _thresholds() -> Iterator[str]:
    def limit(value: float, unit: Unit) -> str:
        return f"{value:.0%}" if unit is Unit.SHARE else f"{value / _DAY:g} d"

    yield from (
        "## Thresholds / 阈值",
        "",
        *_table(
            ("measure", "阈值 limit", "要素 elements", "说明", "what it says"),
            (
                (
                    each.code,
                    ("≤ " if each.comparison is Comparison.AT_MOST else "≥ ") + limit(each.limit, each.unit),
                    " ".join(each.elements),
                    each.zh,
                    each.en,
                )
                for each in thresholds().values()
            ),
        ),
    )


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for cells in body:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
