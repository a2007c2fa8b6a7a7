//! The flows over a real database, with a clock that tests turn and a vault that is away.

mod balances;
mod documents;
mod identity;
mod import_cards;
pub(super) mod imports;
mod removal;
mod standing;

use std::collections::HashSet;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use shared::jws::HolderSigner;
use shared::jws::session_proof::SessionProofClaims;
use shared::vault_api::{Actor, Channel};
use time::Duration;
use zeroize::Zeroizing;

use super::claimed::{Opened, open};
use super::create_activation_code::create_activation_code;
use super::log_in::{Login, log_in, log_out, login_challenge};
use super::pair_device::{Pairing, pair_device};
use super::register_user::{Registration, register_user};
use super::secret::hash;
use crate::domain::installation::{AppPin, DeviceId, InstallationId};
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::installations::{self, NewInstallation};
use crate::store::tests::people::{person, user};
use crate::store::users::NewUser;
use crate::store::{activation_codes, sessions, users};
use crate::testing::{Stage, stages};

const PIN: &str = "2468";

pub(super) fn request(key: Option<&str>) -> Request {
    Request {
        scope: "test".to_owned(),
        key: key.map(str::to_owned),
        fingerprint: [7; 32],
    }
}

pub(super) fn answer() -> Answer {
    Answer {
        status: 201,
        vault_proof: None,
        audit_index: None,
        body: b"{}".to_vec(),
    }
}

fn actor() -> Actor {
    Actor {
        channel: Channel::System,
        subject: None,
        device: None,
        trace_id: None,
    }
}

fn pin(digits: &str) -> AppPin {
    AppPin::parse(Zeroizing::new(digits.to_owned())).unwrap()
}

fn signer() -> HolderSigner {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    HolderSigner::from_pkcs8(pkcs8.as_ref()).unwrap()
}

/// A phone that is paired already.
struct Phone {
    signer: HolderSigner,
    installation: InstallationId,
}

