//! A scene in which money moves: two users of one partner, and the steps that are taken there.

use shared::money::{Currency, Money};

use super::super::clear::{Cleared, clear};
use super::super::expire::expire;
use super::super::hold::{NewHold, hold};
use super::super::refund::{NewRefund, refund};
use super::super::void::void;
use super::super::{About, Chain, Side, carry, outside};
use crate::domain::balance::BalanceId;
use crate::domain::ledger::{AccountKind, Amount, Sums, TransferId, plan};
use crate::domain::partner_balance::PartnerBalanceId;
use crate::domain::user::User;
use crate::error::Error;
use crate::services::Services;
use crate::store::ledger::accounts;
use crate::store::ledger::transfers::{self, Filter, Transaction};
use crate::store::tests::people;
use crate::store::{balances, partner_balances, users};

/// Two users of one partner, each with a balance in euro, and the partner's credit balance; all empty.
pub(crate) struct Scene {
    pub(crate) users: [User; 2],
    pub(crate) balances: [BalanceId; 2],
    pub(crate) credit: PartnerBalanceId,
}

pub(crate) fn euro(minor: i64) -> Money {
    Money {
        minor,
        currency: Currency::EUR,
    }
}

fn amount(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

impl Scene {
    pub(crate) async fn set(services: &Services) -> Self {
        let program = "demo-eur".parse().unwrap();
        let mut found = Vec::new();
        for holder in [1, 2] {
            let id = people::user(&services.db, "partner", holder).await;
            let mut tx = services.db.begin().await.unwrap();
            let user = users::find(&mut tx, id).await.unwrap().unwrap();
            let balance = balances::insert(&mut tx, id, &program, Currency::EUR, services.now())
                .await
                .unwrap();
            tx.commit().await.unwrap();
            found.push((user, balance.id));
        }
        let [(ada, first), (bob, second)] = found.try_into().unwrap();
        let mut tx = services.db.begin().await.unwrap();
        let owner = accounts::Owner {
            partner: &ada.partner,
            program: &program,
            currency: Currency::EUR,
        };
        let account = accounts::insert(&mut tx, owner, AccountKind::Credit, None, services.now())
            .await
            .unwrap();
        let credit = partner_balances::insert(&mut tx, account, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            users: [ada, bob],
            balances: [first, second],
            credit,
        }
    }

    /// A user's balance, and with it the company balance of the program.
    pub(crate) async fn company(services: &Services) {
        let id = people::user(&services.db, "partner", 9).await;
        let mut tx = services.db.begin().await.unwrap();
        let program = "demo-eur".parse().unwrap();
        balances::insert(&mut tx, id, &program, Currency::EUR, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    fn side(&self, user: usize) -> Side<'_> {
        Side {
            user: &self.users[user],
            balance: self.balances[user],
            program: &self.users[user].program,
            currency: Currency::EUR,
        }
    }

    /// Money comes in: a user's, or the partner's where no user is named.
    pub(crate) async fn pay_in(&self, services: &Services, user: Option<usize>, minor: i64) {
        let now = services.now();
        let mut tx = services.db.begin().await.unwrap();
        let side = self.side(user.unwrap_or(0));
        let [_, funding, _] = outside(&mut tx, side.owner(), now).await.unwrap();
        let (to, about, planned): (_, _, fn(_, _, _) -> _) = match user {
            Some(_) => {
                let account = accounts::of_balance(&mut tx, side.owner(), side.balance, now)
                    .await
                    .unwrap();
                let shown_to = Some((side.user.id, side.balance));
                (
                    account,
                    About {
                        shown_to,
                        ..About::default()
                    },
                    plan::reload,
                )
            }
            None => {
                let credit = partner_balances::find(&mut tx, self.credit)
                    .await
                    .unwrap()
                    .unwrap();
                (credit.account, About::default(), plan::partner_reload)
            }
        };
        let taken = accounts::take(&mut tx, [funding, to]).await.unwrap();
        let chain = Chain::at_once(planned(funding, to, amount(minor)), about);
        carry(&mut tx, taken, &chain, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) fn new_hold(&self, user: usize, minor: i64) -> NewHold<'_> {
        NewHold {
            user: &self.users[user],
            balance: self.balances[user],
            money: euro(minor),
            card: None,
            reference: Some("auth-1"),
            merchant: None,
            expires_at: None,
        }
    }

    pub(crate) async fn hold(&self, services: &Services, new: &NewHold<'_>) -> Result<TransferId, Error> {
        let mut tx = services.db.begin().await?;
        let held = hold(services, &mut tx, new).await?;
        tx.commit().await?;
        Ok(held)
    }

    pub(crate) async fn clear(
        &self,
        services: &Services,
        (user, held): (usize, TransferId),
        minor: i64,
    ) -> Result<Cleared, Error> {
        let mut tx = services.db.begin().await?;
        let cleared = clear(services, &mut tx, (&self.users[user], held), amount(minor)).await?;
        tx.commit().await?;
        Ok(cleared)
    }

    pub(crate) async fn void(
        &self,
        services: &Services,
        (user, held): (usize, TransferId),
    ) -> Result<TransferId, Error> {
        let mut tx = services.db.begin().await?;
        let voided = void(services, &mut tx, (&self.users[user], held)).await?;
        tx.commit().await?;
        Ok(voided)
    }

    pub(crate) async fn expire(&self, services: &Services, held: TransferId) -> Result<bool, Error> {
        let mut tx = services.db.begin().await?;
        let ended = expire(services, &mut tx, held).await?;
        tx.commit().await?;
        Ok(ended)
    }

    pub(crate) async fn refund(
        &self,
        services: &Services,
        user: usize,
        minor: i64,
    ) -> Result<TransferId, Error> {
        let new = NewRefund {
            user: &self.users[user],
            balance: self.balances[user],
            money: euro(minor),
            card: None,
            authorisation: None,
            reference: None,
            merchant: None,
        };
        let mut tx = services.db.begin().await?;
        let refunded = refund(services, &mut tx, &new).await?;
        tx.commit().await?;
        Ok(refunded)
    }

    /// What a user's balance and the partner's limit come to.
    pub(crate) async fn sums(&self, services: &Services, user: usize) -> (Sums, Sums) {
        let mut read = services.db.read().await.unwrap();
        let balance = balances::find(&mut read, self.users[user].id, self.balances[user]).await;
        let credit = partner_balances::find(&mut read, self.credit).await;
        (balance.unwrap().unwrap().sums, credit.unwrap().unwrap().sums)
    }

    /// Value and what is available, of a user and of the partner.
    pub(crate) async fn worth(&self, services: &Services, user: usize) -> [(i64, i64); 2] {
        let (user, partner) = self.sums(services, user).await;
        [user, partner].map(|sums| (sums.value().unwrap(), sums.available().unwrap()))
    }

    pub(super) async fn history(&self, services: &Services, user: usize) -> Vec<Transaction> {
        let mut read = services.db.read().await.unwrap();
        transfers::of_user(&mut read, self.users[user].id, Filter::default(), 0, 99)
            .await
            .unwrap()
    }

    /// What the platform has paid, and the scheme received, in euro.
    pub(super) async fn outside(&self, services: &Services) -> (i64, i64) {
        let mut tx = services.db.begin().await.unwrap();
        let [company, _, settlement] = outside(&mut tx, self.side(0).owner(), services.now())
            .await
            .unwrap();
        let taken = accounts::take(&mut tx, [company, settlement]).await.unwrap();
        let value = |id| {
            let account = taken.iter().find(|account| account.id == id);
            account.unwrap().sums.value().unwrap()
        };
        (-value(company), value(settlement))
    }
}
