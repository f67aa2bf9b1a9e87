"""Telling the hub's watch that a delivery has come: its due date is met, and its size is remembered."""

from __future__ import annotations

import time
from typing import Final

import httpx
import msgspec

from connectors import endpoints
from connectors.files.delivery import Delivery
from monitoring.deliveries import Delivery as Noted
from streams.settings import Settings

TIMEOUT: Final = 10.0


def tell(options: Settings, feed: str, delivery: Delivery) -> str:
    """Say that a delivery of the feed was loaded; return why that failed, empty when it did not. Blocks.

    The delivery is in the hub whatever becomes of this. Said again it changes nothing.
    """
    running = endpoints.load(options.data)
    if running is None or not running.console:
        return ""  # a hub elsewhere: it has no address here
    date = f"{delivery.date // 10000:04}-{delivery.date // 100 % 100:02}-{delivery.date % 100:02}"
    noted = Noted(feed, date, delivery.sequence, delivery.control.records, time.time_ns() // 1000)
    try:
        answer = httpx.post(
            f"{running.console}/v1/deliveries",
            content=msgspec.json.encode(noted),
            headers={"Content-Type": "application/json"},
            timeout=TIMEOUT,
        )
    except httpx.HTTPError as error:
        reason = type(error).__name__
    else:
        if answer.is_success:
            return ""
        reason = f"HTTP {answer.status_code}"
    return (
        f"loaded, but the hub's watch does not know it ({reason}) and may call it late; "
        "run the same command again when the store process answers"
    )
