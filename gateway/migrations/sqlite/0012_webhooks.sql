-- What leaves: events get a number when they are handed out, one after the other in the order in which they were committed;
-- who is to get them by webhook, and how far that is.

INSERT INTO sequences (name, next) VALUES ('webhooks', 1001);

ALTER TABLE events ADD COLUMN number INTEGER; -- by which partners know it; none: not handed out yet
CREATE UNIQUE INDEX events_by_number ON events (number);
CREATE INDEX events_by_partner_and_number ON events (partner, number);
CREATE INDEX events_to_hand_out ON events (id) WHERE number IS NULL;
CREATE INDEX events_by_time ON events (occurred_at);

-- The last number that was given. Its one row is the lock of whoever hands out.
CREATE TABLE event_numbers (
    one INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL,
    CHECK (one = 1)
) STRICT;
INSERT INTO event_numbers (one, last) VALUES (1, 1000);

CREATE TABLE webhook_endpoints (
    id INTEGER NOT NULL PRIMARY KEY,
    partner TEXT NOT NULL,
    url TEXT NOT NULL,
    kinds TEXT, -- names with blanks between; none: every kind
    description TEXT,
    state TEXT NOT NULL,
    disabled_by TEXT, -- why nothing is sent
    failing_since INTEGER, -- nothing has arrived since; none: the last try went well
    secret BLOB NOT NULL, -- sealed under the operators' key; empty once deleted
    old_secret BLOB, -- signs too, until
    old_secret_until INTEGER,
    created_at INTEGER NOT NULL,
    CHECK (state IN ('ENABLED', 'DISABLED', 'DELETED')),
    CHECK (disabled_by IN ('PARTNER', 'OPERATOR', 'GONE', 'FAILING')),
    CHECK ((state = 'DISABLED') = (disabled_by IS NOT NULL)),
    CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
) STRICT;
CREATE INDEX webhook_endpoints_by_partner ON webhook_endpoints (partner, id);

CREATE TABLE webhook_deliveries (
    endpoint_id INTEGER NOT NULL REFERENCES webhook_endpoints (id),
    event INTEGER NOT NULL, -- its number
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, -- that have begun, since it was written or replayed
    next_try_at INTEGER NOT NULL,
    leased_until INTEGER NOT NULL DEFAULT 0, -- somebody tries; until then nobody else does
    last_status INTEGER,
    last_failure TEXT,
    last_try_at INTEGER,
    delivered_at INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, event),
    CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED'))
) STRICT;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_try_at, event) WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event);

ALTER TABLE mails ADD COLUMN user_id INTEGER; -- to whom: a mail to somebody who is removed is not sent
