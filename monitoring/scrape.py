"""Reading the processes' own ``/metrics``: counts by stage and the latency's quantiles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from connectors import tls
from monitoring import metrics

TIMEOUT: Final = 3.0


@dataclass(slots=True)
class Counts:
    """What the stages have counted since they started.

    ``changes`` maps a stage to its outcomes; ``feeds`` a feed to what its changes became in the normalize stage;
    ``rows`` a table to the rows written; ``latency`` is the cumulative histogram from commit to queryable, by upper
    bound in seconds, over all departments.
    """

    changes: dict[str, dict[str, float]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(float))
    )
    feeds: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    rows: dict[str, float] = field(default_factory=dict)
    latency: dict[float, float] = field(default_factory=lambda: defaultdict(float))

    def total(self, stage: str) -> float:
        """Return the changes that left a stage."""
        return sum(self.changes[stage].values()) if stage in self.changes else 0.0

    def outcome(self, stage: str, *names: str) -> int:
        """Return the changes of a stage with one of these outcomes."""
        return int(sum(self.changes[stage].get(name, 0) for name in names)) if stage in self.changes else 0

    def quantile(self, fraction: float) -> float | None:
        """Return a quantile of the latency in seconds, None before the first streamed change."""
        return metrics.quantile(self.latency, fraction)


def read(addresses: Mapping[str, str]) -> Counts:
    """Return the counts of the processes at these ``/metrics`` addresses; one that does not answer counts nothing."""
    counts = Counts()
    for address in addresses.values():
        try:
            text = httpx.get(address, timeout=TIMEOUT, verify=tls.trusted()).text
        except httpx.HTTPError:
            continue
        add(counts, text)
    return counts


def add(counts: Counts, text: str) -> None:
    """Add what a text of metrics says."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            match sample.name:
                case "renkou_changes_total":
                    stage, outcome = sample.labels["stage"], sample.labels["outcome"]
                    counts.changes[stage][outcome] += sample.value
                    if stage == "normalize":
                        counts.feeds[sample.labels["feed"]][outcome] += int(sample.value)
                case "renkou_rows_written_total":
                    counts.rows[sample.labels["table"]] = sample.value
                case "renkou_commit_to_queryable_seconds_bucket":
                    counts.latency[float(sample.labels["le"])] += sample.value
