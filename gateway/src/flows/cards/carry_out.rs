//! Carries out work that was written down: asks the vault, then writes the effect, files the client's answer and strikes
//! the work off in one transaction.
//!
//! Run by the request itself, by its retry after a crash, and by the job. Each asks the vault in the same words under the
//! same key, so the vault acts once; the row is struck off in the transaction that writes the effect, so it is written once.

use shared::expiry::Expiry;
use shared::vault_api::cards::{IssuedCard, RenewalOrdered, SealedAnswer};
use shared::vault_api::plastic::OrderedCard;
use shared::vault_api::tokens::{TokenisedCard, TokenisedRow};

use super::{answers, effect, plastic, tokenise};
use crate::clients::vault::{Refusal, VaultError};
use crate::domain::card::{NewCard, Standing};
use crate::domain::lock::{Lock, Party};
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::services::Services;
use crate::store::audit::{self, Outcome};
use crate::store::card_creations::CreationId;
use crate::store::card_requests::{CardRequest, Task};
use crate::store::idempotency::{self, Answer};
use crate::store::{StoreError, Tx, card_requests};

/// Why work was not done.
pub(super) enum Failed {
    /// What was written down cannot be read: the vault was not asked this time.
    Unreadable(StoreError),
    /// The vault's word, or its silence.
    AtVault(VaultError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<VaultError> for Failed {
    fn from(error: VaultError) -> Self {
        Self::AtVault(error)
    }
}

/// What the vault has done.
enum Done {
    Issued {
        card: NewCard,
        creation: Option<CreationId>,
        issued: IssuedCard,
    },
    Ordered {
        card: NewCard,
        ordered: OrderedCard,
    },
    Tokenised {
        card: (NewCard, Standing),
        done: TokenisedCard,
    },
    RowTokenised {
        card: NewCard,
        done: TokenisedRow,
    },
    Printed(SealedAnswer),
    Locked(Lock),
    Removed,
    Renewed {
        old: Expiry,
        new: Expiry,
    },
    RenewalOrdered(RenewalOrdered),
    RenewalActivated {
        by: Party,
        ends: (Expiry, Expiry),
    },
    TriesCleared,
}

/// Carries out `work` and gives the client's answer.
///
/// # Errors
/// What the vault refused, after which the work is struck off; that the vault or the database is away, after which the job
/// goes on with it, unless this is the first try and the vault certainly did nothing.
pub async fn carry_out(services: &Services, work: &CardRequest, attempt: Attempt) -> Result<Answer, Error> {
    match ask(services, work).await {
        Ok(done) => conclude(services, work, done).await,
        // An earlier try may have been carried out: the row stays, for whoever mends it.
        Err(Failed::Unreadable(error)) => Err(error.into()),
        Err(Failed::AtVault(error)) => {
            let error = attempt.judge(error);
            if !error.vault_may_have_acted() {
                give_up(services, work, &error).await?;
            }
            Err(error)
        }
    }
}

/// Goes on with what an earlier try of the client's request had written down.
///
/// # Errors
/// As [`carry_out`].
pub async fn go_on(services: &Services, work: &CardRequest) -> Result<Answer, Error> {
    carry_out(services, work, Attempt::again(work.began, services.now())).await
}

/// What can fail here is done before the vault is asked: nothing may come between its answer and the effect.
async fn ask(services: &Services, work: &CardRequest) -> Result<Done, Failed> {
    let (vault, key) = (&services.vault, &work.vault_key);
    match &work.task {
        Task::Issue(issue) => {
            let card = issue.card(work.card)?;
            let issued = vault.issue(key, issue.holder(), issue.call()).await?;
            let creation = issue.creation();
            Ok(Done::Issued {
                card,
                creation,
                issued,
            })
        }
        Task::Order(order) => {
            let card = order.card(work.card)?;
            let ordered = vault.order_card(key, order.holder(), order.call()).await?;
            Ok(Done::Ordered { card, ordered })
        }
        Task::Tokenise(task) => {
            let card = (task.card(work.card)?, task.standing());
            let done = tokenise::ask_vault(services, work, task).await?;
            Ok(Done::Tokenised { card, done })
        }
        Task::BringRow(task) => {
            let card = task.card(work.card)?;
            let done = vault.tokenise_row(key, task.holder(), task.call()).await?;
            Ok(Done::RowTokenised { card, done })
        }
        Task::Print(print) => Ok(Done::Printed(vault.print(key, &print.card, &print.call).await?)),
        Task::Lock(lock) => {
            let placed = lock.lock()?;
            match vault.lock_finally(key, lock.card(), lock.call()).await {
                // The flag is set, by an earlier try or under another final code.
                Ok(_) | Err(VaultError::Refused(Refusal::LockIrreversible)) => Ok(Done::Locked(placed)),
                Err(error) => Err(error.into()),
            }
        }
        Task::Remove(remove) => match vault.erase(key, &remove.card, &remove.call).await {
            Ok(_) | Err(VaultError::Refused(Refusal::CardRemoved)) => Ok(Done::Removed),
            Err(error) => Err(error.into()),
        },
        Task::Renew(renew) => {
            let renewed = vault.renew(key, &renew.card, &renew.call).await?;
            Ok(Done::Renewed {
                old: renew.call.ends,
                new: renewed.exp,
            })
        }
        Task::RenewPlastic(renew) => {
            let ordered = vault.renew_plastic(key, &renew.card, &renew.call).await?;
            Ok(Done::RenewalOrdered(ordered))
        }
        Task::ActivateRenewal(activation) => {
            let by = activation.by()?;
            let call = activation.call();
            let renewed = vault.activate_renewal(key, activation.card(), call).await?;
            Ok(Done::RenewalActivated {
                by,
                ends: (call.ends, renewed.exp),
            })
        }
        Task::ClearPinTries(clear) => {
            vault.clear_pin_tries(key, &clear.card, &clear.call).await?;
            Ok(Done::TriesCleared)
        }
    }
}

/// The vault did nothing: neither does the gateway, and the client's key is free again.
async fn give_up(services: &Services, work: &CardRequest, error: &Error) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    if card_requests::strike(&mut tx, work.id).await? {
        note(services, &mut tx, work, Outcome::Refused).await?;
        effect::given_up(services, &mut tx, work, error).await?;
    }
    idempotency::abandon(&mut tx, work.entry).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes down what came of an operator's action, in the transaction in which it is struck off.
async fn note(services: &Services, tx: &mut Tx, work: &CardRequest, outcome: Outcome) -> Result<(), Error> {
    if let Some(stamp) = &work.stamp {
        audit::write(tx, stamp, outcome, services.now()).await?;
    }
    Ok(())
}

async fn conclude(services: &Services, work: &CardRequest, done: Done) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let ours = card_requests::strike(&mut tx, work.id).await?;
    let outcome = match done {
        Done::Issued {
            card,
            creation,
            issued,
        } => effect::issued(services, &mut tx, card, creation, issued).await?,
        Done::Ordered { card, ordered } => plastic::ordered(services, &mut tx, card, ordered).await?,
        Done::Printed(sealed) => plastic::printed(services, &mut tx, work.card, sealed).await?,
        Done::Tokenised { card, done } => tokenise::tokenised(services, &mut tx, card, done).await?,
        Done::RowTokenised { card, done } => tokenise::row_tokenised(services, &mut tx, card, done).await?,
        Done::Locked(lock) => effect::locked(services, &mut tx, ours, work, lock).await?,
        Done::Removed => effect::removed(services, &mut tx, work.card).await?,
        Done::Renewed { old, new } => effect::renewed(services, &mut tx, work.card, (old, new)).await?,
        Done::RenewalOrdered(ordered) => plastic::renewal(services, &mut tx, work.card, ordered).await?,
        Done::RenewalActivated { by, ends } => {
            effect::renewal_activated(services, &mut tx, work, by, ends).await?
        }
        Done::TriesCleared => Ok(answers::nothing()),
    };
    if ours {
        let came = if outcome.is_ok() {
            Outcome::Done
        } else {
            Outcome::Refused
        };
        note(services, &mut tx, work, came).await?;
    }
    let outcome = match outcome {
        Ok(answer) => Ok(idempotency::complete(&mut tx, work.entry, answer).await?),
        Err(verdict) => {
            idempotency::abandon(&mut tx, work.entry).await?;
            Err(verdict)
        }
    };
    tx.commit().await?;
    outcome
}
