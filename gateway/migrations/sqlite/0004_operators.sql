-- Operators: who they are, their sessions and second factor, the mails to them, and the trail of what they did.

INSERT INTO sequences (name, next) VALUES ('operators', 1001), ('audit', 1001), ('mails', 1001);

CREATE TABLE operators (
    id INTEGER NOT NULL PRIMARY KEY,
    login TEXT NOT NULL UNIQUE, -- an e-mail address, in small letters
    role TEXT NOT NULL,
    partner TEXT, -- none: of the platform
    state TEXT NOT NULL,
    password_hash TEXT, -- Argon2id
    totp_secret BLOB, -- sealed under the operators' key
    totp_last_step INTEGER NOT NULL DEFAULT 0, -- a code is good once: only later time steps are taken
    created_at INTEGER NOT NULL,
    CHECK (role IN ('ADMIN', 'MANAGER', 'EMPLOYEE')),
    CHECK (state IN ('INVITED', 'ACTIVE', 'DISABLED')),
    CHECK (state <> 'ACTIVE' OR (password_hash IS NOT NULL AND totp_secret IS NOT NULL))
) STRICT;

CREATE TABLE operator_recovery_codes (
    code_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256
    operator_id INTEGER NOT NULL REFERENCES operators (id)
) STRICT;
CREATE INDEX operator_recovery_codes_by_operator ON operator_recovery_codes (operator_id);

-- Failed logins by the login that was tried, whether there is such an operator or not.
CREATE TABLE operator_login_tries (
    login_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256
    failures INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;
CREATE INDEX operator_login_tries_by_age ON operator_login_tries (last_at);

-- When a password reset was asked for, by login, whether there is such an operator or not.
CREATE TABLE operator_reset_asks (
    login_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256
    last_at INTEGER NOT NULL
) STRICT;
CREATE INDEX operator_reset_asks_by_age ON operator_reset_asks (last_at);

CREATE TABLE operator_sessions (
    token_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256
    operator_id INTEGER NOT NULL REFERENCES operators (id),
    request_id INTEGER, -- the idempotency entry of the request that began it: a retry replaces the token
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX operator_sessions_by_operator ON operator_sessions (operator_id);
CREATE UNIQUE INDEX operator_sessions_by_request ON operator_sessions (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX operator_sessions_by_end ON operator_sessions (expires_at);

-- What was mailed to an operator: at most one of each purpose is good.
CREATE TABLE operator_tokens (
    token_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256
    operator_id INTEGER NOT NULL REFERENCES operators (id),
    purpose TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (operator_id, purpose),
    CHECK (purpose IN ('INVITATION', 'PASSWORD_RESET'))
) STRICT;
CREATE INDEX operator_tokens_by_end ON operator_tokens (expires_at);

-- Mails to be sent, written in the transaction that caused them and deleted once a server has taken them.
CREATE TABLE mails (
    id INTEGER NOT NULL PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE, -- the same at each try
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL, -- sealed under the operators' key: it may hold a token
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, -- from then on nobody can use what it says
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_by_next_try ON mails (next_try_at);

-- What operators did, each entry in the transaction of its effect. Entries are neither changed nor deleted.
CREATE TABLE operator_audit (
    id INTEGER NOT NULL PRIMARY KEY,
    operator_id INTEGER REFERENCES operators (id), -- none: the command line
    role TEXT,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    partner TEXT, -- whose thing it was about; none: the platform's
    user_id INTEGER,
    card_id INTEGER,
    about_operator_id INTEGER,
    detail TEXT,
    trace TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX operator_audit_by_partner ON operator_audit (partner, id);

CREATE TRIGGER operator_audit_is_not_changed BEFORE UPDATE ON operator_audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER operator_audit_is_not_deleted BEFORE DELETE ON operator_audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- Which operator's action a card request is, as JSON: the entry is written with the effect.
ALTER TABLE card_requests ADD COLUMN stamp TEXT;

CREATE INDEX users_by_email ON users (email);
CREATE INDEX users_by_phone_number ON users (phone_number);
CREATE INDEX users_by_external_id ON users (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_by_partner ON users (partner, id);
CREATE INDEX installations_by_user ON installations (user_id, id);
