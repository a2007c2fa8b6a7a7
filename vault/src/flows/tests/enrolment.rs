//! How a key comes in: at first use, by co-signature, by a card in hand, by ticket, or not before its time.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::json;
use shared::jws::X5c;
use shared::jws::enrolment_ticket::{EnrolmentTicketClaims, SecretHash};
use shared::jws::holder_proof::Op;
use shared::vault_api::governance::{EnrolmentPolicy, Proposal};
use shared::vault_api::holders::KeyState;
use time::Duration;

use super::{Phone, Shown, Stage};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::{challenge, reveal};

const SECRET: &str = "c2VjcmV0LW9mLXRoZS1hcHA";

async fn sees(stage: &Stage, phone: &Phone, card: &Shown) -> Result<(), Error> {
    let request = stage.proven(phone, Op::Reveal, &card.token).await;
    let event = stage.event(Operation::Reveal);
    reveal::reveal(&stage.vault, event, card.token.clone(), request)
        .await
        .map(drop)
}

#[tokio::test]
async fn a_second_key_waits_a_day_or_for_two_officers() {
    let stage = Stage::new().await;
    let first = stage.phone().await;
    let card = stage.card(&first).await;
    let second = Phone::of(first.holder.clone());
    assert_eq!(
        stage.enrol(&second, |_| {}).await.unwrap().state,
        KeyState::Pending
    );
    assert!(matches!(
        sees(&stage, &second, &card).await,
        Err(Error::KeyPending)
    ));

    let key = second.signer.public_key().unwrap().thumbprint();
    stage
        .agree(Proposal::ActivateKey {
            holder: first.holder.clone(),
            key,
        })
        .await
        .unwrap();
    sees(&stage, &second, &card).await.unwrap();

    let third = Phone::of(first.holder.clone());
    stage.enrol(&third, |_| {}).await.unwrap();
    assert!(matches!(
        sees(&stage, &third, &card).await,
        Err(Error::KeyPending)
    ));
    stage.clock.advance(Duration::hours(24));
    sees(&stage, &third, &card).await.unwrap();
}

#[tokio::test]
async fn an_active_key_brings_in_another() {
    let stage = Stage::new().await;
    let first = stage.phone().await;
    let card = stage.card(&first).await;
    let second = Phone::of(first.holder.clone());
    let subject = second.signer.public_key().unwrap().thumbprint().to_string();
    let event = stage.event(Operation::Challenge);
    let nonce = challenge::for_holder(&stage.vault, event, first.holder.clone())
        .await
        .unwrap()
        .nonce;
    // The recipient that a co-signature names is the new key.
    let rpk = second.signer.public_key().unwrap().thumbprint();
    let claims = shared::jws::holder_proof::HolderProofClaims {
        op: Op::EnrolKey,
        card: subject,
        nonce,
        iat: stage.vault.now(),
        jti: "one".to_owned(),
        rpk,
        bdh: None,
    };
    let by_itself = claims.sign(&second.signer).unwrap();
    let refused = stage
        .enrol(&second, |request| request.holder_proof = Some(by_itself))
        .await;
    assert!(matches!(refused, Err(Error::ProofInvalid(_))));
    let by_first = claims.sign(&first.signer).unwrap();
    let enrolled = stage
        .enrol(&second, |request| request.holder_proof = Some(by_first))
        .await
        .unwrap();
    assert_eq!(enrolled.state, KeyState::Active);
    assert!(enrolled.vault_proof.is_some());
    sees(&stage, &second, &card).await.unwrap();
}

async fn card_in_hand(stage: &Stage, phone: &Phone, card: &Shown, cvv: &str) -> String {
    let event = stage.event(Operation::Challenge);
    let nonce = challenge::for_holder(&stage.vault, event, phone.holder.clone())
        .await
        .unwrap()
        .nonce;
    let jkt = phone.signer.public_key().unwrap().thumbprint();
    stage.seal(&json!({ "cardNo": card.pan, "exp": card.exp, "cvv": cvv, "jkt": jkt, "nonce": nonce }))
}

