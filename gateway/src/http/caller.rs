//! Who calls. A handler that wants the services has to take a caller, and a caller exists only for those who showed a
//! session or a certificate (or for the few paths that are open to strangers, and there within a rate limit).
//!
//! One extractor for each door does everything in the contract's order; the body is still unread when the handler begins,
//! so that ownership is judged before it.

use std::future::Future;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, HttpRequest};
use ring::digest::{Context, SHA256, digest};
use shared::http::body::{BodyError, read_body};
use shared::ids::IdempotencyKey;
use shared::mtls::identity::{Identity, Name};
use shared::problem::TraceId;
use shared::public_key::PublicKey;
use shared::vault_api::{Actor, Channel, HOLDER_PROOF, IDEMPOTENCY_KEY};
use zeroize::Zeroizing;

use super::body::Fields;
use super::enc::{Enc, EncBody};
use super::header::single;

use super::trace::trace_of;
use crate::domain::installation::InstallationId;
use crate::domain::lock::Party;
use crate::domain::number::parse_number;
use crate::domain::user::{User, UserId};
use crate::error::{Code, Error};
use crate::rates::{Rates, counted};
use crate::services::Services;
use crate::store::{idempotency, sessions, users};

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

/// A stranger on a path that is open to strangers.
pub struct OpenCall(Call);

/// A user with a session.
pub struct UserCall {
    call: Call,
    session: sessions::Session,
    token_hash: [u8; 32],
}

/// A partner's server with a client certificate.
pub struct PartnerCall {
    call: Call,
    partner: Name,
}

impl Call {
    fn new(request: &HttpRequest, payload: &mut Payload) -> Result<Self, Error> {
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

    /// The address that limits count. That of the connection: a header that a proxy sets, a client can set too.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn address(&self) -> Result<IpAddr, Error> {
        let peer = self
            .request
            .peer_addr()
            .ok_or_else(|| Error::internal("the connection has no address"))?;
        Ok(counted(peer.ip()))
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

    /// The query string; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.request.query_string()
    }

    /// The headers of an encrypted endpoint.
    ///
    /// # Errors
    /// `ENCRYPTION_REQUIRED`, `INVALID_PUBLIC_KEY`.
    pub fn enc(&self) -> Result<Enc, Error> {
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

    /// Reads the body. `None` when there is none.
    ///
    /// # Errors
    /// Too large, too slow, or another media type than JSON.
    pub async fn bytes(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let payload = self
            .payload
            .take()
            .ok_or_else(|| Error::internal("the body was read before"))?;
        let limits = &self.behind.services.config.limits;
        let body = read_body(
            &self.request,
            payload,
            limits.body_bytes,
            Duration::from_secs(limits.body_seconds),
        )
        .await
        .map_err(|error| match error {
            BodyError::TooLarge { .. } => Code::BodyTooLarge,
            BodyError::TooSlow { .. } => Code::BodyTooSlow,
            BodyError::Broken => Code::MalformedJson,
        })?;
        if body.is_empty() {
            return Ok(None);
        }
        let media_type = single(self.request.headers(), CONTENT_TYPE.as_str())?
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
        if media_type {
            Ok(Some(body))
        } else {
            Err(Code::UnsupportedMediaType.into())
        }
    }

    /// Reads a body that must be there, or whose members are all optional.
    ///
    /// # Errors
    /// As [`Call::bytes`], and `MALFORMED_JSON`.
    pub async fn fields(&mut self) -> Result<(Fields, idempotency::Request), Error> {
        let body = self.bytes().await?;
        let request = self.idempotency(body.as_deref().map_or(&[], Vec::as_slice), None)?;
        let fields = body.map_or_else(|| Ok(Fields::empty()), |body| Fields::read(&body))?;
        Ok((fields, request))
    }

    /// Reads the body of an encrypted endpoint.
    ///
    /// # Errors
    /// As [`Call::fields`], and `INVALID_PAYLOAD`.
    pub async fn enc_body(&mut self, enc: &Enc) -> Result<(EncBody, idempotency::Request), Error> {
        let body = self.bytes().await?;
        let request = self.idempotency(body.as_deref().map_or(&[], Vec::as_slice), Some(&enc.public_key))?;
        let fields = body.map(|body| Fields::read(&body)).transpose()?;
        Ok((EncBody::of(enc.encrypted, fields)?, request))
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
            _ => Channel::Customers,
        }
    }

    fn actor_of(&self, subject: String, device: Option<String>) -> Actor {
        Actor {
            channel: self.channel(),
            subject: Some(subject),
            device,
            trace_id: Some(self.trace.to_string()),
        }
    }
}

impl OpenCall {
    /// For whom the vault is told that we act: the user that a secret of the request named.
    #[must_use]
    pub fn actor(&self, user: UserId) -> Actor {
        self.0.actor_of(format!("user:{}", user.0), None)
    }
}

