//! A request's JSON object, member by member: everything that is wrong is told at once, and what nobody asked for is
//! refused.

use serde_json::{Map, Value};
use shared::http::json::{JsonError, parse_json};
use shared::problem::FieldError;
use zeroize::Zeroizing;

use crate::domain::rule::{NOT_TEXT, REQUIRED, Rule, UNKNOWN};
use crate::error::{Code, Error};

/// Objects and arrays one within another; the deepest body of the contract has two.
const DEPTH_MAX: usize = 8;
/// Longest name of an unknown member that is repeated to the caller.
const NAME_SHOWN_MAX: usize = 64;

const NOT_AN_OBJECT: Rule = Rule {
    code: "NOT_AN_OBJECT",
    message: "Must be an object.",
};
const NOT_A_LIST: Rule = Rule {
    code: "NOT_A_LIST",
    message: "Must be a list of objects, one or more, and not too many.",
};
const NOT_A_NUMBER: Rule = Rule {
    code: "NOT_AN_INTEGER",
    message: "Must be an integer in range.",
};

/// The members of an object that have not been taken yet, and what was wrong with those that have.
pub struct Fields {
    members: Map<String, Value>,
    prefix: String,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads a whole body.
    ///
    /// # Errors
    /// `MALFORMED_JSON` for anything but one JSON object, sound, not too deep, no member twice.
    pub fn read(body: &[u8]) -> Result<Self, Error> {
        let value: Value = parse_json(body, DEPTH_MAX).map_err(|error| match error {
            JsonError::Malformed { .. }
            | JsonError::TooDeep { .. }
            | JsonError::DuplicateMember(_)
            | JsonError::WrongShape { .. } => Error::from(Code::MalformedJson),
        })?;
        match value {
            Value::Object(members) => Ok(Self::of(members, String::new())),
            _ => Err(Code::MalformedJson.into()),
        }
    }

