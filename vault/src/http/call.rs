//! One request that was let in: who calls, what the path and the body say, and the vault to act on. There is no other way
//! from a handler to the vault.

use std::future::Future;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::http::body::{BodyError, read_body};
use shared::http::json::{JsonError, parse_json};
use shared::ids::IdempotencyKey;
use shared::mtls::actix::peer;
use shared::mtls::identity::{Identity, Role};
use shared::mtls::peer::{Peer, SpkiThumbprint};
use shared::problem::TraceId;
use shared::vault_api::{Actor, IDEMPOTENCY_KEY};
use zeroize::Zeroizing;

use super::trace::trace_of;
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::observe::Refusal;
use crate::open_vault::OpenVault;
use crate::process::Process;

/// The largest body: a request with a payload of 8 KiB, a proof with its certificates and the gateway's members fits.
pub const MOST_BODY_BYTES: usize = 64 * 1024;
/// A body of that size takes milliseconds between two machines of one zone.
pub const BODY_TIME: Duration = Duration::from_secs(10);
/// No request nests deeper than a proposal's program and its budgets.
const MOST_DEPTH: usize = 12;
/// Longest text that an actor's members may have.
const MOST_ACTOR_BYTES: usize = 128;

/// Which roles a door is for.
pub trait Permission: 'static {
    /// The roles that may enter.
    const ROLES: &'static [Role];
    /// Whether the caller must be in the register, with this key. All but the doors that tell nothing of anybody.
    const REGISTERED: bool = true;
}

/// The gateway alone.
pub struct ForGateway;
impl Permission for ForGateway {
    const ROLES: &'static [Role] = &[Role::Gateway];
}

/// Officers alone.
pub struct ForOfficers;
impl Permission for ForOfficers {
    const ROLES: &'static [Role] = &[Role::Officer];
}

/// Officers and auditors: reading.
pub struct ForOverseers;
impl Permission for ForOverseers {
    const ROLES: &'static [Role] = &[Role::Officer, Role::Auditor];
}

/// Auditors alone.
pub struct ForAuditors;
impl Permission for ForAuditors {
    const ROLES: &'static [Role] = &[Role::Auditor];
}

/// Issuing processors.
pub struct ForProcessors;
impl Permission for ForProcessors {
    const ROLES: &'static [Role] = &[Role::Processor];
}

/// Personalisation bureaus.
pub struct ForBureaus;
impl Permission for ForBureaus {
    const ROLES: &'static [Role] = &[Role::Bureau];
}

/// The gateway and officers: erasing.
pub struct ForGatewayAndOfficers;
impl Permission for ForGatewayAndOfficers {
    const ROLES: &'static [Role] = &[Role::Gateway, Role::Officer];
}

/// Every certificate of the internal CA: what is public anyway.
pub struct ForAnyone;
impl Permission for ForAnyone {
    const ROLES: &'static [Role] = &Role::ALL;
    const REGISTERED: bool = false;
}

/// A request that was let in by `P`.
pub struct Call<P: Permission> {
    /// The unlocked vault.
    pub vault: Arc<OpenVault>,
    /// Who calls.
    pub caller: Identity,
    /// The key of the caller's certificate.
    pub key: SpkiThumbprint,
    trace: TraceId,
    from: Option<IpAddr>,
    request: HttpRequest,
    body: Option<web::Payload>,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequest for Call<P> {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, body) = (
            request.clone(),
            web::Payload::from_request(request, payload).into_inner(),
        );
        Box::pin(async move {
            let body = body?;
            let trace = trace_of(&request);
            match admit::<P>(&request).await {
                Ok((vault, caller, key)) => {
                    let from = request.peer_addr().map(|address| address.ip());
                    Ok(Self {
                        vault,
                        caller,
                        key,
                        trace,
                        from,
                        request,
                        body: Some(body),
                        permission: PhantomData,
                    })
                }
                Err(error) => Err(refused(&error, trace)),
            }
        })
    }
}

/// Role, then lock, then register: a stranger learns nothing of the vault's state.
///
/// # Errors
/// [`Error::RoleForbidden`], [`Error::Locked`] (for a permitted role), [`Error::NotRegistered`].
pub async fn admit<P: Permission>(
    request: &HttpRequest,
) -> Result<(Arc<OpenVault>, Identity, SpkiThumbprint), Error> {
    let process = request.app_data::<web::Data<Process>>();
    let process = process.ok_or_else(|| Error::Internal("no process".to_owned()))?;
    let peer = peer(request).ok_or(Error::CertificateEnded)?;
    let permitted = P::ROLES.contains(&peer.identity.role());
    let vault = match process.open_vault() {
        Err(error) if permitted => return Err(error),
        Err(_) => return Err(Error::RoleForbidden),
        Ok(vault) => vault,
    };
    let refusal = if !permitted {
        Some(Error::RoleForbidden)
    } else if P::REGISTERED && !vault.registers().knows(&peer.identity, &peer.key) {
        Some(Error::NotRegistered)
    } else {
        None
    };
    let Some(refusal) = refusal else {
        return Ok((vault, peer.identity.clone(), peer.key));
    };
    let event = denied(&vault, request, &peer);
    vault.audited(event, async |_| Err(refusal)).await
}

fn denied(vault: &OpenVault, request: &HttpRequest, peer: &Peer) -> Event {
    let mut event = Event::done(Operation::Denied, vault.surroundings.clock.now());
    event.caller = Some(peer.identity.clone());
    event.from = request.peer_addr().map(|address| address.ip());
    event.note = request.match_pattern();
    event
}

