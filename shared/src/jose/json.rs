//! JSON objects of one known shape. The shape is a struct with `deny_unknown_fields`: serde then refuses unknown,
//! missing and duplicate members (RFC 7515 §4 asks for the last); this module closes the ways around it.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

/// Reads one JSON object from the whole of `bytes`.
///
/// serde would read a struct from an array too, by position; here an object is an object.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace())?;
    if *first != b'{' {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

/// For optional members: absent is `None` (with `default`), while an explicit `null` is refused.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        a: u8,
        #[serde(default, deserialize_with = "present")]
        b: Option<u8>,
    }

    #[test]
    fn the_shape_is_read_exactly() {
        assert_eq!(object(br#"{"a":1}"#), Some(Shape { a: 1, b: None }));
        assert_eq!(object(br#" {"b":2,"a":1} "#), Some(Shape { a: 1, b: Some(2) }));
    }

    #[test]
    fn every_other_shape_is_refused() {
        for other in [
            "",
            " ",
            "null",
            "[1]",
            "[1,2]",
            "\"a\"",
            "{}",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":1,"c":2}"#,
            r#"{"a":1,"b":null}"#,
            r#"{"a":1}x"#,
            r#"{"a":1}{"a":1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":"1"}"#,
        ] {
            assert_eq!(object::<Shape>(other.as_bytes()), None, "{other}");
        }
    }
}
