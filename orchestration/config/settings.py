"""Django's settings, in the order in which Django documents them. Values from outside come through `env`."""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONCE, NONE, SELF

from . import env, state
from .addresses import broker_address, database, redis_address
from .compression import digest_of
from .logs import logging_config

BASE_DIR = Path(__file__).resolve().parents[2]
STATE = state.open_state()

# Who and where
BATON_HOST = env.text("BATON_HOST", "127.0.0.1")
BATON_PORT = env.number("BATON_PORT", 8000, 1, 65535)
PUBLIC_URL = env.web_address("BATON_PUBLIC_URL")
SECURE = bool(PUBLIC_URL and PUBLIC_URL.scheme == "https")

# Core
DEBUG = False
SECRET_KEY = env.secret("BATON_SECRET_KEY") or STATE.keep_secret("secret_key")
LEDGER_KEY = env.secret("BATON_LEDGER_KEY") or STATE.keep_secret("ledger_key")
LEDGER_CHECKPOINTS = STATE.folder / "checkpoints"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
if BATON_HOST not in {"0.0.0.0", "::", *ALLOWED_HOSTS}:  # noqa: S104  compared, not bound
    ALLOWED_HOSTS.append(BATON_HOST)
if PUBLIC_URL and PUBLIC_URL.hostname:
    ALLOWED_HOSTS.append(PUBLIC_URL.hostname)
INSTALLED_APPS = [
    "orchestration.config.apps.ConfigConfig",
    "orchestration.workspaces",
    "orchestration.ledger",
    "orchestration.registry",
    "orchestration.telemetry",
    "orchestration.workflows",
    "orchestration.handoffs",
    "orchestration.policies",
    "orchestration.holds",
    "orchestration.outbox",
    "orchestration.routing",
    "orchestration.autonomy",
    "orchestration.control",
    "orchestration.demo",
    "orchestration.lib",
    "dashboard",
    "escalations",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "orchestration.config.compression.Gzip",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "orchestration.config.sessions.limited_age",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "orchestration.config.urls"
ASGI_APPLICATION = "orchestration.config.asgi.application"
DATA_UPLOAD_MAX_MEMORY_SIZE = 24 * 1024 * 1024  # the doors have bounds of their own, below this one
INGEST_BYTES = 20 * 1024 * 1024  # of a request to a door, unpacked
# Items that may wait for the digest: two full batches under way, and as many waiting as are digested in the second for
# which senders are told to stay away, so that the digest does not run dry.
INGEST_BACKLOG = 100_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000  # a form that decides about a whole page of cases
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "dashboard.places.context",
            ]
        },
    }
]

# Database, broker, cache
DATABASES = {"default": database(STATE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = redis_address(STATE)
CACHES = {
    # in the process's own memory: what is kept here (counts of failed log-ins) must outlast a lost Redis
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# Language and time
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

# People
AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "orchestration.config.sessions.LoginAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
ACCOUNT_SESSION_REMEMBER = True  # the cookie's age is the idle limit below, for everyone
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/5m/ip,10/5m/key", "reauthenticate": "10/5m/user"}
MFA_ADAPTER = "orchestration.config.sessions.SecondStepAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Baton"
MFA_TOTP_TOLERANCE = 1  # phones whose clock is half a minute off
MFA_RECOVERY_CODES_SHOW_ONCE = True
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if PUBLIC_URL else 0

# Sessions: 8 hours idle, 24 hours in all
SESSION_COOKIE_AGE = 8 * 3600
SESSION_ABSOLUTE_AGE = 24 * 3600
SESSION_COOKIE_NAME = "baton_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = SECURE

# Security
CSRF_FAILURE_VIEW = "dashboard.views.errors.stale_form"
CSRF_COOKIE_NAME = "baton_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = SECURE
CSRF_TRUSTED_ORIGINS = [f"{PUBLIC_URL.scheme}://{PUBLIC_URL.netloc}"] if PUBLIC_URL else []
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains: they are not Baton's to speak for
    "security.W008",  # the redirect to https is the proxy's; agents on this machine come by plain http
    "security.W021",  # HSTS preloading: likewise
]

# Static files are found where they lie, so there is no collecting. Their address changes with their content, so that
# browsers may keep them for good.
STATIC_URL = f"/static/{digest_of(BASE_DIR / 'static', BASE_DIR / 'requirements.txt')}/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "orchestration.config.finders.WheelFinder",
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = "."

# E-mail
globals().update(env.mail("BATON_EMAIL_URL"))

# Webhooks
WEBHOOK_NETWORKS = env.networks("BATON_WEBHOOK_NETWORKS")

# Logging
LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config()

# Celery
CELERY_BROKER_URL = broker_address(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker for ever
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,  # longer than the longest task; every task may run twice anyway
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,  # a broker that hangs must not hang its workers for ever
    "socket_keepalive": True,
    "health_check_interval": 10,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 55
CELERY_TASK_SOFT_TIME_LIMIT = 45
CELERY_TASK_PUBLISH_RETRY = False  # a beat sweep is the guarantee, so a message that cannot be sent may be lost
CELERY_TASK_DEFAULT_QUEUE = "work"
CELERY_TASK_ROUTES = {
    "orchestration.control.tasks.digest": "digest",
    "orchestration.control.tasks.replay": "replay",
    "escalations.tasks.learn": "replay",
    "escalations.tasks.draft": "replay",
    "orchestration.autonomy.tasks.carry_out": "actions",
    "orchestration.control.tasks.drive": "actions",
    "orchestration.autonomy.tasks.heal": "actions",
    "orchestration.routing.tasks.sweep": "actions",
    "orchestration.routing.tasks.measure": "replay",
    "orchestration.routing.tasks.look": "replay",
}
HOLDS_TASK = "escalations.tasks.take_in"  # which is told at once that a hold has been opened or decided
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60.0  # in 4 s a busy machine starts no child, and each kill adds to its load
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = "UTC"
