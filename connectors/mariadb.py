"""Connections to MariaDB databases."""

from __future__ import annotations

from typing import TypeAlias

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from connectors.addresses import read_address
from connectors.errors import TransientError

CONNECT_SECONDS = 10

Connection: TypeAlias = "pymysql.Connection[Cursor]"


def connect(dsn: str, what: str = "the database", *, scripts: bool = False) -> Connection:
    """Open a connection that commits each statement unless told otherwise, in UTC and utf8mb4.

    ``what`` names the database in errors; ``scripts`` allows several statements in one, each of which counts the rows
    that it found. Raises TransientError when it does not answer or refuses the account.
    """
    address = read_address(dsn, what)
    try:
        return pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=address.database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            init_command="SET time_zone = '+00:00'",
            client_flag=CLIENT.MULTI_STATEMENTS | CLIENT.FOUND_ROWS if scripts else 0,
        )
    except pymysql.MySQLError as error:
        # The driver's text names account and address.
        code = error.args[0] if error.args else type(error).__name__
        raise TransientError(
            f"{what} cannot be reached: MariaDB error {code}; is it running, are address, account and password right?"
        ) from None


def run_script(dsn: str, script: str, what: str = "the database") -> None:
    """Run statements that are separated by semicolons, to the end of the last. Raises TransientError and
    pymysql.MySQLError, which may quote the script."""
    connection = connect(dsn, what, scripts=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(script)
            while cursor.nextset():
                pass
    finally:
        connection.close()
