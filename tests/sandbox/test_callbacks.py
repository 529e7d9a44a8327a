"""Messages to the merchant survive a merchant that does not listen and a sandbox that is killed."""

from __future__ import annotations

from collections.abc import Callable

from tests.sandbox.merchants import FpxSeller, MigsMerchant
from tests.sandbox.receiver import Receiver
from tests.support.sandbox_process import SandboxProcess


def test_fpx_repeats_until_it_is_answered_with_ok(seller: FpxSeller) -> None:
    seller.receiver.answers.extend([(500, "OK"), (200, "<p>OK</p>"), (302, "OK")])

    seller.pay()
    tries = [seller.receiver.called_back() for _ in range(4)]
    seller.pay()

    assert all(message == tries[0] for message in tries)
    assert seller.receiver.called_back() != tries[0]  # the fourth was acknowledged: there is no fifth


def test_migs_repeats_until_it_is_answered_with_200(merchant: MigsMerchant) -> None:
    merchant.receiver.answers.extend([(404, ""), (200, "")])

    merchant.pay()
    tries = [merchant.receiver.called_back() for _ in range(2)]
    merchant.pay()

    assert tries[0] == tries[1] != merchant.receiver.called_back()


def test_the_contradiction_waits_for_the_first_message(merchant: MigsMerchant) -> None:
    merchant.receiver.answers.extend([(500, ""), (500, "")])

    merchant.pay("700")

    codes = [merchant.receiver.called_back()["vpc_TxnResponseCode"] for _ in range(4)]
    assert codes == ["0", "0", "0", "2"]


def test_a_message_is_given_up_after_the_last_try(
    own_sandbox: Callable[..., SandboxProcess], receiver: Receiver
) -> None:
    sandbox = own_sandbox(SANDBOX_CALLBACK_RETRY_SECONDS="0.01", SANDBOX_CALLBACK_TRIES="3")
    merchant = MigsMerchant.open(sandbox.url, receiver)
    receiver.answers.extend([(500, "")] * 3)

    merchant.pay("700")

    codes = [receiver.called_back()["vpc_TxnResponseCode"] for _ in range(4)]
    assert codes == ["0", "0", "0", "2"]  # three tries of the first, then the next one's turn


def test_a_killed_sandbox_delivers_after_its_restart(
    own_sandbox: Callable[..., SandboxProcess], receiver: Receiver
) -> None:
    sandbox = own_sandbox(SANDBOX_CALLBACK_RETRY_SECONDS="1")
    seller = FpxSeller.open(sandbox.url, receiver)
    receiver.answers.append((500, "not now"))
    seller.pay()
    undelivered = receiver.called_back()

    sandbox.kill()
    sandbox.start()

    assert receiver.called_back() == undelivered
