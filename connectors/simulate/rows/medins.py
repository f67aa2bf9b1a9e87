"""Rows of medins 医保, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class PsnInfoB(Row):
    """medins.psn_info_b: medical insurance enrolment."""

    psn_no: str
    psn_cert_type: str
    certno: str | None
    psn_name: str
    alis: str | None
    gend: str | None
    brdy: str | None
    naty: str | None
    mrg_stas: str | None
    tel: str | None
    resd_addr: str | None
    live_addr: str | None
    insutype: str
    psn_insu_stas: str
    psn_idet_type: str | None
    emp_name: str | None
    insu_admdvs: str
    bal: str | None
    vali_flag: int
    crte_time: str
    updt_time: str


class SetlD(Row):
    """medins.setl_d: claim settlement."""

    setl_id: str
    clr_seq: int
    psn_no: str
    psn_name: str
    certno: str | None
    gend: str | None
    brdy: str | None
    age: str | None
    insutype: str | None
    med_type: str | None
    fixmedins_name: str | None
    begndate: str | None
    enddate: str | None
    dise_name: str | None
    medfee_sumamt: str
    fund_pay_sumamt: str
    acct_pay: str | None
    psn_cash_pay: str | None
    memo: str | None
    refd_setl_flag: int
    setl_time: str
