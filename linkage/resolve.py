"""What one log entry leads to: what the touched mentions say is compared and clustered again, clusters get their
person ids, and what differs from before is put out.

Ids (`linkage.engine` calls this an entry at a time): an old id follows its oldest surviving mention, by the
order of the log. Where several ids meet, the smallest stays and the others are merged into it. A cluster
without an id gets a new one, and says from whom it was split. An id without a mention is retired. An id is
never given twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from operator import attrgetter
from typing import Final

from avro.record import DecisionKind, MentionPlace
from linkage.clusters import partition
from linkage.decisions import Conflict, DecisionState, Held, Published
from linkage.golden import digest_of, unpack_golden
from linkage.graph import Component, Graph, Look
from linkage.outputs import (
    NO_VALUES,
    DecisionChange,
    IdentityChange,
    Output,
    PersonChange,
    PersonIdChange,
    PersonState,
    ReviewChange,
    Values,
    format_person_id,
)
from linkage.reviews import Review, ReviewState
from linkage.state import LinkState, MentionState, PersonEntry, Rule
from linkage.weights import TOGETHER

_by_serial: Final = attrgetter("serial")
_by_number: Final = attrgetter("number")

_NOBODY: Final[frozenset[PersonEntry | None]] = frozenset((None,))

Slot = tuple[str, str, str, int]
"""Where an identity is shown: feed, key, role, ordinal."""


class Step:
    """The work on one log entry: collects what the entry touches, then `finish` settles it."""

    __slots__ = (
        "_announced",
        "_decided",
        "_issued",
        "_joined",
        "_left",
        "_near",
        "_reclustered",
        "_removed",
        "_renewed",
        "_state",
        "_unclaimed",
        "_vacated",
    )

    def __init__(self, state: LinkState) -> None:
        self._state = state
        self._near = False
        self._decided: dict[str, None] = {}
        self._issued: list[PersonEntry] = []
        self._unclaimed: list[PersonEntry] = []
        self._reclustered: dict[int, None] = {}
        # Dictionaries as ordered sets: iteration in the order of the entry, never of hashes.
        self._joined: dict[int, MentionState] = {}
        self._left: dict[int, None] = {}
        self._removed: dict[int, MentionState] = {}
        self._renewed: dict[int, MentionState] = {}
        self._announced: dict[int, MentionState] = {}
        self._vacated: dict[Slot, MentionState] = {}

    def join(self, mention: MentionState) -> None:
        """The mention came to its node."""
        self._joined[mention.serial] = mention

    def leave(self, node: int) -> None:
        """A mention left the node, or is at another place: who is there is to be found again."""
        self._left[node] = None

    def renew(self, mention: MentionState) -> None:
        """The mention's row has a new state: the golden record may differ."""
        self._renewed[mention.serial] = mention

    def announce(self, mention: MentionState) -> None:
        """The mention stands at another key: its identity is put out even if the person is the same."""
        self._announced[mention.serial] = mention
        self._renewed[mention.serial] = mention

    def end_rebuild(self) -> None:
        """The log is read as far as the state before this one had: ids that nobody has claimed are retired."""
        state, known = self._state, self._state.known
        assert known is not None
        for anchor in sorted(known.anchors.values(), key=lambda anchor: anchor.number):
            if anchor.number not in state.persons and anchor.number not in state.merged:
                self._unclaimed.append(PersonEntry(anchor.number, known.split_from.get(anchor.number)))
        state.known = None
        state.anchored = set()

    def decide(self, decision_id: str) -> None:
        """The decision is new, or another: what it leads to is put out."""
        self._decided[decision_id] = None

    def reconsider(self, place: MentionPlace) -> None:
        """What the decisions about a mention lead to may differ."""
        for held in self._state.decisions.at(place):
            self._decided[held.decision.decision_id] = None

    def vacate(self, mention: MentionState) -> None:
        """The mention leaves the slot that it has at this moment."""
        if self._state.graph.is_decided(mention.node):
            self.reconsider(mention.place)
        self._vacated[mention.row.feed.name, mention.row.key, mention.role, mention.ordinal] = mention

    def remove(self, mention: MentionState) -> None:
        """The mention is gone, already taken out of its node."""
        self._removed[mention.serial] = mention
        self._joined.pop(mention.serial, None)
        self._renewed.pop(mention.serial, None)
        self._announced.pop(mention.serial, None)

    def finish(self, version: int, outputs: list[Output]) -> None:
        """Settle everything and append what changed: identities gone, identities, persons gone, persons."""
        state = self._state
        dirty: dict[int, PersonEntry] = {}
        ended: list[PersonEntry] = []
        changed: dict[int, MentionState] = self._announced
        nodes = dict.fromkeys(state.graph.settle())
        for node in self._left:
            if state.graph.members[node]:
                nodes[node] = None
        for mention in self._joined.values():
            person = None if nodes else self._newcomer(mention)
            if person is None:
                nodes[mention.node] = None
            else:
                mention.person = person
                person.mentions.append(mention)
                changed[mention.serial] = mention
                dirty[person.number] = person
        if nodes or self._removed:
            self._recluster(nodes, changed, dirty, ended)
        for mention in self._renewed.values():
            person = mention.person
            assert person is not None
            dirty[person.number] = person
        if state.refresh:
            dirty = dict(state.persons)
            state.refresh = False
        self._put_vacated(version, outputs)
        for mention in sorted(changed.values(), key=_by_serial) if len(changed) > 1 else changed.values():
            outputs.append(_identity(mention, version))
        for person in sorted(ended, key=_by_number):
            outputs.append(self._ended(person, version))
        for person in sorted(dirty.values(), key=_by_number) if len(dirty) > 1 else dirty.values():
            golden = state.golden.make(person.mentions)
            digest = digest_of(golden)
            if digest != person.digest:
                person.digest = digest
                outputs.append(_active(person, *unpack_golden(golden), version))
        for person in self._issued:
            if person.number in state.persons:
                outputs.append(_issued(person, version))
        for person in self._unclaimed:
            outputs.append(self._ended(person, version))
            outputs.append(self._ended_id(person, version))
        for person in sorted(ended, key=_by_number):
            outputs.append(self._ended_id(person, version))
        if self._decided:
            self._put_decisions(version, outputs)
        touched = self._reclustered
        for person in (*dirty.values(), *ended):
            if person.number in state.reviews:
                touched[person.number] = None
        if touched:
            self._put_reviews(touched, version, outputs)

    def _newcomer(self, mention: MentionState) -> PersonEntry | None:
        """Return the person whom a new mention joins without a change for anybody else, None when that is not sure.

        Set the mention's rule.
        """
        members = self._state.graph.members[mention.node]
        if mention.person is not None or len(members) < 2 or self._state.known is not None:
            return None
        other = members[0]
        person = other.person
        if person is None or other.rule is not Rule.ID_NUMBER:
            return None
        mention.rule = Rule.ID_NUMBER
        return person

    def _recluster(
        self,
        nodes: dict[int, None],
        changed: dict[int, MentionState],
        dirty: dict[int, PersonEntry],
        ended: list[PersonEntry],
    ) -> None:
        """Cluster what the nodes are linked with and give ids. Adds to ``changed`` the mentions with another
        person or rule, to ``dirty`` the persons with other mentions, and to ``ended`` those that are merged or
        retired."""
        clusters = self._clusters(nodes, changed)
        if len(clusters) == 1 and not self._removed and self._state.known is None:
            persons = {mention.person for mention in clusters[0]} - _NOBODY
            if len(persons) < 2:  # nobody to merge, split or retire: by far the most entries
                (person,) = persons or (self._new_person(()),)
                assert person is not None
                self._give(person, clusters[0], changed, dirty)
                if self._near or person.number in self._state.reviews:
                    self._reclustered[person.number] = None
                return
        if len(clusters) > 1:
            clusters.sort(key=lambda cluster: min([mention.serial for mention in cluster]))
        before: dict[int, PersonEntry] = {}
        oldest: dict[int, MentionState] = {}
        for mention in self._removed.values():
            if mention.person is not None:
                before[mention.person.number] = mention.person
        for cluster in clusters:
            for mention in cluster:
                person = mention.person
                if person is not None:
                    before[person.number] = person
                    first = oldest.get(person.number)
                    if first is None or mention.serial < first.serial:
                        oldest[person.number] = mention
        if self._state.known is not None:
            for cluster in clusters:
                for mention in cluster:
                    anchor, person = self._state.anchor(mention.place), mention.person
                    # Somebody else's older mention may be among them for a while.
                    if anchor is not None and person is not None and person.number == anchor.number:
                        oldest[anchor.number] = mention
        # All claims before any is granted: granting changes the mentions' persons.
        claims = [
            [
                mention.person.number
                for mention in cluster
                if mention.person is not None and oldest[mention.person.number] is mention
            ]
            for cluster in clusters
        ]
        if self._state.known is not None:
            for cluster, claimed in zip(clusters, claims, strict=True):
                self._take_over(cluster, claimed, before)
        for cluster, claimed in zip(clusters, claims, strict=True):
            person = before[min(claimed)] if claimed else self._new_person(cluster)
            for one in claimed:
                if one != person.number:
                    self._state.merged[one] = person.number
                    ended.append(before[one])
            self._give(person, cluster, changed, dirty)
            self._reclustered[person.number] = None
        kept = oldest.keys() | {person.number for person in self._issued}
        ended += [person for number, person in before.items() if number not in kept]
        for person in ended:
            del self._state.persons[person.number]
            person.mentions = []  # no cycle is left behind: see `linkage.heap`

    def _take_over(
        self, cluster: list[MentionState], claimed: list[int], before: dict[int, PersonEntry]
    ) -> None:
        """Add to what the cluster claims the ids of a state before this one that are its mentions'."""
        state, known = self._state, self._state.known
        assert known is not None
        for mention in sorted(cluster, key=_by_serial):
            number = state.claims(mention, claimed)
            if number is not None and number not in before:
                state.merged.pop(number, None)
                person = PersonEntry(number, known.split_from.get(number))
                before[number] = state.persons[number] = person
                self._issued.append(person)
                claimed.append(number)

    def _clusters(self, nodes: dict[int, None], changed: dict[int, MentionState]) -> list[list[MentionState]]:
        """Return the mentions of everybody whom the change can concern, person by person, and set their rules.

        These are the components of the nodes, and those of every person who has a mention in them: a person is
        taken whole, so that the oldest mention is found.
        """
        graph = self._state.graph
        seen: set[int] = set()
        clusters: list[list[MentionState]] = []
        known: set[PersonEntry] = set()
        waiting = list(nodes)
        members = graph.members
        for mention in self._removed.values():
            if mention.person is not None and mention.person not in known:
                known.add(mention.person)
                waiting += [other.node for other in mention.person.mentions if members[other.node]]
        for start in waiting:
            if start in seen:
                continue
            component = graph.component(start)
            seen.update(component.nodes)
            self._near = self._near or component.near or not component.whole
            for group in self._groups(component):
                cluster = [mention for node in group for mention in members[node]]
                clusters.append(cluster)
                if component.decided:
                    for node in group:
                        if graph.is_decided(node):
                            self.reconsider(members[node][0].place)
                self._set_rules(component, group, cluster, changed)
                for mention in cluster:
                    person = mention.person
                    if person is not None and person not in known:
                        known.add(person)
                        waiting += [
                            other.node
                            for other in person.mentions
                            if other.node not in seen and members[other.node]
                        ]
        return clusters

    def _groups(self, component: Component) -> list[list[int]]:
        """Return the component's nodes, person by person."""
        if component.whole:
            return [component.nodes]
        with closing(Look(self._state.graph)) as look:
            groups = partition([look(node) for node in component.nodes], self._state.graph.scorer)
            return [[node.place for node in group] for group in groups]

    def _set_rules(
        self,
        component: Component,
        group: Sequence[int],
        cluster: Sequence[MentionState],
        changed: dict[int, MentionState],
    ) -> None:
        graph = self._state.graph
        if len(cluster) == 1:
            alone = component.alone if len(component.nodes) == 1 else self._is_alone(group[0])
            self._set_rule(cluster[0], Rule.ONLY_MENTION if alone else Rule.KEPT_APART, changed)
            return
        members = graph.members
        numbers = dict(zip(component.nodes, component.numbers, strict=True))
        counts: dict[int, int] = {}
        for node in group:
            number = numbers[node]
            counts[number] = counts.get(number, 0) + len(members[node])
        for node in group:
            number = numbers[node]
            rule = Rule.ID_NUMBER if number and counts[number] > 1 else Rule.EVIDENCE
            if (
                component.decided
                and graph.is_decided(node)
                and any(value >= TOGETHER and other in group for other, value in graph.edges(node))
            ):
                rule = Rule.DECISION
            for mention in members[node]:
                self._set_rule(mention, rule, changed)

    def _is_alone(self, node: int) -> bool:
        """Say whether no other node means the node's number."""
        graph = self._state.graph
        core = graph.core(node)
        number = core.number or core.doubtful
        return not number or len(graph.with_number(number)) == 1

    def _give(
        self,
        person: PersonEntry,
        cluster: list[MentionState],
        changed: dict[int, MentionState],
        dirty: dict[int, PersonEntry],
    ) -> None:
        """Let the cluster be the person's mentions."""
        others = [mention for mention in cluster if mention.person is not person]
        if not others and len(cluster) == len(person.mentions):
            return
        dirty[person.number] = person
        for mention in others:
            mention.person = person
            changed[mention.serial] = mention
        person.mentions = cluster

    @staticmethod
    def _set_rule(mention: MentionState, rule: Rule, changed: dict[int, MentionState]) -> None:
        if mention.rule is not rule:
            mention.rule = rule
            changed[mention.serial] = mention

    def _new_person(self, cluster: Sequence[MentionState]) -> PersonEntry:
        settled = [mention for mention in cluster if mention.person is not None]
        parent = min(settled, key=_by_serial).person if settled else None
        person = PersonEntry(self._state.next_person, None if parent is None else parent.number)
        self._state.next_person += 1
        self._state.persons[person.number] = person
        self._issued.append(person)
        return person

    def _put_decisions(self, version: int, outputs: list[Output]) -> None:
        """Put out the decisions that have come into or gone out of force, or whose mentions stand elsewhere."""
        book = self._state.decisions
        for decision_id in sorted(self._decided):
            held = book.get(decision_id)
            assert held is not None
            now = self._effect(held)
            if now != held.published:
                held.published = now
                outputs.append(_decision(held, now, version))

    def _effect(self, held: Held) -> Published:
        decision = held.decision
        state, conflict = DecisionState.IN_FORCE, ""
        left, right = self._state.at(held.left), self._state.at(held.right)
        if decision.revoked_at is not None:
            state = DecisionState.REVOKED
        elif held.contradicts is not None:
            state, conflict = DecisionState.CONTRADICTED, Conflict.ANOTHER_DECISION
            if held.contradicts == decision.decision_id:
                conflict = Conflict.ONE_MENTION
        elif left is None or right is None:
            state = DecisionState.WAITING
        elif (left.person is right.person) != (decision.kind is DecisionKind.MUST_LINK):
            state, conflict = DecisionState.CONTRADICTED, _obstacle(left, right, self._state.graph)
        return Published(state, conflict, held.left, held.right, held.contradicts)

    def _put_reviews(self, persons: Iterable[int], version: int, outputs: list[Output]) -> None:
        """Put out the reviews that are new, changed or closed."""
        state = self._state
        gone, new = state.reviews.renew(persons, state)
        found = [(review, ReviewState.OPEN) for review in new]
        for review in gone:
            decided = any(verdict.other == review.right for verdict in state.decisions.verdicts(review.left))
            found.append((review, ReviewState.DECIDED if decided else ReviewState.WITHDRAWN))
        for review, reached in sorted(found, key=_by_review) if len(found) > 1 else found:
            outputs.append(_review(review, reached, version))

    def _ended_id(self, person: PersonEntry, version: int) -> PersonIdChange:
        into = self._state.merged.get(person.number)
        state = PersonState.RETIRED if into is None else PersonState.MERGED
        return _id_change(person, state, into, version)

    def _put_vacated(self, version: int, outputs: list[Output]) -> None:
        for (feed, key, role, ordinal), mention in self._vacated.items():
            if self._state.mention(feed, key, role, ordinal) is None and mention.person is not None:
                outputs.append(_gone(mention, key, version))

    def _ended(self, person: PersonEntry, version: int) -> PersonChange:
        into = self._state.merged.get(person.number)
        return PersonChange(
            person_id=format_person_id(person.number),
            state=PersonState.RETIRED if into is None else PersonState.MERGED,
            merged_into=None if into is None else format_person_id(into),
            split_from=None if person.split_from is None else format_person_id(person.split_from),
            elements=NO_VALUES,
            provenance="{}",
            mention_count=0,
            version=version,
        )


