"""Brings a database to this build's version of the tables."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from serving.stores.engines import POSTGRESQL

FIRST = "0001"
"""The version that a database without a version of its own has: those made before there were migrations."""

_ONE_AT_A_TIME = 0x70726563
"""The advisory lock of whoever migrates: any number that no other user of the database is likely to take."""


def scripts() -> ScriptDirectory:
    """The migrations this build knows."""
    return ScriptDirectory(str(Path(__file__).with_name("migrations")))


def unknown(connection: Connection) -> str | None:
    """The version of the database's tables if this build does not know it."""
    found = _version(connection)
    known = {script.revision for script in scripts().walk_revisions()}
    return None if found is None or found in known else found


def migrate(connection: Connection) -> None:
    """Take every step from the database's version, which must be known here, to the newest.

    All of it is part of the connection's transaction: a step that fails leaves the database as it was.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(text("SELECT pg_advisory_xact_lock(:own)"), {"own": _ONE_AT_A_TIME})
    known = scripts()
    context = MigrationContext.configure(connection)
    if _version(connection) == FIRST:
        context.stamp(known, FIRST)
    with EnvironmentContext(Config(), known, fn=lambda revision, _: known._upgrade_revs("head", revision)) as steps:
        steps.configure(connection=connection, transactional_ddl=True)
        steps.run_migrations()


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision() or _before_migrations(connection)


def _before_migrations(connection: Connection) -> str | None:
    """The version of a database that no migration made; None for an empty one."""
    if not inspect(connection).has_table("meta"):
        return None
    version = connection.execute(text("SELECT value FROM meta WHERE key = 'schema'")).scalar()
    return FIRST if version == "1" else version
