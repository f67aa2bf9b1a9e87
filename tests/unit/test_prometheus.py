"""Prometheus's rules, each with promtool: not before its time, in its time, and over; and every mutation is noticed.

A rule that can be changed without a test failing is not tested. So every threshold, comparison and ``for`` is changed,
each in a copy of its rule with a name of its own, and promtool must refuse each copy. All of it is one run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from connectors.feeds import Catalog
from monitoring import metrics
from monitoring.conditions import RUNBOOK
from monitoring.expectation import SILENCE
from monitoring.status import SKEW_LIMIT, SLOT_SHARE, SLOT_WARN

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docker" / "prometheus" / "rules"
STEP = 10
BEGIN, END, LAST = 900, 1560, 1680
"""Seconds: well before, wrong from, well again from, end."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: install the Debian package prometheus"
)

Value = Callable[[int], float | None]


def steady(value: float | None) -> Value:
    return lambda t: value


def turning(good: float | None, bad: float | None) -> Value:
    """``good``, then ``bad`` from BEGIN to END, then ``good``."""
    return lambda t: bad if BEGIN <= t < END else good


def behind(good: float, bad: float) -> Value:
    """A time that lies so many seconds back."""
    return lambda t: t - (bad if BEGIN <= t < END else good)


def rising(rate: float) -> Value:
    """A counter that rises by so much a second."""
    return lambda t: t * rate


@dataclass
class Case:
    """What makes a rule fire: ``series`` by name with labels. ``labels`` are those of the alert besides severity.

    Seconds after BEGIN: ``quiet`` is the last look at which nothing fires, ``fires`` the first at which it does;
    seconds after END: ``still`` it fires, ``over`` no more. They follow from ``for`` when not given.
    """

    series: dict[str, Value]
    labels: dict[str, str] = field(default_factory=dict)
    quiet: int | None = None
    fires: int | None = None
    still: int = -STEP
    over: int = 0


POLICE = {"department": "police"}
FEED = {"feed": "police.hj_hjxx"}
UP = 'up{job="renkou", instance="store"}'


def state(name: str) -> Case:
    series = f'renkou_source_state{{department="police", state="{name}"}}'
    return Case({series: turning(0, 1)}, {**POLICE, "state": name})


def delay(side: str, severity: str) -> Case:
    objective = f'renkou_objective_seconds{{department="police", delay="{side}", severity="{severity}"}}'
    return Case(
        {f'renkou:{side}_delay:seconds{{department="police"}}': turning(300, 301), objective: steady(300)},
        POLICE,
    )


def counting(metric: str, good: float, bad: float) -> Case:
    """A counter that rises by ``bad`` once, at BEGIN, over a ten minutes' window; before that by ``good``."""
    window = 600

    def value(t: int) -> float:
        return (good if t >= 300 else 0) + (bad if t >= BEGIN else 0)

    # An increase is extrapolated to the window's edges: it shows at once and goes when the step leaves the window.
    return Case(
        {metric: value}, {}, -STEP, 0, BEGIN + window - END - 2 * STEP, BEGIN + window - END + 2 * STEP
    )