impl Phone {
    async fn paired(services: &Services, user: UserId) -> Self {
        let signer = signer();
        let pin_hash = services.pins.hash(pin(PIN), &services.random).await.unwrap();
        let device = DeviceId::parse("phone").unwrap();
        let key = signer.public_key().unwrap();
        let new = NewInstallation {
            user,
            device: &device,
            device_name: None,
            key: &key,
            pin_hash: &pin_hash,
        };
        let mut tx = services.db.begin().await.unwrap();
        let (installation, _) = installations::replace(&mut tx, &new, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self { signer, installation }
    }

    fn login(&self, challenge: &str, digits: &str) -> Login {
        let installation_id = u64::try_from(self.installation.0).unwrap();
        let claims = SessionProofClaims {
            challenge: challenge.to_owned(),
            installation_id,
        };
        Login {
            installation: self.installation,
            proof: claims.sign(&self.signer).unwrap(),
            pin: pin(digits),
        }
    }

    async fn log_in(&self, services: &Services, digits: &str) -> Result<Zeroizing<String>, Error> {
        let made = login_challenge(services, self.installation).await?;
        let session = log_in(services, request(None), self.login(&made.challenge, digits)).await?;
        Ok(session.token)
    }
}

async fn is_a_session(stage: &Stage, token: &str) -> bool {
    let mut read = stage.services.db.read().await.unwrap();
    sessions::find(&mut read, &hash(token.as_bytes()), stage.services.now())
        .await
        .unwrap()
        .is_some()
}

#[tokio::test]
async fn a_login_begins_a_session_that_ends_on_time_or_when_told() {
    for stage in stages().await {
        let services = &stage.services;
        let phone = Phone::paired(services, user(&services.db, "partner", 1).await).await;
        let (first, second) = (
            phone.log_in(services, PIN).await.unwrap(),
            phone.log_in(services, PIN).await.unwrap(),
        );
        assert!(first.starts_with("ses_") && first != second);
        log_out(services, &hash(first.as_bytes())).await.unwrap();
        assert!(!is_a_session(&stage, &first).await, "{}", stage.engine);
        assert!(is_a_session(&stage, &second).await);
        stage.clock.advance(Duration::minutes(10));
        assert!(!is_a_session(&stage, &second).await);
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_login_the_answer_is_the_same() {
    for stage in stages().await {
        let services = &stage.services;
        let phone = Phone::paired(services, user(&services.db, "partner", 1).await).await;
        let challenge = || async {
            login_challenge(services, phone.installation)
                .await
                .unwrap()
                .challenge
        };
        let thief = Phone {
            signer: signer(),
            installation: phone.installation,
        };
        let nobody = Phone {
            signer: signer(),
            installation: InstallationId(9_999),
        };
        let spent = challenge().await;
        log_in(services, request(None), phone.login(&spent, PIN))
            .await
            .unwrap();
        let others = login_challenge(services, nobody.installation)
            .await
            .unwrap()
            .challenge;
        let wrong = [
            thief.login(&challenge().await, PIN),
            nobody.login(&others, PIN),
            phone.login(&others, PIN),
            phone.login(&spent, PIN),
            phone.login("made-up", PIN),
            phone.login(&challenge().await, "1357"),
        ];
        for login in wrong {
            let refused = log_in(services, request(None), login).await.err().unwrap();
            assert_eq!(refused.code(), Code::AuthenticationFailed, "{}", stage.engine);
        }
        let late = challenge().await;
        stage.clock.advance(Duration::seconds(60));
        let refused = log_in(services, request(None), phone.login(&late, PIN))
            .await
            .err()
            .unwrap();
        assert_eq!(refused.code(), Code::AuthenticationFailed);
    }
}

#[tokio::test]
async fn only_the_device_itself_uses_up_the_logins_of_an_installation() {
    let stage = stages().await.remove(0);
    let services = &stage.services;
    let phone = Phone::paired(services, user(&services.db, "partner", 1).await).await;
    let thief = Phone {
        signer: signer(),
        installation: phone.installation,
    };
    let allowed = services.config.limits.logins_per_minute_per_installation;
    for _ in 0..allowed {
        let refused = thief.log_in(services, PIN).await.err().unwrap();
        assert_eq!(refused.code(), Code::AuthenticationFailed);
    }
    for _ in 0..allowed {
        phone.log_in(services, PIN).await.unwrap();
    }
    let refused = phone.log_in(services, PIN).await.err().unwrap();
    assert_eq!(refused.code(), Code::TooManyRequests);
}

#[tokio::test]
async fn five_wrong_pins_lock_the_installation_and_a_stranger_locks_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let phone = Phone::paired(services, user(&services.db, "partner", 1).await).await;
        let thief = Phone {
            signer: signer(),
            installation: phone.installation,
        };
        for _ in 0..6 {
            assert_eq!(
                thief.log_in(services, "1357").await.err().unwrap().code(),
                Code::AuthenticationFailed
            );
        }
        for _ in 0..5 {
            assert_eq!(
                phone.log_in(services, "1357").await.err().unwrap().code(),
                Code::AuthenticationFailed
            );
        }
        let locked = phone.log_in(services, PIN).await.err().unwrap();
        assert_eq!(locked.code(), Code::TooManyRequests, "{}", stage.engine);
        stage.clock.advance(Duration::minutes(15));
        phone.log_in(services, PIN).await.unwrap();
        assert_eq!(
            phone.log_in(services, "1357").await.err().unwrap().code(),
            Code::AuthenticationFailed
        );
        phone.log_in(services, PIN).await.unwrap();
    }
}

#[tokio::test]
async fn the_same_login_again_gets_another_token_for_the_same_session() {
    for stage in stages().await {
        let services = &stage.services;
        let phone = Phone::paired(services, user(&services.db, "partner", 1).await).await;
        let made = login_challenge(services, phone.installation).await.unwrap();
        let proof = phone.login(&made.challenge, PIN).proof;
        let again = || Login {
            installation: phone.installation,
            proof: proof.clone(),
            pin: pin(PIN),
        };
        let first = log_in(services, request(Some("k")), again()).await.unwrap();
        stage.clock.advance(Duration::minutes(3));
        let second = log_in(services, request(Some("k")), again()).await.unwrap();
        assert_eq!(second.expires_at, first.expires_at, "{}", stage.engine);
        assert!(!is_a_session(&stage, &first.token).await);
        assert!(is_a_session(&stage, &second.token).await);
        stage.clock.advance(Duration::minutes(7));
        let late = log_in(services, request(Some("k")), again()).await.err().unwrap();
        assert_eq!(late.code(), Code::AuthenticationFailed);
    }
}

fn pairing(code: &str) -> Pairing {
    Pairing {
        activation_code: code.to_owned(),
        device: DeviceId::parse("phone").unwrap(),
        device_name: None,
        key: signer().public_key().unwrap(),
        pin: pin(PIN),
        enrolment_proof: None,
        holder_proof: None,
    }
}

#[tokio::test]
async fn while_the_vault_is_away_no_activation_code_is_spent_and_no_try_taken() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let issued = create_activation_code(services, ada, None).await.unwrap();
        // More often than a code has tries, and than the circuit needs to open.
        for _ in 0..8 {
            let away = pair_device(services, request(None), pairing(&issued.code), |_| actor())
                .await
                .err()
                .unwrap();
            assert_eq!(away.code(), Code::VaultUnavailable, "{}", stage.engine);
        }
        let selector = issued.code.get(..4).unwrap();
        let mut read = services.db.read().await.unwrap();
        let code = activation_codes::find(&mut read, selector)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(code.tries_left, 5, "{}", stage.engine);
    }
}

