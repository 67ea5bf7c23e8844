"""Tells trouble of the database, which passes, from what a row or a trace itself is to blame for."""

from __future__ import annotations

import psycopg

PASSING = {"08", "40", "53", "55", "57", "58"}  # classes: connection, conflict, resources, locks, shutdown, system


def trouble(error: Exception) -> str | None:
    """The SQLSTATE of an error of the database that will pass ("" when the connection broke); None for any other.

    A full disk, a lock or a shutdown says nothing against what was to be stored: a delivery that was tried meanwhile
    must wait, however long, and not be set aside. Errors come as Django's, or as the driver's own out of a COPY.
    """
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    state = cause.sqlstate or ""
    return state if not state or state[:2] in PASSING else None
