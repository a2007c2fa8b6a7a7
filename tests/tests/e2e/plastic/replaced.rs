//! A physical card that is lost, stolen or replaced: its successor is ordered like any other plastic, in its place, once; and
//! anew when the bureau could not make it.

use anyhow::{Context, Result, ensure};
use deploy::actors::{Card, CardDesk, HolderProof, Opened, PartnerServer};
use deploy::answer::Answer;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PROGRAM, address, arrives, is_shown, line_of, order, refused, said, token_of};
use crate::content::is_masked;
use crate::pair::Pair;

/// A request to replace a card, which can be sent again.
struct Wish {
    path: String,
    key: String,
    payload: String,
    proof: HolderProof,
}

impl Wish {
    async fn of(desk: CardDesk<'_>, card: &Card, balance: u64, key: &str) -> Result<Self> {
        let payload = desk.seal_order(balance, "Ada", &address()).await?;
        let proof = HolderProof::new("order", key, &desk.holder_nonce().await?, desk.receiving())?;
        Ok(Self {
            path: format!("/cards/{}/replace", card.id),
            key: key.to_owned(),
            proof: proof.over(&payload),
            payload,
        })
    }

    async fn send(&self, desk: CardDesk<'_>) -> Result<Answer> {
        let call = desk.call(Method::POST, &self.path).idempotency_key(&self.key);
        let call = call.enc_sealed(desk.receiving(), &self.payload);
        call.header("Holder-Proof", &self.proof.sign(desk.signer())?)
            .send()
            .await
    }

    fn open(&self, desk: CardDesk<'_>, answer: Answer) -> Result<Opened> {
        desk.open(answer, 201, Some(&self.proof))
    }
}

/// Asks once, under a key of its own.
async fn ask(desk: CardDesk<'_>, card: &Card, key: &str) -> Result<Answer> {
    let balance = desk.first_balance().await?;
    Wish::of(desk, card, balance, key).await?.send(desk).await
}

/// The bureau takes what waits and has one word for this card's order.
async fn the_bureau(pair: &Pair, prefix: &str, masked: &str, verb: &str, body: Value) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let lines = bureau.take_all(PROGRAM).await?;
    let token = token_of(line_of(&lines, masked)?)?;
    said(&bureau, token, verb, body).await?;
    let state = if verb == "fail" { "FAILED" } else { "CONFIRMED" };
    arrives(pair, prefix, token, state).await.map(drop)
}

/// A physical card in its holder's hand.
async fn in_use(pair: &Pair, desk: CardDesk<'_>, prefix: &str) -> Result<Card> {
    let ordered = order(desk, "Ada").await?;
    the_bureau(pair, prefix, &ordered.text("maskedCardNo")?, "confirm", json!({})).await?;
    let card = Card::of(&ordered.content)?;
    desk.activate(&card).await?.expect(200)?;
    Ok(card)
}

/// The old card as it is listed.
async fn listed(desk: CardDesk<'_>, card: &Card) -> Result<Value> {
    is_shown(desk, card).await?.context("the old card is gone")
}

pub(super) async fn a_lost_card_is_ordered_anew_in_its_place_once(pair: &Pair) -> Result<()> {
    let (user, phone) = pair.user().await?;
    let prefix = PartnerServer::prefix(user);
    for (code, desk) in [(1, phone.cards()), (2, pair.partner.cards(&prefix))] {
        let key = |step: &str| format!("replace-{code}-{step}");
        let old = in_use(pair, desk, &prefix).await?;
        refused(&ask(desk, &old, &key("early")).await?, 409, "NOT_REPLACEABLE")?;
        desk.lock(&old, code).await?.expect(200)?;
        ensure!(listed(desk, &old).await?["allowedActions"] == json!(["REPLACE", "REMOVE"]));
        what_is_no_order_replaces_nothing(desk, &old, &key("bad")).await?;

        let wish = Wish::of(desk, &old, desk.first_balance().await?, &key("first")).await?;
        let answer = wish.send(desk).await?;
        ensure!(wish.send(desk).await?.body == answer.body, "another answer");
        let first = wish.open(desk, answer)?;
        is_ordered_for(&first, desk, &old).await?;
        refused(&ask(desk, &old, &key("second")).await?, 409, "ALREADY_REPLACED")?;

        // It could not be made: the place is free again.
        let masked = first.text("maskedCardNo")?;
        let failure = json!({ "reason": "MATERIAL" });
        the_bureau(pair, &prefix, &masked, "fail", failure).await?;
        let free = listed(desk, &old).await?;
        ensure!(
            free.get("replacedBy").is_none() && free["allowedActions"] == json!(["REPLACE", "REMOVE"]),
            "{free}"
        );
        ensure!(is_shown(desk, &Card::of(&first.content)?).await?.is_none());
        anew(pair, desk, &prefix, &old, &key("anew")).await?;
    }
    Ok(())
}

