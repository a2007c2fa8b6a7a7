//! What holds of every document. That they are OpenAPI, and that every example fits its schema to the letter, other people's
//! tools judge (`tests/schema`).

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use super::document::{Document, codes_in_use};
use super::*;
use crate::http::{ADMIN, DOCUMENTATION, PARTNER, PUBLIC, Route};

fn all_routes() -> impl Iterator<Item = &'static Route> {
    [PUBLIC, PARTNER, ADMIN, DOCUMENTATION].into_iter().flatten()
}

fn verb(route: &Route) -> String {
    route.method.as_str().to_ascii_lowercase()
}

/// Every value within, with the names on the way to it.
fn walk<'a>(at: &str, value: &'a Value, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(at, value);
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                walk(&format!("{at}/{name}"), value, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(at, item, visit)),
        _ => {}
    }
}

#[test]
fn every_route_is_in_the_document_of_its_path_and_says_what_it_is() {
    for route in all_routes() {
        let document =
            Document::of_path(route.path).unwrap_or_else(|| panic!("no document for {}", route.path));
        let built = document.build();
        let operation = &built["paths"][route.path][verb(route)];
        let at = format!("{} {}", route.method, route.path);
        for said in ["summary", "description"] {
            assert!(
                operation[said].as_str().is_some_and(|text| text.len() > 3),
                "{at}: {said}"
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with('2')),
            "{at}: no answer"
        );
        assert!(
            matches!(operation["x-seed-status"].as_str(), Some("stated" | "assumed")),
            "{at}"
        );
    }
}

#[test]
fn a_document_names_an_operation_once_and_refers_to_what_it_has() {
    for document in Document::ALL {
        let built = document.build();
        let mut ids = HashSet::new();
        walk("", &built, &mut |at, value| {
            if at.ends_with("/operationId") {
                assert!(ids.insert(value.as_str().unwrap().to_owned()), "{value} twice");
            }
            if at.ends_with("/$ref") {
                let pointer = value.as_str().unwrap().trim_start_matches('#');
                assert!(built.pointer(pointer).is_some(), "{document:?}: {value} at {at}");
            }
        });
        assert_eq!(ids.len(), document.routes().count());
    }
}

/// The second of two types of one name would be described as the first: give it another by `#[schema(as = …)]`.
#[test]
fn a_name_means_one_schema() {
    let mut known: BTreeMap<(&str, String), Value> = BTreeMap::new();
    for document in Document::ALL {
        for route in document.routes() {
            for (name, schema) in (route.doc)().needs() {
                let first = known
                    .entry((document.name(), name.clone()))
                    .or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "{name} at {} {}", route.method, route.path);
            }
        }
    }
}

#[test]
fn every_code_is_told_by_some_operation() {
    let used = codes_in_use();
    for code in Code::ALL {
        let expected = !errors::OF_NO_OPERATION.contains(&code);
        assert_eq!(
            used.contains(&code),
            expected,
            "{code:?}: list it in the doc of the doors that answer it"
        );
    }
}

/// Only what fits on a screen: types, required members, words. The whole judgement is `tests/schema`'s.
fn misfit(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfit(
            root,
            root.pointer(reference.trim_start_matches('#')).unwrap(),
            value,
        );
    }
    let all = schema["allOf"].as_array().into_iter().flatten();
    if let Some(found) = all.filter_map(|part| misfit(root, part, value)).next() {
        return Some(found);
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{value} is none of {words:?}"));
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let is = |name: &&str| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    if !types.is_empty() && !types.iter().any(is) {
        return Some(format!("{value} is no {types:?}"));
    }
    let required = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|name| value.get(name).is_none()) {
        return Some(format!("{missing} is missing in {value}"));
    }
    let items = value.as_array().into_iter().flatten();
    if let Some(found) = items
        .filter_map(|item| misfit(root, &schema["items"], item))
        .next()
    {
        return Some(found);
    }
    let properties = schema["properties"].as_object()?;
    properties.iter().find_map(|(name, schema)| {
        misfit(root, schema, value.get(name)?).map(|what| format!("{name}: {what}"))
    })
}

#[test]
fn an_example_is_of_the_schema_beside_it() {
    for document in Document::ALL {
        let built = document.build();
        let components = |doc: &Doc| {
            let schemas: serde_json::Map<_, _> = doc.needs().into_iter().collect();
            json!({ "components": { "schemas": schemas } })
        };
        for route in document.routes() {
            let doc = (route.doc)();
            for shape in doc.shapes() {
                let misfit = misfit(&components(&doc), &shape.schema(), shape.example());
                assert_eq!(misfit, None, "{} {}", route.method, route.path);
            }
        }
        for response in built["components"]["responses"].as_object().unwrap().values() {
            let content = &response["content"]["application/problem+json"];
            for example in content["examples"].as_object().unwrap().values() {
                assert_eq!(misfit(&built, &content["schema"], &example["value"]), None);
            }
        }
    }
}

#[test]
fn no_example_is_a_card_number_beyond_the_test_range() {
    for document in Document::ALL {
        walk("", &document.build(), &mut |at, value| {
            let text = value.as_str().unwrap_or_default();
            let mut runs = text
                .split(|c: char| !c.is_ascii_digit())
                .filter(|run| run.len() > 12);
            assert!(runs.all(|run| run.starts_with("9999")), "{text} at {at}");
        });
    }
}

#[test]
fn what_follows_from_a_row_is_added() {
    let built = Document::Customer.build();
    let pin = &built["paths"]["/customers/me/cards/{cardId}/pin"]["post"];
    let names: Vec<_> = pin["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| {
            parameter["name"]
                .as_str()
                .or(parameter["$ref"].as_str())
                .unwrap()
                .trim_start_matches("#/components/parameters/")
                .to_owned()
        })
        .collect();
    let expected = [
        "cardId",
        "Public-Key",
        "Encrypted-Request-true",
        "Holder-Proof-required",
        "Idempotency-Key",
        "traceparent",
    ];
    assert_eq!(names, expected);
    assert_eq!(pin["security"], json!([{ "session": [] }]));
    let codes: Vec<_> = pin["x-error-codes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for code in [
        "SESSION_REQUIRED",
        "NOT_FOUND",
        "ENCRYPTION_REQUIRED",
        "CANT_DECRYPT_PAYLOAD",
        "HOLDER_PROOF_REQUIRED",
        "VAULT_UNAVAILABLE",
    ] {
        assert!(codes.contains(&code), "{code}");
    }
    let lock = &Document::Admin.build()["paths"]["/admin/cards/{cardId}"]["delete"];
    assert_eq!(lock["x-roles"], json!(["ADMIN", "MANAGER"]));
}
