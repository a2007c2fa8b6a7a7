//! One card at a time.

use serde_json::{Value, json};
use shared::ids::CardToken;
use shared::jws::holder_proof::Op;
use shared::vault_api::cards::SetPin;
use shared::vault_api::governance::{Budgets, Proposal};
use shared::vault_api::jobs::{JobState, Rotation};
use shared::vault_api::tokens::{Tokenised, TokenisedCard};
use time::Duration;

use super::*;
use crate::domain::pan::Pan;
use crate::flows::{erase, integrity, reset_cvv, reveal, set_pin, sweep};
use crate::store::Tree;
use crate::work;

async fn shown(stage: &Stage, phone: &Phone, token: &CardToken) -> Value {
    let request = stage.proven(phone, Op::Reveal, token).await;
    let event = stage.event(Operation::Reveal);
    let revealed = reveal::reveal(&stage.vault, event, token.clone(), request).await;
    phone.open(&revealed.unwrap().payload)
}

/// The second call for a card that the holder has: the members are now those of that card.
async fn ask_again(stage: &Stage, bank: &Bank, phone: &Phone, content: &Value) -> (CardToken, TokenisedCard) {
    let (key, mut request) = request(stage, bank, phone, content).await;
    let held = match send(stage, phone, (key.clone(), request.clone())).await.unwrap() {
        Tokenised::Held { card } => card,
        Tokenised::Done(card) => panic!("{} was made", card.card),
    };
    request.held = Some(held.clone());
    request.recipient.members.insert("id".to_owned(), json!(1125));
    (held, done(send(stage, phone, (key, request)).await))
}

#[tokio::test]
async fn a_foreign_card_gets_a_token_and_stays_its_issuers() {
    for stage in Stage::each().await {
        let (bank, _) = two_partners(&stage).await;
        let phone = stage.phone().await;
        for number in [FOREIGN, SHORTEST, LONGEST] {
            let mut content = card(number);
            content["cvv"] = json!("1234");
            let brought = done(bring(&stage, &bank, &phone, &content).await);
            assert!(brought.foreign);
            let answer = phone.open(&brought.payload);
            assert_eq!(answer["maskedCardNo"], brought.masked_card_no.as_str());
            assert_eq!(answer["exp"], "2029-11-30");
            assert!(answer.get("cardNo").is_none() && answer.get("cvv").is_none());

            let full = shown(&stage, &phone, &brought.card).await;
            assert_eq!(full["cardNo"], number);
            assert!(full.get("cvv").is_none(), "who does not issue keeps no code");

            let request = stage.proven(&phone, Op::ResetCvv, &brought.card).await;
            let (event, key) = (stage.event(Operation::ResetCvv), stage.key());
            let token = brought.card.clone();
            let reset =
                reset_cvv::reset_cvv(&stage.vault, event, &Identity::Gateway, token, &key, request).await;
            assert_eq!(code(reset), "CARD_OF_ANOTHER_ISSUER");
            assert_eq!(
                code(pin(&stage, &phone, &brought.card).await),
                "CARD_OF_ANOTHER_ISSUER"
            );
            let pan = Pan::parse(number.as_bytes()).unwrap();
            assert_eq!(
                stage.vault.card_of_pan(&pan).unwrap(),
                None,
                "no processor of ours asks about it"
            );
        }
    }
}

async fn pin(stage: &Stage, phone: &Phone, card: &CardToken) -> Result<(), Error> {
    let payload = stage.seal(&json!({ "pin": "1234" }));
    let event = stage.event(Operation::Challenge);
    let nonce = challenge::for_card(&stage.vault, event, card.clone())
        .await
        .unwrap()
        .nonce;
    let claims = HolderProofClaims {
        op: Op::SetPin,
        card: card.to_string(),
        jti: nonce.to_string(),
        nonce,
        iat: stage.vault.now(),
        rpk: phone.recipient.thumbprint(),
        bdh: Some(BodyHash::of(&payload)),
    };
    let request = SetPin {
        recipient: phone.recipient(),
        payload,
        holder_proof: Some(claims.sign(&phone.signer).unwrap()),
        refuse: false,
        actor: actor(),
    };
    let (event, key) = (stage.event(Operation::SetPin), stage.key());
    set_pin::set_pin(
        &stage.vault,
        event,
        &Identity::Gateway,
        card.clone(),
        &key,
        request,
    )
    .await
    .map(drop)
}

