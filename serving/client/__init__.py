"""Typed clients of both APIs: what an external scheduler, the command line and our own scheduler call."""

from serving.client.priority import PriorityClient
from serving.client.queue import QueueClient

__all__ = ["PriorityClient", "QueueClient"]
