-- What partners are told of, written in the transaction that brought it about. Data is JSON of numbers, states and tokens:
-- no personal and no card data.

INSERT INTO sequences (name, next) VALUES ('events', 1001);

CREATE TABLE events (
    id INTEGER NOT NULL PRIMARY KEY,
    partner TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id INTEGER,
    card_id INTEGER, -- of the card, or of the card that was to be
    card_sequence INTEGER, -- 1, 2, 3, … of one card
    data TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    CHECK ((card_id IS NULL) = (card_sequence IS NULL)),
    UNIQUE (card_id, card_sequence)
) STRICT;
CREATE INDEX events_by_partner ON events (partner, id);

CREATE TABLE card_event_numbers (
    card_id INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
