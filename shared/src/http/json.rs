//! JSON from strangers: nesting is bounded, no member comes twice, and what is wrong is told without repeating a value.
//!
//! A duplicate member is refused because two readers may take two different ones (RFC 8259 section 4). serde's own error
//! texts quote the value that did not fit, which may be a card number: they never leave this module.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::{Path, Segment};

/// What stands for a member's name that is not fit to be repeated.
const UNNAMED: &str = "?";

/// Why a text was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON (400).
    #[error("not JSON: line {line}, column {column}")]
    Malformed {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, in bytes from 1; 0 at the end of a line.
        column: usize,
    },
    /// Nested more deeply than allowed (400).
    #[error("nested more than {max_depth} deep")]
    TooDeep {
        /// Objects and arrays allowed one within another.
        max_depth: usize,
    },
    /// An object has two members of the same name (400). The name, or `?` if it is not fit to be repeated.
    #[error("the member {0} comes twice")]
    DuplicateMember(String),
    /// Sound JSON, but not of the shape that is wanted (422).
    #[error("{field}: {fault}")]
    WrongShape {
        /// Where, as a path with dots (`address.line1`, `items.0`); empty at the top. Unknown names appear only if they
        /// are fit to be repeated, else as `?`.
        field: String,
        /// What is wrong there.
        fault: ShapeFault,
    },
}

/// What is wrong with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeFault {
    /// It must be there and is not.
    Missing,
    /// It must not be there.
    Unknown,
    /// Wrong type, or a value that its type does not take.
    Invalid,
}

impl ShapeFault {
    /// A stable name in capitals, for [`crate::problem::FieldError::code`].
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Unknown => "UNKNOWN",
            Self::Invalid => "INVALID",
        }
    }
}

impl fmt::Display for ShapeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "must be present",
            Self::Unknown => "is not known here",
            Self::Invalid => "does not have a valid value",
        })
    }
}

/// Parses a text as a `T`, after it was found to be JSON, nested at most `max_depth` deep (a bare number is 0 deep, `{}`
/// is 1; serde_json itself goes no deeper than 127), with no member twice.
///
/// # Errors
/// [`JsonError`], the first that applies in the order of its variants.
pub fn parse_json<T: DeserializeOwned>(text: &[u8], max_depth: usize) -> Result<T, JsonError> {
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let outline = Outline {
        max_depth,
        depth: 0,
        fault: &fault,
    };
    let sound = outline
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    if let Err(error) = sound {
        return Err(fault.take().unwrap_or_else(|| syntax_error(&error, max_depth)));
    }
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(text))
        .map_err(|error| shape_error(error.path(), &error.inner().to_string()))
}

