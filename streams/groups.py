"""Positions of consumer groups, read and set from outside of Faust."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Final

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.errors import BrokerUnavailableError

log = structlog.get_logger()

TIMEOUT: Final = 10.0


def position(bootstrap: str, group: str, topic: str) -> int:
    """Return the group's next offset in partition 0 of ``topic``, 0 when it has none."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
    answer = _result(admin.list_consumer_group_offsets([wanted], request_timeout=TIMEOUT)[group], bootstrap)
    return max(0, int(answer.topic_partitions[0].offset))


def set_back(bootstrap: str, group: str, topic: str, offset: int) -> None:
    """Set the group's next offset in partition 0 of ``topic`` back to ``offset`` when it is ahead of it.

    The group must have no live member.

    Raises BrokerUnavailableError, also while the broker still counts a killed member as alive: try again.
    """
    if position(bootstrap, group, topic) <= offset:
        return
    admin = AdminClient({"bootstrap.servers": bootstrap})
    request = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])
    answer = _result(admin.alter_consumer_group_offsets([request], request_timeout=TIMEOUT)[group], bootstrap)
    refused = answer.topic_partitions[0].error
    if refused is not None:
        raise BrokerUnavailableError(
            f"the position of {group} cannot be set yet: {refused.name()}; it is tried again"
        )
    log.info("position set back to the linker's own", group=group, offset=offset)


def _result(future: Future[Any], bootstrap: str) -> Any:
    try:
        return future.result(TIMEOUT)
    except KafkaException as error:
        raise BrokerUnavailableError(
            f"Kafka at {bootstrap}: {error.args[0].name()}; it is tried again"
        ) from error
