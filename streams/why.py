"""``/v1/why`` of the link process: why is it one person, why not, and how did it come about.

It is for whoever may see the register itself: keys of records are personal data.
"""

from __future__ import annotations

import threading
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response

from linkage.durable import DurableLinker
from linkage.engine import Engine
from linkage.errors import DecisionError
from linkage.why import PairWhy, PersonWhy, Place, why_pair, why_person
from streams.decisions import read_place

JSON: Final = "application/json"


def explain(engine: Engine, left: str, right: str) -> PairWhy | PersonWhy | None:
    """Return why two mentions, or with an empty ``right`` the mentions of one person, are one or not.

    Mentions are written as `streams.decisions.read_place` reads them. None when there is no such person or a mention is
    not live. Raises DecisionError when what is given names none.
    """
    if not right:
        return why_person(engine, left)
    one, other = read_place(left), read_place(right)
    return why_pair(
        engine,
        Place(one.feed, one.key, one.role, one.ordinal),
        Place(other.feed, other.key, other.role, other.ordinal),
    )


class Why:
    """The route. Questions wait while the engine works, and the engine for a question: some milliseconds each."""

    def __init__(self, linker: DurableLinker) -> None:
        self._linker = linker
        self.lock = threading.Lock()
        self.router = APIRouter()
        self.router.add_api_route("/v1/why", self.why, methods=["GET"])

    def why(
        self,
        left: Annotated[str, Query(description="department.table|key|role|ordinal, or a person id")],
        right: Annotated[str, Query(description="The other mention; empty for a person")] = "",
    ) -> Response:
        """Explain a person, or two mentions."""
        try:
            with self.lock:
                found = explain(self._linker.engine, left, right)
        except DecisionError as error:
            return Response(msgspec.json.encode({"error": str(error)}), 422, media_type=JSON)
        if found is None:
            return Response(msgspec.json.encode({"error": NOT_FOUND}), 404, media_type=JSON)
        return Response(msgspec.json.encode(found), media_type=JSON)


NOT_FOUND: Final = "there is no such person, or a mention is not in the register; renkou person shows both"
