-- Documents of KYC applications, sealed; which of them an application came with; why one was rejected; and what an outside
-- provider has been given of it.

CREATE SEQUENCE kyc_documents_number START WITH 1001;

CREATE TABLE kyc_documents (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT NOT NULL, -- bytes
    key_name TEXT NOT NULL, -- the key under which it is sealed
    salt BYTEA NOT NULL, -- from which its own key is derived
    created_at BIGINT NOT NULL
);
CREATE INDEX kyc_documents_by_user ON kyc_documents (user_id, id);

CREATE TABLE kyc_document_chunks (
    document_id BIGINT NOT NULL REFERENCES kyc_documents (id),
    place BIGINT NOT NULL, -- 0, 1, 2, …
    content BYTEA NOT NULL,
    PRIMARY KEY (document_id, place)
);

CREATE TABLE kyc_application_documents (
    application_id BIGINT NOT NULL REFERENCES kyc_events (id),
    document_id BIGINT NOT NULL REFERENCES kyc_documents (id),
    PRIMARY KEY (application_id, document_id)
);
CREATE INDEX kyc_application_documents_by_document ON kyc_application_documents (document_id);

-- Of a rejection: why, as a name and as a sentence.
ALTER TABLE kyc_events ADD COLUMN reason TEXT;
ALTER TABLE kyc_events ADD COLUMN message TEXT;

-- Applications that an outside provider decides. DUE: something of it is still to be given. ASKED: the decision is awaited.
-- ENDED: decided, by whomever.
CREATE TABLE kyc_submissions (
    application_id BIGINT NOT NULL PRIMARY KEY REFERENCES kyc_events (id),
    user_id BIGINT NOT NULL REFERENCES users (id),
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    given_through BIGINT NOT NULL DEFAULT 0, -- the last document that the provider has taken
    tries BIGINT NOT NULL DEFAULT 0,
    next_try_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK (state IN ('DUE', 'ASKED', 'ENDED'))
);
CREATE INDEX kyc_submissions_by_next_try ON kyc_submissions (next_try_at) WHERE state <> 'ENDED';
CREATE INDEX kyc_submissions_by_user ON kyc_submissions (user_id);

-- Messages of providers that were taken: none is taken twice.
CREATE TABLE kyc_callbacks (
    provider TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (provider, message_id)
);
CREATE INDEX kyc_callbacks_by_age ON kyc_callbacks (received_at);
