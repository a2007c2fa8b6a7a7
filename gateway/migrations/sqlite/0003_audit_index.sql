-- The place of an answer's event in the vault's audit log: a replay sends the same header.
ALTER TABLE idempotency ADD COLUMN audit_index INTEGER;
