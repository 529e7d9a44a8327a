"""What holds everywhere. Values come from config.env; local, test and production say what differs."""

from __future__ import annotations

from typing import Any

from config import env
from config.console import UNFOLD as UNFOLD
from config.logging import LOGGING as LOGGING
from config.schedule import BEAT_SCHEDULE

PRODUCTION = False  # whether config/checks.py insists
BASE_DIR = env.BASE_DIR
DATA_DIR = env.DATA_DIR
DEBUG = env.DEBUG
SECRET_KEY = env.SECRET_KEY
ALLOWED_HOSTS = env.ALLOWED_HOSTS

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "config.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "django_prometheus",
    "django_structlog",
    "common",
    "merchants",
    "payments",
    "reconciliation",
    "notifications",
]

# An API request pays for what it needs: sessions, CSRF and the rest run for pages that people use.
MIDDLEWARE = [
    "common.http.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "common.http.PagesOnlyMiddleware",
]
PAGE_MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "common.console.session_end.SessionEndMiddleware",
    "common.http.BodyLimitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "common.http.ConsolePolicyMiddleware",
    "merchants.admin.sign_in.SignInLimitMiddleware",
    "axes.middleware.AxesMiddleware",
]
API_PREFIXES = ("/api/v1/", "/eps/", "/v1/", "/healthz", "/readyz", "/metrics")

# Checks that look for these middlewares in MIDDLEWARE; they are in PAGE_MIDDLEWARE (counterfoil.E018).
SILENCED_SYSTEM_CHECKS = [
    "admin.E408",
    "admin.E409",
    "admin.E410",
    "axes.W002",
    "security.W002",
    "security.W003",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
            ]
        },
    }
]

DATABASE_URL = env.DATABASE_URL
ACTS_AS_OWNER = env.ACTS_AS_OWNER
_database = env.env.db_url_config(DATABASE_URL or "postgresql://127.0.0.1:1/unset")
# PostgreSQL: persistent connections, and no statement, lock wait or idle transaction without an end.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **_database,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,  # a dead connection costs one 503 that the caller repeats, a check costs every request
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            **_database.get("OPTIONS", {}),  # sslmode, sslrootcert and what else stands behind the URL's question mark
            "connect_timeout": 5,
            "prepare_threshold": 3,  # common.rows: PostgreSQL keeps the plans of the statements that payments write
            "application_name": "counterfoil",
            "options": "-c timezone=UTC -c lock_timeout=8s -c idle_in_transaction_session_timeout=30s"
            + ("" if env.ACTS_AS_OWNER else " -c statement_timeout=60s"),  # a new index takes as long as it takes
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.REDIS_URL
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}

# Celery carries hints and keeps the schedule. Everything it could lose is found again by a sweep (docs/adr).
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "retry_on_timeout": False,
    "max_retries": 1,
    "interval_start": 0,
}
CELERY_TIMEZONE = "Asia/Kuala_Lumpur"  # the zone in which config/schedule.py names times of day
CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")

