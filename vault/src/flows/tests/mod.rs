//! The flows over a real store, real keys and real certificates, without a listener: what each lets pass, and what not.

mod audit;
mod backups;
mod bulk;
mod card_life;
mod enrolment;
mod erased;
mod governance;
mod plastic;
mod processes;
mod renewed_plastic;
mod reopening;
mod root;
mod slots;
mod standing;
mod tokenise;
mod verification;

use std::fs;
use std::sync::Arc;

use certs::{DevOptions, DevSet};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use shared::clock::{Clock, ManualClock};
use shared::ids::{CardToken, HolderToken, IdempotencyKey};
use shared::jwe::{Opener, RecipientKey, RsaKeySize, RsaPrivateKey, Sealer};
use shared::jws::HolderSigner;
use shared::jws::holder_proof::{HolderProofClaims, Op};
use shared::mtls::identity::Identity;
use shared::mtls::peer::Peer;
use shared::public_key::PublicKey;
use shared::vault_api::cards::{IssueCard, ProvenOperation, Recipient};
use shared::vault_api::governance::{EnrolmentPolicy, Party, Program, Proposal};
use shared::vault_api::holders::{CreateHolder, EnrolKey, EnrolledKey};
use shared::vault_api::{Actor, Channel, PublicMembers};
use time::macros::datetime;

use super::{challenge, create_holder, enrol_key, govern, issue};
use crate::audit::event::{Event, Operation};
use crate::ceremony::{Ceremony, init};
use crate::config::Config;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::domain::program::tests::program;
use crate::error::Error;
use crate::keys::slot::sealed;
use crate::keys::slot::share::ShareText;
use crate::open_vault::OpenVault;
use crate::process::Process;
use crate::store::testing::Home;

/// A vault of its own, unlocked, with a program and registered parties.
pub(crate) struct Stage {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) set: DevSet,
    pub(crate) clock: ManualClock,
    pub(crate) process: Process,
    pub(crate) vault: Arc<OpenVault>,
    count: std::cell::Cell<u32>,
    home: Home,
}

/// A holder with a key of their own.
pub(crate) struct Phone {
    pub(crate) holder: HolderToken,
    signer: HolderSigner,
    recipient: PublicKey,
    private: Opener,
}

