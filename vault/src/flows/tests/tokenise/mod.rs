//! Cards that partners bring in: what gets a token, what is refused, and what a guesser learns, which is nothing.

mod rows;
mod single;
mod verdicts;

use ring::rand::SystemRandom;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use shared::ids::{HolderToken, IdempotencyKey, Nonce};
use shared::jwe::BodyHash;
use shared::jws::X5c;
use shared::jws::holder_proof::{HolderProofClaims, Op};
use shared::mtls::identity::Identity;
use shared::public_key::PublicKey;
use shared::thumbprint::Thumbprint;
use shared::vault_api::governance::{Party, Proposal};
use shared::vault_api::holders::CreateHolder;
use shared::vault_api::tokens::{TokeniseCard, Tokenised, TokenisedCard};

use super::{Phone, Stage, actor, peer};
use crate::audit::event::{Event, Operation, Outcome};
use crate::audit::log::{Durable, Log};
use crate::domain::program::tests::program;
use crate::error::Error;
use crate::flows::{challenge, create_holder, tokenise};

/// Of the program's own range.
const OWN: &str = "9999000000000012";
/// Of the range of the other partner's program.
const OTHERS: &str = "9999010000000011";
/// Of no program's range: another issuer's.
const FOREIGN: &str = "9999990000000014";
/// The same, of the fewest digits and of the most.
const SHORTEST: &str = "999999000006";
const LONGEST: &str = "9999990000000000014";

/// A partner's server with the key of its certificate.
struct Bank {
    x5c: X5c,
    key: PrivatePkcs8KeyDer<'static>,
    thumbprint: Thumbprint,
}

impl Bank {
    fn of(stage: &Stage, name: &str) -> Self {
        let named = stage.set.partner_named(&name.parse().unwrap());
        let pair = if name == "partner" {
            &stage.set.partner
        } else {
            &named
        };
        let chain = vec![CertificateDer::from_pem_file(&pair.certificate).unwrap()];
        let x5c = X5c::new(chain).unwrap();
        let key: PublicKey = x5c.signer_key().unwrap();
        Self {
            thumbprint: key.thumbprint(),
            x5c,
            key: PrivatePkcs8KeyDer::from_pem_file(&pair.key).unwrap(),
        }
    }

    fn sign(&self, claims: &HolderProofClaims) -> String {
        claims
            .sign_certified(self.key.secret_pkcs8_der(), &self.x5c)
            .unwrap()
    }
}

/// Two partners with a program each.
async fn two_partners(stage: &Stage) -> (Bank, Bank) {
    let other = Bank::of(stage, "other");
    let peer = peer(&stage.set.partner_named(&"other".parse().unwrap()).certificate);
    let party = Party {
        identity: peer.identity,
        key_thumbprint: peer.key,
    };
    stage.agree(Proposal::RegisterParty(party)).await.unwrap();
    let mut rules = program("other-eur", "999901");
    rules.partner = "other".to_owned();
    stage.agree(Proposal::SetProgram(rules)).await.unwrap();
    (Bank::of(stage, "partner"), other)
}

async fn holder_of(stage: &Stage, program: &str) -> Phone {
    let request = CreateHolder {
        program: program.parse().unwrap(),
        actor: actor(),
    };
    let event = stage.event(Operation::CreateHolder);
    let key = stage.key();
    let created = create_holder::create_holder(&stage.vault, event, &Identity::Gateway, &key, request);
    let phone = Phone::of(created.await.unwrap().holder);
    stage.enrol(&phone, |_| {}).await.unwrap();
    phone
}

async fn nonce(stage: &Stage, holder: &HolderToken) -> Nonce {
    let event = stage.event(Operation::Challenge);
    let challenge = challenge::for_holder(&stage.vault, event, holder.clone()).await;
    challenge.unwrap().nonce
}

fn card(number: &str) -> Value {
    json!({ "cardNo": number, "exp": "2029-11-30" })
}

/// A request as a partner makes it; the key is that of the vault's caller and of the proof.
async fn request(
    stage: &Stage,
    bank: &Bank,
    phone: &Phone,
    content: &Value,
) -> (IdempotencyKey, TokeniseCard) {
    let (key, payload) = (stage.key(), stage.seal(content));
    let nonce = nonce(stage, &phone.holder).await;
    let proof = HolderProofClaims {
        op: Op::Tokenise,
        card: key.to_string(),
        jti: nonce.to_string(),
        nonce,
        iat: stage.vault.now(),
        rpk: phone.recipient.thumbprint(),
        bdh: Some(BodyHash::of(&payload)),
    };
    let request = TokeniseCard {
        recipient: phone.recipient(),
        payload,
        holder_proof: Some(bank.sign(&proof)),
        tokenise_key: key.clone(),
        held: None,
        actor: actor(),
    };
    (key, request)
}

async fn send(
    stage: &Stage,
    phone: &Phone,
    (key, request): (IdempotencyKey, TokeniseCard),
) -> Result<Tokenised, Error> {
    let mut event = stage.event(Operation::Tokenise);
    event.holder = Some(phone.holder.clone());
    let (vault, holder) = (&stage.vault, phone.holder.clone());
    let flow =
        async |event| tokenise::tokenise(vault, event, &Identity::Gateway, holder, &key, request).await;
    vault.audited(event, flow).await?
}

async fn bring(stage: &Stage, bank: &Bank, phone: &Phone, content: &Value) -> Result<Tokenised, Error> {
    let request = request(stage, bank, phone, content).await;
    send(stage, phone, request).await
}

fn done(answer: Result<Tokenised, Error>) -> TokenisedCard {
    match answer.unwrap() {
        Tokenised::Done(card) => card,
        Tokenised::Held { card } => panic!("{card} was held"),
    }
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> &'static str {
    answer.unwrap_err().status_and_code().1
}

fn events(stage: &Stage) -> Vec<Event> {
    let read = |log: &mut Log<Durable<'_>>| {
        let size = log.size()?;
        (0..size)
            .map(|index| log.event(index))
            .collect::<Result<Vec<_>, _>>()
    };
    let events = stage.vault.log(read).unwrap().into_iter();
    events
        .filter(|event| matches!(event.operation, Operation::Tokenise | Operation::JudgeRow))
        .collect()
}

/// How many look-ups ended in a no.
fn misses(stage: &Stage) -> usize {
    let missed = |event: &&Event| event.outcome == Outcome::NoMatch;
    events(stage).iter().filter(missed).count()
}

/// A jti that nobody used.
fn fresh() -> String {
    let random = ring::rand::generate::<[u8; 16]>(&SystemRandom::new()).unwrap();
    crate::audit::note::hex(&random.expose())
}