DJANGO_STRUCTLOG_CELERY_ENABLED = True  # a task logs the request id of the request that asked for it

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # the document's pages ask nobody who they are; the framework's own would take passwords
    "DEFAULT_SCHEMA_CLASS": "merchants.api.schema.MerchantSchema",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Counterfoil API",
    "DESCRIPTION": "Payments through many providers, one API.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "config.openapi.add_webhooks",
        "drf_spectacular.hooks.postprocess_schema_enums",
        "merchants.api.schema.complete_document",
    ],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "TransactionStatusEnum": "payments.states.TransactionStatus",
        "PaymentStatusEnum": "payments.states.PaymentState",
        "RefundStatusEnum": "payments.states.RefundState",
        "SettlementStatusEnum": "reconciliation.models.SettlementState",
        "AccountStatusEnum": "payments.states.AccountStatus",
        "ApiKeyStatusEnum": ["ACTIVE", "EXPIRED", "REVOKED"],
        "DeliveryStateEnum": ["PENDING", "DELIVERED", "DEAD"],
        "ReplayableStateEnum": ["DEAD", "DELIVERED"],
        "MoneyStepEnum": "reconciliation.whereabouts.Step",
    },
    "TAGS": [
        {"name": "transactions", "description": "Take payments, capture and cancel, give money back, move money."},
        {"name": "refunds", "description": "What became of a refund."},
        {"name": "accounts", "description": "Money that you keep with us."},
        {"name": "payment-types", "description": "What you can use now."},
        {"name": "banks", "description": "Where a payer can pay from."},
        {"name": "webhook-endpoints", "description": "Where we tell you what became of your transactions."},
        {"name": "webhook-deliveries", "description": "What was sent there, and sending it again."},
        {"name": "api-keys", "description": "Make, rotate and revoke your keys."},
        {"name": "auth", "description": "Sign in for an access token instead of using a key."},
        {"name": "events", "description": "What we post to your endpoints."},
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AXES_ENABLE_ADMIN = False  # its pages delete locks and the log, and nobody would know
AXES_FAILURE_LIMIT = 10
AXES_VERBOSE = False
AXES_COOLOFF_TIME = 0.5  # hours
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = (
    False  # what is tried behind a lock is not looked at, so it counts nowhere
)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "merchants.api.addresses.client_address"
AXES_HANDLER = "merchants.admin.sign_in.SignInHandler"
SIGN_IN_FAILURES_OF_A_NAME = 50  # from wherever they come, within AXES_COOLOFF_TIME

SESSION_COOKIE_AGE = 15 * 60
SESSION_SAVE_EVERY_REQUEST = True  # idle, not absolute
CONSOLE_SESSION_SECONDS = 10 * 3600  # absolute
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "worker-src": ["'self'", "blob:"],
        "form-action": ["'self'", "https:"],  # payers are sent on to banks and back to merchants
        "frame-ancestors": ["'none'"],
        "base-uri": ["'self'"],
        "object-src": ["'none'"],
    },
}
# The console's theme runs on Alpine, which evaluates expressions; the payer's pages get along without.
CONSOLE_CSP = {"script-src": ["'self'", "'unsafe-eval'", "'unsafe-inline'"]}

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "Asia/Kuala_Lumpur"  # what operators read; everything is stored and sent as UTC
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"

# Counterfoil's own.
PUBLIC_BASE_URL = env.PUBLIC_URL
LIVE_URL = env.LIVE_URL  # where live streams are served
SANDBOX_URL = env.SANDBOX_URL
SEALING_KEYS = env.SEALING_KEYS
JWT_SIGNING_KEYS = env.JWT_SIGNING_KEYS
METRICS_TOKEN = env.METRICS_TOKEN
TRUSTED_PROXIES = env.TRUSTED_PROXIES
TRUSTED_ADDRESS_HEADER = env.TRUSTED_ADDRESS_HEADER
AUDIT_ANCHOR_FILE = env.AUDIT_ANCHOR_FILE
PAYOUT_LIMIT = env.PAYOUT_LIMIT
PAYOUT_COOLING_HOURS = env.PAYOUT_COOLING_HOURS
PAYMENT_EXPIRES_MINUTES = 30
PAYMENT_ATTEMPTS = 5  # payments that a payer may try on our page before its transaction has failed
PAYER_LOOK_UP_SECONDS = (15, 30, 60, 120, 300)
PROVIDER_TIMEOUT_SECONDS = (3.0, 30.0)

# How long a claim is respected before its owner counts as dead, and when what is open is looked at again. Fault tests shorten them.
OPERATION_LEASE_SECONDS = 90  # longer than any provider call may take
PAYOUT_FILE_LEASE_SECONDS = 120  # longer than a bank may take to answer
SWEEP_LEASE_SECONDS = 120  # longer than one look at one row
DELIVERY_LEASE_SECONDS = 90  # longer than a lane of the webhook sender may run
UNKNOWN_LOOK_UP_SECONDS = (5, 30, 120, 300, 900, 3600)
NOT_FOUND_SECONDS = 15 * 60  # how long a provider may take to book what it has received
EVENT_RETRY_SECONDS = 30  # the sweep's turn, if the request that stored a provider's message did not get to act
LIVE_HEARTBEAT_SECONDS = 15.0  # an idle stream says so, which keeps proxies from closing it
LIVE_WRITE_SECONDS = 30.0  # what the client of a stream may take to accept what was sent
LIVE_LIFETIME_SECONDS = (540.0, 600.0)  # of a stream; spread, so that clients that came together do not return together
WEBHOOK_ALLOWED_TARGETS: list[str] = []  # "host:port-port" that the SSRF guard lets through; empty outside the demo
