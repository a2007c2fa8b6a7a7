//! What every caller has: the request, its body still unread, and the services behind the door.
//!
//! A [`Call`] is made within `http::caller` only, once it is known who calls.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::rt::time::timeout;
use actix_web::web::Bytes;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use ring::digest::{Context, SHA256, digest};
use shared::http::body::{BodyError, read_body};
use shared::ids::IdempotencyKey;
use shared::mtls::peer::Peer;
use shared::problem::TraceId;
use shared::public_key::PublicKey;
use shared::vault_api::{Actor, Channel, HOLDER_PROOF, IDEMPOTENCY_KEY};
use zeroize::Zeroizing;

use super::body::Fields;
use super::enc::{Enc, EncBody};
use super::header::single;
use super::trace::trace_of;
use crate::domain::number::parse_number;
use crate::error::{Code, Error};
use crate::rates::{Rates, counted};
use crate::services::Services;
use crate::store::idempotency;

/// Longest `Holder-Proof`: a partner's carries its certificate chain.
const HOLDER_PROOF_MAX: usize = 8 * 1024;

/// What stands behind the doors. Private: handlers cannot name it and so cannot reach the services past a caller.
struct Behind {
    services: Arc<Services>,
    rates: Arc<Rates>,
}

/// Makes the services reachable for callers, and for nobody else.
pub(super) fn install(config: &mut ServiceConfig, services: &Arc<Services>, rates: &Arc<Rates>) {
    let behind = Behind {
        services: Arc::clone(services),
        rates: Arc::clone(rates),
    };
    config.app_data(web::Data::new(behind));
}

/// What every caller has: the request, its body still unread, and what stands behind the door.
pub struct Call {
    behind: web::Data<Behind>,
    request: HttpRequest,
    payload: Option<web::Payload>,
    trace: TraceId,
}

impl Call {
    pub(super) fn new(request: &HttpRequest, payload: &mut Payload) -> Result<Self, Error> {
        let behind = request
            .app_data::<web::Data<Behind>>()
            .ok_or_else(|| Error::internal("the services are not installed"))?
            .clone();
        let trace = trace_of(request).ok_or_else(|| Error::internal("the request has no trace"))?;
        let payload = web::Payload::from_request(request, payload)
            .into_inner()
            .map_err(|_| Error::internal("the body cannot be taken"))?;
        Ok(Self {
            behind,
            request: request.clone(),
            payload: Some(payload),
            trace,
        })
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The holder of the client certificate, on the listener that asks for one.
    pub(super) fn peer(&self) -> Option<Arc<Peer>> {
        shared::mtls::actix::peer(&self.request)
    }

    /// Whether the route's pattern has `{name}`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.request.match_info().get(name).is_some()
    }

