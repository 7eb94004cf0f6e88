"""When everything will start and be done: the live policy played forward many times, beside the scheduler's loop."""
