"""A client of Tessera in another language, on another JOSE implementation (jwcrypto): what README.md of tests/vectors says,
and nothing taken from the Rust code."""

import base64
import hashlib
import http.client
import json
import secrets
import ssl
import time
import urllib.parse

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from jwcrypto import jwe, jwk, jws

VAULT = "spiffe://tessera/vault"


class Refused(Exception):
    """A word that is not the vault's; the reason is one of the vectors' results."""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256_b64(text: str) -> str:
    return b64(hashlib.sha256(text.encode()).digest())


def no_duplicates(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refused("MALFORMED")
    return dict(pairs)


def parts_of(token: str):
    """Header and claims of a compact JWS, strictly read."""
    try:
        header, claims, signature = token.split(".")
        read = lambda part: json.loads(unb64(part), object_pairs_hook=no_duplicates)
        return read(header), read(claims), unb64(signature), f"{header}.{claims}".encode()
    except (ValueError, TypeError) as error:
        raise Refused("MALFORMED") from error


def trusted_leaf(chain, ca, now: float):
    """The first certificate, if the chain leads to the CA and everything in it is in its time."""
    moment = lambda at: at.timestamp()
    path = [*chain, ca]
    for certificate, issuer in zip(path, path[1:]):
        in_time = moment(certificate.not_valid_before_utc) <= now <= moment(certificate.not_valid_after_utc)
        try:
            certificate.verify_directly_issued_by(issuer)
            is_ca = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except Exception as error:
            raise Refused("UNTRUSTED_CHAIN") from error
        if not (in_time and is_ca):
            raise Refused("UNTRUSTED_CHAIN")
    leaf = chain[0]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise Refused("UNTRUSTED_CHAIN")
    return leaf


def vaults_word(token: str, typ: str, claims_expected, ca_pem: str, now: float):
    """The claims of a JWS that the vault signed."""
    header, claims, signature, signed = parts_of(token)
    if set(header) != {"alg", "typ", "x5c"} or header["alg"] != "ES256" or header["typ"] != typ or not header["x5c"]:
        raise Refused("MALFORMED")
    claims_expected(claims)
    chain = [x509.load_der_x509_certificate(base64.b64decode(entry)) for entry in header["x5c"]]
    leaf = trusted_leaf(chain, x509.load_pem_x509_certificate(ca_pem.encode()), now)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if names.get_values_for_type(x509.UniformResourceIdentifier) != [VAULT]:
        raise Refused("NOT_THE_VAULT")
    verifier = jws.JWS()
    verifier.deserialize(token)
    try:
        verifier.verify(jwk.JWK.from_pyca(leaf.public_key()), alg="ES256")
    except jws.InvalidJWSSignature as error:
        raise Refused("SIGNATURE") from error
    return claims


def attestation(token: str, key: jwk.JWK, ca_pem: str, now: float):
    """That the vault says, now, that this key is its own."""

    def shape(claims):
        if set(claims) != {"thumbprints", "iat", "exp"}:
            raise Refused("MALFORMED")

    claims = vaults_word(token, "key-attestation+jwt", shape, ca_pem, now)
    if claims["iat"] > now + 300 or claims["exp"] <= now or claims["exp"] - claims["iat"] > 24 * 3600:
        raise Refused("TIME")
    if key.thumbprint() not in claims["thumbprints"]:
        raise Refused("OTHER_KEY")


def audit_key(token: str, ca_pem: str, now: float):
    """The key that signs the audit log's checkpoints, on the word of the vault's certificate."""

    def shape(claims):
        if set(claims) != {"vkey", "iat", "exp"}:
            raise Refused("MALFORMED")

    claims = vaults_word(token, "audit-key+jwt", shape, ca_pem, now)
    if claims["iat"] > now + 300 or claims["exp"] <= now or claims["exp"] - claims["iat"] > 24 * 3600:
        raise Refused("TIME")
    return claims


def vault_proof(token: str, answer, ca_pem: str, now: float):
    """The vault's word on an answer; `answer` is the compact JWE, or None."""

    def shape(claims):
        keys = claims.get("keys")
        counts = isinstance(keys, dict) and set(keys) == {"active", "pending"}
        counts = counts and all(isinstance(count, int) and count >= 0 for count in keys.values())
        if set(claims) - {"bdh"} != {"op", "card", "nonce", "keys"} or not counts:
            raise Refused("MALFORMED")

    claims = vaults_word(token, "vault-proof+jwt", shape, ca_pem, now)
    if claims.get("bdh") != (sha256_b64(answer) if answer else None):
        raise Refused("OTHER_ANSWER")
    return claims


def seal(key: jwk.JWK, content) -> str:
    token = jwe.JWE(json.dumps(content), protected=json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM"}))
    token.add_recipient(key)
    return token.serialize(compact=True)


def unseal(key: jwk.JWK, token: str) -> bytes:
    opened = jwe.JWE()
    opened.deserialize(token, key)
    return opened.payload


def sign(key: jwk.JWK, typ: str, claims, alg: str = "ES256", chain=None) -> str:
    header = {"alg": alg, "typ": typ}
    if chain:
        header["x5c"] = chain
    token = jws.JWS(json.dumps(claims))
    token.add_signature(key, alg=None, protected=json.dumps(header))
    return token.serialize(compact=True)


def holder_proof(key, op, card, nonce, recipient: jwk.JWK, payload=None, **partner) -> str:
    claims = {
        "op": op,
        "card": card,
        "nonce": nonce,
        "iat": int(time.time()),
        "jti": secrets.token_urlsafe(16),
        "rpk": recipient.thumbprint(),
    }
    if payload is not None:
        claims["bdh"] = sha256_b64(payload)
    return sign(key, "holder-proof+jwt", claims, **partner)


class Door:
    """A listener: its URL, the pinned CA, perhaps a client certificate."""

    def __init__(self, url: str, ca: str, certificate: str | None = None, key: str | None = None):
        parsed = urllib.parse.urlsplit(url)
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if certificate:
            context.load_cert_chain(certificate, key)
        self.connection = http.client.HTTPSConnection(parsed.hostname, parsed.port, context=context, timeout=30)

    def call(self, method: str, path: str, body=None, expect: int = 200, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            headers.setdefault("Idempotency-Key", secrets.token_urlsafe(16))
        text = None if body is None else json.dumps(body)
        if text is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, body=text, headers=headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status != expect:
            raise AssertionError(f"{method} {path}: {response.status} instead of {expect}: {content[:400]}")
        return (json.loads(content) if content else None), response
