CREATE TABLE IF NOT EXISTS accounts (
    provider   TEXT NOT NULL,
    id         TEXT NOT NULL,
    details    TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (provider, id)
) WITHOUT ROWID;

-- What a payer was asked to pay. An order is decided once; the decision is an entry with the same reference.
CREATE TABLE IF NOT EXISTS orders (
    id           INTEGER PRIMARY KEY,
    provider     TEXT NOT NULL,
    account      TEXT NOT NULL,
    reference    TEXT NOT NULL,
    token        TEXT NOT NULL UNIQUE,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency     TEXT NOT NULL,
    request      TEXT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'pending', 'closed')),
    created_at   TEXT NOT NULL,
    UNIQUE (provider, account, reference)
);

-- The books. One entry for one reference, whatever is asked how often; entries are never changed.
CREATE TABLE IF NOT EXISTS entries (
    id           INTEGER PRIMARY KEY,
    provider     TEXT NOT NULL,
    account      TEXT NOT NULL,
    reference    TEXT NOT NULL,
    number       TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('charge', 'authorisation', 'capture', 'refund', 'void')),
    root_id      INTEGER REFERENCES entries (id),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    fee_minor    INTEGER NOT NULL DEFAULT 0 CHECK (fee_minor >= 0),
    currency     TEXT NOT NULL,
    verdict      TEXT NOT NULL,
    reason       TEXT NOT NULL DEFAULT '',
    instrument   TEXT NOT NULL DEFAULT '',
    order_info   TEXT NOT NULL DEFAULT '',
    at           TEXT NOT NULL,
    day          TEXT NOT NULL,
    UNIQUE (provider, account, reference),
    UNIQUE (provider, number)
);
CREATE INDEX IF NOT EXISTS entries_by_day ON entries (provider, day);
CREATE INDEX IF NOT EXISTS entries_by_root ON entries (root_id) WHERE root_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS callbacks (
    id       INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (id),
    url      TEXT NOT NULL,
    body     TEXT NOT NULL,
    expects  TEXT NOT NULL,
    state    TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'given_up')),
    tries    INTEGER NOT NULL DEFAULT 0,
    due_at   REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS callbacks_waiting ON callbacks (due_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS callbacks_waiting_by_order ON callbacks (order_id, id) WHERE state = 'waiting';

-- How often a reference with the test amount 5.00 was turned away before it was let through.
CREATE TABLE IF NOT EXISTS turned_away (
    provider  TEXT NOT NULL,
    account   TEXT NOT NULL,
    reference TEXT NOT NULL,
    times     INTEGER NOT NULL,
    PRIMARY KEY (provider, account, reference)
) WITHOUT ROWID;

-- The bank's accounts of the merchant's back office: what was booked, never changed. Positive is money that came in.
CREATE TABLE IF NOT EXISTS bank_entries (
    id                  INTEGER PRIMARY KEY,
    account             TEXT NOT NULL,
    day                 TEXT NOT NULL,
    kind                TEXT NOT NULL CHECK (kind IN ('remittance', 'payment', 'return')),
    end_to_end_id       TEXT NOT NULL,
    amount_minor        INTEGER NOT NULL CHECK (amount_minor <> 0),
    instructed_minor    INTEGER,
    instructed_currency TEXT NOT NULL DEFAULT '',
    counterparty        TEXT NOT NULL,
    narrative           TEXT NOT NULL,
    origin              TEXT NOT NULL  -- whose and which day's money, or which payment message
);
CREATE INDEX IF NOT EXISTS bank_entries_by_day ON bank_entries (account, day);
CREATE INDEX IF NOT EXISTS bank_entries_by_origin ON bank_entries (origin);
