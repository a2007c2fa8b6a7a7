//! Where a share comes from: a prompt without echo, a file, stdin; clear, or sealed to the custodian's own key. Never from
//! an argument, which the process list and the shell's history would show.

use std::path::{Path, PathBuf};

use clap::Args;
use shared::jwe::{OpenError, RecipientKey};
use shared::vault_api::governance::GiveShare;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;

/// What a sealed share begins with: the base64url of `{"`.
const SEALED: &str = "eyJ";

/// How the custodian gives their share.
#[derive(Debug, Clone, Args)]
pub struct ShareSource {
    /// The share's file, clear (mode 600) or sealed to your key; `-`: stdin. Without it you are asked, unseen
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
}

impl ShareSource {
    /// The share's text; a sealed one is opened with the private key in `key`.
    ///
    /// # Errors
    /// [`Failure::Usage`]: there is none, or it does not open.
    pub fn read(&self, key: &Path) -> Result<GiveShare, Failure> {
        let text = match &self.share_file {
            None => prompt()?,
            Some(path) if path == Path::new("-") => files::read_secret_from_stdin()?,
            Some(path) => read_file(path)?,
        };
        let share = if text.starts_with(SEALED) {
            open(&text, key)?
        } else {
            text
        };
        if share.is_empty() {
            return Err(Failure::usage("there is no share: what was given is empty"));
        }
        Ok(GiveShare { share })
    }
}

/// A sealed share is nobody's secret until it is opened; a clear one is.
fn read_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let sealed = files::read_text(path, files::MOST_SECRET_BYTES).map(Zeroizing::new);
    match sealed {
        Ok(text) if text.trim_start().starts_with(SEALED) => Ok(Zeroizing::new(text.trim().to_owned())),
        _ => files::read_secret(path),
    }
}

fn prompt() -> Result<Zeroizing<String>, Failure> {
    let typed = rpassword::prompt_password("Your share (not shown): ");
    let typed = typed.map(Zeroizing::new).map_err(|error| {
        Failure::usage(format!(
            "no terminal to ask for the share at ({error}); give --share-file FILE or `-`"
        ))
    })?;
    Ok(Zeroizing::new(typed.trim().to_owned()))
}

/// Opens a sealed share.
///
/// # Errors
/// [`Failure::Usage`]: the key is none for it, or the text is no sealed share.
pub fn open(sealed: &str, key: &Path) -> Result<Zeroizing<String>, Failure> {
    let pem = files::read_secret(key)?;
    let key_pair = RecipientKey::from_pkcs8_pem(pem.as_bytes());
    let key_pair = key_pair.map_err(|_| {
        Failure::usage(format!(
            "{} holds no P-256 private key in PEM (PKCS#8)",
            key.display()
        ))
    })?;
    let opened = key_pair.open(sealed.trim()).map_err(|error| match error {
        OpenError::InvalidPayload => {
            Failure::usage("this is no sealed share (a compact JWE, ECDH-ES, A256GCM)")
        }
        OpenError::CantDecrypt => Failure::usage(format!(
            "the sealed share does not open with {}: it was sealed to another key, or changed",
            key.display()
        )),
    })?;
    let text = std::str::from_utf8(&opened).map_err(|_| Failure::usage("what was sealed is no share"))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use shared::jwe::Sealer;

    use super::*;
    use crate::testing::recipient as key;

    #[test]
    fn a_share_is_read_clear_or_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, pair) = key(directory.path());
        let clear = directory.path().join("clear.txt");
        files::write_new(&clear, b"tessera-share-1-x\n").unwrap();
        let sealed = directory.path().join("sealed.jwe");
        let token = Sealer::new(pair.public_key())
            .unwrap()
            .seal(b"tessera-share-1-y")
            .unwrap();
        std::fs::write(&sealed, format!("{token}\n")).unwrap();
        for (file, expected) in [(clear, "tessera-share-1-x"), (sealed, "tessera-share-1-y")] {
            let source = ShareSource {
                share_file: Some(file),
            };
            assert_eq!(source.read(&path).unwrap().share.as_str(), expected);
        }
    }

    #[test]
    fn another_key_is_named_and_nothing_of_the_share_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let (_, pair) = key(directory.path());
        let elsewhere = tempfile::tempdir().unwrap();
        let (other, _) = key(elsewhere.path());
        let token = Sealer::new(pair.public_key())
            .unwrap()
            .seal(b"tessera-share-1-y")
            .unwrap();
        let text = open(&token, &other).unwrap_err().to_string();
        assert!(
            text.contains("another key") && !text.contains("tessera-share"),
            "{text}"
        );
        assert!(
            open("eyJx", &other)
                .unwrap_err()
                .to_string()
                .contains("no sealed share")
        );
        let empty = ShareSource {
            share_file: Some("/dev/null".into()),
        };
        assert!(empty.read(&other).err().unwrap().to_string().contains("empty"));
    }
}
