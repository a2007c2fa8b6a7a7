//! Taste that can fail: arrows that point up, files and functions that grow, things that must not be committed.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, lines.
const MOST_LINES: usize = 500;
/// Longest function, lines.
const MOST_FUNCTION_LINES: usize = 70;
/// Functions that are one table, read as a page: the gateway's problems.
const TABLES: [&str; 1] = ["gateway/src/error/mod.rs: row"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_owned)
}

/// Every file below `folder` whose name ends with one of `endings`, as (path from the root, text).
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "var" | ".git" | "__pycache__") {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                found.push((
                    path.strip_prefix(root()).unwrap_or(&path).display().to_string(),
                    text,
                ));
            }
        }
    }
    found.sort();
    found
}

/// Lines (path:number: text) of the sources below `folder` that contain any of `words`, tests left out.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files(folder, &[".rs"]) {
        if path.ends_with("tests.rs") || path.contains("/tests/") {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                break;
            }
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    found
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn nothing_below_the_door_knows_the_door() {
    for binary in ["vault", "gateway"] {
        for room in ["domain", "flows", "store", "crypto", "keys", "audit", "clients"] {
            let folder = format!("{binary}/src/{room}");
            assert_none(
                "the door is known below",
                &lines_with(&folder, &["actix_web", "crate::http"]),
            );
        }
    }
}

#[test]
fn domains_decide_and_do_nothing() {
    for binary in ["vault", "gateway"] {
        let folder = format!("{binary}/src/domain");
        let words = [
            "async fn",
            ".await",
            "sqlx",
            "reqwest",
            "crate::store",
            "crate::flows",
            "std::fs",
            "SystemRandom",
        ];
        assert_none("a domain that does something", &lines_with(&folder, &words));
    }
}

#[test]
fn doors_speak_no_sql() {
    assert_none(
        "SQL in a door or a flow",
        &lines_with("gateway/src/http", &["sqlx"]),
    );
    assert_none(
        "SQL in a door or a flow",
        &lines_with("gateway/src/flows", &["sqlx::query", "SELECT ", "INSERT INTO"]),
    );
}

#[test]
fn the_gateway_is_blind_by_construction() {
    let manifest = fs::read_to_string(root().join("gateway/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    assert!(
        !dependencies.lines().any(|line| line.starts_with("vault")),
        "the gateway depends on the vault's crate"
    );
    let types = [
        "struct Pan",
        "struct Cvv",
        "struct Pin ",
        "struct Pin(",
        "struct Pin{",
        "enum Pan",
        "RsaPrivateKey",
        "Opener",
    ];
    assert_none(
        "a type for clear card data in the gateway",
        &lines_with("gateway/src", &types),
    );
    let types = ["struct Pan", "struct Cvv", "struct Pin ", "struct Pin("];
    assert_none(
        "a type for clear card data in what both share",
        &lines_with("shared/src", &types),
    );
}

#[test]
fn files_stay_short() {
    let long = |(path, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > MOST_LINES).then(|| format!("{path}: {lines} lines"))
    };
    let found: Vec<String> = files("", &[".rs"]).iter().filter_map(long).collect();
    assert_none("files over the limit", &found);
}

