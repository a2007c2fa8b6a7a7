//! Invariant 10: what every type that holds a secret prints, and every configuration, to the letter. `tests/tests/tidy.rs`
//! finds a type with a secret in it that can be printed and has no row here.

use std::fmt::Debug;

use ring::rand::SystemRandom;
use shared::jwe::{RecipientKey, RsaKeySize};
use zeroize::Zeroizing;

use crate::config::{Config, HsmSection, StoreSection};
use crate::crypto::fingerprint::FingerprintKey;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::domain::pin::Pin;
use crate::environment::Environment;
use crate::flows::tests::Stage;
use crate::keys::epoch::EpochSecret;
use crate::keys::jwe_keys::NewJweKey;
use crate::keys::root::RootKey;
use crate::keys::slot::SlotId;
use crate::keys::slot::share::ShareText;
use crate::keys::slot::unlock::Opened;
use crate::secret::{LockedBytes, MemoryNotLocked, SecretBytes};

/// A byte that prints, so that it would be seen.
const BYTE: u8 = b'7';

fn locked() -> LockedBytes<32> {
    let fill = |bytes: &mut [u8; 32]| {
        bytes.fill(BYTE);
        Ok::<_, MemoryNotLocked>(())
    };
    LockedBytes::filled_by(Environment::Development, fill).unwrap()
}

fn root() -> RootKey {
    RootKey::generate(Environment::Development, &SystemRandom::new()).unwrap()
}

fn assert_prints(value: &dyn Debug, expected: &str) {
    assert_eq!(format!("{value:?}"), expected);
}

#[test]
fn secrets_print_their_kind_and_nothing_else() {
    let random = SystemRandom::new();
    assert_prints(&SecretBytes::<4>::from_slice(&[BYTE; 4]).unwrap(), "SecretBytes");
    assert_prints(&locked(), "LockedBytes");
    assert_prints(&Pan::parse(b"9999000000000004").unwrap(), "Pan(..)");
    assert_prints(&Cvv::parse(b"777").unwrap(), "Cvv(..)");
    assert_prints(&Pin::parse(b"7777").unwrap(), "Pin(..)");
    assert_prints(
        &FingerprintKey::new(1, locked()),
        "FingerprintKey { version: 1, key: LockedBytes }",
    );
    assert_prints(
        &FingerprintKey::new(1, locked()).fingerprint(b"7777"),
        "PanFingerprint",
    );
    assert_prints(&root(), "RootKey(LockedBytes)");
    assert_prints(
        &EpochSecret::first(&random).unwrap(),
        "EpochSecret { number: 1, secret: SecretBytes }",
    );
    assert_prints(&ShareText::new(Zeroizing::new("7777".to_owned())), "ShareText");
    assert_prints(&NewJweKey::generate(RsaKeySize::Bits2048).unwrap(), "NewJweKey");
    let opened = Opened {
        root: root(),
        slot: SlotId::from_bytes([0; 5]),
        shares: vec![1, 2],
    };
    assert_prints(
        &opened,
        "Opened { root: RootKey(LockedBytes), slot: SlotId(aaaaaaaa), shares: [1, 2] }",
    );
}

/// `EpochSecrets` and `NextEpoch`: what an epoch's files hold, and the one that is to come.
#[tokio::test]
async fn epochs_print_their_numbers() {
    let vault = super::Vault::new().await;
    let keyring = vault.unlock().unwrap();
    let next = tokio::task::spawn_blocking(move || keyring.prepare_epoch(None, false)).await;
    let next = format!("{:?}", next.unwrap().unwrap());
    assert!(
        next.contains("EpochSecret { number: 2, secret: SecretBytes }"),
        "{next}"
    );
    assert!(next.contains("key: LockedBytes"), "{next}");
    let held = format!("{:?}", vault.epoch.load().unwrap());
    assert!(
        held.contains("secrets: [EpochSecret { number: 1, secret: SecretBytes }"),
        "{held}"
    );
}

