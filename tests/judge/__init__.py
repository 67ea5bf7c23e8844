import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.config.settings")
django.setup()  # before its parts are imported, which know models
