"""Schemathesis over the three documents, against the pair that `deploy/demo --serve` runs: what the documents say is asked for,
and what they do not say too; no answer may be a 5xx, undocumented, of another type or of another shape.

    TESSERA_INFO=…/info.json python tests/schema/run.py [--seconds 170] [--examples 48] [--only PATH]

Requests are made from a fixed seed, so that a run can be repeated; ids, keys and sessions are the pair's own."""

import argparse
import collections
import itertools
import json
import os
import random
import secrets
import sys
import time
import warnings

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from actors import PNG, Things, World
import client
from test_documents import validator_of

SEED = 2026
DOCUMENTS = ("customer", "secure", "admin")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# These end or use up what a run needs more than once: a few requests are enough.
SPARING = {
    ("DELETE", "/admin/session"): 2,
    ("POST", "/admin/sessions"): 6,
    ("POST", "/customers/pair"): 8,
    ("POST", "/customers/sessions"): 8,
    ("POST", "/admin/invitations/accept"): 6,
    ("POST", "/admin/password-resets/accept"): 6,
}
# Bodies that only an officer, with a CA's key, can make.
BY_OFFICERS = {"/admin/partners/{partnerId}/certificates/{certificateId}/issue"}
# A 503 that is no fault: the document tells it, and a limit of the machine is reached on purpose.
NO_FAULT = {"BUSY"}


