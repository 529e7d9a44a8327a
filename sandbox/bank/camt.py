"""The bank's statement as camt.053.001.08 (ISO 20022)."""

from __future__ import annotations

from xml.sax.saxutils import escape

from common.money import Money
from sandbox.bank.records import BIC, CURRENCY, HOLDER, BankDay, BankEntry

_TYPES = {
    "remittance": ("RCDT", "DMCT"),
    "payment": ("ICDT", "DMCT"),
    "return": ("RCDT", "RRTN"),
}


def camt053(days: list[BankDay], *, created_at: str) -> str:
    """One document with a statement for each account."""
    statements = "".join(_statement(found, created_at) for found in days)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">\n<BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>SB-{created_at}</MsgId><CreDtTm>{created_at}</CreDtTm></GrpHdr>\n{statements}</BkToCstmrStmt>\n</Document>\n"
    )


def _statement(found: BankDay, created_at: str) -> str:
    sequence = found.day.replace("-", "")
    entries = "".join(map(_entry, found.entries))
    return (
        f"<Stmt><Id>{found.account}-{sequence}</Id><ElctrncSeqNb>{sequence}</ElctrncSeqNb><CreDtTm>{created_at}</CreDtTm>\n"
        f"<Acct><Id><Othr><Id>{found.account}</Id></Othr></Id><Ccy>{CURRENCY}</Ccy><Ownr><Nm>{HOLDER}</Nm></Ownr>"
        f"<Svcr><FinInstnId><BICFI>{BIC}</BICFI></FinInstnId></Svcr></Acct>\n"
        f"{_balance('OPBD', found.opening_minor, found.day)}{_balance('CLBD', found.closing_minor, found.day)}"
        f"<TxsSummry><TtlNtries><NbOfNtries>{len(found.entries)}</NbOfNtries></TtlNtries></TxsSummry>\n{entries}</Stmt>\n"
    )


def _balance(code: str, minor: int, day: str) -> str:
    return f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(minor)}{_side(minor)}<Dt><Dt>{day}</Dt></Dt></Bal>\n"


def _entry(entry: BankEntry) -> str:
    family, sub_family = _TYPES[entry.kind]
    instructed = ""
    if entry.instructed_minor is not None:
        money = Money(abs(entry.instructed_minor), entry.instructed_currency)
        instructed = f'<AmtDtls><InstdAmt><Amt Ccy="{money.currency}">{money}</Amt></InstdAmt></AmtDtls>'
    party = "Dbtr" if entry.amount_minor > 0 else "Cdtr"
    reason = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" if entry.kind == "return" else ""
    return (
        f"<Ntry><NtryRef>{entry.id}</NtryRef>{_amount(entry.amount_minor)}{_side(entry.amount_minor)}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{entry.day}</Dt></BookgDt><ValDt><Dt>{entry.day}</Dt></ValDt><AcctSvcrRef>{entry.reference}</AcctSvcrRef>"
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub_family}</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{escape(entry.end_to_end_id)}</EndToEndId></Refs>{instructed}"
        f"<RltdPties><{party}><Pty><Nm>{escape(entry.counterparty)}</Nm></Pty></{party}></RltdPties>"
        f"<RmtInf><Ustrd>{escape(entry.narrative)}</Ustrd></RmtInf>{reason}</TxDtls></NtryDtls></Ntry>\n"
    )


def _amount(minor: int) -> str:
    return f'<Amt Ccy="{CURRENCY}">{Money(abs(minor), CURRENCY)}</Amt>'


def _side(minor: int) -> str:
    return f"<CdtDbtInd>{'DBIT' if minor < 0 else 'CRDT'}</CdtDbtInd>"
