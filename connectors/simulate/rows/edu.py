"""Rows of edu 教育, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class XsXjxx(Row):
    """edu.xs_xjxx: student status."""

    xjh: str
    xm: str
    xmpy: str | None
    cym: str | None
    xb: str
    csrq: str | None
    sfzjlx: str
    sfzjh: str | None
    mz: str | None
    hkszd: str | None
    jtzz: str | None
    lxdh: str | None
    jhr1_xm: str | None
    jhr1_gx: str | None
    jhr1_sfzh: str | None
    jhr1_dh: str | None
    jhr2_xm: str | None
    jhr2_gx: str | None
    jhr2_sfzh: str | None
    xxdm: str
    xxmc: str | None
    nj: int | None
    bj: str | None
    rxny: str | None
    sf_zx: int
    xjzt: str
    tc: str | None
    zp: str | None
    gxsj: str


class JsJsxx(Row):
    """edu.js_jsxx: teacher."""

    id: int
    xm: str
    xb: str
    csrq: str | None
    sfzh: str | None
    mz: str | None
    hyzk: str | None
    zgzh: str | None
    zc: str | None
    cjgzn: int | None
    gz: str | None
    xxdm: str | None
    lxdh: str | None
    zz: str | None
    zt: int
    gxsj: str
