//! Reading a request's body with a limit on its size and on the whole time it takes.
//!
//! actix limits neither the time nor (outside its own extractors) the size: a client that sends one byte a minute would
//! hold its connection and its handler for as long as it likes.

use std::time::Duration;

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::rt::time::timeout;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use zeroize::Zeroizing;

/// What a body's buffer begins with when the client does not say how long the body is, in bytes.
const FIRST_CAPACITY: usize = 4 << 10;

/// Why a body could not be read. The connection is of no use afterwards; answer with `Connection: close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed (413).
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not complete in time (408).
    #[error("the body did not arrive within {within:?}")]
    TooSlow {
        /// The time that was given.
        within: Duration,
    },
    /// The connection broke off, or the framing is wrong (400, if anyone is left to read it).
    #[error("the body is not complete")]
    Broken,
}

/// Reads the whole body: at most `limit` bytes, in at most `within` from the call, however the client spreads them.
///
/// The buffer is wiped when dropped and when it grows. What actix holds of the same bytes before they come here is not.
///
/// # Errors
/// [`BodyError`]. A `Content-Length` above the limit is refused before a byte is read.
pub async fn read_body(
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
    within: Duration,
) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let announced: Option<usize> = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge { limit });
    }
    let capacity = announced.unwrap_or(FIRST_CAPACITY).min(limit);
    let read = async {
        let mut body = Zeroizing::new(Vec::with_capacity(capacity));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| BodyError::Broken)?;
            if chunk.len() > limit - body.len() {
                return Err(BodyError::TooLarge { limit });
            }
            append(&mut body, &chunk, limit);
        }
        Ok(body)
    };
    timeout(within, read)
        .await
        .unwrap_or(Err(BodyError::TooSlow { within }))
}

/// Appends by moving to a larger buffer where needed, so that the smaller one is wiped and not just freed.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8], limit: usize) {
    let length = body.len() + chunk.len();
    if length > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(body.capacity() * 2).min(limit)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}
