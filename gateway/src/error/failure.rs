//! A request that was not carried out: what its caller is told, and what the log is told beside it.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use shared::problem::{FieldError, Problem, TraceId};

use super::Code;

/// Why a request was not carried out.
#[derive(Debug)]
pub struct Error(pub(super) Box<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    code: Code,
    fields: Vec<FieldError>,
    retry_after_seconds: Option<u32>,
    cause: Option<String>,
    pub(super) vault_may_have_acted: bool,
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self(Box::new(Inner {
            code,
            fields: Vec::new(),
            retry_after_seconds: None,
            cause: None,
            vault_may_have_acted: false,
        }))
    }
}

impl Error {
    /// A defect or a broken machine; `cause` goes to the log and nowhere else.
    #[must_use]
    pub fn internal(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::from(Code::Internal).caused_by(cause)
    }

    /// Members of the request that break rules.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let mut error = Self::from(Code::ValidationFailed);
        error.0.fields = fields;
        error
    }

    /// A limit is used up for so many seconds.
    #[must_use]
    pub fn too_many(retry_after_seconds: u32) -> Self {
        Self::from(Code::TooManyRequests).retry_after(retry_after_seconds)
    }

    /// Tells the caller when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds what the log shall say.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cow<'static, str>>) -> Self {
        self.0.cause = Some(cause.into().into_owned());
        self
    }

    /// What callers branch on.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the log shall say.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Which members of the request break which rules.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Whether the vault may have done something before this error, so that the request must be repeatable with the key
    /// that was noted for it.
    #[must_use]
    pub fn vault_may_have_acted(&self) -> bool {
        self.0.vault_may_have_acted
    }

    /// Says that the vault may have done something: in an earlier try of the same request, if not in this one.
    #[must_use]
    pub fn unsettled(mut self) -> Self {
        self.0.vault_may_have_acted = true;
        self
    }

    /// The answer's content.
    #[must_use]
    pub fn to_problem(&self, trace: TraceId) -> Problem {
        let (status, code, title) = self.0.code.row();
        let mut problem = Problem::new(status, code, title, trace);
        for field in &self.0.fields {
            problem = problem.with_field(field.clone());
        }
        match self.0.retry_after_seconds {
            Some(seconds) => problem.with_retry_after(seconds),
            None => problem,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.row().1)
    }
}

impl std::error::Error for Error {}

/// The body is written by `http::trace`, which knows the trace of the request.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.0.code.row().0
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}
