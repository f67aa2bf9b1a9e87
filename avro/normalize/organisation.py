"""Numbers of organisations: the unified social credit code of 18 characters, and the registration number of 15 digits
that it replaced in 2015.
"""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.text import MISSING, is_repeated, squeeze

# GB 32100-2015: letters without I, O, S, V, Z; the place in the alphabet is the character's value.
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_CODE: Final = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
_CODE_LENGTH: Final = 18

_REGISTRATION: Final = re.compile(r"[0-9]{15}")
_REGISTRATION_LENGTH: Final = 15


def credit_check(body: str) -> str:
    """Return the 18th character for the first 17 (GB 32100-2015, 4.2.6). Raises KeyError for a character that no code
    has."""
    total = sum(weight * _VALUES[character] for weight, character in zip(_WEIGHTS, body, strict=True))
    return _ALPHABET[-total % 31]


def registration_check(body: str) -> str:
    """Return the 15th digit for the first 14: ISO 7064 MOD 11,10, as GS 15-2006 prescribes. ``body`` is digits."""
    product = 10
    for digit in body:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def normalize_credit_code(value: str | None) -> tuple[str | None, Issues]:
    """Return a unified social credit code, or the registration number that an organisation had before it.

    Full-width characters, blanks, hyphens and small letters are mended. What is wrong is null with one of the findings
    credit_code_length, credit_code_characters, credit_code_checksum, placeholder. A registration number whose check
    digit is wrong is kept with a warning: those given before 2007 were filled up from 13 digits without one.
    """
    if value is None:
        return None, NONE
    code = squeeze(value).replace("-", "").upper()
    if code in MISSING:
        return None, NONE
    if is_repeated(code):
        return None, ("placeholder",)
    if len(code) == _CODE_LENGTH:
        if _CODE.fullmatch(code) is None:
            return None, ("credit_code_characters",)
        return (code, NONE) if credit_check(code[:-1]) == code[-1] else (None, ("credit_code_checksum",))
    if len(code) == _REGISTRATION_LENGTH:
        if _REGISTRATION.fullmatch(code) is None:
            return None, ("credit_code_characters",)
        return code, NONE if registration_check(code[:-1]) == code[-1] else ("registration_checksum",)
    return None, ("credit_code_length",)
