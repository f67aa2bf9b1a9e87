"""What linking looks at in a mention: its core (who it says it is) and tokens (where else the person shows).

The core is compared element by element. A token stands for one value that two mentions can share, such as a
telephone or a mother's number: 58 bits of a hash and 5 bits that say of what kind. Both are functions of the
mention alone.

A number is the mention's own when it is valid (GB 11643) and nothing in the record contradicts it. One whose
date of birth is quite another than the record's is in doubt: a mother's number stands in her child's record, or
it is borrowed. A number that the record itself gives to a relative is no number of the mention's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

import xxhash

from avro.normalize.name_key import name_key
from avro.record import Mention, Relation
from linkage.births import BirthLevel, compare_days, date_in, day_of, days_of, lunar_readings, written_lunar
from linkage.generic import GenericValues, default_generic
from linkage.id_number import LENGTH, corrections, is_valid_id_number
from linkage.names import is_readable, sound


class Kind(IntEnum):
    """What a token stands for: its lowest five bits."""

    TIE = 0
    DOCUMENT = 1
    PHONE = 2
    NEAR_PHONE = 3
    ADDRESS = 4
    BUILDING = 5
    HOUSEHOLD = 6
    PARENT_NUMBER = 7
    SPOUSE_NUMBER = 8
    CHILD_NUMBER = 9
    NEAR_NUMBER = 10
    PARENT_NAME = 11
    SPOUSE_NAME = 12
    NEAR_NAME = 13
    STREET = 14
    TOWN = 15
    WORKPLACE = 16
    NAME_AND_BIRTH = 17
    NAMESAKE = 18
    NUMBER = 19
    """A number that is meant: of nodes (`linkage.graph`), not of mentions."""


KIND_MASK: Final = 31
_HASH_MASK: Final = (1 << 63) - 1 - KIND_MASK
INDEXED: Final = frozenset(map(int, Kind)) - {
    Kind.BUILDING,
    Kind.PARENT_NAME,
    Kind.SPOUSE_NAME,
    Kind.NEAR_NAME,
    Kind.STREET,
    Kind.TOWN,
    Kind.WORKPLACE,
}
"""Kinds whose tokens bring mentions together by themselves; the others only add to what is known of a pair."""

PLACES: Final = (Kind.ADDRESS, Kind.BUILDING, Kind.STREET, Kind.TOWN)
"""Kinds of which each holds the one before it, as a street its buildings: the first that two share counts, alone."""

_GENERIC: Final = default_generic()
# A member of an enumeration costs a look-up each time.
_PARENT_NAME: Final = int(Kind.PARENT_NAME)
_TIE: Final = int(Kind.TIE)
_HOUSEHOLD: Final = int(Kind.HOUSEHOLD)
_NAME_AND_BIRTH: Final = int(Kind.NAME_AND_BIRTH)
_NAMESAKE: Final = int(Kind.NAMESAKE)
_WITH_NAME: Final = frozenset(
    map(int, (Kind.BUILDING, Kind.TOWN, Kind.WORKPLACE, Kind.PARENT_NAME, Kind.SPOUSE_NAME, Kind.NEAR_NAME))
)
"""Kinds that bring mentions together where the name agrees as well."""

_CACHE: Final = 1 << 16
_CONTRADICTIONS: Final = (BirthLevel.DIFFERENT, BirthLevel.ONE_PART)
"""Births that differ from the one in the number otherwise than by writing it another way. Either may be wrong:
fifteen digits have no check character."""
_PARENT_AGE: Final = 14 * 365
_SHORTEST_DOCUMENT: Final = 5
_SHORTEST_PHONE: Final = 7
_PERMIT: Final = re.compile(r"([HM][0-9]{8})[0-9]{2}")
_NUMBERS: Final[dict[Relation, Kind]] = {
    Relation.MOTHER: Kind.PARENT_NUMBER,
    Relation.FATHER: Kind.PARENT_NUMBER,
    Relation.GUARDIAN: Kind.PARENT_NUMBER,
    Relation.SPOUSE: Kind.SPOUSE_NUMBER,
    Relation.CHILD: Kind.CHILD_NUMBER,
}
_NAMES: Final = {
    Kind.PARENT_NUMBER: Kind.PARENT_NAME,
    Kind.SPOUSE_NUMBER: Kind.SPOUSE_NAME,
}
_NEAR: Final = int(Kind.NEAR_NUMBER), Kind.NEAR_NAME
_KINDS: Final = {
    str(relation): (int(kind), _NAMES.get(kind, Kind.NEAR_NAME)) for relation, kind in _NUMBERS.items()
}
"""Kinds of the number and of the name that a record gives to a relative; all others are `_NEAR`."""
_NOBODY: Final[frozenset[str]] = frozenset()
_COMPANY: Final = re.compile(r"(?:有限责任|股份有限|有限)?公司$")
_NO_EMPLOYER: Final = re.compile(
    r"(?:个体(?:户|经营户?|工商户)?|灵活就业(?:人员)?|自由职业者?|自主(?:经营|就业)|务农|在家|退休|[无待失]业|无)$"
)
"""What stands for a workplace where somebody has no employer."""
_SHORTEST_WORKPLACE: Final = 4
_FIRST_NUMBER: Final = re.compile(r"[0-9]")
_DIGITS: Final = re.compile(r"[0-9]+")
_ROAD: Final = 3
_STREET: Final = 5
_ABOVE_STREET: Final = re.compile(r"(?:[省市县乡镇]|街道|(?<!社)区)$")
_TOWN: Final = re.compile(r"([^省市区县乡镇]{2,6}?)(?:街道|[乡镇])")


class Core(NamedTuple):
    """Who a mention says it is. Empty texts, 0 and None mean unknown.

    ``number`` is its own, ``doubtful`` a valid one that the record contradicts, ``invalid`` one that is no
    number, as the source wrote it, ``earlier`` others that the source calls the person's. ``names``: the name
    first. ``birth`` and ``lunar`` are days since 1970-01-01, the latter what a lunar date means; ``month`` is
    yyyyMM. ``order``: among twins. ``certificate``: of birth or death.
    """

    number: str
    doubtful: str
    invalid: str
    earlier: tuple[str, ...]
    names: tuple[str, ...]
    birth: int | None
    month: int
    lunar: tuple[int, ...]
    sex: str
    order: int
    certificate: str


class Features(NamedTuple):
    """A mention's core and its tokens, without repetition."""

    core: Core
    tokens: tuple[int, ...]


