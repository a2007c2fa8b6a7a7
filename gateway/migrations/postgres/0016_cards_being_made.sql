-- The balance of a card that is being made: until then it is not closed. Rows of before name none; they end within minutes.
ALTER TABLE card_requests ADD COLUMN balance_id BIGINT;
CREATE INDEX card_requests_by_balance ON card_requests (balance_id) WHERE balance_id IS NOT NULL;
