"""Quix Streams at one job, as its documentation shows it.

``PYTHON -m tests.bench.peers.quix_worker JOB BROKER TOPIC MESSAGES``: a StreamingDataFrame over bytes, ``apply`` and
``to_topic``; checkpoints every five seconds, which is its default.
"""

from __future__ import annotations

import os
import sys
import tempfile

from tests.bench.peers.job import Clock, counted, watch, with_project


def main(job: str, broker: str, topic: str, messages: str) -> None:
    """Run the engine until all messages are delivered."""
    from quixstreams import Application

    with_project()
    clock = Clock(int(messages))
    handle = counted(job, clock)
    app = Application(
        broker_address=broker,
        consumer_group=f"quix-{topic}-{os.getpid()}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        state_dir=tempfile.mkdtemp(),
        loglevel="ERROR",
    )
    source = app.topic(topic, key_deserializer="bytes", value_deserializer="bytes")
    sink = app.topic(f"{topic}.out", key_serializer="bytes", value_serializer="bytes")
    rows = app.dataframe(source)
    rows = rows.apply(lambda value, key, timestamp, headers: handle(key, value), metadata=True)
    rows.to_topic(sink)
    watch(broker, f"{topic}.out", int(messages), clock)
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