CASES: dict[str, Case] = {
    "RenkouProcessDown": Case({UP: turning(1, 0)}, {"job": "renkou", "instance": "store"}),
    "RenkouMetricsAbsent": Case({UP: turning(1, None)}, {"job": "renkou"}),
    "RenkouWatchFrozen": Case({"renkou_watch_timestamp_seconds": behind(30, 31)}),
    "RenkouWatchAbsent": Case({"renkou_watch_timestamp_seconds": turning(1, None)}),
    "RenkouSourceDown": state("source down"),
    "RenkouConnectorStalled": state("connector stalled"),
    "RenkouConsumerLagging": state("consumer lagging"),
    "RenkouSinkFailing": state("sink failing"),
    "RenkouSourceDelayWarning": delay("source", "warning"),
    "RenkouSourceDelayError": delay("source", "error"),
    "RenkouHubDelayWarning": delay("hub", "warning"),
    "RenkouHubDelayError": delay("hub", "error"),
    "RenkouSlotGrowth": Case(
        {
            'renkou_slot_retained_bytes{department="police"}': turning(500, 501),
            'renkou_slot_limit_bytes{department="police"}': steady(1000),
        },
        POLICE,
    ),
    "RenkouSlotUnlimited": Case(
        {
            'renkou_slot_retained_bytes{department="police"}': turning(2**30, 2**30 + 1),
            'renkou_slot_retained_bytes{department="hrss"}': steady(2**31),
            'renkou_slot_limit_bytes{department="hrss"}': steady(2**40),
        },
        POLICE,
    ),
    "RenkouClockSkew": Case({'renkou_clock_skew_seconds{department="police"}': turning(-5, -5.1)}, POLICE),
    "RenkouDeliveryLate": Case({'renkou_delivery_late{feed="police.hj_hjxx"}': turning(0, 1)}, FEED),
    "RenkouDeliverySize": Case(
        {
            'renkou_alerts{kind="delivery-size", severity="warning"}': turning(0, 1),
            'renkou_alerts{kind="silence", severity="warning"}': steady(1),
        }
    ),
    "RenkouCalendar": Case(
        {
            'renkou_alerts{kind="calendar", severity="warning"}': turning(0, 1),
            'renkou_alerts{kind="silence", severity="warning"}': steady(1),
        }
    ),
    "RenkouSilence": Case({'renkou_missed_changes{feed="police.hj_hjxx"}': turning(13.9, 14)}, FEED),
    "RenkouVerification": Case(
        {
            'renkou_verify_differences{feed="police.hj_hjxx", kind="missing"}': turning(0, 1),
            'renkou_verify_differences{feed="police.hj_hjxx", kind="surplus"}': steady(0),
        },
        FEED,
    ),
    "RenkouStoreAttention": Case({"renkou_store_complaints": turning(0, 1)}),
    "RenkouDeadLetters": counting('renkou_changes_total{feed="police.hj_hjxx", outcome="dead_letter"}', 0, 1),
    "RenkouNotifications": counting('renkou_notifications_total{channel="mail", outcome="failed"}', 2.9, 3.1),
    "RenkouSlowToQueryable": Case(
        {'renkou:commit_to_queryable:p99_5m{department="police"}': turning(60, 61)}, POLICE
    ),
}
CASES["RenkouDeadLetters"].labels = FEED
CASES["RenkouNotifications"].labels = {"channel": "mail"}


@cache
def load(name: str) -> Any:
    return yaml.safe_load((RULES / name).read_text(encoding="utf-8"))


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in load("alerts.yml")["groups"] for rule in group["rules"]}


def seconds(duration: str) -> int:
    return sum(
        int(n) * {"s": 1, "m": 60, "h": 3600}[unit] for n, unit in re.findall(r"(\d+)([smh])", duration)
    )


