"""The published vectors, judged by another implementation: what must hold holds, what must be refused is, for that reason."""

import base64
import json
import pathlib
import unittest

from cryptography import x509
from jwcrypto import jwk, jws

import client

VECTORS = pathlib.Path(__file__).parent.parent / "vectors"


def load(name: str):
    return json.loads((VECTORS / f"{name}.json").read_text())


def key(vectors, name: str, member: str = "privateJwk") -> jwk.JWK:
    return jwk.JWK(**vectors["keys"][name][member])


class Vectors(unittest.TestCase):
    def test_jwe(self):
        vectors = load("jwe")
        for case in vectors["cases"]:
            with self.subTest(case["name"]):
                own = key(vectors, case["key"])
                if case["result"] == "OK":
                    self.assertEqual(client.unseal(own, case["jwe"]).decode(), case["plaintext"])
                elif case["result"] == "CANT_DECRYPT_PAYLOAD" and case["name"] != "kid-unknown":
                    # What is INVALID_PAYLOAD is often sound JOSE, which our contract does not take.
                    with self.assertRaises(Exception):
                        client.unseal(own, case["jwe"])

    def test_thumbprints(self):
        for name in ["jwe", "holder-proof", "session-proof", "attestation"]:
            for entry in load(name)["keys"].values():
                self.assertEqual(jwk.JWK(**entry["publicJwk"]).thumbprint(), entry["thumbprint"])

    def test_holder_proof(self):
        vectors = load("holder-proof")
        signers = {"holder": key(vectors, "holder", "publicJwk")}
        for case in vectors["cases"]:
            with self.subTest(case["name"]):
                if case["result"] != "OK":
                    continue
                header, claims, _, _ = client.parts_of(case["proof"])
                self.assertEqual(header["typ"], "holder-proof+jwt")
                self.assertEqual(claims, case["claims"])
                signer = signers.get(case["signer"]) or certified_key(header)
                token = jws.JWS()
                token.deserialize(case["proof"])
                token.verify(signer, alg=header["alg"])
                self.assertEqual(claims["rpk"], vectors["keys"]["recipient"]["thumbprint"])
                if "bdh" in claims:
                    self.assertEqual(claims["bdh"], client.sha256_b64(vectors["payload"]))

    def test_forged_holder_proofs_do_not_verify(self):
        vectors = load("holder-proof")
        holder = key(vectors, "holder", "publicJwk")
        for case in vectors["cases"]:
            with self.subTest(case["name"]):
                if case["name"] not in ("by-another-key", "signature-flipped", "signature-zero", "claims-exchanged"):
                    continue
                token = jws.JWS()
                token.deserialize(case["proof"])
                with self.assertRaises(jws.InvalidJWSSignature):
                    token.verify(holder, alg="ES256")

    def test_attestation(self):
        vectors = load("attestation")
        for case in vectors["cases"]:
            with self.subTest(case["name"]):
                judged = "OK"
                try:
                    used = key(vectors, case["key"], "publicJwk")
                    client.attestation(case["attestation"], used, vectors["ca"], vectors["now"])
                except client.Refused as refused:
                    judged = str(refused)
                self.assertEqual(judged, case["result"])

    def test_audit_key(self):
        vectors = load("audit-key")
        for case in vectors["cases"]:
            with self.subTest(case["name"]):
                judged = "OK"
                try:
                    claims = client.audit_key(case["attestation"], vectors["ca"], vectors["now"])
                    self.assertEqual(claims, case["claims"])
                except client.Refused as refused:
                    judged = str(refused)
                self.assertEqual(judged, case["result"])

    def test_vault_proof(self):
        vectors = load("vault-proof")
        for case in vectors["cases"]:
            with self.subTest(case["name"]):
                judged = "OK"
                try:
                    answer = None if case["name"] == "answer-without-jwe" else vectors["answer"]
                    claims = client.vault_proof(case["proof"], answer, vectors["ca"], vectors["now"])
                    self.assertEqual(claims, case["claims"])
                except client.Refused as refused:
                    judged = str(refused)
                self.assertEqual(judged, case["result"])


def certified_key(header) -> jwk.JWK:
    certificate = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    return jwk.JWK.from_pyca(certificate.public_key())


if __name__ == "__main__":
    unittest.main()
