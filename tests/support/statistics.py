"""The register's published statistics, counted from the rows, a family at a time."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from math import sqrt
from typing import Any

from connectors.simulate.people import Family, Person
from connectors.simulate.tables import (
    AC01,
    BIRTH_CERTIFICATE,
    FILES,
    HEALTH_RECORD,
    HJ_RYJBXX,
    JS_JSXX,
    JSR_JSZXX,
    LDRK_JZZ,
    PSN_INFO_B,
    TABLES,
    XS_XJXX,
    ZRR_DJXX,
)

ONE_A_PERSON = (
    HJ_RYJBXX, LDRK_JZZ, HEALTH_RECORD, AC01, XS_XJXX, JS_JSXX, PSN_INFO_B, ZRR_DJXX, JSR_JSZXX,
)  # fmt: skip
"""Types 1, 4, 10, 12, 19, 20, 21, 26 and 28."""

ROWS = {
    "hj_ryjbxx": 1130, "hj_hjxx": 410, "hj_bgxx": 200, "ldrk_jzz": 290, "sfz_zzxx": 710, "hj_swzx": 80,
    "hj_lsda": 240, "birth_certificate": 70, "vaccination_record": 110, "health_record": 1040,
    "death_certificate": 30, "ac01": 960, "jy_djb": 540, "sy_djb": 45, "hydj_jh": 230, "hydj_lh": 20, "dbjt_cy": 20,
    "gljt": 60, "xs_xjxx": 140, "js_jsxx": 15, "psn_info_b": 1400, "setl_d": 240, "fw_qlr": 350, "zlba": 55,
    "gjj_grzh": 230, "zrr_djxx": 700, "e_lerep": 60, "jsr_jszxx": 490, "kk_txjl": 500, "cjr": 25, "sqjz": 5, "sygz": 1,
}  # fmt: skip
"""Rows per 1,000 hukou persons, roughly."""

OWN_PHONES = {
    ("hj_ryjbxx", "self"): "lxdh", ("ldrk_jzz", "self"): "lxdh", ("sfz_zzxx", "self"): "lqrdh",
    ("birth_certificate", "mother"): "mother_phone", ("birth_certificate", "father"): "father_phone",
    ("health_record", "self"): "phone", ("ac01", "self"): "aae005", ("jy_djb", "self"): "mobile",
    ("sy_djb", "self"): "lxdh", ("hydj_jh", "husband"): "nan_dh", ("hydj_jh", "wife"): "nv_dh",
    ("dbjt_cy", "self"): "lxdh", ("js_jsxx", "self"): "lxdh", ("psn_info_b", "self"): "tel", ("fw_qlr", "self"): "dh",
    ("zlba", "tenant"): "chzr_dh", ("zlba", "landlord"): "czr_dh", ("zrr_djxx", "self"): "sjhm",
    ("e_lerep", "self"): "tel", ("jsr_jszxx", "self"): "sjhm", ("gjj_grzh", "self"): "sjhm",
    ("sqjz", "self"): "phone",
}  # fmt: skip


class Share:
    """How many of how many."""

    def __init__(self) -> None:
        self.hits = self.of = 0

    def add(self, is_hit: bool) -> None:
        self.hits += is_hit
        self.of += 1

    def near(self, published: float) -> None:
        """Check the published figure, within its tenth or within what chance does to a sample of this size."""
        figure = self.hits / self.of
        allowed = max(published / 10, 4 * sqrt(published * (1 - published) / self.of))
        assert abs(figure - published) <= allowed, f"{figure:.4f} of {self.of}, published {published}"


class Statistics:
    """Counts families. A person's rows are all of one family, but for landlords."""

    def __init__(self) -> None:
        self.people = self.everybody = self.hukou = self.resident = self.permitted = 0
        self.rows: Counter[str] = Counter()
        self.surnames: Counter[str] = Counter()
        self.repeated, self.several, self.disagree = Share(), Share(), Share()
        self.stale, self.without_permit, self.without_record = Share(), Share(), Share()

    def add(self, family: Family) -> None:
        everyone = (*family.persons, *family.others)
        self.everybody += len(everyone)
        self.surnames.update(person.name[0] for person in everyone)
        self.rows.update(entry.table.name for entry in family.entries)
        for table in ONE_A_PERSON:
            seen: set[Person] = set()
            for entry in family.of(table):
                self.repeated.add(entry.named[0].person in seen)
                seen.add(entry.named[0].person)
        files = Counter(entry.named[0].person for entry in family.of(HJ_RYJBXX))
        for count in files.values():
            self.several.add(count > 1)
        self.people += len(files)
        for person in family.persons:
            if family.kind == "H" and person.registered and not person.died:
                self.hukou += 1
                self.resident += not person.away
            if person.age() >= 65 and not person.died and not person.away:
                self.without_record.add(not family.of(HEALTH_RECORD, person))
            stays: list[Any] = [entry.row for entry in family.of(LDRK_JZZ, person)]
            if stays:
                self.without_permit.add(all(stay.jzzbh is None for stay in stays))
                self.permitted += any(stay.jzzbh and stay.zt == "有效" for stay in stays)
        self._certificates(family)
        for entry in family.entries:
            for named in entry.named:
                name = OWN_PHONES.get((entry.table.name, named.role))
                if name and (phone := getattr(entry.row, name)):
                    self.stale.add(normal(phone) != named.person.phone)

    def check(self) -> None:
        """Check all published figures."""
        self.repeated.near(0.153)
        self.several.near(0.12)
        self.disagree.near(0.083)
        self.stale.near(0.127)
        self.without_permit.near(0.342)
        self.without_record.near(0.285)
        assert 0.10 <= abs(self.resident + self.permitted - self.hukou) / self.hukou <= 0.20
        common = sum(count for _, count in self.surnames.most_common(5))
        assert 0.26 <= common / self.everybody <= 0.34

    def check_rows(self) -> None:
        """Check the sizes of the tables, which are published roughly."""
        assert set(ROWS) == {table.name for table in (*TABLES, *FILES)}
        for table, published in ROWS.items():
            found = self.rows[table] / self.people * 1000
            assert published / 1.35 <= found <= published * 1.35 or abs(found - published) <= 2, (
                table,
                found,
            )

    def _certificates(self, family: Family) -> None:
        for entry in family.of(BIRTH_CERTIFICATE):
            files: list[Any] = [file.row for file in family.of(HJ_RYJBXX, entry.named[0].person)]
            if not files:
                continue
            file = max(files, key=lambda row: row.gxsj)
            certificate: Any = entry.row
            name = certificate.baby_name or "未取名"
            is_named = not re.search("未取名|之子$|之女$|婴$", name)
            self.disagree.add(
                (is_named and name != file.xm)
                or {"M": "1", "F": "2"}[certificate.baby_sex] != file.xb
                or certificate.birth_time[:10].replace("-", "") != file.csrq
                or certificate.mother_name != file.mqxm
                or certificate.mother_id_no != file.mqgmsfhm
            )


def normal(phone: str) -> str:
    """Return the digits of a phone, without the country's code."""
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", phone))
    return digits[2:] if len(digits) == 13 else digits
