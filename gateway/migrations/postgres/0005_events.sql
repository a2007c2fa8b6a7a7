-- What partners are told of, written in the transaction that brought it about. Data is JSON of numbers, states and tokens:
-- no personal and no card data.

CREATE SEQUENCE events_number START WITH 1001;

CREATE TABLE events (
    id BIGINT NOT NULL PRIMARY KEY,
    partner TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id BIGINT,
    card_id BIGINT, -- of the card, or of the card that was to be
    card_sequence BIGINT, -- 1, 2, 3, … of one card
    data TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    CHECK ((card_id IS NULL) = (card_sequence IS NULL)),
    UNIQUE (card_id, card_sequence)
);
CREATE INDEX events_by_partner ON events (partner, id);

CREATE TABLE card_event_numbers (
    card_id BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
