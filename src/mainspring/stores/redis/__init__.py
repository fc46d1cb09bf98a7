"""The Redis store: several engines on one store, each with a session, each group one script."""

from mainspring.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
