"""What metrics cost a change, side by side with what the change costs the sink: CPU time, the same process.

`python -m tests.bench.metrics_cost`; prints JSON. The budget's cheapest whole chain is 142 µs an event.
"""

from __future__ import annotations

import json
import platform
import time

import psutil

from monitoring import metrics

CHANGES = 50_000
BATCH = 5_000
ROUNDS = 5
CHAIN_MICROSECONDS = 142.0


def cost() -> float:
    """Return the microseconds of CPU that the metrics of one change take in all stages, as the stages call them."""
    best = float("inf")
    now = time.time_ns() // 1000
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CHANGES // BATCH):
            counts: dict[tuple[str, str], int] = {}
            latencies: list[float] = []
            for number in range(BATCH):
                place = ("police.hj_hjxx", "record")
                counts[place] = counts.get(place, 0) + 1
                latencies.append((now - number) / 1e6)
            for (feed, outcome), count in counts.items():
                metrics.CHANGES.labels("normalize", feed, outcome).inc(count)
            metrics.QUERYABLE_SECONDS.observe("police", latencies)
            for stage in ("normalize", "link", "store"):
                with metrics.BATCH_SECONDS.labels(stage).time():
                    pass
        best = min(best, (time.process_time() - began) / CHANGES * 1e6)
    return best


def main() -> None:
    """Measure and print."""
    each = cost()
    share = each / CHAIN_MICROSECONDS
    machine = f"{psutil.cpu_count()} cores, {platform.python_version()}, {platform.machine()}"
    print(
        json.dumps({"us_per_change": round(each, 3), "share_of_chain": round(share, 5), "machine": machine})
    )


if __name__ == "__main__":
    main()