TELLING: Final = (
    "name",
    "former_name",
    "id_number",
    "sex",
    "birth_date",
    "phone",
    "hukou_address",
    "residence_address",
    "workplace",
    "certificate_number",
    "birth_month",
    "lunar_birth_date",
    "household",
    "ties",
    "other_numbers",
    "other_names",
    "birth_order",
    "kin",
)
"""What features are made of; the rest of a mention may change without any work for linking."""
what_tells: Final[Callable[[Mention], tuple[object, ...]]] = attrgetter(*TELLING)


_digest: Final = xxhash.xxh3_64_intdigest


def token(kind: Kind, text: str) -> int:
    """Return the token of a value, below 2**63: the same in every process."""
    return _digest(text) & _HASH_MASK | kind


def features_of(mention: Mention, invalid: str = "", generic: GenericValues = _GENERIC) -> Features:
    """Return a mention's features. ``invalid`` is an ID number that the normalizer refused, as it was written.

    Values of the table ``generic`` stand for nothing.
    """
    if invalid and generic.has("id_number", invalid):
        invalid = ""
    tokens: list[int] = []
    named: list[int] = []
    kin_numbers = _add_kin(mention, tokens, named, generic) if mention.kin else _NOBODY
    birth, month, lunar = _birth(mention, generic)
    number, document = _number(mention, generic)
    doubtful = ""
    if number:
        conflict = birth is not None and _contradicts(number, birth)
        if number in kin_numbers and (conflict or birth is None):
            number = ""
        elif conflict:
            doubtful, number = number, ""
            _add_parent(doubtful, birth, tokens)
    if len(invalid) == LENGTH + 1:
        mothers = invalid[:LENGTH]
        if is_valid_id_number(mothers) and (birth is None or _contradicts(mothers, birth)):
            # Newborns are insured under the mother's number and a digit; so are their brothers and sisters after them.
            tokens.append(token(Kind.PARENT_NUMBER, mothers))
            tokens.append(token(Kind.NEAR_NUMBER, invalid))
            invalid = ""
    earlier: tuple[str, ...] = ()
    if mention.other_numbers:
        earlier = _add_other_numbers(mention, number, tokens, generic)
    if document:
        _add_document(document, tokens)
    certificate = mention.certificate_number or ""
    if certificate:
        _add_document(certificate, tokens)
    for tie in mention.ties:
        tokens.append(_digest(tie) & _HASH_MASK | _TIE)
    if mention.phone is not None:
        _add_phone(Kind.PHONE, mention.phone, tokens, generic)
    for address in (mention.hukou_address, mention.residence_address):
        if address is not None:
            signs, narrow = _address(address)
            tokens += signs
            named += narrow
    if mention.workplace is not None:
        employer = employer_in(mention.workplace)
        if employer:
            named.append(token(Kind.WORKPLACE, employer))
            tokens.append(named[-1])
    if mention.household is not None:
        tokens.append(_digest(mention.household) & _HASH_MASK | _HOUSEHOLD)
    names = _names(mention, generic)
    if named:
        known = month
        if not known and number:
            day = day_of(date_in(number))
            known = day.year * 100 + day.month
        if known:
            for sign in named:
                if sign & KIND_MASK == _PARENT_NAME:
                    tokens.append(_digest(f"p{sign}{known}") & _HASH_MASK | _NAME_AND_BIRTH)
        if names:
            # A name is too little to bring two together, and so is a town, an employer or somebody's name; both are
            # enough.
            whole = _sounds(names[0])[2]
            for sign in named:
                tokens.append(_digest(f"n{whole}{sign}") & _HASH_MASK | _NAME_AND_BIRTH)
    core = Core(
        number,
        doubtful,
        "" if number or doubtful else invalid,
        earlier,
        names,
        birth,
        month,
        lunar,
        mention.sex if mention.sex in ("1", "2") else "",
        mention.birth_order or 0,
        certificate,
    )
    return Features(core, tuple(dict.fromkeys(tokens)))