    /// What flows work with.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.behind.services
    }

    /// How often somebody may ask.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.behind.rates
    }

    /// The request's trace.
    #[must_use]
    pub const fn trace(&self) -> TraceId {
        self.trace
    }

    /// The address of the other end of the connection.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn peer_address(&self) -> Result<IpAddr, Error> {
        let peer = self.request.peer_addr();
        peer.map(|peer| peer.ip())
            .ok_or_else(|| Error::internal("the connection has no address"))
    }

    /// The address that limits count. That of the connection: a header that a proxy sets, a client can set too.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn address(&self) -> Result<IpAddr, Error> {
        self.peer_address().map(counted)
    }

    /// A number of the path, as `{name}` of the route.
    ///
    /// # Errors
    /// `NOT_FOUND` for anything that is no number in range.
    pub fn number(&self, name: &str) -> Result<i64, Error> {
        self.request
            .match_info()
            .get(name)
            .and_then(parse_number)
            .ok_or_else(|| Code::NotFound.into())
    }

    /// A text of the path, as `{name}` of the route.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.request.match_info().get(name)
    }

    /// The query string; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.request.query_string()
    }

    /// The headers of an encrypted endpoint, by what the contract allows. Doors ask `CardCall::enc`, which knows the partner's
    /// rules too; by this name none takes the one for the other.
    ///
    /// # Errors
    /// `ENCRYPTION_REQUIRED`, `INVALID_PUBLIC_KEY`.
    pub(super) fn enc_by_contract(&self) -> Result<Enc, Error> {
        Enc::of(self.request.headers())
    }

    /// The header `Holder-Proof`, passed on as it is: only the vault judges it.
    ///
    /// # Errors
    /// `HOLDER_PROOF_INVALID` when it is too long, comes twice or is no text.
    pub fn holder_proof(&self) -> Result<Option<String>, Error> {
        match single(self.request.headers(), HOLDER_PROOF) {
            Ok(None) => Ok(None),
            Ok(Some(proof)) if proof.len() <= HOLDER_PROOF_MAX => Ok(Some(proof.to_owned())),
            Ok(Some(_)) | Err(_) => Err(Code::HolderProofInvalid.into()),
        }
    }

    /// The header `Idempotency-Key`.
    ///
    /// # Errors
    /// `INVALID_HEADER` when it comes twice or is not 1 to 255 visible ASCII characters.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Error> {
        single(self.request.headers(), IDEMPOTENCY_KEY)?
            .map(|key| key.parse().map_err(|_| Code::InvalidHeader.into()))
            .transpose()
    }

    /// Reads the body, as small as all but documents are. `None` when there is none.
    async fn small(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let limits = &self.behind.services.config.limits;
        let (limit, within) = (limits.body_bytes, Duration::from_secs(limits.body_seconds));
        self.bytes(limit, within).await
    }

    async fn bytes(&mut self, limit: usize, within: Duration) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let payload = self
            .payload
            .take()
            .ok_or_else(|| Error::internal("the body was read before"))?;
        let body = read_body(&self.request, payload, limit, within)
            .await
            .map_err(|error| match error {
                BodyError::TooLarge { .. } => Code::BodyTooLarge,
                BodyError::TooSlow { .. } => Code::BodyTooSlow,
                BodyError::Broken => Code::MalformedJson,
            })?;
        Ok(Some(body).filter(|body| !body.is_empty()))
    }

    /// Whether the body says of itself that it is JSON.
    fn says_json(&self) -> Result<(), Error> {
        let media_type = single(self.request.headers(), CONTENT_TYPE.as_str())?
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
        if media_type {
            Ok(())
        } else {
            Err(Code::UnsupportedMediaType.into())
        }
    }

    /// Reads a body that must be there, or whose members are all optional.
    ///
    /// # Errors
    /// Too large, too slow, another media type than JSON, or `MALFORMED_JSON`.
    pub async fn fields(&mut self) -> Result<(Fields, idempotency::Request), Error> {
        let body = self.small().await?;
        if body.is_some() {
            self.says_json()?;
        }
        let request = self.idempotency(body.as_deref().map_or(&[], Vec::as_slice), None)?;
        let fields = body.map_or_else(|| Ok(Fields::empty()), |body| Fields::read(&body))?;
        Ok((fields, request))
    }

    /// Reads the body of an encrypted endpoint.
    ///
    /// # Errors
    /// As [`Call::fields`]; `INVALID_PAYLOAD` for whatever is announced as sealed and is not.
    pub async fn enc_body(&mut self, enc: &Enc) -> Result<(EncBody, idempotency::Request), Error> {
        let body = self.small().await?;
        let request = self.idempotency(body.as_deref().map_or(&[], Vec::as_slice), Some(&enc.public_key))?;
        let fields = match body {
            Some(body) => self.says_json().and_then(|()| Fields::read(&body)).map(Some),
            None => Ok(None),
        };
        Ok((EncBody::of(enc.encrypted, fields)?, request))
    }

    /// Reads a body as it is, for whoever judges its signature first. Empty when there is none.
    ///
    /// # Errors
    /// Too large, too slow, or broken off.
    pub async fn raw(&mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(self.small().await?.unwrap_or_default())
    }

    /// Reads a body that is a document: at most `limit` bytes, within `within`. It is kept apart from the small bodies of all
    /// other doors.
    ///
    /// # Errors
    /// Too large, too slow, or broken off.
    pub async fn document(
        &mut self,
        limit: usize,
        within: Duration,
    ) -> Result<(Zeroizing<Vec<u8>>, idempotency::Request), Error> {
        let body = self.bytes(limit, within).await?.unwrap_or_default();
        let mut request = self.idempotency(&body, None)?;
        // What the query and the type say of the bytes is part of what was asked for.
        let said = single(self.request.headers(), CONTENT_TYPE.as_str())?.unwrap_or_default();
        let mut context = Context::new(&SHA256);
        for part in [
            &request.fingerprint,
            self.query().as_bytes(),
            b"\0",
            said.as_bytes(),
        ] {
            context.update(part);
        }
        request.fingerprint.copy_from_slice(context.finish().as_ref());
        Ok((body, request))
    }

    /// Takes the body, to be read part by part: at most `limit` bytes, each part within the time of a whole small body.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn parts(&mut self, limit: u64) -> Result<BodyParts, Error> {
        let payload = self
            .payload
            .take()
            .ok_or_else(|| Error::internal("the body was read before"))?;
        Ok(BodyParts {
            payload,
            within: Duration::from_secs(self.behind.services.config.limits.body_seconds),
            left: limit,
        })
    }

    /// Names a request whose body was read part by part; `digest` is the body's SHA-256.
    ///
    /// # Errors
    /// As [`Call::idempotency_key`].
    pub fn streamed(&self, digest: &[u8; 32]) -> Result<idempotency::Request, Error> {
        // What the query says of the body is part of what was asked for.
        self.idempotency(&[digest, self.query().as_bytes()].concat(), None)
    }

    /// Names the request for the memory of answered requests. Its scope still lacks the caller: see [`Scoped`].
    fn idempotency(&self, body: &[u8], key: Option<&PublicKey>) -> Result<idempotency::Request, Error> {
        let mut context = Context::new(&SHA256);
        context.update(digest(&SHA256, body).as_ref());
        if let Some(key) = key {
            context.update(key.thumbprint().as_bytes());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        Ok(idempotency::Request {
            scope: format!("{} {}", self.request.method(), self.request.path()),
            key: self.idempotency_key()?.map(String::from),
            fingerprint,
        })
    }

    fn channel(&self) -> Channel {
        match self.request.path().split('/').nth(1) {
            Some("secure") => Channel::Secure,
            Some("lifecycle") => Channel::Lifecycle,
            Some("admin") => Channel::Admin,
            _ => Channel::Customers,
        }
    }

    pub(super) fn actor_of(&self, subject: String, device: Option<String>) -> Actor {
        Actor {
            channel: self.channel(),
            subject: Some(subject),
            device,
            trace_id: Some(self.trace.to_string()),
        }
    }
}

/// A body that is read part by part.
pub struct BodyParts {
    payload: web::Payload,
    within: Duration,
    left: u64,
}

impl BodyParts {
    /// The next part, as long as the connection gives it at once; none at the end.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE`; `BODY_TOO_SLOW`; `MALFORMED_JSON` for a body that breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let part = match timeout(self.within, self.payload.next()).await {
            Err(_) => return Err(Code::BodyTooSlow.into()),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Code::MalformedJson.into()),
            Ok(Some(Ok(part))) => part,
        };
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(Code::BodyTooLarge)?;
        Ok(Some(part))
    }
}
