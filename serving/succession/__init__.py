"""Who answers: the champion while it can be had, whoever is next in line while it cannot, replaced without a pause."""

from serving.succession.line import Line
from serving.succession.meters import Meters, meters
from serving.succession.reign import Reign

__all__ = ["Line", "Meters", "Reign", "meters"]