impl UserCall {
    /// The user of the session.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.session.user
    }

    /// The installation of the session.
    #[must_use]
    pub const fn installation(&self) -> InstallationId {
        self.session.installation
    }

    /// By which the session's row is found.
    #[must_use]
    pub const fn token_hash(&self) -> &[u8; 32] {
        &self.token_hash
    }

    /// For whom the vault is told that we act.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let device = format!("installation:{}", self.session.installation.0);
        self.call
            .actor_of(format!("user:{}", self.session.user.id.0), Some(device))
    }
}

impl UserCall {
    /// The user about themselves.
    #[must_use]
    pub fn into_customer(self) -> Customer {
        let actor = self.actor();
        let scope = format!("user:{}", self.session.user.id.0);
        Customer {
            call: self.call,
            user: self.session.user,
            party: Party::User,
            actor,
            scope,
        }
    }
}

impl PartnerCall {
    /// The partner about the user whom the path names.
    ///
    /// # Errors
    /// As [`PartnerCall::customer`].
    pub async fn into_customer(self) -> Result<Customer, Error> {
        let (user, actor) = (self.customer().await?, self.actor());
        let scope = format!("partner:{}", self.partner);
        Ok(Customer {
            call: self.call,
            user,
            party: Party::Partner,
            actor,
            scope,
        })
    }
}

/// A call about one customer's things, by whichever door it came: what the two channels have in common.
pub struct Customer {
    call: Call,
    /// Whose things they are.
    pub user: User,
    /// Who asks.
    pub party: Party,
    /// For whom the vault is told that we act.
    pub actor: Actor,
    scope: String,
}

impl Customer {
    /// Scopes a request to the caller.
    #[must_use]
    pub fn scoped(&self, mut request: idempotency::Request) -> idempotency::Request {
        request.scope = format!("{} {}", self.scope, request.scope);
        request
    }
}

impl PartnerCall {
    /// The partner of the certificate.
    #[must_use]
    pub const fn partner(&self) -> &Name {
        &self.partner
    }

    /// The user that the path names as `{customerId}` or `{userId}`.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is none, or it is another partner's.
    pub async fn customer(&self) -> Result<User, Error> {
        let slot = if self.call.request.match_info().get("userId").is_some() {
            "userId"
        } else {
            "customerId"
        };
        let id = UserId(self.call.number(slot)?);
        let mut read = self.call.services().db.read().await?;
        users::find_of_partner(&mut read, &self.partner, id)
            .await?
            .ok_or_else(|| Code::NotFound.into())
    }

    /// For whom the vault is told that we act.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.call.actor_of(format!("partner:{}", self.partner), None)
    }

    /// Scopes a request to this partner.
    #[must_use]
    pub fn scoped(&self, mut request: idempotency::Request) -> idempotency::Request {
        request.scope = format!("partner:{} {}", self.partner, request.scope);
        request
    }
}

macro_rules! is_a_call {
    ($caller:ident, $field:tt) => {
        impl Deref for $caller {
            type Target = Call;
            fn deref(&self) -> &Call {
                &self.$field
            }
        }
        impl DerefMut for $caller {
            fn deref_mut(&mut self) -> &mut Call {
                &mut self.$field
            }
        }
    };
}

is_a_call!(OpenCall, 0);
is_a_call!(UserCall, call);
is_a_call!(PartnerCall, call);
is_a_call!(Customer, call);

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

impl FromRequest for OpenCall {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Call::new(request, payload);
        Box::pin(async move {
            let call = call?;
            call.rates().anonymous.check(&call.address()?)?;
            Ok(Self(call))
        })
    }
}

impl FromRequest for UserCall {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Call::new(request, payload);
        Box::pin(async move {
            let call = call?;
            let token = single(call.request.headers(), AUTHORIZATION.as_str())
                .ok()
                .flatten()
                .and_then(bearer_token)
                .ok_or(Code::SessionRequired)?;
            let mut token_hash = [0; 32];
            token_hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
            let services = call.services();
            let mut read = services.db.read().await?;
            let session = sessions::find(&mut read, &token_hash, services.now())
                .await?
                .ok_or(Code::SessionRequired)?;
            Ok(Self {
                call,
                session,
                token_hash,
            })
        })
    }
}

/// The token of `Bearer <token>` (RFC 6750 §2.1; the scheme's case does not matter).
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= 128).then_some(token)
}

impl FromRequest for PartnerCall {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Call::new(request, payload);
        Box::pin(async move {
            let call = call?;
            let peer = shared::mtls::actix::peer(&call.request).ok_or(Code::CertificateRequired)?;
            let Identity::Partner(partner) = &peer.identity else {
                return Err(Code::NotAPartner.into());
            };
            if call.services().config.default_program(partner).is_none() {
                return Err(Code::NotAPartner.into());
            }
            Ok(Self {
                partner: partner.clone(),
                call,
            })
        })
    }
}
