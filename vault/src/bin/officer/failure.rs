//! How a command ends other than well: a sentence for the officer, a code for scripts.

use std::process::ExitCode;

use serde_json::{Value, json};
use shared::problem::Problem;

/// Refused by the vault, or not brought to its end.
const REFUSED: u8 = 1;
/// Arguments, profile or files that cannot be used.
const USAGE: u8 = 2;
/// No connection to the vault.
const UNREACHABLE: u8 = 3;
/// Something was checked and is not what it should be.
const UNVERIFIED: u8 = 4;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The vault answered with a problem.
    #[error("{}", refusal(.0))]
    Refused(Box<Problem>),
    /// It was begun and did not come to its end: a job that failed, a proposal that lapsed.
    #[error("{0}")]
    Unfinished(String),
    /// What was given cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The vault cannot be reached, or one of the two sides does not accept the other's certificate.
    #[error("{0}")]
    Unreachable(String),
    /// A hash, signature or proof does not fit.
    #[error("VERIFICATION FAILED: {0}")]
    Unverified(String),
    /// Whoever reads the output has gone: nothing more to say.
    #[error("nobody reads the output")]
    NobodyListens,
}

impl Failure {
    /// Something that the officer gave cannot be used.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    /// The exit code: 1 refused, 2 usage, 3 cannot connect, 4 verification failed.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Unfinished(_) => REFUSED,
            Self::Usage(_) => USAGE,
            Self::Unreachable(_) => UNREACHABLE,
            Self::Unverified(_) => UNVERIFIED,
            Self::NobodyListens => 0,
        }
    }

    /// The same for the system.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// The problem's code, where the vault answered with one.
    pub fn problem_code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(problem.code()),
            _ => None,
        }
    }

    /// For machines: what stands on stderr with `--json`.
    pub fn to_json(&self) -> Value {
        let mut said = json!({ "exit": self.code(), "error": self.to_string() });
        if let (Self::Refused(problem), Some(members)) = (self, said.as_object_mut()) {
            members.insert("problem".to_owned(), json!(problem));
        }
        said
    }
}

/// A problem as an officer reads it: what happened, its code, where the vault's log tells more, what to do.
fn refusal(problem: &Problem) -> String {
    let mut text = format!(
        "the vault refused: {} [{} {}, trace {}]",
        problem.detail(),
        problem.status().as_u16(),
        problem.code(),
        problem.trace_id()
    );
    for error in problem.errors() {
        text.push_str(&format!(
            "\n  {}: {} [{}]",
            error.field, error.message, error.code
        ));
    }
    if let Some(next) = next_step(problem.code()) {
        text.push_str(&format!("\n  {next}"));
    }
    text
}

/// What an officer can do about a code.
fn next_step(code: &str) -> Option<&'static str> {
    Some(match code {
        "VAULT_LOCKED" => {
            "Custodians open it with `officer unlock`, each with their own share and certificate."
        }
        "PARTY_NOT_REGISTERED" => {
            "Two registered officers must register this certificate first: `officer parties register CERT.pem`."
        }
        "ROLE_FORBIDDEN" => "Use the certificate of an officer (for reading: of an officer or an auditor).",
        "CERTIFICATE_REVOKED" => "Ask the certificate authority for a new certificate.",
        "SECOND_OFFICER_REQUIRED" => "Another registered officer must run this `officer approvals approve`.",
        "APPROVAL_EXPIRED" => "Propose it again: a proposal waits for 24 hours.",
        "APPROVAL_HASH_MISMATCH" => "Look at it again with `officer approvals show`.",
        "SHARE_MISTYPED" => "A letter was mistyped: the checksum does not fit. Type the share again.",
        "SHARE_MALFORMED" => "A share begins with tessera-share-1; was it the right file?",
        "SHARE_NOT_YOURS" => "Use the share that belongs to the certificate you show.",
        "SHARE_ALREADY_GIVEN" => "Your share counts already; the next custodian gives theirs.",
        "CUSTODIAN_OTHER_KEY" => "A custodian's certificate can be renewed with the same key only.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> Failure {
        let problem = br#"{"type":"https://tessera.example/problems/vault-locked","title":"Locked.","status":503,
            "detail":"The vault is locked.","code":"VAULT_LOCKED","traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}"#;
        Failure::Refused(Box::new(Problem::from_answer(problem).unwrap()))
    }

    #[test]
    fn a_problem_is_told_with_code_detail_trace_and_the_next_step() {
        let text = locked().to_string();
        for part in [
            "The vault is locked.",
            "503 VAULT_LOCKED",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "officer unlock",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(locked().to_json()["problem"]["code"], "VAULT_LOCKED");
        assert_eq!(locked().to_json()["exit"], 1);
    }

    #[test]
    fn exit_codes_are_those_of_the_help() {
        let codes = [
            locked(),
            Failure::Unfinished(String::new()),
            Failure::usage(""),
            Failure::Unreachable(String::new()),
            Failure::Unverified(String::new()),
        ]
        .map(|failure| failure.code());
        assert_eq!(codes, [1, 1, 2, 3, 4]);
    }
}
