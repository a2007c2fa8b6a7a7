//! A dry run of an import with cards: what it tells row by row is what the real run tells of the same file, signatures and all,
//! and it leaves nothing behind.

use anyhow::{Context as _, Result, ensure};
use deploy::actors::PartnerServer;
use serde_json::{Value, json};

use crate::imports::{ended, file, masked, name, person, rows, send, session};
use crate::pair::{Pair, on_each_engine};
use crate::tokenise::{EXP, FOREIGN_BIN, OTHERS_BIN, OWN_BIN, content, number};

/// Seals a card and signs it for the row of that name.
async fn signed_by(
    partner: &PartnerServer,
    (import, row, nonce): (&str, &str, &str),
    content: &Value,
) -> Result<Value> {
    let row = partner.sign_row(import, row, nonce, content).await?;
    Ok(json!({ "payload": row.payload, "holderProof": row.holder_proof }))
}

fn with(number: &str, member: &str, value: &str) -> Value {
    let mut card = content(number);
    card[member] = json!(value);
    card
}

/// What is told of a row: its line, whether it went well, the code, the members at fault with their codes.
type Told = (u64, String, String, Vec<(String, String)>);

fn told(row: &Value) -> Told {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = row["errors"].as_array().into_iter().flatten();
    (
        row["line"].as_u64().unwrap_or_default(),
        text(&row["status"]),
        text(&row["code"]),
        errors
            .map(|error| (text(&error["field"]), text(&error["code"])))
            .collect(),
    )
}

/// Sends the file and gives what became of its rows.
async fn run_of(pair: &Pair, query: &str, key: &str, content: &str) -> Result<Vec<Value>> {
    let taken = send(&pair.partner, query, key, content).await?.expect(202)?;
    let id = taken.number_at("/importId")?;
    ended(&pair.partner, id).await?;
    rows(&pair.partner, id, "").await
}

/// Runs a file dry, twice, and then really: each row is told the same. Gives the rows of the last dry run and of the real one.
async fn same_verdicts(
    pair: &Pair,
    (kind, import): (&str, &str),
    content: &str,
    expected: &[(&str, &str)],
) -> Result<(Vec<Value>, Vec<Value>)> {
    let query = format!("kind={kind}&import={import}");
    let mut dry = Vec::new();
    for time in 0..2 {
        let key = format!("{import}-dry-{time}");
        dry = run_of(pair, &format!("{query}&dryRun=true"), &key, content).await?;
        for ((row, (code, field)), line) in dry.iter().zip(expected).zip(1..) {
            let (at, _, told_code, errors) = told(row);
            let named = errors.first().map_or("", |error| error.0.as_str());
            ensure!(
                at == line && told_code == *code && named == *field,
                "{row} instead of {code} {field} in line {line}"
            );
        }
    }
    let real = run_of(pair, &query, import, content).await?;
    for (real, dry) in real.iter().zip(&dry) {
        ensure!(told(real) == told(dry), "told {dry}, and then {real}");
    }
    ensure!(
        real.len() == expected.len() && dry.len() == expected.len(),
        "{} rows",
        real.len()
    );
    Ok((dry, real))
}

/// A user who may be given no card.
async fn locked(pair: &Pair) -> Result<u64> {
    let user = pair.partner.accepted_user().await?;
    pair.partner.set_locked(user, true).await?.expect(200)?;
    Ok(user)
}

