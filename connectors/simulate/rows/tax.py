"""Rows of tax 税务, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class ZrrDjxx(Row):
    """tax.zrr_djxx: natural-person taxpayer."""

    zrrdah: str
    xm: str
    zjlx_dm: str
    zjhm: str
    qt_zjhm: str | None
    xb_dm: str | None
    csrq: str | None
    gj_dm: str
    sjhm: str | None
    hjdz: str | None
    lxdz: str | None
    rzsgrq: str | None
    kjywr: str | None
    zxfjkc: str | None
    ljsr: str | None
    ljse: str | None
    zxbz: str
    lrrq: str
    xgrq: str | None
