//! Around every request: its head is let go of, and it is counted: which door, how long, how it ended. What the metrics count
//! is counted here, once, and nowhere in the doors.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use shared::mtls::actix::peer;

use crate::observe::Refusal;
use crate::process::Process;

/// Stands for everything that is no door of the table, so that callers cannot make labels.
const NO_DOOR: &str = "-";

/// Counts a request and its answer, and remembers the certificate that came with it.
pub async fn measure(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    detach(request.headers_mut());
    let process = request.app_data::<web::Data<Process>>().cloned();
    let answer = next.call(request).await?;
    let Some(process) = process else {
        return Ok(answer);
    };
    let surroundings = process.surroundings();
    let asked = answer.request();
    if let Some(peer) = peer(asked) {
        let now = surroundings.clock.now();
        surroundings
            .observed
            .certificates
            .seen(&peer.identity, peer.not_after, now);
    }
    let door = asked.match_pattern().unwrap_or_else(|| NO_DOOR.to_owned());
    let refusal = answer.response().extensions().get::<Refusal>().copied();
    let status = answer.status().as_u16();
    let method = word(asked.method());
    surroundings
        .observed
        .counters
        .request(method, door, status, refusal, begun.elapsed());
    Ok(answer)
}

/// Gives every value memory of its own. actix keeps heads of answered requests to use them again, and their values are
/// slices of the buffer from which the connection read: one kept head would keep alive all that came over its connection,
/// a processor's card data among it, long after the connection has ended.
fn detach(headers: &mut HeaderMap) {
    let mut own = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter() {
        // What was a value is one again.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            own.append(name.clone(), value);
        }
    }
    *headers = own;
}

/// The method as a label; there are two of them at our doors.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "other",
    }
}
