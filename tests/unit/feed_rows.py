"""A row of each of the 32 data types as its capture has it, and whom it mentions with what findings.

Values are as Debezium's plain JSON has them: dates as days, wall-clock times as milliseconds or microseconds by the
column's precision, zoned times as text, decimals and JSON as text, char(n) with its blanks. Columns that a row leaves
out here are null. Everybody is invented, with area codes that GB/T 2260 does not assign.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any, NamedTuple

from avro.normalize.resident_id import check_character
from avro.record import Kin, Mention


class Case(NamedTuple):
    """``findings`` are (role, element, rule) of the row."""

    row: dict[str, Any]
    mentions: tuple[Mention, ...]
    findings: frozenset[tuple[str, str, str]] = frozenset()


def number(body: str) -> str:
    return body + check_character(body)


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def said(*findings: tuple[str, str, str]) -> frozenset[tuple[str, str, str]]:
    return frozenset(findings)


WANG = number("39010219850312123")  # 王建国, male
LI = number("39010319870825456")  # 李秀英
OLD = "390102410305123"  # 15 digits
GROWN = number("39010219410305123")
HUN = number("39012120100916031")
SECOND = 1_700_000_000
BORN, HERS = day("1985-03-12"), day("1987-08-25")

CASES: dict[str, Case] = {
    "police.hj_ryjbxx": Case(
        {
            "RYNBID": 100000123, "HH": "390102001", "YHZGX": "01", "GMSFHM": WANG, "XM": "王建国", "CYM": "王小国",
            "XB": "1",
            "MZ": "01", "CSRQ": "19850312", "HYZK": "21", "FWCS": "云州机床厂", "HJDZ": "江岚省云州市青禾区工农路1号",
            "LXDH": "139 0000 0001", "FQXM": "王大山", "MQXM": "赵氏", "POXM": "李秀英", "POGMSFHM": LI, "RYZT": "0",
            "QRRQ": "        ", "GXSJ": "20240115093000", "ZP": "x",
        },
        (
            Mention(
                "self", name="王建国", former_name="王小国", id_type="111", id_number=WANG, sex="1", birth_date=BORN,
                ethnicity="01", marital_status="21", phone="13900000001", hukou_division="390102",
                hukou_address="江岚省云州市青禾区工农路1号",
                workplace="云州机床厂", household="police|390102001", ties=("police.person_file|100000123",),
                kin=(Kin("father", "王大山"), Kin("mother", "赵氏"), Kin("spouse", "李秀英", LI)),
            ),
        ),
    ),
    "police.hj_hjxx": Case(
        {
            "HH": "390102001", "HLX": "1", "HZXM": "王建国", "HZGMSFHM": WANG, "SSXQ": "390102", "PCS": "390102001",
            "MLXZ": "江岚省云州市青禾区工农路1号", "HRS": 3, "LHRQ": "19990101", "ZTBZ": "0", "GXSJ": "20240115093000",
        },
        (
            Mention(
                "householder", name="王建国", id_type="111", id_number=WANG, hukou_division="390102",
                hukou_address="江岚省云州市青禾区工农路1号", household="police|390102001",
            ),
        ),
    ),
    "police.hj_bgxx": Case(
        {
            "RYNBID": 100000123, "BGXH": 2, "GMSFHM": WANG, "XM": "王建国", "BGLB": "04", "BGQNR": "王小国",
            "BGHNR": "王建国", "BGRQ": "20010308", "SLDW": "390102001", "SPXX": "[]", "GXSJ": "20010308093000",
        },
        (
            Mention(
                "self", name="王建国", former_name="王小国", id_type="111", id_number=WANG,
                ties=("police.person_file|100000123",), other_names=("王小国",),
            ),
        ),
    ),
    "police.ldrk_jzz": Case(
        {
            "djbh": 9001, "jzzbh": "J390102000001", "zjlx": "414", "zjhm": "Ｅ１２３４５６７８", "xm": "艾山・买买提",
            "xb": "1",
            "mz": "05", "csrq": "19850312", "hjd_xzqh": "160102", "hjdz": "北原省朔门市", "xzdz": "工农路",
            "jzsy": "务工",
            "lxdh": "13900000002", "fwcs": "个体", "djrq": 19000, "zt": "有效", "tbr_xm": "房东甲",
            "cjsj": SECOND * 1_000_000, "gxsj": "2024-01-15T01:30:00.123456Z",
        },
        (
            Mention(
                "self", name="艾山·买买提", id_type="414", id_number="E12345678", sex="1", birth_date=BORN,
                ethnicity="05",
                phone="13900000002", hukou_division="160102", hukou_address="北原省朔门市", residence_address="工农路",
                workplace="个体", other_numbers=("J390102000001",), kin=(Kin("declarant", "房东甲"),),
            ),
        ),
    ),
    "police.sfz_zzxx": Case(
        {
            "SLH": "390102240000001", "GMSFHM": WANG, "XM": "王建国", "XB": "1", "MZ": "01", "CSRQ": "19850312",
            "ZZ": "江岚省云州市青禾区工农路1号", "QFJG": "云州市公安局", "YXQXQSRQ": "20240115", "YXQXJZRQ": "长期",
            "SLYY": "21", "LQRDH": "13900000001", "ZWBZ": True, "ZZZT": "03", "SLSJ": SECOND * 1000,
            "GXSJ": "20240115093000",
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, ethnicity="01",
                phone="13900000001", hukou_address="江岚省云州市青禾区工农路1号",
            ),
        ),
        said(("", "valid_until_date", "open_ended")),
    ),
    "police.hj_swzx": Case(
        {
            "ZXBH": 5, "RYNBID": 100000123, "GMSFHM": WANG, "XM": "王建国", "XB": "1", "MZ": "01", "CSRQ": "19850312",
            "ZXLB": "1", "ZXRQ": "20240116", "SWRQ": "20240114", "SWYY": "病", "SWZMBH": "39010220240001",
            "SBRXM": "李秀英", "SBRGMSFHM": LI, "SBRGX": "配偶", "GXSJ": "20240116093000",
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, ethnicity="01",
                death_date=day("2024-01-14"),
                ties=("police.person_file|100000123", "health.death_certificate|39010220240001"),
                kin=(Kin("declarant", "李秀英", LI),),
            ),
        ),
    ),
    "police.hj_lsda": Case(
        {
            "DAH": "0000012345", "SFZH": OLD, "XM": "王大山", "XB": "男", "MZ": "汉", "CSRQ": "410208", "CSLB": "N",
            "YHZGX": "户主", "HH": "000000000", "HZXM": "王大山", "FQXM": None, "MQXM": "赵氏", "ZZ": "青禾公社三队",
            "LRRQ": "840101", "SG": "168.5", "ZT": "1",
        },
        (
            Mention(
                "self", name="王大山", id_type="111", id_number=GROWN, sex="1", birth_date=day("1941-03-05"),
                lunar_birth_date="1941-02-08", ethnicity="01", hukou_address="青禾公社三队",
                kin=(Kin("mother", "赵氏"), Kin("householder", "王大山")),
            ),
        ),
        said(("self", "id_number", "id_upgraded"), ("self", "birth_date", "lunar_date")),
    ),
    "health.birth_certificate": Case(
        {
            "cert_no": "A390000001", "baby_name": "李秀英之子", "baby_sex": "M", "birth_time": "2024-01-14T16:05:00Z",
            "plurality": 2, "birth_order": 1, "mother_name": "李秀英", "mother_id_type": "id_card", "mother_id_no": LI,
            "mother_birth_date": HERS, "mother_ethnicity": "汉族", "mother_address": "工农路1号",
            "mother_phone": "13900000003", "previous_cert_no": "A390000000", "status": "reissued",
            "issued_at": "2024-01-16T01:00:00Z", "updated_at": "2024-01-16T01:00:00Z", "gestation_weeks": "39.0",
        },
        (
            Mention(
                "baby", sex="1", birth_date=day("2024-01-15"), certificate_number="A390000001", birth_order=1,
                ties=("health.birth_certificate|A390000001", "health.birth_certificate|A390000000"),
                kin=(Kin("mother", "李秀英", LI, "13900000003", HERS),),
            ),
            Mention(
                "mother", name="李秀英", id_type="111", id_number=LI, birth_date=HERS, ethnicity="01",
                residence_address="工农路1号", phone="13900000003", kin=(Kin("child", birth_date=day("2024-01-15")),),
            ),
        ),
        said(("baby", "name", "placeholder")),
    ),
    "health.vaccination_record": Case(
        {
            "child_code": "390102202400012345", "vaccine_code": "0101", "dose_no": 1, "child_name": "李秀英之女",
            "child_sex": "F", "child_birth_date": day("2024-01-15"), "child_id_no": f"{LI}1",
            "birth_cert_no": "A390000001", "guardian_name": "李秀英", "guardian_id_no": LI,
            "guardian_phone": "13900000003", "address": "工农路1号", "vaccinated_at": "2024-02-15T01:00:00Z",
        },
        (
            Mention(
                "self", sex="2", birth_date=day("2024-01-15"), residence_address="工农路1号",
                certificate_number="A390000001",
                ties=("health.child_code|390102202400012345", "health.birth_certificate|A390000001"),
                kin=(Kin("guardian", "李秀英", LI, "13900000003"), Kin("mother", "李秀英", LI)),
            ),
        ),
        said(("self", "name", "placeholder"), ("self", "id_number", "id_extra_digit")),
    ),
    "health.health_record": Case(
        {
            "record_id": "0b7e6a52-6f0f-4c1c-9a63-0d3f7d6c0001", "archive_no": "39010200100100001", "name": "王建国",
            "sex": "M", "birth_date": BORN, "id_type": "id_card", "id_no": WANG.lower(), "ethnicity": "汉族",
            "phone": "0390-6543210", "contact_name": "李秀英", "contact_phone": "13900000003",
            "current_address": "工农路1号", "marital_status": "married", "deceased": False,
            "created_at": "2020-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "allergies": ["x"],
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, ethnicity="01",
                marital_status="20", phone="0390-6543210", residence_address="工农路1号",
                kin=(Kin("contact", "李秀英", None, "13900000003"),),
            ),
        ),
    ),
    "health.death_certificate": Case(
        {
            "cert_no": "39010220240001", "name": "王建国", "sex": "M", "birth_date": BORN, "id_type": "id_card",
            "id_no": WANG, "ethnicity": "汉族", "marital_status": "widowed", "death_time": "2024-01-13T20:00:00Z",
            "cause_icd10": ["I21"], "family_name": "王小明", "family_phone": "13900000004",
            "facility_name": "云州市医院", "issued_at": "2024-01-14T01:00:00Z",
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, ethnicity="01",
                marital_status="30", death_date=day("2024-01-14"), ties=("health.death_certificate|39010220240001",),
                kin=(Kin("kin", "王小明", None, "13900000004"),),
            ),
        ),
    ),
    "hrss.ac01": Case(
        {
            "aac001": "39000000000000000001", "aac058": "01", "aac002": WANG, "aac003": "王建国", "aac004": "1",
            "aac005": "01", "aac006": 19850312, "aac017": "5", "aac008": "1", "aae005": "13900000001",
            "aab004": "云州机床厂", "aae140": ["110", "410"], "aae036": SECOND * 1000,
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, ethnicity="01",
                phone="13900000001", workplace="云州机床厂", ties=("hrss.aac001|39000000000000000001",),
            ),
        ),
        said(("self", "marital_status", "de_facto_marriage")),
    ),
    "hrss.jy_djb": Case(
        {
            "id": 77, "empName": "王　建 国", "idCard": f" {WANG[:6]} {WANG[6:].lower()}", "gender": "男",
            "birth": "1985年3月",
            "nation": "汉", "marriageStatus": "事实婚姻", "mobile": "１３９００００００００１",
            "companyName": "云州机床厂",
            "companyUscc": None, "startTime": SECOND, "updTime": SECOND * 1000, "salary": "5000.00", "extInfo": "{}",
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_month="198503", ethnicity="01",
                workplace="云州机床厂",
            ),
        ),
        said(
            ("self", "birth_date", "incomplete_date"), ("self", "marital_status", "de_facto_marriage"),
            ("self", "phone", "malformed_phone"),
        ),
    ),
    "hrss.sy_djb": Case(
        {
            "aac001": "39000000000000000001", "sydjxh": 1, "xm": "王建国", "sfzhm": WANG, "xb": "1", "csny": "198503",
            "hyzk": "2", "lxdh": "13900000001", "jtzz": "工农路1号", "syrq": "2023年05月08日", "zt": "在领",
            "jbsj": SECOND * 1000,
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_month="198503",
                marital_status="20",
                phone="13900000001", residence_address="工农路1号", ties=("hrss.aac001|39000000000000000001",),
            ),
        ),
    ),
    "civil.hydj_jh": Case(
        {
            "jhzh": "J390102-2010-000001", "djrq": day("2010-05-01"), "djjg": "青禾区民政局", "nan_xm": "王建国",
            "nan_zjlx": "居民身份证", "nan_zjhm": WANG, "nan_csrq": BORN, "nan_mz": "汉族", "nan_gj": "中国",
            "nan_hyzk": "未婚", "nan_dz": "工农路1号", "nan_dh": "13900000001", "nv_xm": "Anna Smith",
            "nv_zjlx": "护照",
            "nv_zjhm": "E12345678", "nv_csrq": HERS, "nv_gj": "美国", "nv_hyzk": "离婚", "zt": "有效",
            "lrsj": SECOND * 1_000_000,
        },
        (
            Mention(
                "husband", name="王建国", id_type="111", id_number=WANG, birth_date=BORN, ethnicity="01",
                marital_status="20",
                phone="13900000001", residence_address="工农路1号",
                ties=("civil.marriage_husband|J390102-2010-000001",),
                kin=(Kin("spouse", "Anna Smith", "E12345678", None, HERS),),
            ),
            Mention(
                "wife", name="Anna Smith", id_type="414", id_number="E12345678", birth_date=HERS, marital_status="20",
                ties=("civil.marriage_wife|J390102-2010-000001",),
                kin=(Kin("spouse", "王建国", WANG, "13900000001", BORN),),
            ),
        ),
    ),
    "civil.hydj_lh": Case(
        {
            "lhzh": "L390102-2020-000001", "jhzh": "J390102-2010-000001", "lhrq": day("2020-05-01"), "lhfs": "协议",
            "nan_xm": "王建国", "nan_zjhm": WANG, "nan_csrq": BORN, "nv_xm": "李秀英", "nv_zjhm": None,
            "zn": json.dumps([{"xm": "王小明", "csrq": "2011-02-03", "fyq": "女方"}], ensure_ascii=False),
            "lrsj": SECOND * 1_000_000,
        },
        (
            Mention(
                "husband", name="王建国", id_type="111", id_number=WANG, birth_date=BORN, marital_status="40",
                ties=("civil.marriage_husband|J390102-2010-000001",),
                kin=(Kin("spouse", "李秀英"), Kin("child", "王小明", birth_date=day("2011-02-03"))),
            ),
            Mention(
                "wife", name="李秀英", marital_status="40", ties=("civil.marriage_wife|J390102-2010-000001",),
                kin=(Kin("spouse", "王建国", WANG, None, BORN), Kin("child", "王小明", birth_date=day("2011-02-03"))),
            ),
        ),
    ),
    "civil.dbjt_cy": Case(
        {
            "jtbh": "DB390102000001", "cyxh": 2, "xm": "李秀英", "sfzh": LI, "xb": "女", "csrq": HERS, "mz": "汉族",
            "yhzgx": "妻", "hyzk": "离异", "jkzk": "良好", "jtzz": "工农路1号", "lxdh": "无", "ybje": "600.00",
            "yxq": "[2024-01-01,2025-01-01)", "zt": "享受", "gxsj": "2024-01-15T01:30:00Z",
        },
        (
            Mention(
                "self", name="李秀英", id_type="111", id_number=LI, sex="2", birth_date=HERS, ethnicity="01",
                marital_status="40", residence_address="工农路1号", household="civil|DB390102000001",
            ),
        ),
    ),
    "civil.gljt": Case(
        {
            "id": 12, "xm": "王大山", "sfzh": OLD, "xb": "男", "csrq": "农历1941年二月初八", "nl": 83,
            "btlb": "高龄津贴",
            "ybje": "100.00", "ffrq": [19723], "dz": "工农路1号", "lxr": "王建国", "lxdh": "13900000001",
            "hczt": "已核查",
            "gxsj": "2024-01-15T01:30:00Z",
        },
        (
            Mention(
                "self", name="王大山", id_type="111", id_number=GROWN, sex="1", birth_date=day("1941-03-05"),
                lunar_birth_date="1941-02-08", residence_address="工农路1号",
                kin=(Kin("contact", "王建国", None, "13900000001"),),
            ),
        ),
        said(("self", "id_number", "id_upgraded"), ("self", "birth_date", "lunar_date")),
    ),
    "edu.xs_xjxx": Case(
        {
            "xjh": f"G{HUN}", "xm": "王小明", "xmpy": "wang xiaoming", "cym": "李小明", "xb": "男",
            "csrq": day("2010-09-16"),
            "sfzjlx": "1", "sfzjh": HUN, "mz": "汉", "hkszd": "390102", "jtzz": "工农路1号", "lxdh": "13900000003",
            "jhr1_xm": "李秀英", "jhr1_gx": "母亲", "jhr1_sfzh": LI, "jhr1_dh": "13900000003", "jhr2_xm": "王大山",
            "jhr2_gx": "祖父", "jhr2_sfzh": OLD, "xxdm": "3901020001", "xxmc": "青禾区第一小学", "nj": 6, "sf_zx": 0,
            "xjzt": "在读", "tc": "体育,音乐", "gxsj": SECOND * 1000,
        },
        (
            Mention(
                "self", name="王小明", former_name="李小明", id_type="111", id_number=HUN, sex="1",
                birth_date=day("2010-09-16"), ethnicity="01", hukou_division="390102", residence_address="工农路1号",
                workplace="青禾区第一小学",
                kin=(
                    Kin("mother", "李秀英", LI, "13900000003"),
                    Kin("guardian", "王大山", GROWN),
                    Kin("guardian", phone="13900000003"),
                ),
            ),
        ),
        said(("", "guardian_2_id_number", "id_upgraded")),
    ),
    "edu.js_jsxx": Case(
        {
            "id": 4_000_000_000, "xm": "李秀?", "xb": "2", "csrq": HERS, "sfzh": LI, "mz": "01", "hyzk": "已婚",
            "cjgzn": 2009, "gz": "6000.00", "xxdm": "3901020001", "lxdh": "13900000003", "zz": "工农路1号", "zt": 1,
            "gxsj": "2024-01-15T01:30:00.123456Z",
        },
        (
            Mention(
                "self", id_type="111", id_number=LI, sex="2", birth_date=HERS, ethnicity="01", marital_status="20",
                phone="13900000003", residence_address="工农路1号", other_names=("李秀\ufffd",),
            ),
        ),
        said(("self", "name", "damaged_characters")),
    ),
    "medins.psn_info_b": Case(
        {
            "psn_no": "39010000000000001", "psn_cert_type": "06", "certno": "a390000001", "psn_name": "李秀英之子",
            "alis": "毛毛", "gend": "1", "brdy": day("2024-01-15"), "naty": "01", "mrg_stas": "9",
            "tel": "13900000003",
            "resd_addr": "工农路1号", "live_addr": "", "insutype": "390", "psn_insu_stas": "1",
            "psn_idet_type": "普通",
            "insu_admdvs": "390102", "bal": "0.00", "vali_flag": 1, "crte_time": SECOND * 1000,
            "updt_time": SECOND * 1000,
        },
        (
            Mention(
                "self", id_type="117", id_number="A390000001", sex="1", birth_date=day("2024-01-15"), ethnicity="01",
                phone="13900000003", hukou_address="工农路1号", certificate_number="A390000001",
                ties=("medins.psn_no|39010000000000001", "health.birth_certificate|A390000001"), other_names=("毛毛",),
                kin=(Kin("mother", "李秀英"),),
            ),
        ),
        said(("self", "name", "placeholder")),
    ),
    "medins.setl_d": Case(
        {
            "setl_id": "S0001", "clr_seq": 0, "psn_no": "39010000000000001", "psn_name": "王建国", "certno": WANG,
            "gend": "1", "brdy": BORN, "age": "38.0", "medfee_sumamt": "12.50", "fund_pay_sumamt": "0.00",
            "refd_setl_flag": 0, "setl_time": SECOND * 1_000_000,
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN,
                ties=("medins.psn_no|39010000000000001",),
            ),
        ),
    ),
    "housing.fw_qlr": Case(
        {
            "bdcqzh": "江房权证字第00123号", "qlrxh": 1, "qlrmc": "王建国、李秀英", "qlrzjzl": "1",
            "qlrzjh": f"{WANG}、{LI}",
            "xb": "1", "dh": "13900000001", "txdz": "工农路1号", "gyfs": "1", "qlbl": "1.0000", "zl": "工农路1号",
            "djsj": SECOND * 1_000_000, "qszt": 1,
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", phone="13900000001",
                residence_address="工农路1号", kin=(Kin("spouse", "李秀英", LI),),
            ),
            Mention(
                "spouse", name="李秀英", id_type="111", id_number=LI, residence_address="工农路1号",
                kin=(Kin("spouse", "王建国", WANG, "13900000001"),),
            ),
        ),
    ),
    "housing.zlba": Case(
        {
            "ba_id": "0b7e6a52-6f0f-4c1c-9a63-0d3f7d6c0002", "babh": "BA2024000001", "czr_xm": "王建国",
            "czr_zjhm": WANG,
            "czr_dh": "13900000001", "chzr_xm": "陈伟", "chzr_zjlx": "台湾居民来往大陆通行证",
            "chzr_zjhm": "0123456701",
            "chzr_dh": "13900000005", "tzr": '[{"xm":"林静","zjhm":"无"}]', "fwdz": "石桥路2号",
            "zlqx": "[2024-01-01,2025-01-01)", "zt": "有效", "created_at": "2024-01-01T00:00:00Z",
            "updated_at": "2024-01-01T00:00:00Z",
        },
        (
            Mention("landlord", name="王建国", id_type="111", id_number=WANG, phone="13900000001"),
            Mention(
                "tenant", name="陈伟", id_type="511", id_number="01234567", phone="13900000005",
                residence_address="石桥路2号", kin=(Kin("contact", "林静"),),
            ),
        ),
    ),
    "housing.gjj_grzh": Case(
        {
            "grzh": "390100012345", "xm": "王建国", "zjlx": "01", "zjhm": WANG, "xb": "1", "csny": "198503",
            "hyzk": "20",
            "sjhm": None, "jtzz": "工农路1号", "dwmc": "云州机床厂", "dwzh": "D001", "ye": "10234.56", "zt": "01",
            "poxm": "李秀英", "pozjhm": LI,
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_month="198503",
                marital_status="20",
                residence_address="工农路1号", workplace="云州机床厂", kin=(Kin("spouse", "李秀英", LI),),
            ),
        ),
    ),
    "tax.zrr_djxx": Case(
        {
            "zrrdah": "3901000001", "xm": "陈伟", "zjlx_dm": "208", "zjhm": "E12345678", "qt_zjhm": WANG, "xb_dm": "1",
            "csrq": BORN, "gj_dm": "SGP", "sjhm": "13900000005", "lxdz": "石桥路2号", "kjywr": "云州机床厂",
            "zxfjkc": json.dumps(
                [{"gx": "配偶", "xm": "林静", "zjhm": LI}, {"gx": "子女", "xm": "陈小伟", "zjhm": None},
                 {"gx": "父母", "xm": "陈大"}],
                ensure_ascii=False,
            ),
            "ljsr": "1.00", "zxbz": "N", "lrrq": SECOND * 1_000_000,
        },
        (
            Mention(
                "self", name="陈伟", id_type="414", id_number="E12345678", sex="1", birth_date=BORN,
                phone="13900000005",
                residence_address="石桥路2号", workplace="云州机床厂", other_numbers=(WANG,),
                kin=(Kin("spouse", "林静", LI), Kin("child", "陈小伟"), Kin("kin", "陈大")),
            ),
        ),
    ),
    "market.e_lerep": Case(
        {
            "uniscid": "390102600012348", "entname": "青禾区建国小吃店", "enttype": "个体工商户", "lerep": "王建国",
            "lerep_certype": "10", "lerep_cerno": WANG, "lerep_sex": "1", "lerep_natdate": BORN, "tel": "13900000001",
            "dom": "工农路1号", "regcap": "1.000000", "estdate": 15000, "regstate": "存续",
            "s_ext_timestamp": "2024-01-15T01:30:00Z",
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, phone="13900000001",
                workplace="青禾区建国小吃店",
            ),
        ),
    ),
    "transport.jsr_jszxx": Case(
        {
            "dabh": "390100000001", "sfzmmc": "A", "sfzmhm": WANG, "xm": "王建国", "xb": "1",
            "csrq": BORN * 86_400_000,
            "gj": "156", "zjcx": "C1", "zt": "A", "djzsxxdz": "工农路1号", "lxzsxxdz": "石桥路2号",
            "sjhm": "13900000001",
            "gxsj": SECOND * 1000,
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, phone="13900000001",
                hukou_address="工农路1号", residence_address="石桥路2号",
            ),
        ),
    ),
    "transport.kk_txjl": Case(
        {
            "event_id": 7_000_000_000_000_000_001, "device_id": "K1", "device_ip": "10.0.0.1",
            "pass_time": "2024-01-15T01:30:00Z", "recv_time": "2024-01-15T01:35:00Z", "station": "云州站",
            "direction": 1,
            "kind": "train", "xm": "王*", "zjhm": WANG, "face_score": 0.98, "raw": "{}",
        },
        (Mention("self", id_type="111", id_number=WANG, other_names=("王\ufffd",)),),
        said(("self", "name", "masked_name")),
    ),
    "disabled.cjr": Case(
        {
            "cjrzh": f"{WANG}34B1", "yzh": f"{WANG}33", "xm": "王建国", "sfzh": None, "xb": "男", "csrq": "1985-03-12",
            "mz": "汉族", "hk.dz": "工农路1号", "hk.lx": "农业", "xzz": None, "dh": ["无", "13900000001"],
            "jhr.xm": "李秀英", "jhr.gx": "配偶", "jhr.dh": "13900000003", "hyzk": "已婚", "fzrq": "2019-04-20",
            "gxsj": "2024-01-05T08:12:33+08:00",
        },
        (
            Mention(
                "self", name="王建国", sex="1", birth_date=BORN, ethnicity="01", marital_status="20",
                phone="13900000001",
                hukou_address="工农路1号", ties=(f"disabled.certificate|{WANG}34B1", f"disabled.certificate|{WANG}33"),
                other_numbers=(WANG,), kin=(Kin("spouse", "李秀英", None, "13900000003"),),
            ),
        ),
    ),
    "justice.sqjz": Case(
        {
            "矫正编号": "SQ2024001", "姓名": "王建国", "曾用名": "", "性别": "男", "身份证号": f"'{WANG}\t",
            "出生日期": "31118",
            "民族": "汉族", "婚姻状况": "未知", "户籍地址": "工农路1号", "居住地址": "石桥路2号",
            "联系电话": "13900000001",
            "矫正类别": "缓刑", "起始日期": "2024/1/2", "结束日期": "2025-01-01", "司法所": "青禾司法所",
            "状态": "在矫",
        },
        (
            Mention(
                "self", name="王建国", id_type="111", id_number=WANG, sex="1", birth_date=BORN, phone="13900000001",
                ethnicity="01", hukou_address="工农路1号", residence_address="石桥路2号",
            ),
        ),
        said(("self", "birth_date", "day_number")),
    ),
    "justice.sygz": Case(
        {
            "公证书编号": "（2021）江云证字第1234号", "公证日期": "2021/3/2", "被收养人姓名": "王小明",
            "被收养人原姓名": "云小明",
            "被收养人性别": "男", "被收养人出生日期": "2010-09-16", "被收养人身份证号": "", "养父姓名": "王建国",
            "养父身份证号": "3.90102E+17", "养母姓名": "", "养母身份证号": "", "收养后住址": "工农路1号",
            "联系电话": "13900000001", "公证处": "云州公证处",
        },
        (
            Mention(
                "self", name="王小明", former_name="云小明", sex="1", birth_date=day("2010-09-16"),
                residence_address="工农路1号", other_names=("云小明",),
                kin=(Kin("father", "王建国", None, "13900000001"), Kin("mother", phone="13900000001")),
            ),
            Mention(
                "father", name="王建国", residence_address="工农路1号",
                kin=(Kin("child", "王小明", birth_date=day("2010-09-16")),),
            ),
        ),
        said(("father", "id_number", "id_spreadsheet")),
    ),
}  # fmt: skip
