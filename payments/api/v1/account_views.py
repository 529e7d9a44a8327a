"""The routes of accounts (contracts section 3). Money is moved by POST /transactions; here it is looked at."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.utils import timezone
from drf_spectacular.utils import extend_schema

from common.errors import InvalidRequest
from merchants.api.base import MerchantRequest, MerchantView, answer
from merchants.api.pagination import read_page
from merchants.scopes import Scope
from payments.api.v1 import schemas
from payments.api.v1.filters import InstantField
from payments.api.v1.outputs import account_json, balance_json, entry_json
from payments.selectors import account_balance, account_entries, account_row, account_rows


class Accounts(MerchantView):
    required_scopes = {"GET": Scope.ACCOUNT_READ}

    @extend_schema(
        operation_id="listAccounts", parameters=schemas.PAGING, responses={200: schemas.page_of(schemas.AccountOut)}
    )
    def get(self, request: MerchantRequest) -> HttpResponse:
        """Your accounts, newest first."""
        page = read_page(request._request.GET)
        rows = page.of(account_rows(request.caller))
        return answer(page.answer(rows, [account_json(row) for row in rows[: page.limit]]))


class OneAccount(MerchantView):
    required_scopes = {"GET": Scope.ACCOUNT_READ}

    @extend_schema(operation_id="getAccount", responses={200: schemas.AccountOut})
    def get(self, request: MerchantRequest, account_id: str) -> HttpResponse:
        """One account with its balances."""
        return answer(account_json(account_row(request.caller, account_id)))


class Balance(MerchantView):
    required_scopes = {"GET": Scope.ACCOUNT_READ}

    @extend_schema(operation_id="getAccountBalance", parameters=[schemas.AT], responses={200: schemas.BalanceOut})
    def get(self, request: MerchantRequest, account_id: str) -> HttpResponse:
        """The balance, now or at a past time."""
        now = timezone.now()
        at = _read_at(request._request.GET, now)
        return answer(balance_json(account_balance(request.caller, account_id, now=now, at=at)))


class Entries(MerchantView):
    required_scopes = {"GET": Scope.ACCOUNT_READ}

    @extend_schema(
        operation_id="listAccountEntries",
        parameters=schemas.PAGING,
        responses={200: schemas.page_of(schemas.EntryOut)},
    )
    def get(self, request: MerchantRequest, account_id: str) -> HttpResponse:
        """What changed the available balance, newest first. Their sum is the balance."""
        page = read_page(request._request.GET)
        rows = page.of(account_entries(request.caller, account_id))
        return answer(page.answer(rows, [entry_json(row) for row in rows[: page.limit]]))


def _read_at(query: QueryDict, now: datetime) -> datetime | None:
    """Raises InvalidRequest."""
    if "at" not in query:
        return None
    try:
        at: datetime | None = InstantField().clean(query["at"])
    except ValidationError as exc:
        raise InvalidRequest("Not right: at.", fields={"at": exc.messages}) from exc
    if at is not None and at > now:
        raise InvalidRequest("Not right: at.", fields={"at": ["Send a time in the past."]})
    return at
