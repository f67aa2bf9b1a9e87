"""Plays recordings of a real stack with seeded variations; states and alerts are judged as they are on a running hub.

A *play* is one to three recorded rounds after one another for the same departments, under other names and in another
order, with idle departments beside them. Varied are when a fault begins (looks before it), how long it lasts (held with
every age growing on as it did), how far the departments have recovered when the next fault begins, and the looks: some
are missed, some come late. Signals themselves are never made up: moments and ages are moved, counts are those that were
recorded, or go on as they went.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connectors.feeds.objectives import Delay
from monitoring.alerts import AlertBook, BookState
from monitoring.conditions import HUB, Condition, Kind, of_source
from monitoring.signals import Signals
from monitoring.status import State, decide, hub_delay
from tests.support.injections import GROWING
from tests.support.moved import MICRO, Clock, delayed, held, inserted, moved, shifted
from tests.support.recorded import Round, Seen

OBJECTIVE = 30
"""Seconds that feeds ask of source delay and hub delay, here and where the recordings were made."""
DELAYS = [(Delay(OBJECTIVE, 600), Delay(OBJECTIVE, 600))]
TOLD_WITHIN = OBJECTIVE + 30
"""Seconds from the fault within which somebody must be told: the figure that is asked for."""
HELD = (10.0, 240.0)
"""Seconds that a fault is held beyond what was recorded, which ends soon after somebody was told: the look that did it
may be missed in a play."""
MISSED = 0.1
"""Share of looks that are missed."""
LATE = 1.5
"""Seconds that a look comes late at most."""
NAMES = (
    "police",
    "health",
    "hrss",
    "edu",
    "civil",
    "housing",
    "tax",
    "bank",
    "court",
    "customs",
    "grid",
    "post",
)
SLOW = frozenset({"slow link"})
"""Faults under which the delay grows slowly: late when it is over the objective, not when they began."""

SHARED = frozenset({Kind.SLOT_GROWTH})
"""What is rightly told of an idle department when a slot on its server grows: where nothing of it changes, its own slot
keeps all that is written meanwhile."""


@dataclass(slots=True)
class Injected:
    """One fault of a play and how it was judged. ``told`` is in seconds from the fault; None when nobody was."""

    fault: str
    state: State
    real: bool
    """Whether it is one of the recording's, and no idle department beside it."""
    told: float | None = None
    wrong: list[str] = field(default_factory=list)


def play(rounds: Sequence[Round], idle: Sequence[Sequence[Signals]], seed: int) -> list[Injected]:
    """Play a seeded choice of ``rounds`` beside idle departments; return how each was judged.

    ``idle`` are runs of one department's looks while nothing was done to it, nor to the server of its database.
    """
    rng = random.Random(seed)
    stage = _Stage(rng, idle)
    found: list[Injected] = []
    chosen = rng.sample(rounds, rng.randint(1, 3))
    for number, one in enumerate(chosen):
        found += stage.play(one, last=number == len(chosen) - 1)
    return found