def _add_other_numbers(
    mention: Mention, number: str, tokens: list[int], generic: GenericValues
) -> tuple[str, ...]:
    """Return the valid ones of the person's other numbers, in order; add the rest as documents."""
    earlier: list[str] = []
    for other in mention.other_numbers:
        if generic.has("id_number", other):
            continue
        if is_valid_id_number(other):
            if other != number:
                earlier.append(other)
        else:
            _add_document(other, tokens)
    return tuple(sorted(earlier))


def _number(mention: Mention, generic: GenericValues) -> tuple[str, str]:
    """Return the resident ID number and the number of another document, empty for what is not there."""
    number = mention.id_number
    if number is None or generic.has("id_number", number):
        return "", ""
    return (number, "") if is_valid_id_number(number) else ("", number)


def _contradicts(number: str, birth: int) -> bool:
    return compare_days(date_in(number), birth) in _CONTRADICTIONS


def _birth(mention: Mention, generic: GenericValues) -> tuple[int | None, int, tuple[int, ...]]:
    birth = mention.birth_date
    if birth in generic.births:
        birth = None
    lunar: tuple[int, ...] = ()
    if mention.lunar_birth_date is not None:
        written, lunar = written_lunar(mention.lunar_birth_date)
        if birth is None:
            birth = lunar[0] if lunar else written
    if birth is not None:
        day = day_of(birth)
        return birth, day.year * 100 + day.month, lunar
    month = mention.birth_month
    return None, int(month) if month is not None and month.isdecimal() else 0, lunar


def _names(mention: Mention, generic: GenericValues) -> tuple[str, ...]:
    if not mention.former_name and not mention.other_names:
        name = mention.name
        return (name,) if name and _is_telling(name, generic) else ()
    names: dict[str, str] = {}
    for name in (mention.name, mention.former_name, *mention.other_names):
        if name and _is_telling(name, generic):
            names.setdefault(name_key(name).folded, name)
    return tuple(names.values())


@lru_cache(_CACHE)
def _is_telling(name: str, generic: GenericValues) -> bool:
    return not generic.has("name", name) and is_readable(name_key(name))


def _add_kin(
    mention: Mention, tokens: list[int], named: list[int], generic: GenericValues
) -> set[str] | frozenset[str]:
    """Add what is told of others, to ``named`` as well where it brings together with the name; return their ID
    numbers."""
    numbers: set[str] = set()
    for other in mention.kin:
        kind, kind_of_name = _KINDS.get(other.relation, _NEAR)
        number = other.id_number
        if number is not None and len(number) >= _SHORTEST_DOCUMENT and not generic.has("id_number", number):
            tokens.append(_digest(number) & _HASH_MASK | kind)
            numbers.add(number)
        if other.name and not generic.has("name", other.name):
            sign = name_token(kind_of_name, other.name)
            tokens.append(sign)
            named.append(sign)
        if other.phone is not None:
            _add_phone(Kind.NEAR_PHONE, other.phone, tokens, generic)
    return numbers


@lru_cache(_CACHE)
def name_token(kind: Kind, name: str) -> int:
    """Return the token of somebody else's name: names that sound alike have one."""
    return token(kind, name_key(name).pinyin or name)


def _add_parent(number: str, birth: int | None, tokens: list[int]) -> None:
    if birth is not None and birth - date_in(number) > _PARENT_AGE:
        tokens.append(token(Kind.PARENT_NUMBER, number))


