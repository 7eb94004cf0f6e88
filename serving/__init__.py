"""Answers what delay costs, schedules work by it on limited capacity, and records what happened."""
