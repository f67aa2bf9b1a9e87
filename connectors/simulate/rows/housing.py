"""Rows of housing 住建, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class FwQlr(Row):
    """housing.fw_qlr: owner of a property."""

    bdcqzh: str
    qlrxh: int
    qlrmc: str
    qlrzjzl: str
    qlrzjh: str | None
    xb: str | None
    dh: str | None
    txdz: str | None
    gyfs: str
    qlbl: str | None
    zl: str
    jzmj: str | None
    fwyt: str | None
    jyjg: str | None
    djsj: str
    qszt: int
    fj: str | None


class Zlba(Row):
    """housing.zlba: rental contract: landlord and tenant."""

    ba_id: str
    babh: str
    czr_xm: str
    czr_zjhm: str | None
    czr_dh: str | None
    chzr_xm: str
    chzr_zjlx: str
    chzr_zjhm: str | None
    chzr_dh: str | None
    tzr: str | None
    fwdz: str
    zlmj: str | None
    yzj: str | None
    zlqx: str
    zt: str
    created_at: str
    updated_at: str
