//! A partner locks on suspicion of fraud, and whoever holds the phone cannot lift that.

use anyhow::Result;
use deploy::actors::PartnerServer;

use super::{Cast, Seen};

/// Suspected fraud: reversible, action code 1002.
const SUSPECTED_FRAUD: u8 = 7;

pub(super) async fn lock(cast: &Cast<'_>, user: u64, seen: &Seen) -> Result<()> {
    let prefix = PartnerServer::prefix(user);
    let desk = cast.partner.cards(&prefix);
    let locked = desk.lock(&seen.card, SUSPECTED_FRAUD).await?.expect(200)?;
    let masked = locked.text_at("/maskedCardNo")?;
    cast.teller.act(
        "partner",
        "locks it: 7, suspected fraud",
        "200",
        &format!("{masked} is locked"),
    );
    cast.phone
        .cards()
        .unlock(&seen.card)
        .await?
        .expect_refusal(403, "LOCK_NOT_YOURS")?;
    cast.teller
        .act("phone", "tries to unlock it", "403", "LOCK_NOT_YOURS");
    cast.teller
        .why("A thief with the phone must not be able to lift the lock that was placed against the thief.");
    desk.unlock(&seen.card).await?.expect(200)?;
    cast.teller.act("partner", "unlocks it", "200", "in use again");
    Ok(())
}
