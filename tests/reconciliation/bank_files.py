"""Bank statement files written after the public message definitions, by hand and not by our code."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

IBAN = "DE75512108001245126199"


def camt(
    entries: str,
    *,
    version: str = "08",
    opening: tuple[str, str, str] = ("1000.00", "CRDT", "2026-03-02"),
    closing: tuple[str, str, str] = ("1000.00", "CRDT", "2026-03-02"),
    summary: str = "",
    account: str = IBAN,
    currency: str = "EUR",
    head: str = '<?xml version="1.0" encoding="UTF-8"?>',
) -> bytes:
    def balance(code: str, said: tuple[str, str, str]) -> str:
        amount, side, day = said
        return (
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='{currency}'>{amount}</Amt>"
            f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
        )

    return (
        f"{head}<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}'><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>"
        f"<CreDtTm>2026-03-03T02:00:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id><ElctrncSeqNb>41</ElctrncSeqNb>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>{currency}</Ccy></Acct>{balance('OPBD', opening)}{balance('CLBD', closing)}"
        f"{summary}{entries}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def entry(
    amount: str,
    side: str = "CRDT",
    *,
    reference: str = "B1",
    version: str = "08",
    end_to_end: str = "E2E-1",
    day: str = "2026-03-02",
    currency: str = "EUR",
    more: str = "",
    status: str = "BOOK",
    name: str = "FPX",
) -> str:
    """As each version writes the status and the parties."""
    state = f"<Sts><Cd>{status}</Cd></Sts>" if version in ("07", "08") else f"<Sts>{status}</Sts>"
    party = "Dbtr" if side == "CRDT" else "Cdtr"
    who = f"<Pty><Nm>{name}</Nm></Pty>" if version == "08" else f"<Nm>{name}</Nm>"
    return (
        f"<Ntry><Amt Ccy='{currency}'>{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{state}<BookgDt><Dt>{day}</Dt></BookgDt>"
        f"<ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>{reference}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
        f"<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>{more}<NtryDtls><TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>"
        f"<RltdPties><{party}>{who}</{party}></RltdPties><RmtInf><Ustrd>Remittance of the day</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def mt940(
    lines: Sequence[str], *, opening: str = "C260302EUR1000,00", closing: str = "C260302EUR1000,00", account: str = IBAN
) -> bytes:
    head = [":20:STARTUMS", f":25:{account}", ":28C:41/1", f":60F:{opening}"]
    return "".join(f"{line}\r\n" for line in [*head, *lines, f":62F:{closing}", "-"]).encode()


def added(opening: str, *amounts: str) -> str:
    return str(Decimal(opening) + sum(map(Decimal, amounts)))
