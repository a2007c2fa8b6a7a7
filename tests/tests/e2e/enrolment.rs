//! How further keys come in, through the real gateway: by a partner's ticket, by a card in hand, by two officers. The
//! gateway carries and decides nothing.

use anyhow::{Context, Result, ensure};
use deploy::actors::{EnrolmentTicket, PartnerServer, Phone};
use deploy::answer::Answer;
use deploy::stand::StandOptions;
use serde_json::json;
use shared::clock::Clock;
use shared::vault_api::governance::{EnrolmentPolicy, Proposal};
use shared::vault_api::paths;
use shared::vault_api::reports::PendingKey;

use crate::content::FullCard;
use crate::pair::{Holder, Pair, finished, on_each_engine, run, scratch};

/// Tries at enrolling with wrong card data.
const POSSESSION_TRIES: usize = 5;

fn state(answer: &Answer) -> Result<String> {
    answer.text_at("/holderKey/state")
}

/// A pairing of `phone` with a code to which the ticket was filed.
async fn pair_by(
    pair: &Pair,
    partner: &PartnerServer,
    user: u64,
    phone: &mut Phone,
    ticket: &EnrolmentTicket,
) -> Result<Answer> {
    let signed = ticket.sign(partner.signer())?;
    let shown = ticket.proof(&phone.cards().vault_key().await?, &phone.device().thumbprint()?)?;
    let code = code_with(pair, user, &signed).await?;
    phone.try_pair(&code, Some(&shown)).await
}

async fn code_with(pair: &Pair, user: u64, ticket: &str) -> Result<String> {
    pair.partner
        .activation_code_with(user, ticket)
        .await?
        .expect(201)?
        .text_at("/activationCode")
}

async fn code(pair: &Pair, user: u64) -> Result<String> {
    pair.partner
        .activation_code(user)
        .await?
        .expect(201)?
        .text_at("/activationCode")
}

#[test]
fn a_program_with_tickets_takes_no_key_without_one() {
    run(async {
        let outcome = async {
            let mut options = StandOptions::for_tests(&scratch("tickets")?)?;
            options.program.enrolment = EnrolmentPolicy::Ticket;
            let mut pair = Pair::with(options).await?;
            tickets(&pair).await?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}

async fn tickets(pair: &Pair) -> Result<()> {
    let user = pair.partner.accepted_user().await?;
    let mut phone = pair.stand.phone()?;
    phone
        .try_pair(&code(pair, user).await?, None)
        .await?
        .expect_refusal(409, "ENROLMENT_TICKET_REQUIRED")?;

    let ticket = EnrolmentTicket::new("user-1")?;
    let other_secret = EnrolmentTicket {
        secret: EnrolmentTicket::new("user-1")?.secret,
        ..ticket.clone()
    };
    // The secret decides, not who holds the activation code.
    let signed = ticket.sign(pair.partner.signer())?;
    let with_code = code_with(pair, user, &signed).await?;
    let key = phone.cards().vault_key().await?;
    let guessed = other_secret.proof(&key, &phone.device().thumbprint()?)?;
    let refused = phone.try_pair(&with_code, Some(&guessed)).await?;
    refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID")?;
    // A secret that was shown for another key serves no thief's.
    let for_another = ticket.proof(&key, &pair.stand.phone()?.device().thumbprint()?)?;
    let refused = phone.try_pair(&with_code, Some(&for_another)).await?;
    refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID")?;

    let ended = ticket.clone().with("exp", Clock::System.unix_seconds() - 1);
    let bent = [
        (ended, &pair.partner),
        (
            ticket.clone().with("aud", "spiffe://tessera/gateway"),
            &pair.partner,
        ),
        (ticket.clone(), &pair.other_partner),
    ];
    for (ticket, partner) in bent {
        let refused = pair_by(pair, partner, user, &mut phone, &ticket).await?;
        refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID")?;
    }

    let paired = pair_by(pair, &pair.partner, user, &mut phone, &ticket)
        .await?
        .expect(201)?;
    ensure!(state(&paired)? == "ACTIVE", "{paired}");
    let desk = phone.cards();
    let created = desk.create_proven(desk.first_balance().await?, "Ticket").await?;
    FullCard::of(&created.content)?;

    let mut second = pair.stand.phone()?;
    let again = pair_by(pair, &pair.partner, user, &mut second, &ticket).await?;
    again.expect_refusal(403, "ENROLMENT_PROOF_INVALID")?;
    // The partner's name for the user was fixed by the first ticket.
    let another_name = EnrolmentTicket::new("user-2")?;
    let refused = pair_by(pair, &pair.partner, user, &mut second, &another_name).await?;
    refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID")?;
    let renewed = EnrolmentTicket::new("user-1")?;
    let paired = pair_by(pair, &pair.partner, user, &mut second, &renewed)
        .await?
        .expect(201)?;
    ensure!(state(&paired)? == "ACTIVE", "{paired}");
    Ok(())
}

/// The data of a card as its holder reads it off the card, sealed to the vault for a key.
async fn card_in_hand(holder: &Holder, full: &FullCard, cvv: &str, phone: &Phone) -> Result<String> {
    let desk = holder.phone.cards();
    let content = json!({
        "cardNo": full.pan,
        "exp": full.exp,
        "cvv": cvv,
        "jkt": phone.device().thumbprint()?,
        "nonce": desk.holder_nonce().await?,
    });
    desk.vault_key().await?.seal(&content)
}

fn wrong(cvv: &str) -> Result<String> {
    Ok(format!("{:03}", (cvv.parse::<u32>()? + 1) % 1000))
}

#[test]
fn a_card_in_hand_brings_in_a_phone_for_that_card_alone() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let full = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        let other =
            deploy::actors::Card::of(&desk.create(desk.first_balance().await?, "Other").await?.content)?;

        let mut second = pair.stand.phone()?;
        let guess = card_in_hand(&holder, &full, &wrong(&full.cvv)?, &second).await?;
        let refused = second
            .try_pair(&code(pair, holder.user).await?, Some(&guess))
            .await?;
        refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID")?;

        let shown = card_in_hand(&holder, &full, &full.cvv, &second).await?;
        let paired = second
            .try_pair(&code(pair, holder.user).await?, Some(&shown))
            .await?;
        let paired = paired.expect(201)?;
        ensure!(state(&paired)? == "ACTIVE", "{paired}");
        FullCard::of(&second.cards().reveal(&holder.card).await?.content)?;
        let proof = second
            .cards()
            .proof("reveal", &other)
            .await?
            .sign(second.device())?;
        let refused = second.cards().reveal_with(&other, Some(&proof)).await?;
        refused.expect_refusal(403, "HOLDER_PROOF_INVALID")?;
        // What was shown once is of no more use, also to another phone.
        let mut third = pair.stand.phone()?;
        let refused = third
            .try_pair(&code(pair, holder.user).await?, Some(&shown))
            .await?;
        refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID").map(drop)
    });
}

