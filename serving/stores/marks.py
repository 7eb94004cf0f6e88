"""Marks in a SQL database: one number that grows with every change, written to each campaign that changed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, literal_column, select, update

from serving.stores.engines import CHANNEL, POSTGRESQL, SENDER
from serving.stores.prepared import Prepared
from serving.stores.schema import campaigns, dependencies, marks

_RAISED = update(marks).values(highest=marks.c.highest + literal_column("1"))
_NEXT = Prepared(_RAISED.returning(marks.c.highest))
_TOLD = func.pg_notify(literal_column(f"'{CHANNEL}'"), func.current_setting(literal_column(f"'{SENDER}'")))
_NEXT_TOLD = Prepared(_RAISED.returning(marks.c.highest, _TOLD))
_HIGHEST = Prepared(select(marks.c.highest))
_before = campaigns.alias("before")
_FOLLOWERS = Prepared(
    update(campaigns)
    .where(
        campaigns.c.campaign_id.in_(
            select(dependencies.c.campaign_id)
            .join_from(dependencies, _before, _before.c.campaign_id == dependencies.c.after_id)
            .where(dependencies.c.after_id == bindparam("own"), _before.c.mark == bindparam("latest"))
        )
    )
    .values(mark=bindparam("latest"))
)


def next_mark(connection: Connection) -> int:
    """A mark above all before, for all that the transaction changes.

    Writers hold the row until they commit, so marks are given in the order in which changes become visible. A server
    then tells whoever listens (see `Listening`).
    """
    ((mark, *_),) = (_NEXT_TOLD if connection.dialect.name == POSTGRESQL else _NEXT).all(connection, {})
    return int(mark)


def highest_mark(connection: Connection) -> int:
    """The latest mark given."""
    ((mark,),) = _HIGHEST.all(connection, {})
    return int(mark)


def mark_followers(connection: Connection, campaign_ids: Iterable[str], mark: int) -> None:
    """Mark what follows those of these campaigns that have just been marked: what it waits for has changed."""
    _FOLLOWERS.many(connection, [{"own": campaign_id, "latest": mark} for campaign_id in campaign_ids])