#[test]
fn functions_fit_a_screen() {
    let mut found = Vec::new();
    for (path, text) in files("", &[".rs"]) {
        let mut open: Option<(usize, usize, String)> = None;
        for (index, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let code = line.trim_start();
            let names_one = code.starts_with("fn ") || code.contains(" fn ");
            let begins = names_one && !code.starts_with("//") && !code.ends_with(';');
            match &open {
                None if begins => open = Some((indent, index, code.to_owned())),
                Some((at, since, name)) if code.starts_with('}') && indent == *at => {
                    let length = index - since + 1;
                    let short = name
                        .split("fn ")
                        .nth(1)
                        .and_then(|rest| rest.split(['(', '<']).next());
                    let is_table =
                        TABLES.contains(&format!("{path}: {}", short.unwrap_or_default()).as_str());
                    if length > MOST_FUNCTION_LINES && !is_table {
                        found.push(format!("{path}:{}: {length} lines: {name}", since + 1));
                    }
                    open = None;
                }
                Some((at, _, _)) if code.ends_with("}") && indent == *at && begins => open = None,
                _ => {}
            }
        }
    }
    assert_none("functions over the limit", &found);
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X"].concat(),
        ["todo", "!("].concat(),
    ];
    let mut found = Vec::new();
    for (path, text) in files("", &[".rs", ".md", ".toml", ".sql", ".sh"]) {
        for (index, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) && !path.ends_with("tidy.rs") {
                found.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert_none("left for later", &found);
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| -> Vec<String> {
        let folder = format!("gateway/migrations/{engine}");
        files(&folder, &[".sql"])
            .into_iter()
            .map(|(path, _)| path.rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn no_key_is_committed_but_those_of_published_vectors() {
    let found = files(
        "",
        &[".rs", ".md", ".pem", ".key", ".json", ".toml", ".py", ".sh"],
    )
    .into_iter();
    let marker = ["-----BEGIN ", "PRIVATE KEY"].concat();
    let rsa = ["-----BEGIN RSA ", "PRIVATE KEY"].concat();
    let is_body = |line: &str| {
        line.len() >= 40
            && line
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    };
    let holds = |text: &str| {
        let after = |marker: &str| {
            text.split(marker)
                .nth(1)
                .and_then(|rest| rest.lines().nth(1))
                .is_some_and(|line| is_body(line.trim()))
        };
        after(&marker) || after(&rsa)
    };
    let found: Vec<String> = found
        .filter(|(path, text)| !path.starts_with("tests/vectors/") && holds(text))
        .map(|(path, _)| path)
        .collect();
    assert_none("private keys", &found);
}

#[test]
fn card_numbers_are_of_test_ranges() {
    let mut found = Vec::new();
    for (path, text) in files("", &[".rs", ".md", ".json", ".toml", ".py", ".sh", ".sql"]) {
        for run in text.split(|c: char| !c.is_ascii_digit()) {
            let issuer = run.get(..1).unwrap_or_default();
            // 2 to 6 are the ranges of the card schemes; everything that begins with 9999 is nobody's.
            if run.len() == 16 && matches!(issuer, "2" | "3" | "4" | "5" | "6") && luhn(run) {
                found.push(format!("{path}: {run}"));
            }
        }
    }
    assert_none("numbers that look like real cards", &found);
}

fn luhn(digits: &str) -> bool {
    let weigh = |(place, byte): (usize, u8)| {
        let digit = u32::from(byte - b'0') * if place % 2 == 1 { 2 } else { 1 };
        digit / 10 + digit % 10
    };
    digits.bytes().rev().enumerate().map(weigh).sum::<u32>() % 10 == 0
}

/// HTTP/2 by h2 0.3 (RUSTSEC-2026-0258), a second TLS provider, a rate limiter under GPL, a Shamir crate with biased
/// coefficients (RUSTSEC-2024-0398), an RSA crate that leaks by its timing (RUSTSEC-2023-0071).
#[test]
fn nothing_that_was_found_wanting_is_in_the_tree() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let refused = [
        "h2",
        "aws-lc-rs",
        "aws-lc-sys",
        "actix-governor",
        "sharks",
        "rsa",
        "native-tls",
        "jsonwebtoken",
    ];
    let packages = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let found: Vec<String> = packages
        .filter(|name| refused.contains(name))
        .map(str::to_owned)
        .collect();
    assert_none("refused dependencies", &found);
    for pinned in ["sled 0.34.7", "josekit 0.10.3"] {
        let (name, version) = pinned.split_once(' ').unwrap();
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")),
            "{pinned} is not what is locked"
        );
    }
}

/// Types whose fields hold a secret.
const SECRET_FIELDS: [&str; 17] = [
    "Zeroizing",
    "SecretBytes",
    "LockedBytes",
    "Digits",
    "Pan",
    "Cvv",
    "Pin",
    "DataKey",
    "RootKey",
    "WrappingKey",
    "EpochSecret",
    "ShareText",
    "EcdsaKeyPair",
    "PKey<Private>",
    "RsaPrivateKey",
    "Cek",
    "PrivateKey",
];
/// Bodies that must cross the wire, or the records of a secret that is sealed as a whole.
const SERIALISED: [&str; 4] = ["GiveShare", "ShowShare", "EmbossedName", "DeliveryAddress"];
/// Printed only as a part of a value that has a row.
const WITHIN: [&str; 9] = [
    "CardKek",
    "RecordsKey",
    "WrappingKey",
    "AuditKey",
    "Keyring",
    "Keys",
    "DataKey",
    "Point",
    "Share",
];

/// Every struct of a file: the lines of attributes before it, its name, and its fields.
fn structs(text: &str) -> Vec<(String, String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(rest) = [
            "pub struct ",
            "pub(super) struct ",
            "pub(crate) struct ",
            "struct ",
        ]
        .iter()
        .find_map(|start| line.trim_start().strip_prefix(start)) else {
            continue;
        };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        let attributes: Vec<&str> = lines[..number]
            .iter()
            .rev()
            .take_while(|line| line.trim_start().starts_with(['#', '/']) || line.trim_end().ends_with(")]"))
            .copied()
            .collect();
        let indent = line.len() - line.trim_start().len();
        let ends = |line: &&&str| {
            let depth = line.len() - line.trim_start().len();
            depth == indent && line.trim_start().starts_with('}')
        };
        let body = if line.trim_end().ends_with('{') {
            let end = lines[number..].iter().position(|line| ends(&line)).unwrap_or(0);
            lines[number + 1..number + end].join("\n")
        } else {
            rest.to_owned()
        };
        found.push((attributes.join("\n"), name, body));
    }
    found
}

/// Whether a field's type is one of the secret ones: as a word, and not as a reference to one.
fn holds_secret(body: &str) -> bool {
    let code: String = body
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .filter(|line| !line.contains("fn("))
        .collect();
    SECRET_FIELDS.iter().any(|secret| {
        code.match_indices(secret).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let after = code[at + secret.len()..].chars().next();
            let bound = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            bound(before) && before != Some('&') && bound(after)
        })
    })
}

