"""Brings a database to this build's version of the tables."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

FIRST = "0001"
"""The version that a database without a version of its own has: those made before there were migrations."""


def scripts() -> ScriptDirectory:
    """The migrations this build knows."""
    return ScriptDirectory(str(Path(__file__).with_name("migrations")))


def migrate(connection: Connection) -> str | None:
    """Take every step from the database's version to the newest; return a version that is unknown here instead.

    All of it is part of the connection's transaction: a step that fails leaves the database as it was.
    """
    known = scripts()
    context = MigrationContext.configure(connection)
    found = context.get_current_revision() or _before_migrations(connection)
    if found is not None and found not in {script.revision for script in known.walk_revisions()}:
        return found
    if found == FIRST:
        context.stamp(known, FIRST)
    with EnvironmentContext(Config(), known, fn=lambda revision, _: known._upgrade_revs("head", revision)) as steps:
        steps.configure(connection=connection, transactional_ddl=True)
        steps.run_migrations()
    return None


def _before_migrations(connection: Connection) -> str | None:
    """The version of a database that no migration made; None for an empty one."""
    if not inspect(connection).has_table("meta"):
        return None
    version = connection.execute(text("SELECT value FROM meta WHERE key = 'schema'")).scalar()
    return FIRST if version == "1" else version