#[test]
fn a_dry_run_of_cards_tells_of_each_row_what_the_real_one_tells() {
    on_each_engine(async |pair| {
        let import = name("verdicts")?;
        let (user, neighbour) = (
            pair.partner.accepted_user().await?,
            pair.partner.accepted_user().await?,
        );
        let (known, held) = (number(FOREIGN_BIN), number(FOREIGN_BIN));
        pair.partner.tokenise(neighbour, &content(&known), 201).await?;
        pair.partner.tokenise(user, &content(&held), 201).await?;
        let nonce = session(&pair.partner, &import, 20).await?;
        let fresh = || number(FOREIGN_BIN);
        let cards = [
            (content(&fresh()), ("", "")),
            (with(&number(OWN_BIN), "cvv", "123"), ("", "")),
            (content(&held), ("", "")),
            (content(&known), ("CARD_ALREADY_TOKENISED", "")),
            (with(&held, "exp", "2032-05-31"), ("CARD_ALREADY_TOKENISED", "")),
            (content(&number(OTHERS_BIN)), ("CARD_NOT_ACCEPTED", "")),
            (with(&fresh(), "exp", "2031-05-30"), ("VALIDATION_FAILED", "exp")),
            (with(&fresh(), "exp", "2020-05-31"), ("VALIDATION_FAILED", "exp")),
            (content("9999990000000015"), ("VALIDATION_FAILED", "cardNo")),
            (
                with(&number(OWN_BIN), "cvv", "1234"),
                ("VALIDATION_FAILED", "cvv"),
            ),
            (with(&fresh(), "pin", "1234"), ("INVALID_PAYLOAD", "")),
        ];
        let (mut lines, mut expected) = (Vec::new(), Vec::new());
        for (line, (card, verdict)) in (1..).zip(&cards) {
            let place = (import.as_str(), &*format!("{line}"), nonce.as_str());
            let mut row = signed_by(&pair.partner, place, card).await?;
            row["userId"] = json!(user);
            lines.push(row);
            expected.push(*verdict);
        }
        // Signed for another row, by another partner; for nobody, for one who is locked, on a balance of nobody's.
        for (line, partner, signed_as, owner, verdict) in [
            (12, &pair.partner, "13", user, "HOLDER_PROOF_INVALID"),
            (13, &pair.other_partner, "13", user, "HOLDER_PROOF_INVALID"),
            (14, &pair.partner, "14", 999_999_999, "NOT_FOUND"),
            (15, &pair.partner, "15", locked(pair).await?, "USER_LOCKED"),
            (16, &pair.partner, "16", user, "NOT_FOUND"),
        ] {
            let place = (import.as_str(), signed_as, nonce.as_str());
            let mut row = signed_by(partner, place, &content(&fresh())).await?;
            row["userId"] = json!(owner);
            if line == 16 {
                row["balanceId"] = json!(999_999_999);
            }
            lines.push(row);
            expected.push((verdict, ""));
        }
        let before = masked(&pair.partner, user).await?.len();
        let (dry, real) = same_verdicts(pair, ("cards", &import), &file(&lines), &expected).await?;
        ensure!(dry.iter().all(|row| row.get("cards").is_none()), "{dry:?}");
        // Two of the three that went well are new; had the dry runs brought them in, they would have been found.
        let cards = masked(&pair.partner, user).await?;
        ensure!(before == 1 && cards.len() == 3, "{cards:?}");
        ensure!(cards[1]["token"] == real[0]["cards"][0]["token"], "{real:?}");
        ensure!(cards.iter().all(|card| card["exp"] == EXP), "{cards:?}");
        Ok(())
    });
}

#[test]
fn a_dry_run_of_users_with_cards_makes_nobody_and_tells_what_the_real_one_tells() {
    on_each_engine(async |pair| {
        let import = name("newcomers")?;
        let neighbour = pair.partner.accepted_user().await?;
        let known = number(FOREIGN_BIN);
        pair.partner.tokenise(neighbour, &content(&known), 201).await?;
        let nonce = session(&pair.partner, &import, 20).await?;
        let card =
            async |row: &str, card: &Value| signed_by(&pair.partner, (&import, row, &nonce), card).await;
        let fresh = || content(&number(FOREIGN_BIN));
        let mut named = card("6.1", &fresh()).await?;
        named["balanceId"] = json!(999_999_999);
        let wrong = with(&number(FOREIGN_BIN), "exp", "2031-05-30");
        let rows = [
            (
                0,
                vec![card("1.1", &fresh()).await?, card("1.2", &fresh()).await?],
                ("", ""),
            ),
            (
                1,
                vec![card("7.1", &fresh()).await?],
                ("HOLDER_PROOF_INVALID", ""),
            ),
            // The card of the line before is refused, its user came all the same.
            (1, vec![card("3.1", &fresh()).await?], ("EXTERNAL_ID_TAKEN", "")),
            (
                3,
                vec![card("4.1", &content(&known)).await?],
                ("CARD_ALREADY_TOKENISED", ""),
            ),
            (
                4,
                vec![card("5.1", &fresh()).await?, card("5.2", &wrong).await?],
                ("VALIDATION_FAILED", "cards.1.exp"),
            ),
            (5, vec![named], ("NOT_FOUND", "")),
            (6, vec![card("7.1", &fresh()).await?], ("KYC_REQUIRED", "")),
            // Of the line before nobody came.
            (6, vec![card("8.1", &content(&number(OWN_BIN))).await?], ("", "")),
        ];
        let (mut lines, mut expected) = (Vec::new(), Vec::new());
        for (line, (who, cards, verdict)) in (1..).zip(rows) {
            let mut row = person(&format!("{import}-{who}"));
            if line != 7 {
                row["kyc"] = json!({ "status": "ACCEPTED", "provider": "own-desk", "reference": "case" });
            }
            row["cards"] = json!(cards);
            lines.push(row);
            expected.push(verdict);
        }
        let (dry, real) =
            same_verdicts(pair, ("users-with-cards", &import), &file(&lines), &expected).await?;
        let nobody = dry
            .iter()
            .all(|row| row.get("userId").is_none() && row.get("cards").is_none());
        ensure!(nobody, "{dry:?}");
        let first = real[0]["userId"].as_u64().context("no userId")?;
        ensure!(masked(&pair.partner, first).await?.len() == 2);
        // The good card beside the bad one came, in the one and only user of the name.
        let fifth = real[4]["userId"].as_u64().context("no userId")?;
        ensure!(masked(&pair.partner, fifth).await?.len() == 1, "{real:?}");
        Ok(())
    });
}