#[test]
fn what_holds_a_secret_and_can_be_printed_is_in_the_table_of_prints() {
    let table = fs::read_to_string(root().join("vault/src/keys/tests/prints.rs")).unwrap();
    let mut found = Vec::new();
    for (path, text) in files("vault/src", &[".rs"])
        .into_iter()
        .chain(files("shared/src", &[".rs"]))
    {
        if path.contains("test") || path.contains("/bin/") {
            continue;
        }
        for (attributes, name, body) in structs(&text) {
            if !holds_secret(&body) {
                continue;
            }
            let derives = |word: &str| {
                let derive = attributes.lines().filter(|line| line.contains("derive("));
                derive.into_iter().any(|line| line.contains(word))
            };
            let prints = derives("Debug")
                || text.contains(&format!("Debug for {name}"))
                || text.contains(&format!("Display for {name}"));
            let has_row = WITHIN.contains(&name.as_str()) || table.contains(&name);
            if prints && !has_row {
                found.push(format!("{path}: {name} can be printed"));
            }
            if derives("Serialize") && !SERIALISED.contains(&name.as_str()) {
                found.push(format!("{path}: {name} can be serialised"));
            }
        }
    }
    assert_none("a secret without a row in vault/src/keys/tests/prints.rs", &found);
}

#[test]
fn the_search_for_printing_secrets_finds_one() {
    let text =
        "/// A.\n#[derive(Debug, Clone)]\npub struct Careless {\n    pub key: Zeroizing<Vec<u8>>,\n}\n";
    let [(attributes, name, body)] = structs(text).try_into().unwrap();
    assert_eq!(name, "Careless");
    assert!(attributes.contains("derive(Debug"));
    assert!(holds_secret(&body));
    assert!(holds_secret("(Digits<12>);"));
    assert!(!holds_secret("    pan: &Pan,\n    index: PanIndex,\n"));
}
