"""Rows of hrss 人社, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class Ac01(Row):
    """hrss.ac01: social insurance enrolment."""

    aac001: int
    aac058: str
    aac002: str | None
    aac003: str
    aac004: str | None
    aac005: str | None
    aac006: int | None
    aac007: int | None
    aac009: str | None
    aac010: str | None
    aac017: str | None
    aac008: str
    aae005: str | None
    aae006: str | None
    aab001: int | None
    aab004: str | None
    aae140: str | None
    aac040: str | None
    aac049: int | None
    aae013: str | None
    aae036: int


class JyDjb(Row):
    """hrss.jy_djb: employment filed by an employer."""

    id: int
    empname: str
    idcard: str | None
    gender: str | None
    birth: str | None
    nation: str | None
    marriagestatus: str | None
    mobile: str | None
    homeaddr: str | None
    companyname: str | None
    companyuscc: str | None
    jobtitle: str | None
    starttime: int
    endtime: int | None
    salary: str | None
    extinfo: str | None
    updtime: int


class SyDjb(Row):
    """hrss.sy_djb: unemployment registration."""

    aac001: int
    sydjxh: int
    xm: str
    sfzhm: str | None
    xb: str | None
    csny: str | None
    hyzk: str | None
    lxdh: str | None
    jtzz: str | None
    syrq: str | None
    syyy: str | None
    lqje: str | None
    yhzh: str | None
    zt: str
    jbsj: str
