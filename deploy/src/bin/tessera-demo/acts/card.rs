//! A card is issued, seen, given a new CVV, sent as plastic and given a PIN; the processor says what verifies.

use anyhow::{Context, Result, ensure};
use deploy::actors::{Card, Opened};
use serde_json::json;
use shared::vault_api::processor::Outcome;

use super::{Cast, Seen, spaced};

/// The PIN that the user chooses.
const PIN: &str = "4829";

pub(super) async fn create(cast: &Cast<'_>) -> Result<Seen> {
    let desk = cast.phone.cards();
    let opened = desk
        .create_proven(desk.first_balance().await?, "Everyday")
        .await?;
    let seen = Seen {
        card: Card::of(&opened.content)?,
        pan: opened.text("cardNo")?,
        exp: opened.text("exp")?,
        cvv: opened.text("cvv")?,
        pin: PIN.to_owned(),
    };
    let shown = format!("{}  valid to {}  CVV {}", spaced(&seen.pan), seen.exp, seen.cvv);
    cast.teller
        .act("phone", "creates a virtual card, with a proof", "201", &shown);
    cast.teller.why(
        "The vault sealed this answer to the phone's key. The gateway passed on a JWE that it cannot open.",
    );
    Ok(seen)
}

pub(super) async fn reveal(cast: &Cast<'_>, seen: &Seen) -> Result<()> {
    let opened = cast.phone.cards().reveal(&seen.card).await?;
    ensure!(
        opened.text("cardNo")? == seen.pan,
        "the reveal shows another card"
    );
    let keys = word_of(&opened)?;
    cast.teller.act(
        "phone",
        "reveals it, with a fresh proof",
        "200",
        &format!("{}  the same card", spaced(&seen.pan)),
    );
    cast.teller.why(&format!(
        "The vault's word came along: this answer, to this proof; {keys}."
    ));
    Ok(())
}

fn word_of(opened: &Opened) -> Result<String> {
    let keys = opened.word.as_ref().context("no Vault-Proof")?.keys;
    Ok(format!(
        "{} key of the holder active, {} pending",
        keys.active, keys.pending
    ))
}

pub(super) async fn reset_cvv(cast: &Cast<'_>, seen: &mut Seen) -> Result<()> {
    let old = seen.cvv.clone();
    let verifies = |cvv: String| {
        let (pan, exp) = (seen.pan.clone(), seen.exp.clone());
        async move { cast.processor.cvv(&pan, &exp, &cvv).await }
    };
    ensure!(
        verifies(old.clone()).await? == Outcome::Match,
        "the first CVV does not verify"
    );
    let mut new = old.clone();
    // One in a thousand new CVVs is the old one again; the user would ask once more too.
    while new == old {
        new = cast.phone.cards().reset_cvv(&seen.card).await?.text("cvv")?;
    }
    cast.teller.act(
        "phone",
        "resets the CVV, with a proof",
        "200",
        &format!("CVV {new}"),
    );
    ensure!(
        verifies(old.clone()).await? == Outcome::NoMatch,
        "the old CVV still verifies"
    );
    cast.teller.act(
        "processor",
        &format!("verifies the old CVV {old}"),
        "200",
        "NO_MATCH",
    );
    ensure!(
        verifies(new.clone()).await? == Outcome::Match,
        "the new CVV does not verify"
    );
    cast.teller.act(
        "processor",
        &format!("verifies the new CVV {new}"),
        "200",
        "MATCH",
    );
    seen.cvv = new;
    Ok(())
}

pub(super) async fn print(cast: &Cast<'_>, seen: &Seen) -> Result<()> {
    let opened = cast.phone.cards().print(&seen.card).await?;
    let (kind, masked) = (opened.text("type")?, opened.text("maskedCardNo")?);
    ensure!(kind == "DIGITAL_FIRST", "printed as {kind}");
    cast.teller.act(
        "phone",
        "orders the card as plastic",
        "201",
        &format!("{masked}, now {kind}"),
    );
    Ok(())
}

pub(super) async fn set_pin(cast: &Cast<'_>, seen: &mut Seen) -> Result<()> {
    let key = cast.phone.cards().vault_key().await?;
    let attested = key.thumbprint().get(..8).unwrap_or_default().to_owned();
    cast.teller.act(
        "phone",
        "fetches the vault's public key",
        "200",
        &format!("{attested}…, attested by the vault"),
    );
    cast.teller.why(
        "The gateway hands the key out, the phone checks who signed for it: no PIN is sealed to a stranger.",
    );
    let opened = cast.phone.cards().set_pin(&seen.card, &seen.pin).await?;
    let sync = opened
        .content
        .get("offlinePinSync")
        .cloned()
        .unwrap_or_else(|| json!(null));
    cast.teller.act(
        "phone",
        "sets a PIN, sealed and with a proof",
        "200",
        &format!("offlinePinSync {}", plain(&sync)),
    );
    ensure!(
        cast.processor.pin(&seen.pan, &seen.pin).await?.outcome == Outcome::Match,
        "the PIN does not verify"
    );
    cast.teller.act("processor", "verifies the PIN", "200", "MATCH");
    Ok(())
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
