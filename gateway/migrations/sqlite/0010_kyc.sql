-- Documents of KYC applications, sealed; which of them an application came with; why one was rejected; and what an outside
-- provider has been given of it.

INSERT INTO sequences (name, next) VALUES ('kyc_documents', 1001);

CREATE TABLE kyc_documents (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL, -- bytes
    key_name TEXT NOT NULL, -- the key under which it is sealed
    salt BLOB NOT NULL, -- from which its own key is derived
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX kyc_documents_by_user ON kyc_documents (user_id, id);

CREATE TABLE kyc_document_chunks (
    document_id INTEGER NOT NULL REFERENCES kyc_documents (id),
    place INTEGER NOT NULL, -- 0, 1, 2, …
    content BLOB NOT NULL,
    PRIMARY KEY (document_id, place)
) STRICT;

CREATE TABLE kyc_application_documents (
    application_id INTEGER NOT NULL REFERENCES kyc_events (id),
    document_id INTEGER NOT NULL REFERENCES kyc_documents (id),
    PRIMARY KEY (application_id, document_id)
) STRICT;
CREATE INDEX kyc_application_documents_by_document ON kyc_application_documents (document_id);

-- Of a rejection: why, as a name and as a sentence.
ALTER TABLE kyc_events ADD COLUMN reason TEXT;
ALTER TABLE kyc_events ADD COLUMN message TEXT;

-- Applications that an outside provider decides. DUE: something of it is still to be given. ASKED: the decision is awaited.
-- ENDED: decided, by whomever.
CREATE TABLE kyc_submissions (
    application_id INTEGER NOT NULL PRIMARY KEY REFERENCES kyc_events (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    given_through INTEGER NOT NULL DEFAULT 0, -- the last document that the provider has taken
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK (state IN ('DUE', 'ASKED', 'ENDED'))
) STRICT;
CREATE INDEX kyc_submissions_by_next_try ON kyc_submissions (next_try_at) WHERE state <> 'ENDED';
CREATE INDEX kyc_submissions_by_user ON kyc_submissions (user_id);

-- Messages of providers that were taken: none is taken twice.
CREATE TABLE kyc_callbacks (
    provider TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (provider, message_id)
) STRICT;
CREATE INDEX kyc_callbacks_by_age ON kyc_callbacks (received_at);
