"""Every address of the sandbox."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path

from sandbox import faults, onboarding, payer, reports, statements
from sandbox.bank import views as bank
from sandbox.clock import local, utc_now
from sandbox.fpx import views as fpx
from sandbox.migs import views as migs


def home(request: HttpRequest) -> HttpResponse:
    today = local(utc_now()).date().isoformat()
    return render(request, "sandbox/home.html", {"title": "Provider sandbox", "today": today})


def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "up"})


urlpatterns = [
    path("", home),
    path("healthz", healthz),
    path("_accounts/<str:provider>", onboarding.open_account),
    path("_payer", payer.payer),
    path("_control/<str:provider>", faults.control),
    path("_books/<str:provider>", reports.books),
    path("fpx/statements/<str:day>", statements.fpx_statement),
    path("migs/statements/<str:day>", statements.migs_statement),
    path("bank/statements/<str:day>", bank.statement),
    path("bank/payments", bank.payments),
    path("FPXMain/seller2DReceiver.jsp", fpx.receive_order),
    path("FPXMain/sellerNVPTxnStatus.jsp", fpx.enquire),
    path("FPXMain/RetrieveBankList", fpx.bank_list),
    path("FPXMain/sellerRefund.jsp", fpx.refund),
    path("fpx/pay/<str:token>", fpx.bank_page),
    path("vpcpay", migs.pay),
    path("vpcdps", migs.command),
    path("migs/pay/<str:token>", migs.card_page),
]
