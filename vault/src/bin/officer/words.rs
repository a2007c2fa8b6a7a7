//! A proposal in words: what it would do, and every one of its parameters. The hash is computed here, from what is shown:
//! a vault that shows one thing and has another approved is noticed.

use ring::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use shared::mtls::peer::Peer;
use shared::vault_api::governance::{Program, Proposal};
use shared::vault_api::jobs::Rotation;
use shared::vault_api::slots::NewSlot;

use crate::console::{at, facts};
use crate::failure::Failure;

/// What a PEM certificate begins with.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Hex SHA-256 of the exact parameters: what the second officer repeats.
///
/// # Errors
/// Never: a proposal always has its JSON.
pub fn hash(proposal: &Proposal) -> Result<String, Failure> {
    let bytes = serde_json::to_vec(proposal).map_err(|error| Failure::Unfinished(error.to_string()))?;
    Ok(hex(digest(&SHA256, &bytes).as_ref()))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What would be done, in a sentence.
pub fn sentence(proposal: &Proposal) -> String {
    match proposal {
        Proposal::SetProgram(program) => {
            format!("Create the program {} or change its rules", program.name)
        }
        Proposal::RegisterParty(party) => format!(
            "Register {}: whoever holds the private key acts as it",
            party.identity
        ),
        Proposal::StrikeParty(identity) => format!("Strike {identity} from the register"),
        Proposal::ActivateKey { holder, .. } => {
            format!("Make a pending key of {holder} active before its time: it may then reveal cards")
        }
        Proposal::RestoreCard(card) => format!("Open the erased card {card} again"),
        Proposal::ClearFailures(card) => {
            format!("Forget the failed PIN and CVV comparisons of {card}: they may be guessed at again")
        }
        Proposal::Rotate(rotation) => rotation_sentence(rotation),
        Proposal::AbortJob(job) => {
            format!("End {job} before its end: a rotation leaves two versions that both open")
        }
        Proposal::AddSlot { slot, replaces } => {
            let instead = replaces.as_ref().map(|slot| format!(", in place of {slot}"));
            format!(
                "Make a further way to the root key{}: {}",
                instead.unwrap_or_default(),
                slot_sentence(slot)
            )
        }
        Proposal::RemoveSlot(slot) => format!("Remove the slot {slot}: it opens the vault no more"),
        Proposal::Backup { life_days } => format!(
            "Write a backup that opens for {life_days} days: until then erased cards in it are within reach of the root key"
        ),
        Proposal::ImportCards(plan) if plan.dry_run => {
            format!("Judge an import file of {} lines and keep nothing", plan.lines)
        }
        Proposal::ImportCards(plan) => {
            format!(
                "Take in cards of {} from a file of {} lines",
                plan.program, plan.lines
            )
        }
        Proposal::ExportCards(plan) => format!(
            "CARD DATA LEAVES THE VAULT: at most {} cards of {}, sealed to the key {}",
            plan.most_cards,
            plan.program,
            plan.recipient.thumbprint()
        ),
        Proposal::HaltErasures { hours: 0 } => "Take up the destruction of erased cards again".to_owned(),
        Proposal::HaltErasures { hours } => format!("Destroy no erased card for {hours} hours"),
    }
}

fn rotation_sentence(rotation: &Rotation) -> String {
    match rotation {
        Rotation::CardKek => "Give the key that wraps the cards' data keys a new version".to_owned(),
        Rotation::DataKeys => "Give every card a new data key: full re-encryption".to_owned(),
        Rotation::Records => "Give the key that seals every record a new version".to_owned(),
        Rotation::Fingerprint => "Give the key of the PAN fingerprints a new version".to_owned(),
        Rotation::Jwe { grace_hours } => {
            format!(
                "Give the key that callers encrypt to a new version; the former opens for {grace_hours} hours more"
            )
        }
        Rotation::Audit => "Give the key that signs audit checkpoints a new version".to_owned(),
        Rotation::Epoch => {
            "Replace the epoch secret: earlier copies of the store open no more with today's slots".to_owned()
        }
        Rotation::Root { slots } => {
            let slots: Vec<String> = slots.iter().map(slot_sentence).collect();
            format!("REPLACE THE ROOT KEY AND EVERY SLOT by: {}", slots.join("; "))
        }
    }
}

fn slot_sentence(slot: &NewSlot) -> String {
    match slot {
        NewSlot::Shamir {
            threshold,
            custodians,
        } => {
            format!("{threshold} of {} custodians together", custodians.len())
        }
        NewSlot::Pkcs11 { token, key } => format!("the key `{key}` of the PKCS#11 token `{token}`"),
        NewSlot::KeyFile { path } => format!("the file {path} of the vault's host (development only)"),
    }
}

/// Every parameter under its name on the wire, none left out; certificates by what they say.
///
/// # Errors
/// Never: a proposal always has its JSON.
pub fn parameters(proposal: &Proposal) -> Result<String, Failure> {
    let json = serde_json::to_value(proposal).map_err(|error| Failure::Unfinished(error.to_string()))?;
    let mut pairs = Vec::new();
    if let Some(parameters) = json.get("parameters") {
        flatten("", parameters, &mut pairs);
    }
    let pairs: Vec<(&str, String)> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    Ok(facts(&pairs))
}

fn flatten(name: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let below = |part: &str| {
        if name.is_empty() {
            part.to_owned()
        } else {
            format!("{name}.{part}")
        }
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (part, value) in members {
                flatten(&below(part), value, pairs);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                flatten(&below(&(index + 1).to_string()), value, pairs);
            }
        }
        Value::String(text) if text.contains(CERTIFICATE) => {
            pairs.push((name.to_owned(), certificate(text)));
        }
        Value::String(text) => pairs.push((name.to_owned(), text.clone())),
        other => pairs.push((name.to_owned(), other.to_string())),
    }
}

