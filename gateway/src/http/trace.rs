//! Around every request: its trace, the security headers, the problem that an error becomes, and one line in the log.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest};
use ring::rand::SystemRandom;
use shared::problem::TraceId;

use crate::domain::text::may_be_card_number;
use crate::error::{Code, Error};

/// The header by which callers name the trace to us.
const TRACEPARENT: &str = "traceparent";
/// The header by which we name the trace to callers.
const TRACE_ID: HeaderName = HeaderName::from_static("trace-id");

/// The methods that the path of a request knows, for `Allow`.
pub(super) struct Allowed(pub(super) HeaderValue);

/// The trace of a request, given to it by [`around`].
pub(crate) fn trace_of(request: &HttpRequest) -> Option<TraceId> {
    request.extensions().get::<TraceId>().copied()
}

/// The middleware of both listeners. A caller's trace that could pass for a card number is not taken over: it goes to the log.
pub(crate) async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let named = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|value| TraceId::from_traceparent(value.to_str().ok()?))
        .filter(|trace| !may_be_card_number(&trace.to_string()));
    let trace = match named {
        Some(trace) => trace,
        None => TraceId::random(&SystemRandom::new())
            .map_err(|_| Error::internal("the system gives no random numbers"))?,
    };
    request.extensions_mut().insert(trace);
    let begun = std::time::Instant::now();
    // Handlers' and extractors' errors are answers by now; the request must not be kept (a clone of it panics in routing).
    let answer = next.call(request).await?.map_into_boxed_body();
    let mut answer = clothe(answer, trace);
    let headers = answer.headers_mut();
    headers.insert(
        TRACE_ID,
        HeaderValue::from_str(&trace.to_string()).unwrap_or(HeaderValue::from_static("")),
    );
    headers.insert(
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=63072000; includeSubDomains"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Only what is the same for everybody says otherwise of itself: `http::documentation`.
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    log(&answer, trace, begun.elapsed());
    Ok(answer)
}

/// Gives an error its body.
fn clothe(answer: ServiceResponse<BoxBody>, trace: TraceId) -> ServiceResponse<BoxBody> {
    let Some(error) = answer.response().error() else {
        return answer;
    };
    let code = error
        .as_error::<Error>()
        .map_or_else(|| code_of(answer.status()), Error::code);
    let problem = match error.as_error::<Error>() {
        Some(error) => {
            if let Some(cause) = error.cause() {
                match error.code() {
                    Code::Internal => tracing::error!(%trace, cause, "request failed"),
                    _ => tracing::warn!(%trace, code = %error, cause, "request not carried out"),
                }
            }
            error.to_problem(trace)
        }
        // An error of the framework's own: only its status is ours to tell.
        None => Error::from(code).to_problem(trace),
    };
    let unread_body = matches!(
        answer.status(),
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT
    );
    let closing = answer.response().head().connection_type() == ConnectionType::Close;
    let allowed = answer
        .request()
        .extensions()
        .get::<Allowed>()
        .map(|allowed| allowed.0.clone());
    let mut answer = answer.into_response(problem.respond());
    if unread_body || closing {
        answer
            .response_mut()
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    match answer.status() {
        // RFC 9110 sections 15.5.6 and 15.5.2.
        StatusCode::METHOD_NOT_ALLOWED => {
            if let Some(allowed) = allowed {
                answer.headers_mut().insert(ALLOW, allowed);
            }
        }
        // A certificate is asked for within TLS: there is no scheme to name.
        StatusCode::UNAUTHORIZED if code != Code::CertificateRequired => {
            answer
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    answer
}

fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::REQUEST_TIMEOUT => Code::BodyTooSlow,
        status if status.is_client_error() => Code::InvalidHeader,
        _ => Code::Internal,
    }
}

/// One line. The path is the route's pattern: the one that was called would name users and cards.
fn log(answer: &ServiceResponse<BoxBody>, trace: TraceId, took: std::time::Duration) {
    let request = answer.request();
    tracing::info!(
        %trace,
        method = %request.method(),
        route = request.match_pattern().as_deref().unwrap_or("-"),
        status = answer.status().as_u16(),
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "request"
    );
}