impl<P: Permission> Call<P> {
    /// A part of the path.
    ///
    /// # Errors
    /// [`Error::NotFound`]: what is no token names nothing.
    pub fn path<T: FromStr>(&self, name: &'static str) -> Result<T, Error> {
        let part = self
            .request
            .match_info()
            .get(name)
            .and_then(|part| part.parse().ok());
        part.ok_or(Error::NotFound(name))
    }

    /// A number from the query, or its default.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn query_number(&self, name: &'static str, default: u64) -> Result<u64, Error> {
        Ok(self.given_number(name)?.unwrap_or(default))
    }

    /// A number that the query must hold.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn needed_number(&self, name: &'static str) -> Result<u64, Error> {
        let missing = || Error::Malformed(format!("The query needs {name}.").into());
        self.given_number(name)?.ok_or_else(missing)
    }

    fn given_number(&self, name: &str) -> Result<Option<u64>, Error> {
        let query =
            web::Query::<std::collections::HashMap<String, String>>::from_query(self.request.query_string());
        let query = query.map_err(|_| Error::Malformed("The query cannot be read.".into()))?;
        let number = query.get(name).map(|text| text.parse()).transpose();
        number.map_err(|_| Error::Malformed("A query value is no number.".into()))
    }

    /// The key that makes the mutation repeatable.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is missing or malformed.
    pub fn idempotency_key(&self) -> Result<IdempotencyKey, Error> {
        let header = self
            .request
            .headers()
            .get(IDEMPOTENCY_KEY)
            .and_then(|value| value.to_str().ok());
        let key = header.and_then(|text| text.parse().ok());
        key.ok_or(Error::Malformed(
            "The header Idempotency-Key is needed: 1 to 255 visible characters.".into(),
        ))
    }

    /// The body, wiped when dropped.
    ///
    /// # Errors
    /// Too large or too slow.
    pub async fn bytes(&mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let body = self
            .body
            .take()
            .ok_or_else(|| Error::Internal("the body was read before".to_owned()))?;
        read_body(&self.request, body, MOST_BODY_BYTES, BODY_TIME)
            .await
            .map_err(body_error)
    }

    /// The body as it arrives, for a door that bounds it by itself.
    ///
    /// # Errors
    /// It was read before.
    pub fn stream(&mut self) -> Result<web::Payload, Error> {
        let read = || Error::Internal("the body was read before".to_owned());
        self.body.take().ok_or_else(read)
    }

    /// The body as JSON of one shape.
    ///
    /// # Errors
    /// Too large, too slow, not JSON, not of the shape.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let bytes = self.bytes().await?;
        parse_json(&bytes, MOST_DEPTH).map_err(json_error)
    }

    /// The event of this call.
    ///
    /// # Errors
    /// The actor's members are too long.
    pub fn event(&self, operation: Operation, actor: Option<&Actor>) -> Result<Event, Error> {
        if actor.is_some_and(is_too_long) {
            return Err(Error::Malformed("The actor's members are too long.".into()));
        }
        let mut event = Event::done(operation, self.vault.surroundings.clock.now());
        event.caller = Some(self.caller.clone());
        event.from = self.from;
        event.actor = actor.cloned();
        Ok(event)
    }

    /// Writes down that something was read.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_register(&self, what: &str) -> Result<(), Error> {
        let mut event = self.event(Operation::ReadRegister, None)?;
        event.note = Some(what.to_owned());
        self.vault.commit(event, |_, _| Ok(())).await
    }

    /// Renders how the call ended.
    pub fn answer<T: Serialize>(&self, status: StatusCode, result: Result<T, Error>) -> HttpResponse {
        match result {
            Ok(value) => HttpResponse::build(status)
                .insert_header(("Cache-Control", "no-store"))
                .json(value),
            Err(error) => problem(&error, self.trace),
        }
    }
}

fn is_too_long(actor: &Actor) -> bool {
    let members = [&actor.subject, &actor.device, &actor.trace_id];
    members
        .into_iter()
        .flatten()
        .any(|text| text.len() > MOST_ACTOR_BYTES)
}

/// A body that could not be read, as an error of ours.
pub fn body_error(error: BodyError) -> Error {
    match error {
        BodyError::TooLarge { .. } => Error::BodyTooLarge,
        BodyError::TooSlow { .. } => Error::BodyTooSlow,
        BodyError::Broken => Error::Malformed("The body is not complete.".into()),
    }
}

/// A text that is no request, as an error of ours. The parser names members and places, never values.
pub fn json_error(error: JsonError) -> Error {
    Error::Malformed(error.to_string().into())
}

/// Logs what the caller is not told, and renders the rest. How it was refused stays with the answer, to be counted.
pub fn problem(error: &Error, trace: TraceId) -> HttpResponse {
    if error.is_refusal() {
        tracing::info!(%trace, code = error.status_and_code().1, "refused");
    } else if matches!(error, Error::Locked | Error::Busy) {
        tracing::warn!(%trace, code = error.status_and_code().1, "not served");
    } else {
        tracing::error!(%trace, %error, "failed");
    }
    let mut answer = error.problem(trace).respond();
    answer.extensions_mut().insert(Refusal {
        code: error.status_and_code().1,
        budget: error.budget(),
    });
    answer
}

fn refused(error: &Error, trace: TraceId) -> actix_web::Error {
    actix_web::error::InternalError::from_response("refused", problem(error, trace)).into()
}
