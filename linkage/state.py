"""The linker's state in memory: rows, their mentions, the graph of what they say, and the persons.

Nothing here decides; `linkage.engine` does. Objects refer to each other for speed: a mention to its row, node and
person, a person to its mentions. The order of mentions in a node or person means nothing, so a restored state may
differ in it. What a mention says is kept on the disk (`linkage.values`), and read when its golden
record is made or it changes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from avro.record import EVIDENCE, PERSON_ELEMENTS, Mention, MentionPlace, TableName, TableSwitch
from linkage.decisions import DecisionBook
from linkage.errors import AuthorityError
from linkage.features import Features, features_of
from linkage.generic import GenericValues, default_generic
from linkage.golden import GoldenRecords
from linkage.graph import Graph, Look
from linkage.ids import Anchor, KnownIds, anchor_of
from linkage.node import Node
from linkage.values import Values
from linkage.weights import Weights, default_weights

Authority = Mapping[str, Sequence[str]]
"""Element to the feeds that are trusted for it, most trusted first; feeds that are not named come after all
of them."""

ELEMENT_INDEX: Final[dict[str, int]] = {element: index for index, element in enumerate(PERSON_ELEMENTS)}
pack: Final = msgspec.msgpack.Encoder().encode
unpack: Final = msgspec.msgpack.Decoder(Mention).decode


class Rule(StrEnum):
    """Why a mention is in its person, in short; `linkage.why` has the evidence.

    ``id_number``: another mention there has the same number. ``evidence``: linked without that. ``decision``: a
    steward says so. ``only_mention``: the person has no other. ``kept_apart``: nor has it, though others have its
    number.
    """

    ID_NUMBER = "id_number"
    EVIDENCE = "evidence"
    DECISION = "decision"
    ONLY_MENTION = "only_mention"
    KEPT_APART = "kept_apart"


def check_authority(authority: Authority) -> None:
    """Raise AuthorityError when ``authority`` names what is no element of a person."""
    for element in authority:
        if element not in ELEMENT_INDEX:
            raise AuthorityError(
                f"authority is declared for {element!r}, no element of a person; mend the declaration"
            )


NEVER: Final = -1
"""The version of a key that was never seen: below every version."""


class Origin:
    """A feed as golden records see it: for each element of a person how much it is trusted, 0 the most.

    Never changed but for its place among all feeds by name: another authority makes other origins.
    """

    __slots__ = ("name", "place", "ranks")

    def __init__(self, name: str, ranks: tuple[int, ...]) -> None:
        self.name = name
        self.ranks = ranks
        self.place = 0


class FeedState:
    """The rows of one feed. ``deleted`` remembers the versions of deleted keys for ever, so that nothing that
    comes late is resurrected; everything below ``truncated`` is gone by a mark and need not be remembered."""

    __slots__ = ("deleted", "department", "name", "origin", "rows", "table", "truncated")

    def __init__(self, origin: Origin) -> None:
        self.name = origin.name
        self.department, _, self.table = origin.name.partition(".")
        self.origin = origin
        self.rows: dict[str, RowState] = {}
        self.deleted: dict[str, int] = {}
        self.truncated = NEVER

    def version_of(self, key: str) -> int:
        """Return the version of the newest state of ``key``, live or deleted; `NEVER` when it was not
        seen."""
        row = self.rows.get(key)
        return self.deleted.get(key, NEVER) if row is None else row.version


class RowState:
    """A live source row. ``placeholder``: its create is still to come, with this very version; the delete
    half of a primary-key change came first and left the mentions here."""

    __slots__ = ("feed", "key", "mentions", "placeholder", "source_time", "version")

    def __init__(
        self, feed: FeedState, key: str, version: int, source_time: int, placeholder: bool = False
    ) -> None:
        self.feed = feed
        self.key = key
        self.version = version
        self.source_time = source_time
        self.placeholder = placeholder
        self.mentions: tuple[MentionState, ...] = ()


class MentionState:
    """A live mention. ``serial`` counts mentions in the order of the log: the smaller the older.

    ``node`` is its place in the graph, 0 while it has none. ``value`` refers to what it says (`linkage.values`),
    ``invalid`` is an ID number that was refused, as the source wrote it. ``person`` is None only while an entry is
    worked on.
    """

    __slots__ = ("invalid", "node", "ordinal", "person", "role", "row", "rule", "serial", "value")

    def __init__(self, row: RowState, role: str, ordinal: int, serial: int, value: int, invalid: str) -> None:
        self.row = row
        self.role = role
        self.ordinal = ordinal
        self.serial = serial
        self.value = value
        self.invalid = invalid
        self.node = 0
        self.person: PersonEntry | None = None
        self.rule = Rule.ONLY_MENTION

    @property
    def place(self) -> MentionPlace:
        """Where the mention stands now."""
        feed = self.row.feed
        return MentionPlace(feed.department, feed.table, self.row.key, self.role, self.ordinal)


class PersonEntry:
    """An active person. ``digest`` is of the golden record as it was last published."""

    __slots__ = ("digest", "mentions", "number", "split_from")

    def __init__(self, number: int, split_from: int | None) -> None:
        self.number = number
        self.split_from = split_from
        self.digest = b""
        self.mentions: list[MentionState] = []


class LinkState:
    """Everything that the linker knows; a function of the log up to ``offset``, the next entry that it
    wants."""

    def __init__(
        self, authority: Authority, weights: Weights | None = None, values: Values | None = None
    ) -> None:
        """``values`` keeps what mentions say, in memory if None. Raises AuthorityError, WeightsError."""
        check_authority(authority)
        self.values = Values() if values is None else values
        self.authority = authority
        self.decisions = DecisionBook()
        self.graph = self._new_graph(weights or default_weights())
        self.offset = 0
        self.next_person = 1
        self.next_serial = 1
        self.refresh = False
        """All golden records are to be made again with the next entry: the authority changed."""
        self.feeds: dict[str, FeedState] = {}
        self.golden = GoldenRecords(self.values)
        self.persons: dict[int, PersonEntry] = {}
        self.merged: dict[int, int] = {}
        self.mention_count = 0
        # Reviews are found in the state, so their module needs this one.
        from linkage.reviews import ReviewBook

        self.reviews = ReviewBook()
        self.generic = default_generic()
        self.switched: dict[TableName, int] = {}
        """When each table was switched to, microseconds since 1970; those that are the program's own are absent."""
        self.known: KnownIds | None = None
        """The ids of a state before this one, until the log is read as far as that had."""
        self.anchored: set[int] = set()
        """Serials of live mentions that a rebuild has taken over."""

    def use_table(self, table: TableName, text: str, switched_at: int) -> None:
        """Go by another table, switched to then (microseconds since 1970), with an empty graph: whoever calls brings
        the mentions in. Raises WeightsError when the table cannot be gone by; nothing has changed then."""
        if table is TableName.WEIGHTS:
            self.graph = self._new_graph(Weights(text, table))
        else:
            self.generic = GenericValues(text, table)
            self.graph = self._new_graph(self.graph.scorer.weights)
        self.switched[table] = switched_at

    def table(self, table: TableName) -> str:
        """Return the text of the table in force."""
        return self.graph.scorer.weights.text if table is TableName.WEIGHTS else self.generic.text

    def is_older(self, switch: TableSwitch) -> bool:
        """Say whether the table in force was switched to at the same time or later."""
        return switch.switched_at <= self.switched.get(switch.table, -1)

    def take_over(self, known: KnownIds) -> None:
        """Go on with the ids of a state before this one, which must be empty."""
        self.known = known
        self.merged = dict(known.merged)
        self.next_person, self.next_serial = known.next_person, known.next_serial

    def use_authority(self, authority: Authority) -> None:
        """Go on with another authority: with the next entry all golden records are made again by it.

        Raises AuthorityError when it names an unknown element.
        """
        check_authority(authority)
        self.authority = authority
        self.refresh = True
        for feed in self.feeds.values():
            feed.origin = self._origin(feed.name)
        self._register()

    def feed(self, name: str) -> FeedState:
        """Return the feed's state, made when it is new."""
        feed = self.feeds.get(name)
        if feed is None:
            feed = self.feeds[name] = FeedState(self._origin(name))
            self._register()
        return feed

    def _register(self) -> None:
        self.golden.register([feed.origin for feed in self.feeds.values()])

    def _origin(self, feed: str) -> Origin:
        ranks = []
        for element in PERSON_ELEMENTS:
            trusted = self.authority.get(element, ())
            ranks.append(trusted.index(feed) if feed in trusted else len(trusted))
        return Origin(feed, tuple(ranks))

    def add(self, mention: MentionState, features: Features) -> None:
        """Bring a mention that has no node into the graph."""
        alone = len(self.decisions) > 0 and self.decisions.binds(mention.place)
        mention.node = self.graph.add(mention, features, alone=alone)

    def at(self, place: MentionPlace) -> MentionState | None:
        """Return the live mention at a place, None when there is none."""
        return self.mention(place.feed, place.key, place.role, place.ordinal)

    def _new_graph(self, weights: Weights) -> Graph:
        # What the graph asks for it must not hold: its memory goes with the state, not with the next collection.
        state = weakref.proxy(self)
        return Graph(weights, lambda node: state.verdicts(node), lambda mention: state.features_of(mention))

    def node_of(self, mention: MentionState) -> Node:
        """Return the node that the mention is of, to be looked at until something changes."""
        return Look(self.graph)(mention.node)

    def features_of(self, mention: MentionState) -> Features:
        """Return what linking looks at in a mention."""
        return features_of(self.read(mention), mention.invalid, self.generic)

    def read(self, mention: MentionState) -> Mention:
        """Return what a mention says."""
        return unpack(self.values.said(mention.value))

    def say(self, mention: MentionState, said: bytes) -> None:
        """Keep what a mention says now, packed, in the place of what it said before."""
        before = mention.value
        mention.value = self.values.put(said, mention.row.key)
        if before:
            self.values.free(before)

    def verdicts(self, node: int) -> Iterator[tuple[int, Callable[[int], int]]]:
        """Yield whom standing decisions name with a node, and what becomes of the pair's score."""
        for mention in self.graph.members[node]:
            for verdict in self.decisions.verdicts(mention.place):
                other = self.at(verdict.other)
                if other is not None:
                    yield other.node, verdict.score

    def mention(self, feed: str, key: str, role: str, ordinal: int) -> MentionState | None:
        """Return a live mention, None when there is none."""
        state = self.feeds.get(feed)
        row = None if state is None else state.rows.get(key)
        return None if row is None else find_mention(row, role, ordinal)

    def anchor(self, place: MentionPlace) -> Anchor | None:
        """Return the id of which the mention is the anchor, while a rebuild goes on; None when it is of none."""
        return None if self.known is None else self.known.anchors.get(anchor_of(place))

    def claims(self, mention: MentionState, claimed: Sequence[int]) -> int | None:
        """Return the id that a rebuild gives to whoever has the mention, None when it is none or in use.

        One that was merged on the way is given back, unless it was merged into one of ``claimed``.
        """
        anchor = self.anchor(mention.place)
        if anchor is None or anchor.number in self.persons or self.resolve(anchor.number) in claimed:
            return None
        return anchor.number

    def resolve(self, number: int) -> int:
        """Return the person that ``number`` goes on as: itself, unless it was merged."""
        while number in self.merged:
            number = self.merged[number]
        return number


def find_mention(row: RowState, role: str, ordinal: int) -> MentionState | None:
    """Return the row's mention in that role, None when there is none."""
    for mention in row.mentions:
        if mention.ordinal == ordinal and mention.role == role:
            return mention
    return None


def merge_unchanged(mention: Mention, stored: Mention) -> Mention:
    """Return ``mention`` with what is stored where the source did not send it."""
    kept = {
        name: getattr(stored, name) for name in (*PERSON_ELEMENTS, *EVIDENCE) if name in mention.unchanged
    }
    return msgspec.structs.replace(mention, unchanged=(), **kept)
