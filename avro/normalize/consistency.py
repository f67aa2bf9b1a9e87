"""What the elements of one person in one record say about each other."""

from __future__ import annotations

from avro.normalize.resident_id import birth_date_of, is_valid, sex_of


def contradictions(id_number: str | None, sex: str | None, birth_date: int | None) -> tuple[str, ...]:
    """Return which of ``sex`` and ``birth_date`` differ from what a valid resident ID number says.

    The number is canonical; ``birth_date`` is days since 1970-01-01. Nothing is said of what is null.
    """
    if id_number is None or (sex is None and birth_date is None) or len(id_number) != 18 or not is_valid(id_number):
        return ()
    differing = []
    if sex is not None and sex != sex_of(id_number):
        differing.append("sex")
    if birth_date is not None and birth_date != birth_date_of(id_number):
        differing.append("birth_date")
    return tuple(differing)
