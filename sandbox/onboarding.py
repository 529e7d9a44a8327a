"""`POST /_accounts/{provider}`: what a merchant gets on paper from a provider, handed out over HTTP."""

from __future__ import annotations

import secrets
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from sandbox.accounts import account_open
from sandbox.fpx import keys
from sandbox.json_body import BadBody, json_body
from sandbox.loopback import is_loopback


@require_POST
def open_account(request: HttpRequest, provider: str) -> HttpResponse:
    if provider not in _OPENERS:
        return JsonResponse({"error": f"There is no provider {provider}."}, status=404)
    try:
        return JsonResponse(_OPENERS[provider](json_body(request)), status=201)
    except BadBody as exc:
        return JsonResponse({"error": str(exc)}, status=400)


def _fpx(body: dict[str, Any]) -> dict[str, str]:
    public_key = str(body.get("publicKey", ""))
    try:
        is_rsa = isinstance(load_pem_public_key(public_key.encode()), RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        is_rsa = False
    if not is_rsa:
        raise BadBody("publicKey has to be an RSA public key in PEM form.")
    hash_name = body.get("signatureHash", "sha1")
    if not isinstance(hash_name, str) or hash_name not in keys.HASHES:
        raise BadBody("signatureHash is sha1 or sha256.")
    details = {
        "publicKey": public_key,
        "signatureHash": hash_name,
        "directUrl": _url(body, "directUrl"),
        "indirectUrl": _url(body, "indirectUrl"),
    }
    opened = False
    while not opened:  # another's number is drawn again
        number = f"{secrets.randbelow(10**8):08d}"
        opened = account_open(
            provider="fpx", account_id=f"SE{number}", details={"exchangeId": f"EX{number}", **details}
        )
    return {"exchangeId": f"EX{number}", "sellerId": f"SE{number}", "publicKey": keys.exchange_public_pem()}


def _migs(body: dict[str, Any]) -> dict[str, str]:
    mode = body.get("mode", "purchase")
    if mode not in ("purchase", "authorise"):
        raise BadBody("mode is purchase or authorise.")
    given = {
        "accessCode": secrets.token_hex(4).upper(),
        "secureSecret": secrets.token_hex(16).upper(),
        "amaUser": f"ama{secrets.token_hex(3)}",
        "amaPassword": secrets.token_urlsafe(12),
    }
    merchant_id = f"MIGS{secrets.token_hex(5).upper()}"
    details = {**given, "mode": mode, "notifyUrl": _url(body, "notifyUrl")}
    account_open(provider="migs", account_id=merchant_id, details=details)
    return {"merchantId": merchant_id, **given}


def _url(body: dict[str, Any], name: str) -> str:
    """An address of the merchant's; callbacks go nowhere but to loopback."""
    url = str(body.get(name, ""))
    if not is_loopback(url):
        raise BadBody(f"{name} has to be an http address on loopback.")
    return url


_OPENERS = {"fpx": _fpx, "migs": _migs}
