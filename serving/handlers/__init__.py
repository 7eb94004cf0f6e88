"""Handlers do a task's work, chunk by chunk."""
