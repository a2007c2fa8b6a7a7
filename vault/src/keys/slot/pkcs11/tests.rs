//! With a real token: SoftHSM2, which finds its files by an environment variable of the process, so that each test runs
//! in a child process of its own, on a token of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ring::rand::SystemRandom;

use super::*;

const DEVELOPMENT: Environment = Environment::Development;
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const TOKEN: &str = "tessera";
const KEY: &str = "vault-root";
const PIN: &str = "271828";
/// Where the child finds its place.
const PLACE: &str = "TESSERA_TEST_TOKEN_PLACE";

struct Place {
    directory: PathBuf,
    hsm: Hsm,
    root: RootKey,
}

/// Runs `test` of this file in a child process with a fresh token; the child runs `body`.
fn with_token(test: &str, body: impl FnOnce(&Place)) {
    if let Some(directory) = std::env::var_os(PLACE) {
        let directory = PathBuf::from(directory);
        let hsm = Hsm::new(MODULE.into(), directory.join("pin"));
        let root = RootKey::generate(DEVELOPMENT, &SystemRandom::new()).unwrap();
        return body(&Place { directory, hsm, root });
    }
    let directory = tempfile::tempdir().unwrap();
    let configuration = new_token(directory.path());
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("keys::slot::pkcs11::tests::{test}"),
            "--nocapture",
        ])
        .env("SOFTHSM2_CONF", configuration)
        .env(PLACE, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
}

fn new_token(directory: &Path) -> PathBuf {
    let (tokens, configuration) = (directory.join("tokens"), directory.join("softhsm2.conf"));
    fs::create_dir(&tokens).unwrap();
    fs::write(
        &configuration,
        format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        ),
    )
    .unwrap();
    write_pin(directory, PIN);
    let made = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            TOKEN,
            "--so-pin",
            "314159",
            "--pin",
            PIN,
        ])
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .expect("softhsm2-util is needed: Debian's package softhsm2");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    configuration
}

