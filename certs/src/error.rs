//! Every way in which `certs` refuses, as a sentence an operator can act on.

use std::io;
use std::path::PathBuf;

use shared::mtls::identity::{Identity, IdentityError};

use crate::ca::Ca;

/// Why a certificate, a CRL or a set was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("could not {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb: "create", "read", …
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or a directory with contents stands where a new one was to be written.
    #[error("{} exists already, and nothing is ever overwritten", .0.display())]
    Exists(PathBuf),
    /// A path does not name a file or directory that can be made.
    #[error("{} is not a path at which a file can be made", .0.display())]
    NotAPath(PathBuf),
    /// A private key can be read by others than its owner.
    #[error("the key file {} can be read by others (mode {mode:o}); set it to 600 first", path.display())]
    KeyFileTooOpen {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process (or another handle of this one) works with the same CA.
    #[error("the CA at {} is in use by another process", .0.display())]
    InUse(PathBuf),

    /// A name that may not stand in an identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A host name that may not stand in a server certificate.
    #[error("'{0}' is neither a DNS name nor an IP address")]
    Host(String),
    /// A serial number that cannot be read.
    #[error("'{0}' is not a serial number: up to 40 hexadecimal digits, with or without ':'")]
    Serial(String),
    /// The role's identity carries a name and none was given.
    #[error("a certificate for the role {0} needs a name")]
    NameMissing(&'static str),
    /// The role has exactly one identity and takes no name.
    #[error("the role {0} takes no name: there is one identity of this role")]
    NameNotTaken(&'static str),
    /// Host names were given for a role that is no server.
    #[error("the role {0} takes no host names: it is not a server")]
    HostsNotTaken(&'static str),
    /// The profile belongs to the other CA.
    #[error("a certificate for {identity} is signed by the {wanted} CA, not by the {given} CA")]
    WrongCa {
        /// The identity asked for.
        identity: Identity,
        /// The CA that may sign it.
        wanted: Ca,
        /// The CA that was asked.
        given: Ca,
    },
    /// The certificate would be valid for longer than the CA that signs it.
    #[error("the {0} CA ends before the certificate would; make a new CA first")]
    OutlivesCa(Ca),

    /// The request file does not hold exactly one PEM certificate request.
    #[error("the request must be a PEM file with one CERTIFICATE REQUEST and nothing else: {0}")]
    RequestFile(&'static str),
    /// The request cannot be parsed as PKCS #10.
    #[error("the request is not a PKCS #10 certificate request (RFC 2986)")]
    RequestMalformed,
    /// The requester did not show that it holds the private key.
    #[error("the request's own signature does not verify: no proof that the requester holds the key")]
    RequestUnproven,
    /// The request is signed with an algorithm that is not accepted.
    #[error("the request is signed with {0}; accepted are RSA or ECDSA with SHA-256, SHA-384 or SHA-512")]
    RequestSignature(String),
    /// The public key is of a kind or size that is not certified.
    #[error("the request's key is {found}; accepted for this role: {accepted}")]
    KeyRefused {
        /// What the request carries.
        found: String,
        /// What the profile takes.
        accepted: &'static str,
    },
    /// The public key already belongs to somebody else.
    #[error("this key is already certified for {0}; one key serves one identity")]
    KeyOfAnother(String),
    /// The public key was reported as compromised.
    #[error("this key was revoked as compromised; a new key must be made")]
    KeyCompromised,

    /// A private key file that cannot be used.
    #[error("the private key is not a PKCS #8 PEM of an ECDSA P-256 key")]
    PrivateKey,
    /// A certificate file that cannot be used.
    #[error("the file does not hold one PEM certificate")]
    CertificateFile,
    /// The CA's certificate and key do not fit.
    #[error("{0}")]
    CaUnfit(&'static str),
    /// The index cannot be understood.
    #[error("the index {} cannot be read: {reason}", path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// Where it breaks.
        reason: String,
    },
    /// No certificate with this serial number stands in the index.
    #[error("no certificate with the serial number {0} is in the index; revoke it by its certificate file")]
    UnknownSerial(String),
    /// The certificate was signed by another CA.
    #[error("this certificate was not signed by the {0} CA")]
    NotIssuedHere(Ca),
    /// The certificate is on the CRL already.
    #[error("the certificate with the serial number {0} is revoked already")]
    AlreadyRevoked(String),

    /// A development set lacks a file.
    #[error("{} is not a development set: {missing} is missing", dir.display())]
    NotADevSet {
        /// The directory.
        dir: PathBuf,
        /// The first missing file.
        missing: String,
    },
    /// Two certificates of a development set would have the same file name.
    #[error("the development set has a '{0}' already")]
    NameTaken(String),

    /// The system gave no randomness.
    #[error("the system's random number generator failed")]
    Random,
    /// The certificate or CRL could not be encoded or signed (RFC 5280).
    #[error("the certificate library refused: {0}")]
    Encoding(#[from] rcgen::Error),
}

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;
