//! What came back from a door, as a value: a test looks at it, the demo prints it, and `?` turns a surprise into a
//! sentence.

use anyhow::{Context, Result, bail};
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One HTTP answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and path of the request, for the sentence of an error.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(request: String, response: reqwest::Response) -> Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response
            .bytes()
            .await
            .with_context(|| format!("the answer to {request} broke off"))?;
        Ok(Self {
            request,
            status,
            headers,
            body: body.to_vec(),
        })
    }

    /// The header as text, where it is present and printable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        self.read_as()
    }

    /// The body as a typed value.
    ///
    /// # Errors
    /// When the body is not of that shape.
    pub fn read_as<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("unexpected body in {self}"))
    }

    /// The code of a problem+json body.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        Some(self.json().ok()?.get("code")?.as_str()?.to_owned())
    }

    /// Status and problem code together: what a refusal is compared with.
    #[must_use]
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.code().unwrap_or_default())
    }

    /// A text member at a JSON pointer (RFC 6901).
    ///
    /// # Errors
    /// When there is no text.
    pub fn text_at(&self, pointer: &str) -> Result<String> {
        let body = self.json()?;
        let text = body.pointer(pointer).and_then(Value::as_str);
        text.map(str::to_owned)
            .with_context(|| format!("no text at {pointer} in {self}"))
    }

    /// A number at a JSON pointer (RFC 6901).
    ///
    /// # Errors
    /// When there is no natural number.
    pub fn number_at(&self, pointer: &str) -> Result<u64> {
        let body = self.json()?;
        body.pointer(pointer)
            .and_then(Value::as_u64)
            .with_context(|| format!("no number at {pointer} in {self}"))
    }

    /// The answer itself when it has this status.
    ///
    /// # Errors
    /// The sentence of what came instead.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        bail!("expected {status}, got {self}")
    }

    /// The answer itself when it is this refusal.
    ///
    /// # Errors
    /// The sentence of what came instead.
    pub fn expect_refusal(self, status: u16, code: &str) -> Result<Self> {
        if self.refusal() == (status, code.to_owned()) {
            return Ok(self);
        }
        bail!("expected {status} {code}, got {self}")
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.request, self.status)?;
        // Not by `json`, whose error shows the answer.
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else {
            return Ok(());
        };
        let member = |name: &str| body.get(name).and_then(Value::as_str);
        if let (Some(code), Some(detail)) = (member("code"), member("detail")) {
            write!(f, " {code}: {detail}")?;
        }
        if let Some(errors) = body.get("errors") {
            write!(f, " {errors}")?;
        }
        Ok(())
    }
}