#[tokio::test]
async fn a_card_in_hand_brings_in_a_key_for_that_card_alone() {
    for stage in Stage::each().await {
        let first = stage.phone().await;
        let (card, other) = (stage.card(&first).await, stage.card(&first).await);
        let second = Phone::of(first.holder.clone());
        let proof = card_in_hand(&stage, &second, &card, &card.cvv).await;
        let enrolled = stage
            .enrol(&second, |request| request.enrolment_proof = Some(proof))
            .await
            .unwrap();
        assert_eq!(enrolled.state, KeyState::Active);
        sees(&stage, &second, &card).await.unwrap();
        assert!(matches!(
            sees(&stage, &second, &other).await,
            Err(Error::ProofInvalid(_))
        ));
    }
}

#[tokio::test]
async fn card_data_cannot_be_guessed_by_enrolling() {
    let stage = Stage::new().await;
    let first = stage.phone().await;
    let card = stage.card(&first).await;
    let second = Phone::of(first.holder.clone());
    let wrong = std::str::from_utf8(card.wrong_cvv().as_bytes())
        .unwrap()
        .to_owned();
    for _ in 0..5 {
        let proof = card_in_hand(&stage, &second, &card, &wrong).await;
        let refused = stage
            .enrol(&second, |request| request.enrolment_proof = Some(proof))
            .await;
        assert!(matches!(refused, Err(Error::EnrolmentProofInvalid(_))));
    }
    let right = card_in_hand(&stage, &second, &card, &card.cvv).await;
    let refused = stage
        .enrol(&second, |request| request.enrolment_proof = Some(right))
        .await;
    assert!(
        matches!(refused, Err(Error::EnrolmentProofInvalid(_))),
        "five tries, then none"
    );
}

fn ticket(stage: &Stage, name: &str, jti: &str, external_id: &str) -> String {
    let pair = stage.set.partner_named(&name.parse().unwrap());
    let pair = if name == "partner" {
        &stage.set.partner
    } else {
        &pair
    };
    let chain = vec![CertificateDer::from_pem_file(&pair.certificate).unwrap()];
    let key = PrivatePkcs8KeyDer::from_pem_file(&pair.key).unwrap();
    let claims = EnrolmentTicketClaims {
        aud: "spiffe://tessera/vault".to_owned(),
        jti: jti.to_owned(),
        external_id: external_id.to_owned(),
        secret_hash: SecretHash::of(SECRET.as_bytes()),
        exp: stage.vault.now() + 600,
    };
    claims
        .sign(key.secret_pkcs8_der(), &X5c::new(chain).unwrap())
        .unwrap()
}

async fn with_ticket(stage: &Stage, phone: &Phone, ticket: String, secret: &str) -> Result<KeyState, Error> {
    let jkt = phone.signer.public_key().unwrap().thumbprint();
    let proof = stage.seal(&json!({ "secret": secret, "jkt": jkt }));
    let enrolled = stage.enrol(phone, |request| {
        request.enrolment_ticket = Some(ticket);
        request.enrolment_proof = Some(proof);
    });
    enrolled.await.map(|key| key.state)
}

#[tokio::test]
async fn with_tickets_the_gateway_is_not_trusted_even_with_the_first_key() {
    let stage = Stage::with(EnrolmentPolicy::Ticket).await;
    let phone = Phone::of(stage.holder().await);
    let on_its_word = stage.enrol(&phone, |_| {}).await.unwrap_err();
    assert_eq!(on_its_word.status_and_code().1, "ENROLMENT_TICKET_REQUIRED");
    let first = ticket(&stage, "partner", "t1", "user-1");
    let wrong = with_ticket(&stage, &phone, first.clone(), "a-guess").await;
    assert!(matches!(wrong, Err(Error::EnrolmentProofInvalid(_))));
    assert_eq!(
        with_ticket(&stage, &phone, first.clone(), SECRET).await.unwrap(),
        KeyState::Active
    );

    let other = Phone::of(phone.holder.clone());
    let again = with_ticket(&stage, &other, first, SECRET).await;
    assert!(
        matches!(again, Err(Error::EnrolmentProofInvalid(_))),
        "spent once"
    );
    let foreign = with_ticket(&stage, &other, ticket(&stage, "partner", "t2", "user-2"), SECRET).await;
    assert!(
        matches!(foreign, Err(Error::EnrolmentProofInvalid(_))),
        "the user is fixed"
    );
    let second = with_ticket(&stage, &other, ticket(&stage, "partner", "t3", "user-1"), SECRET).await;
    assert_eq!(second.unwrap(), KeyState::Active);
}
