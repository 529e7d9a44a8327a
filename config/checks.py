"""What production refuses to start with. Each finding has an id and says what to set.

`manage.py check` and every other command report the findings; servers, worker and scheduler, which run no system checks, ask
refuse_unsafe_settings() when they start.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.models import Q, QuerySet

from merchants.models import ProviderAccount
from reconciliation.models import BankAccount, PayoutBank, Source

_HTTPS = Q(url__startswith="https://")
_HTTPS_FETCH = Q(fetch_url__startswith="https://")
Finding = tuple[str, str]  # what is wrong, what to do
Rule = Callable[[], Finding | None]
RULES: dict[str, Rule] = {}


def _rule(number: str) -> Callable[[Rule], Rule]:
    def add(rule: Rule) -> Rule:
        RULES[f"counterfoil.{number}"] = rule
        return rule

    return add


@register(Tags.security)
def unsafe_settings(app_configs: Sequence[Any] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    if not settings.PRODUCTION:
        return []
    found = [(check_id, rule()) for check_id, rule in RULES.items()]
    return [Error(finding[0], hint=finding[1], id=check_id) for check_id, finding in found if finding]


@register(Tags.database)
def unsafe_database(
    app_configs: Sequence[Any] | None = None, databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[CheckMessage]:
    """What only the database can tell. Before the first migration there is nothing to ask."""
    if not settings.PRODUCTION or not databases or "provider_account" not in connection.introspection.table_names():
        return []
    found: list[CheckMessage] = []
    live = ProviderAccount.objects.filter(live=True, is_active=True)
    for account in live.exclude(config__base_url__startswith="https://"):
        hint = "Correct base_url in the account's config, or switch the account off."
        found.append(Error(f"Live provider account {account.pk} has no https URL.", hint=hint, id="counterfoil.E004"))
    plain = [
        f"payment files of {bank}" for bank in PayoutBank.objects.filter(live=True).exclude(url="").exclude(_HTTPS)
    ]
    plain += [f"statements of {source}" for source in _live_sources().exclude(_HTTPS_FETCH)]
    hint = "Let two people agree on an https address, or on none."
    found += [Error(f"The address for {what} is not https.", hint=hint, id="counterfoil.E004") for what in plain]
    if not settings.ACTS_AS_OWNER and _owns_the_tables():
        hint = (
            "Let DATABASE_URL name a role that owns no table; keep the owner in DATABASE_OWNER_URL, for migrate alone."
        )
        found.append(
            Error("The process's database role owns the ledger or is a superuser.", hint=hint, id="counterfoil.E010")
        )
    return found


def _live_sources() -> QuerySet[Source]:
    """The sources that are fetched from an address of their own and have an account in live mode."""
    live = BankAccount.objects.filter(live=True).values("source")
    return Source.objects.filter(is_active=True, pk__in=live).exclude(fetch_url="")


def _owns_the_tables() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = 'posting'::regclass"
        )
        return bool(cursor.fetchone()[0])


def refuse_unsafe_settings() -> None:
    """Raise ImproperlyConfigured, naming every finding, when production settings are unsafe."""
    found = unsafe_settings()
    with contextlib.suppress(DatabaseError):  # a database that is away is no reason to stay down: requests answer 503
        found += unsafe_database(databases=["default"])
    if found:
        raise ImproperlyConfigured("unsafe settings: " + "; ".join(f"({e.id}) {e.msg} {e.hint}" for e in found))


@_rule("E001")
def _debug() -> Finding | None:
    return ("DEBUG is on.", "Unset DEBUG.") if settings.DEBUG else None


@_rule("E002")
def _secret_key() -> Finding | None:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's own word for an empty one
        key = ""
    weak = len(key) < 50 or len(set(key)) < 10 or key.startswith(("django-insecure", "only-for-tests"))
    return (
        ("SECRET_KEY is missing, short or a default.", "Set SECRET_KEY to 50 or more random characters.")
        if weak
        else None
    )


@_rule("E003")
def _allowed_hosts() -> Finding | None:
    open_door = not settings.ALLOWED_HOSTS or any(host.startswith(("*", ".")) for host in settings.ALLOWED_HOSTS)
    return (
        ("ALLOWED_HOSTS is empty or has a wildcard.", "List the exact host names in ALLOWED_HOSTS.")
        if open_door
        else None
    )


@_rule("E005")
def _sealing_keys() -> Finding | None:
    return _weak_ring("SEALING_KEYS", settings.SEALING_KEYS)


@_rule("E019")
def _jwt_signing_keys() -> Finding | None:
    if settings.JWT_SIGNING_KEYS and settings.JWT_SIGNING_KEYS == settings.SEALING_KEYS:
        return "Access tokens are signed with the sealing keys.", "Give JWT_SIGNING_KEYS keys of its own."
    return _weak_ring("JWT_SIGNING_KEYS", settings.JWT_SIGNING_KEYS)


def _weak_ring(name: str, ring: str) -> Finding | None:
    hint = f"Set {name} to id:base64(32 random bytes), the newest first, separated by commas."
    try:
        keys = [base64.b64decode(item.split(":", 1)[1], validate=True) for item in ring.split(",")]
    except (IndexError, binascii.Error):
        return f"{name} is missing or not a list of id:base64key.", hint
    if any(len(key) != 32 or len(set(key)) < 8 for key in keys):
        return f"A key of {name} is not 32 random bytes.", hint
    return None


@_rule("E006")
def _cookies() -> Finding | None:
    secure = settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE and settings.SESSION_COOKIE_HTTPONLY
    return (
        None
        if secure
        else ("Session or CSRF cookies travel without TLS or are readable by scripts.", "Leave *_COOKIE_SECURE on.")
    )


@_rule("E007")
def _transport() -> Finding | None:
    strict = settings.SECURE_SSL_REDIRECT and settings.SECURE_HSTS_SECONDS >= 31_536_000
    return (
        None
        if strict
        else ("Plain HTTP is not sent to HTTPS with HSTS of a year.", "Leave SECURE_SSL_REDIRECT and HSTS on.")
    )


@_rule("E008")
def _metrics_token() -> Finding | None:
    short = len(settings.METRICS_TOKEN) < 20
    return (
        ("/metrics is open or its token is short.", "Set METRICS_TOKEN to 20 or more random characters.")
        if short
        else None
    )


@_rule("E009")
def _database() -> Finding | None:
    if not settings.DATABASE_URL:
        return "DATABASE_URL is not set.", "Set DATABASE_URL to the role that owns no table."
    return None


@_rule("E020")
def _database_transport() -> Finding | None:
    """libpq's own default, `prefer`, talks to whoever answers, in clear if that one likes."""
    database = settings.DATABASES["default"]
    options = database.get("OPTIONS", {})
    hosts = str(options.get("hostaddr") or database.get("HOST") or options.get("host") or "").split(",")
    if all(_is_here(host) for host in hosts) or options.get("sslmode") == "verify-full":
        return None
    return (
        "The database is reached over the network, and the connection does not prove whose it is.",
        "Add ?sslmode=verify-full to DATABASE_URL, and &sslrootcert=FILE unless libpq finds the authority's certificate by itself.",
    )