#[tokio::test]
async fn a_card_of_the_programs_range_is_one_of_ours_from_then_on() {
    let stage = Stage::new().await;
    let (bank, _) = two_partners(&stage).await;
    let phone = stage.phone().await;
    let mut content = card(OWN);
    content["cvv"] = json!("123");
    content["type"] = json!("PHYSICAL");
    let brought = done(bring(&stage, &bank, &phone, &content).await);
    assert!(!brought.foreign);
    let full = shown(&stage, &phone, &brought.card).await;
    assert_eq!((&full["cardNo"], &full["cvv"]), (&json!(OWN), &json!("123")));
    let pan = Pan::parse(OWN.as_bytes()).unwrap();
    assert_eq!(stage.vault.card_of_pan(&pan).unwrap(), Some(brought.card.clone()));
    assert!(stage.vault.card_alone(&brought.card).unwrap().record.plastic);
    pin(&stage, &phone, &brought.card).await.unwrap();
}

#[tokio::test]
async fn the_same_card_of_the_same_holder_keeps_its_token() {
    for stage in Stage::each().await {
        let (bank, _) = two_partners(&stage).await;
        let phone = stage.phone().await;
        let issued = stage.card(&phone).await;
        let foreign = done(bring(&stage, &bank, &phone, &card(FOREIGN)).await).card;
        for (number, exp, token) in [
            (issued.pan.as_str(), issued.exp.as_str(), &issued.token),
            (FOREIGN, "2029-11-30", &foreign),
        ] {
            let content = json!({ "cardNo": number, "exp": exp });
            let (held, answer) = ask_again(&stage, &bank, &phone, &content).await;
            assert_eq!((&held, &answer.card), (token, token));
            let opened = phone.open(&answer.payload);
            assert_eq!((&opened["id"], &opened["token"]), (&json!(1125), &json!(token)));
        }
        // The same number with another expiry is not the same card.
        let other = json!({ "cardNo": FOREIGN, "exp": "2030-11-30" });
        assert_eq!(
            code(bring(&stage, &bank, &phone, &other).await),
            "CARD_ALREADY_TOKENISED"
        );
    }
}

#[tokio::test]
async fn nobody_is_told_of_somebody_elses_card() {
    for stage in Stage::each().await {
        let (bank, other_bank) = two_partners(&stage).await;
        let (phone, neighbour) = (stage.phone().await, stage.phone().await);
        let stranger = holder_of(&stage, "other-eur").await;
        let ours = done(bring(&stage, &bank, &phone, &card(FOREIGN)).await).card;

        // Another holder of the same partner: refused, without a token, and counted.
        let before = misses(&stage);
        let refused = bring(&stage, &bank, &neighbour, &card(FOREIGN)).await;
        assert_eq!(code(refused), "CARD_ALREADY_TOKENISED");
        assert_eq!(misses(&stage), before + 1);
        let last = events(&stage).pop().unwrap();
        assert_eq!(last.card, None, "the log tells no auditor whose it is");

        // Another partner: a token of its own, as if nobody had it.
        let theirs = done(bring(&stage, &other_bank, &stranger, &card(FOREIGN)).await).card;
        assert_ne!(theirs, ours);
        assert_eq!(shown(&stage, &stranger, &theirs).await["cardNo"], FOREIGN);
        assert_eq!(shown(&stage, &phone, &ours).await["cardNo"], FOREIGN);
    }
}

#[tokio::test]
async fn a_number_of_another_programs_range_is_refused_before_any_look_up() {
    for stage in Stage::each().await {
        let (bank, other_bank) = two_partners(&stage).await;
        let phone = stage.phone().await;
        let stranger = holder_of(&stage, "other-eur").await;
        let told = |answer: Result<Tokenised, Error>| {
            let error = answer.unwrap_err();
            (error.status_and_code(), error.to_string())
        };
        let absent = told(bring(&stage, &bank, &phone, &card(OTHERS)).await);
        done(bring(&stage, &other_bank, &stranger, &card(OTHERS)).await);
        let present = told(bring(&stage, &bank, &phone, &card(OTHERS)).await);
        assert_eq!(absent.0.1, "CARD_NOT_ACCEPTED");
        assert_eq!(absent, present, "whether it exists is not told");
        assert_eq!(misses(&stage), 0, "nothing was looked up");

        // Left in a range that is another program's by now: the same answer, though it had to be looked up.
        let mut rules = program("other-eur", "999902");
        rules.partner = "other".to_owned();
        stage.agree(Proposal::SetProgram(rules)).await.unwrap();
        let mut rules = program("demo-eur", "999901");
        rules.budgets.emissions_per_card = 100;
        stage.agree(Proposal::SetProgram(rules)).await.unwrap();
        let (status, _) = told(bring(&stage, &bank, &phone, &card(OTHERS)).await);
        assert_eq!(status, absent.0);
    }
}