@schemathesis.serializer(
    "application/pdf", "image/jpeg", "image/png", "application/octet-stream", "application/x-ndjson", "text/csv"
)
def as_bytes(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


class Run:
    """One run: what was asked, what came back, what was wrong."""

    def __init__(self, world, examples, deadline):
        self.world, self.examples, self.deadline = world, examples, deadline
        self.faults = {}
        self.statuses = collections.Counter()
        self.of_operation = collections.defaultdict(collections.Counter)
        self.unknown = set()
        self.sealed_seen = set()
        self.refused = collections.Counter()
        self.skipped = []
        self.session = talking(world.info["ca"])
        self.partner_session = talking(world.info["ca"], (world.info["partnerCert"], world.info["partnerKey"]))

    def document(self, name):
        info = self.world.info
        address = f"{info['gateway']}/api/documentation/{name}/api-docs-{name}.json"
        raw = self.session.get(address, timeout=30).json()
        schema = schemathesis.openapi.from_dict(raw)
        base = info["partner"] if name == "secure" else info["gateway"]
        operations = [found.ok() for found in schema.get_all_operations()]
        # What takes things away comes last, so that all else has them.
        operations.sort(key=lambda each: (each.method.upper() == "DELETE", each.path.endswith("/session")))
        for operation in operations:
            if time.monotonic() > self.deadline:
                self.skipped.append(operation.label)
                continue
            self.operation(name, base, operation)

    def operation(self, document, base, operation):
        things = Things(self.world, operation.method.upper(), operation.path)
        known = {each.name: things.named(each.name) for each in operation.path_parameters}
        self.unknown |= {(name, operation.label) for name, value in known.items() if value is None}
        bearer = {
            "session": lambda: things.session(),
            "operatorSession": lambda: self.world.operator_token(),
        }
        schemes = [name for each in operation.definition.raw.get("security", []) for name in each]
        token = next((bearer[name]() for name in schemes if name in bearer), None)
        session = self.partner_session if document == "secure" else self.session
        # Which of the real things a request names: all of them mostly, none now and then.
        chance = random.Random(f"{SEED} {operation.label}")

        def send(case, faithful=False):
            real = lambda share: faithful or chance.random() < share
            headers = dict(case.headers or {})
            headers.pop("Authorization", None)
            if token and real(0.95):
                headers["Authorization"] = f"Bearer {token}"
            if "Public-Key" in headers and real(0.85):
                headers["Public-Key"] = self.world.enc["Public-Key"]
            if real(0.9):
                case.path_parameters.update({name: value for name, value in known.items() if value is not None})
            if isinstance(case.body, dict) and "balanceId" in case.body and real(0.8):
                case.body["balanceId"] = things.named("balanceId")
            if isinstance(case.body, dict) and case.body.get("documents") and real(0.8):
                case.body["documents"] = [things.named("documentId")]
            if isinstance(case.body, dict) and "externalId" in case.body and faithful:
                case.body["externalId"] = secrets.token_hex(8)
            case.headers = headers
            return self.send(operation, case, base, session)

        for case in self.told(operation, things):
            send(case, faithful=True)
        self.reading(operation, base, session, token, known, things)
        count = SPARING.get((operation.method.upper(), operation.path), self.examples)
        for mode, share in ((GenerationMode.POSITIVE, 2), (GenerationMode.NEGATIVE, 1)):
            self.generate(operation, mode, max(1, count * share // 3), send)
        things.put_right()

    def told(self, operation, things):
        """The document's own examples, and requests that must succeed though no example can."""
        raw = operation.definition.raw
        parameters = {"path": {}, "query": {}, "header": {}}
        for each in itertools.chain(operation.path_parameters, operation.query, operation.headers):
            definition = each.definition
            if definition.get("required") and "example" in definition:
                parameters[definition["in"]][each.name] = definition["example"]

        def case(body=None, media_type=None, **more):
            headers = parameters["header"] | more
            if "Encrypted-Request" in headers and not more:
                headers["Encrypted-Request"] = "true" if isinstance(body, dict) and set(body) == {"payload"} else "false"
            arguments = {"path_parameters": dict(parameters["path"]), "query": dict(parameters["query"]), "headers": headers}
            return operation.Case(**arguments, **({"body": body, "media_type": media_type} if media_type else {}))

        body = raw.get("requestBody", {})
        if not body.get("required"):
            yield case()
        for media_type, described in body.get("content", {}).items():
            examples = [each["value"] for each in described.get("examples", {}).values()]
            if not examples and media_type != "application/json":
                examples = [PNG]
            for example in examples:
                yield case(json.loads(json.dumps(example)) if not isinstance(example, bytes) else example, media_type)
        if (real := things.body()) is not None:
            yield case(real, "application/json")
        if (proven := things.proven()) is not None:
            headers, sealed = proven
            yield case(sealed, "application/json", **headers) if sealed else case(**headers)

    def reading(self, operation, base, session, token, known, things):
        """That the reader of a JSON body takes what the document describes, and refuses a body that lacks a required member, has
        a member of another type, or one that is not described: description and reader cannot drift apart."""
        content = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json")
        example = (content or {}).get("examples", {}).get("clear", {}).get("value")
        if example is None or (operation.method.upper(), operation.path) in SPARING:
            return
        schema = clear_schema(content["schema"])
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if any(each.name == "Public-Key" for each in operation.headers):
            headers |= self.world.enc
        real = {
            "balanceId": lambda: things.named("balanceId"),
            "documents": lambda: [],
            "partner": lambda: "partner",
            "csr": things.certificate_request,
        }
        whole = {name: real[name]() if name in real else value for name, value in example.items()}
        path = operation.path
        for name, value in known.items():
            path = path.replace("{%s}" % name, str(value if value is not None else 1125))

        def ask(body):
            response = session.request(operation.method.upper(), base + path, json=body, headers=headers, timeout=30)
            self.statuses[response.status_code] += 1
            told = response.json() if response.content else {}
            return response.status_code, {(each["field"], each["code"]) for each in told.get("errors", [])}

        def expect(holds, what, body, answer):
            # What is refused to this caller, or is not there, is refused unread.
            if not holds and answer[0] not in (403, 404, 429, 503):
                key = (operation.label, "reading", answer[0], what)
                self.faults.setdefault(key, f"{what}\n    asked: {body!r:.300}\n    answered: {answer}")

        for name in schema.get("required", []):
            body = {each: value for each, value in whole.items() if each != name}
            answer = ask(body)
            expect((name, "REQUIRED") in answer[1] or any(name in field for field, _ in answer[1]), f"{name} is required", body, answer)
        for name in example:
            body = whole | {name: [[]]}
            answer = ask(body)
            expect(any(field.split(".")[0] == name for field, _ in answer[1]), f"{name} of another type is refused", body, answer)
        body = whole | {"notDescribed": 1}
        answer = ask(body)
        expect(("notDescribed", "UNKNOWN_MEMBER") in answer[1], "an unknown member is refused", body, answer)
        if operation.path in BY_OFFICERS:
            return
        answer = ask(whole)
        expect(answer[0] not in (400, 422), "the example is taken", whole, answer)

    def generate(self, operation, mode, count, send):
        def one(case):
            if time.monotonic() < self.deadline:
                response = send(case)
                if mode is GenerationMode.POSITIVE and response is not None and response.status_code == 422:
                    told = response.json().get("errors", [])
                    self.refused.update((operation.label, each["field"], each["code"]) for each in told)

        one = hypothesis.given(case=operation.as_strategy(generation_mode=mode))(one)
        one = hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(one)
        one = hypothesis.seed(SEED)(one)
        try:
            one()
        except (hypothesis.errors.Unsatisfiable, hypothesis.errors.FailedHealthCheck, schemathesis.errors.InvalidSchema):
            # Nothing that does not fit can be made, of an operation that takes nothing.
            pass
        except BaseExceptionGroup as group:
            if not group.subgroup((hypothesis.errors.Unsatisfiable,)):
                raise

    def send(self, operation, case, base, session):
        try:
            response = case.call(base_url=base, session=session, timeout=30, verify=session.verify, cert=session.cert)
        except (ValueError, requests.exceptions.InvalidHeader, UnicodeError):
            # Such a request cannot be written down in HTTP at all.
            return None
        self.statuses[response.status_code] += 1
        self.of_operation[operation.label][response.status_code] += 1
        if response.status_code == 503 and response.json().get("code") in NO_FAULT:
            return response
        self.opened(operation, case, response)
        for check in CHECKS:
            try:
                case.validate_response(response, checks=[check])
            except (Failure, FailureGroup, AssertionError) as failure:
                self.note(operation, case, check, response, failure)
        return response

    def opened(self, operation, case, response):
        """Opens an answer that is sealed to us: its plaintext must be of the schema that the document gives it."""
        if response.status_code >= 300 or (case.headers or {}).get("Public-Key") != self.world.enc["Public-Key"]:
            return
        described = operation.definition.raw["responses"].get(str(response.status_code), {}).get("content", {}).get("application/json", {})
        schema = described.get("schema", {}).get("properties", {}).get("payload", {}).get("contentSchema")
        if schema is None:
            return
        plaintext = json.loads(client.unseal(self.world.recipient, response.json()["payload"]))
        self.sealed_seen.add(operation.label)
        for error in validator_of(operation.schema.raw_schema, schema).iter_errors(plaintext):
            self.note(operation, case, self.opened, response, AssertionError(f"within the JWE: {error.message}"))

    def note(self, operation, case, check, response, failure):
        text = "; ".join(str(each) for each in getattr(failure, "exceptions", [failure]))
        key = (operation.label, check.__name__, response.status_code, text.splitlines()[0][:80])
        self.faults.setdefault(key, f"{text[:600]}\n    asked: {case.body!r:.300} query {case.query!r} headers {headers_of(case)}\n    answered: {response.content[:400]!r}")


def talking(ca, pair=None):
    """A session that trusts the pair's CA alone, whatever the environment says."""
    session = requests.Session()
    session.trust_env, session.verify, session.cert = False, ca, pair
    return session


def clear_schema(schema):
    """The schema of a body in clear, where it may also be sealed; the first of several forms."""
    while "oneOf" in schema:
        schema = schema["oneOf"][0]
    return schema


def headers_of(case):
    return {name: value[:40] for name, value in (case.headers or {}).items() if name not in ("Authorization", "Public-Key")}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=170)
    arguments.add_argument("--examples", type=int, default=48, help="generated requests of an operation")
    arguments.add_argument("--document", choices=DOCUMENTS, action="append")
    arguments.add_argument("--verbose", action="store_true")
    chosen = arguments.parse_args()
    warnings.filterwarnings("ignore")
    began = time.monotonic()
    run = Run(World(os.environ["TESSERA_INFO"]), chosen.examples, began + chosen.seconds)
    for name in chosen.document or DOCUMENTS:
        run.document(name)
    if chosen.verbose:
        for label, statuses in run.of_operation.items():
            print(f"{label}: {dict(sorted(statuses.items()))}")
        for (label, field, code), count in sorted(run.refused.items()):
            print(f"as described, and refused {count} times: {label}: {field} {code}")
    for (label, check, status, _), text in run.faults.items():
        print(f"\n{label}: {check} ({status})\n    {text}")
    for name, label in sorted(run.unknown):
        print(f"nothing is known that {label} could name as {name}: see actors.py")
    by_status = " ".join(f"{status}:{count}" for status, count in sorted(run.statuses.items()))
    print(f"\n{len(run.of_operation)} operations, {sum(run.statuses.values())} requests in {time.monotonic() - began:.0f} s: {by_status}")
    if run.skipped:
        print(f"Out of time before {len(run.skipped)} operations: {', '.join(run.skipped)}")
    never = [label for label, statuses in run.of_operation.items() if not any(status < 300 for status in statuses)]
    print(f"Opened and judged: {len(run.sealed_seen)} sealed answers")
    print(f"Never answered with success: {', '.join(never) or 'none'}")
    verdict = "FAILED" if run.faults or run.skipped else "OK"
    print(f"schema: {verdict}, {len(run.faults)} faults")
    return 1 if run.faults or run.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