/// What a phone knows of its card.
pub(crate) struct Shown {
    pub(crate) token: CardToken,
    pub(crate) pan: String,
    pub(crate) cvv: String,
    pub(crate) exp: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(EnrolmentPolicy::MaturesAfter { hours: 24 }).await
    }

    pub(crate) async fn with(enrolment: EnrolmentPolicy) -> Self {
        Self::on(Home::sled(), enrolment).await
    }

    /// One on each engine that is there.
    pub(crate) async fn each() -> Vec<Self> {
        let mut stages = Vec::new();
        for home in Home::each() {
            stages.push(Self::on(home, EnrolmentPolicy::MaturesAfter { hours: 24 }).await);
        }
        stages
    }

    /// One on PostgreSQL, where there is a server.
    pub(crate) async fn shared() -> Option<Self> {
        let home = Home::postgres()?;
        Some(Self::on(home, EnrolmentPolicy::MaturesAfter { hours: 24 }).await)
    }

    async fn on(home: Home, enrolment: EnrolmentPolicy) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::starting_at(datetime!(2027-01-15 12:00 UTC));
        let time = Clock::Manual(clock.clone());
        let partners = DevOptions {
            partners: vec!["other".parse().unwrap()],
            ..DevOptions::default()
        };
        let set = DevSet::create(&directory.path().join("certs"), &partners, &time).unwrap();
        let config = config(&directory, &set, &home, "data");
        let shares = directory.path().join("shares");
        fs::create_dir(&shares).unwrap();
        let custodians = set
            .officers
            .iter()
            .map(|officer| officer.certificate.clone())
            .collect();
        init(
            &config,
            &Ceremony {
                custodians,
                threshold: 2,
                shares,
                token: None,
            },
            &time,
        )
        .await
        .unwrap();
        let (process, vault) = open(&directory, &set, &time, &home, "data").await;
        let stage = Self {
            directory,
            set,
            clock,
            process,
            vault,
            count: std::cell::Cell::new(0),
            home,
        };
        for pair in [
            &stage.set.gateway_client,
            &stage.set.processor,
            &stage.set.partner,
        ] {
            let peer = peer(&pair.certificate);
            let party = Party {
                identity: peer.identity,
                key_thumbprint: peer.key,
            };
            stage.agree(Proposal::RegisterParty(party)).await.unwrap();
        }
        let mut rules: Program = program("demo-eur", "999900");
        rules.enrolment = enrolment;
        (
            rules.budgets.emissions_per_card,
            rules.budgets.emissions_per_holder,
        ) = (100, 100);
        stage.agree(Proposal::SetProgram(rules)).await.unwrap();
        stage
    }

    /// Another process of the same vault, unlocked; only on a shared store.
    pub(crate) async fn beside(&self) -> (Process, Arc<OpenVault>) {
        let time = Clock::Manual(self.clock.clone());
        open(&self.directory, &self.set, &time, &self.home, "beside").await
    }

    pub(crate) fn event(&self, operation: Operation) -> Event {
        let mut event = Event::done(operation, self.vault.surroundings.clock.now());
        event.caller = Some(Identity::Gateway);
        event
    }

    pub(crate) fn key(&self) -> IdempotencyKey {
        self.count.set(self.count.get() + 1);
        format!("key-{}", self.count.get()).parse().unwrap()
    }

    /// Two officers agree.
    pub(crate) async fn agree(&self, proposal: Proposal) -> Result<(), Error> {
        let (first, second) = (self.officer(0), self.officer(1));
        let filed = govern::propose(
            &self.vault,
            self.event(Operation::Propose),
            &first,
            &self.key(),
            proposal,
        )
        .await?;
        govern::approve(
            &self.vault,
            self.event(Operation::Approve),
            &second,
            filed.id,
            &filed.hash,
        )
        .await
        .map(drop)
    }

    pub(crate) fn officer(&self, number: usize) -> Identity {
        peer(&self.set.officers[number].certificate).identity
    }

    pub(crate) async fn holder(&self) -> HolderToken {
        let request = CreateHolder {
            program: "demo-eur".parse().unwrap(),
            actor: actor(),
        };
        let event = self.event(Operation::CreateHolder);
        create_holder::create_holder(&self.vault, event, &Identity::Gateway, &self.key(), request)
            .await
            .unwrap()
            .holder
    }

    /// A phone of a new holder, its key enrolled at first use.
    pub(crate) async fn phone(&self) -> Phone {
        let phone = Phone::of(self.holder().await);
        self.enrol(&phone, |_| {}).await.unwrap();
        phone
    }

    pub(crate) async fn enrol(
        &self,
        phone: &Phone,
        with: impl FnOnce(&mut EnrolKey),
    ) -> Result<EnrolledKey, Error> {
        let key = phone.signer.public_key().unwrap();
        let mut request = EnrolKey {
            key,
            holder_proof: None,
            enrolment_ticket: None,
            enrolment_proof: None,
            actor: actor(),
        };
        with(&mut request);
        let event = self.event(Operation::EnrolKey);
        let holder = phone.holder.clone();
        enrol_key::enrol_key(
            &self.vault,
            event,
            &Identity::Gateway,
            holder,
            &self.key(),
            request,
        )
        .await
    }

    /// Issues a card and shows it to the phone.
    pub(crate) async fn card(&self, phone: &Phone) -> Shown {
        let key = self.key();
        let nonce = challenge::for_holder(
            &self.vault,
            self.event(Operation::Challenge),
            phone.holder.clone(),
        );
        let nonce = nonce.await.unwrap().nonce;
        let proof = phone.proof(Op::Issue, key.as_str(), nonce, self.vault.now());
        let request = IssueCard {
            recipient: Some(phone.recipient()),
            payload: None,
            holder_proof: Some(proof),
            issue_key: Some(key.clone()),
            refuse: false,
            actor: actor(),
        };
        let event = self.event(Operation::Issue);
        let holder = phone.holder.clone();
        let issued = issue::issue(&self.vault, event, &Identity::Gateway, holder, &key, request)
            .await
            .unwrap();
        let json = phone.open(&issued.payload.unwrap());
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Shown {
            token: issued.card,
            pan: text("cardNo"),
            cvv: text("cvv"),
            exp: text("exp"),
        }
    }

    /// A proven operation on a card.
    pub(crate) async fn proven(&self, phone: &Phone, op: Op, card: &CardToken) -> ProvenOperation {
        let event = self.event(Operation::Challenge);
        let nonce = challenge::for_card(&self.vault, event, card.clone())
            .await
            .unwrap()
            .nonce;
        let proof = phone.proof(op, card.as_str(), nonce, self.vault.now());
        ProvenOperation {
            recipient: phone.recipient(),
            holder_proof: Some(proof),
            refuse: false,
            actor: actor(),
        }
    }

    /// Seals JSON to the vault, as an app does.
    pub(crate) fn seal(&self, value: &Value) -> String {
        let keyring = self.vault.keyring();
        let key = keyring.jwe().public_keys().next().unwrap();
        Sealer::new(key)
            .unwrap()
            .seal(value.to_string().as_bytes())
            .unwrap()
    }

    /// Hands in two shares again after a lock.
    pub(crate) async fn unlock(&mut self) {
        self.try_unlock().await.unwrap();
    }

    /// The same, for a vault that may not open.
    pub(crate) async fn try_unlock(&mut self) -> Result<(), Error> {
        give_shares(&self.directory, &self.set, &self.process).await?;
        self.vault = self.process.open_vault()?;
        Ok(())
    }
}

