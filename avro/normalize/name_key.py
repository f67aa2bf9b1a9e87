"""What is compared of a person's name: a key with the parts that matter, for linking. It never replaces the name.

>>> name_key("買買提 · 艾山").folded == name_key("买买提艾山").folded
True
>>> name_key("单雄信").syllables
('shan', 'xiong', 'xin')
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final, NamedTuple

from avro.codes import rows
from avro.normalize.characters import DAMAGED, LOST, character_of
from avro.normalize.name import normalize_dots
from avro.normalize.text import HAN

_REMEMBERED: Final = 1 << 17
"""Names' keys that are kept, some 400 bytes each: a county's names."""

_HAN_ONLY: Final = re.compile(f"[{HAN}]+")
_USUAL: Final = re.compile(r"[\u4e00-\u9fff]{2,4}")
_IS_CHARACTER: Final = re.compile(f"[{HAN}{LOST}]")
_WORD: Final = re.compile(rf"[{HAN}{LOST}]|[^\W\d_{HAN}]+")
_PARTING: Final = re.compile("[\u00b7 ]")
_LONGEST_SURNAME: Final = 4
_LONGEST_WITH_SURNAME: Final = 6
"""Characters. Longer names are minorities' without their dot, and so are those of five without a surname of two."""
_LONGEST_WITH_SHORT_SURNAME: Final = 4


class NameKey(NamedTuple):
    """A name, taken apart. All five run over the same units: a Han character is one, a word in letters is one.

    ``folded``: the units that compare equal across scripts, variants, dots, blanks, width and case, joined: Han
    characters by their representative (`avro.normalize.characters`), words in capitals without accents.
    ``units`` the same, one by one. ``syllables``: pinyin without tone of each, a word in small letters as it is; empty
    where no reading is known. ``shapes``: the representative of its look-alikes.
    ``surname``: how many of the first units are the surname; 0 where the name has none that could be told (dotted
    names, words in letters). ``parts``: how many units each part has, as dots and blanks divide the name.

    A unit that was damaged or masked is `avro.normalize.characters.DAMAGED`, without a syllable: it is equal to
    nothing, and only the caller can pass over it.
    """

    folded: str
    units: tuple[str, ...]
    syllables: tuple[str, ...]
    shapes: tuple[str, ...]
    surname: int
    parts: tuple[int, ...]

    @property
    def is_damaged(self) -> bool:
        """Whether a unit is missing."""
        return DAMAGED in self.folded

    @property
    def is_han(self) -> bool:
        """Whether the name is in Han characters alone."""
        return _HAN_ONLY.fullmatch(self.folded) is not None

    @property
    def pinyin(self) -> str:
        """The syllables, joined: equal for names that sound alike."""
        return "".join(self.syllables)

    @property
    def given_syllables(self) -> tuple[str, ...]:
        """The syllables after the surname."""
        return self.syllables[self.surname :]


@cache
def _surnames() -> dict[str, tuple[str, ...]]:
    return {row["surname"]: tuple(row["pinyin"].split(" ")) for row in rows("surname")}


@lru_cache(maxsize=_REMEMBERED)
def name_key(name: str) -> NameKey:
    """Return the key of a name, as a normalizer gave it or as it was written. Pure; never raises for any text.

    A text without a letter or Han character has a key without units.
    """
    if _USUAL.fullmatch(name) is None:
        return _read(name)
    units, syllables, shapes = map(list, zip(*map(character_of, name), strict=True))
    surname = _surname(units, syllables)
    return NameKey("".join(units), tuple(units), tuple(syllables), tuple(shapes), surname, (len(units),))


def _read(name: str) -> NameKey:
    text = unicodedata.normalize("NFKC", normalize_dots(name))
    units: list[str] = []
    syllables: list[str] = []
    shapes: list[str] = []
    parts: list[int] = []
    for part in _PARTING.split(text):
        before = len(units)
        for word in _WORD.findall(part):
            if _IS_CHARACTER.fullmatch(word):
                folded, syllable, shape = character_of(word)
            else:
                folded = shape = _plain_letters(word)
                syllable = folded.lower()
            units.append(folded)
            syllables.append(syllable)
            shapes.append(shape)
        if len(units) > before:
            parts.append(len(units) - before)
    surname = _surname(units, syllables) if len(parts) == 1 else 0
    return NameKey("".join(units), tuple(units), tuple(syllables), tuple(shapes), surname, tuple(parts))


def _plain_letters(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.upper())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)) or word


def _surname(units: list[str], syllables: list[str]) -> int:
    """Return the length of the surname, and put its own readings in the place of the usual ones."""
    # Two characters are a surname and a given name even if they could be one surname: 司马 is 司 and 马.
    surnames = _surnames()
    count = len(units)
    if not 0 < count <= _LONGEST_WITH_SURNAME or not all(map(_IS_CHARACTER.fullmatch, units)):
        return 0
    for length in range(min(_LONGEST_SURNAME, count - 1), 1, -1):
        readings = surnames.get("".join(units[:length]))
        if readings is not None:
            syllables[:length] = readings
            return length
    if count > _LONGEST_WITH_SHORT_SURNAME:
        return 0
    reading = surnames.get(units[0])
    if reading is not None:
        syllables[0] = reading[0]
    return 1
