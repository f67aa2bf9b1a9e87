"""The catalogue: every feed of every department, from a folder of feed files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from avro.record import PERSON_ELEMENTS
from avro.schema import SCHEMA_FOLDER
from connectors.errors import FeedError
from connectors.feeds.definition import Department, read_department
from connectors.feeds.feed import Feed

FEED_FOLDER: Final = Path(__file__).parent
"""Where renkou's own feed files are, one a department."""


class Catalog:
    """Feeds, by the names that others know them by."""

    def __init__(self, departments: tuple[Department, ...], feeds: tuple[Feed, ...]) -> None:
        self.departments = departments
        self.feeds = feeds
        self._by_id = {feed.id: feed for feed in feeds}
        self._by_topic = {feed.topic: feed for feed in feeds}
        self._departments = {department.name: department for department in departments}

    @classmethod
    def load(cls, folder: Path | None = None, schemas: Path | None = None) -> Catalog:
        """Return the catalogue of a folder of feed files, renkou's own when None.

        ``schemas`` is the folder of the Avro schemas; when None, the folder ``schemas`` beside the feed files where
        it has the feed's, else renkou's own.

        Raises FeedError, whose message begins with file and line.
        """
        chosen = folder or FEED_FOLDER
        files = sorted(chosen.glob("*.yaml"))
        if not files:
            raise FeedError(
                f"{chosen}: there is no feed file (*.yaml) in this folder; name another or add one"
            )
        return cls.of_files(files, schemas)

    @classmethod
    def of_files(cls, files: list[Path], schemas: Path | None = None) -> Catalog:
        """Return the catalogue of these feed files, with ``schemas`` as in `load`. Raises FeedError."""
        departments: dict[str, Department] = {}
        feeds: dict[str, Feed] = {}
        topics: dict[str, str] = {}
        for path in files:
            department = read_department(path)
            if department.name in departments:
                raise FeedError(
                    f"{path}:1: department {department.name} has another file; put its feeds into one"
                )
            departments[department.name] = department
            for definition in department.feeds:
                feed = Feed(
                    department, definition, schemas or _schemas_for(path, department.name, definition.type)
                )
                if feed.id in feeds:
                    definition.place.fail(f"feed {feed.id} stands twice; rename or remove one")
                if feed.topic in topics:
                    definition.place.fail(
                        f"table {feed.table} is already captured by feed {topics[feed.topic]}"
                    )
                feeds[feed.id] = feed
                topics[feed.topic] = feed.id
        return cls(tuple(departments.values()), tuple(feeds.values()))

    def only(self, wanted: Callable[[Feed], bool]) -> Catalog:
        """Return the catalogue of the feeds that are ``wanted``, and of the departments that have one of them."""
        feeds = tuple(filter(wanted, self.feeds))
        names = {feed.department for feed in feeds}
        return Catalog(tuple(each for each in self.departments if each.name in names), feeds)

    def by_id(self, feed: str) -> Feed:
        """Return the feed ``<department>.<type>``. Raises FeedError when there is none."""
        try:
            return self._by_id[feed]
        except KeyError:
            raise FeedError(f"there is no feed '{feed}'; `renkou feeds list` names them") from None

    def by_topic(self, topic: str) -> Feed | None:
        """Return the feed whose changes are captured in this topic, None when none is."""
        return self._by_topic.get(topic)

    def department(self, name: str) -> Department:
        """Return the department. Raises FeedError when there is none."""
        try:
            return self._departments[name]
        except KeyError:
            raise FeedError(
                f"there is no department '{name}'; known are {', '.join(self._departments)}"
            ) from None

    def feeds_of(self, department: str) -> tuple[Feed, ...]:
        """Return a department's feeds."""
        return tuple(feed for feed in self.feeds if feed.department == department)

    def authority(self) -> Mapping[str, tuple[str, ...]]:
        """Return whose word counts: each element of a person → the ids of the feeds that give it, the best first.

        Feeds of one rank follow each other by id.
        """
        return {
            element: tuple(
                feed.id
                for feed in sorted(self.feeds, key=lambda feed: (feed.authority[element], feed.id))
                if any(element in mention.elements for mention in feed.definition.mentions)
            )
            for element in PERSON_ELEMENTS
        }


def _schemas_for(path: Path, department: str, kind: str) -> Path:
    beside = path.parent / "schemas"
    return beside if (beside / department / f"{kind}.avsc").exists() else SCHEMA_FOLDER