class _Stage:
    """One play: its clock, its names and the alerts that last from one fault to the next."""

    def __init__(self, rng: random.Random, idle: Sequence[Sequence[Signals]]) -> None:
        self._rng = rng
        self._book = AlertBook(BookState(), [])
        self._names = rng.sample(NAMES, len(NAMES))
        runs = {name: rng.choice(idle) for name in self._names[4 : 4 + rng.randint(0, 8)]}
        self._beside = {name: (run, rng.randrange(len(run))) for name, run in runs.items()}
        self._step = 0
        self._undone = 0
        """When the fault that is played is over."""
        self._now = rng.randrange(1_700_000_000, 1_900_000_000) * MICRO

    def play(self, one: Round, last: bool) -> list[Injected]:
        done = one.injection
        names = dict(zip(done.faults, self._names, strict=False))
        results = {name: Injected(fault, done.states[name], True) for name, fault in done.faults.items()}
        beside = {name: Injected("idle beside", State.IDLE, False) for name in self._beside}
        common = len(set(done.faults.values())) == 1
        shared = SHARED if GROWING in done.faults.values() else frozenset()
        named: set[str] = set()
        late: dict[str, int] = {}
        begun = onset = undone = 0
        for look, clock in self._looks(one, last):
            begun, onset, undone = clock(done.begun), clock(done.onset), self._undone
            wait = round(self._rng.uniform(0, LATE) * MICRO)
            shown = {names[name]: delayed(moved(seen, clock), wait) for name, seen in look.signals.items()}
            now = max(signals.now for signals in shown.values())
            # What is the matter with all of them would be so with those beside them: then there are none.
            for name in beside if not common else ():
                run, begin = self._beside[name]
                signals = run[(begin + self._step) % len(run)]
                shown[name] = moved(signals, shifted(now - signals.now))
            self._step += 1
            order = sorted(shown, key=lambda _: self._rng.random())
            conditions = [c for name in order for c in of_source(name, shown[name], DELAYS)]
            self._book.update(now, _once(conditions))
            during = onset < now <= undone
            for name, result in results.items():
                signals = shown[names[name]]
                state = decide(signals).state
                delay = hub_delay(signals)
                if now > begun and delay is not None and delay > OBJECTIVE:
                    late.setdefault(name, now)
                if during:
                    if state is result.state:
                        named.add(name)
                    elif name in named or state is not State.IDLE:
                        result.wrong.append(f"{state} {(now - begun) / MICRO:.0f} s after {result.fault}")
                    kind = result.state.value.replace(" ", "-")
                    if result.told is None and self._is_told((kind, names[name]), (kind, HUB)):
                        since = late.get(name, begun) if result.fault in SLOW else begun
                        result.told = (now - since) / MICRO
                if now < begun and state is not State.IDLE:
                    result.wrong.append(f"{state} before {result.fault}")
                if result.state is State.IDLE and during and self._is_alarm(names[name], begun, shared):
                    result.wrong.append("an alert for an idle department")
            for name, result in beside.items() if not common else ():
                if self._is_alarm(name, begun, frozenset()):
                    result.wrong.append("an alert for a department that is idle beside others")
            self._now = max(self._now, now)
        for name, result in results.items():
            state = decide(shown[names[name]]).state
            if result.state is not State.IDLE:
                if name not in named:
                    result.wrong.append(f"{result.fault} was never named")
                if result.told is None or result.told > TOLD_WITHIN:
                    result.wrong.append(f"{result.fault} was told after {result.told} s")
            if last and state is not State.IDLE:
                result.wrong.append(f"{state} when {result.fault} was over")
        if last and self._book.active():
            next(iter(results.values())).wrong.append(
                f"{[a.condition.key for a in self._book.active()]} is not over"
            )
        if common:
            return [_one(list(results.values()))]
        return [*results.values(), *beside.values()]

    def _is_told(self, *keys: tuple[str, str]) -> bool:
        """Return whether an alert of one of the kinds and subjects goes on."""
        return any((alert.condition.kind, alert.condition.subject) in keys for alert in self._book.active())

    def _is_alarm(self, name: str, since: int, right: frozenset[Kind]) -> bool:
        """Return whether an alert for the department that is not ``right`` began after ``since``.

        One may go on from the fault before.
        """
        return any(
            alert.condition.subject == name and alert.fired > since and alert.condition.kind not in right
            for alert in self._book.active()
        )

    def _looks(self, one: Round, last: bool) -> Iterator[tuple[Seen, Clock]]:
        """Yield the round's looks as they are played, each with what maps its moments to the play's."""
        done, rng = one.injection, self._rng
        before = [look for look in one.looks if look.now < done.begun]
        during = [look for look in one.looks if done.begun <= look.now <= done.undone]
        after = [look for look in one.looks if look.now > done.undone]
        before = before[rng.randrange(len(before)) :]
        if not last:
            # The next fault comes into the recovery: states are well again, alerts are not over yet.
            well = next(i for i in range(len(after)) if all(_is_idle(look) for look in after[i:]))
            after = after[: rng.randint(min(well + 1, len(after)), len(after))]
        shift = self._now + rng.randrange(1, 3 * MICRO) - before[0].now
        length = rng.uniform(*HELD)
        end = during[-1]
        clock = inserted(end.now, round(length * MICRO), shift)
        self._undone = clock(done.undone)
        yield from ((look, shifted(shift)) for look in before if rng.random() > MISSED)
        yield from ((look, shifted(shift)) for look in during if rng.random() > MISSED)
        first = during[max(0, len(during) - 6)]
        ahead = 2.0
        while ahead < length:
            yield held(first, end, round(ahead * MICRO)), shifted(shift)
            ahead += rng.uniform(1.0, 4.0)
        tail = [after[-1]] if last else []
        yield from ((look, clock) for look in after if rng.random() > MISSED or look in tail)
        # What was well at the recording's last look stays so until the alerts have been told to be over.
        for ahead in range(2, 60, 2) if last else ():
            yield held(after[max(0, len(after) - 6)], after[-1], ahead * MICRO), clock


def _one(results: Sequence[Injected]) -> Injected:
    """Return the judgement of a fault that hit all departments: each must be right."""
    told = [one.told for one in results]
    return Injected(
        results[0].fault,
        results[0].state,
        True,
        None if None in told else max(one for one in told if one is not None),
        [complaint for one in results for complaint in one.wrong],
    )


def _is_idle(look: Seen) -> bool:
    return all(decide(signals).state is State.IDLE for signals in look.signals.values())


def _once(conditions: Sequence[Condition]) -> list[Condition]:
    return list({condition.key: condition for condition in conditions}.values())
