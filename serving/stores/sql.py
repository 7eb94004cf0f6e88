"""The store in a SQL database, SQLite or PostgreSQL: every commit is on disk before it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.stores.database import Database
from serving.stores.intake_sql import SqlIntake
from serving.stores.listening import Listening
from serving.stores.log_sql import SqlLog
from serving.stores.queue_sql import SqlQueue
from serving.stores.standings_sql import SqlStandings
from serving.stores.workforce_sql import SqlWorkforce


class SqlStore(SqlIntake, SqlStandings, SqlQueue, SqlWorkforce, SqlLog):
    """Keeps everything in the database of a SQLAlchemy URL; safe to share between threads and processes.

    Raises
    ------
    SettingInvalid, StoreUnreachable
        See `Database`.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Make what is called within durable together; see `Store.at_once`."""
        with self._database.writing(apart=True):
            yield

    @contextmanager
    def heard(self, changed: Callable[[], None]) -> Iterator[None]:
        """Within it, `changed` is called from a thread of its own after every change that another process makes.

        Only a server tells of those; a SQLite file is for one scheduler.
        """
        if not self._database.is_shared:
            yield
            return
        with Listening(self._database, changed):
            yield

    def close(self) -> None:
        """Give back all connections."""
        self._database.close()
