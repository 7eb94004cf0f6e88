"""Handlers do a task's work, chunk by chunk. What whoever writes one needs can be imported from here."""

from serving.handlers.contract import Checkpoint, Context, GiveUp, PlainContext, RetryLater

__all__ = ["Checkpoint", "Context", "GiveUp", "PlainContext", "RetryLater"]
