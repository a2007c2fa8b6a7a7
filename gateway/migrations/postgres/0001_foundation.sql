-- Users, their KYC, balances, devices and sessions, and the memory of answered requests.
-- Instants are milliseconds since the Unix epoch. Money is in minor units. Numbers are given by the program, from 1001.

CREATE SEQUENCE users_number START WITH 1001;
CREATE SEQUENCE balances_number START WITH 1001;
CREATE SEQUENCE cards_number START WITH 1001;
CREATE SEQUENCE installations_number START WITH 1001;
CREATE SEQUENCE kyc_number START WITH 1001;
CREATE SEQUENCE activation_codes_number START WITH 1001;
CREATE SEQUENCE idempotency_number START WITH 1001;
CREATE SEQUENCE card_requests_number START WITH 1001;
CREATE SEQUENCE orders_number START WITH 1001;

-- What was answered to requests that carried an Idempotency-Key, for a day. An entry without an answer belongs to a
-- request that is under way, or that a crash cut short.
CREATE TABLE idempotency (
    id BIGINT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL, -- caller, method and path
    key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL, -- SHA-256 of the body and the thumbprint of Public-Key
    owner TEXT, -- the process that works on it; none once it is answered or given up
    claimed_at BIGINT NOT NULL,
    status BIGINT, -- the answer, from here on
    vault_proof TEXT,
    body BYTEA,
    created_at BIGINT NOT NULL,
    UNIQUE (scope, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- PENDING: not yet known to the vault and shown to nobody. ACTIVE: has a holder.
CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    partner TEXT NOT NULL,
    program TEXT NOT NULL,
    state TEXT NOT NULL,
    holder TEXT UNIQUE,
    vault_key TEXT NOT NULL, -- the idempotency key under which the vault is asked for the holder
    request_id BIGINT, -- the idempotency entry of the registration, if it had one
    external_id TEXT,
    email TEXT NOT NULL,
    phone_number TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    date_of_birth TEXT NOT NULL,
    nationality TEXT NOT NULL,
    address TEXT, -- JSON
    kyc_status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (partner, external_id),
    CHECK (state IN ('PENDING', 'ACTIVE')),
    CHECK ((state = 'ACTIVE') = (holder IS NOT NULL))
);
CREATE INDEX users_pending ON users (created_at) WHERE state = 'PENDING';
CREATE UNIQUE INDEX users_by_request ON users (request_id) WHERE request_id IS NOT NULL;

-- Applications and decisions, each kept for good: the last one is users.kyc_status.
CREATE TABLE kyc_events (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    status TEXT NOT NULL,
    source TEXT NOT NULL, -- USER, PARTNER (application), PARTNER_PROCESS (decision)
    provider TEXT,
    reference TEXT,
    application TEXT, -- JSON
    created_at BIGINT NOT NULL
);
CREATE INDEX kyc_events_by_user ON kyc_events (user_id, id);

CREATE TABLE balances (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    program TEXT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    debits_pending BIGINT NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted BIGINT NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending BIGINT NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted BIGINT NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
    created_at BIGINT NOT NULL,
    CHECK (state IN ('ACTIVE', 'LOCKED', 'CLOSED'))
);
CREATE INDEX balances_by_user ON balances (user_id, id);

CREATE TABLE activation_codes (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    selector TEXT NOT NULL UNIQUE, -- the part of the code by which the row is found
    secret_hash BYTEA NOT NULL, -- SHA-256 of the rest
    vault_key BYTEA NOT NULL, -- 32 random bytes from which the idempotency keys of enrolments are made
    enrolment_ticket TEXT, -- the partner's, for the vault
    tries_left BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX activation_codes_by_user ON activation_codes (user_id);
CREATE INDEX activation_codes_by_end ON activation_codes (expires_at);

CREATE TABLE installations (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    device_id TEXT NOT NULL,
    device_name TEXT,
    public_key BYTEA NOT NULL, -- 0x04, x, y
    pin_hash TEXT NOT NULL, -- Argon2id
    pin_failures BIGINT NOT NULL DEFAULT 0,
    locked_until BIGINT NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    key_state TEXT NOT NULL, -- DUE: the vault is still to be told that the key is revoked
    CHECK (state IN ('ACTIVE', 'REVOKED')),
    CHECK (key_state IN ('KEPT', 'DUE', 'REVOKED'))
);
CREATE UNIQUE INDEX installations_in_use ON installations (user_id, device_id) WHERE state = 'ACTIVE';
CREATE INDEX installations_keys_due ON installations (id) WHERE key_state = 'DUE';

CREATE TABLE sessions (
    token_hash BYTEA NOT NULL PRIMARY KEY, -- SHA-256
    installation_id BIGINT NOT NULL REFERENCES installations (id),
    request_id BIGINT, -- the idempotency entry of the request that began it: a retry replaces the token
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_installation ON sessions (installation_id);
CREATE UNIQUE INDEX sessions_by_request ON sessions (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Also for installations that do not exist: a stranger learns nothing from the difference.
CREATE TABLE login_challenges (
    challenge_hash BYTEA NOT NULL PRIMARY KEY, -- SHA-256
    installation_id BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_challenges_by_end ON login_challenges (expires_at);
