"""Offline files: their layouts, their parsers, and how a delivery becomes events. See docs/files.md."""
