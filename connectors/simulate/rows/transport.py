"""Rows of transport 交通, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class JsrJszxx(Row):
    """transport.jsr_jszxx: driver licence."""

    dabh: str
    sfzmmc: str
    sfzmhm: str
    xm: str
    xb: str | None
    csrq: str | None
    gj: str
    zjcx: str
    cclzrq: str | None
    yxqs: str | None
    yxqz: str | None
    ljjf: int | None
    zt: str
    djzsxxdz: str | None
    lxzsxxdz: str | None
    sjhm: str | None
    zp: bytes | None
    gxsj: str


class KkTxjl(Row):
    """transport.kk_txjl: a travel checkpoint's event."""

    event_id: int
    device_id: str
    device_ip: str | None
    pass_time: str
    recv_time: str
    station: str | None
    direction: int | None
    kind: str
    xm: str | None
    zjhm: str | None
    plate_no: str | None
    face_score: float | None
    lon: float | None
    lat: float | None
    raw: str | None
