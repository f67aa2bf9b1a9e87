"""Pictures of an invented hub, for the page's tests."""

from __future__ import annotations

import random
import time

from connectors.feeds.objectives import Due, Objectives
from monitoring.deliveries import Delivery
from monitoring.observer import Look, ObservedFeed, Observer, Picture, Verification
from monitoring.signals import GROUPS, GroupLag, Signals, Slot
from monitoring.workdays import Calendar

MICRO = 1_000_000
TITLES = {
    "police": ("公安", "Police"),
    "health": ("卫健", "Health"),
    "hrss": ("人社", "Human resources and social security"),
    "civil": ("民政", "Civil affairs"),
    "justice": ("司法", "Justice"),
}
FEEDS = [
    ObservedFeed("police.hj_ryjbxx", "police", "常住人口", "Hukou persons", True, Objectives()),
    ObservedFeed("police.hj_hjxx", "police", "户", "Hukou households", True, Objectives()),
    ObservedFeed(
        "health.birth_certificate", "health", "出生医学证明", "Birth certificates", True, Objectives()
    ),
    ObservedFeed("hrss.ac01", "hrss", "社会保险参保", "Social insurance", True, Objectives()),
    ObservedFeed("civil.hydj_jh", "civil", "结婚登记", "Marriages", True, Objectives()),
    ObservedFeed(
        "justice.sqjz",
        "justice",
        "社区矫正",
        "Community correction",
        False,
        Objectives(due=Due("week", 5, 1080, "next")),
    ),
]


def signals_of(now: float, sink_error: str = "") -> dict[str, Signals]:
    """Return signals of five sources: two well, one down, one that lags, one of files."""
    moment = int(now * MICRO)

    def well(**changes: object) -> Signals:
        values: dict[str, object] = {
            "now": moment,
            "frontiers": {
                "captured": moment - 400_000,
                "normalized": moment - 700_000,
                "linked": moment - 800_000,
                "queryable": moment - 1_200_000,
            },
            "heartbeat": moment - 300_000,
            "connector": "RUNNING",
            "source_reachable": True,
            "lags": dict.fromkeys(GROUPS, GroupLag(0)),
            "quiet": 2.0,
            "slot": Slot(
                active=True, retained=3_000_000, unconfirmed=900, wal_status="reserved", limit=10**9
            ),
            "skew": 0.02,
            "uptime": 500.0,
            "sink_error": sink_error,
            "sink_busy": 0.1,
        }
        return Signals(**{**values, **changes})  # type: ignore[arg-type]

    late = {stage: moment - seconds * MICRO for stage, seconds in
            (("captured", 1), ("normalized", 3), ("linked", 95), ("queryable", 97))}  # fmt: skip
    lags = {**dict.fromkeys(GROUPS, GroupLag(0)), "link": GroupLag(48_200, -310.0)}
    return {
        "police": well(),
        "health": well(),
        "hrss": well(source_reachable=False, heartbeat=moment - 40 * MICRO, slot=None, skew=None),
        "civil": well(frontiers=late, lags=lags),
        "justice": well(
            heartbeats=False,
            heartbeat=None,
            frontiers={},
            connector=None,
            source_reachable=None,
            slot=None,
            skew=None,
        ),
    }


def picture_of(sink_error: str = "", hours: int = 0, observer: Observer | None = None) -> Picture:
    """Return the picture of now, with ``hours`` of history before it."""
    observer = observer or Observer(FEEDS, Calendar())
    now = time.time()
    rng = random.Random(3)
    for minute in range(hours * 60, 0, -1):
        past = now - minute * 60
        lags = {
            name: Signals(now=int(past * MICRO), frontiers={
                "queryable": int((past - rng.expovariate(1.0) - (200 if 300 < minute < 330 else 0)) * MICRO)})
            for name in TITLES if name != "justice"
        }  # fmt: skip
        observer.observe(Look(int(past * MICRO), lags))
    observer.deliver(Delivery("justice.sqjz", "2026-11-20", 1, 120, int((now - 86_400) * MICRO)))
    rates = {
        name: {"captured": 12.5, "normalized": 12.4, "linked": 49.0, "queryable": 12.2}
        for name in ("police", "health")
    }
    verifications = {
        "police.hj_ryjbxx": Verification("police.hj_ryjbxx", int((now - 5000) * MICRO), 0),
        "hrss.ac01": Verification("hrss.ac01", int((now - 9000) * MICRO), 3),
    }
    totals = {feed.id: 100 for feed in FEEDS}
    return observer.observe(Look(int(now * MICRO), signals_of(now, sink_error), rates, totals, verifications))
