-- Plastic: how far an order is, for virtual and for physical cards; what the vault tells by itself, and how far that was read.

ALTER TABLE orders
    DROP CONSTRAINT orders_kind_check,
    ADD COLUMN state TEXT NOT NULL DEFAULT 'ORDERED',
    ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0, -- 0: not since it was placed
    ADD COLUMN carrier TEXT,
    ADD COLUMN tracking_reference TEXT,
    ADD COLUMN reason TEXT,
    ADD COLUMN confirm_by BIGINT, -- until when the bureau is to confirm; none: no longer waited for
    ADD COLUMN overdue_at BIGINT, -- when it was seen that the bureau is late
    ADD CHECK (kind IN ('PRINT', 'PHYSICAL')),
    ADD CHECK (state IN ('ORDERED', 'IN_PRODUCTION', 'CONFIRMED', 'SHIPPED', 'RETURNED', 'FAILED')),
    ADD CHECK ((reason IS NOT NULL) = (state IN ('RETURNED', 'FAILED')));
CREATE INDEX orders_late ON orders (confirm_by) WHERE confirm_by IS NOT NULL;

-- How far the plastic of a card is: the newest order, as it is shown with the card. JSON, kept with the order.
ALTER TABLE cards ADD COLUMN delivery TEXT;

-- How far the vault's notices were applied: changed in the transaction of the effect.
CREATE TABLE notice_position (
    feed TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
INSERT INTO notice_position (feed, position, changed_at) VALUES ('vault', 0, 0);

-- Notices of orders and cards that are not here yet: the vault has them, and our own row is on its way.
CREATE TABLE parked_notices (
    notice_index BIGINT NOT NULL PRIMARY KEY,
    card_token TEXT NOT NULL,
    order_token TEXT,
    notice TEXT NOT NULL, -- JSON
    parked_at BIGINT NOT NULL
);
CREATE INDEX parked_notices_by_order ON parked_notices (order_token) WHERE order_token IS NOT NULL;
CREATE INDEX parked_notices_by_card ON parked_notices (card_token);
CREATE INDEX parked_notices_by_age ON parked_notices (parked_at);
