//! What stands in one line of an import, once it is opened: `{"rows":[…]}`. The texts are borrowed from the opened bytes,
//! so that no number has a second copy; a row that is malformed is told as such and does not spoil its neighbours.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use shared::vault_api::bulk::MOST_ROWS;

use crate::domain::import::RowText;

/// A line whose rows cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is not {{rows: [1 to {MOST_ROWS} rows]}}")]
pub struct InvalidLine;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    rows: Vec<RowText<'a>>,
}

/// Reads an opened line.
///
/// # Errors
/// [`InvalidLine`], without a word of its content.
pub fn parse(plain: &[u8]) -> Result<Vec<RowText<'_>>, InvalidLine> {
    // serde would read a struct from an array too.
    if plain.trim_ascii_start().first() != Some(&b'{') {
        return Err(InvalidLine);
    }
    let line: Line<'_> = serde_json::from_slice(plain).map_err(|_| InvalidLine)?;
    if (1..=MOST_ROWS).contains(&line.rows.len()) {
        Ok(line.rows)
    } else {
        Err(InvalidLine)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RowText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

const NO_ROW: RowText<'static> = RowText {
    card_no: None,
    exp: None,
    cvv: None,
    pin: None,
    holder: None,
    reference: None,
    malformed: true,
};

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = RowText<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut row = RowText::default();
        while let Some(name) = members.next_key::<Text<'de>>()? {
            let value: Text<'de> = members.next_value()?;
            let place = match name.0 {
                Some("cardNo") => &mut row.card_no,
                Some("exp") => &mut row.exp,
                Some("cvv") => &mut row.cvv,
                Some("pin") => &mut row.pin,
                Some("holder") => &mut row.holder,
                Some("reference") => &mut row.reference,
                _ => {
                    row.malformed = true;
                    continue;
                }
            };
            row.malformed |= place.is_some() || value.0.is_none();
            *place = value.0;
        }
        Ok(row)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(NO_ROW)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(NO_ROW)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(NO_ROW)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(NO_ROW)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(NO_ROW)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(NO_ROW)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(NO_ROW)
    }
}

/// A text without escapes, borrowed; `None`: something else. What has escapes would have to be copied.
struct Text<'a>(Option<&'a str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Some(text)))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Text(None))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_read_by_their_members() {
        let plain =
            br#"{"rows":[{"cardNo":"12","exp":"x","cvv":"1","pin":"2","holder":"h","reference":"r"},{}]}"#;
        let rows = parse(plain).unwrap();
        assert_eq!(
            (rows[0].card_no, rows[0].pin, rows[0].reference),
            (Some("12"), Some("2"), Some("r"))
        );
        assert!(!rows[0].malformed && !rows[1].malformed);
    }

    #[test]
    fn a_malformed_row_does_not_spoil_its_neighbour() {
        for bad in [
            "1",
            "null",
            "true",
            "[1]",
            "\"x\"",
            "1.5",
            "-1",
            r#"{"cardNo":1}"#,
            r#"{"cardNo":{"a":[1]}}"#,
            r#"{"cardNo":"1\u0031"}"#,
            r#"{"cardNo":"1","cardNo":"2"}"#,
            r#"{"card\u004eo":"1"}"#,
            r#"{"track2":"1"}"#,
            r#"{"cvv":null}"#,
        ] {
            let plain = format!(r#"{{"rows":[{bad},{{"cardNo":"1"}}]}}"#);
            let rows = parse(plain.as_bytes()).unwrap();
            assert!(rows[0].malformed, "{bad}");
            assert!(!rows[1].malformed);
        }
    }

    #[test]
    fn a_line_is_one_object_of_rows() {
        let many = format!(r#"{{"rows":[{}]}}"#, vec!["{}"; MOST_ROWS + 1].join(","));
        for bad in [
            "",
            "[]",
            "[[{}]]",
            r#"{"rows":[]}"#,
            r#"{"rows":{}}"#,
            r#"{"rows":[{}],"x":1}"#,
            &many,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, text in "\\{\"rows\":\\[[\\{\\}\\[\\]\":,a-z0-9]{0,64}") {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
        }
    }
}
