-- Where a card comes from: issued here, brought in with a number of the program's own range, or of another issuer.

ALTER TABLE cards ADD COLUMN origin TEXT NOT NULL DEFAULT 'ISSUED' CHECK (origin IN ('ISSUED', 'TOKENISED', 'FOREIGN'));
