"""The idempotent producer of the stages: what is sent counts only after `flush`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as KafkaProducer

from streams.errors import BrokerUnavailableError

log = structlog.get_logger()

QUEUE_MESSAGES: Final = 200_000
"""Messages in librdkafka's queue; a chunk and what it leads to must fit, or `send` waits."""
LINGER_MS: Final = 20
"""A wait fills requests under load: at 2 ms each held some forty records, and sending cost three times as much. Nobody
waits so long for it, because a flush sends at once whatever the wait."""
FLUSH_STEP: Final = 5.0
"""Seconds between two looks at the flush: how soon a broken broker is reported."""

Headers = Sequence[tuple[str, bytes | None]]


class Producer:
    """Sends messages in order and exactly once per session; waits for a broker that is away, for ever."""

    def __init__(self, bootstrap: str) -> None:
        self._error: KafkaError | None = None
        self._producer = KafkaProducer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": LINGER_MS,
                "compression.type": "lz4",
                "queue.buffering.max.messages": QUEUE_MESSAGES,
                "queue.buffering.max.kbytes": 512 * 1024,
                "batch.size": 512 * 1024,
                # Never give a message up: a stage whose broker is away stops, and goes on when it is back.
                "message.timeout.ms": 0,
                "delivery.report.only.error": True,
                "on_delivery": self._on_delivery,
                "error_cb": self._on_error,
            }
        )
        self.waiting = False
        """True while a flush has waited longer than a step: the process is not ready."""

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        """Queue a message. Blocks while the queue is full."""
        while True:
            try:
                if headers is None:
                    self._producer.produce(topic, value, key)
                else:
                    self._producer.produce(topic, value, key, headers=list(headers))
                return
            except BufferError:
                self._producer.poll(0.05)

    def flush(self) -> None:
        """Return when the broker has acknowledged everything sent. Raises BrokerUnavailableError."""
        try:
            while self._producer.flush(FLUSH_STEP):
                if not self.waiting:
                    log.warning("waiting for the broker", pending=len(self._producer))
                self.waiting = True
                self._raise()
        finally:
            if not len(self._producer):
                self.waiting = False
        self._raise()

    def close(self) -> None:
        """Leave the broker; what was sent and not flushed may be lost. For a producer that ends before its process."""
        self._producer.close()

    def _on_delivery(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._error = error

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._error = error
        else:
            log.warning("broker", error=error.name())

    def _raise(self) -> None:
        if self._error is not None:
            raise BrokerUnavailableError(
                f"the broker refused a message: {self._error.name()}; see the broker's log"
            ) from KafkaException(self._error)
