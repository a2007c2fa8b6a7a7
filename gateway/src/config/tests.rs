use super::*;
use crate::domain::event::EventKind;

const GOOD: &str = r#"
environment = "development"
[public]
listen = "127.0.0.1:8443"
certificate = "g.pem"
key = "g.key"
[partner]
listen = "127.0.0.1:8444"
certificate = "g.pem"
key = "g.key"
client_ca = "partner-ca.pem"
client_crl = "partner.crl.pem"
[vault]
url = "https://localhost:9443"
certificate = "c.pem"
key = "c.key"
ca = "ca.pem"
crl = "crl.pem"
[database]
url = "sqlite:///var/lib/gateway.db"
[sessions]
minutes = 10
[operators]
key_file = "/var/lib/operators.key"
[mail]
host = "127.0.0.1"
port = 1
tls = "none"
from = "Tessera <noreply@tessera.example>"
[kyc]
documents_key_file = "/var/lib/documents.key"
[[programs]]
name = "demo-eur"
partner = "partner"
currency = "EUR"
digital_first = true
mails = { contact = "desk@bank.example" }
[[programs]]
name = "demo-pln"
partner = "partner"
currency = "PLN"
"#;

fn read(toml: &str) -> Result<Config, ConfigError> {
    Config::extract(Figment::new().merge(Toml::string(toml)))
}

impl Config {
    /// A configuration for tests of other modules.
    pub(crate) fn sample() -> Self {
        read(GOOD).unwrap()
    }
}

#[test]
fn a_file_with_defaults_is_read() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.sessions.pin_tries, 5);
    let partner: Name = "partner".parse().unwrap();
    let program = config.default_program(&partner).unwrap();
    assert_eq!(program.name.as_str(), "demo-eur");
    assert!(program.automatic_balance && program.rsa_oaep_sha1 && !program.users_lift_any_reversible_lock);
    assert!(config.default_program(&"other".parse().unwrap()).is_none());
}

#[test]
fn unknown_keys_are_refused_in_every_section() {
    for section in [
        "",
        "[public]",
        "[partner]",
        "[vault]",
        "[database]",
        "[sessions]",
        "[operators]",
        "[mail]",
        "[kyc]",
        "[[programs]]",
    ] {
        let key = "nonsense = 1\n";
        let bad = if section.is_empty() {
            format!("{key}{GOOD}")
        } else {
            GOOD.replacen(section, &format!("{section}\n{key}"), 1)
        };
        assert!(matches!(read(&bad), Err(ConfigError::Unreadable(_))), "{section}");
    }
    assert!(read(&format!("{GOOD}\n[limits]\nnonsense = 1")).is_err());
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (good, bad) in [
        ("minutes = 10", "minutes = 0"),
        ("minutes = 10", "minutes = 6000"),
        ("minutes = 10", "pin_tries = 0"),
        ("https://localhost", "http://localhost"),
        ("[operators]", "[operators]\nsession_minutes = 0"),
        ("[operators]", "[operators]\nlogin_tries = 1"),
        ("\"none\"", "\"perhaps\""),
        ("\"none\"", "\"none\"\nusername = \"x\""),
        ("[kyc]", "[kyc]\ndocument_bytes = 1000"),
        ("digital_first = true", "kyc_provider = \"nobody\""),
        ("[kyc]", "[kyc]\ndocuments_per_user = 0"),
        (
            "digital_first = true",
            "kyc_required_documents = [\"PASSPORT|nonsense\"]",
        ),
        ("\"EUR\"", "\"EUX\""),
        ("\"demo-pln\"", "\"demo-eur\""),
        ("\"desk@bank.example\"", "\"desk\""),
        ("mails = {", "mails = { language = \"xx\","),
        ("mails = {", "mails = { to_users = [\"card.created\"],"),
        ("currency = \"PLN\"", "currency = \"PLN\"\nreload_max = 0"),
        ("currency = \"PLN\"", "currency = \"PLN\"\nhold_days = 0"),
        ("\"development\"", "\"test\""),
        ("127.0.0.1:8443", "localhost"),
    ] {
        assert!(read(&GOOD.replacen(good, bad, 1)).is_err(), "{bad}");
    }
    assert!(read(&format!("{GOOD}\n[limits]\nreveals_per_hour_per_user = 0")).is_err());
    for bad in [
        "client_key = \"key\"",
        "retention_days = 1",
        "disable_after_hours = 0",
        "tries_at_once = 2\ntries_at_once_per_endpoint = 3",
        "nonsense = 1",
    ] {
        assert!(read(&format!("{GOOD}\n[webhooks]\n{bad}")).is_err(), "{bad}");
    }
    assert!(read(&format!("{GOOD}\n[webhooks]\nextra_ca = \"ca.pem\"")).is_ok());
}

