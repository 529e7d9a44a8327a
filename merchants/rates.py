"""How many requests a minute each plan allows, per credential and per address. The figures are the documents' (S0, S3).

An allowance is a bucket that holds one minute's worth and is refilled by a sixth every ten seconds, so that any thirty seconds see
at most 150 % of the figure and the long run exactly the figure.
"""

from __future__ import annotations

from collections.abc import Mapping

API = "api"
EPS_REQUEST = "eps.request"
EPS_UPDATE = "eps.update"
EPS_RECONCILE = "eps.reconcile"
SIGN_IN_USER = "sign_in.user"
SIGN_IN_ADDRESS = "sign_in.address"
ADDRESS = "address"  # per client address, whatever it asks for; also counts what fails authentication

NO_PLAN = "default"  # for callers who are not known yet

PER_MINUTE: Mapping[str, Mapping[str, int]] = {
    "default": {
        API: 100,
        EPS_REQUEST: 100,
        EPS_UPDATE: 200,
        EPS_RECONCILE: 10,
        SIGN_IN_USER: 30,
        SIGN_IN_ADDRESS: 120,
        ADDRESS: 1000,
    },
    "demo": {API: 100_000, EPS_REQUEST: 100_000, EPS_UPDATE: 100_000, EPS_RECONCILE: 100_000, ADDRESS: 100_000},
}


def per_minute(plan: str, scope: str) -> int:
    """The figure; a plan this release does not know counts as the default one."""
    return PER_MINUTE.get(plan, PER_MINUTE[NO_PLAN])[scope]