    /// The reader of a body that was left out: every member is missing.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(Map::new(), String::new())
    }

    fn of(members: Map<String, Value>, prefix: String) -> Self {
        Self {
            members,
            prefix,
            errors: Vec::new(),
        }
    }

    /// Whether a member is there that has not been taken.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Takes a text that must be there.
    pub fn text<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Option<T> {
        self.required(name, |value| parse(value.as_str().ok_or(NOT_TEXT)?))
    }

    /// Takes a text that may be left out.
    pub fn optional_text<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Option<T> {
        self.optional(name, |value| parse(value.as_str().ok_or(NOT_TEXT)?))
    }

    /// Takes a text that is a secret: it moves, and leaves no copy behind.
    pub fn secret<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(Zeroizing<String>) -> Result<T, Rule>,
    ) -> Option<T> {
        self.required(name, |value| match value {
            Value::String(text) => parse(Zeroizing::new(text)),
            _ => Err(NOT_TEXT),
        })
    }

    /// Takes a text that is a secret and may be left out.
    pub fn optional_secret<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(Zeroizing<String>) -> Result<T, Rule>,
    ) -> Option<T> {
        self.optional(name, |value| match value {
            Value::String(text) => parse(Zeroizing::new(text)),
            _ => Err(NOT_TEXT),
        })
    }

    /// Takes an integer that must be there.
    pub fn integer<T>(&mut self, name: &str, parse: impl FnOnce(i64) -> Result<T, Rule>) -> Option<T> {
        self.required(name, |value| parse(value.as_i64().ok_or(NOT_A_NUMBER)?))
    }

    /// Takes a member of any shape that must be there.
    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(Value) -> Result<T, Rule>) -> Option<T> {
        match self.members.shift_remove(name) {
            Some(value) => self.judge(name, parse(value)),
            None => self.judge(name, Err(REQUIRED)),
        }
    }

    /// Takes a member of any shape that may be left out. `null` is not leaving it out.
    pub fn optional<T>(&mut self, name: &str, parse: impl FnOnce(Value) -> Result<T, Rule>) -> Option<T> {
        let value = self.members.shift_remove(name)?;
        self.judge(name, parse(value))
    }

    /// Takes an object that may be left out; `read` takes its members.
    pub fn optional_object<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let Value::Object(members) = self.members.shift_remove(name)? else {
            return self.judge(name, Err(NOT_AN_OBJECT));
        };
        let mut inner = Self::of(members, format!("{}{name}.", self.prefix));
        let object = read(&mut inner);
        inner.refuse_rest();
        self.errors.append(&mut inner.errors);
        object
    }

    /// Takes a list of objects that must be there, 1 to `most` of them; `read` takes the members of each.
    pub fn object_list<T>(
        &mut self,
        name: &str,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let list = match self.members.shift_remove(name) {
            None => return self.judge(name, Err(REQUIRED)),
            Some(Value::Array(list)) if (1..=most).contains(&list.len()) => list,
            Some(_) => return self.judge(name, Err(NOT_A_LIST)),
        };
        let mut read_all = Vec::new();
        for (place, value) in list.into_iter().enumerate() {
            let place = format!("{name}.{place}");
            let Value::Object(members) = value else {
                self.refuse(&place, NOT_AN_OBJECT);
                continue;
            };
            let mut inner = Self::of(members, format!("{}{place}.", self.prefix));
            read_all.extend(read(&mut inner));
            inner.refuse_rest();
            self.errors.append(&mut inner.errors);
        }
        Some(read_all)
    }

    /// Notes that a rule about several members is broken.
    pub fn refuse(&mut self, name: &str, rule: Rule) {
        self.errors.push(FieldError {
            field: format!("{}{name}", self.prefix).into(),
            code: rule.code.into(),
            message: rule.message.into(),
        });
    }

    /// Ends the reading: nothing may be left, nothing may be wrong. `build` puts together what was taken.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with everything that is wrong.
    pub fn finish<T>(mut self, build: impl FnOnce() -> Option<T>) -> Result<T, Error> {
        self.refuse_rest();
        if !self.errors.is_empty() {
            return Err(Error::invalid(self.errors));
        }
        build().ok_or_else(|| Error::internal("a member was neither taken nor refused"))
    }

    /// The text of the only member; none when there are others, or it is something else.
    pub(super) fn into_single_text(mut self, name: &str) -> Option<String> {
        match self.members.shift_remove(name)? {
            Value::String(text) if self.members.is_empty() => Some(text),
            _ => None,
        }
    }

    fn judge<T>(&mut self, name: &str, result: Result<T, Rule>) -> Option<T> {
        result.map_err(|rule| self.refuse(name, rule)).ok()
    }

    fn refuse_rest(&mut self) {
        for name in std::mem::take(&mut self.members).keys() {
            // A name that is long or odd may be a value in the wrong place: it is not repeated.
            let shown = name.len() <= NAME_SHOWN_MAX
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            self.refuse(if shown { name } else { "?" }, UNKNOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(text: &str) -> Result<String, Rule> {
        Ok(text.to_owned())
    }

    fn told(error: &Error) -> Vec<(String, String)> {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
        error
            .to_problem(trace)
            .errors()
            .iter()
            .map(|e| (e.field.to_string(), e.code.to_string()))
            .collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let mut fields = Fields::read(br#"{"a":1,"c":{"d":2,"x":3},"9999001111111111":1}"#).unwrap();
        let a = fields.text("a", any);
        let b = fields.text("b", any);
        let c = fields.optional_object("c", |inner| inner.text("d", any));
        let error = fields.finish(|| Some((a?, b?, c?))).unwrap_err();
        let expected = [
            ("a", "NOT_A_STRING"),
            ("b", "REQUIRED"),
            ("c.d", "NOT_A_STRING"),
            ("c.x", "UNKNOWN_MEMBER"),
            ("?", "UNKNOWN_MEMBER"),
        ];
        assert_eq!(
            told(&error),
            expected.map(|(field, code)| (field.to_owned(), code.to_owned()))
        );
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out_and_null_is_not_leaving_out() {
        let mut fields = Fields::read(br#"{"n":7}"#).unwrap();
        assert_eq!(fields.optional_text("a", any), None);
        let n = fields.integer("n", Ok);
        assert_eq!(fields.finish(|| n).unwrap(), 7);
        let mut fields = Fields::read(br#"{"a":null}"#).unwrap();
        assert_eq!(fields.optional_text("a", any), None);
        assert!(fields.finish(|| Some(())).is_err());
    }

    #[test]
    fn only_one_sound_object_is_a_body() {
        for bad in [
            "",
            "null",
            "[]",
            "1",
            "{",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1}{}"#,
            &format!("{}1{}", r#"{"a":"#.repeat(9), "}".repeat(9)),
        ] {
            assert_eq!(
                Fields::read(bad.as_bytes()).map(|_| ()).unwrap_err().code(),
                Code::MalformedJson,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_fraction_is_no_integer() {
        for bad in ["1.0", "1e2", "\"1\"", "9223372036854775808"] {
            let mut fields = Fields::read(format!("{{\"n\":{bad}}}").as_bytes()).unwrap();
            assert_eq!(fields.integer("n", Ok), None, "{bad}");
        }
    }
}
