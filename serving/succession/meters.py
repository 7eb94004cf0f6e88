"""What is counted of models coming and going, for `/metrics`."""

from __future__ import annotations

from functools import cache

from serving.prediction import ModelIdentity


class Meters:
    """See `meters`.

    Attributes
    ----------
    refused : champions that were refused.
    reachable : whether the registry answered when last asked; of all workers, the worst.
    """

    def __init__(self) -> None:
        # Imported here: the library decides at its import whether counts are shared between processes.
        from prometheus_client import Counter, Gauge  # noqa: PLC0415

        self._installed = Counter(
            "precedence_models_installed", "Models that began to serve, by what they are", ["source"]
        )
        self._serving = Gauge(
            "precedence_champion_serves",
            "1 while the registry's champion answers, 0 while another does in its place",
            multiprocess_mode="livemin",
        )
        self.refused = Counter("precedence_champions_refused", "Champions that were refused, since they proved unsound")
        self.reachable = Gauge(
            "precedence_registry_reachable",
            "1 if the registry said who is champion when last asked, else 0",
            multiprocess_mode="livemin",
        )

    def installed(self, model: ModelIdentity) -> None:
        """A model begins to serve."""
        self._installed.labels(model.source).inc()
        self._serving.set(model.source == "champion")


@cache
def meters() -> Meters:
    """Those of this process; first asked for after BentoML has said where a service's processes keep their counts."""
    return Meters()
