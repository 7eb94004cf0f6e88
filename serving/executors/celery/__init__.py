"""Work that travels to other processes and machines over Celery; it needs the extra `celery`."""
