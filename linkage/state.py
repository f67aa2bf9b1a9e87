"""The linker's state in memory: rows, their mentions, the blocks of mentions with one number, and the
persons.

Nothing here decides; `linkage.engine` does. Objects refer to each other for speed: a mention to its row and
person, a person to its mentions. The order of mentions in a block or person means nothing, so a restored
state may differ in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

from avro.record import PERSON_ELEMENTS, Mention
from linkage.errors import AuthorityError
from linkage.evidence import Profile, Rule, fold_name
from linkage.id_number import is_valid_id_number
from linkage.outputs import Values

Authority = Mapping[str, Sequence[str]]
"""Element to the feeds that are trusted for it, most trusted first; feeds that are not named come after all
of them."""

ELEMENT_INDEX: Final[dict[str, int]] = {element: index for index, element in enumerate(PERSON_ELEMENTS)}
element_values: Final = attrgetter(*PERSON_ELEMENTS)
"""From a mention to its `Values`."""

_NAME, _FORMER_NAME = ELEMENT_INDEX["name"], ELEMENT_INDEX["former_name"]
_ID_NUMBER, _BIRTH_DATE = ELEMENT_INDEX["id_number"], ELEMENT_INDEX["birth_date"]


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

    Never changed, and equal to none but itself: another authority makes other origins.
    """

    __slots__ = ("name", "ranks")

    def __init__(self, name: str, ranks: tuple[int, ...]) -> None:
        self.name = name
        self.ranks = ranks


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
        self.mentions: list[MentionState] = []


class MentionState:
    """A live mention. ``serial`` counts mentions in the order of the log: the smaller the older.

    ``number`` is the ID number when it is a valid one, else None. ``person`` is None only while an entry is
    worked on.
    """

    __slots__ = ("number", "ordinal", "person", "profile", "role", "row", "rule", "serial", "values")

    def __init__(self, row: RowState, role: str, ordinal: int, serial: int, values: Values) -> None:
        self.row = row
        self.role = role
        self.ordinal = ordinal
        self.serial = serial
        self.values = values
        self.number = usable_number(values)
        self.profile = profile_of(values)
        self.person: PersonEntry | None = None
        self.rule = Rule.ONLY_MENTION


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

    def __init__(self, authority: Authority) -> None:
        check_authority(authority)
        self.authority = authority
        self.offset = 0
        self.next_person = 1
        self.next_serial = 1
        self.refresh = False
        """All golden records are to be made again with the next entry: the authority changed."""
        self.feeds: dict[str, FeedState] = {}
        self.blocks: dict[str, list[MentionState]] = {}
        self.crowded: set[str] = set()
        self.persons: dict[int, PersonEntry] = {}
        self.merged: dict[int, int] = {}
        self.mention_count = 0

    def use_authority(self, authority: Authority) -> None:
        """Go on with another authority: with the next entry all golden records are made again by it.

        Raises AuthorityError when it names an unknown element.
        """
        check_authority(authority)
        self.authority = authority
        self.refresh = True
        for feed in self.feeds.values():
            feed.origin = self._origin(feed.name)

    def feed(self, name: str) -> FeedState:
        """Return the feed's state, made when it is new."""
        feed = self.feeds.get(name)
        if feed is None:
            feed = self.feeds[name] = FeedState(self._origin(name))
        return feed

    def _origin(self, feed: str) -> Origin:
        ranks = []
        for element in PERSON_ELEMENTS:
            trusted = self.authority.get(element, ())
            ranks.append(trusted.index(feed) if feed in trusted else len(trusted))
        return Origin(feed, tuple(ranks))

    def add_to_block(self, mention: MentionState) -> None:
        """File the mention under its number, if it has one."""
        if mention.number is not None:
            self.blocks.setdefault(mention.number, []).append(mention)

    def remove_from_block(self, mention: MentionState, number: str | None) -> None:
        """Take the mention out from under ``number``."""
        if number is not None:
            block = self.blocks[number]
            if len(block) == 1:
                del self.blocks[number]
                self.crowded.discard(number)
            else:
                block.remove(mention)

    def mention(self, feed: str, key: str, role: str, ordinal: int) -> MentionState | None:
        """Return a live mention, None when there is none."""
        state = self.feeds.get(feed)
        row = None if state is None else state.rows.get(key)
        return None if row is None else find_mention(row, role, ordinal)

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


def usable_number(values: Values) -> str | None:
    """Return the ID number when it is valid (GB 11643), else None."""
    number = values[_ID_NUMBER]
    return number if isinstance(number, str) and is_valid_id_number(number) else None


def profile_of(values: Values) -> Profile:
    """Return what is compared of a mention's values."""
    name, former_name, birth_date = values[_NAME], values[_FORMER_NAME], values[_BIRTH_DATE]
    assert not isinstance(name, int)
    assert not isinstance(former_name, int)
    assert not isinstance(birth_date, str)
    return Profile(fold_name(name), fold_name(former_name), birth_date)


def merge_unchanged(mention: Mention, values: Values, stored: Values) -> Values:
    """Return ``values`` with the stored ones where the source did not send them."""
    unchanged = mention.unchanged
    return tuple(
        [
            old if element in unchanged else new
            for element, new, old in zip(PERSON_ELEMENTS, values, stored, strict=True)
        ]
    )