#[tokio::test]
async fn without_the_partners_own_proof_of_this_very_card_nothing_enters() {
    let stage = Stage::new().await;
    let (bank, other_bank) = two_partners(&stage).await;
    let (phone, neighbour) = (stage.phone().await, stage.phone().await);
    let (key, good) = request(&stage, &bank, &phone, &card(FOREIGN)).await;
    let mut bare = good.clone();
    bare.holder_proof = None;
    assert_eq!(
        code(send(&stage, &phone, (stage.key(), bare)).await),
        "HOLDER_PROOF_REQUIRED"
    );
    let mut swapped = good.clone();
    swapped.payload = stage.seal(&card(SHORTEST));
    let mut renamed = good.clone();
    renamed.tokenise_key = stage.key();
    let mut readdressed = good.clone();
    readdressed.recipient = neighbour.recipient();
    let (_, by_other) = request(&stage, &other_bank, &phone, &card(FOREIGN)).await;
    let (_, mut by_holder) = request(&stage, &bank, &phone, &card(FOREIGN)).await;
    let nonce = nonce(&stage, &phone.holder).await;
    let claims = HolderProofClaims {
        op: Op::Tokenise,
        card: by_holder.tokenise_key.to_string(),
        jti: fresh(),
        nonce,
        iat: stage.vault.now(),
        rpk: phone.recipient.thumbprint(),
        bdh: Some(BodyHash::of(&by_holder.payload)),
    };
    by_holder.holder_proof = Some(claims.sign(&phone.signer).unwrap());
    for bad in [swapped, renamed, readdressed, by_other, by_holder] {
        assert_eq!(
            code(send(&stage, &phone, (stage.key(), bad)).await),
            "HOLDER_PROOF_INVALID"
        );
    }
    // Another holder's nonce.
    assert_eq!(
        code(send(&stage, &neighbour, (stage.key(), good.clone())).await),
        "HOLDER_PROOF_INVALID"
    );
    let first = done(send(&stage, &phone, (key.clone(), good.clone())).await);
    // The same again is the same answer; the same proof under another key of the gateway's is none.
    let again = done(send(&stage, &phone, (key, good.clone())).await);
    assert_eq!((&again.payload, &again.card), (&first.payload, &first.card));
    assert_eq!(
        code(send(&stage, &phone, (stage.key(), good)).await),
        "HOLDER_PROOF_INVALID"
    );
}

#[tokio::test]
async fn look_ups_have_budgets_whatever_they_find() {
    let stage = Stage::new().await;
    let (bank, _) = two_partners(&stage).await;
    let (phone, neighbour) = (stage.phone().await, stage.phone().await);
    done(bring(&stage, &bank, &phone, &card(FOREIGN)).await);
    let limit = async |narrow: fn(&mut Budgets)| {
        let mut rules = program("demo-eur", "999900");
        narrow(&mut rules.budgets);
        stage.agree(Proposal::SetProgram(rules)).await.unwrap();
    };
    limit(|budgets| budgets.tokenise_per_holder = 2).await;
    for _ in 0..2 {
        let refused = bring(&stage, &bank, &neighbour, &card(FOREIGN)).await;
        assert_eq!(code(refused), "CARD_ALREADY_TOKENISED");
    }
    for number in [FOREIGN, SHORTEST] {
        let refused = bring(&stage, &bank, &neighbour, &card(number)).await;
        assert_eq!(code(refused), "TOO_MANY_REQUESTS", "found or not");
    }
    done(bring(&stage, &bank, &phone, &card(SHORTEST)).await);
    for narrow in [
        (|budgets: &mut Budgets| budgets.tokenise_per_partner = 4) as fn(&mut Budgets),
        |budgets| budgets.tokenise_per_gateway = 4,
    ] {
        limit(narrow).await;
        assert_eq!(
            code(bring(&stage, &bank, &phone, &card(LONGEST)).await),
            "TOO_MANY_REQUESTS"
        );
    }
    // Malformed numbers and those of other ranges are never looked up, and cost nothing.
    limit(|_| {}).await;
    let bad = json!({ "cardNo": "9999990000000015", "exp": "2029-11-30" });
    assert_eq!(
        code(bring(&stage, &bank, &phone, &bad).await),
        "VALIDATION_FAILED"
    );
    stage.clock.advance(Duration::seconds(3700));
    limit(|budgets| budgets.tokenise_per_holder = 1).await;
    done(bring(&stage, &bank, &neighbour, &card(LONGEST)).await);
}

