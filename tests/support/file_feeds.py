"""A department of its own whose feeds are files of every kind and a push channel: YAML and schemas, and no Python."""

from __future__ import annotations

import json
from pathlib import Path

from connectors.feeds import Catalog

DEPARTMENT = "works"

_FEED = """
  - type: {type}
    title: {{zh: 名册, en: Roll}}
    key: [{key}]
    freshness: 86400
    retention: permanent
    authority: {{default: 50}}
    columns:
      {key}: {{field: record_number, rule: text}}
      {name}: {{field: name, rule: name}}
      {number}: {{field: id_number, rule: resident_id}}
    mentions:
      - {{role: self, elements: [name, id_number]}}
"""

CSV = "\n    layout: {kind: csv, encoding: GB18030, delivery: full}"
JSONL = """
    layout:
      kind: jsonl
      encoding: UTF-8
      delivery: changes
      operation: {field: op, create: A, update: U, delete: D}
      previous_key: former"""
XML = """
    layout:
      kind: xml
      encoding: GB18030
      delivery: full
      root: "{urn:works:1}batch"
      record: "{urn:works:1}entry"
      date: rq
      sequence: xh
      count: sl"""
FIXED = """
    layout:
      kind: fixed
      encoding: GB18030
      delivery: changes
      size: 64
      detail: D
      fields: {NO: "2 9(10)", NAME: "12 X(11)", ID: "23 X(18)", HEIGHT: "41 S9(4)V9"}
      header: {mark: H, date: "2 9(8)", sequence: "10 9(3)"}
      trailer: {mark: T, count: "2 9(10)", hash: {field: "12 9(12)", of: NO, modulo: 1000000000000}}"""
PUSH = "\n    source: {kind: push, generation: 1}"

FEEDS = {
    "roll": ("编号", "姓名", "身份证号", CSV),
    "grants": ("no", "who.name", "who.number", JSONL),
    "accounts": ("no", "name", "who.number", XML),
    "archive": ("NO", "NAME", "ID", FIXED),
    "gate": ("event_id", "name", "number", PUSH),
}


def schema(kind: str) -> dict[str, object]:
    """Return the Avro schema of one of the department's feeds."""
    fields = [
        {
            "name": name,
            "type": ["null", "string"],
            "default": None,
            "element": name,
            "doc": f"{name} / {name}",
        }
        for name in ("record_number", "name", "id_number")
    ]
    return {
        "type": "record",
        "name": kind,
        "namespace": f"renkou.{DEPARTMENT}",
        "doc": "Roll / 名册",
        "fields": fields,
    }


def write(folder: Path) -> Path:
    """Write the department's feed file and schemas to ``folder`` and return it."""
    text = f"department: {DEPARTMENT}\ntitle: {{zh: 工程, en: Works}}\nsource: {{kind: file, generation: 1}}\nfeeds:"
    schemas = folder / "schemas" / DEPARTMENT
    schemas.mkdir(parents=True)
    for kind, (key, name, number, extra) in FEEDS.items():
        lines = _FEED.format(type=kind, key=key, name=name, number=number)
        text += lines.replace("\n    key:", f"{extra}\n    key:", 1)
        (schemas / f"{kind}.avsc").write_text(json.dumps(schema(kind)), encoding="utf-8")
    (folder / f"{DEPARTMENT}.yaml").write_text(text, encoding="utf-8")
    return folder


def catalog(folder: Path) -> Catalog:
    """Return the catalogue of the department, written to ``folder``."""
    return Catalog.load(write(folder))
