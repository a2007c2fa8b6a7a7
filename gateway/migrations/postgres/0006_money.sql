-- Double entry, in the vocabulary of TigerBeetle: accounts hold four sums, transfers move money between two accounts, and
-- what is pending is posted, voided or expires. Transfers are never changed. Sums and transfers are in minor units.

CREATE SEQUENCE accounts_number START WITH 1001;
CREATE SEQUENCE transfers_number START WITH 1001;
CREATE SEQUENCE partner_balances_number START WITH 1001;
CREATE SEQUENCE partner_reloads_number START WITH 1001;

CREATE TABLE accounts (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    partner TEXT NOT NULL,
    program TEXT, -- of USER and COMPANY
    currency TEXT NOT NULL,
    balance_id BIGINT UNIQUE REFERENCES balances (id), -- of USER
    debits_must_not_exceed_credits BIGINT NOT NULL,
    debits_pending BIGINT NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted BIGINT NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending BIGINT NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted BIGINT NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
    created_at BIGINT NOT NULL,
    CHECK (kind IN ('USER', 'COMPANY', 'CREDIT', 'DEPOSIT', 'FUNDING', 'SETTLEMENT')),
    CHECK ((kind = 'USER') = (balance_id IS NOT NULL)),
    CHECK ((kind IN ('USER', 'COMPANY')) = (program IS NOT NULL)),
    CHECK (debits_must_not_exceed_credits = CASE WHEN kind IN ('USER', 'CREDIT', 'DEPOSIT') THEN 1 ELSE 0 END),
    -- The last line of defence: whatever a program does, no such account is overdrawn, by holds neither.
    CHECK (debits_must_not_exceed_credits = 0 OR debits_posted + debits_pending <= credits_posted)
);
-- Credit or deposit, never both: a partner has one limit in a currency.
CREATE UNIQUE INDEX accounts_limit ON accounts (partner, currency) WHERE kind IN ('CREDIT', 'DEPOSIT');
CREATE UNIQUE INDEX accounts_company ON accounts (program, currency) WHERE kind = 'COMPANY';
CREATE UNIQUE INDEX accounts_outside ON accounts (partner, currency, kind) WHERE kind IN ('FUNDING', 'SETTLEMENT');

