"""The three OpenAPI documents of the running pair, judged by other people's tools: openapi-spec-validator and jsonschema."""

import json
import os
import re
import unittest

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import client

INFO = os.environ.get("TESSERA_INFO")
DOCUMENTS = ("customer", "secure", "admin")
DIGITS = re.compile(r"[0-9]{13,19}")


@unittest.skipUnless(INFO, "TESSERA_INFO names no running pair")
class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(INFO) as file:
            info = json.load(file)
        door = client.Door(info["gateway"], info["ca"])
        address = "/api/documentation/{0}/api-docs-{0}.json"
        cls.documents = {name: door.call("GET", address.format(name))[0] for name in DOCUMENTS}

    def operations(self):
        for name, document in self.documents.items():
            for path, item in document["paths"].items():
                for verb, operation in item.items():
                    yield document, f"{name}: {verb} {path}", operation

    def contents(self):
        """Every media type object of every operation, with its schema and its examples."""
        for document, where, operation in self.operations():
            bodies = [operation.get("requestBody", {})] + [resolved(document, each) for each in operation["responses"].values()]
            for content in (content for body in bodies for content in body.get("content", {}).values()):
                examples = [each["value"] for each in content.get("examples", {}).values()]
                if "example" in content:
                    examples.append(content["example"])
                if "schema" in content:
                    yield document, where, content["schema"], examples

    def test_they_are_openapi_3_1(self):
        for name, document in self.documents.items():
            with self.subTest(name):
                self.assertEqual(document["openapi"], "3.1.0")
                OpenAPIV31SpecValidator(document).validate()

    def test_every_example_fits_its_schema(self):
        seen = 0
        for document, where, schema, examples in self.contents():
            validator = validator_of(document, schema)
            for example in examples:
                with self.subTest(where):
                    validator.validate(example)
                    seen += 1
        self.assertGreater(seen, 300)

    def test_every_example_of_a_parameter_fits_its_schema(self):
        for document, where, operation in self.operations():
            for parameter in (resolved(document, each) for each in operation["parameters"]):
                with self.subTest(f"{where} {parameter['name']}"):
                    validator_of(document, parameter["schema"]).validate(parameter["example"])

    def test_every_success_with_content_and_every_body_has_an_example(self):
        for document, where, operation in self.operations():
            for status, response in operation["responses"].items():
                for media_type, content in resolved(document, response).get("content", {}).items():
                    if "schema" in content:
                        with self.subTest(f"{where} {status} {media_type}"):
                            self.assertTrue("example" in content or content.get("examples"))

    def test_no_example_shows_a_card_number_but_of_the_test_range(self):
        for name, document in self.documents.items():
            for text in texts(document):
                for digits in DIGITS.findall(text):
                    self.assertTrue(digits.startswith("9999"), f"{name}: {text}")

    def test_what_an_operation_may_answer_is_known_to_the_product(self):
        for document, where, operation in self.operations():
            known = {each["const"] for each in document["components"]["schemas"]["ErrorCode"]["oneOf"]}
            self.assertLessEqual(set(operation["x-error-codes"]), known, where)
            self.assertIn(operation["x-seed-status"], ("stated", "assumed"))


def resolved(document, value):
    if "$ref" not in value:
        return value
    for part in value["$ref"].removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/")]
    return document


def validator_of(document, schema):
    """A validator of a schema whose references lead into the document."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:document", resource)
    absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(absolute, registry=registry, format_checker=checker)


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


if __name__ == "__main__":
    unittest.main()
