-- Cards by token, what is being done to them at the vault, and orders of plastic.

CREATE TABLE cards (
    id INTEGER NOT NULL PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users (id),
    balance_id INTEGER NOT NULL REFERENCES balances (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    lock_code INTEGER,
    lock_placed_by TEXT,
    lock_placed_at INTEGER,
    lock_from TEXT, -- the state under the lock
    masked TEXT NOT NULL,
    exp TEXT NOT NULL,
    name TEXT,
    created_at INTEGER NOT NULL,
    CHECK (kind IN ('VIRTUAL', 'PHYSICAL', 'DIGITAL_FIRST')),
    CHECK (state IN ('ORDERED', 'INACTIVE', 'ACTIVE', 'LOCKED', 'REMOVED')),
    CHECK ((state = 'LOCKED') = (lock_code IS NOT NULL)),
    CHECK ((state = 'LOCKED') = (lock_placed_by IS NOT NULL)),
    CHECK ((state = 'LOCKED') = (lock_placed_at IS NOT NULL)),
    CHECK ((state = 'LOCKED') = (lock_from IS NOT NULL))
) STRICT;
CREATE INDEX cards_by_user ON cards (user_id, id);
CREATE INDEX cards_by_balance ON cards (balance_id, id);

-- What changes a card here and in the vault, written down before the vault is asked and struck off in the transaction
-- of its effect. A row that is older than a minute is what a crash or a silent vault left behind; a job repeats it.
CREATE TABLE card_requests (
    id INTEGER NOT NULL PRIMARY KEY,
    card_id INTEGER NOT NULL, -- of the card, or of the card to be
    request_id INTEGER, -- the idempotency entry of the client's request, if it had one
    vault_key TEXT NOT NULL, -- the idempotency key under which the vault is asked, and asked again
    task TEXT NOT NULL, -- JSON: the call, word for word, and what follows from it here
    next_try_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX card_requests_by_request ON card_requests (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX card_requests_by_next_try ON card_requests (next_try_at);

CREATE TABLE orders (
    id INTEGER NOT NULL PRIMARY KEY,
    token TEXT NOT NULL UNIQUE, -- the vault's name of the order
    card_id INTEGER NOT NULL REFERENCES cards (id),
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK (kind IN ('PRINT'))
) STRICT;
CREATE INDEX orders_by_card ON orders (card_id, id);
