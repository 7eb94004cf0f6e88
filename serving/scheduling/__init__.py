"""Who goes first, why, and when: policy as pure functions, and the loop that applies it."""
