-- Users, their KYC, balances, devices and sessions, and the memory of answered requests.
-- Instants are milliseconds since the Unix epoch. Money is in minor units. Numbers are given by the program, from 1001.

CREATE TABLE sequences (
    name TEXT NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO sequences (name, next) VALUES
    ('users', 1001), ('balances', 1001), ('cards', 1001), ('installations', 1001), ('kyc', 1001),
    ('activation_codes', 1001), ('idempotency', 1001), ('card_requests', 1001), ('orders', 1001);

-- What was answered to requests that carried an Idempotency-Key, for a day. An entry without an answer belongs to a
-- request that is under way, or that a crash cut short.
CREATE TABLE idempotency (
    id INTEGER NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL, -- caller, method and path
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL, -- SHA-256 of the body and the thumbprint of Public-Key
    owner TEXT, -- the process that works on it; none once it is answered or given up
    claimed_at INTEGER NOT NULL,
    status INTEGER, -- the answer, from here on
    vault_proof TEXT,
    body BLOB,
    created_at INTEGER NOT NULL,
    UNIQUE (scope, key)
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- PENDING: not yet known to the vault and shown to nobody. ACTIVE: has a holder.
CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY,
    partner TEXT NOT NULL,
    program TEXT NOT NULL,
    state TEXT NOT NULL,
    holder TEXT UNIQUE,
    vault_key TEXT NOT NULL, -- the idempotency key under which the vault is asked for the holder
    request_id INTEGER, -- the idempotency entry of the registration, if it had one
    external_id TEXT,
    email TEXT NOT NULL,
    phone_number TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    date_of_birth TEXT NOT NULL,
    nationality TEXT NOT NULL,
    address TEXT, -- JSON
    kyc_status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (partner, external_id),
    CHECK (state IN ('PENDING', 'ACTIVE')),
    CHECK ((state = 'ACTIVE') = (holder IS NOT NULL))
) STRICT;
CREATE INDEX users_pending ON users (created_at) WHERE state = 'PENDING';
CREATE UNIQUE INDEX users_by_request ON users (request_id) WHERE request_id IS NOT NULL;

-- Applications and decisions, each kept for good: the last one is users.kyc_status.
CREATE TABLE kyc_events (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    status TEXT NOT NULL,
    source TEXT NOT NULL, -- USER, PARTNER (application), PARTNER_PROCESS (decision)
    provider TEXT,
    reference TEXT,
    application TEXT, -- JSON
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX kyc_events_by_user ON kyc_events (user_id, id);

CREATE TABLE balances (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    program TEXT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    debits_pending INTEGER NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted INTEGER NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending INTEGER NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted INTEGER NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
    created_at INTEGER NOT NULL,
    CHECK (state IN ('ACTIVE', 'LOCKED', 'CLOSED'))
) STRICT;
CREATE INDEX balances_by_user ON balances (user_id, id);

CREATE TABLE activation_codes (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    selector TEXT NOT NULL UNIQUE, -- the part of the code by which the row is found
    secret_hash BLOB NOT NULL, -- SHA-256 of the rest
    vault_key BLOB NOT NULL, -- 32 random bytes from which the idempotency keys of enrolments are made
    enrolment_ticket TEXT, -- the partner's, for the vault
    tries_left INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX activation_codes_by_user ON activation_codes (user_id);
CREATE INDEX activation_codes_by_end ON activation_codes (expires_at);

CREATE TABLE installations (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    device_id TEXT NOT NULL,
    device_name TEXT,
    public_key BLOB NOT NULL, -- 0x04, x, y
    pin_hash TEXT NOT NULL, -- Argon2id
    pin_failures INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    key_state TEXT NOT NULL, -- DUE: the vault is still to be told that the key is revoked
    CHECK (state IN ('ACTIVE', 'REVOKED')),
    CHECK (key_state IN ('KEPT', 'DUE', 'REVOKED'))
) STRICT;
CREATE UNIQUE INDEX installations_in_use ON installations (user_id, device_id) WHERE state = 'ACTIVE';
CREATE INDEX installations_keys_due ON installations (id) WHERE key_state = 'DUE';

CREATE TABLE sessions (
    token_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256
    installation_id INTEGER NOT NULL REFERENCES installations (id),
    request_id INTEGER, -- the idempotency entry of the request that began it: a retry replaces the token
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_installation ON sessions (installation_id);
CREATE UNIQUE INDEX sessions_by_request ON sessions (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Also for installations that do not exist: a stranger learns nothing from the difference.
CREATE TABLE login_challenges (
    challenge_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256
    installation_id INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX login_challenges_by_end ON login_challenges (expires_at);