impl Phone {
    pub(crate) fn of(holder: HolderToken) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let private =
            RsaPrivateKey::from_pkcs8(&RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap()).unwrap();
        Self {
            holder,
            signer: HolderSigner::from_pkcs8(pkcs8.as_ref()).unwrap(),
            recipient: private.public_key().clone(),
            private: Opener::new(private, Vec::new()),
        }
    }

    fn recipient(&self) -> Recipient {
        Recipient {
            public_key: self.recipient.clone(),
            members: PublicMembers::new(),
        }
    }

    fn proof(&self, op: Op, card: &str, nonce: shared::ids::Nonce, now: i64) -> String {
        let (jti, rpk) = (nonce.to_string(), self.recipient.thumbprint());
        let claims = HolderProofClaims {
            op,
            card: card.to_owned(),
            nonce,
            iat: now,
            jti,
            rpk,
            bdh: None,
        };
        claims.sign(&self.signer).unwrap()
    }

    pub(crate) fn open(&self, compact: &str) -> Value {
        let jwe = shared::jwe::CompactJwe::parse(compact, shared::jwe::AlgPolicy::Sha256Only).unwrap();
        serde_json::from_slice(&self.private.open(&jwe).unwrap()).unwrap()
    }
}

impl Shown {
    pub(crate) fn pan(&self) -> Pan {
        Pan::parse(self.pan.as_bytes()).unwrap()
    }

    pub(crate) fn cvv(&self) -> Cvv {
        Cvv::parse(self.cvv.as_bytes()).unwrap()
    }

    pub(crate) fn wrong_cvv(&self) -> Cvv {
        let wrong = (self.cvv.parse::<u32>().unwrap() + 1) % 1000;
        Cvv::parse(format!("{wrong:03}").as_bytes()).unwrap()
    }
}

/// The configuration of the process by this name.
fn config(directory: &tempfile::TempDir, set: &DevSet, home: &Home, process: &str) -> Config {
    let file = directory.path().join(format!("{process}.toml"));
    let data = directory.path().join(process);
    fs::create_dir_all(&data).unwrap();
    let text = json!({
        "environment": "development",
        "listen": "127.0.0.1:0",
        "data": data,
        "tls": {
            "certificate": set.vault.certificate,
            "key": set.vault.key,
            "ca": set.internal_ca.certificate,
            "crl": set.internal_crl,
            "partner_ca": set.partner_ca.certificate,
            "partner_crl": set.partner_crl,
        },
    });
    let tls: Vec<String> = text["tls"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, path)| format!("{key} = {path}"))
        .collect();
    let engine = home.url().map_or_else(String::new, |url| {
        format!("engine = \"postgres\"\nurl = {}\nconnections = 2\n", json!(url))
    });
    let text = format!(
        "environment = \"development\"\nlisten = \"127.0.0.1:0\"\ndata = {}\n[tls]\n{}\n[jwe]\nrsa_bits = 2048\n[epoch]\nfiles = [{}, {}]\n[store]\nballast_mib = 0\n{engine}",
        text["data"],
        tls.join("\n"),
        json!(directory.path().join("epoch-1")),
        json!(directory.path().join("epoch-2")),
    );
    fs::write(&file, text).unwrap();
    Config::load(&file).unwrap()
}

async fn open(
    directory: &tempfile::TempDir,
    set: &DevSet,
    clock: &Clock,
    home: &Home,
    process: &str,
) -> (Process, Arc<OpenVault>) {
    let config = config(directory, set, home, process);
    let store = crate::app::open_store(&config).unwrap();
    let surroundings = crate::app::surroundings(&config, store, clock).unwrap();
    let process = Process::locked(surroundings).unwrap();
    give_shares(directory, set, &process).await.unwrap();
    let vault = process.open_vault().unwrap();
    (process, vault)
}

async fn give_shares(directory: &tempfile::TempDir, set: &DevSet, process: &Process) -> Result<(), Error> {
    for (number, officer) in set.officers.iter().enumerate().take(2) {
        let share = open_share(directory, set, number);
        process.give_share(&peer(&officer.certificate), &share).await?;
    }
    Ok(())
}

/// The share that the ceremony gave to an officer, opened as the custodian does.
fn open_share(directory: &tempfile::TempDir, set: &DevSet, number: usize) -> ShareText {
    let file = format!("share-officer-{}.jwe", number + 1);
    let sealed = fs::read_to_string(directory.path().join("shares").join(file)).unwrap();
    let key = RecipientKey::from_pkcs8_pem(&fs::read(&set.officers[number].key).unwrap()).unwrap();
    sealed::open(&sealed, &key).unwrap()
}

fn peer(certificate: &std::path::Path) -> Peer {
    use rustls_pki_types::pem::PemObject;
    Peer::from_certificate(&rustls_pki_types::CertificateDer::from_pem_file(certificate).unwrap()).unwrap()
}

fn actor() -> Actor {
    Actor {
        channel: Channel::Customers,
        subject: None,
        device: None,
        trace_id: None,
    }
}