#[tokio::test]
async fn a_wrong_late_or_exhausted_activation_code_is_one_answer() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let pair = |code: String| async move {
            pair_device(services, request(None), pairing(&code), |_| actor())
                .await
                .err()
                .unwrap()
                .code()
        };
        let issued = create_activation_code(services, ada, None).await.unwrap();
        let guess = format!("{}-0000-0000-0000", issued.code.get(..4).unwrap());
        for wrong in ["", "nonsense", "0000-0000-0000-0000"] {
            assert_eq!(
                pair(wrong.to_owned()).await,
                Code::ActivationCodeInvalid,
                "{wrong}"
            );
        }
        for _ in 0..5 {
            assert_eq!(pair(guess.clone()).await, Code::ActivationCodeInvalid);
        }
        assert_eq!(
            pair(issued.code.to_string()).await,
            Code::ActivationCodeInvalid,
            "{}",
            stage.engine
        );
        let late = create_activation_code(services, ada, None).await.unwrap();
        stage.clock.advance(Duration::hours(1));
        assert_eq!(pair(late.code.to_string()).await, Code::ActivationCodeInvalid);
    }
}

#[tokio::test]
async fn a_registration_that_the_vault_never_heard_of_leaves_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let registration = Registration {
            partner: "partner".parse().unwrap(),
            program: "demo-eur".parse().unwrap(),
            external_id: None,
            person: person(),
        };
        for key in [None, Some("k")] {
            let away = register_user(services, &request(key), &registration, actor(), |_| Ok(answer())).await;
            let away = away.err().unwrap();
            assert_eq!(away.code(), Code::VaultUnavailable);
            assert!(
                away.to_problem("4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap())
                    .retry_after_seconds()
                    .is_some()
            );
        }
        let mut read = services.db.read().await.unwrap();
        let left = users::pending_since(&mut read, services.now() + Duration::DAY, UserId(0), 10)
            .await
            .unwrap();
        assert!(left.is_empty(), "{}", stage.engine);
    }
}

#[tokio::test]
async fn a_registration_that_the_vault_may_have_heard_of_is_kept_while_it_is_away() {
    for stage in stages().await {
        let services = &stage.services;
        let registration = Registration {
            partner: "partner".parse().unwrap(),
            program: "demo-eur".parse().unwrap(),
            external_id: None,
            person: person(),
        };
        let mut tx = services.db.begin().await.unwrap();
        let Opened::Claim(first) = open(services, &mut tx, &request(Some("k"))).await.unwrap() else {
            panic!("answered before")
        };
        let new = NewUser {
            partner: &registration.partner,
            program: &registration.program,
            external_id: None,
            person: &registration.person,
            vault_key: services.vault_key().unwrap(),
            request: first.entry(),
            import: None,
        };
        let pending = users::insert_pending(&mut tx, &new, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        drop(first);
        for _ in 0..2 {
            let away = register_user(services, &request(Some("k")), &registration, actor(), |_| {
                Ok(answer())
            })
            .await;
            assert_eq!(away.err().unwrap().code(), Code::VaultUnavailable);
            let mut read = services.db.read().await.unwrap();
            let left = users::pending_since(&mut read, services.now() + Duration::DAY, UserId(0), 10)
                .await
                .unwrap();
            assert_eq!(left, vec![pending.clone()], "{}", stage.engine);
        }
    }
}

#[tokio::test]
async fn activation_codes_differ_and_show_no_card_number() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let mut seen = HashSet::new();
        for _ in 0..20 {
            let code = create_activation_code(services, ada, None).await.unwrap().code;
            assert_eq!(code.len(), 19);
            assert!(seen.insert(code.to_string()), "{}", stage.engine);
        }
    }
}