/// The keyring, and with it the keys that nothing outside its room can name: `CardKek`, `RecordsKey`, `WrappingKey`,
/// `AuditKey`, `JweKeys`, `Keys`; and a card's `DataKey`.
#[tokio::test]
async fn the_keyring_prints_versions_and_no_key() {
    let stage = Stage::new().await;
    let keyring = stage.vault.keyring();
    let (data_key, _) = keyring
        .new_data_key(
            &"demo-eur".parse().unwrap(),
            &stage.vault.surroundings.random.card_token().unwrap(),
        )
        .unwrap();
    for text in [
        format!("{keyring:?}"),
        format!("{:?}", stage.vault.keys),
        format!("{data_key:?}"),
    ] {
        for (number, part) in text.split(['{', '}', '(', ')', '[', ']', ',']).enumerate() {
            let value = part
                .rsplit(':')
                .next()
                .unwrap_or_default()
                .trim()
                .trim_matches('"');
            let is_public = value.len() <= 32
                || value.starts_with("crd_")
                // An RFC 7638 thumbprint of a public key.
                || (value.len() == 43 && text.contains("JweKeys"));
            assert!(is_public, "part {number}, {value:?}, of {text}");
        }
    }
    let ring = format!("{keyring:?}");
    for key in [
        "root: RootKey(LockedBytes)",
        "WrappingKey { environment: Development, epoch: 1, key: LockedBytes }",
        "CardKek { environment: Development, version: 1, key: LockedBytes }",
        "RecordsKey { environment: Development, version: 1, key: LockedBytes }",
        "FingerprintKey { version: 1, key: LockedBytes }",
        "AuditKey { version: 1, .. }",
    ] {
        assert_eq!(ring.matches(key).count(), 1, "{key} in {ring}");
    }
    assert!(format!("{data_key:?}").contains("key: SecretBytes"));
}

#[test]
fn a_recipients_key_prints_what_is_public() {
    let key = RecipientKey::from_pkcs8_pem(officers_key().as_bytes()).unwrap();
    let text = format!("{key:?}");
    assert!(
        text.starts_with("RecipientKey(") && text.len() == "RecipientKey()".len() + 43,
        "{text}"
    );
}

/// A fresh key in PEM.
fn officers_key() -> String {
    let directory = tempfile::tempdir().unwrap();
    let set = certs::DevSet::create(
        directory.path(),
        &certs::DevOptions::default(),
        &shared::clock::Clock::System,
    )
    .unwrap();
    std::fs::read_to_string(&set.officers[0].key).unwrap()
}

#[test]
fn configurations_print_names_of_files_and_no_password() {
    let store = StoreSection {
        url: Some("postgres://tessera:7777@db/vault".to_owned()),
        ..StoreSection::default()
    };
    assert_prints(
        &store,
        "StoreSection { engine: Sled, url: Some(\"…\"), url_file: None, connections: 16, cache_mib: 128, \
         ballast_mib: 64, free_floor_mib: 128, anchor: None }",
    );
    let hsm = HsmSection {
        module: "/usr/lib/token.so".into(),
        pin_file: "/etc/tessera/pin".into(),
    };
    assert_prints(
        &hsm,
        "HsmSection { module: \"/usr/lib/token.so\", pin_file: \"/etc/tessera/pin\" }",
    );
    // The whole configuration holds paths, numbers and the sections above.
    let whole: fn(&Config) -> String = |config| format!("{config:?}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("vault.toml");
    std::fs::write(&file, SMALLEST).unwrap();
    let text = whole(&Config::load(&file).unwrap());
    assert!(text.contains("StoreSection") && !text.contains("7777"), "{text}");
}

const SMALLEST: &str = r#"
environment = "development"
listen = "127.0.0.1:9443"
data = "/var/lib/tessera"
[tls]
certificate = "vault.pem"
key = "vault.key"
ca = "internal-ca.pem"
crl = "internal.crl.pem"
partner_ca = "partner-ca.pem"
partner_crl = "partner.crl.pem"
[store]
engine = "postgres"
url = "postgres://tessera:7777@db/vault"
"#;
