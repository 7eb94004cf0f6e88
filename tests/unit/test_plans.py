"""Features come out the same whether campaigns are records or rows of tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.builder import build_features, features_of_tables
from features.plans import Plans
from features.records import ValueShape
from features.schema import campaigns_of
from tests.worlds import World, campaign, small_world


def test_tables_give_the_features_of_records():
    history = small_world(weeks=12, late=0.3).history
    campaigns = campaigns_of(history)
    asked = history.campaigns.campaign_id[::-1]
    by_record = build_features(history, campaigns, [c.released_at for c in campaigns]).loc[asked]
    pd.testing.assert_frame_equal(features_of_tables(history, asked), by_record, check_exact=True)


def test_facts_that_are_not_declared_and_campaigns_without_targets_are_the_same_too():
    bare = campaign("bare", ends_at=None, value_shape=ValueShape.HALF_LIFE, half_life_h=5.0, targets={})
    full = campaign("full", urgency=0.5, brand=0.2, planned_revenue=10.0, targets={"a": 1.0, "b": 2.0})
    history = World([bare, full], [], [], {}).history
    by_table, by_record = Plans.of_tables(history.campaigns, history.targets), Plans.of_records([bare, full])
    for name, column in by_record.facts.items():
        np.testing.assert_array_equal(by_table.facts[name], column)
    np.testing.assert_array_equal(by_table.row, by_record.row)
    assert list(by_table.targets) == by_record.targets
    assert list(by_table.channels) == by_record.channels
    assert {entity: list(labels) for entity, labels in by_table.labels.items()} == by_record.labels


def test_a_target_planned_twice_is_planned_as_said_last():
    history = World([campaign("one", targets={"a": 1.0})], [], [], {}).history
    twice = pd.concat([history.targets, history.targets.assign(planned_exposures=7.0)], ignore_index=True)
    assert Plans.of_tables(history.campaigns, twice).exposures.tolist() == [7.0]
