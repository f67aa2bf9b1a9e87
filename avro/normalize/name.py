"""Names of persons.

Middle dots become U+00B7, which GB/T 2312's successors and the naming rules for minorities prescribe. What stands in
for a name (张某之子, 未取名, 不详 …) is no name. Characters are otherwise left alone: simplified and traditional, or
rare ones, are compared by the linker and never rewritten.
"""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.text import HAN, fold, squeeze

MIDDLE_DOT: Final = "\u00b7"

_DOTS: Final = "\u00b7\u2022\u2027\u30fb\uff65\u2219\u22c5\u2024\u25cf\u25aa\u16eb\u0387"
_DOT_RUN: Final = re.compile(rf" ?[{_DOTS}]+ ?")
# A full stop is a middle dot between Han characters only: in J. Smith it is a full stop.
_FULL_STOP: Final = re.compile(rf"(?<=[{HAN}]) ?[.\u3002\uff61] ?(?=[{HAN}])")
_INNER_BLANK: Final = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")

# The name of nearly everybody: nothing to fold, nothing to doubt but a placeholder.
_PLAIN: Final = re.compile(r"[\u4e00-\u9fff]{2,4}")
_PLAIN_PLACEHOLDERS: Final = frozenset(
    (
        *("无名", "无名氏", "无姓名", "不详", "不祥", "不明", "未知", "暂无", "没有", "待定", "待取名"),
        *("未取名", "未起名", "未命名", "未定名", "未报名", "婴儿", "新生儿", "男婴", "女婴"),
    )
)
_CHILD_OF: Final = ("之子", "之女")
_PLACEHOLDER: Final = re.compile(
    rf"某|^[{HAN}{MIDDLE_DOT}]{{1,30}}之[子女][0-9一二三四甲乙丙丁]?$"
    r"|^(?:无|空|unnamed|unknown|none|null|baby|n/?a|x+|-+|\?+|0+)$",
    re.IGNORECASE,
)
# Certainly no placeholder: none of the characters that begin one, no 某, and no 之 of somebody's child.
_DOUBTFUL_BEGINNINGS: Final = "".join(sorted({name[0] for name in _PLAIN_PLACEHOLDERS}))
USUAL_NAME: Final = re.compile(
    rf"(?![{_DOUBTFUL_BEGINNINGS}])[\u4e00-\u4e4a\u4e4c-\u67cf\u67d1-\u9fff]{{2,4}}"
)
"""What a name looks like that `normalize_name` leaves as it is, where unnamed babies are not expected."""

# <surname>婴: only where newborns are registered, since 婴 is also a given name.
_NEWBORN: Final = re.compile(rf"[{HAN}]{{1,2}}(?:婴儿?|[男女]婴?|毛毛|宝宝|[大小]宝)")
_MASK: Final = re.compile(r"[*＊×]")
_LOST: Final = re.compile(r"[?？\ufffd]")
_BLANK_BESIDE_LOST: Final = re.compile(rf"(?<=[{HAN}\ufffd]) (?=[{HAN}\ufffd])")
_DAMAGED: Final = re.compile(r"[?\ufffd\x00-\x1f\ue000-\uf8ff]")
_USUAL: Final = re.compile(
    rf"[{HAN}{MIDDLE_DOT}]{{2,}}|[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f '.,\-{MIDDLE_DOT}]+"
)

# Inner blanks part a long name written without its dot (买买提 艾山江) from a short one set wide (张 三, 欧阳 娜娜):
# a dotted name has two characters a part at least, and five in all.
_PART_LENGTH: Final = 2
_DOTTED_LENGTH: Final = 5


def normalize_name(value: str | None, *, newborn: bool = False) -> tuple[str | None, Issues]:
    """Return the name.

    ``newborn`` adds the placeholders of unnamed babies, which would be names elsewhere (张婴). A placeholder, a
    masked or a damaged name is null with a finding; unusual characters are kept with one.
    """
    if value is None:
        return None, NONE
    if _PLAIN.fullmatch(value) is None:
        return _normalize(value, newborn)
    if "某" in value or value[-2:] in _CHILD_OF or value in _PLAIN_PLACEHOLDERS:
        return None, ("placeholder",)
    if newborn and _NEWBORN.fullmatch(value):
        return None, ("placeholder",)
    return value, NONE


def normalize_dots(text: str) -> str:
    """Return `avro.normalize.text.fold` of a name with its middle dots as U+00B7, without blanks beside them."""
    folded = _FULL_STOP.sub(MIDDLE_DOT, fold(text))
    return _DOT_RUN.sub(MIDDLE_DOT, folded).strip(MIDDLE_DOT)


def _normalize(value: str, newborn: bool) -> tuple[str | None, Issues]:
    text = fold(value)
    if not text:
        return None, NONE
    if _MASK.search(text):
        return None, ("masked_name",)
    issues: list[str] = []
    text = normalize_dots(text)
    if " " in text:
        parts = text.split(" ")
        plain = _INNER_BLANK.sub("", text)
        dotted = len(plain) >= _DOTTED_LENGTH and min(map(len, parts)) >= _PART_LENGTH
        if plain != text and " " not in plain and MIDDLE_DOT not in text and dotted:
            text = MIDDLE_DOT.join(parts)
            issues.append("blank_as_middle_dot")
        else:
            text = plain
    if not text or _is_placeholder(text, newborn):
        return None, ("placeholder",)
    if _DAMAGED.search(text):
        return None, ("damaged_characters",)
    if _USUAL.fullmatch(text) is None:
        issues.append("unusual_characters")
    return text, tuple(issues)


def normalize_damaged_name(value: str | None) -> tuple[str | None, Issues]:
    """Return a name that has lost or masked characters, each as U+FFFD, null for every other name.

    What is left of it is evidence, and no name. Without findings: the column is read as a name as well.
    """
    if value is None or not (_LOST.search(value) or _MASK.search(value)):
        return None, NONE
    text = _BLANK_BESIDE_LOST.sub("", normalize_dots(_MASK.sub("\ufffd", _LOST.sub("\ufffd", value))))
    is_partial = len(text) > text.count("\ufffd") and not _DAMAGED.search(text.replace("\ufffd", ""))
    return text if is_partial and not _is_placeholder(text, newborn=False) else None, NONE


def _is_placeholder(text: str, newborn: bool) -> bool:
    if text in _PLAIN_PLACEHOLDERS or _PLACEHOLDER.search(text) is not None:
        return True
    return newborn and _NEWBORN.fullmatch(text) is not None


_HER_CHILD: Final = re.compile(r"(.{2,})之[子女][0-9一二三四甲乙丙丁]?")


def normalize_mothers_name(value: str | None) -> tuple[str | None, Issues]:
    """Return the mother's name out of what stands for her newborn's (李秀英之子), null for every other name.

    Without findings: the column is read as a name as well.
    """
    match = None if value is None else _HER_CHILD.fullmatch(squeeze(value))
    return (None if match is None else normalize_name(match[1])[0]), NONE