def test_every_rule_has_a_case_and_everything_that_whoever_is_told_needs() -> None:
    rules = alerts()
    assert rules.keys() == CASES.keys() | {"RenkouWatchdog"}
    sections = {
        line.removeprefix("## ").strip()
        for line in (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("## ")
    }
    expected = [rule for group in load("expected.yml")["groups"] for rule in group["rules"]]
    for rule in [*rules.values(), *expected]:
        assert rule["labels"]["severity"] in ("error", "warning", "none")
        zh, en = rule["annotations"]["summary"].split(" / ", 1)
        assert any("一" <= letter <= "鿿" for letter in zh)
        assert en.isascii()
        link = rule["annotations"]["runbook_url"]
        assert link.startswith(RUNBOOK)
        assert link.removeprefix(RUNBOOK) in sections, link


def test_the_expected_sources_are_those_of_the_catalogue() -> None:
    rules = [rule for group in load("expected.yml")["groups"] for rule in group["rules"]]
    named = {rule["expr"]: rule["labels"]["department"] for rule in rules}
    departments = {department.name for department in Catalog.load(None).departments}
    assert named == {f'absent(renkou_source_state{{department="{name}"}})': name for name in departments}


def test_the_rules_thresholds_are_the_hubs_own() -> None:
    rules = alerts()
    assert f"> {SKEW_LIMIT:.0f}" in rules["RenkouClockSkew"]["expr"]
    assert f"{SLOT_SHARE} *" in rules["RenkouSlotGrowth"]["expr"]
    assert f"> {SLOT_WARN}" in rules["RenkouSlotUnlimited"]["expr"]
    assert f">= {SILENCE:.0f}" in rules["RenkouSilence"]["expr"]


def test_every_metric_of_a_rule_is_one_that_the_hub_publishes() -> None:
    metrics.declare_build()
    published = {"up"}
    for family in REGISTRY.collect():
        published |= {family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_info"}
    texts = [str(rule["expr"]) for name in ("alerts.yml", "recording.yml", "expected.yml")
             for group in load(name)["groups"] for rule in group["rules"]]  # fmt: skip
    recorded = {rule["record"] for group in load("recording.yml")["groups"] for rule in group["rules"]}
    for text in texts:
        for name in re.findall(r"renkou[:_][a-z0-9_:]+", text):
            assert name in published | recorded, name


def mutations(rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rule with each of its thresholds, its comparison and its duration changed, under names of their own."""
    expr, found = rule["expr"], []
    # Numbers outside of names, texts and ranges.
    for match in re.finditer(r"(?<![\w\".\[])\d+(?:\.\d+)?(?![\w\"\].])", expr):
        number = float(match[0])
        for other in (number * 2, number / 2) if number else (1, -1):
            found.append({"expr": f"{expr[: match.start()]}{other:g}{expr[match.end() :]}"})
    opposite = {">=": "<", ">": "<=", "==": "!=", "<": ">="}
    for match in re.finditer(r"(?<!\{)(?<![\w\"])\s(>=|>|==|<)\s", expr):
        found.append({"expr": f"{expr[: match.start(1)]}{opposite[match[1]]}{expr[match.end(1) :]}"})
    for match in re.finditer(r"\[(\d+)m\]", expr):
        for other in (int(match[1]) * 2, int(match[1]) // 2):
            found.append({"expr": f"{expr[: match.start(1)]}{other}{expr[match.end(1) :]}"})
    if "for" in rule:
        half, double = seconds(rule["for"]) // 2, seconds(rule["for"]) * 2
        found += [{"for": f"{half}s"}, {"for": f"{double}s"}]
    if not found:
        # Nothing to move: at least that it looks at what it says it does.
        found.append({"expr": expr.replace("renkou", "other")})
    for number, change in enumerate(found):
        yield {**rule, **change, "alert": f"{rule['alert']}Mutation{number}"}


def looks(rule: dict[str, Any], case: Case) -> list[tuple[int, bool]]:
    """Return when to look, and whether it must fire then."""
    wait = seconds(rule.get("for", ""))
    quiet = case.quiet if case.quiet is not None else wait - STEP
    fires = case.fires if case.fires is not None else wait
    return [
        (BEGIN - STEP, False),
        (BEGIN + quiet, False),
        (BEGIN + fires, True),
        (END + case.still, True),
        (END + case.over, False),
        (LAST - 60, False),
    ]


def series_of(case: Case) -> list[dict[str, str]]:
    return [
        {
            "series": name,
            "values": " ".join(
                "stale" if (number := value(t)) is None else repr(float(number))
                for t in range(0, LAST + STEP, STEP)
            ),
        }
        for name, value in case.series.items()
    ]


def expectation(name: str, rule: dict[str, Any], case: Case, at: int, fires: bool) -> dict[str, Any]:
    annotations = {
        key: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: case.labels[match[1]], text)
        for key, text in rule["annotations"].items()
    }
    labels = {**case.labels, "severity": rule["labels"]["severity"]}
    alert = {"exp_labels": labels, "exp_annotations": annotations}
    return {"eval_time": f"{at}s", "alertname": name, "exp_alerts": [alert] if fires else []}


def promtool(folder: Path, parts: list[tuple[list[dict[str, Any]], dict[str, Any]]]) -> str:
    """Return what promtool says about these parts: rules, and the test of them.

    A file each, since every rule of a file is worked out for every one of its tests.
    """
    files = []
    for number, (rules, test) in enumerate(parts):
        names = f"rules{number}.yml", f"tests{number}.yml"
        documents = (
            {"groups": [{"name": "all", "rules": rules}]},
            {"rule_files": [names[0]], "evaluation_interval": f"{STEP}s", "tests": [test]},
        )
        for name, document in zip(names, documents, strict=True):
            # JSON is YAML too, and quick to write.
            (folder / name).write_text(json.dumps(document), encoding="utf-8")
        files.append(str(folder / names[1]))
    command = ["promtool", "test", "rules", *files]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode in (0, 1), answer.stderr
    return answer.stdout + answer.stderr


@needs_promtool
def test_each_rule_fires_in_its_time_and_no_mutation_of_it_passes(tmp_path: Path) -> None:
    parts, mutants = [], []
    for name, case in CASES.items():
        rule = alerts()[name]
        copies = list(mutations(rule))
        assert copies
        mutants += [copy["alert"] for copy in copies]
        test = {
            "interval": f"{STEP}s",
            "input_series": series_of(case),
            "alert_rule_test": [
                expectation(one["alert"], rule, case, at, fires)
                for one in [rule, *copies]
                for at, fires in looks(rule, case)
            ],
        }
        parts.append(([rule, *copies], test))
    answer = promtool(tmp_path, parts)
    refused = set(re.findall(r"alertname:\s*(\w+)", answer))
    assert refused & CASES.keys() == set(), answer[:4000]
    assert set(mutants) - refused == set()
    assert len(mutants) > 50


@needs_promtool
def test_the_watchdog_always_fires_and_every_expected_source_is_missed(tmp_path: Path) -> None:
    expected = [rule for group in load("expected.yml")["groups"] for rule in group["rules"]]
    watchdog = alerts()["RenkouWatchdog"]
    at_all_times = [expectation("RenkouWatchdog", watchdog, Case({}), at, True) for at in (0, BEGIN, LAST)]
    test: dict[str, Any] = {"interval": f"{STEP}s", "input_series": [], "alert_rule_test": at_all_times}
    parts = [([watchdog], test)]
    for rule in expected:
        department = rule["labels"]["department"]
        others = {
            f'renkou_source_state{{department="{one["labels"]["department"]}", state="idle"}}': steady(1)
            for one in expected
            if one is not rule
        }
        case = Case(
            {**others, f'renkou_source_state{{department="{department}", state="idle"}}': turning(1, None)},
            {"department": department},
        )
        looked = [expectation(rule["alert"], rule, case, at, fires) for at, fires in looks(rule, case)]
        test = {"interval": f"{STEP}s", "input_series": series_of(case), "alert_rule_test": looked}
        parts.append(([rule], test))
    answer = promtool(tmp_path, parts)
    assert "FAILED" not in answer, answer[:4000]
    assert answer.count("SUCCESS") == len(parts)


@needs_promtool
def test_the_recorded_values(tmp_path: Path) -> None:
    rules = [rule for group in load("recording.yml")["groups"] for rule in group["rules"]]
    series: dict[str, Value] = {
        'renkou_heartbeat_timestamp_seconds{department="a"}': behind(7, 7),
        'renkou_captured_timestamp_seconds{department="a"}': behind(10, 10),
        'renkou_frontier_timestamp_seconds{department="a", stage="queryable"}': behind(25, 25),
        'renkou_frontier_timestamp_seconds{department="a", stage="linked"}': behind(99, 99),
        'renkou_captured_timestamp_seconds{department="b"}': behind(10, 10),
        'renkou_frontier_timestamp_seconds{department="b", stage="queryable"}': behind(70, 70),
        'renkou_clock_skew_seconds{department="b"}': steady(-58),
        'renkou_changes_total{stage="normalize", feed="f", outcome="record", instance="1"}': rising(2),
        'renkou_changes_total{stage="normalize", feed="f", outcome="record", instance="2"}': rising(3),
    }
    for bound, count in (("0.1", 98.0), ("1", 100.0), ("+Inf", 100.0)):
        name = f'renkou_commit_to_queryable_seconds_bucket{{department="a", le="{bound}"}}'
        series[name] = rising(count)
    values = {
        'renkou:heartbeat_age:seconds{department="a"}': 7,
        'renkou:source_delay:seconds{department="a"}': 10,
        'renkou:hub_delay:seconds{department="a"}': 15,
        'renkou:hub_delay:seconds{department="b"}': 2,
        'renkou:changes:rate5m{stage="normalize", feed="f", outcome="record"}': 5,
        # One percent of a hundred lies half way between 0.1 and 1.
        'renkou:commit_to_queryable:p99_5m{department="a"}': 0.55,
    }
    test = {
        "interval": f"{STEP}s",
        "input_series": series_of(Case(series)),
        "promql_expr_test": [
            {"expr": name, "eval_time": "1200s", "exp_samples": [{"labels": name, "value": value}]}
            for name, value in values.items()
        ],
    }
    answer = promtool(tmp_path, [(rules, test)])
    assert "SUCCESS" in answer, answer[:4000]
    assert {name.partition("{")[0] for name in values} == {rule["record"] for rule in rules}


@needs_promtool
def test_configuration_and_metric_names_pass_prometheus_own_checks() -> None:
    folder = RULES.parent
    checks = [
        (["promtool", "check", "rules", *map(str, sorted(RULES.glob("*.yml")))], None),
        (["promtool", "check", "config", "--syntax-only", str(folder / "prometheus.yml")], None),
    ]
    for command, text in checks:
        answer = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    names = "".join(
        f"# HELP {family.name} x\n" for family in REGISTRY.collect() if family.name.startswith("renkou")
    )
    assert names.count("# HELP") > 20
    from prometheus_client import generate_latest

    answer = subprocess.run(
        ["promtool", "check", "metrics"], input=generate_latest(REGISTRY).decode(), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    complaints = [
        line for line in answer.stdout.splitlines() + answer.stderr.splitlines() if line.startswith("renkou")
    ]
    assert complaints == []


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is missing: install prometheus-alertmanager"
)
def test_alertmanagers_configuration_is_valid() -> None:
    path = ROOT / "docker" / "alertmanager" / "alertmanager.yml"
    answer = subprocess.run(
        ["amtool", "check-config", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
