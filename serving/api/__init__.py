"""Bodies and problem responses of both APIs."""
