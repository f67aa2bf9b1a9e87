"""What another table of weights would change, found on a copy of the state before anything is switched."""

from __future__ import annotations

from pathlib import Path

import msgspec

from avro.record import TableSwitch
from linkage.engine import Engine, LogEntry
from linkage.outputs import IdentityChange, PersonChange, PersonIdChange, PersonState
from linkage.snapshot import read_state, write_state
from linkage.state import LinkState

SHOWN = 20
"""Merges and splits that are named; all are counted."""


class Trial(msgspec.Struct, frozen=True):
    """What would merge and split: counts, and the first persons of each by id."""

    persons_before: int
    persons_after: int
    merged: int
    split: int
    moved_mentions: int
    reviews_before: int
    reviews_after: int
    merges: tuple[tuple[str, str], ...]
    splits: tuple[tuple[str, str], ...]


def try_tables(state: LinkState, epoch: int, before: TableSwitch | None, after: TableSwitch) -> Trial:
    """Return what switching from one table to another would do; None stands for the table in force.

    Works on a copy: ``state`` stays as it is. Raises WeightsError when a table cannot be read.
    """
    copy = read_state(Path("copy"), b"".join(write_state(state, epoch)), epoch)
    engine = Engine(epoch, copy.authority, copy)
    offset = copy.offset
    for switch in (before, after):
        if switch is not None:
            engine.check_switch(switch)
    if before is not None:
        engine.apply([LogEntry(offset, _newest(before, copy))])
        offset += 1
    persons, reviews = engine.person_count, copy.reviews.count
    outputs = engine.apply([LogEntry(offset, _newest(after, copy))])
    changes = [output for output in outputs if isinstance(output, PersonChange)]
    merges = [
        (change.person_id, change.merged_into)
        for change in changes
        if change.state == PersonState.MERGED and change.merged_into is not None
    ]
    splits = [
        (change.person_id, change.split_from)
        for change in outputs
        if isinstance(change, PersonIdChange)
        and change.state == PersonState.ACTIVE
        and change.split_from is not None
    ]
    return Trial(
        persons_before=persons,
        persons_after=engine.person_count,
        merged=len(merges),
        split=len(splits),
        moved_mentions=sum(isinstance(output, IdentityChange) for output in outputs),
        reviews_before=reviews,
        reviews_after=copy.reviews.count,
        merges=tuple(merges[:SHOWN]),
        splits=tuple(splits[:SHOWN]),
    )


def _newest(switch: TableSwitch, state: LinkState) -> TableSwitch:
    return msgspec.structs.replace(switch, switched_at=state.switched.get(switch.table, -1) + 1)
