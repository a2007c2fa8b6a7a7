//! Every error answer of both binaries: `application/problem+json` (RFC 9457), written by one and read by the other.
//!
//! A problem carries only what its maker puts in; nothing of a request is echoed here.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use ring::rand::SecureRandom;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What a problem's `type` begins with; the code in kebab case follows.
pub const TYPE_BASE: &str = "https://tessera.example/problems/";

/// An error as callers see it. Built with [`Problem::new`], sent with [`Problem::respond`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    #[serde(rename = "type")]
    type_uri: String,
    title: Cow<'static, str>,
    #[serde(with = "status_number")]
    status: StatusCode,
    detail: Cow<'static, str>,
    code: Cow<'static, str>,
    trace_id: TraceId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after_seconds: Option<u32>,
}

/// What is wrong with one member of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The member, as a path with dots: `address.line1`.
    pub field: Cow<'static, str>,
    /// A stable name of the rule that was broken, in capitals.
    pub code: Cow<'static, str>,
    /// The rule as a sentence. Never the value.
    pub message: Cow<'static, str>,
}

impl Problem {
    /// A problem with its code (capitals and underscores, as in `KYC_REQUIRED`), the sentence that names the kind, and
    /// the trace under which the log tells more. `detail` is the title until [`Problem::detail`] says otherwise.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
        trace_id: TraceId,
    ) -> Self {
        let (code, title) = (code.into(), title.into());
        Self {
            type_uri: format!("{TYPE_BASE}{}", code.to_ascii_lowercase().replace('_', "-")),
            detail: title.clone(),
            title,
            status,
            code,
            trace_id,
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// Says what happened this time, and what the caller can do.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Adds a member of the request that broke a rule.
    #[must_use]
    pub fn with_field(mut self, error: FieldError) -> Self {
        self.errors.push(error);
        self
    }

    /// Tells the caller to come back after so many seconds: the `Retry-After` header (RFC 9110 section 10.2.3).
    #[must_use]
    pub const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Reads a problem from the body of an answer.
    ///
    /// # Errors
    /// When the body is not a whole problem, or its status is not one of an error.
    pub fn from_answer(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }

    /// The answer to send: problem, content type, `Cache-Control: no-store`, and `Retry-After` where it is set.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            answer.insert_header((RETRY_AFTER, seconds));
        }
        // `json` keeps a content type that is already there.
        answer.content_type(CONTENT_TYPE).json(self)
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The code that callers branch on.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The kind of problem as a sentence.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What happened this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Where the log tells more.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The members that broke a rule.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Seconds to wait before another try, where known.
    #[must_use]
    pub const fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after_seconds
    }
}

/// A W3C trace id: 128 bits, not all zero, 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// Makes the 11th and the 22nd digit from the right one of `a b e f`, so that a fresh id never shows more than ten
/// decimal digits in a row: a search of logs for card numbers finds none here. Also rules out the forbidden zero.
const TWO_LETTERS: u128 = 0xa << 40 | 0xa << 84;

impl TraceId {
    /// Stands in where the system gives no randomness: an answer without a trace of its own is better than none.
    pub const UNKNOWN: Self = Self(1);

    /// A fresh one, 124 bits of it random.
    ///
    /// # Errors
    /// [`RandomnessFailed`] when the system gives none.
    pub fn random(random: &dyn SecureRandom) -> Result<Self, RandomnessFailed> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes).map_err(|_| RandomnessFailed)?;
        Ok(Self(u128::from_be_bytes(bytes) | TWO_LETTERS))
    }

    /// The trace id of a `traceparent` header (W3C Trace Context section 3.2), if the header is well-formed.
    ///
    /// Of a version above 00 only the part that every version shares is read, as the standard asks.
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.splitn(5, '-');
        let version = lower_hex(parts.next()?, 2)?;
        let trace_id = parts.next()?.parse().ok()?;
        let parent_id = lower_hex(parts.next()?, 16)?;
        lower_hex(parts.next()?, 2)?;
        let well_formed = match (version, parts.next()) {
            (0xff, _) | (0, Some(_)) => false,
            _ => parent_id != 0,
        };
        well_formed.then_some(trace_id)
    }
}

/// The system's random number generator failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct RandomnessFailed;

/// The text is not 32 lower-case hexadecimal digits, or all of them are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trace id is 32 lower-case hexadecimal digits, not all zero")]
pub struct BadTraceId;

