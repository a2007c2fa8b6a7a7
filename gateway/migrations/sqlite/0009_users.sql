-- Where a user stands: OPEN; LOCKED, by whom, why and since when; REMOVED, with all personal data overwritten. What a removal
-- leaves to be done at the vault is done when erased_at is set.

ALTER TABLE users ADD COLUMN standing TEXT NOT NULL DEFAULT 'OPEN' CHECK (standing IN ('OPEN', 'LOCKED', 'REMOVED'));
ALTER TABLE users ADD COLUMN locked_by TEXT CHECK (locked_by IN ('PARTNER', 'OPERATOR'));
ALTER TABLE users ADD COLUMN lock_reason TEXT;
ALTER TABLE users ADD COLUMN locked_at INTEGER;
ALTER TABLE users ADD COLUMN removed_at INTEGER;
ALTER TABLE users ADD COLUMN erased_at INTEGER;
CREATE INDEX users_to_erase ON users (id) WHERE standing = 'REMOVED' AND erased_at IS NULL;

-- Who was given everything that is held about a user. It holds no personal data and outlives the user.
INSERT INTO sequences (name, next) VALUES ('user_exports', 1001);

CREATE TABLE user_exports (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    asked_by TEXT NOT NULL,
    trace TEXT,
    created_at INTEGER NOT NULL,
    CHECK (asked_by IN ('USER', 'PARTNER'))
) STRICT;
CREATE INDEX user_exports_by_user ON user_exports (user_id, id);