CREATE TABLE transfers (
    id BIGINT NOT NULL PRIMARY KEY,
    linked_id BIGINT NOT NULL, -- the first of those that came about together or not at all
    debit_account_id BIGINT NOT NULL REFERENCES accounts (id),
    credit_account_id BIGINT NOT NULL REFERENCES accounts (id),
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    kind TEXT NOT NULL, -- what for
    phase TEXT NOT NULL, -- how it moves money
    pending_id BIGINT REFERENCES transfers (id), -- what it posts or voids
    about_id BIGINT REFERENCES transfers (id), -- of a late clearing or a refund: the authorisation
    user_id BIGINT REFERENCES users (id), -- of transfers that the user is shown
    balance_id BIGINT REFERENCES balances (id),
    card_id BIGINT REFERENCES cards (id),
    reference TEXT,
    merchant_name TEXT,
    merchant_category TEXT, -- ISO 18245
    merchant_country TEXT, -- ISO 3166-1
    created_at BIGINT NOT NULL,
    CHECK (debit_account_id <> credit_account_id),
    CHECK (kind IN ('RELOAD', 'PARTNER_RELOAD', 'AUTHORISATION', 'CLEARING', 'REVERSAL', 'REFUND', 'DIFFERENCE')),
    CHECK (phase IN ('SINGLE', 'PENDING', 'POST_PENDING', 'VOID_PENDING')),
    CHECK ((phase IN ('POST_PENDING', 'VOID_PENDING')) = (pending_id IS NOT NULL)),
    CHECK ((user_id IS NULL) = (balance_id IS NULL))
);
-- What is pending ends once.
CREATE UNIQUE INDEX transfers_by_pending ON transfers (pending_id) WHERE pending_id IS NOT NULL;
CREATE INDEX transfers_by_user ON transfers (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX transfers_by_balance ON transfers (balance_id, id) WHERE balance_id IS NOT NULL;
CREATE INDEX transfers_by_card ON transfers (card_id, id) WHERE card_id IS NOT NULL;
CREATE INDEX transfers_linked ON transfers (linked_id);

CREATE FUNCTION transfers_are_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'transfers are append-only'; END $$;
CREATE TRIGGER transfers_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
FOR EACH STATEMENT EXECUTE FUNCTION transfers_are_append_only();

-- What became of pending transfers: all that changes about them.
CREATE TABLE pending_transfers (
    transfer_id BIGINT NOT NULL PRIMARY KEY REFERENCES transfers (id),
    linked_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    CHECK (state IN ('PENDING', 'POSTED', 'VOIDED', 'EXPIRED')),
    CHECK ((state = 'PENDING') = (ended_at IS NULL))
);
CREATE INDEX pending_transfers_linked ON pending_transfers (linked_id);
CREATE INDEX pending_transfers_by_end ON pending_transfers (expires_at) WHERE state = 'PENDING';

-- What a partner is shown of its limit, and the platform of a company balance; the sums are the account's.
CREATE TABLE partner_balances (
    id BIGINT NOT NULL PRIMARY KEY,
    account_id BIGINT NOT NULL UNIQUE REFERENCES accounts (id),
    state TEXT NOT NULL,
    low_level BIGINT, -- below it the partner is told, once
    rearm_level BIGINT, -- from here on it is told again
    is_low BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    CHECK (state IN ('ACTIVE', 'LOCKED')),
    CHECK (is_low IN (0, 1)),
    CHECK ((low_level IS NULL) = (rearm_level IS NULL)),
    CHECK (low_level IS NULL OR (low_level > 0 AND rearm_level >= low_level))
);

-- Bank transfers that one operator has seen and another confirms.
CREATE TABLE partner_reloads (
    id BIGINT NOT NULL PRIMARY KEY,
    partner_balance_id BIGINT NOT NULL REFERENCES partner_balances (id),
    amount BIGINT NOT NULL CHECK (amount > 0),
    bank_reference TEXT NOT NULL,
    bank_reference_key TEXT NOT NULL, -- letters and digits of it, in capitals
    state TEXT NOT NULL,
    proposed_by BIGINT NOT NULL REFERENCES operators (id),
    decided_by BIGINT REFERENCES operators (id),
    transfer_id BIGINT UNIQUE REFERENCES transfers (id),
    created_at BIGINT NOT NULL,
    decided_at BIGINT,
    CHECK (state IN ('PROPOSED', 'APPROVED', 'REJECTED')),
    CHECK ((state = 'PROPOSED') = (decided_by IS NULL)),
    CHECK ((state = 'PROPOSED') = (decided_at IS NULL)),
    CHECK ((state = 'APPROVED') = (transfer_id IS NOT NULL)),
    CHECK (decided_by IS NULL OR decided_by <> proposed_by)
);
CREATE INDEX partner_reloads_by_balance ON partner_reloads (partner_balance_id, id);
-- The same bank transfer is credited once, to whomever.
CREATE UNIQUE INDEX partner_reloads_bank_reference ON partner_reloads (bank_reference_key) WHERE state <> 'REJECTED';

-- Who locked a balance: a partner does not lift an operator's lock.
ALTER TABLE balances ADD COLUMN locked_by TEXT CHECK (locked_by IN ('PARTNER', 'OPERATOR'));

-- From here on the sums are the accounts'; the columns of `balances` stay for programs of the version before.
INSERT INTO accounts (id, kind, partner, program, currency, balance_id, debits_must_not_exceed_credits, debits_pending,
    debits_posted, credits_pending, credits_posted, created_at)
SELECT 1000 + ROW_NUMBER() OVER (ORDER BY b.id), 'USER', u.partner, b.program, b.currency, b.id, 1, b.debits_pending,
    b.debits_posted, b.credits_pending, b.credits_posted, b.created_at
FROM balances b JOIN users u ON u.id = b.user_id;

INSERT INTO accounts (id, kind, partner, program, currency, debits_must_not_exceed_credits, created_at)
SELECT 1000 + (SELECT COUNT(*) FROM balances) + ROW_NUMBER() OVER (ORDER BY b.program, b.currency), 'COMPANY',
    MIN(u.partner), b.program, b.currency, 0, MIN(b.created_at)
FROM balances b JOIN users u ON u.id = b.user_id GROUP BY b.program, b.currency;

INSERT INTO partner_balances (id, account_id, state, created_at)
SELECT 1000 + ROW_NUMBER() OVER (ORDER BY id), id, 'ACTIVE', created_at FROM accounts WHERE kind = 'COMPANY';

SELECT setval('accounts_number', 1001 + (SELECT COUNT(*) FROM accounts), false);
SELECT setval('partner_balances_number', 1001 + (SELECT COUNT(*) FROM partner_balances), false);
