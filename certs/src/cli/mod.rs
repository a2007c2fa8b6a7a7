//! The arguments of `certs`, and the way from each subcommand to the library.

mod ca;
mod certificates;
mod development;
pub(crate) mod print;

use std::path::PathBuf;

use certs::{Ca, Host, Kind, Name, Profile, Reason, Serial};
use clap::{Args, Parser, Subcommand};
use shared::clock::Clock;

/// Internal CA and partner CA of Tessera.
///
/// A CA is a directory with its root, its key, its index and its CRL. Nothing is ever overwritten but the index and the CRL,
/// and those are replaced whole.
#[derive(Debug, Parser)]
#[command(name = "certs", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a certification authority
    #[command(subcommand)]
    Ca(CaCommand),
    /// Sign a certificate request (CSR): its key is taken, nothing else
    ///
    /// Identity, usage and lifetime come from --role and --name. Whatever else the request asks for (a subject, names,
    /// CA:TRUE, other usages) is ignored and listed.
    Sign(Sign),
    /// Make a key and a certificate for it
    Issue(Issue),
    /// Revoke a certificate and publish a CRL that says so
    Revoke(Revoke),
    /// Publish a CRL with the next number and a new nextUpdate (30 days)
    Crl(OneCa),
    /// List what a CA has issued
    List(OneCa),
    /// Make a complete set for development: both CAs and a certificate for every role
    Dev(Dev),
    /// Make certificates that must be refused (expired, revoked, foreign CA, wrong identity, …), for tests
    Fixtures(Fixtures),
}

#[derive(Debug, Subcommand)]
enum CaCommand {
    /// Make a root, an empty index and an empty CRL
    Init(OneCa),
}

#[derive(Debug, Args)]
pub(crate) struct OneCa {
    /// The CA's directory
    #[arg(long)]
    dir: PathBuf,
    /// Which CA: partners come from the partner CA, everybody else from the internal one
    #[arg(long, value_enum)]
    ca: Ca,
}

#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// The role that the certificate speaks for; it decides the CA and everything the certificate says
    #[arg(long, value_enum)]
    role: Kind,
    /// The name in the identity spiffe://tessera/ROLE/NAME (officer, auditor, processor, bureau, partner)
    #[arg(long)]
    name: Option<Name>,
    /// A further DNS name or IP address of a server (vault, gateway-server); may be repeated
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<Host>,
}

impl Subject {
    fn into_profile(self) -> certs::error::Result<Profile> {
        Profile::new(self.role, self.name, self.hosts)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The directory of the CA that the role belongs to
    #[arg(long)]
    dir: PathBuf,
    #[command(flatten)]
    subject: Subject,
    /// The request, PEM, as `openssl req -new` writes it
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// Where to write the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// The directory of the CA that the role belongs to
    #[arg(long)]
    dir: PathBuf,
    #[command(flatten)]
    subject: Subject,
    /// Where to write the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write the private key (PKCS #8 PEM, mode 600)
    #[arg(long, value_name = "FILE")]
    key_out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    ca: OneCa,
    #[command(flatten)]
    which: Which,
    /// Why; a key revoked as compromised is never certified again
    #[arg(long, value_enum, default_value = "unspecified")]
    reason: Reason,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The serial number in hexadecimal, as `certs list` and `openssl x509 -serial` show it
    #[arg(long)]
    serial: Option<Serial>,
    /// The certificate's file
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// The directory to make; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A further DNS name or IP address of vault and gateway; may be repeated
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<Host>,
    /// A further partner, by name; may be repeated
    #[arg(long = "partner", value_name = "NAME")]
    partners: Vec<Name>,
}

#[derive(Debug, Args)]
pub(crate) struct Fixtures {
    /// The directory that holds both CAs, such as a development set; gets a new CRL
    #[arg(long)]
    dir: PathBuf,
    #[command(flatten)]
    subject: Subject,
    /// The directory to write NAME.FAULT.pem and NAME.FAULT.key into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Does what was asked.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let clock = Clock::System;
    match arguments.command {
        Command::Ca(CaCommand::Init(target)) => ca::init(&target, &clock),
        Command::Crl(target) => ca::publish_crl(&target, &clock),
        Command::List(target) => ca::list(&target, &clock),
        Command::Sign(sign) => certificates::sign(sign, &clock),
        Command::Issue(issue) => certificates::issue(issue, &clock),
        Command::Revoke(revoke) => certificates::revoke(&revoke, &clock),
        Command::Dev(dev) => development::dev(dev, &clock),
        Command::Fixtures(fixtures) => development::fixtures(fixtures, &clock),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Arguments;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_revocation_names_one_certificate() {
        let base = ["certs", "revoke", "--dir", "d", "--ca", "partner"];
        let parse = |more: &[&str]| Arguments::try_parse_from(base.iter().chain(more));
        assert!(parse(&[]).is_err());
        assert!(parse(&["--serial", "4a"]).is_ok());
        assert!(parse(&["--serial", "4a", "--certificate", "x.pem"]).is_err());
    }
}
