"""Captured topics across a one-way gateway, as files. See docs/gateway.md."""
