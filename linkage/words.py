"""What explanations are called in both languages: elements, how two of them compare, constraints, reasons."""

from __future__ import annotations

from typing import Final, NamedTuple


class Words(NamedTuple):
    """One thing in English and Chinese."""

    en: str
    zh: str


ELEMENTS: Final = {
    "prior": Words("before anything is compared", "比对之前"),
    "number": Words("ID number", "证件号码"),
    "name": Words("name", "姓名"),
    "birth": Words("date of birth", "出生日期"),
    "sex": Words("sex", "性别"),
    "order": Words("order among twins", "多胞胎次序"),
    "certificate": Words("certificate number", "出生或死亡证明编号"),
    "context": Words("surroundings", "旁证"),
    "tie": Words("the source's own file number", "来源系统内部编号"),
    "document": Words("another document", "其他证件"),
    "phone": Words("telephone", "联系电话"),
    "near_phone": Words("a contact's telephone", "联系人电话"),
    "address": Words("address", "住址"),
    "building": Words("building", "楼栋"),
    "street": Words("street or village", "街路或村"),
    "town": Words("town", "乡镇街道"),
    "workplace": Words("employer", "工作单位"),
    "household": Words("household", "户号"),
    "parent_number": Words("a parent's ID number", "父母证件号码"),
    "spouse_number": Words("the spouse's ID number", "配偶证件号码"),
    "child_number": Words("a child's ID number", "子女证件号码"),
    "near_number": Words("ID number of somebody near", "关系人证件号码"),
    "parent_name": Words("a parent's name", "父母姓名"),
    "spouse_name": Words("the spouse's name", "配偶姓名"),
    "near_name": Words("name of somebody near", "关系人姓名"),
    "name_and_birth": Words(
        "name with birth, building, town, employer or relative", "姓名与出生日期、楼栋、乡镇、单位或亲属"
    ),
    "namesake": Words("name with day of birth", "姓名与出生日"),
    "decision": Words("a steward's decision", "人工判定"),
}

LEVELS: Final = {
    "pair": Words("two records taken at random", "任取两条记录"),
    "equal": Words("equal", "相同"),
    "different": Words("different", "不同"),
    "doubtful_equal": Words("equal, and one record contradicts it", "相同但其中一条自相矛盾"),
    "doubtful_different": Words("different, and one is in doubt", "不同但其中一个存疑"),
    "earlier": Words("one is the other's earlier number", "其一为曾用号码"),
    "one_error": Words("equal but for one error of writing", "相差一处笔误"),
    "near": Words("two valid ones that are nearly equal", "两个有效号码仅差一两位"),
    "same_region": Words("two valid ones of one region and day", "两个有效号码同地区同日"),
    "of_kin": Words("one is a relative's of the other", "其一为对方亲属的号码"),
    "homophone": Words("sounds or looks alike", "音同或形近"),
    "one_character": Words("one character differs", "一字不同"),
    "missing_character": Words("one character is missing", "缺一字"),
    "surname": Words("the given name is equal, the surname is not", "名同姓不同"),
    "reordered": Words("the same characters in another order", "字同序不同"),
    "part": Words("a part is equal", "部分相同"),
    "given": Words("the surname alone is equal", "仅姓相同"),
    "default_equal": Words("equal, on a day that many are given", "相同但为常用默认日期"),
    "number_equal": Words("equal by the shared number", "由相同号码推得相同"),
    "swapped": Words("month and day are exchanged", "月日颠倒"),
    "lunar": Words("one is the lunar date of the other", "农历与公历对应"),
    "one_part": Words("two of year, month and day are equal", "年月日三者同其二"),
    "year_equal": Words("the year is equal", "年份相同"),
    "month_equal": Words("the month is equal", "年月相同"),
    "month_different": Words("the month differs", "年月不同"),
    "most": Words("no more than this counts together", "旁证合计上限"),
    "alone": Words("nothing of their own is compared", "缺少本人信息"),
    "must_link": Words("they are one person", "判定为同一人"),
    "cannot_link": Words("they are two persons", "判定为不同人"),
}

CONSTRAINTS: Final = {
    "different_numbers": Words("two different valid ID numbers", "两个不同的有效证件号码"),
    "different_birth_order": Words("twins: another order of birth", "多胞胎次序不同"),
    "plainly_different": Words("plainly two people", "明显不是同一人"),
    "decision": Words("a steward's decision keeps them apart", "人工判定为不同人"),
}


def told(element: str, level: str) -> Words:
    """Return what a level of an element is called."""
    what, how = ELEMENTS[element], LEVELS[level]
    return Words(f"{what.en}: {how.en}", f"{what.zh}：{how.zh}")
