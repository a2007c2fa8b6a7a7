-- The user or card that a remembered answer is about, so that a user is forgotten without going through all answers. Rows of
-- before name none; they are forgotten within a day.
ALTER TABLE idempotency ADD COLUMN subject TEXT;
CREATE INDEX idempotency_by_subject ON idempotency (subject) WHERE subject IS NOT NULL;
