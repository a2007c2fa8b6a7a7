//! Rows that bring users. A turn's rows are judged and written down in one transaction, in order; then the vault makes a
//! holder for each; then users and results are written in another. A crash in between leaves rows that were begun, each with
//! its PENDING user, under whose key the vault is asked again. A row with cards ends with its last card. A dry run makes nobody,
//! and has the vault judge cards for the program.

use futures_util::future::join_all;
use shared::ids::HolderToken;
use shared::vault_api::{Actor, Channel};

use super::{CardPart, CheckedIdentity, NewcomerRow, card_row, failure_of, kept};
use crate::clients::vault::{Refusal, VaultError};
use crate::domain::kyc::KycStatus;
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::flows::register_user::{activate, create_holder};
use crate::flows::settle_kyc::settle;
use crate::services::Services;
use crate::store::Tx;
use crate::store::import_rows::{self, WorkRow};
use crate::store::imports::Import;
use crate::store::kyc::{self, Source};
use crate::store::users::{self, NewUser, PendingUser};

/// A row whose user waits for a holder.
struct Begun {
    line: i64,
    pending: PendingUser,
    kyc: Option<CheckedIdentity>,
    cards: Vec<CardPart>,
}

/// Works on the rows of a turn.
pub(super) async fn work(services: &Services, import: &Import, rows: Vec<WorkRow>) -> Result<(), Error> {
    let Taken {
        begun,
        mut settled,
        judged,
    } = begin(services, import, rows).await?;
    let holders = join_all(begun.iter().map(|row| holder(services, import, row))).await;
    let mut first_error = None;
    let mut tx = services.db.begin().await?;
    for (row, holder) in begun.iter().zip(holders) {
        match holder {
            Ok(holder) => {
                finish(services, &mut tx, import, row, &holder).await?;
            }
            Err(error) if refuses_for_good(&error) => {
                users::delete_pending(&mut tx, row.pending.id).await?;
                let failure = failure_of(&Error::from(error));
                import_rows::fail(&mut tx, (import.id, row.line), &failure, None, None).await?;
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    tx.commit().await?;
    if let Some(error) = first_error {
        return Err(error.into());
    }
    let with_cards = begun.into_iter().filter(|row| !row.cards.is_empty());
    settled.extend(with_cards.map(|row| (row.line, row.pending.id, row.cards)));
    for (line, user, cards) in settled {
        card_row::bring(services, import, (line, user), &cards).await?;
    }
    for (line, cards) in judged {
        card_row::judge_for_newcomer(services, import, line, &cards).await?;
    }
    Ok(())
}

/// Rows of a turn.
struct Taken {
    /// Those whose users wait for holders.
    begun: Vec<Begun>,
    /// Those whose users are there, and their cards.
    settled: Vec<(i64, UserId, Vec<CardPart>)>,
    /// Those of a dry run whose users would come, with cards that are still to be judged.
    judged: Vec<(i64, Vec<CardPart>)>,
}

/// Judges each row, and writes down what the vault will be asked. Rows that were begun before are taken up again.
async fn begin(services: &Services, import: &Import, rows: Vec<WorkRow>) -> Result<Taken, Error> {
    let now = services.now();
    let (mut begun, mut settled, mut judged) = (Vec::new(), Vec::new(), Vec::new());
    let mut tx = services.db.begin().await?;
    for row in rows {
        let newcomer = kept::read(&row.content, now)?;
        if let (true, Some(user)) = (row.begun, row.user) {
            match users::pending_of_import(&mut tx, import.id, user).await? {
                Some(pending) => begun.push(Begun {
                    line: row.line,
                    pending,
                    kyc: newcomer.kyc,
                    cards: newcomer.cards,
                }),
                None => settled.push((row.line, user, newcomer.cards)),
            }
            continue;
        }
        let place = (import.id, row.line);
        if let Some(code) = verdict(services, &mut tx, import, &row, &newcomer).await? {
            import_rows::fail(&mut tx, place, &failure_of(&code.into()), None, None).await?;
            if import.dry_run {
                // It would have brought nobody.
                import_rows::forget_name(&mut tx, place).await?;
            }
        } else if import.dry_run && newcomer.cards.is_empty() {
            import_rows::done(&mut tx, place, None, None).await?;
        } else if import.dry_run {
            judged.push((row.line, newcomer.cards));
        } else {
            let pending = write_down(services, &mut tx, import, &newcomer).await?;
            if !import_rows::begin(&mut tx, import.id, row.line, pending.id).await? {
                return Err(Error::internal("two work on one import"));
            }
            begun.push(Begun {
                line: row.line,
                pending,
                kyc: newcomer.kyc,
                cards: newcomer.cards,
            });
        }
    }
    tx.commit().await?;
    Ok(Taken {
        begun,
        settled,
        judged,
    })
}

/// Why a row has no effect, as things stand before it.
async fn verdict(
    services: &Services,
    tx: &mut Tx,
    import: &Import,
    row: &WorkRow,
    newcomer: &NewcomerRow,
) -> Result<Option<Code>, Error> {
    if let Some(name) = &newcomer.external_id {
        let name = name.as_str();
        if users::has_external_id(tx, &import.partner, name).await?
            || import.dry_run && import_rows::would_be_taken(tx, (import.id, row.line), name).await?
        {
            return Ok(Some(Code::ExternalIdTaken));
        }
    }
    let by_partner = services
        .program_named(&import.partner, &import.program)
        .is_some_and(|program| program.kyc_partner_flag);
    if newcomer.kyc.is_some() && !by_partner {
        return Ok(Some(Code::KycNotByPartner));
    }
    // Nobody else could establish the identity before the cards' turn; and the user would have no balance but the automatic one.
    let accepted = newcomer
        .kyc
        .as_ref()
        .is_some_and(|identity| identity.status == KycStatus::Accepted);
    let balance = services
        .program_named(&import.partner, &import.program)
        .is_some_and(|program| program.automatic_balance);
    Ok(match (newcomer.cards.is_empty(), accepted, balance) {
        (true, _, _) | (false, true, true) => None,
        (false, false, _) => Some(Code::KycRequired),
        (false, true, false) => Some(Code::BalanceRequired),
    })
}

async fn write_down(
    services: &Services,
    tx: &mut Tx,
    import: &Import,
    newcomer: &NewcomerRow,
) -> Result<PendingUser, Error> {
    let new = NewUser {
        partner: &import.partner,
        program: &import.program,
        external_id: newcomer.external_id.as_ref(),
        person: &newcomer.person,
        vault_key: services.vault_key()?,
        request: None,
        import: Some(import.id),
    };
    Ok(users::insert_pending(tx, &new, services.now()).await?)
}

async fn holder(services: &Services, import: &Import, row: &Begun) -> Result<HolderToken, VaultError> {
    let actor = Actor {
        channel: Channel::Lifecycle,
        subject: Some(format!("partner:{}", import.partner)),
        device: None,
        trace_id: import.trace.clone(),
    };
    create_holder(services, &row.pending, actor).await
}

/// Makes the row's user one whom the partner can see, with what the partner says of the identity, and ends the row.
async fn finish(
    services: &Services,
    tx: &mut Tx,
    import: &Import,
    row: &Begun,
    holder: &HolderToken,
) -> Result<(), Error> {
    let id = row.pending.id;
    // Whoever comes second finds nobody pending.
    if users::pending_of_import(tx, import.id, id).await?.is_none() {
        return Ok(());
    }
    activate(services, tx, &row.pending, holder).await?;
    if row.cards.is_empty() {
        import_rows::done(tx, (import.id, row.line), Some(id), None).await?;
    }
    if let Some(identity) = &row.kyc {
        check(services, tx, id, identity).await?;
    }
    Ok(())
}

async fn check(
    services: &Services,
    tx: &mut Tx,
    user: UserId,
    identity: &CheckedIdentity,
) -> Result<(), Error> {
    let user = users::find_for_update(tx, user)
        .await?
        .ok_or_else(|| Error::internal("a user is gone in the middle of its import"))?;
    if identity.status == KycStatus::None {
        return Err(Error::internal("the door let an impossible decision through"));
    }
    let event = kyc::Event {
        user: user.id,
        status: identity.status,
        source: Source::PartnerProcess,
        provider: Some(&identity.provider),
        reference: Some(&identity.reference),
        application: None,
        rejection: None,
    };
    settle(services, tx, &user, &event).await?;
    Ok(())
}

/// Whether the vault would refuse the row at every later time too, and did nothing.
const fn refuses_for_good(error: &VaultError) -> bool {
    match error {
        VaultError::Refused(refusal) => !matches!(refusal, Refusal::TooManyRequests { .. }),
        VaultError::Unavailable { .. } | VaultError::NotTaken(_) | VaultError::Protocol(_) => false,
    }
}
