"""Where the database and the broker are: what the environment says, else the engines of the state folder."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import redis
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from . import env, grants
from .postgres import Postgres
from .state import State
from .valkey import Valkey

SCHEMES = {"postgres", "postgresql"}
DJANGO_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def database(state: State) -> dict[str, Any]:
    """Django's description of the database. libpq itself reads the address, so all that it knows is understood."""
    url = env.secret("DATABASE_URL")
    if url and urlsplit(url).scheme not in SCHEMES:
        raise env.nonsense("DATABASE_URL", "must begin with postgresql://: Baton works on PostgreSQL only")
    try:
        parts = conninfo_to_dict(url) if url else Postgres(state).dsn() | {"options": grants.OPTIONS}
    except ProgrammingError as error:
        raise env.nonsense("DATABASE_URL", "is not an address that PostgreSQL's own library understands") from error
    if not parts.get("dbname"):
        raise env.nonsense("DATABASE_URL", "must name a database, as in postgresql://user:password@host/baton")
    known = {ours: str(parts.pop(theirs)) for theirs, ours in DJANGO_NAMES.items() if theirs in parts}
    options = {"connect_timeout": 5, "application_name": "baton"} | parts
    return {"ENGINE": "django.db.backends.postgresql", **known, "OPTIONS": options, "CONN_HEALTH_CHECKS": True}


def redis_address(state: State) -> str:
    """As redis-py writes it: redis://, rediss:// or unix://."""
    url = env.secret("REDIS_URL") or Valkey(state).url
    try:
        redis.connection.parse_url(url)
    except ValueError as error:
        raise env.nonsense("REDIS_URL", "must begin with redis://, rediss:// or unix://") from error
    return url


def broker_address(url: str) -> str:
    """The same as kombu writes it, which has another form for sockets."""
    if not url.startswith("unix://"):
        return url
    parts = redis.connection.parse_url(url)
    if "path" not in parts:
        raise ImproperlyConfigured("REDIS_URL must name the path of a socket.")
    login = f"{quote(parts.get('username') or '')}:{quote(parts['password'])}@" if parts.get("password") else ""
    return f"redis+socket://{login}{parts['path']}?virtual_host={parts.get('db', 0)}"
