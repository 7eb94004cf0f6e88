"""Stores keep campaigns, tasks, leases and the log; every store keeps the same promises."""
