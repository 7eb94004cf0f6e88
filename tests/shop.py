"""A Celery app as somebody might have it, with a worker of its own: `celery --app tests.shop worker`."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

app = Celery("shop", broker=os.environ.get("SHOP_URL"), backend=os.environ.get("SHOP_URL"), set_as_current=False)
app.conf.task_default_queue = os.environ.get("SHOP_QUEUE", "shop")


@app.task(name="shop.send")
def send(to: str, notes: str) -> str:
    """Note whom it is sent to."""
    with Path(notes).open("a", encoding="utf-8") as file:
        file.write(f"{to}\n")
    if to == "nobody":
        raise LookupError(f"no such address: {to}")
    return "sent"
