"""Rows of market 市场监管, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class ELerep(Row):
    """market.e_lerep: legal representative or self-employed."""

    uniscid: str
    regno: str | None
    entname: str
    enttype: str
    lerep: str
    lerep_certype: str
    lerep_cerno: str | None
    lerep_sex: str | None
    lerep_natdate: str | None
    tel: str | None
    dom: str | None
    regcap: str | None
    estdate: str | None
    opscope: str | None
    regstate: str
    s_ext_timestamp: str