/// Who a certificate is for, and which. The fingerprint stands for all of it.
fn certificate(pem: &str) -> String {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok();
    match der.and_then(|der| Peer::from_certificate(&der).ok()) {
        Some(peer) => format!(
            "{} (key {}, certificate SHA-256 {}, until {})",
            peer.identity,
            peer.key,
            peer.fingerprint,
            at(peer.not_after)
        ),
        None => "A CERTIFICATE THAT CANNOT BE READ".to_owned(),
    }
}

/// What a program's new rules change of those in force, a line each.
///
/// # Errors
/// Never: a program always has its JSON.
pub fn changes(in_force: &Program, proposed: &Program) -> Result<Vec<String>, Failure> {
    let leaves = |program: &Program| {
        let json = serde_json::to_value(program).map_err(|error| Failure::Unfinished(error.to_string()))?;
        let mut pairs = Vec::new();
        flatten("", &json, &mut pairs);
        Ok::<_, Failure>(pairs)
    };
    let (old, new) = (leaves(in_force)?, leaves(proposed)?);
    let value = |pairs: &[(String, String)], name: &str| {
        pairs
            .iter()
            .find(|(known, _)| known == name)
            .map_or_else(|| "absent".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&String> = old.iter().chain(&new).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter_map(|name| {
        let (before, after) = (value(&old, name), value(&new, name));
        (before != after).then(|| format!("{name}: {before} -> {after}"))
    });
    Ok(changed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Proposal {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_hash_is_that_of_the_exact_parameters() {
        let backup = of(r#"{"type":"backup","parameters":{"life_days":90}}"#);
        let expected = digest(&SHA256, br#"{"type":"backup","parameters":{"life_days":90}}"#);
        assert_eq!(hash(&backup).unwrap(), hex(expected.as_ref()));
        assert_ne!(
            hash(&backup).unwrap(),
            hash(&of(r#"{"type":"backup","parameters":{"life_days":91}}"#)).unwrap()
        );
    }

    #[test]
    fn every_parameter_is_shown() {
        let plan = r#"{"type":"import-cards","parameters":{"program":"demo-eur","sha256":"ab","lines":12,"dryRun":true}}"#;
        let text = parameters(&of(plan)).unwrap();
        for part in ["program  demo-eur", "sha256   ab", "lines    12", "dryRun   true"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(sentence(&of(plan)).contains("keep nothing"));
    }

    #[test]
    fn one_parameter_has_no_name_of_its_own() {
        let strike = of(r#"{"type":"strike-party","parameters":"spiffe://tessera/officer/a"}"#);
        assert!(
            parameters(&strike)
                .unwrap()
                .contains("spiffe://tessera/officer/a")
        );
        assert!(sentence(&strike).starts_with("Strike spiffe://tessera/officer/a"));
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_called_that() {
        let slot = r#"{"type":"add-slot","parameters":{"slot":{"kind":"shamir","threshold":2,"custodians":["-----BEGIN CERTIFICATE-----"]}}}"#;
        assert!(parameters(&of(slot)).unwrap().contains("CANNOT BE READ"));
    }
}
