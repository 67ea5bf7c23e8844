"""The broker's transport, mended in one place, and whether the broker answers.

Should the connection break while a task runs, its acknowledgement fails, and kombu leaves the message on the list of
those delivered. With a prefetch of one that list is then full: the worker asks for nothing more, so it does not even
notice that the connection is gone, and stands still for ever. Here the list forgets the message and the error goes on
its way. (The broker, if it still knows the message, hands it out again, which every task allows.)
"""

from __future__ import annotations

import redis
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import base


class QoS(kombu_redis.QoS):
    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except redis.RedisError:
            base.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        except redis.RedisError:
            base.QoS.ack(self, delivery_tag)
            raise


class Channel(kombu_redis.Channel):
    QoS = QoS


class Transport(kombu_redis.Transport):
    Channel = Channel


# by alias, since the scheme of the broker's address decides, and Celery's own setting does not
TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "orchestration.config.broker:Transport")


def answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
