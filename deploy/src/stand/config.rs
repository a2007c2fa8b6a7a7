//! The two configuration files, as an operator would write them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Stand;
use super::options::{Database, Limits};
use super::ports::Ports;
use super::process::Launch;

impl Stand {
    pub(super) fn launch(&self, name: &'static str, config: &Path, log: &Path) -> Launch {
        Launch {
            name,
            arguments: vec![
                "serve".to_owned(),
                "--config".to_owned(),
                config.display().to_string(),
            ],
            environment: match name {
                "vault" => self.options.vault_environment.clone(),
                _ => Vec::new(),
            },
            log: log.to_owned(),
            lifetime: self.options.lifetime,
        }
    }

    /// Writes both files.
    pub(super) fn write_configuration(&self) -> Result<()> {
        let vault = self.vault_toml(self.ports.vault, &self.layout.vault_data);
        write(&self.layout.vault_config, &vault)?;
        write(&self.layout.gateway_config, &self.gateway_toml(&self.ports))
    }

    /// The configuration of a vault process at a port, with a data directory of its own.
    pub(super) fn vault_toml(&self, port: u16, data: &Path) -> String {
        let set = &self.certificates;
        format!(
            r#"environment = "development"
listen = "127.0.0.1:{port}"
data = {data}
development_clock = {clock}

[tls]
certificate = {certificate}
key = {key}
ca = {ca}
crl = {crl}
partner_ca = {partner_ca}
partner_crl = {partner_crl}

[jwe]
rsa_bits = {rsa_bits}

[log]
level = "info"
{database}{extra}"#,
            data = quoted(data),
            clock = quoted(&self.layout.clock),
            database = self.vault_database(),
            certificate = quoted(&set.vault.certificate),
            key = quoted(&set.vault.key),
            ca = quoted(&set.internal_ca.certificate),
            crl = quoted(&set.internal_crl),
            partner_ca = quoted(&set.partner_ca.certificate),
            partner_crl = quoted(&set.partner_crl),
            rsa_bits = self.options.jwe_rsa_bits,
            extra = self.options.vault_extra,
        )
    }

    /// Processes that share a database share the epoch secret's files too.
    fn vault_database(&self) -> String {
        let Some(url) = &self.options.vault_database else {
            return String::new();
        };
        format!(
            "\n[store]\nengine = \"postgres\"\nurl = \"{url}\"\n\n[epoch]\nfiles = [{}, {}]\n",
            quoted(&self.layout.root.join("epoch-1")),
            quoted(&self.layout.root.join("epoch-2")),
        )
    }

    pub(super) fn gateway_toml(&self, ports: &Ports) -> String {
        let set = &self.certificates;
        format!(
            r#"environment = "development"
development_clock = {clock}

[public]
listen = "127.0.0.1:{public_port}"
certificate = {server_certificate}
key = {server_key}

[partner]
listen = "127.0.0.1:{partner_port}"
certificate = {server_certificate}
key = {server_key}
client_ca = {partner_ca}
client_crl = {partner_crl}

[vault]
url = "{vault_url}"
certificate = {client_certificate}
key = {client_key}
ca = {ca}
crl = {crl}

[database]
url = "{database}"

[sessions]
minutes = {minutes}

{operators}{limits}
{webhooks}{programs}{extra}"#,
            clock = quoted(&self.layout.clock),
            public_port = ports.gateway,
            partner_port = ports.partner,
            server_certificate = quoted(&set.gateway_server.certificate),
            server_key = quoted(&set.gateway_server.key),
            partner_ca = quoted(&set.partner_ca.certificate),
            partner_crl = quoted(&set.partner_crl),
            vault_url = self
                .options
                .vault_url_for_gateway
                .clone()
                .unwrap_or_else(|| self.ports.vault_url()),
            client_certificate = quoted(&set.gateway_client.certificate),
            client_key = quoted(&set.gateway_client.key),
            ca = quoted(&set.internal_ca.certificate),
            crl = quoted(&set.internal_crl),
            database = self.database_url(),
            minutes = self.options.session_minutes,
            operators = self.operators_toml(),
            limits = limits(self.options.limits),
            webhooks = format_args!("\n[webhooks]\n{}\n", self.options.webhooks),
            programs = self.program_toml(),
            extra = self.options.gateway_extra,
        )
    }

    /// The program, and who is written to about it.
    fn program_toml(&self) -> String {
        let program = &self.options.program;
        format!(
            r#"[[programs]]
name = "{program}"
partner = "{partner}"
currency = "{currency}"
digital_first = {digital_first}
automatic_balance = true
users_lift_any_reversible_lock = false
rsa_oaep_sha1 = true
mails = {{ contact = "desk@partner.example" }}
"#,
            program = program.name,
            partner = program.partner,
            currency = program.currency,
            digital_first = program.digital_first,
        )
    }

    /// Operators, and the mail server through which they are written to.
    fn operators_toml(&self) -> String {
        format!(
            r#"[operators]
key_file = {key}
session_minutes = {minutes}

[mail]
host = "127.0.0.1"
port = {port}
tls = "none"
from = "Tessera <noreply@tessera.example>"

[kyc]
documents_key_file = {documents_key}
"#,
            documents_key = quoted(&self.layout.documents_key),
            key = quoted(&self.layout.operators_key),
            minutes = self.options.session_minutes,
            port = self.options.mail_port,
        )
    }

    /// The URL of the gateway's database.
    #[must_use]
    pub fn database_url(&self) -> String {
        match &self.options.database {
            Database::Sqlite => format!(
                "sqlite://{}",
                self.layout.gateway_data.join("gateway.db").display()
            ),
            Database::Postgres(url) => url.clone(),
        }
    }
}

/// The section `[limits]` for each answer to "how much".
const fn limits(limits: Limits) -> &'static str {
    match limits {
        Limits::Default => "",
        // A hundred users from one address within a minute: each pairs once and logs in twice (challenge and answer).
        Limits::Demo => {
            r"
[limits]
pairings_per_minute_per_address = 200
logins_per_minute_per_address = 600
logins_per_minute_per_installation = 20
challenges_per_minute_per_user = 600
reveals_per_hour_per_user = 600
anonymous_per_minute_per_address = 2000
"
        }
        Limits::Wide => {
            r"
[limits]
pairings_per_minute_per_address = 1000000
logins_per_minute_per_address = 1000000
logins_per_minute_per_installation = 1000000
challenges_per_minute_per_user = 1000000
reveals_per_hour_per_user = 1000000
anonymous_per_minute_per_address = 1000000
"
        }
    }
}

/// A path as a TOML literal string.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
