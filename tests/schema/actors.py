"""The three actors of a running demo, each with what it needs to get past its door, and the things that their requests are
about. `info.json` of the demo names ports, certificates and an operator."""

import base64
import functools
import hmac
import json
import pathlib
import secrets
import struct
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from jwcrypto import jwk

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
import client  # noqa: E402

PIN = "5813"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Door(client.Door):
    """A listener, asked over a connection of its own each time: it may have been idle for long."""

    def call(self, *arguments, **more):
        self.connection.close()
        return super().call(*arguments, **more)


class World:
    """The actors."""

    def __init__(self, info_path: str):
        with open(info_path) as file:
            self.info = info = json.load(file)
        self.partner = Door(info["partner"], info["ca"], info["partnerCert"], info["partnerKey"])
        self.public = Door(info["gateway"], info["ca"])
        self.recipient = jwk.JWK.generate(kty="RSA", size=2048)
        self.enc = {
            "Public-Key": base64.b64encode(self.recipient.export_to_pem()).decode(),
            "Encrypted-Request": "false",
        }
        self.last_step, self.session_until = 0, 0
        self.operator_token()

    @functools.cached_property
    def vault_key(self):
        return jwk.JWK.from_pem(self.public.call("GET", "/customers/public-key")[0]["pem"].encode())

    @functools.cached_property
    def partner_signature(self):
        """How a partner signs a proof: with its certificate's key."""
        with open(self.info["partnerKey"], "rb") as file:
            key = jwk.JWK.from_pem(file.read())
        with open(self.info["partnerCert"], "rb") as file:
            chain = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in x509.load_pem_x509_certificates(file.read())]
        return key, {"alg": "ES256" if key["kty"] == "EC" else "PS256", "chain": chain}

    def totp(self):
        """A code that was not used before; the gateway takes one step ahead of time."""
        self.last_step = max(int(time.time()) // 30, self.last_step + 1)
        while self.last_step > int(time.time()) // 30 + 1:
            time.sleep(0.2)
        tag = hmac.digest(bytes.fromhex(self.info["operatorSecond"]), struct.pack(">Q", self.last_step), "sha1")
        offset = tag[-1] & 15
        return f"{(struct.unpack('>I', tag[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"

    def operator_token(self):
        """The session of the operator; another one before it ends."""
        if time.monotonic() > self.session_until:
            self.operator_session = self.log_in_operator()
            self.session_until = time.monotonic() + 480
        return self.operator_session

    def log_in_operator(self):
        login, password = self.info["operatorLogin"], self.info["operatorPassword"]
        for left in (2, 1, 0):
            body = {"login": login, "password": password, "totp": self.totp()}
            try:
                return self.public.call("POST", "/admin/sessions", body, 201)[0]["sessionToken"]
            except AssertionError:
                # An earlier run may have used the code.
                if not left:
                    raise

    def ask_partner(self, method, path, body=None, expect=201, **headers):
        return self.partner.call(method, path, body, expect, **spelled(headers))[0]

    def ask_operator(self, method, path, body=None, expect=201):
        headers = spelled({"Authorization": f"Bearer {self.operator_token()}"})
        return self.public.call(method, path, body, expect, **headers)[0]


class Things:
    """A user of their own with everything that a path can name, made as it is asked for: what an operation does to it is of no
    concern to the next."""

    def __init__(self, world: World, method: str, path: str):
        self.world, self.method, self.path, self.made = world, method, path, {}
        self.device = jwk.JWK.generate(kty="EC", crv="P-256")

    def session(self):
        self.named("installationId")
        return self.made["session"]

    def named(self, name: str):
        """The number of the thing that the path names so; none for what is not known here."""
        name = "userId" if name == "customerId" else name
        if name not in self.made:
            maker = getattr(self, f"make_{name}", None)
            self.made[name] = maker() if maker else None
        return self.made[name]

    def make_userId(self):
        body = {
            "email": f"schema.{secrets.token_hex(6)}@mail.example",
            "phoneNumber": "+48600000001",
            "firstName": "Ada",
            "lastName": "Example",
            "dateOfBirth": "1990-12-09",
            "nationality": "PL",
            "address": {"line1": "Test Street 2", "city": "Warsaw", "postalCode": "00-001", "country": "PL"},
        }
        user = self.world.ask_partner("POST", "/lifecycle/v1/users", body)["id"]
        # Who is accepted has no use for documents and applications any more.
        if not any(part in self.path for part in ("/kyc", "/register")):
            kyc = {"status": "ACCEPTED", "provider": "own-desk", "reference": "case-2"}
            self.world.ask_partner("PUT", f"/lifecycle/v1/users/{user}/kyc", kyc, 200)
        return user

    def make_installationId(self):
        answer = self.world.public.call("POST", "/customers/pair", self.pairing(), 201)[0]
        self.made["session"] = answer["sessionToken"]
        return answer["installationId"]

    def pairing(self):
        path = f"/lifecycle/v1/users/{self.named('userId')}/activation-codes"
        return {
            "activationCode": self.world.ask_partner("POST", path, {})["activationCode"],
            "deviceId": secrets.token_hex(8),
            "devicePublicKey": json.loads(self.device.export_public()),
            "appPin": PIN,
        }

    def login(self):
        installation = self.named("installationId")
        challenge = self.world.public.call("POST", "/customers/sessions/challenge", {"installationId": installation}, 201)[0]["challenge"]
        claims = {"challenge": challenge, "installationId": installation}
        return {"installationId": installation, "proof": client.sign(self.device, "session-proof+jwt", claims), "appPin": PIN}

    def operator_login(self):
        return {"login": self.world.info["operatorLogin"], "password": self.world.info["operatorPassword"], "totp": self.world.totp()}

    def body(self):
        """A body that succeeds, where the document's example cannot: who logs in shows what only they know."""
        makers = {"/customers/pair": self.pairing, "/customers/sessions": self.login, "/admin/sessions": self.operator_login}
        maker = makers.get(self.path)
        return maker() if maker else None

    def proven(self):
        """Headers and body of an operation that shows, takes or sends card data: under a proof of its holder or of the partner,
        or sealed by an operator, who has no proof. None where there is none."""
        last = self.path.rsplit("/", 1)[-1]
        address = {"line1": "Test Street 2", "city": "Warsaw", "postalCode": "00-001", "country": "PL"}
        # Operation, whether it is about a card or about the request, and what is sealed.
        known = {
            ("GET", "{cardId}"): ("reveal", True, None),
            ("POST", "cvv"): ("reset-cvv", True, None),
            ("POST", "pin"): ("set-pin", True, lambda: {"pin": PIN}),
            ("POST", "print"): ("order", True, lambda: {"deliveryAddress": address}),
            ("POST", "physical"): ("order", False, lambda: {"balanceId": self.named("balanceId"), "embossedName": "ADA EXAMPLE", "deliveryAddress": address}),
            ("POST", "virtual"): ("issue", False, lambda: {"balanceId": self.named("balanceId")}),
            ("POST", "cards"): ("tokenise", False, lambda: {"cardNo": foreign_number(), "exp": "2031-12-31"}),
        }.get((self.method, last))
        is_operator = self.path.startswith("/admin")
        if known is None or is_operator and last != "physical":
            return None
        op, about_card, content = known
        if self.path.startswith("/customers"):
            self.session()
        headers = dict(self.world.enc) | {"Idempotency-Key": secrets.token_hex(16)}
        payload = content and client.seal(self.world.vault_key, content())
        if payload:
            headers["Encrypted-Request"] = "true"
        if not is_operator:
            about = self.card_token() if about_card else headers["Idempotency-Key"]
            if op == "set-pin":
                # Only plastic has a PIN.
                path = f"/secure/customers/{self.named('userId')}/cards/{self.named('cardId')}/print"
                self.world.ask_partner("POST", path, **self.world.enc)
            headers["Holder-Proof"] = self.holder_proof(op, about, about_card, payload)
        return headers, payload and {"payload": payload}

    def card_token(self):
        self.named("cardId")
        path = f"/secure/customers/{self.named('userId')}/cards"
        return self.world.ask_partner("GET", path, expect=200)["items"][0]["token"]

    def holder_proof(self, op, about, about_card, payload):
        things = f"/cards/{self.named('cardId')}" if about_card else ""
        if self.path.startswith("/customers"):
            bearer = spelled({"Authorization": f"Bearer {self.session()}"})
            nonce = self.world.public.call("POST", f"/customers/me{things}/challenge", None, 201, **bearer)[0]["nonce"]
            key, more = self.device, {}
        else:
            nonce = self.world.ask_partner("POST", f"/secure/customers/{self.named('userId')}{things}/challenge")["nonce"]
            key, more = self.world.partner_signature
        return client.holder_proof(key, op, about, nonce, self.world.recipient, payload, **more)

    def make_balanceId(self):
        path = f"/secure/customers/{self.named('userId')}/balances"
        return self.world.ask_partner("GET", path, expect=200)["items"][0]["id"]

    def make_cardId(self):
        # The key of a device that is paired before there is a card is active at once.
        if self.path.startswith("/customers"):
            self.session()
        path = f"/secure/customers/{self.named('userId')}/cards/virtual"
        answer = self.world.ask_partner("POST", path, {"balanceId": self.named("balanceId")}, **self.world.enc)
        card = json.loads(client.unseal(self.world.recipient, answer["payload"]))["id"]
        if self.path.endswith("/unlock"):
            self.lock(card)
        return card

    def lock(self, card):
        """By the user, whose lock everybody may lift."""
        bearer = spelled({"Authorization": f"Bearer {self.session()}"})
        self.world.public.call("POST", f"/customers/me/cards/{card}/lock", {"reasonCode": 3}, 200, **bearer)

    def make_applicationId(self):
        path = f"/secure/customers/{self.named('userId')}/register"
        body = {"documents": [self.named("documentId")]}
        return self.world.ask_partner("POST", path, body)["applicationId"]

    def make_documentId(self):
        connection = self.world.partner.connection
        connection.close()
        path = f"/secure/customers/{self.named('userId')}/kyc/documents?kind=OTHER"
        connection.request("POST", path, body=PNG, headers={"Content-Type": "image/png"})
        return json.loads(connection.getresponse().read())["id"]

    def make_importId(self):
        connection = self.world.partner.connection
        connection.close()
        line = {
            "email": f"schema.{secrets.token_hex(6)}@mail.example",
            "phoneNumber": "+48600000002",
            "firstName": "Ada",
            "lastName": "Example",
            "dateOfBirth": "1990-12-09",
            "nationality": "PL",
        }
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": secrets.token_hex(8)}
        connection.request("POST", "/lifecycle/v1/imports?kind=users", body=json.dumps(line) + "\n", headers=headers)
        return json.loads(connection.getresponse().read())["importId"]

    def make_operatorId(self):
        body = {"login": f"{secrets.token_hex(6)}@mail.example", "role": "EMPLOYEE"}
        return self.world.ask_operator("POST", "/admin/operators", body)["id"]

    def make_provider(self):
        """No house of providers is set up in the demo."""
        return "house"

    def make_partnerId(self):
        return self.world.ask_operator("GET", "/admin/partners", expect=200)["items"][0]["id"]

    def certificate_request(self):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner")])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        return csr.public_bytes(Encoding.PEM).decode()

    def make_certificateId(self):
        body = {"csr": self.certificate_request()}
        path = f"/admin/partners/{self.named('partnerId')}/certificates"
        return self.world.ask_operator("POST", path, body)["id"]

    def make_webhookId(self):
        body = {"url": f"https://hooks.example.com/{secrets.token_hex(6)}"}
        try:
            return self.world.ask_partner("POST", "/lifecycle/v1/webhooks", body)["id"]
        except AssertionError:
            # There are as many as may be.
            return self.world.ask_partner("GET", "/lifecycle/v1/webhooks", expect=200)["items"][0]["id"]

    def make_partnerBalanceId(self):
        known = self.world.ask_operator("GET", "/admin/partner-balances", expect=200)["items"]
        if known:
            return known[0]["id"]
        partner = self.world.ask_operator("GET", "/admin/partners", expect=200)["items"][0]
        body = {"partner": partner.get("name", "partner"), "kind": "CREDIT", "currency": "EUR"}
        return self.world.ask_operator("POST", "/admin/partner-balances", body)["id"]

    def make_reloadId(self):
        body = {"amount": 5_000, "bankReference": secrets.token_hex(8)}
        path = f"/admin/partner-balances/{self.named('partnerBalanceId')}/reload"
        return self.world.ask_operator("POST", path, body, 202)["id"]

    def make_requestId(self):
        path = f"/secure/customers/{self.named('userId')}/cards/virtual/async"
        return self.world.ask_partner("POST", path, {"balanceId": self.named("balanceId")}, 202)["requestId"]

    def put_right(self):
        """Undoes what would lock an actor out."""
        if self.path.endswith("/settings"):
            body = {"networks": [], "rsaOaepSha1": True, "minimumRsaBits": 2048, "ecKeys": True}
            self.world.ask_operator("PUT", f"/admin/partners/{self.named('partnerId')}/settings", body, 200)

    def make_file(self):
        return "pages.css"


def foreign_number():
    """A number of the test range that is of no program's: Luhn (ISO/IEC 7812-1)."""
    digits = "99998877" + "".join(secrets.choice("0123456789") for _ in range(7))
    doubled = [int(digit) * (2 - index % 2) for index, digit in enumerate(digits)]
    return digits + str(-sum(each - 9 if each > 9 else each for each in doubled) % 10)


def spelled(headers):
    return {name.replace("-", "_"): value for name, value in headers.items()}
