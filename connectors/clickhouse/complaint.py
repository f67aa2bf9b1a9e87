"""A complaint of the store's: something that the operator should know. Apart, so that who shows it loads no engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong and what to do: a sentence in Chinese and one in English, without a full stop."""

    zh: str
    en: str
