"""Typed clients of both APIs: what an external scheduler, the command line and our own scheduler call."""

from serving.client.priority import PriorityClient, SyncPriorityClient
from serving.client.queue import AsyncQueueClient, QueueClient

__all__ = ["AsyncQueueClient", "PriorityClient", "QueueClient", "SyncPriorityClient"]
