"""The store in a SQL database: SQLite in WAL mode, every commit on disk before it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serving.stores.database import Database
from serving.stores.intake_sql import SqlIntake
from serving.stores.log_sql import SqlLog
from serving.stores.queue_sql import SqlQueue
from serving.stores.standings_sql import SqlStandings
from serving.stores.workforce_sql import SqlWorkforce


class SqlStore(SqlIntake, SqlStandings, SqlQueue, SqlWorkforce, SqlLog):
    """Keeps everything in the database of a SQLAlchemy URL; safe to share between threads and processes.

    Raises
    ------
    SettingInvalid
        When the database holds a version of the tables that this build does not know.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Make what is called within durable together; see `Store.at_once`."""
        with self._database.writing(apart=True):
            yield

    def close(self) -> None:
        """Give back all connections."""
        self._database.close()