def _issued(person: PersonEntry, version: int) -> PersonIdChange:
    return _id_change(person, PersonState.ACTIVE, None, version)


def _id_change(person: PersonEntry, state: PersonState, into: int | None, version: int) -> PersonIdChange:
    return PersonIdChange(
        person_id=format_person_id(person.number),
        state=state,
        merged_into=None if into is None else format_person_id(into),
        split_from=None if person.split_from is None else format_person_id(person.split_from),
        version=version,
    )


def _obstacle(left: MentionState, right: MentionState, graph: Graph) -> Conflict:
    """Return what keeps two apart though a decision joins them."""
    one, other = _own_numbers(left, graph), _own_numbers(right, graph)
    if one and other and not one & other:
        return Conflict.DIFFERENT_NUMBERS
    return Conflict.KEPT_APART


def _own_numbers(mention: MentionState, graph: Graph) -> set[int]:
    assert mention.person is not None
    return {graph.number(other.node) for other in mention.person.mentions} - {0}


def _decision(held: Held, now: Published, version: int) -> DecisionChange:
    return DecisionChange(
        held.decision, now.state, now.conflict, now.contradicts, now.left, now.right, version
    )


def _by_review(item: tuple[Review, ReviewState]) -> str:
    return item[0].review_id


def _review(review: Review, state: ReviewState, version: int) -> ReviewChange:
    return ReviewChange(
        review_id=review.review_id,
        left=review.left,
        right=review.right,
        left_person=format_person_id(review.left_person),
        right_person=format_person_id(review.right_person),
        score=review.score,
        harm=review.harm,
        reason=review.reason,
        state=state,
        version=version,
    )


def _active(person: PersonEntry, values: Values, provenance: str, version: int) -> PersonChange:
    return PersonChange(
        person_id=format_person_id(person.number),
        state=PersonState.ACTIVE,
        merged_into=None,
        split_from=None if person.split_from is None else format_person_id(person.split_from),
        elements=values,
        provenance=provenance,
        mention_count=len(person.mentions),
        version=version,
    )


def _identity(mention: MentionState, version: int) -> IdentityChange:
    person = mention.person
    assert person is not None
    feed = mention.row.feed
    return IdentityChange(
        feed.department,
        feed.table,
        mention.row.key,
        mention.role,
        mention.ordinal,
        format_person_id(person.number),
        mention.rule,
        version,
        False,
        mention.serial,
    )


def _gone(mention: MentionState, key: str, version: int) -> IdentityChange:
    person = mention.person
    assert person is not None
    feed = mention.row.feed
    return IdentityChange(
        feed.department,
        feed.table,
        key,
        mention.role,
        mention.ordinal,
        format_person_id(person.number),
        mention.rule,
        version,
        True,
        mention.serial,
    )
