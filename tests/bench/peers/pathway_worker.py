"""Pathway at one job, as its documentation shows it: ``PYTHON -m tests.bench.peers.pathway_worker JOB BROKER TOPIC N``.

Its Kafka connectors with raw bytes and a Python function over a column; one worker, commits every 1.5 s, its default.
"""

from __future__ import annotations

import os
import sys

from tests.bench.peers.job import Clock, counted, watch, with_project


def main(job: str, broker: str, topic: str, messages: str) -> None:
    """Run the engine until all messages are delivered."""
    import pathway as pw

    with_project()
    clock = Clock(int(messages))
    handle = counted(job, clock)
    settings = {
        "bootstrap.servers": broker,
        "group.id": f"pathway-{topic}-{os.getpid()}",
        "auto.offset.reset": "earliest",
    }
    # Without a key of its own a row that comes again, as here, would be the same row.
    rows = pw.io.kafka.read(settings, topic=topic, format="raw", autogenerate_key=True)
    made = rows.select(key=pw.this.key, data=pw.apply_with_type(handle, bytes, pw.this.key, pw.this.data))
    pw.io.kafka.write(made, settings, topic_name=f"{topic}.out", format="raw", key=made.key, value=made.data)
    watch(broker, f"{topic}.out", int(messages), clock)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
