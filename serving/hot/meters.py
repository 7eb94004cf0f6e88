"""What the hot path counts, for `/metrics`: it answers before BentoML's own metrics see a request."""

from __future__ import annotations

from functools import cache

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Meters:
    """See `meters`.

    Attributes
    ----------
    answered, handed_on, timed_out : requests by what became of them; those handed on are counted by BentoML as well.
    campaigns : predicted on the hot path.
    seconds : from the first byte of the request to the last of the answer, of those answered.
    """

    def __init__(self) -> None:
        # Imported here: the library decides at its import whether counts are shared between processes.
        from prometheus_client import Counter, Histogram  # noqa: PLC0415

        requests = Counter(
            "precedence_predict_requests", "Requests to /predict by what the hot path made of them", ["outcome"]
        )
        self.answered = requests.labels("answered")
        self.handed_on = requests.labels("handed_on")
        self.timed_out = requests.labels("timed_out")
        self.campaigns = Counter("precedence_predict_campaigns", "Campaigns predicted on the hot path")
        self.seconds = Histogram("precedence_predict_seconds", "Seconds of a request on the hot path", buckets=_SECONDS)


@cache
def meters() -> Meters:
    """Those of this process; first asked for after BentoML has said where a service's processes keep their counts."""
    return Meters()
