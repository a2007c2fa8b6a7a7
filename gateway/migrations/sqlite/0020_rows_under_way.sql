-- The work on a row of a mass import is found again by the key under which the vault was asked.
CREATE INDEX card_requests_by_vault_key ON card_requests (vault_key);
