-- The lock that the processor placed while the card was still ordered: it holds once the bureau has made the card.
ALTER TABLE cards ADD COLUMN pending_lock_code BIGINT;
ALTER TABLE cards ADD COLUMN pending_lock_placed_by TEXT;
ALTER TABLE cards ADD COLUMN pending_lock_placed_at BIGINT;
