"""The root of the JSON API."""

from ninja import NinjaAPI

api = NinjaAPI(title="Baton", version="1", urls_namespace="api")
