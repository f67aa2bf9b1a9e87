"""How the command line reports errors: one sentence on standard error and exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from avro.errors import AvroError
from connectors.errors import ConnectorError
from linkage.errors import LinkageError
from streams.errors import StreamError


@contextmanager
def reported() -> Iterator[None]:
    """Turn our own errors, and the operating system's, into a sentence and exit code 1."""
    try:
        yield
    except (AvroError, ConnectorError, LinkageError, StreamError) as error:
        typer.echo(f"renkou: {error}", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        named = error.filename is not None and error.strerror
        typer.echo(f"renkou: {f'{error.filename}: {error.strerror}' if named else error}", err=True)
        raise typer.Exit(1) from error
