"""pain.001.001.09 as the public schema has it: which elements, in which order, which must be there; and what is not written at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from common.money import Money
from reconciliation.payouts.pain001 import NAMESPACE, CannotPay, CreditTransfer, Party, is_iban, write

# Of the schema: element -> its children in order, "!" where one must be there. Only what is listed may appear.
SCHEMA = {
    "Document": "CstmrCdtTrfInitn!",
    "CstmrCdtTrfInitn": "GrpHdr! PmtInf! SplmtryData",
    "GrpHdr": "MsgId! CreDtTm! Authstn NbOfTxs! CtrlSum InitgPty! FwdgAgt InitnSrc",
    "InitgPty": "Nm PstlAdr Id CtryOfRes CtctDtls",
    "PmtInf": "PmtInfId! PmtMtd! ReqdAdvcTp BtchBookg NbOfTxs CtrlSum PmtTpInf ReqdExctnDt! PoolgAdjstmntDt Dbtr! DbtrAcct! DbtrAgt! "
    "DbtrAgtAcct InstrForDbtrAgt UltmtDbtr ChrgBr ChrgsAcct ChrgsAcctAgt CdtTrfTxInf!",
    "ReqdExctnDt": "Dt DtTm",
    "Dbtr": "Nm PstlAdr Id CtryOfRes CtctDtls",
    "Cdtr": "Nm PstlAdr Id CtryOfRes CtctDtls",
    "PstlAdr": "AdrTp Dept SubDept StrtNm BldgNb BldgNm Flr PstBx Room PstCd TwnNm TwnLctnNm DstrctNm CtrySubDvsn Ctry AdrLine",
    "DbtrAcct": "Id! Tp Ccy Nm Prxy",
    "CdtrAcct": "Id! Tp Ccy Nm Prxy",
    "DbtrAgt": "FinInstnId! BrnchId",
    "CdtrAgt": "FinInstnId! BrnchId",
    "FinInstnId": "BICFI ClrSysMmbId LEI Nm PstlAdr Othr",
    "CdtTrfTxInf": "PmtId! PmtTpInf Amt! XchgRateInf ChrgBr MndtRltdInf ChqInstr UltmtDbtr IntrmyAgt1 CdtrAgt CdtrAgtAcct Cdtr CdtrAcct "
    "UltmtCdtr InstrForCdtrAgt InstrForDbtrAgt Purp RgltryRptg Tax RltdRmtInf RmtInf SplmtryData",
    "PmtId": "InstrId EndToEndId! UETR",
    "Amt": "InstdAmt EqvtAmt",
    "RmtInf": "Ustrd Strd",
    "Id": "IBAN Othr",
    "Othr": "Id! SchmeNm Issr",
}
DEBTOR = Party("Counterfoil", "514011112222", bic="MBBEMYKL")
SHOP = Party("Cà phê Đà Nẵng", "GB82WEST12345698765432", bic="WESTGB22", country="GB")
ONE = CreditTransfer("PYT1", Money(125_050, "MYR"), SHOP, "Settlement stl_1")
TWO = replace(ONE, end_to_end_id="PYT2", amount=Money(1, "MYR"), to=Party("Kedai", "1234-567", bank="Bank Rakyat"))


def written(*transfers: CreditTransfer, **changes: Any) -> bytes:
    asked = {
        "message_id": "PF1",
        "created_at": datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC),
        "pay_on": date(2026, 3, 3),
        "debtor": DEBTOR,
        "transfers": transfers,
    }
    return write(**(asked | changes))


def check(element: ET.Element) -> None:
    """The children are those of the schema, in its order, with all that must be there."""
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    assert element.tag.startswith(f"{{{NAMESPACE}}}")
    found = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    if not found:
        assert (element.text or "").strip(), name
        return
    listed = SCHEMA[name].split()
    order = [entry.rstrip("!") for entry in listed]
    assert [order.index(child) for child in found] == sorted(order.index(child) for child in found), name
    assert {entry.rstrip("!") for entry in listed if entry.endswith("!")} <= set(found), name
    assert {child for child in found if found.count(child) > 1} <= {"CdtTrfTxInf"}
    for child in element:
        if child.tag.endswith("}Id") and name == "Othr":
            assert child.text
        else:
            check(child)


def text(root: ET.Element, path: str) -> list[str | None]:
    return [found.text for found in root.findall("./" + "/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/")))]


def test_the_file_is_what_the_schema_asks_for() -> None:
    root = ET.fromstring(written(ONE, TWO))

    check(root)
    group, block = "CstmrCdtTrfInitn/GrpHdr", "CstmrCdtTrfInitn/PmtInf"
    assert [text(root, f"{group}/{name}") for name in ("MsgId", "CreDtTm", "NbOfTxs", "CtrlSum")] == [
        ["PF1"], ["2026-03-02T04:05:06Z"], ["2"], ["1250.51"],
    ]  # fmt: skip
    assert [text(root, f"{block}/{name}") for name in ("PmtInfId", "PmtMtd", "NbOfTxs", "CtrlSum", "ReqdExctnDt/Dt")] == [
        ["PF1"], ["TRF"], ["2"], ["1250.51"], ["2026-03-03"],
    ]  # fmt: skip
    assert text(root, f"{block}/DbtrAcct/Id/Othr/Id") == ["514011112222"]
    transfer = f"{block}/CdtTrfTxInf"
    assert text(root, f"{transfer}/PmtId/EndToEndId") == ["PYT1", "PYT2"]
    assert text(root, f"{transfer}/Amt/InstdAmt") == ["1250.50", "0.01"]
    assert text(root, f"{transfer}/Cdtr/Nm") == ["Cà phê Đà Nẵng", "Kedai"]
    assert text(root, f"{transfer}/CdtrAcct/Id/IBAN") == ["GB82WEST12345698765432"]
    assert text(root, f"{transfer}/CdtrAcct/Id/Othr/Id") == ["1234-567"]
    assert text(root, f"{transfer}/CdtrAgt/FinInstnId/Nm") == ["Bank Rakyat"]


def test_amounts_have_the_digits_of_their_currency() -> None:
    root = ET.fromstring(written(replace(ONE, amount=Money(1500, "VND"))))

    assert text(root, "CstmrCdtTrfInitn/PmtInf/CtrlSum") == ["1500"]
    amount = root.find(f".//{{{NAMESPACE}}}InstdAmt")
    assert amount is not None
    assert (amount.text, amount.get("Ccy")) == ("1500", "VND")


def test_text_cannot_break_out_and_stays_one_line() -> None:
    name = "A & B <i>\n\x00\u202e" + "x" * 200
    root = ET.fromstring(written(replace(ONE, to=replace(SHOP, name=name), remittance="a\r\nb")))

    check(root)
    (shown,) = text(root, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Cdtr/Nm")
    assert shown is not None
    assert (shown[:10], len(shown)) == ("A & B <i> ", 140)
    assert text(root, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/RmtInf/Ustrd") == ["a b"]


@pytest.mark.parametrize(
    ("transfers", "changes"),
    [
        ((), {}),
        ((ONE, replace(TWO, amount=Money(1, "USD"))), {}),
        ((ONE, replace(TWO, end_to_end_id="PYT1")), {}),
        ((replace(ONE, amount=Money(0, "MYR")),), {}),
        ((replace(ONE, amount=Money(-1, "MYR")),), {}),
        ((replace(ONE, end_to_end_id="x" * 36),), {}),
        ((replace(ONE, end_to_end_id="a//b"),), {}),
        ((replace(ONE, end_to_end_id="ä"),), {}),
        ((ONE,), {"message_id": ""}),
        ((replace(ONE, to=replace(SHOP, account="GB82WEST12345698765433")),), {}),
        ((replace(ONE, to=replace(SHOP, account="12")),), {}),
        ((replace(ONE, to=replace(SHOP, account="1234;DROP")),), {}),
        ((replace(ONE, to=replace(SHOP, name=" \n")),), {}),
        ((replace(ONE, to=replace(SHOP, bic="WEST")),), {}),
        ((replace(ONE, to=replace(SHOP, country="gb")),), {}),
        ((ONE,), {"debtor": replace(DEBTOR, account="")}),
    ],
)
def test_what_a_bank_could_not_pay_is_not_written(
    transfers: tuple[CreditTransfer, ...], changes: dict[str, Any]
) -> None:
    with pytest.raises(CannotPay):
        written(*transfers, **changes)


@pytest.mark.parametrize(
    ("account", "right"),
    [
        ("GB82WEST12345698765432", True),
        ("DE89370400440532013000", True),
        ("NL91ABNA0417164300", True),
        ("DE89370400440532013001", False),
        ("DE98370400440532013000", False),
        ("514011112222", False),
    ],
)
def test_ibans_are_told_by_their_check_digits(account: str, right: bool) -> None:
    assert is_iban(account) == right
