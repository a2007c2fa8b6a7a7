-- Plastic: how far an order is, for virtual and for physical cards; what the vault tells by itself, and how far that was read.

-- Nothing refers to this table. SQLite cannot widen a CHECK in place.
CREATE TABLE orders_of_plastic (
    id INTEGER NOT NULL PRIMARY KEY,
    token TEXT NOT NULL UNIQUE, -- the vault's name of the order
    card_id INTEGER NOT NULL REFERENCES cards (id),
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'ORDERED',
    changed_at INTEGER NOT NULL DEFAULT 0, -- 0: not since it was placed
    carrier TEXT,
    tracking_reference TEXT,
    reason TEXT,
    confirm_by INTEGER, -- until when the bureau is to confirm; none: no longer waited for
    overdue_at INTEGER, -- when it was seen that the bureau is late
    CHECK (kind IN ('PRINT', 'PHYSICAL')),
    CHECK (state IN ('ORDERED', 'IN_PRODUCTION', 'CONFIRMED', 'SHIPPED', 'RETURNED', 'FAILED')),
    CHECK ((reason IS NOT NULL) = (state IN ('RETURNED', 'FAILED')))
) STRICT;
INSERT INTO orders_of_plastic (id, token, card_id, kind, created_at)
SELECT id, token, card_id, kind, created_at FROM orders;
DROP TABLE orders;
ALTER TABLE orders_of_plastic RENAME TO orders;
CREATE INDEX orders_by_card ON orders (card_id, id);
CREATE INDEX orders_late ON orders (confirm_by) WHERE confirm_by IS NOT NULL;

-- How far the plastic of a card is: the newest order, as it is shown with the card. JSON, kept with the order.
ALTER TABLE cards ADD COLUMN delivery TEXT;

-- How far the vault's notices were applied: changed in the transaction of the effect.
CREATE TABLE notice_position (
    feed TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO notice_position (feed, position, changed_at) VALUES ('vault', 0, 0);

-- Notices of orders and cards that are not here yet: the vault has them, and our own row is on its way.
CREATE TABLE parked_notices (
    notice_index INTEGER NOT NULL PRIMARY KEY,
    card_token TEXT NOT NULL,
    order_token TEXT,
    notice TEXT NOT NULL, -- JSON
    parked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX parked_notices_by_order ON parked_notices (order_token) WHERE order_token IS NOT NULL;
CREATE INDEX parked_notices_by_card ON parked_notices (card_token);
CREATE INDEX parked_notices_by_age ON parked_notices (parked_at);
