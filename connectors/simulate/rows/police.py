"""Rows of police 公安, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class HjHjxx(Row):
    """police.hj_hjxx: hukou household."""

    hh: str
    hlx: str
    hzxm: str | None
    hzgmsfhm: str | None
    ssxq: str
    xzjd: str | None
    jcwh: str | None
    jlx: str | None
    mlph: str | None
    mlxz: str | None
    pcs: str | None
    hrs: int | None
    lhrq: str | None
    xhrq: str | None
    ztbz: str
    gxsj: str


class HjRyjbxx(Row):
    """police.hj_ryjbxx: one file of a hukou person."""

    rynbid: int
    hh: str
    yhzgx: str | None
    gmsfhm: str | None
    xm: str
    cym: str | None
    xb: str
    mz: str | None
    csrq: str | None
    csdssx: str | None
    jgssx: str | None
    whcd: str | None
    hyzk: str | None
    byzk: str | None
    zjxy: str | None
    sg: str | None
    xx: str | None
    fwcs: str | None
    hkxz: str | None
    hjdz: str | None
    lxdh: str | None
    fqxm: str | None
    fqgmsfhm: str | None
    mqxm: str | None
    mqgmsfhm: str | None
    poxm: str | None
    pogmsfhm: str | None
    jhrxm: str | None
    qrrq: str | None
    ryzt: str
    zp: str | None
    bz: str | None
    gxsj: str


class HjBgxx(Row):
    """police.hj_bgxx: a hukou change or correction."""

    rynbid: int
    bgxh: int
    gmsfhm: str | None
    xm: str | None
    bglb: str
    bgqnr: str | None
    bghnr: str | None
    bgrq: str
    sldw: str | None
    spxx: str | None
    bz: str | None
    gxsj: str


class LdrkJzz(Row):
    """police.ldrk_jzz: one stay of a migrant."""

    djbh: int
    jzzbh: str | None
    zjlx: str
    zjhm: str | None
    xm: str
    xb: str | None
    mz: str | None
    csrq: str | None
    hjd_xzqh: str | None
    hjdz: str | None
    xzdz: str | None
    jzsy: str | None
    lxdh: str | None
    fwcs: str | None
    djrq: str
    fzrq: str | None
    yxqz: str | None
    zt: str
    tbr_xm: str | None
    zp: bytes | None
    cjsj: str
    gxsj: str


class SfzZzxx(Row):
    """police.sfz_zzxx: an ID card's issuance."""

    slh: str
    gmsfhm: str
    xm: str
    xb: str
    mz: str
    csrq: str
    zz: str | None
    qfjg: str | None
    yxqxqsrq: str | None
    yxqxjzrq: str | None
    slyy: str
    lqrdh: str | None
    zp: bytes | None
    zwbz: bool | None
    zzzt: str
    slsj: str
    gxsj: str


class HjSwzx(Row):
    """police.hj_swzx: a cancellation of hukou."""

    zxbh: int
    rynbid: int
    gmsfhm: str | None
    xm: str
    xb: str | None
    mz: str | None
    csrq: str | None
    hjdz: str | None
    zxlb: str
    zxrq: str
    swrq: str | None
    swyy: str | None
    swzmbh: str | None
    sbrxm: str | None
    sbrgmsfhm: str | None
    sbrgx: str | None
    gxsj: str
