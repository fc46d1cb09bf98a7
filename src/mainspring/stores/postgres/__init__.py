"""The PostgreSQL store: several engines on one store, each with a session, each group one transaction."""

from mainspring.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