impl FromStr for TraceId {
    type Err = BadTraceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        lower_hex(text, 32)
            .filter(|id| *id != 0)
            .map(Self)
            .ok_or(BadTraceId)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

fn lower_hex(text: &str, digits: usize) -> Option<u128> {
    let all_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && all_hex)
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

mod status_number {
    //! A status as its number; read back only when it is an error's.

    use actix_web::http::StatusCode;
    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
        let number = u16::deserialize(deserializer)?;
        StatusCode::from_u16(number)
            .ok()
            .filter(|status| status.is_client_error() || status.is_server_error())
            .ok_or_else(|| Error::invalid_value(Unexpected::Unsigned(number.into()), &"an error status"))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::http::header::CONTENT_TYPE as CONTENT_TYPE_HEADER;
    use ring::rand::SystemRandom;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn invalid() -> Problem {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "VALIDATION_FAILED",
            "The request breaks a rule.",
            TRACE.parse().unwrap(),
        )
        .with_detail("One member is wrong.")
        .with_field(FieldError {
            field: "address.line1".into(),
            code: "REQUIRED".into(),
            message: "Must be present.".into(),
        })
    }

    #[test]
    fn a_problem_has_the_members_of_the_contract_in_their_order() {
        assert_eq!(
            serde_json::to_string(&invalid()).unwrap(),
            concat!(
                r#"{"type":"https://tessera.example/problems/validation-failed","title":"The request breaks a rule.","#,
                r#""status":422,"detail":"One member is wrong.","code":"VALIDATION_FAILED","#,
                r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736","#,
                r#""errors":[{"field":"address.line1","code":"REQUIRED","message":"Must be present."}]}"#
            )
        );
    }

    #[actix_web::test]
    async fn an_answer_says_what_it_is_and_when_to_come_back() {
        let locked = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "VAULT_LOCKED",
            "Locked.",
            TRACE.parse().unwrap(),
        )
        .with_retry_after(30);

        let answer = locked.respond();

        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers().get(CONTENT_TYPE_HEADER).unwrap(), CONTENT_TYPE);
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "30");
        assert_eq!(answer.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        let body = to_bytes(answer.into_body()).await.unwrap();
        assert!(
            !body.windows(6).any(|part| part == b"errors"),
            "no member without a meaning"
        );
        assert_eq!(Problem::from_answer(&body).unwrap().with_retry_after(30), locked);
    }

    #[test]
    fn a_problem_survives_the_wire_and_unknown_members_are_ignored() {
        let mut json = serde_json::to_value(invalid()).unwrap();
        json.as_object_mut()
            .unwrap()
            .insert("later".to_owned(), true.into());
        assert_eq!(
            Problem::from_answer(json.to_string().as_bytes()).unwrap(),
            invalid()
        );
    }

    #[test]
    fn an_answer_that_is_no_whole_problem_is_refused() {
        for (member, value) in [
            ("status", serde_json::json!(200)),
            ("status", serde_json::json!(70_000)),
            ("traceId", serde_json::json!("00000000000000000000000000000000")),
            ("code", serde_json::json!(null)),
        ] {
            let mut json = serde_json::to_value(invalid()).unwrap();
            json.as_object_mut().unwrap().insert(member.to_owned(), value);
            assert!(
                Problem::from_answer(json.to_string().as_bytes()).is_err(),
                "{member}"
            );
        }
        assert!(Problem::from_answer(b"<html>").is_err());
    }

    #[test]
    fn a_trace_is_taken_from_a_well_formed_traceparent_only() {
        let trace: TraceId = TRACE.parse().unwrap();
        for good in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"),
        ] {
            assert_eq!(TraceId::from_traceparent(&good), Some(trace), "{good}");
        }
        for bad in [
            String::new(),
            TRACE.to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE} -00f067aa0ba902b7-01"),
        ] {
            assert_eq!(TraceId::from_traceparent(&bad), None, "{bad}");
        }
    }

    #[test]
    fn fresh_traces_differ_and_never_look_like_a_card_number() {
        let random = SystemRandom::new();
        assert_ne!(
            TraceId::random(&random).unwrap(),
            TraceId::random(&random).unwrap()
        );
        for _ in 0..1_000 {
            let text = TraceId::random(&random).unwrap().to_string();
            let runs = text.split(|digit: char| !digit.is_ascii_digit());
            assert!(runs.map(str::len).max() <= Some(10), "{text}");
        }
    }
}
