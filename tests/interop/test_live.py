"""The running pair, used as partner and phone: opens our answers, seals a PIN, makes proofs, checks attestation and
Vault-Proof. `TESSERA_INFO` names the `info.json` of a demo."""

import base64
import json
import os
import secrets
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from jwcrypto import jwk

import client
import tlog

INFO = os.environ.get("TESSERA_INFO")


@unittest.skipUnless(INFO, "TESSERA_INFO names no running pair")
class LivePair(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(INFO) as file:
            cls.info = json.load(file)
        with open(cls.info["ca"]) as file:
            cls.ca = file.read()
        info = cls.info
        cls.partner = client.Door(info["partner"], info["ca"], info["partnerCert"], info["partnerKey"])
        cls.public = client.Door(info["gateway"], info["ca"])
        cls.auditor = client.Door(info["vault"], info["ca"], info["auditorCert"], info["auditorKey"])
        cls.processor = client.Door(info["vault"], info["ca"], info["processorCert"], info["processorKey"])
        cls.device = jwk.JWK.generate(kty="EC", crv="P-256")
        cls.recipient = jwk.JWK.generate(kty="RSA", size=2048)
        cls.user = cls.new_user()
        cls.session = cls.paired()

    @classmethod
    def new_user(cls):
        body = {
            "email": f"grace.{secrets.token_hex(6)}@mail.example",
            "phoneNumber": "+48600000001",
            "firstName": "Grace",
            "lastName": "Example",
            "dateOfBirth": "1990-12-09",
            "nationality": "PL",
            "address": {"line1": "Test Street 2", "city": "Warsaw", "postalCode": "00-001", "country": "PL"},
        }
        user = cls.partner.call("POST", "/lifecycle/v1/users", body, expect=201)[0]["id"]
        kyc = {"status": "ACCEPTED", "provider": "own-desk", "reference": "case-2"}
        cls.partner.call("PUT", f"/lifecycle/v1/users/{user}/kyc", kyc)
        return user

    @classmethod
    def paired(cls):
        path = f"/lifecycle/v1/users/{cls.user}/activation-codes"
        code = cls.partner.call("POST", path, {}, expect=201)[0]["activationCode"]
        body = {
            "activationCode": code,
            "deviceId": secrets.token_hex(8),
            "devicePublicKey": json.loads(cls.device.export_public()),
            "appPin": "5813",
        }
        return cls.public.call("POST", "/customers/pair", body, expect=201)[0]["sessionToken"]

    def me(self, method, path, body=None, expect=200, **headers):
        headers["Authorization"] = f"Bearer {self.session}"
        return self.public.call(method, f"/customers/me{path}", body, expect, **headers)

    def enc(self, recipient, form="pem"):
        public = recipient.export_to_pem() if form == "pem" else recipient.export_public().encode()
        return {"Public_Key": base64.b64encode(public).decode(), "Encrypted_Request": "false"}

    def opened(self, recipient, answer):
        body, response = answer
        return json.loads(client.unseal(recipient, body["payload"])), body["payload"], response

    def card(self):
        balance = self.me("GET", "/balances")[0]["items"][0]["id"]
        answer = self.me("POST", "/cards/virtual", {"balanceId": balance}, 201, **self.enc(self.recipient))
        return self.opened(self.recipient, answer)[0]

    def nonce(self, card):
        return self.me("POST", f"/cards/{card['id']}/challenge", expect=201)[0]["nonce"]

    def reveal(self, card, recipient, form="pem"):
        nonce = self.nonce(card)
        proof = client.holder_proof(self.device, "reveal", card["token"], nonce, recipient)
        answer = self.me("GET", f"/cards/{card['id']}", Holder_Proof=proof, **self.enc(recipient, form))
        content, sealed, response = self.opened(recipient, answer)
        word = client.vault_proof(response.getheader("Vault-Proof"), sealed, self.ca, time.time())
        self.assertEqual((word["op"], word["card"], word["nonce"]), ("reveal", card["token"], nonce))
        self.assertEqual(word["keys"], {"active": 1, "pending": 0})
        return content

    def vault_key(self):
        answer = self.public.call("GET", "/customers/public-key")[0]
        key = jwk.JWK.from_pem(answer["pem"].encode())
        client.attestation(answer["attestation"], key, self.ca, time.time())
        self.assertEqual(jwk.JWK(**answer["keys"][0]).thumbprint(), key.thumbprint())
        return key

    def test_a_reveal_is_opened_under_rsa_and_p256_in_both_forms_of_a_key(self):
        card = self.card()
        seen = [self.reveal(card, self.recipient), self.reveal(card, self.recipient, "jwk")]
        seen.append(self.reveal(card, jwk.JWK.generate(kty="EC", crv="P-256")))
        for content in seen:
            self.assertRegex(content["cardNo"], r"^999900\d{10}$")
            self.assertEqual(content["cardNo"], seen[0]["cardNo"])

    def test_a_pin_is_sealed_to_the_attested_key_and_verifies(self):
        card = self.card()
        number = self.reveal(card, self.recipient)["cardNo"]
        self.me("POST", f"/cards/{card['id']}/print", expect=201, **self.enc(self.recipient))
        payload = client.seal(self.vault_key(), {"pin": "5813"})
        proof = client.holder_proof(self.device, "set-pin", card["token"], self.nonce(card), self.recipient, payload)
        headers = {**self.enc(self.recipient), "Encrypted_Request": "true", "Holder_Proof": proof}
        answer = self.me("POST", f"/cards/{card['id']}/pin", {"payload": payload}, **headers)
        content, sealed, response = self.opened(self.recipient, answer)
        self.assertEqual(content["offlinePinSync"], "PENDING")
        client.vault_proof(response.getheader("Vault-Proof"), sealed, self.ca, time.time())
        verified = self.processor.call("POST", "/v1/processor/pin/verify", {"cardNo": number, "pin": "5813"})[0]
        self.assertEqual(verified["outcome"], "MATCH")

    def certified(self):
        """The key of the partner's certificate, and what signs with it."""
        with open(self.info["partnerKey"], "rb") as file:
            key = jwk.JWK.from_pem(file.read())
        with open(self.info["partnerCert"], "rb") as file:
            chain = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in x509.load_pem_x509_certificates(file.read())]
        return key, {"alg": "ES256" if key["kty"] == "EC" else "PS256", "chain": chain}

    def test_a_partner_proves_with_its_certificate(self):
        card = self.card()
        key, signing = self.certified()
        path = f"/secure/customers/{self.user}/cards/{card['id']}"
        nonce = self.partner.call("POST", f"{path}/challenge", expect=201)[0]["nonce"]
        proof = client.holder_proof(key, "reveal", card["token"], nonce, self.recipient, **signing)
        answer = self.partner.call("GET", path, Holder_Proof=proof, **self.enc(self.recipient))
        content, sealed, response = self.opened(self.recipient, answer)
        self.assertEqual(content["token"], card["token"])
        client.vault_proof(response.getheader("Vault-Proof"), sealed, self.ca, time.time())

    def test_a_partner_brings_a_card_in(self):
        key, signing = self.certified()
        request = secrets.token_urlsafe(16)
        payload = client.seal(self.vault_key(), {"cardNo": "9999990000000014", "exp": "2031-05-31", "cvv": "581"})
        nonce = self.partner.call("POST", f"/secure/customers/{self.user}/challenge", expect=201)[0]["nonce"]
        proof = client.holder_proof(key, "tokenise", request, nonce, self.recipient, payload, **signing)
        headers = {**self.enc(self.recipient), "Encrypted_Request": "true", "Holder_Proof": proof, "Idempotency_Key": request}
        answer = self.partner.call("POST", f"/lifecycle/v1/users/{self.user}/cards", {"payload": payload}, 201, **headers)
        content, sealed, response = self.opened(self.recipient, answer)
        self.assertEqual((content["maskedCardNo"], content["origin"]), ("999999******0014", "FOREIGN"))
        client.vault_proof(response.getheader("Vault-Proof"), sealed, self.ca, time.time())
        full = self.reveal(content, self.recipient)
        self.assertEqual(full["cardNo"], "9999990000000014")
        self.assertNotIn("cvv", full)

    def checkpoint(self):
        """Size and root of the vault's audit log, signed by the key that the vault's certificate attests."""
        answer = self.auditor.call("GET", "/v1/audit/checkpoint")[0]
        attested = client.audit_key(answer["attestation"], self.ca, time.time())
        self.assertEqual(attested["vkey"], answer["vkey"])
        return tlog.checkpoint(answer["note"], tlog.Key(answer["vkey"]))

    def proof(self, path):
        hashes = self.auditor.call("GET", f"/v1/audit/proofs/{path}")[0]["hashes"]
        return [base64.b64decode(each) for each in hashes]

    def test_a_reveal_is_proved_to_be_in_a_log_that_only_grows(self):
        card, before = self.card(), self.checkpoint()
        proof = client.holder_proof(self.device, "reveal", card["token"], self.nonce(card), self.recipient)
        answer = self.me("GET", f"/cards/{card['id']}", Holder_Proof=proof, **self.enc(self.recipient))
        _, sealed, response = self.opened(self.recipient, answer)
        index, (size, root) = int(response.getheader("Audit-Index")), self.checkpoint()
        entry = self.auditor.call("GET", f"/v1/audit/events?from={index}&limit=1")[0]["events"][0]
        event = json.loads(entry["event"])
        self.assertEqual((event["operation"], event["bdh"]), ("reveal", client.sha256_b64(sealed)))
        leaf = tlog.leaf(entry["event"].encode())
        self.assertEqual(leaf.hex(), entry["hash"])
        inclusion = self.proof(f"inclusion?index={index}&size={size}")
        tlog.check_inclusion(leaf, index, size, inclusion, root)
        with self.assertRaises(tlog.Refused):
            tlog.check_inclusion(tlog.leaf(b"{}"), index, size, inclusion, root)
        consistency = self.proof(f"consistency?from={before[0]}&to={size}")
        tlog.check_consistency(before, (size, root), consistency)
        with self.assertRaises(tlog.Refused):
            tlog.check_consistency((before[0], root), (size, root), consistency)

    def test_a_proof_by_a_stranger_is_refused(self):
        card = self.card()
        stranger = jwk.JWK.generate(kty="EC", crv="P-256")
        proof = client.holder_proof(stranger, "reveal", card["token"], self.nonce(card), self.recipient)
        problem = self.me("GET", f"/cards/{card['id']}", expect=403, Holder_Proof=proof, **self.enc(self.recipient))[0]
        self.assertEqual(problem["code"], "HOLDER_PROOF_INVALID")


if __name__ == "__main__":
    unittest.main()
