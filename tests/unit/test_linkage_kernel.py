"""The compiled graph against what people read: the numbers it shares with other files, and its scores."""

from __future__ import annotations

import weakref
from itertools import combinations

from hypothesis import given, settings

from avro.record import Mention
from linkage import graph, kernel, survivorship, values
from linkage.births import BirthLevel
from linkage.features import INDEXED, PLACES, Kind
from linkage.graph import MOST, SURE, Look
from linkage.names import NameLevel
from linkage.weights import APART
from tests.unit.linkage_world import FEEDS, NUMBERS, Source, record, run, sources

WANG = Mention("self", name="王小芳", id_number=NUMBERS[0], birth_date=3652, phone="13900000001")


def test_the_compiled_code_and_the_rest_agree_on_numbers() -> None:
    """What compiled code depends on stands in its own file: here it is held against where it comes from."""
    assert (kernel.NUMBER_KIND, kernel._OTHER_KINDS) == (Kind.NUMBER, Kind.NAME_AND_BIRTH)
    assert {kind for kind in Kind if kernel._INDEXED >> kind & 1} == INDEXED
    assert {kind for kind in Kind if kernel._SURE >> kind & 1} == {*SURE, Kind.NUMBER}
    assert {kind for kind in Kind if kernel._PLACES >> kind & 1} == set(PLACES)
    assert kernel.MOST == MOST
    assert kernel.NO_BIRTH == graph._NO_BIRTH
    for told, names in enumerate(graph._TOLD):
        assert names == tuple(told & flag != 0 for flag in (kernel.WHOLE, kernel.NEAR, kernel.WITH_DECISION))
    tokens = [f"{kind.name.lower()}.equal" for kind in Kind if kind < Kind.NAME_AND_BIRTH]
    assert list(kernel.WEIGHED[kernel._TOKENS :]) == tokens
    births = [f"birth.{level}" for level in BirthLevel if level != BirthLevel.UNKNOWN]
    assert list(kernel.WEIGHED[kernel._BIRTHS : kernel._TOKENS]) == births
    assert sorted(NameLevel)[kernel._EQUAL_NAME] == NameLevel.EQUAL
    for weight, name in (
        (kernel._PRIOR, "prior.pair"),
        (kernel._NUMBER_EQUAL, "number.equal"),
        (kernel._DOUBTFUL_EQUAL, "number.doubtful_equal"),
        (kernel._DOUBTFUL_DIFFERENT, "number.doubtful_different"),
        (kernel._EARLIER_NUMBER, "number.earlier"),
        (kernel._ONE_ERROR, "number.one_error"),
        (kernel._NEAR, "number.near"),
        (kernel._SAME_REGION, "number.same_region"),
        (kernel._DIFFERENT, "number.different"),
        (kernel._OF_KIN, "number.of_kin"),
        (kernel._SEX_EQUAL, "sex.equal"),
        (kernel._ORDER_EQUAL, "order.equal"),
        (kernel._CERTIFICATE_DIFFERENT, "certificate.different"),
        (kernel._MOST, "context.most"),
        (kernel._ALONE, "context.alone"),
    ):
        assert kernel.WEIGHED[weight] == name
    for name in ("UNIT", "LENGTH_BITS", "HEAD"):
        assert getattr(survivorship, f"_{name}") == getattr(values, name)
    assert APART == kernel._APART


@settings(max_examples=30, deadline=None)
@given(sources())
def test_the_compiled_score_is_the_scorer_s(source: Source) -> None:
    state = run(source.events)[0].state
    look = Look(state.graph)
    for one, other in combinations(list(state.graph.nodes()), 2):
        assert state.graph.score(one, other) == state.graph.scorer.score(look(one), look(other))


def test_a_state_gives_its_memory_back_with_its_last_reference() -> None:
    state = run([record(FEEDS[0], "1", 1, WANG)])[0].state
    held = weakref.ref(state.graph)
    del state
    assert held() is None
