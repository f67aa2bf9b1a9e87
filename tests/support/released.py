"""``python -m tests.support.released``: adds the present schemas to those that were released.

``tests/released.jsonl`` has every schema that a release registered, a line each. What they wrote is in logs that are
kept for ever, so lines are only ever added; `tests/unit/test_compatibility.py` holds the present schemas to them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from avro.codec import DecisionCodec, MarkCodec, SwitchCodec
from avro.registry import subject
from avro.schema import Schema, shared_schema
from connectors.feeds import Catalog
from streams import topics

PATH: Final = Path(__file__).parents[1] / "released.jsonl"


def present() -> dict[str, Schema]:
    """Return the schemas that this version registers, by subject."""
    of_topics = [(topics.RECORDS, feed.codec.schema) for feed in Catalog.load().feeds]
    of_topics += [(topics.RECORDS, MarkCodec().schema)]
    of_topics += [(topics.RECORDS, DecisionCodec().schema), (topics.RECORDS, SwitchCodec().schema)]
    of_topics += [(topic, shared_schema(name)) for topic, name in topics.LINKED.items()]
    of_topics += [(topics.IDENTITIES, shared_schema("Identity")), (topics.PERSONS, shared_schema("Person"))]
    return {subject(topic, schema): schema for topic, schema in of_topics}


def released() -> Iterator[tuple[str, Schema]]:
    """Yield every released subject and schema."""
    for line in PATH.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        yield entry["subject"], entry["schema"]


def main() -> int:
    """Append what is new."""
    known = {(name, _text(schema)) for name, schema in released()} if PATH.exists() else set()
    added = [(name, schema) for name, schema in present().items() if (name, _text(schema)) not in known]
    with PATH.open("a", encoding="utf-8") as file:
        for name, schema in added:
            file.write(_text({"subject": name, "schema": schema}) + "\n")
    print(f"{len(added)} schemas added to {PATH.name}")
    return 0


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    sys.exit(main())
