"""No secret and no card number reaches a line of the log, in whatever shape it comes, and no value forges a line."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from config.logging import LOGGING

VISA = "4111111111111111"
CARDS = [VISA, "4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444", "378282246310005", "2223003122003222"]


@pytest.fixture
def lines():
    """What is written for records of the logger "probe", parsed."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    formatter = LOGGING["formatters"]["json"]
    handler.setFormatter(formatter["()"](**{key: value for key, value in formatter.items() if key != "()"}))
    logger = logging.getLogger("probe")
    logger.addHandler(handler)
    logger.propagate, level = False, logger.level
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.propagate = True
    logger.setLevel(level)


@pytest.mark.parametrize("card", CARDS)
def test_card_numbers_are_masked_wherever_they_stand(lines, card):
    log = structlog.get_logger("probe")
    log.info(
        f"paid with {card}", note=f"x{card}y"[1:-1], nested={"list": [{card: f"ref 12 {card}"}]}, raw=card.encode()
    )
    logging.getLogger("probe").warning("plain %s", card)
    try:
        raise ValueError(f"bad card {card}")
    except ValueError:
        log.exception("failed", body=json.dumps({"number": card}))

    written = lines()
    assert len(written) == 3
    assert all(card not in json.dumps(line) for line in written)
    assert written[0]["event"] == f"paid with [card {card[-4:]}]"
    assert "ValueError: bad card [card" in written[2]["exception"]


def test_a_card_number_as_a_number_is_masked(lines):
    structlog.get_logger("probe").info("x", number=int(VISA), amount_minor=123456789012, big=2**70)

    (line,) = lines()
    assert (line["number"], line["amount_minor"], line["big"]) == ("[card 1111]", 123456789012, str(2**70))


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "api_key",
        "X-Api-Key",
        "Authorization",
        "vpc_SecureHash",
        "pass_phrase",
        "refresh_token",
        "otp",
        "cvv",
    ],
)
def test_values_of_secret_names_are_hidden(lines, name):
    structlog.get_logger("probe").info("x", **{name: "s3cr3t-value"}, inner={name: ["s3cr3t-value"]})

    (line,) = lines()
    assert line[name] == line["inner"][name] == "[hidden]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sent Authorization: Bearer abc.def-123", "sent Authorization: Bearer [hidden]"),
        ("key cfk_live_AbCdEfGhIjKlMnOp used", "key cfk_live_AbCdEfG[hidden] used"),
        ("secret whsec_c2VjcmV0c2VjcmV0 used", "secret [hidden] used"),
        ("postgresql://app:hunter22@db/x is away", "postgresql://app:[hidden]@db/x is away"),  # not a secret
        ("POST a=1&password=hunter22&b=2", "POST a=1&password=[hidden]&b=2"),
        ("{'api_key': 'hunter22', 'b': 2}", "{'api_key': '[hidden]', 'b': 2}"),
        ('body {"passPhrase": "hunter22"}', 'body {"passPhrase": "[hidden]"}'),
        ("order EPG20261121ABCDEF of 2026-11-21T04:06:00Z", "order EPG20261121ABCDEF of 2026-11-21T04:06:00Z"),
    ],
)
def test_secrets_inside_texts_are_hidden_and_the_rest_stays(lines, text, expected):
    logging.getLogger("probe").info("%s", text)

    (line,) = lines()
    assert line["event"] == expected


def test_a_line_break_in_a_value_forges_no_line(lines):
    forged = 'x\r\n{"event": "forged", "level": "info"}\u2028'
    structlog.get_logger("probe").info(forged, field=forged)

    (line,) = lines()
    assert line["event"].startswith("x\r\n")
    assert line["field"].startswith("x\r\n")
