"""The certificates that HTTPS trusts, read once a process."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def trusted() -> ssl.SSLContext:
    """Return httpx's own context. A client made without one reads all certificates, also for plain HTTP.

    That takes some 15 ms of processor time: more than the request, where one is made every second.
    """
    return httpx.create_ssl_context()
