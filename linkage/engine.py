"""The linking engine: entries of the log in, changes of identities and persons out.

Pure in inputs and state, one log entry after the other: what an entry leads to depends on the entries before
it and not on how they were cut into batches. The partition of the live mentions into persons, and their
golden records, are functions of the live rows alone; only the ids depend on the order of the log.

Rows: a version that is not above the stored one is superseded, for deleted keys and truncated feeds as well.
The two halves of a primary-key change may come in either order. Whichever comes first moves the row's
mentions to the new key: the delete as a placeholder, which the create, having the same version, overwrites.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import Final, NamedTuple

import msgspec

from avro.normalize.text import squeeze
from avro.record import (
    Decision,
    LogValue,
    Mark,
    MarkKind,
    Mention,
    MentionPlace,
    Record,
    TableName,
    TableSwitch,
)
from avro.version import log_version
from linkage.compare import Scorer
from linkage.errors import OffsetError, WeightsError
from linkage.features import features_of, what_tells
from linkage.generic import GenericValues
from linkage.outputs import Disposition, Outcome, Output, PassedMark
from linkage.resolve import Step
from linkage.state import (
    Authority,
    FeedState,
    LinkState,
    MentionState,
    RowState,
    find_mention,
    merge_unchanged,
    pack,
    unpack,
)
from linkage.weights import Weights

ID_NUMBER: Final = "id_number"
SWITCH: Final = "switch"
DECISION: Final = "decision"
"""These stand for the feed where what became of a switch or decision is told."""
_REFUSED: Final = ("id_checksum", "id_length", "id_extra_digit", "id_characters", "id_birth_date")
"""Findings of a number that may be another one with an error in it."""


class LogEntry(NamedTuple):
    """An entry of ``renkou.records`` at its offset."""

    offset: int
    value: LogValue


class Engine:
    """Links mentions to persons by weighted evidence (`linkage.compare`, `linkage.clusters`)."""

    def __init__(
        self,
        epoch: int,
        authority: Authority,
        state: LinkState | None = None,
        weights: Weights | None = None,
    ) -> None:
        """``epoch`` is in the versions of all outputs; ``weights`` are the default ones if None.

        Raises AuthorityError, WeightsError.
        """
        self.epoch = epoch
        self.state = LinkState(authority, weights) if state is None else state

    @property
    def mention_count(self) -> int:
        """Live mentions."""
        return self.state.mention_count

    @property
    def person_count(self) -> int:
        """Active persons."""
        return len(self.state.persons)

    @property
    def hot_keys(self) -> int:
        """Numbers, telephones, addresses … that so many different people have that they prove nothing."""
        return self.state.graph.hot_count

    def check_order(self, entries: Sequence[LogEntry]) -> None:
        """Raise OffsetError unless the offsets rise from where the state ends. Gaps are fine: the log is
        compacted."""
        wanted = self.state.offset
        for entry in entries:
            if entry.offset < wanted:
                raise OffsetError(
                    f"entry {entry.offset} of the log came when {wanted} or a later one was due; "
                    "this is a defect in renkou: restart the link process and report it"
                )
            wanted = entry.offset + 1

    def apply(self, entries: Sequence[LogEntry]) -> list[Output]:
        """Take in the entries in order and return what follows. Raises OffsetError before anything is
        applied."""
        self.check_order(entries)
        outputs: list[Output] = []
        for offset, value in entries:
            step = Step(self.state)
            if self.state.known is not None and offset >= self.state.known.until:
                step.end_rebuild()
            if isinstance(value, Record):
                outcome = self._record(step, value)
                step.finish(log_version(self.epoch, offset), outputs)
                outputs.append(Disposition(offset, value.feed, outcome))
            elif isinstance(value, Mark):
                if value.kind is MarkKind.TRUNCATE:
                    self._truncate(step, value)
                step.finish(log_version(self.epoch, offset), outputs)
                outputs.append(PassedMark(value))
            elif isinstance(value, TableSwitch):
                outcome = self._switch(step, value)
                step.finish(log_version(self.epoch, offset), outputs)
                outputs.append(Disposition(offset, SWITCH, outcome))
            else:
                outcome = self._decide(step, value)
                step.finish(log_version(self.epoch, offset), outputs)
                outputs.append(Disposition(offset, DECISION, outcome))
            self.state.offset = offset + 1
        return outputs

    def supersedes(self, record: Record) -> bool:
        """Say whether an equal or newer state of the record's key is known: applying it would change
        nothing."""
        feed = self.state.feeds.get(record.feed)
        if feed is None:
            return False
        if record.version < feed.truncated:
            return True
        return record.version <= feed.version_of(record.key) and not _awaits(
            feed.rows.get(record.key), record
        )

    def _record(self, step: Step, record: Record) -> Outcome:
        if self.supersedes(record):
            return Outcome.SUPERSEDED
        feed = self.state.feed(record.feed)
        row = feed.rows.get(record.key)
        version = record.version
        awaited = _awaits(row, record)
        if record.is_deleted:
            self._delete(step, feed, row, record)
            return Outcome.DELETED
        if record.previous_key is not None and record.previous_key != record.key and not awaited:
            row = self._move_from(step, feed, row, record, record.previous_key)
        feed.deleted.pop(record.key, None)
        if row is None:
            row = feed.rows[record.key] = RowState(feed, record.key, version, record.source_time)
        row.version = version
        row.source_time = record.source_time
        row.placeholder = False
        self._merge(step, row, record)
        return Outcome.APPLIED

    def _delete(self, step: Step, feed: FeedState, row: RowState | None, record: Record) -> None:
        """Delete the key; when it only changes, move its mentions ahead of the create, unless that has
        come."""
        version, next_key = record.version, record.next_key
        if row is None:
            feed.deleted[record.key] = version
            if next_key is not None and next_key != record.key and feed.version_of(next_key) < version:
                self._rename(step, feed, record.key, next_key)
        elif next_key is None or next_key == record.key or feed.version_of(next_key) >= version:
            self._drop(step, row)
            feed.deleted[record.key] = version
        else:
            reused = feed.rows.get(next_key)
            if reused is not None:
                self._drop(step, reused)
            self._move(step, row, next_key)
            feed.deleted[record.key] = version
            row.version = version
            row.placeholder = True

    def _move_from(
        self, step: Step, feed: FeedState, row: RowState | None, record: Record, previous_key: str
    ) -> RowState | None:
        """Return the row that had ``previous_key``, moved to the record's key; None when there is none to
        move.

        A row that stands at the record's key is another, older one: the source has freed the key. A row at
        ``previous_key`` that is newer than the record has taken over a freed key itself and stays.
        """
        if row is not None:
            self._drop(step, row)
        if feed.version_of(previous_key) >= record.version:
            return None
        moved = feed.rows.get(previous_key)
        if moved is not None:
            self._move(step, moved, record.key)
        else:
            self._rename(step, feed, previous_key, record.key)
        feed.deleted[previous_key] = record.version
        return moved

    def _truncate(self, step: Step, mark: Mark) -> None:
        """Remove the feed's rows below the mark's version, and what is remembered of deleted keys below
        it."""
        feed = self.state.feed(mark.feed)
        if mark.version <= feed.truncated:
            return
        feed.truncated = mark.version
        for row in [row for row in feed.rows.values() if row.version < mark.version]:
            self._drop(step, row)
        feed.deleted = {key: version for key, version in feed.deleted.items() if version >= mark.version}

    def _decide(self, step: Step, decision: Decision) -> Outcome:
        """Take in a decision or its revocation; one that is known in this or a newer state changes nothing."""
        concerned = self.state.decisions.put(decision)
        if concerned is None:
            return Outcome.SUPERSEDED
        step.decide(decision.decision_id)
        self._isolate(step, concerned)
        return Outcome.APPLIED

    @staticmethod
    def check_switch(switch: TableSwitch) -> None:
        """Raise WeightsError when the table that is switched to cannot be gone by."""
        if switch.table is TableName.WEIGHTS:
            Scorer(Weights(switch.text, switch.table), ())
        else:
            GenericValues(switch.text, switch.table)

    def _switch(self, step: Step, switch: TableSwitch) -> Outcome:
        """Go by another table: everybody is compared and clustered anew, in this one step.

        A table that cannot be read, or that is the one in force, changes nothing.
        """
        state = self.state
        if state.is_older(switch):
            return Outcome.SUPERSEDED
        try:
            state.use_table(switch.table, switch.text, switch.switched_at)
        except WeightsError:
            return Outcome.SUPERSEDED
        for feed in state.feeds.values():
            for row in feed.rows.values():
                for mention in row.mentions:
                    state.add(mention, state.features_of(mention))
                    step.join(mention)
        return Outcome.APPLIED

    def _isolate(self, step: Step, places: set[MentionPlace]) -> None:
        """Have mentions compared again as the decisions about them now want it: each on its own, or shared again."""
        book, graph = self.state.decisions, self.state.graph
        for place in sorted(places):
            step.reconsider(place)
            mention = self.state.at(place)
            if mention is None:
                continue
            if graph.is_decided(mention.node) and book.binds(place):
                graph.touch(mention.node)
                step.leave(mention.node)
                continue
            features = self.state.features_of(mention)
            graph.remove(mention, mention.node, features)
            step.leave(mention.node)
            self.state.add(mention, features)
            step.join(mention)

    def _rename(self, step: Step, feed: FeedState, key: str, new: str) -> None:
        """Let the decisions about the row's mentions follow it to its new key."""
        if len(self.state.decisions):
            self._isolate(step, self.state.decisions.rename(feed.department, feed.table, key, new))

    def _drop(self, step: Step, row: RowState) -> None:
        del row.feed.rows[row.key]
        for mention in row.mentions:
            self._remove(step, mention)
        row.mentions = ()  # no cycle is left behind: see `linkage.heap`

    def _move(self, step: Step, row: RowState, key: str) -> None:
        """Give the row another key. The mentions stay what they are, under another name."""
        for mention in row.mentions:
            step.vacate(mention)
            step.announce(mention)
            # Where evidence is equal the place decides.
            step.leave(mention.node)
        del row.feed.rows[row.key]
        row.feed.deleted.pop(key, None)
        former = row.key
        row.key = key
        row.feed.rows[key] = row
        for mention in row.mentions:
            self.state.say(mention, self.state.values.said(mention.value))
        self._rename(step, row.feed, former, key)

    def _merge(self, step: Step, row: RowState, record: Record) -> None:
        """Bring the row's mentions up to the record's. Of two in one role and ordinal the last counts."""
        kept: list[MentionState] = []
        for mention in record.mentions:
            stored = find_mention(row, mention.role, mention.ordinal)
            invalid = refused_number(record, mention)
            if stored is None:
                if mention.unchanged:
                    mention = msgspec.structs.replace(mention, unchanged=())
                stored = MentionState(row, intern(mention.role), mention.ordinal, 0, 0, invalid)
                self.state.say(stored, pack(mention))
                stored.serial = self._serial(stored)
                self.state.mention_count += 1
                self.state.add(stored, features_of(mention, invalid, self.state.generic))
                step.join(stored)
                row.mentions = (*row.mentions, stored)
            else:
                if mention.unchanged:
                    if ID_NUMBER in mention.unchanged:
                        invalid = stored.invalid
                    mention = merge_unchanged(mention, self.state.read(stored))
                self._change(step, stored, mention, invalid)
            kept.append(stored)
        if len(kept) < len(row.mentions):
            gone = [stored for stored in row.mentions if stored not in kept]
            row.mentions = tuple([stored for stored in row.mentions if stored in kept])
            for stored in gone:
                self._remove(step, stored)

    def _serial(self, mention: MentionState) -> int:
        """Return the next serial, but for an anchor the one that it had before the rebuild."""
        state = self.state
        if state.known is not None:
            anchor = state.anchor(mention.place)
            # A row that has moved on meanwhile may have it.
            if anchor is not None and anchor.serial not in state.anchored:
                state.anchored.add(anchor.serial)
                return anchor.serial
        state.next_serial += 1
        return state.next_serial - 1

    def _change(self, step: Step, stored: MentionState, mention: Mention, invalid: str) -> None:
        state = self.state
        packed, before_packed = pack(mention), state.values.said(stored.value)
        if packed != before_packed or invalid != stored.invalid:
            said = unpack(before_packed)
            if invalid == stored.invalid and what_tells(mention) == what_tells(said):
                state.say(stored, packed)
                step.renew(stored)
                return
            graph, node = state.graph, stored.node
            before = features_of(said, stored.invalid, state.generic)
            state.say(stored, packed)
            stored.invalid = invalid
            after = features_of(mention, invalid, state.generic)
            if after.core == before.core:
                if after.tokens != before.tokens:
                    graph.change_tokens(node, before.tokens, after.tokens)
            else:
                alone = graph.is_decided(node)
                graph.remove(stored, node, before)
                step.leave(node)
                stored.node = graph.add(stored, after, alone=alone)
                step.join(stored)
        step.renew(stored)

    def _remove(self, step: Step, mention: MentionState) -> None:
        self.state.graph.remove(mention, mention.node, self.state.features_of(mention))
        self.state.values.free(mention.value)
        self.state.mention_count -= 1
        self.state.anchored.discard(mention.serial)
        step.vacate(mention)
        step.leave(mention.node)
        step.remove(mention)


def refused_number(record: Record, mention: Mention) -> str:
    """Return the ID number that the normalizer refused for this mention, as the source wrote it; empty if none."""
    if mention.id_number is None:
        for finding in record.findings:
            if (
                finding.element == ID_NUMBER
                and finding.original is not None
                and finding.ordinal == mention.ordinal
                and finding.role == mention.role
                and finding.rule in _REFUSED
            ):
                return squeeze(finding.original).replace("-", "").upper()
    return ""


def _awaits(row: RowState | None, record: Record) -> bool:
    """Say whether ``row`` stands in for this very create: the delete half of its key change was here
    before."""
    return row is not None and row.placeholder and record.version == row.version and not record.is_deleted
