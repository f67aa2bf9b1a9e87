"""Records of the five offline files, one struct a file: the fields of the layout in order, all of them text."""

from __future__ import annotations

import msgspec

from connectors.simulate.rows import Row


class HjLsda(Row):
    """police.hj_lsda: a record of the legacy archive; upper-case names in the layout."""

    dah: str
    sfzh: str
    xm: str
    xb: str
    mz: str
    csrq: str
    cslb: str
    yhzgx: str
    hh: str
    hzxm: str
    fqxm: str
    mqxm: str
    zz: str
    lrrq: str
    sg: str
    zt: str


class GjjGrzh(Row):
    """housing.gjj_grzh: a provident fund account."""

    grzh: str
    xm: str
    zjlx: str
    zjhm: str | None
    xb: str | None
    csny: str | None
    hyzk: str | None
    sjhm: str | None
    jtzz: str | None
    dwmc: str | None
    dwzh: str | None
    ye: str
    zt: str
    poxm: str | None
    pozjhm: str | None


class Degree(msgspec.Struct):
    """Kinds (1-7) and grade (1-4) of a disability, and when it was assessed."""

    lb: list[int]
    dj: int
    pdrq: str


class Hukou(msgspec.Struct):
    """Hukou address and kind."""

    dz: str
    lx: str


class Guardian(msgspec.Struct):
    """Another person: who looks after the holder."""

    xm: str
    gx: str
    dh: str | None


class Cjr(Row, omit_defaults=True):
    """disabled.cjr: a line of a disability certificate; ``op`` A added, U updated, D deleted."""

    op: str
    cjrzh: str
    gxsj: str
    yzh: str | None = None
    xm: str | None = None
    sfzh: str | None = None
    xb: str | None = None
    csrq: str | None = None
    mz: str | None = None
    cj: Degree | None = None
    hk: Hukou | None = None
    xzz: str | None = None
    dh: list[str] | None = None
    jhr: Guardian | None = None
    hyzk: str | None = None
    fzrq: str | None = None


class Sqjz(Row):
    """justice.sqjz: somebody in community correction; the layout's names are Chinese."""

    number: str
    name: str
    former_name: str
    sex: str
    id_number: str
    birth: str
    ethnicity: str
    marital: str
    hukou_address: str
    address: str
    phone: str
    kind: str
    begin: str
    end: str
    office: str
    state: str


class Sygz(Row):
    """justice.sygz: a notarised adoption; the layout's names are Chinese."""

    number: str
    day: str
    child: str
    child_before: str
    child_sex: str
    child_birth: str
    child_id_number: str
    father: str
    father_id_number: str
    mother: str
    mother_id_number: str
    address: str
    phone: str
    office: str
