-- The life of a card: its end, its renewal, its successor; and cards that are asked for now and made later.

ALTER TABLE cards ADD COLUMN replaces INTEGER; -- the card whose place this one took
ALTER TABLE cards ADD COLUMN replacement INTEGER; -- the number of the card that is to take this one's place
ALTER TABLE cards ADD COLUMN replaced_by INTEGER; -- the same, once that card is there
ALTER TABLE cards ADD COLUMN expired_at INTEGER; -- when it was written down that the last month has passed
ALTER TABLE cards ADD COLUMN automatic_renewal INTEGER NOT NULL DEFAULT 1; -- 0: its holder or partner decided otherwise
ALTER TABLE cards ADD COLUMN renewal_of TEXT; -- the end for which a renewal was last asked of the vault
CREATE INDEX cards_by_end ON cards (exp, id) WHERE expired_at IS NULL AND state IN ('INACTIVE', 'ACTIVE', 'LOCKED');

INSERT INTO sequences (name, next) VALUES ('card_creations', 1001);

-- PENDING: a row of card_requests says what the vault is asked. DONE: the card is there. FAILED: and why.
CREATE TABLE card_creations (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    card_id INTEGER NOT NULL, -- of the card to be
    state TEXT NOT NULL,
    code TEXT, -- why it failed
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    CHECK (state IN ('PENDING', 'DONE', 'FAILED')),
    CHECK ((state = 'FAILED') = (code IS NOT NULL)),
    CHECK ((state = 'PENDING') = (ended_at IS NULL))
) STRICT;
CREATE INDEX card_creations_by_end ON card_creations (ended_at) WHERE ended_at IS NOT NULL;
