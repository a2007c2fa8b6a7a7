//! Who calls. A handler that wants the services has to take a caller, and a caller exists only for those who showed a
//! session or a certificate (or for the few paths that are open to strangers, and there within a rate limit).
//!
//! One extractor for each door does everything in the contract's order; the body is still unread when the handler begins,
//! so that ownership is judged before it.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use ring::digest::{SHA256, digest};
use shared::mtls::identity::{Identity, Name};
use shared::vault_api::Actor;

pub use super::call::Call;
use super::header::single;
use crate::domain::installation::InstallationId;
use crate::domain::lock::Party;
use crate::domain::user::{User, UserId};
use crate::error::{Code, Error};
use crate::flows::begin_session::has_form_of_token;
use crate::flows::cards::CardCaller;
use crate::flows::partners::admit::admit;
use crate::store::audit::Stamp;
use crate::store::{idempotency, sessions, users};

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
            stamp: None,
            scope,
        }
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
    /// What an operator's action is called in the audit trail; none on other channels.
    pub stamp: Option<Stamp>,
    scope: String,
}

impl Customer {
    /// An operator about a customer; `scope` names the operator.
    pub(super) const fn of_operator(
        call: Call,
        user: User,
        actor: Actor,
        stamp: Stamp,
        scope: String,
    ) -> Self {
        Self {
            call,
            user,
            party: Party::Operator,
            actor,
            stamp: Some(stamp),
            scope,
        }
    }

    /// Who asks about the customer's cards, and by which rules.
    ///
    /// # Errors
    /// When the customer's program is not configured any more.
    pub(super) fn card_caller(&self) -> Result<CardCaller, Error> {
        let caller = CardCaller::new(self.services(), self.user.clone(), self.party, self.actor.clone())?;
        Ok(caller.stamped(self.stamp.clone()))
    }

    /// The header `Holder-Proof`, passed on as it is. An operator has none: what a proof opens is never an operator's to
    /// see, so the header is not even looked at.
    ///
    /// # Errors
    /// As [`Call::holder_proof`].
    pub fn holder_proof(&self) -> Result<Option<String>, Error> {
        match self.party {
            Party::Operator => Ok(None),
            Party::User | Party::Partner | Party::Processor => self.call.holder_proof(),
        }
    }

    /// Scopes a request to the caller.
    #[must_use]
    pub fn scoped(&self, request: idempotency::Request) -> idempotency::Request {
        scoped_to(&self.scope, request)
    }
}

pub(super) fn scoped_to(caller: &str, mut request: idempotency::Request) -> idempotency::Request {
    request.scope = format!("{caller} {}", request.scope);
    request
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
        let slot = if self.call.has("userId") {
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
        self.call.actor_of(self.scope(), None)
    }

    /// Scopes a request to this partner.
    #[must_use]
    pub fn scoped(&self, request: idempotency::Request) -> idempotency::Request {
        scoped_to(&self.scope(), request)
    }

    fn scope(&self) -> String {
        format!("partner:{}", self.partner)
    }

    /// The partner about the user whom the path names.
    ///
    /// # Errors
    /// As [`PartnerCall::customer`].
    pub async fn into_customer(self) -> Result<Customer, Error> {
        let (user, actor, scope) = (self.customer().await?, self.actor(), self.scope());
        Ok(Customer {
            call: self.call,
            user,
            party: Party::Partner,
            actor,
            stamp: None,
            scope,
        })
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
            let token_hash = hash_of_token(&call, has_form_of_token)?;
            let services = call.services();
            let mut read = services.db.read().await?;
            let found = sessions::find(&mut read, &token_hash, services.now()).await?;
            drop(read);
            let Some(session) = found else {
                // Whoever tries tokens out is a stranger.
                call.rates().anonymous.check(&call.address()?)?;
                return Err(Code::SessionRequired.into());
            };
            Ok(Self {
                call,
                session,
                token_hash,
            })
        })
    }
}

/// The hash of the session token that came along.
///
/// # Errors
/// `SESSION_REQUIRED` when there is none, or it has not the form of one.
pub(super) fn hash_of_token(call: &Call, has_form: fn(&str) -> bool) -> Result<[u8; 32], Error> {
    let token = single(call.headers(), AUTHORIZATION.as_str())
        .ok()
        .flatten()
        .and_then(|value| bearer_token(value, has_form))
        .ok_or(Code::SessionRequired)?;
    let mut token_hash = [0; 32];
    token_hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    Ok(token_hash)
}

/// The token of `Bearer <token>` (RFC 6750 §2.1; the scheme's case does not matter), if it can be one of ours.
fn bearer_token(value: &str, has_form: fn(&str) -> bool) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && has_form(token)).then_some(token)
}

impl FromRequest for PartnerCall {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Call::new(request, payload);
        Box::pin(async move {
            let call = call?;
            let peer = call.peer().ok_or(Code::CertificateRequired)?;
            let Identity::Partner(partner) = &peer.identity else {
                return Err(Code::NotAPartner.into());
            };
            admit(call.services(), partner, &peer, call.peer_address()?).await?;
            Ok(Self {
                partner: partner.clone(),
                call,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_token_of_ours_is_looked_up() {
        let token = format!("ses_{}", "a".repeat(43));
        for scheme in ["Bearer", "bearer"] {
            let value = format!("{scheme} {token}");
            assert_eq!(bearer_token(&value, has_form_of_token), Some(token.as_str()));
        }
        for bad in [
            token.clone(),
            format!("Basic {token}"),
            format!("Bearer {token}a"),
            "Bearer ses_".to_owned(),
        ] {
            assert_eq!(bearer_token(&bad, has_form_of_token), None, "{bad}");
        }
    }
}
