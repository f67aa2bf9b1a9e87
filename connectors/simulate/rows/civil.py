"""Rows of civil 民政, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class HydjJh(Row):
    """civil.hydj_jh: a marriage: two persons."""

    jhzh: str
    djrq: str
    djjg: str
    nan_xm: str
    nan_zjlx: str
    nan_zjhm: str
    nan_csrq: str | None
    nan_mz: str | None
    nan_gj: str
    nan_hyzk: str | None
    nan_dz: str | None
    nan_dh: str | None
    nv_xm: str
    nv_zjlx: str
    nv_zjhm: str
    nv_csrq: str | None
    nv_mz: str | None
    nv_gj: str
    nv_hyzk: str | None
    nv_dz: str | None
    nv_dh: str | None
    zt: str
    zp: bytes | None
    bz: str | None
    lrsj: str


class HydjLh(Row):
    """civil.hydj_lh: a divorce: two persons."""

    lhzh: str
    jhzh: str | None
    lhrq: str
    lhfs: str
    djjg: str | None
    nan_xm: str
    nan_zjhm: str | None
    nan_csrq: str | None
    nan_dz: str | None
    nv_xm: str
    nv_zjhm: str | None
    nv_csrq: str | None
    nv_dz: str | None
    zn: str | None
    lhxy: str | None
    lrsj: str


class DbjtCy(Row):
    """civil.dbjt_cy: member of a family with minimum living allowance."""

    jtbh: str
    cyxh: int
    xm: str
    sfzh: str | None
    xb: str | None
    csrq: str | None
    mz: str | None
    yhzgx: str | None
    hyzk: str | None
    jkzk: str | None
    jtzz: str | None
    lxdh: str | None
    yhkh: str | None
    ybje: str | None
    yxq: str | None
    zt: str
    sqyy: str | None
    gxsj: str


class Gljt(Row):
    """civil.gljt: elderly care subsidy."""

    id: int
    xm: str
    sfzh: str | None
    xb: str | None
    csrq: str | None
    nl: int | None
    btlb: str
    ybje: str
    ffrq: str | None
    dz: str | None
    lxr: str | None
    lxdh: str | None
    yhkh: str | None
    hczt: str | None
    gxsj: str
