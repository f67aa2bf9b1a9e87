"""What the elements of one person in one record say about each other."""

from __future__ import annotations

from avro.normalize.resident_id import birth_date_of, sex_of


def contradictions(id_number: str, sex: str | None, birth_date: int | None) -> tuple[str, ...]:
    """Return which of ``sex`` and ``birth_date`` differ from what a resident ID number says.

    The number is canonical and valid; ``birth_date`` is days since 1970-01-01. Nothing is said of what is null.
    """
    if sex is None or sex == sex_of(id_number):
        return () if birth_date is None or birth_date == birth_date_of(id_number) else ("birth_date",)
    return ("sex",) if birth_date is None or birth_date == birth_date_of(id_number) else ("sex", "birth_date")
