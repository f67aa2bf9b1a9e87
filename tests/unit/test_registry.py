"""The registry's client where two processes start together."""

from __future__ import annotations

import json

import httpx
import pytest

from avro.errors import SchemaError
from avro.registry import COMPATIBILITY, ConfluentRegistry


class Answers:
    """A registry that refuses the rule as one that another process has just set, to ``rule``."""

    def __init__(self, rule: str) -> None:
        self._rule = rule

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            return httpx.Response(409, json={"message": "A rule named 'COMPATIBILITY' already exists."})
        if request.method == "GET":
            return httpx.Response(200, json={"compatibilityLevel": self._rule})
        assert json.loads(request.content)["schema"]
        return httpx.Response(200, json={"id": 7})


def registry(rule: str) -> ConfluentRegistry:
    return ConfluentRegistry("http://registry.invalid", transport=httpx.MockTransport(Answers(rule)))


def test_a_rule_that_another_process_has_just_set_is_set() -> None:
    assert registry(COMPATIBILITY).register("renkou.records-a", {"type": "string"}) == 7


def test_another_rule_than_ours_is_an_error() -> None:
    with pytest.raises(SchemaError, match="already exists"):
        registry("NONE").register("renkou.records-a", {"type": "string"})