#[tokio::test]
async fn what_a_payload_may_say_is_told_without_its_content() {
    let stage = Stage::new().await;
    let (bank, _) = two_partners(&stage).await;
    let phone = stage.phone().await;
    for (content, expected) in [
        (json!({ "cardNo": FOREIGN }), "INVALID_PAYLOAD"),
        (
            json!({ "cardNo": FOREIGN, "exp": "2029-11-30", "more": 1 }),
            "INVALID_PAYLOAD",
        ),
        (
            json!({ "cardNo": FOREIGN, "exp": "2029-11-30", "type": "GOLD" }),
            "INVALID_PAYLOAD",
        ),
        (
            json!({ "cardNo": FOREIGN, "exp": "2029-11-29" }),
            "VALIDATION_FAILED",
        ),
        (
            json!({ "cardNo": FOREIGN, "exp": "2026-12-31" }),
            "VALIDATION_FAILED",
        ),
        (
            json!({ "cardNo": FOREIGN, "exp": "2029-11-30", "cvv": "12" }),
            "VALIDATION_FAILED",
        ),
        (
            json!({ "cardNo": FOREIGN, "exp": "2029-11-30", "name": FOREIGN }),
            "VALIDATION_FAILED",
        ),
        (
            json!({ "cardNo": FOREIGN, "exp": "2029-11-30", "name": "9999 9900 0000 0014" }),
            "VALIDATION_FAILED",
        ),
    ] {
        let error = bring(&stage, &bank, &phone, &content).await.unwrap_err();
        assert_eq!(error.status_and_code().1, expected, "{content}");
        assert!(!error.to_string().contains("9999"), "{error}");
    }
}

#[tokio::test]
async fn the_index_of_foreign_numbers_follows_rotations_checks_and_destruction() {
    for stage in Stage::each().await {
        let (bank, other_bank) = two_partners(&stage).await;
        let phone = stage.phone().await;
        let stranger = holder_of(&stage, "other-eur").await;
        let ours = done(bring(&stage, &bank, &phone, &card(FOREIGN)).await).card;
        let theirs = done(bring(&stage, &other_bank, &stranger, &card(FOREIGN)).await).card;
        for rotation in [Rotation::Fingerprint, Rotation::DataKeys, Rotation::Records] {
            stage.agree(Proposal::Rotate(rotation)).await.unwrap();
            let job = work::list(&stage.vault).unwrap().remove(0).id;
            let ended = work::run_to_end(&stage.vault, &job).await.unwrap();
            assert_eq!((ended.state, ended.progress.failed), (JobState::Done, 0));
        }
        let (held, _) = ask_again(&stage, &bank, &phone, &card(FOREIGN)).await;
        assert_eq!(held, ours);
        let (held, _) = ask_again(&stage, &other_bank, &stranger, &card(FOREIGN)).await;
        assert_eq!(held, theirs);

        let event = stage.event(Operation::ChangeJob);
        let job = integrity::begin(&stage.vault, event, &stage.officer(0), &stage.key())
            .await
            .unwrap();
        let checked = work::run_to_end(&stage.vault, &job.id).await.unwrap();
        assert_eq!((checked.state, checked.progress.failed), (JobState::Done, 0));

        // Erased: its number may come again once it is destroyed, and not before.
        let event = stage.event(Operation::Erase);
        erase::erase(&stage.vault, event, ours.clone()).await.unwrap();
        assert_eq!(
            code(bring(&stage, &bank, &phone, &card(FOREIGN)).await),
            "CARD_REMOVED"
        );
        stage.clock.advance(Duration::days(8));
        sweep::destroy_due(&stage.vault).await.unwrap();
        let entries = stage
            .vault
            .surroundings
            .store
            .scan(Tree::Fingerprints, b"", std::ops::Bound::Unbounded, 10)
            .unwrap();
        assert_eq!(entries.len(), 1, "the other partner's is left");
        let again = done(bring(&stage, &bank, &phone, &card(FOREIGN)).await).card;
        assert_ne!(again, ours);
    }
}
