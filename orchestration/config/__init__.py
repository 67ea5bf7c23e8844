"""The composition root: settings, addresses, processes.

The one room that names screens and rooms together. It may import everything, and nobody imports it.
Read `settings` first, then `supervise`, which shows what runs; `engines` tells where PostgreSQL and Valkey come from.
"""

from .celery import app as celery_app

__all__ = ["celery_app"]
