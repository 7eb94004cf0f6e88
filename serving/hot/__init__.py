"""The hot path of `POST /predict`: the ordinary route's answers, at a tenth of its cost, and only where it is sure."""

from serving.hot.answering import Answering
from serving.hot.meters import Meters, meters
from serving.hot.path import HotPath, Place

__all__ = ["Answering", "HotPath", "Meters", "Place", "meters"]
