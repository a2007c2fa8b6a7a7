//! The trace id of a request: the caller's (W3C Trace Context) or a fresh one.

use actix_web::HttpRequest;
use ring::rand::SystemRandom;
use shared::problem::TraceId;

/// The request's trace id. Without randomness, a fixed one: an answer without a trace is better than none.
pub fn trace_of(request: &HttpRequest) -> TraceId {
    let header = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    header
        .and_then(TraceId::from_traceparent)
        .or_else(|| TraceId::random(&SystemRandom::new()).ok())
        .unwrap_or(TraceId::UNKNOWN)
}