fn syntax_error(error: &serde_json::Error, max_depth: usize) -> JsonError {
    if error.to_string().starts_with("recursion limit exceeded") {
        JsonError::TooDeep { max_depth }
    } else {
        JsonError::Malformed {
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Tells the kind of fault by the beginning of serde's text (`serde::de::Error::missing_field`, `unknown_field`); what
/// follows there is not used, save the name of a missing member, which is ours.
fn shape_error(path: &Path, text: &str) -> JsonError {
    let mut field: Vec<String> = path.iter().filter_map(segment).collect();
    let fault = if let Some(rest) = text.strip_prefix("missing field `") {
        field.extend(rest.split('`').next().map(str::to_owned));
        ShapeFault::Missing
    } else if text.starts_with("unknown field `") {
        ShapeFault::Unknown
    } else {
        ShapeFault::Invalid
    };
    JsonError::WrongShape {
        field: field.join("."),
        fault,
    }
}

fn segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(repeatable(key)),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// The name if it looks like one of ours: short, ASCII letters, and too few digits to be a PIN, a CVV or a PAN.
fn repeatable(name: &str) -> String {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && digits <= 2 && (1..=40).contains(&name.len()) {
        name
    } else {
        UNNAMED
    }
    .to_owned()
}

/// Walks a text, keeping nothing but the names of the objects it is in.
struct Outline<'a> {
    max_depth: usize,
    depth: usize,
    fault: &'a Cell<Option<JsonError>>,
}

impl Outline<'_> {
    fn within<E: Error>(&self) -> Result<Outline<'_>, E> {
        if self.depth == self.max_depth {
            return Err(self.fail(JsonError::TooDeep {
                max_depth: self.max_depth,
            }));
        }
        Ok(Outline {
            max_depth: self.max_depth,
            depth: self.depth + 1,
            fault: self.fault,
        })
    }

    fn fail<E: Error>(&self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for &Outline<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Outline<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.within()?;
        while items.next_element_seed(&inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.within()?;
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                return Err(self.fail(JsonError::DuplicateMember(repeatable(&name))));
            }
            names.insert(name);
            members.next_value_seed(&inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Order {
        #[expect(dead_code, reason = "only its shape matters")]
        balance_id: u32,
        #[serde(default)]
        #[expect(dead_code, reason = "only its shape matters")]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "only its shape matters")]
        text: String,
    }

    fn fault(text: &str) -> JsonError {
        parse_json::<Order>(text.as_bytes(), 8).unwrap_err()
    }

    fn wrong(field: &str, fault: ShapeFault) -> JsonError {
        JsonError::WrongShape {
            field: field.to_owned(),
            fault,
        }
    }

    #[test]
    fn depth_is_counted_to_the_exact_level() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for depth in 0..=8 {
            assert!(
                parse_json::<Value>(nested(depth).as_bytes(), 8).is_ok(),
                "{depth}"
            );
        }
        for depth in [9, 127, 128, 100_000] {
            let parsed = parse_json::<Value>(nested(depth).as_bytes(), 8);
            assert_eq!(parsed, Err(JsonError::TooDeep { max_depth: 8 }), "{depth}");
        }
        let objects = format!("{}1{}", r#"{"a":"#.repeat(9), "}".repeat(9));
        assert_eq!(
            parse_json::<Value>(objects.as_bytes(), 8),
            Err(JsonError::TooDeep { max_depth: 8 })
        );
        assert_eq!(
            parse_json::<Value>(nested(200).as_bytes(), 1_000),
            Err(JsonError::TooDeep { max_depth: 1_000 }),
            "deeper than serde_json itself goes"
        );
    }

    #[test]
    fn a_member_that_comes_twice_is_refused_however_it_is_written() {
        let twice = |name: &str| JsonError::DuplicateMember(name.to_owned());
        assert_eq!(fault(r#"{"balanceId":1,"balanceId":1}"#), twice("balanceId"));
        assert_eq!(fault(r#"{"balanceId":1,"b\u0061lanceId":2}"#), twice("balanceId"));
        assert_eq!(
            fault(r#"{"balanceId":1,"lines":[{"text":"a","text":"b"}]}"#),
            twice("text")
        );
        assert_eq!(
            fault(r#"{"9999000012345678":1,"9999000012345678":1}"#),
            twice("?")
        );
        assert!(parse_json::<Value>(br#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#, 8).is_ok());
    }

    #[test]
    fn what_is_not_json_is_told_by_its_place() {
        assert_eq!(
            fault("{\n  \"balanceId\": 1,\n}"),
            JsonError::Malformed { line: 3, column: 1 }
        );
        assert_eq!(
            fault(r#"{"balanceId":1} x"#),
            JsonError::Malformed { line: 1, column: 17 }
        );
        for text in [
            "",
            "{",
            "nul",
            "\u{feff}{}",
            "{'balanceId':1}",
            "1e999",
            "\"\\ud800\"",
        ] {
            assert!(matches!(fault(text), JsonError::Malformed { .. }), "{text}");
        }
        assert!(matches!(
            parse_json::<Value>(b"\"\xff\"", 8),
            Err(JsonError::Malformed { .. })
        ));
    }

    #[test]
    fn a_wrong_shape_is_told_by_member_and_never_by_value() {
        assert_eq!(fault("{}"), wrong("balanceId", ShapeFault::Missing));
        assert_eq!(
            fault(r#"{"balanceId":"9999000012345678"}"#),
            wrong("balanceId", ShapeFault::Invalid)
        );
        assert_eq!(
            fault(r#"{"balanceId":-1}"#),
            wrong("balanceId", ShapeFault::Invalid)
        );
        assert_eq!(
            fault(r#"{"balanceId":1,"lines":[{"text":"a"},{}]}"#),
            wrong("lines.1.text", ShapeFault::Missing)
        );
        assert_eq!(
            fault(r#"{"balanceId":1,"cvv":123}"#),
            wrong("cvv", ShapeFault::Unknown)
        );
        assert_eq!(
            fault(r#"{"balanceId":1,"9999000012345678":1}"#),
            wrong("?", ShapeFault::Unknown)
        );
        assert_eq!(fault("7"), wrong("", ShapeFault::Invalid));
    }
}
