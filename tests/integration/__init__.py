"""Tests with real processes, servers and models."""
