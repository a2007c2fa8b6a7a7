//! The attacker has the gateway: its certificate, its memory. And the auditor has the log.

use anyhow::{Result, ensure};
use deploy::actors::ReceivingKey;
use deploy::stand::scan_memory;

use super::{Cast, Seen};

pub(super) async fn with_the_gateways_certificate(cast: &Cast<'_>, seen: &Seen) -> Result<()> {
    let attacker = cast.stand.raw_gateway()?;
    let own = ReceivingKey::rsa(2048)?;
    attacker
        .reveal(&seen.card.token, &own, None)
        .await?
        .expect_refusal(403, "HOLDER_PROOF_REQUIRED")?;
    cast.teller.act(
        "attacker",
        "asks the vault as the gateway, no proof",
        "403",
        "HOLDER_PROOF_REQUIRED",
    );
    cast.teller.why(
        "It speaks with the gateway's own certificate. The vault wants the holder's word, and nobody else's.",
    );
    Ok(())
}

pub(super) fn through_the_gateways_memory(cast: &Cast<'_>, seen: &Seen) -> Result<()> {
    let pid = cast.stand.gateway()?.pid();
    // Three and four digits occur anywhere by chance; as JSON members they would be the real thing.
    let texts = [
        seen.pan.clone(),
        format!("\"cvv\":\"{}\"", seen.cvv),
        format!("\"pin\":\"{}\"", seen.pin),
        super::spaced(&seen.pan),
    ];
    let needles: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    match scan_memory(pid, &needles) {
        Ok(scan) => {
            ensure!(
                scan.hits.iter().all(|hits| *hits == 0),
                "card data in the gateway's memory: {:?} hits",
                scan.hits
            );
            let found = format!("{} MiB read: number, CVV and PIN occur 0 times", scan.bytes >> 20);
            cast.teller
                .act("attacker", "searches the gateway's memory", "–", &found);
        }
        Err(error) => cast.teller.skipped(
            "attacker",
            "the gateway's memory was not searched",
            &format!("{error:#}"),
        ),
    }
    Ok(())
}

pub(super) async fn audit(cast: &Cast<'_>) -> Result<()> {
    let report = cast.stand.auditor()?.verify().await?;
    let refused = report
        .events
        .iter()
        .any(|entry| entry.event.contains("HOLDER_PROOF_REQUIRED"));
    ensure!(refused, "the attack is not in the audit log");
    let found = format!(
        "{} events, as the signed checkpoint says, root {}…",
        report.events.len(),
        report.short_root()
    );
    cast.teller
        .act("auditor", "verifies the vault's log", "200", &found);
    cast.teller
        .why("The attack above is in it: who asked, for which card, and that it was refused.");
    Ok(())
}