fn write_pin(directory: &Path, pin: &str) {
    let path = directory.join("pin");
    fs::write(&path, format!("{pin}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

impl Place {
    fn slot(&self) -> Slot {
        let rng = SystemRandom::new();
        create(
            DEVELOPMENT,
            &self.root,
            &self.hsm,
            (TOKEN, KEY),
            Standing::Active,
            1,
            &rng,
        )
        .unwrap()
    }

    fn open(&self, slot: &Slot) -> Result<RootKey, HsmError> {
        open(DEVELOPMENT, &self.hsm, slot)
    }

    /// Generates an AES key with these attributes besides.
    fn generate(&self, label: &str, more: &[Attribute]) {
        let mut template = vec![
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(KEY_BYTES.into()),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Token(true),
        ];
        template.extend_from_slice(more);
        self.hsm
            .talk(TOKEN, |session| {
                session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn the_token_opens_and_its_key_does_not_leave_it() {
    with_token("the_token_opens_and_its_key_does_not_leave_it", |place| {
        let slot = place.slot();
        assert_eq!(place.open(&slot).unwrap(), place.root);
        let name = KeyName {
            token: TOKEN,
            key: KEY,
        };
        place
            .hsm
            .talk(TOKEN, |session| {
                let key = find_key(session, name)?.unwrap();
                let wanted = [
                    AttributeType::Value,
                    AttributeType::Extractable,
                    AttributeType::Sensitive,
                ];
                let attributes = session.get_attributes(key, &wanted).unwrap();
                assert_eq!(
                    attributes,
                    [Attribute::Extractable(false), Attribute::Sensitive(true)]
                );
                Ok(())
            })
            .unwrap();
        // A second slot uses the same key, with a secret and a name of its own.
        let second = place.slot();
        assert_eq!(place.open(&second).unwrap(), place.root);
        let (
            Keeping::Pkcs11 {
                wrapped_secret: first,
                ..
            },
            Keeping::Pkcs11 { wrapped_secret, .. },
        ) = (&slot.keeping, &second.keeping)
        else {
            panic!("slots of tokens");
        };
        let mut swapped = slot.clone();
        swapped.keeping = second.keeping.clone();
        assert!(matches!(place.open(&swapped), Err(HsmError::DoesNotOpen(id)) if id == slot.id));
        assert_ne!(first, wrapped_secret);
        assert!(
            open(Environment::Production, &place.hsm, &slot).is_err(),
            "of another environment"
        );
        for index in 0..first.0.len() {
            let mut changed = first.clone();
            changed.0[index] ^= 1;
            let mut slot = slot.clone();
            slot.keeping = Keeping::Pkcs11 {
                token: TOKEN.to_owned(),
                key: KEY.to_owned(),
                wrapped_secret: changed,
            };
            assert!(
                matches!(place.open(&slot), Err(HsmError::DoesNotOpen(_))),
                "byte {index}"
            );
        }
        let printed = format!("{:?}{slot:?}", place.hsm);
        assert!(!printed.contains(PIN), "{printed}");
    });
}

#[test]
fn each_trouble_of_a_token_has_a_code_of_its_own() {
    with_token("each_trouble_of_a_token_has_a_code_of_its_own", |place| {
        let slot = place.slot();
        let code = |result: Result<RootKey, HsmError>| result.unwrap_err().code();
        write_pin(&place.directory, "000000");
        assert_eq!(code(place.open(&slot)), Some("HSM_PIN_REFUSED"));
        write_pin(&place.directory, PIN);
        assert_eq!(place.open(&slot).unwrap(), place.root);
        let pin = place.directory.join("pin");
        fs::set_permissions(&pin, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(place.open(&slot), Err(HsmError::PinReadable(path)) if path == pin));
        fs::remove_file(&pin).unwrap();
        assert_eq!(code(place.open(&slot)), Some("HSM_PIN_UNREADABLE"));
        write_pin(&place.directory, PIN);

        let (tokens, away) = (place.directory.join("tokens"), place.directory.join("away"));
        fs::rename(&tokens, &away).unwrap();
        fs::create_dir(&tokens).unwrap();
        assert_eq!(code(place.open(&slot)), Some("HSM_UNAVAILABLE"));
        fs::remove_dir(&tokens).unwrap();
        fs::rename(&away, &tokens).unwrap();
        assert_eq!(place.open(&slot).unwrap(), place.root, "the token is back");

        let no_module = Hsm::new("/nowhere/module.so".into(), pin);
        assert_eq!(
            code(open(DEVELOPMENT, &no_module, &slot)),
            Some("HSM_UNAVAILABLE")
        );
        let mut other = slot.clone();
        other.keeping = Keeping::Pkcs11 {
            token: TOKEN.to_owned(),
            key: "another".to_owned(),
            wrapped_secret: Base64Bytes(vec![0; 60]),
        };
        assert_eq!(code(place.open(&other)), Some("HSM_KEY_MISSING"));
    });
}

#[test]
fn a_key_that_can_be_taken_out_keeps_nothing() {
    with_token("a_key_that_can_be_taken_out_keeps_nothing", |place| {
        let stays = [
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
        ];
        place.generate(
            "can-be-taken",
            &[Attribute::Sensitive(true), Attribute::Extractable(true)],
        );
        place.generate("twice", &stays);
        place.generate("twice", &stays);
        let rng = SystemRandom::new();
        for label in ["can-be-taken", "twice"] {
            let made = create(
                DEVELOPMENT,
                &place.root,
                &place.hsm,
                (TOKEN, label),
                Standing::Active,
                1,
                &rng,
            );
            assert_eq!(made.unwrap_err().code(), Some("HSM_KEY_UNFIT"), "{label}");
        }
        for (token, key) in [("", KEY), (TOKEN, ""), (&*"t".repeat(33), KEY)] {
            let made = create(
                DEVELOPMENT,
                &place.root,
                &place.hsm,
                (token, key),
                Standing::Active,
                1,
                &rng,
            );
            assert_eq!(made.unwrap_err().code(), Some("HSM_LABEL_INVALID"));
        }
    });
}
