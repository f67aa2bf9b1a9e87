"""States of a source: each piece of evidence alone, and the cause before its effects."""

from __future__ import annotations

import pytest

from monitoring.metrics import quantile
from monitoring.status import Evidence, State, StatusBoard, decide

NOW = 1_000_000_000_000
FRESH = {
    "captured": NOW - 1_000_000,
    "normalized": NOW - 1_200_000,
    "linked": NOW - 1_500_000,
    "queryable": NOW - 2_000_000,
}
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (Evidence(NOW, FRESH, "RUNNING", True), State.IDLE),
        (Evidence(NOW, FRESH), State.IDLE),
        (Evidence(NOW, {}, "RUNNING", True), State.INITIALISING),
        (Evidence(NOW, FRESH, "RUNNING", False), State.SOURCE_DOWN),
        (Evidence(NOW, FRESH, "FAILED", False), State.SOURCE_DOWN),
        (Evidence(NOW, FRESH, "FAILED", True), State.CONNECTOR_STALLED),
        (Evidence(NOW, FRESH, "missing", True), State.CONNECTOR_STALLED),
        (Evidence(NOW, {**FRESH, "captured": NOW - 60 * SECOND}, "RUNNING", True), State.CONNECTOR_STALLED),
        (Evidence(NOW, {**FRESH, "queryable": NOW - 90 * SECOND}, "RUNNING", True), State.CONSUMER_LAGGING),
        (Evidence(NOW, FRESH, "RUNNING", True, "no room on the disk"), State.SINK_FAILING),
    ],
)
def test_decide(evidence: Evidence, state: State) -> None:
    verdict = decide(evidence)
    assert verdict.state is state
    assert verdict.reason


def test_since_is_kept_while_the_state_lasts() -> None:
    board = StatusBoard()
    for seconds, connector in ((0, "RUNNING"), (5, "RUNNING"), (10, "FAILED"), (12, "FAILED")):
        now = NOW + seconds * SECOND
        fresh = dict.fromkeys(FRESH, now)
        board.update("police", Evidence(now, fresh, connector, True))
    (source,) = board.sources()
    assert source.state is State.CONNECTOR_STALLED
    assert source.since == NOW + 10 * SECOND
    assert source.stages["queryable"].lag_seconds == 0


def test_quantile_interpolates_and_admits_ignorance() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({1.0: 0, float("inf"): 0}, 0.5) is None
    assert quantile({1.0: 10, 2.0: 20, float("inf"): 20}, 0.75) == 1.5
    assert quantile({1.0: 10, 2.0: 10, float("inf"): 20}, 0.99) == 2.0
