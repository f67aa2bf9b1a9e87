"""Dead letters: found in the store, sent again through the same functions, or discarded.

A letter that is sent again has its original bytes, place and so version: a newer change of the same key stays the newer
one, and what had arrived meanwhile makes it superseded. Its new state goes the way of letters into the store, behind
it. A crash between the two leaves it open; sent once more, it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from avro.change import REPLAYED_HEADER, Place, RawEvent, with_origin
from avro.debezium_keys import key_text
from avro.errors import DecodeError
from avro.record import DISCARDED, REPLAYED, DeadLetter, letter_version
from connectors.clickhouse.letters import LetterId
from connectors.feeds import Catalog, Feed
from connectors.files.comparison import COLUMNS_HEADER
from connectors.files.comparison import STAGE as LOAD_STAGE
from connectors.files.layout import Completeness
from connectors.files.ledger import Ledger
from connectors.files.parse import read_again
from connectors.files.rows import LINE_LIMIT, SEQUENCE_LIMIT, Position, change_of, event_of
from streams import topics
from streams.normalize import Normalizer, dead_letter_headers
from streams.producer import Producer
from streams.replay import REPLAY_STAGE, Replay, parse_line


class Reader:
    """From a letter to the event that it is now, with the feeds of now."""

    def __init__(self, catalog: Catalog, normalizer: Normalizer, ledgers: Path) -> None:
        """``ledgers`` is the folder of the deliveries' ledgers."""
        self._catalog = catalog
        self._normalizer = normalizer
        self._ledgers = ledgers

    def event(self, letter: DeadLetter, now: int) -> RawEvent | str:
        """Return the event to send again at ``now`` (microseconds), or why it still cannot be read."""
        try:
            event = self._original(letter)
        except DecodeError as error:
            return f"{error.rule}: {error}"
        marked = [*(event.headers or []), (REPLAYED_HEADER, str(now).encode())]
        event = RawEvent(event.place, event.key, event.value, marked, event.timestamp)
        outcome = self._normalizer.process(event)[0]
        return f"{outcome.rule}: {outcome.error}" if isinstance(outcome, DeadLetter) else event

    def _original(self, letter: DeadLetter) -> RawEvent:
        place = Place(letter.topic, letter.partition, letter.offset)
        if letter.stage == LOAD_STAGE:
            return self._from_file(letter, self._catalog.by_id(letter.feed))
        if letter.stage == REPLAY_STAGE:
            again = parse_line(letter.value or b"", letter.topic.partition(":")[2], letter.offset)
            if isinstance(again, DeadLetter):
                raise DecodeError(again.rule, again.error)
            return again
        return RawEvent(place, letter.key, letter.value, letter.headers, letter.timestamp)

    def _from_file(self, letter: DeadLetter, feed: Feed) -> RawEvent:
        delivery, line = divmod(letter.offset, LINE_LIMIT)
        date, sequence = divmod(delivery, SEQUENCE_LIMIT)
        names = dict(letter.headers or []).get(COLUMNS_HEADER)
        columns = msgspec.json.decode(names, type=tuple[str, ...]) if names else ()
        record = read_again(feed, letter.value or b"", line, columns)
        if record.fields is None:
            raise DecodeError(record.rule, record.error)
        change = change_of(feed, record.fields)
        if feed.layout is not None and feed.layout.delivery is Completeness.FULL:
            # So that a later full delivery without the row deletes it.
            with Ledger(self._ledgers, feed.id) as ledger:
                ledger.remember(key_text(change.key))
        return event_of(feed, change, Position(date, sequence, line), letter.timestamp * 1000)


class HubPost:
    """Sends events and states into the Kafka of a hub."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def events(self, events: Sequence[RawEvent]) -> None:
        """Send events again; returns when they are durable."""
        for event in events:
            self._producer.send(event.place.topic, event.key, event.value, with_origin(event))
        self._producer.flush()

    def states(self, letters: Sequence[DeadLetter]) -> None:
        """Send letters in their new state; returns when they are durable."""
        for letter in letters:
            self._producer.send(topics.DEAD_LETTERS, letter.key, letter.value, dead_letter_headers(letter))
        self._producer.flush()


class StorePost:
    """Takes events and states into the store of a data folder, in this process."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def events(self, events: Sequence[RawEvent]) -> None:
        """See `HubPost`."""
        self._replay.run(events)

    def states(self, letters: Sequence[DeadLetter]) -> None:
        """See `HubPost`."""
        self._replay.run(letters)


class Result(msgspec.Struct):
    """What became of the letters that were chosen. ``unreadable``: they stay open."""

    chosen: int = 0
    replayed: int = 0
    discarded: int = 0
    unreadable: int = 0


def replay(
    pages: Iterable[Sequence[DeadLetter]], reader: Reader, post: HubPost | StorePost, now: int
) -> Iterator[tuple[LetterId, str]]:
    """Send the letters again and mark them. Yields each id with why it still cannot be read, empty when it was sent."""
    for page in pages:
        read = [(letter, reader.event(letter, now)) for letter in page]
        post.events([event for _, event in read if isinstance(event, RawEvent)])
        post.states(
            [_decided(letter, REPLAYED, now) for letter, event in read if isinstance(event, RawEvent)]
        )
        for letter, event in read:
            yield _id(letter), event if isinstance(event, str) else ""


def discard(pages: Iterable[Sequence[DeadLetter]], post: HubPost | StorePost, now: int) -> Iterator[LetterId]:
    """Mark the letters as discarded; yields their ids. Their bytes stay."""
    for page in pages:
        post.states([_decided(letter, DISCARDED, now) for letter in page])
        yield from map(_id, page)


def _id(letter: DeadLetter) -> LetterId:
    return LetterId(letter.topic, letter.partition, letter.offset)


def _decided(letter: DeadLetter, state: str, now: int) -> DeadLetter:
    return replace(letter, state=state, state_version=letter_version(now, failed=False))


def attributes(letter: DeadLetter) -> Mapping[str, object]:
    """Return everything of a letter, bytes as text where they are text."""
    return {
        "id": str(_id(letter)),
        "feed": letter.feed,
        "stage": letter.stage,
        "rule": letter.rule,
        "state": letter.state,
        "error": letter.error,
        "timestamp": letter.timestamp,
        "key": _text(letter.key),
        "value": _text(letter.value),
        "headers": [[name, _text(value)] for name, value in letter.headers or []],
    }


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "backslashreplace")
