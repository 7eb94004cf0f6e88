"""One suite of promises for every store, one for every executor."""
