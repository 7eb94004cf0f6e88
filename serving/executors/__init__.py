"""Executors carry out leased tasks; what runs is decided elsewhere."""