def _is_here(host: str) -> bool:
    """Whether it is a socket's folder or a loopback address."""
    if not host or host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@_rule("E011")
def _redis() -> Finding | None:
    return None if settings.REDIS_URL else ("REDIS_URL is not set.", "Set REDIS_URL.")


@_rule("E012")
def _public_url() -> Finding | None:
    hint = "Set PUBLIC_URL to the https:// URL that merchants and providers reach."
    return None if settings.PUBLIC_BASE_URL.startswith("https://") else ("PUBLIC_URL is not https.", hint)


@_rule("E013")
def _webhook_targets() -> Finding | None:
    hint = "Leave WEBHOOK_ALLOWED_TARGETS empty."
    return ("Webhooks may reach private addresses.", hint) if settings.WEBHOOK_ALLOWED_TARGETS else None


@_rule("E014")
def _eager() -> Finding | None:
    eager = getattr(settings, "CELERY_TASK_ALWAYS_EAGER", False)
    return ("Celery runs tasks inside requests.", "Remove CELERY_TASK_ALWAYS_EAGER.") if eager else None


@_rule("E015")
def _demo() -> Finding | None:
    there = "demo" in settings.INSTALLED_APPS
    return ("The demo application is installed.", "Use config.settings.production without changes.") if there else None


@_rule("E016")
def _atomic_requests() -> Finding | None:
    on = settings.DATABASES["default"].get("ATOMIC_REQUESTS")
    return ("ATOMIC_REQUESTS would hold a transaction open over calls to providers.", "Leave it off.") if on else None


@_rule("E017")
def _audit_anchor() -> Finding | None:
    hint = "Set AUDIT_ANCHOR_FILE to a file that the database's administrators cannot write."
    return None if settings.AUDIT_ANCHOR_FILE else ("The audit chain has no anchor outside the database.", hint)


@_rule("E018")
def _page_middleware() -> Finding | None:
    needed = {
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "csp.middleware.CSPMiddleware",
        "common.console.session_end.SessionEndMiddleware",
        "common.http.BodyLimitMiddleware",
        "merchants.admin.sign_in.SignInLimitMiddleware",
        "axes.middleware.AxesMiddleware",
    }
    missing = needed - set(settings.PAGE_MIDDLEWARE)
    return (
        (f"Pages run without {', '.join(sorted(missing))}.", "Put it back into PAGE_MIDDLEWARE.") if missing else None
    )
