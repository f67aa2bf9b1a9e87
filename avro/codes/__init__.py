"""Code lists: the values that an element of a coded type may take, with titles, kept as small tables beside this file.

Columns of a table: ``code``, ``zh``, ``en``, ``unstated`` (1 where the code says that nothing is known, so that a
value with it becomes null) and, in some lists, ``also``: other spellings, separated by ``|``.

| list | standard |
|---|---|
| sex | GB/T 2261.1-2003 |
| marital_status | GB/T 2261.2-2003 |
| ethnicity | GB/T 3304-1991, numeric codes |
| relation | GB/T 4761-2008, two digits |
| education | GB/T 4658-2006 |
| occupation | GB/T 6565-2015, its eight groups |
| nationality | ISO 3166-1 as GB/T 2659.1-2022 has it, three letters |
| document_type | GA/T 517-2004, what the register's sources use of it; 510 and 999 are renkou's own |
| division | GB/T 2260 at province level, and invented areas; every code of every time: `avro.codes.divisions` |
| calendar | renkou's own |
| lunar | no code list: the lunar years 1799–2199 with their first day since 1970-01-01, leap month, long months |
| kin_relation | renkou's own |
| finding_rule | renkou's own |
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Final

import msgspec

from avro.errors import SchemaError

_FOLDER: Final = resources.files("avro") / "codes"


class Code(msgspec.Struct, frozen=True):
    """One value of a list. ``also`` holds other spellings that sources use for it."""

    code: str
    zh: str
    en: str
    unstated: bool = False
    also: tuple[str, ...] = ()


class CodeList(msgspec.Struct, frozen=True):
    """A code list: code → its entry."""

    name: str
    codes: dict[str, Code]

    def __contains__(self, code: object) -> bool:
        return code in self.codes


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table beside this file, column → text. Raises SchemaError when there is none."""
    path = _FOLDER / f"{name}.csv"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SchemaError(f"there is no code list '{name}'; mend the name or add codes/{name}.csv") from None
    return list(csv.DictReader(text.splitlines()))


@cache
def code_list(name: str) -> CodeList:
    """Return the list of this name. Raises SchemaError when there is none."""
    codes: dict[str, Code] = {}
    for row in rows(name):
        code = row["code"]
        if code in codes:
            raise SchemaError(f"code list {name}: {code} stands there twice; mend codes/{name}.csv")
        codes[code] = Code(
            code=code,
            zh=row["zh"],
            en=row["en"],
            unstated=row.get("unstated") == "1",
            also=tuple(filter(None, (row.get("also") or "").split("|"))),
        )
    return CodeList(name, codes)


__all__ = ["Code", "CodeList", "code_list", "rows"]
