from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Registers the checks of the environment."""

    name = "orchestration.config"
    label = "config"

    def ready(self) -> None:
        from . import checks  # noqa: F401, PLC0415  registering is what the import is for
