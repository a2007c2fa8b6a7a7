-- Mass imports of a partner's users and cards. RECEIVING: the file is being taken in, and nobody was told of it yet. RUNNING: a
-- job goes through the rows in order. DONE and FAILED: the end.

CREATE SEQUENCE imports_number START WITH 1001;

CREATE TABLE imports (
    id BIGINT NOT NULL PRIMARY KEY,
    partner TEXT NOT NULL,
    program TEXT NOT NULL, -- of new users
    kind TEXT NOT NULL,
    dry_run BIGINT NOT NULL,
    name TEXT, -- the partner's own, under which card rows are signed
    status TEXT NOT NULL,
    lines BIGINT NOT NULL DEFAULT 0,
    touched_at BIGINT NOT NULL, -- of a file that is being taken in: the last part of it
    next_turn_at BIGINT NOT NULL, -- from then on whoever comes first goes on with it
    trace TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    CHECK (kind IN ('USERS', 'USERS_WITH_CARDS', 'CARDS')),
    CHECK (dry_run IN (0, 1)),
    CHECK (status IN ('RECEIVING', 'RUNNING', 'DONE', 'FAILED')),
    CHECK ((status IN ('DONE', 'FAILED')) = (finished_at IS NOT NULL))
);
CREATE INDEX imports_by_partner ON imports (partner, id);
CREATE INDEX imports_under_way ON imports (next_turn_at) WHERE status IN ('RECEIVING', 'RUNNING');

-- WAITING; WORKING: begun, and to be gone on with; DONE or FAILED, and then its content is gone.
CREATE TABLE import_rows (
    import_id BIGINT NOT NULL REFERENCES imports (id),
    line BIGINT NOT NULL, -- in the partner's file, from 1
    status TEXT NOT NULL,
    content BYTEA, -- JSON
    external_id TEXT, -- of the user to be, while a dry run is under way
    user_id BIGINT,
    cards TEXT, -- JSON: the cards that it brought
    code TEXT,
    errors TEXT, -- JSON: as in the answer to a single request
    PRIMARY KEY (import_id, line),
    CHECK (status IN ('WAITING', 'WORKING', 'DONE', 'FAILED')),
    CHECK (status IN ('WAITING', 'WORKING') OR content IS NULL),
    CHECK ((status = 'FAILED') = (code IS NOT NULL))
);
CREATE INDEX import_rows_by_status ON import_rows (import_id, status, line);
CREATE INDEX import_rows_by_external_id ON import_rows (import_id, external_id) WHERE external_id IS NOT NULL;

-- A PENDING user of an import is the import's to finish.
ALTER TABLE users ADD COLUMN import_id BIGINT;
