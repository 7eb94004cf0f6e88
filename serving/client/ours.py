"""The clients as this installation's settings have them: where its services are, and with its token."""

from __future__ import annotations

from serving.client.priority import PriorityClient
from serving.client.queue import QueueClient
from serving.settings import Settings


def priority_client(settings: Settings) -> PriorityClient:
    """The client of the prediction API."""
    return PriorityClient(settings.priority_url, token=_token(settings))


def queue_client(settings: Settings) -> QueueClient:
    """The client of the queue API."""
    return QueueClient(settings.scheduler_url, token=_token(settings))


def _token(settings: Settings) -> str | None:
    return None if settings.token is None else settings.token.get_secret_value()
