"""The graph out of a snapshot is the graph that was saved, and the one that follows from the mentions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro.record import Mention
from linkage import saved_graph
from linkage.engine import Engine, LogEntry
from linkage.graph import MOST, Graph, Look
from linkage.snapshot import read_state, write_state
from linkage.state import LinkState
from tests.unit.linkage_world import AUTHORITY, FEEDS, Source, numbered, record, sources

EPOCH = 3


def copied(state: LinkState) -> LinkState:
    return read_state(Path("copy"), b"".join(write_state(state, EPOCH)), EPOCH)


def by_other_code(state: LinkState) -> LinkState:
    """Read what other code has saved: its graph is not trusted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_graph, "graph_code", lambda: "other")
        pieces = b"".join(write_state(state, EPOCH))
    return read_state(Path("copy"), pieces, EPOCH)


def shown(graph: Graph) -> object:
    """Return all that a graph holds, whatever the order in which it came."""
    look = Look(graph)
    numbered: dict[str, list[tuple[object, ...]]] = {}
    for place in graph.nodes():
        for number in look(place).numbers:
            numbered.setdefault(number, []).append(look(place).order)
    nodes = {
        node.order: (
            node.shared,
            node.decided,
            node.birth,
            node.month,
            node.sex,
            node.numbers,
            set(node.keys),
            node.tokens,
            sorted([mention.serial for mention in node.members]),
            sorted([(other.order, score) for other, score in node.edges.items()]),
            sorted([look(other).order for other in graph.candidates(node.place)]),
        )
        for node in map(look, graph.nodes())
    }
    for number, orders in numbered.items():
        assert sorted([look(place).order for place in graph.with_number(number)]) == sorted(orders)
    return graph.node_count, nodes, graph.hot_count, graph.settle()


@settings(max_examples=20, deadline=None)
@given(sources(), sources(), st.sampled_from([copied, by_other_code]))
def test_a_state_goes_on_as_the_one_that_was_saved(
    source: Source, later: Source, copy: Callable[[LinkState], LinkState]
) -> None:
    engine = Engine(EPOCH, AUTHORITY)
    engine.apply(numbered(source.events))
    other = Engine(EPOCH, AUTHORITY, copy(engine.state))
    assert shown(other.state.graph) == shown(engine.state.graph)
    more = numbered(later.events, engine.state.offset)
    assert other.apply(more) == engine.apply(more)
    assert shown(other.state.graph) == shown(engine.state.graph)


def test_hot_keys_are_hot_again() -> None:
    engine = Engine(EPOCH, AUTHORITY)
    people = [
        Mention("self", name=f"王{chr(0x4E00 + place)}", phone="13912345678") for place in range(MOST + 3)
    ]
    engine.apply([LogEntry(place, record(FEEDS[0], str(place), 1, one)) for place, one in enumerate(people)])
    assert engine.hot_keys
    for copy in (copied, by_other_code):
        assert shown(copy(engine.state).graph) == shown(engine.state.graph)
