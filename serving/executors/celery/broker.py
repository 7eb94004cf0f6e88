"""The Celery app by which the scheduler and its workers talk: what it sends, and by which rules of the broker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import KombuError
from kombu.utils.url import maybe_sanitize_url

from serving.errors import SettingInvalid
from serving.levels import LEVELS, keeps_priorities, priorities, priority

log = logging.getLogger(__name__)

BEGIN, GIVE_WAY = "precedence.begin", "precedence.give_way"
"""The names of all that is ever sent: leases to be taken up, and leases to be given back at the next checkpoint."""
MOST_PRESSING = 100.0
"""The score of what must not wait behind leases: it goes with the most pressing of them."""

_EXCHANGE = Exchange("precedence", type="direct")
_EXPIRES_MS = 3_600_000
"""An hour after its worker has gone, RabbitMQ forgets a queue; what was in it is long leased anew."""
_CONNECT_S = 5.0
_RETRY = {"max_retries": 2, "interval_start": 0.0, "interval_step": 0.2}
"""A lease that cannot be sent goes back to the queue in the store, which is better than to wait here."""


class Broker:
    """Carries the names of leases to workers: each has a queue of its own, in which the more pressing goes first.

    A message is kept by the broker until its leases are taken up in the store (acknowledged late), and sent only once
    the broker says that it has it (publisher confirms). A worker is handed one message at a time, so that what is
    still in its queue goes by priority. No result, no event and no remote control travels.

    Raises
    ------
    SettingInvalid
        When the URL names no broker that Celery speaks.
    """

    def __init__(self, url: str) -> None:
        self.app = Celery("precedence", broker=url, set_as_current=False)
        self.app.conf.update(
            task_acks_late=True,
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
            worker_prefetch_multiplier=1,
            worker_send_task_events=False,
            worker_enable_remote_control=False,
            worker_hijack_root_logger=False,
            worker_redirect_stdouts=False,
            broker_connection_retry_on_startup=True,
            broker_connection_max_retries=None,
            broker_transport_options={
                "confirm_publish": True,
                "priority_steps": list(range(LEVELS)),
                "queue_order_strategy": "priority",
            },
        )
        self._url = url
        try:
            self._known = priorities(self.app)
            self.keeps_priorities = keeps_priorities(self.app)
        except (KombuError, KeyError, ValueError, ImportError) as error:
            allowed = f"must be the URL of a broker that Celery speaks, such as amqp://127.0.0.1// ({error})"
            raise SettingInvalid("broker_url", self.shown, allowed) from error

    @property
    def shown(self) -> str:
        """The broker's URL without its password."""
        return str(maybe_sanitize_url(self._url))

    def check(self) -> None:
        """Refuse a broker that does not answer, and say so once of one that keeps no priorities.

        Raises
        ------
        SettingInvalid
        """
        try:
            with self.app.connection_for_write(connect_timeout=_CONNECT_S) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=_CONNECT_S)
        except (OSError, KombuError) as error:
            raise SettingInvalid("broker_url", self.shown, f"does not answer ({error})") from error
        if not self.keeps_priorities:
            log.warning("broker_without_priorities", extra={"broker": self.shown, "order": "as handed over"})

    def queue_of(self, worker: str) -> Queue:
        """The queue of a worker, the same however often it is declared."""
        arguments = {"x-max-priority": LEVELS - 1, "x-expires": _EXPIRES_MS}
        name = f"precedence.{worker}"
        return Queue(name, _EXCHANGE, routing_key=name, durable=True, queue_arguments=arguments)

    def send(self, worker: str, name: str, arguments: Sequence[Any], score: float) -> None:
        """Send a worker one of the messages above, the more pressing the higher its score, 0-100; blocks meanwhile.

        Raises
        ------
        KombuError, OSError
            When the broker does not take it.
        """
        self.app.send_task(
            name,
            args=arguments,
            queue=self.queue_of(worker),
            priority=priority(score, self._known),
            ignore_result=True,
            retry=True,
            retry_policy=_RETRY,
        )

    def forget(self, worker: str) -> None:
        """Delete the queue of a worker that has left."""
        with self.app.connection_for_write() as connection:
            connection.default_channel.queue_delete(self.queue_of(worker).name)

    def close(self) -> None:
        """Give back all connections."""
        self.app.close()
