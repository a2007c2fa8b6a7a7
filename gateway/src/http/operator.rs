//! An operator who calls. The permission is part of the caller's type: a handler that takes `OperatorCall<LockCard>` runs for
//! operators who may lock cards, and for nobody else.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use shared::vault_api::Actor;
use time::OffsetDateTime;

use super::call::Call;
use super::caller::{Customer, hash_of_token, scoped_to};
use crate::domain::balance::BalanceId;
use crate::domain::card::CardId;
use crate::domain::operator::{Operator, Permitted};
use crate::domain::user::{User, UserId};
use crate::error::{Code, Error};
use crate::flows::operators::has_form_of_token;
use crate::flows::operators::note_view::note_view;
use crate::store::audit::Stamp;
use crate::store::operator_sessions::{self, Session};
use crate::store::{balances, cards, idempotency, users};

/// An operator with a session, in a role that has the permission `P`.
pub(super) struct OperatorCall<P> {
    call: Call,
    session: Session,
    token_hash: [u8; 32],
    permission: PhantomData<P>,
}

impl<P: Permitted> OperatorCall<P> {
    /// Who calls.
    pub(super) const fn operator(&self) -> &Operator {
        &self.session.operator
    }

    /// When the session ends.
    pub(super) const fn expires_at(&self) -> OffsetDateTime {
        self.session.expires_at
    }

    /// By which the session's row is found.
    pub(super) const fn token_hash(&self) -> &[u8; 32] {
        &self.token_hash
    }

    /// What the action is called in the audit trail.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp::by(self.operator(), P::PERMISSION.as_str()).in_trace(self.call.trace())
    }

    fn name(&self) -> String {
        format!("operator:{}", self.operator().id.0)
    }

    /// For whom the vault is told that we act.
    pub(super) fn actor(&self) -> Actor {
        self.call.actor_of(self.name(), None)
    }

    /// Scopes a request to this operator.
    pub(super) fn scoped(&self, request: idempotency::Request) -> idempotency::Request {
        scoped_to(&self.name(), request)
    }

    /// A user whom this operator may know of.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is none, or it is another partner's.
    pub(super) async fn user(&self, id: UserId) -> Result<User, Error> {
        let mut read = self.call.services().db.read().await?;
        users::find(&mut read, id)
            .await?
            .filter(|user| self.operator().scope.sees(&user.partner))
            .ok_or_else(|| Code::NotFound.into())
    }

    /// The user whom the path names as `{customerId}`, or whose balance or card it names as `{balanceId}` or `{cardId}`.
    async fn customer(&self) -> Result<(User, Option<CardId>), Error> {
        if self.call.has("customerId") {
            return Ok((self.user(UserId(self.call.number("customerId")?)).await?, None));
        }
        if self.call.has("balanceId") {
            let balance = BalanceId(self.call.number("balanceId")?);
            let mut read = self.call.services().db.read().await?;
            let user = balances::owner(&mut read, balance).await?.ok_or(Code::NotFound)?;
            drop(read);
            return Ok((self.user(user).await?, None));
        }
        let card = CardId(self.call.number("cardId")?);
        let mut read = self.call.services().db.read().await?;
        let user = cards::owner(&mut read, card).await?.ok_or(Code::NotFound)?;
        drop(read);
        Ok((self.user(user).await?, Some(card)))
    }

    /// The operator about the customer whom the path names. A look at a customer's data is noted before it is shown.
    ///
    /// # Errors
    /// `NOT_FOUND` for whom the operator may not know of.
    pub(super) async fn into_customer(self) -> Result<Customer, Error> {
        let (user, card) = self.customer().await?;
        let mut stamp = self.stamp().about_user(&user);
        if let Some(card) = card {
            stamp = stamp.about_card(card);
        }
        if P::PERMISSION.only_looks() {
            note_view(self.call.services(), &stamp).await?;
        }
        let (actor, scope) = (self.actor(), self.name());
        Ok(Customer::of_operator(self.call, user, actor, stamp, scope))
    }
}

impl<P> Deref for OperatorCall<P> {
    type Target = Call;
    fn deref(&self) -> &Call {
        &self.call
    }
}

impl<P> DerefMut for OperatorCall<P> {
    fn deref_mut(&mut self) -> &mut Call {
        &mut self.call
    }
}

impl<P: Permitted> FromRequest for OperatorCall<P> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Call::new(request, payload);
        Box::pin(async move {
            let call = call?;
            let token_hash = hash_of_token(&call, has_form_of_token)?;
            let services = call.services();
            let mut read = services.db.read().await?;
            let found = operator_sessions::find(&mut read, &token_hash, services.now()).await?;
            drop(read);
            let Some(session) = found else {
                // Whoever tries tokens out is a stranger.
                call.rates().anonymous.check(&call.address()?)?;
                return Err(Code::SessionRequired.into());
            };
            if !session.operator.role.may(P::PERMISSION) {
                return Err(Code::RoleForbidden.into());
            }
            Ok(Self {
                call,
                session,
                token_hash,
                permission: PhantomData,
            })
        })
    }
}
