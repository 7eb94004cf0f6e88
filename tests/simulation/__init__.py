"""The real scheduler, store, executor and policy under a virtual clock and seeded faults; see `__main__`."""