async fn what_is_no_order_replaces_nothing(desk: CardDesk<'_>, old: &Card, key: &str) -> Result<()> {
    let balance = desk.first_balance().await?;
    let wish = Wish::of(desk, old, balance, key).await?;
    let plain = desk.post(&wish.path)?.enc(desk.receiving());
    refused(&plain.send().await?, 400, "ENCRYPTION_REQUIRED")?;
    let unproven = desk.post(&wish.path)?;
    let unproven = unproven.enc_sealed(desk.receiving(), &wish.payload);
    refused(&unproven.send().await?, 403, "HOLDER_PROOF_REQUIRED")?;
    let elsewhere = Wish::of(desk, old, balance + 77_777, key).await?;
    refused(&elsewhere.send(desk).await?, 422, "VALIDATION_FAILED")
}

async fn is_ordered_for(new: &Opened, desk: CardDesk<'_>, old: &Card) -> Result<()> {
    is_masked(&new.content)?;
    ensure!(new.text("type")? == "PHYSICAL" && new.text("state")? == "ORDERED");
    ensure!(new.content["replaces"] == old.id, "{}", new.content);
    let before = listed(desk, old).await?;
    ensure!(
        before["replacedBy"] == new.content["id"] && before["allowedActions"] == json!(["REMOVE"]),
        "{before}"
    );
    ensure!(before["balanceId"] == new.content["balanceId"], "another balance");
    ensure!(
        before["maskedCardNo"] != new.content["maskedCardNo"],
        "the same number"
    );
    let shown = is_shown(desk, &Card::of(&new.content)?).await?;
    ensure!(shown.is_none(), "an ordered card is listed");
    Ok(())
}

/// Two ask at once and one is answered; that card is made and comes into use.
async fn anew(pair: &Pair, desk: CardDesk<'_>, prefix: &str, old: &Card, key: &str) -> Result<()> {
    let balance = desk.first_balance().await?;
    let one = Wish::of(desk, old, balance, &format!("{key}-1")).await?;
    let two = Wish::of(desk, old, balance, &format!("{key}-2")).await?;
    let (a, b) = tokio::try_join!(one.send(desk), two.send(desk))?;
    let (wish, won, lost) = if a.status == 201 { (one, a, b) } else { (two, b, a) };
    refused(&lost, 409, "ALREADY_REPLACED")?;
    let made = wish.open(desk, won)?;
    is_ordered_for(&made, desk, old).await?;
    the_bureau(pair, prefix, &made.text("maskedCardNo")?, "confirm", json!({})).await?;
    let card = Card::of(&made.content)?;
    let linked = listed(desk, &card).await?;
    ensure!(
        linked["state"] == "INACTIVE" && linked["replaces"] == old.id,
        "{linked}"
    );
    let active = desk.activate(&card).await?.expect(200)?.json()?;
    ensure!(active["state"] == "ACTIVE", "{active}");
    is_masked(&active)?;
    ensure!(desk.reveal(&card).await?.text("cardNo")?.len() == 16);
    refused(
        &ask(desk, old, &format!("{key}-3")).await?,
        409,
        "ALREADY_REPLACED",
    )
}

pub(super) async fn a_manager_replaces_what_is_worn(pair: &Pair) -> Result<()> {
    let staff = pair.desk().await?;
    let (user, phone) = pair.user().await?;
    let (desk, prefix) = (phone.cards(), PartnerServer::prefix(user));
    let old = in_use(pair, desk, &prefix).await?;
    desk.lock(&old, 8).await?.expect(200)?;
    let sealed = desk
        .seal_order(desk.first_balance().await?, "Ada Desk", &address())
        .await?;
    let path = format!("/admin/cards/{}/replace", old.id);
    refused(
        &staff.employee.post_sealed(&path, &sealed).await?,
        403,
        "ROLE_FORBIDDEN",
    )?;
    refused(&staff.other.post_sealed(&path, &sealed).await?, 404, "NOT_FOUND")?;
    let answer = staff.manager.post_sealed(&path, &sealed).await?;
    let new = staff.manager.open(answer, 201)?;
    ensure!(
        new["state"] == "ORDERED" && new["replaces"] == old.id && new.get("cardNo").is_none(),
        "{new}"
    );
    let masked = new["maskedCardNo"].as_str().context("no mask")?;
    the_bureau(pair, &prefix, masked, "confirm", json!({})).await?;
    let linked = listed(desk, &Card::of(&new)?).await?;
    ensure!(linked["state"] == "INACTIVE", "{linked}");
    Ok(())
}