#[test]
fn card_data_cannot_be_guessed_by_pairing() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let full = FullCard::of(&holder.phone.cards().reveal(&holder.card).await?.content)?;
        let mut second = pair.stand.phone()?;
        for _ in 0..POSSESSION_TRIES {
            let guess = card_in_hand(&holder, &full, &wrong(&full.cvv)?, &second).await?;
            let refused = second
                .try_pair(&code(pair, holder.user).await?, Some(&guess))
                .await?;
            refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID")?;
        }
        let right = card_in_hand(&holder, &full, &full.cvv, &second).await?;
        let refused = second
            .try_pair(&code(pair, holder.user).await?, Some(&right))
            .await?;
        refused.expect_refusal(403, "ENROLMENT_PROOF_INVALID").map(drop)
    });
}

#[test]
fn a_pending_key_is_seen_by_officers_and_made_active_by_two_of_them() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let mut second = pair.stand.phone()?;
        let paired = second.pair(&code(pair, holder.user).await?).await?;
        ensure!(state(&paired)? == "PENDING", "{paired}");
        ensure!(!paired.text_at("/holderKey/maturesAt")?.is_empty());
        let proof = second
            .cards()
            .proof("reveal", &holder.card)
            .await?
            .sign(second.device())?;
        let refused = second.cards().reveal_with(&holder.card, Some(&proof)).await?;
        refused.expect_refusal(403, "HOLDER_KEY_PENDING")?;

        let key = second.device().thumbprint()?;
        let pending = find_pending(pair, &key).await?.context("the key is not listed")?;
        ensure!(pending.program.as_str() == "demo-eur" && pending.matures_at.is_some());
        let activate = Proposal::ActivateKey {
            holder: pending.holder,
            key: pending.key,
        };
        let (first, second_officer) = (pair.stand.officer(1)?, pair.stand.officer(2)?);
        let approval = first.propose(&activate).await?;
        let alone = first.approve(&approval).await?;
        alone.expect_refusal(409, "SECOND_OFFICER_REQUIRED")?;
        second_officer.approve(&approval).await?.expect(200)?;
        ensure!(
            find_pending(pair, &key).await?.is_none(),
            "an active key is listed as pending"
        );
        FullCard::of(&second.cards().reveal(&holder.card).await?.content)?;
        Ok(())
    });
}

async fn find_pending(pair: &Pair, key: &str) -> Result<Option<PendingKey>> {
    let listed = pair
        .stand
        .officer(3)?
        .door()
        .get(paths::PENDING_KEYS)
        .await?
        .expect(200)?;
    let listed: Vec<PendingKey> = listed.read_as()?;
    Ok(listed.into_iter().find(|pending| pending.key.to_string() == key))
}