#[test]
fn who_is_written_to_about_what_is_a_programs_to_say() {
    let config = read(GOOD).unwrap();
    let mails = &config.programs.first().unwrap().mails;
    assert_eq!(mails.contact.as_ref().unwrap().as_str(), "desk@bank.example");
    assert_eq!(mails.to_users, crate::domain::letter::TO_USERS_BY_DEFAULT);
    let few = GOOD.replacen("mails = {", "mails = { to_users = [\"card.expired\"],", 1);
    let few = read(&few).unwrap();
    assert_eq!(
        few.programs.first().unwrap().mails.to_users,
        [EventKind::CardExpired]
    );
}

#[test]
fn production_listens_where_it_is_told_to() {
    let production =
        GOOD.replacen("\"development\"", "\"production\"", 1)
            .replacen("\"none\"", "\"starttls\"", 1);
    assert!(read(&production).is_ok());
    for (good, bad) in [
        ("127.0.0.1:8443", "127.0.0.1:0"),
        ("127.0.0.1:8444", "127.0.0.1:0"),
        ("[partner]", "address_file = \"addresses\"\n[partner]"),
    ] {
        assert!(read(&production.replacen(good, bad, 1)).is_err(), "{bad}");
        assert!(read(&GOOD.replacen(good, bad, 1)).is_ok(), "{bad}");
    }
}

#[test]
fn production_mails_nothing_in_clear() {
    let clear = GOOD.replacen("\"development\"", "\"production\"", 1);
    assert!(read(&clear).is_err());
    assert!(read(&clear.replacen("\"none\"", "\"tls\"", 1)).is_ok());
}

#[test]
fn providers_are_reached_under_tls_and_programs_choose_among_those_there_are() {
    let with = |url: &str, name: &str, environment: &str| {
        let config = GOOD
            .replacen("\"development\"", environment, 1)
            .replacen("\"none\"", "\"starttls\"", 1)
            .replacen("digital_first = true", "kyc_provider = \"house\"", 1);
        read(&format!(
            "{config}\n[[kyc.providers]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_file = \"a\"\n\
             callback_secret_file = \"b\"\n"
        ))
    };
    let (development, production) = ("\"development\"", "\"production\"");
    let config = with("https://kyc.example/v1", "house", production).unwrap();
    assert_eq!(
        config.programs.first().unwrap().kyc_provider.outside(),
        Some("house")
    );
    assert!(with("http://127.0.0.1:9000/v1", "house", development).is_ok());
    for (url, environment) in [
        ("http://127.0.0.1:9000/v1", production),
        ("http://kyc.example/v1", development),
        ("http://127.0.0.1.example/v1", development),
        ("ftp://kyc.example", development),
        ("https://user:word@kyc.example", development),
        ("https://kyc.example/?key=1", development),
        ("kyc.example", development),
    ] {
        assert!(with(url, "house", environment).is_err(), "{url}");
    }
    for name in ["other", "sandbox", "manual"] {
        assert!(with("https://kyc.example", name, development).is_err(), "{name}");
    }
    let sandbox = GOOD.replacen("digital_first = true", "kyc_provider = \"sandbox\"", 1);
    assert!(read(&sandbox).is_ok());
    let real =
        sandbox
            .replacen("\"development\"", "\"production\"", 1)
            .replacen("\"none\"", "\"starttls\"", 1);
    assert!(read(&real).is_err());
}

#[test]
fn a_remote_url_is_one_that_may_be_called_from_here() {
    let with = |url: &str, environment: &str| {
        let line = format!("currency = \"PLN\"\nremote_url = \"{url}\"");
        read(
            &GOOD
                .replacen("\"development\"", environment, 1)
                .replacen("\"none\"", "\"starttls\"", 1)
                .replacen("currency = \"PLN\"", &line, 1),
        )
    };
    let (development, production) = ("\"development\"", "\"production\"");
    let config = with("https://bank.example/tessera", production).unwrap();
    let urls = config.programs.iter().map(|program| program.remote_url.as_ref());
    let urls: Vec<_> = urls.map(|url| url.map(|url| url.as_str())).collect();
    assert_eq!(urls, [None, Some("https://bank.example/tessera")]);
    for url in [
        "http://127.0.0.1:9000/hook",
        "http://localhost/",
        "https://10.0.0.1/",
    ] {
        assert!(with(url, development).is_ok(), "{url}");
        let refused = with(url, production).err().map(|error| error.to_string());
        assert!(
            refused.is_some_and(|told| told.starts_with("programs: remote_url")),
            "{url}"
        );
    }
    for url in ["http://bank.example/", "https://169.254.169.254/"] {
        assert!(
            matches!(with(url, development), Err(ConfigError::Invalid { .. })),
            "{url}"
        );
    }
    for url in [
        "",
        "bank.example",
        "ftp://bank.example",
        "https://user@bank.example/",
        "https://bank.example/#x",
    ] {
        let refused = with(url, development).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|told| told.contains("https URL")), "{url}");
    }
}
