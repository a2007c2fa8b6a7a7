-- Cards with plastic are renewed: what is under way with the card, and which orders are of the next plastic of a card.

-- ORDERED: the bureau has yet to make it. MADE: it takes over when its holder activates it. None: nothing is under way.
ALTER TABLE cards ADD COLUMN renewal TEXT CHECK (renewal IN ('ORDERED', 'MADE'));
ALTER TABLE cards ADD COLUMN renewal_exp TEXT; -- the end that the card has then
ALTER TABLE orders ADD COLUMN renewal INTEGER NOT NULL DEFAULT 0; -- 1: the next plastic of a card that has some
