"""What an order of work would have been worth: held-out weeks, played by the very code that schedules live."""

from training.backtest.contenders import best_horizon, clairvoyant, contenders, of_bundle
from training.backtest.figures import PolicyResult, results
from training.backtest.intervals import Share, share_of_gap
from training.backtest.playing import Contender, Outcome, Outcomes, contested_indices, play_weeks
from training.backtest.setting import PlayedWeek, Release, Setting, played_weeks

__all__ = [
    "Contender",
    "Outcome",
    "Outcomes",
    "PlayedWeek",
    "PolicyResult",
    "Release",
    "Setting",
    "Share",
    "best_horizon",
    "clairvoyant",
    "contenders",
    "contested_indices",
    "of_bundle",
    "play_weeks",
    "played_weeks",
    "results",
    "share_of_gap",
]
