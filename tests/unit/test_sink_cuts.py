"""The topics of a whole province, cut into batches of any size, interleaved anyhow and played twice: the same bytes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import pytest

from avro.envelope import EnvelopeDecoder
from connectors.clickhouse.store import Store, open_store
from streams import topics
from streams.sink import SinkAgent, SourceBoard, feed_tables
from tests.support.province import CHANGES, SNAPSHOT, Message, Province
from tests.unit.clickhouse_source import ask

BY_THE_CLOCK = ("frontiers", "source_states", "verifications", "schema_migrations")
"""Tables that say when something was noted here."""


def messages(province: Province) -> dict[str, list[Message]]:
    """Return what is in each topic."""
    found: dict[str, list[Message]] = {}
    for name in (SNAPSHOT, CHANGES):
        for batch in province.batches(name, 500):
            for chunk in filter(None, batch):
                found.setdefault(chunk[0].topic, []).extend(chunk)
    return found


def play(agent: SinkAgent, by_topic: Mapping[str, Sequence[Message]], rng: random.Random, most: int) -> None:
    """Write the topics, each in its order, in batches of up to ``most`` messages of each."""
    places = dict.fromkeys(by_topic, 0)
    while any(place < len(by_topic[topic]) for topic, place in places.items()):
        chunks = []
        for topic, place in places.items():
            places[topic] = end = place + rng.randint(0, most)
            if chunk := by_topic[topic][place:end]:
                chunks.append(chunk)
        if chunks:
            agent.write(chunks)


def shown(store: Store) -> dict[str, str]:
    """Return a digest of the rows that each table shows."""
    names = [
        name
        for (name,) in store.side.rows(
            "SELECT name FROM system.tables WHERE database = 'renkou'"
            " AND name || '_all' IN (SELECT name FROM system.tables WHERE database = 'renkou') ORDER BY name"
        )
        if name not in BY_THE_CLOCK
    ]
    return {
        name: blake2b(ask(store.readers, f"SELECT * FROM {name} ORDER BY ALL"), digest_size=8).hexdigest()
        for name in [*names, "findings"]
    }


@pytest.mark.parametrize(
    ("seed", "people", "most"),
    [
        (1, 40, (700, 90)),
        *(pytest.param(seed, 300, (4000, 150), marks=pytest.mark.long) for seed in range(2, 6)),
    ],
)
def test_any_cut_of_the_topics_twice_shows_the_same_bytes(
    tmp_path: Path, seed: int, people: int, most: tuple[int, int]
) -> None:
    province = Province(tmp_path, people, 3 * people, seed)
    try:
        by_topic = messages(province)
    finally:
        province.close()
    assert len(by_topic[topics.RECORDS]) > 5 * people
    assert by_topic[topics.PERSONS]
    rng = random.Random(seed)
    seen = []
    for run, largest in enumerate(most):
        store = open_store(tmp_path / f"store{run}", "", feed_tables(province.catalog))
        try:
            for _ in range(2):
                decoder = EnvelopeDecoder(province.registry)
                agent = SinkAgent(store.writer, province.schemas, decoder, {}, SourceBoard())
                play(agent, by_topic, rng, largest)
                seen.append(shown(store))
        finally:
            store.close()
    assert len(set(seen[0].values())) > 10, "tables are empty"
    assert all(later == seen[0] for later in seen[1:]), [
        name for name in seen[0] if len({later[name] for later in seen}) > 1
    ]
