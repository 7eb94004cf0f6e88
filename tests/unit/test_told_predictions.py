"""How predictions look on a terminal."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from serving.api.answers import Explanations
from serving.terminal import because, predictions_table
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.worlds import campaign, small_world


def explained() -> Explanations:
    world = small_world()
    bundle = tiny_bundle(world).versioned("12")
    stranger = campaign("a-stranger", kind="never seen", channel="pigeon")
    return Explanations(
        model=bundle.identity, predictions=tuple(bundle.explain([*world.campaigns[-2:], stranger], TRAINED_AT))
    )


def printed(width: int = 80) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, markup=False, highlight=False).print(predictions_table(explained()))
    return out.getvalue().splitlines()


def test_predictions_take_one_line_each_within_eighty_columns():
    lines = printed()
    assert not any("…" in line for line in lines)
    for name in ("w7-3", "w7-4", "a-stranger *"):
        assert len([line for line in lines if line.strip().startswith(name)]) == 1


def test_reasons_follow_one_a_line_under_the_campaign_s_name():
    lines = because(explained(), 80).splitlines()
    assert max(len(line) for line in lines) <= 80
    starts = [n for n, line in enumerate(lines) if not line.startswith("  ")]
    assert [lines[n] for n in starts] == ["w7-3", "w7-4", "a-stranger"]
    assert any(line.startswith("    ") for line in lines), "a long reason goes on below itself"
    assert lines[starts[1] - 1].startswith("  the hand matrix gives ")
    assert any("of 100 points" in line for line in lines[starts[2] :])
