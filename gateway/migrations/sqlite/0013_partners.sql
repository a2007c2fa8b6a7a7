-- Partners as operators know them: from where their servers may call, which keys may be sealed to, and the certificates that
-- let them in.

INSERT INTO sequences (name, next) VALUES ('partners', 1001), ('partner_certificates', 1001);

CREATE TABLE partners (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE, -- as in the URI SAN of its certificates
    networks TEXT NOT NULL, -- JSON; an empty list restricts nothing
    rsa_oaep_sha1 INTEGER NOT NULL, -- 0 or 1
    minimum_rsa_bits INTEGER NOT NULL,
    ec_keys INTEGER NOT NULL, -- 0 or 1
    created_at INTEGER NOT NULL,
    CHECK (rsa_oaep_sha1 IN (0, 1)),
    CHECK (ec_keys IN (0, 1)),
    CHECK (minimum_rsa_bits BETWEEN 2048 AND 8192)
) STRICT;

-- From the request on. What is pinned lets its holder in while the row is ISSUED, and is looked up at each request.
CREATE TABLE partner_certificates (
    id INTEGER NOT NULL PRIMARY KEY,
    partner_id INTEGER NOT NULL REFERENCES partners (id),
    state TEXT NOT NULL,
    request TEXT, -- PEM; none: pinned on the command line
    key_thumbprint TEXT NOT NULL, -- SHA-256 of the SubjectPublicKeyInfo, base64url
    certificate TEXT, -- PEM
    fingerprint BLOB, -- SHA-256 of the certificate
    serial TEXT,
    not_after INTEGER,
    filed_at INTEGER NOT NULL,
    issued_at INTEGER,
    ended_at INTEGER,
    ended_because TEXT,
    CHECK (state IN ('FILED', 'ISSUED', 'WITHDRAWN', 'REVOKED')),
    CHECK ((state IN ('ISSUED', 'REVOKED')) = (certificate IS NOT NULL)),
    CHECK ((state IN ('ISSUED', 'REVOKED')) = (fingerprint IS NOT NULL)),
    CHECK ((state IN ('ISSUED', 'REVOKED')) = (serial IS NOT NULL)),
    CHECK ((state IN ('ISSUED', 'REVOKED')) = (not_after IS NOT NULL)),
    CHECK ((state IN ('ISSUED', 'REVOKED')) = (issued_at IS NOT NULL)),
    CHECK ((state IN ('WITHDRAWN', 'REVOKED')) = (ended_at IS NOT NULL))
) STRICT;
CREATE INDEX partner_certificates_by_partner ON partner_certificates (partner_id, id);
CREATE UNIQUE INDEX partner_certificates_by_fingerprint ON partner_certificates (fingerprint) WHERE fingerprint IS NOT NULL;
-- A key waits or is in use once; a revoked one may not come back, which the flow sees to.
CREATE UNIQUE INDEX partner_certificates_by_key ON partner_certificates (key_thumbprint) WHERE state = 'FILED';