def _add_document(number: str, tokens: list[int]) -> None:
    folded = "".join(filter(str.isalnum, number.upper()))
    if len(folded) >= _SHORTEST_DOCUMENT:
        permit = _PERMIT.fullmatch(folded)
        tokens.append(token(Kind.DOCUMENT, permit[1] if permit else folded))


def _add_phone(kind: Kind, phone: str, tokens: list[int], generic: GenericValues) -> None:
    if len(phone) >= _SHORTEST_PHONE and not generic.has("phone", phone):
        tokens.append(token(kind, phone))


@lru_cache(_CACHE)
def _address(address: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens of an address, and those of them that bring together with the name."""
    tokens = address_tokens(address)
    return tokens, tuple([sign for sign in tokens if sign & KIND_MASK in _WITH_NAME])


def address_tokens(address: str) -> tuple[int, ...]:
    """Return the tokens of an address: all of it, down to its first number, its street or village, its town.

    Departments write the levels above the road in several ways or not at all, so an address is its road's last
    characters and its numbers. Many stop at the street, or at the town.
    """
    first = _FIRST_NUMBER.search(address)
    text = "".join(filter(str.isalnum, address if first is None else address[: first.start()]))
    found: list[int] = []
    if first is not None:
        road, numbers = text[-_ROAD:], _DIGITS.findall(address)
        found.append(token(Kind.ADDRESS, f"{road}{'-'.join(numbers)}"))
        found.append(token(Kind.BUILDING, f"{road}{numbers[0]}"))
    town = _TOWN.search(text)
    if _ABOVE_STREET.search(text) is None:
        # With the town's name before it, which old files write without saying that it is one.
        street = text if town is None else f"{town[1]}{text[town.end() :]}"
        if len(street) >= _STREET:
            found.append(token(Kind.STREET, street[-_STREET:]))
    if town is not None:
        found.append(token(Kind.TOWN, town[1]))
    return tuple(found)


@lru_cache(_CACHE)
def employer_in(workplace: str) -> str:
    """Return the employer's name without the company's legal form, which some leave out; empty where it tells of
    none."""
    name = _COMPANY.sub("", "".join(filter(str.isalnum, workplace)))
    return name if len(name) >= _SHORTEST_WORKPLACE and _NO_EMPLOYER.search(name) is None else ""


def keys_of(core: Core, *, wide: bool) -> set[int]:
    """Return the tokens of names with births by which mentions are brought together.

    ``wide`` adds dates with month and day exchanged and both readings of a lunar date: for mentions without a
    number, of which few would be found otherwise.
    """
    number, names = core.number, core.names
    if not names:
        return set()
    birth, month = core.birth, core.month
    in_number = date_in(number) if number else None
    if birth is None:
        birth = in_number
    if birth is not None and not month:
        stated = day_of(birth)
        month = stated.year * 100 + stated.month
    texts: list[str] = []
    for name in names:
        first, rest, whole = _sounds(name)
        if birth is not None:
            for one in _readings(birth, core.lunar) if wide else (birth,):
                texts.append(f"f{first}{one}")
                texts.append(f"r{rest}{one}")
        if month:
            texts.append(f"w{whole}{month}")
    keys = {_digest(text) & _HASH_MASK | _NAME_AND_BIRTH for text in texts}
    if number:
        folded = name_key(names[0]).folded
        for day in (birth,) if birth == in_number else (birth, in_number):
            keys.add(_digest(f"{folded}{day}") & _HASH_MASK | _NAMESAKE)
    return keys


def _readings(birth: int, lunar: tuple[int, ...]) -> set[int]:
    days = {birth, *lunar, *lunar_readings(birth)}
    day = day_of(birth)
    swapped = days_of(day.year, day.day, day.month)
    return days if swapped is None else days | {swapped}


@lru_cache(_CACHE)
def _sounds(name: str) -> tuple[str, str, str]:
    """Return how a name's first part, the rest, and all of it in any order, sound."""
    key = name_key(name)
    cut = key.surname or (key.parts[0] if len(key.parts) > 1 else max(1, len(key.units) // 2))
    sounds = [sound(syllable) or unit for syllable, unit in zip(key.syllables, key.units, strict=True)]
    return "".join(sounds[:cut]), "".join(sounds[cut:]), "".join(sorted(sounds))


def numbers_meant(core: Core) -> tuple[str, ...]:
    """Return the numbers under which a core is found: its own, the doubtful, earlier ones, and what an invalid
    one can have been."""
    own = [number for number in (core.number, core.doubtful) if number]
    return (*own, *core.earlier, *(corrections(core.invalid) if core.invalid else ()))
