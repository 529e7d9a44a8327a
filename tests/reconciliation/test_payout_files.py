"""Payment files: each payout in one, sent under one message id for ever, and "don't know" is neither paid nor sent anew."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from common.crypto import CannotOpen
from common.errors import InvalidRequest, InvalidState
from common.models import AuditRecord
from reconciliation.models import Payout, PayoutBank, PayoutFile
from reconciliation.payouts.pain001 import NAMESPACE
from reconciliation.services.payout_files import (
    payout_file_download,
    payout_file_handed_over,
    payouts_send,
)
from reconciliation.services.settings import PAYOUT_BANK
from tests.factories.agreed import by_two, new_payout_bank, payout_bank_agreed
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.paying import ACTOR, LATER, a_bank, our_bank, released, to_account, to_bank
from tests.support.race import race

pytestmark = pytest.mark.django_db
SOON = LATER + timedelta(minutes=1)


def ids_in(content: bytes) -> list[str | None]:
    return [found.text for found in ET.fromstring(content).iter(f"{{{NAMESPACE}}}EndToEndId")]


def states() -> list[str]:
    return sorted(Payout.objects.values_list("state", flat=True))


def test_what_is_approved_leaves_in_one_file_that_is_kept_sealed() -> None:
    with a_bank() as bank:
        our_bank(bank.url)
        own, _ = to_account()
        payouts = released(to_bank(), to_bank(), own)

        assert payouts_send(now=LATER) == 1
        assert payouts_send(now=SOON) == 0

    file = PayoutFile.objects.get()
    [body] = bank.bodies
    assert (file.state, file.payout_count, file.total_minor, file.due_at) == ("ACCEPTED", 2, 19_660, None)
    assert file.content() == body
    assert bytes(file.sha256) == sha256(body).digest()
    assert "512345678901" in body.decode()
    assert "512345678901" not in file.content_sealed
    assert sorted(ids_in(body)) == sorted(p.end_to_end_id for p in payouts if p.way == "BANK_FILE")
    assert states() == ["PAID", "SENT", "SENT"]
    assert payout_file_download(file_id=file.pk, actor=ACTOR, now=LATER) == (f"{file.message_id}.xml", body)
    assert AuditRecord.objects.filter(action="payout_file.downloaded", subject_id=file.pk).count() == 1
    assert wrong() == {}


@pytest.mark.parametrize("answers", [[0, 202], [500, 202], [302, 409], [404, 200]])
def test_no_readable_answer_is_unknown_and_the_same_message_is_sent_again(answers: list[int]) -> None:
    with a_bank() as bank:
        bank.answers = answers
        our_bank(bank.url)
        released(to_bank())

        payouts_send(now=LATER)
        file = PayoutFile.objects.get()
        assert (file.state, file.sends, states()) == ("UNKNOWN", 1, ["SENT"])
        assert payouts_send(now=LATER + timedelta(seconds=59)) == 0
        payouts_send(now=SOON)

        file.refresh_from_db()
        assert (file.state, file.sends, states()) == ("ACCEPTED", 2, ["SENT"])
        assert len(bank.bodies) == 2
        assert bank.bodies[0] == bank.bodies[1]
    assert wrong() == {}


def test_a_bank_that_cannot_be_reached_has_not_got_it() -> None:
    with a_bank() as bank:
        ours = our_bank("http://127.0.0.1:1/bank/payments")
        released(to_bank())
        payouts_send(now=LATER)
        file = PayoutFile.objects.get()
        assert (file.state, file.maybe_taken) == ("PREPARED", False)

        ours.url = bank.url
        by_two(PAYOUT_BANK.propose, wanted=ours, now=SOON)
        payouts_send(now=SOON)

        file.refresh_from_db()
        assert (file.state, len(bank.bodies), states()) == ("ACCEPTED", 1, ["SENT"])


def test_a_file_is_not_posted_to_the_bank_that_payouts_are_made_from_later() -> None:
    with a_bank() as bank:
        ours = our_bank("http://127.0.0.1:1/bank/payments")
        released(to_bank())
        payouts_send(now=LATER)
        payout_bank_agreed(ours, source="other", account_key="9999", url=bank.url)

        assert payouts_send(now=SOON) == 0

        file = PayoutFile.objects.get()
        assert (file.state, file.source, bank.bodies) == ("PREPARED", "mybank", [])
        payout_file_handed_over(file_id=file.pk, reason="By the portal", actor=ACTOR, now=SOON)
        assert (PayoutFile.objects.get().state, payouts_send(now=SOON + timedelta(days=1)), bank.bodies) == (
            "ACCEPTED",
            0,
            [],
        )
    assert wrong() == {}


def test_a_refused_file_gives_its_payouts_to_the_next_one() -> None:
    with a_bank() as bank:
        bank.answers = [400, 202]
        our_bank(bank.url)
        [payout] = released(to_bank())

        payouts_send(now=LATER)
        assert (PayoutFile.objects.get().state, states()) == ("REFUSED", ["APPROVED"])
        payouts_send(now=SOON)

        first, second = PayoutFile.objects.order_by("pk")
        assert (first.state, second.state, first.message_id == second.message_id) == ("REFUSED", "ACCEPTED", False)
        assert ids_in(bank.bodies[0]) == ids_in(bank.bodies[1]) == [payout.end_to_end_id]
    assert wrong() == {}


def test_the_payout_that_the_bank_dislikes_ends_up_alone_and_the_others_leave() -> None:
    with a_bank() as bank:
        our_bank(bank.url)
        payouts = released(*(to_bank() for _ in range(5)))
        bad = payouts[2]
        bank.dislikes = bad.end_to_end_id.encode()

        sizes = []
        for minute in range(6):
            payouts_send(now=LATER + timedelta(minutes=minute))
            sizes.append([len(ids_in(body)) for body in bank.bodies])
            bank.bodies.clear()

        assert sizes == [[5], [5], [5], [5], [3, 2], [1, 1, 1]]
        assert states() == ["APPROVED", *["SENT"] * 4]
        bad.refresh_from_db()
        assert (bad.state, bad.refusals) == ("APPROVED", 6)
        assert payouts_send(now=LATER + timedelta(minutes=64)) == 0  # alone, every hour
        bank.dislikes = b""
        assert payouts_send(now=LATER + timedelta(minutes=65)) == 1
    assert states() == ["SENT"] * 5
    assert wrong() == {}


def test_a_file_that_cannot_be_opened_keeps_no_other_from_leaving() -> None:
    with a_bank() as bank:
        ours = our_bank("http://127.0.0.1:1/bank/payments")
        for minute in range(2):  # two files that wait for the bank
            released(to_bank())
            payouts_send(now=LATER + timedelta(seconds=minute))
        first, second = PayoutFile.objects.order_by("pk")
        with rules_lifted("payout_file"):
            PayoutFile.objects.filter(pk=first.pk).update(content_sealed=second.content_sealed)
        payout_bank_agreed(ours, url=bank.url)

        payouts_send(now=LATER + timedelta(minutes=2))

        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.state, second.state) == ("SENT", "ACCEPTED")
        assert bank.bodies == [second.content()]


def test_an_answer_that_stalls_is_unknown_too(settings: Any) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = (1, 0.2)
    with a_bank() as bank:
        bank.answers = [1]
        our_bank(bank.url)
        released(to_bank())

        payouts_send(now=LATER)

        file = PayoutFile.objects.get()
        assert (file.state, file.due_at, states()) == ("UNKNOWN", SOON, ["SENT"])


def test_a_file_that_was_made_to_be_carried_is_carried_though_there_is_an_address_now() -> None:
    with a_bank() as bank:
        ours = our_bank()
        released(to_bank())
        payouts_send(now=LATER)
        payout_bank_agreed(ours, url=bank.url)

        assert payouts_send(now=SOON) == 0
        file = payout_file_handed_over(
            file_id=PayoutFile.objects.get().pk, reason="By the portal", actor=ACTOR, now=SOON
        )

        assert (file.state, bank.bodies) == ("ACCEPTED", [])


@pytest.mark.parametrize("dies", [False, True])
def test_a_file_of_unknown_fate_is_carried_once_it_is_posted_nowhere(dies: bool) -> None:
    with a_bank() as bank:
        bank.answers = [0]
        ours = our_bank(bank.url)
        released(to_bank())
        payouts_send(now=LATER)
        file = PayoutFile.objects.get()
        with pytest.raises(InvalidState, match="sent by itself"):
            payout_file_handed_over(file_id=file.pk, reason="By the portal", actor=ACTOR, now=SOON)
        if dies:  # somebody claimed it for another try and was not heard of again
            PayoutFile.objects.filter(pk=file.pk).update(state="SENT", due_at=SOON)
        payout_bank_agreed(ours, source="other", account_key="9999", url=bank.url)

        assert payouts_send(now=SOON) == 0
        assert PayoutFile.objects.get().state == "UNKNOWN"
        payout_file_handed_over(file_id=file.pk, reason="The bank said it has it", actor=ACTOR, now=SOON)

        assert (PayoutFile.objects.get().state, len(bank.bodies), states()) == ("ACCEPTED", 1, ["SENT"])
    assert wrong() == {}


@pytest.mark.parametrize("values", [{"bic": "mbbemykl"}, {"account_key": "5140 1234 5678"}, {"account_key": "514"}])
def test_an_account_that_no_file_could_name_is_refused_when_it_is_proposed(values: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="No payment file could be written"):
        new_payout_bank(**{"bic": "SBOXMYKLXXX", "url": ""} | values)
    assert PayoutBank.objects.count() == 0


def test_a_refusal_after_silence_proves_nothing() -> None:
    with a_bank() as bank:
        bank.answers = [0, 400]
        our_bank(bank.url)
        released(to_bank())
        payouts_send(now=LATER)
        payouts_send(now=SOON)

    file = PayoutFile.objects.get()
    assert (file.state, file.answer[:4], states()) == ("UNKNOWN", "400:", ["SENT"])


def test_modes_and_currencies_do_not_share_a_file() -> None:
    with a_bank() as bank:
        our_bank(bank.url, live=True)
        our_bank(bank.url, currency="USD")
        released(to_bank())

        assert payouts_send(now=LATER) == 0
        assert (PayoutFile.objects.count(), states()) == (0, ["APPROVED"])


def test_a_bank_without_an_address_is_served_by_hand() -> None:
    our_bank()
    released(to_bank())
    assert payouts_send(now=LATER) == 0
    file = PayoutFile.objects.get()
    assert (file.state, states()) == ("PREPARED", ["SENT"])

    payout_file_handed_over(file_id=file.pk, reason="By the portal", actor=ACTOR, now=LATER)

    file.refresh_from_db()
    assert file.state == "ACCEPTED"
    with pytest.raises(InvalidState):
        payout_file_handed_over(file_id=file.pk, reason="again", actor=ACTOR, now=LATER)


def test_a_sealed_file_opens_in_its_own_row_only() -> None:
    our_bank()
    released(to_bank())
    payouts_send(now=LATER)
    file = PayoutFile.objects.get()
    file.pk = "pyf_other"

    with pytest.raises(CannotOpen):
        file.content()


@pytest.mark.django_db(transaction=True)
def test_senders_at_once_send_a_file_once() -> None:
    with a_bank() as bank:
        our_bank(bank.url)
        released(to_bank(), to_bank())

        race(8, lambda n: payouts_send(now=LATER))

        assert (PayoutFile.objects.count(), len(bank.bodies)) == (1, 1)
    assert wrong() == {}
