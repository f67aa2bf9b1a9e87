"""Bytewax at one job, as its documentation shows it: ``PYTHON -m tests.bench.peers.bytewax_worker JOB BROKER TOPIC N``.

Its Kafka operators with their default batches of a thousand, one worker.
"""

from __future__ import annotations

import sys

from tests.bench.peers.job import Clock, counted, watch, with_project


def main(job: str, broker: str, topic: str, messages: str) -> None:
    """Run the engine until all messages are delivered."""
    import bytewax.operators as op
    from bytewax.connectors.kafka import KafkaSinkMessage
    from bytewax.connectors.kafka import operators as kop
    from bytewax.dataflow import Dataflow
    from bytewax.testing import run_main

    with_project()
    clock = Clock(int(messages))
    handle = counted(job, clock)
    flow = Dataflow("bench")
    found = kop.input("in", flow, brokers=[broker], topics=[topic])
    made = op.map("work", found.oks, lambda row: KafkaSinkMessage(row.key, handle(row.key, row.value)))
    kop.output("out", made, brokers=[broker], topic=f"{topic}.out")
    watch(broker, f"{topic}.out", int(messages), clock)
    run_main(flow)


if __name__ == "__main__":
    main(*sys.argv[1:])
