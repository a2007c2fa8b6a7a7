//! Row 21, by the thousand: files of users are taken in as they come, judged row by row, dry or not, and gone through once,
//! whatever is killed in between.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use deploy::actors::PartnerServer;
use deploy::answer::Answer;
use deploy::stand::StandOptions;
use reqwest::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::pair::{Pair, engines, finished, on_each_engine, run, scratch};
use crate::tokenise::{FOREIGN_BIN, content, number};

const NDJSON: &str = "application/x-ndjson";
/// How long an import may take; after a kill on PostgreSQL others keep off it for a minute.
const PATIENCE: Duration = Duration::from_secs(150);
/// Kills in the middle of one import.
const KILLS: u32 = 4;

pub(crate) fn name(prefix: &str) -> Result<String> {
    let mut random = [0; 6];
    let drawn = SystemRandom::new().fill(&mut random);
    drawn.map_err(|_| anyhow::anyhow!("no random numbers"))?;
    let letters: String = random.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    Ok(format!("{prefix}-{letters}"))
}

pub(crate) fn person(external_id: &str) -> Value {
    json!({
        "email": format!("{external_id}@mail.example"),
        "phoneNumber": "+48600000000",
        "firstName": "Ada",
        "lastName": "Example",
        "dateOfBirth": "1990-12-10",
        "nationality": "PL",
        "externalId": external_id,
    })
}

pub(crate) fn file(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

pub(crate) async fn send(partner: &PartnerServer, query: &str, key: &str, body: &str) -> Result<Answer> {
    let path = format!("/lifecycle/v1/imports?{query}");
    let call = partner.door().call(Method::POST, &path).idempotency_key(key);
    call.body(NDJSON, body.as_bytes().to_vec()).send().await
}

async fn import(partner: &PartnerServer, id: u64) -> Result<Answer> {
    partner.door().get(&format!("/lifecycle/v1/imports/{id}")).await
}

/// The import at its end.
pub(crate) async fn ended(partner: &PartnerServer, id: u64) -> Result<Value> {
    let began = Instant::now();
    loop {
        let shown = import(partner, id).await?.expect(200)?.json()?;
        if shown["status"] != "RUNNING" {
            ensure!(
                shown["waiting"] == 0 && shown["finishedAt"].is_string(),
                "{shown}"
            );
            return Ok(shown);
        }
        ensure!(began.elapsed() < PATIENCE, "still under way: {shown}");
        sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn rows(partner: &PartnerServer, id: u64, filter: &str) -> Result<Vec<Value>> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/lifecycle/v1/imports/{id}/rows?limit=50{filter}{cursor}");
        let page = partner.door().get(&path).await?.expect(200)?.json()?;
        rows.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}

#[test]
fn a_file_of_users_becomes_users_with_their_kyc_and_balances() {
    on_each_engine(async |pair| {
        let prefix = name("many")?;
        let mut people: Vec<_> = (0..60).map(|n| person(&format!("{prefix}-{n}"))).collect();
        people[7]["kyc"] = json!({ "status": "ACCEPTED", "provider": "own-desk", "reference": "case-7" });
        let taken = send(&pair.partner, "kind=users", &prefix, &file(&people)).await?;
        let taken = taken.expect(202)?.json()?;
        ensure!(
            taken["status"] == "RUNNING" && taken["rows"] == 60 && taken["dryRun"] == false,
            "{taken}"
        );
        let id = taken["importId"].as_u64().context("no importId")?;
        let end = ended(&pair.partner, id).await?;
        ensure!(
            end["status"] == "DONE" && end["done"] == 60 && end["failed"] == 0,
            "{end}"
        );
        let results = rows(&pair.partner, id, "").await?;
        ensure!(results.len() == 60);
        let users: BTreeSet<_> = results.iter().filter_map(|row| row["userId"].as_u64()).collect();
        ensure!(users.len() == 60, "{results:?}");
        ensure!(results.iter().zip(1..).all(|(row, line)| row["line"] == line));
        let eighth = results[7]["userId"].as_u64().context("no userId")?;
        let shown = pair.partner.user(eighth).await?.expect(200)?.json()?;
        ensure!(
            shown["externalId"] == format!("{prefix}-7") && shown["kycStatus"] == "ACCEPTED",
            "{shown}"
        );
        let balances = pair
            .partner
            .cards(&PartnerServer::prefix(eighth))
            .balances()
            .await?;
        ensure!(balances.expect(200)?.text_at("/items/0/currency")? == "EUR");
        ensure!(pair.partner.user(eighth + 1).await?.text_at("/kycStatus")? == "NONE");
        let stranger = &pair.other_partner;
        import(stranger, id).await?.expect_refusal(404, "NOT_FOUND")?;
        let refused = stranger
            .door()
            .get(&format!("/lifecycle/v1/imports/{id}/rows"))
            .await?;
        refused.expect_refusal(404, "NOT_FOUND").map(drop)
    });
}

/// What becomes of a line: its number, its status, its code.
type Expected = (u64, &'static str, Option<&'static str>);

/// A file in which each second row is at fault, and the code and the member of each fault.
fn faulty(prefix: &str, taken: &str) -> (String, Vec<Expected>) {
    let good = |n: u32| person(&format!("{prefix}-{n}")).to_string();
    let mut no_date = person(&format!("{prefix}-x"));
    no_date["dateOfBirth"] = json!("1990-02-30");
    let mut stranger = person(&format!("{prefix}-y"));
    stranger["surprise"] = json!(1);
    let mut no_kyc = person(&format!("{prefix}-z"));
    no_kyc["kyc"] = json!({ "status": "ACCEPTED" });
    let lines = [
        good(0),
        "{\"email\":".to_owned(),
        good(1),
        no_date.to_string(),
        String::new(),
        stranger.to_string(),
        good(0),
        person(taken).to_string(),
        format!("{{\"email\":\"{}\"}}", "a".repeat(17 * 1024)),
        no_kyc.to_string(),
        good(2),
    ];
    let faults = vec![
        (2, "MALFORMED_JSON", None),
        (4, "VALIDATION_FAILED", Some("dateOfBirth")),
        (6, "VALIDATION_FAILED", Some("surprise")),
        (7, "EXTERNAL_ID_TAKEN", None),
        (8, "EXTERNAL_ID_TAKEN", None),
        (9, "LINE_TOO_LONG", None),
        (10, "VALIDATION_FAILED", Some("kyc.provider")),
    ];
    (lines.join("\r\n"), faults)
}

async fn judged_so(pair: &Pair, id: u64, faults: &[(u64, &'static str, Option<&'static str>)]) -> Result<()> {
    let end = ended(&pair.partner, id).await?;
    ensure!(
        end["rows"] == 10 && end["done"] == 3 && end["failed"] == faults.len(),
        "{end}"
    );
    let failed = rows(&pair.partner, id, "&status=FAILED").await?;
    let told: Vec<_> = failed
        .iter()
        .map(|row| {
            let errors = row["errors"].as_array().into_iter().flatten();
            let fields: Vec<_> = errors.filter_map(|error| error["field"].as_str()).collect();
            (
                row["line"].as_u64().unwrap_or_default(),
                row["code"].as_str().unwrap_or_default(),
                fields,
            )
        })
        .collect();
    for (fault, told) in faults.iter().zip(&told) {
        let (line, code, field) = fault;
        let same = (told.0, told.1) == (*line, *code) && field.is_none_or(|field| told.2.contains(&field));
        ensure!(same, "{fault:?} was told as {told:?}");
    }
    Ok(())
}

#[test]
fn a_dry_run_judges_each_row_as_the_real_one_and_leaves_nothing() {
    on_each_engine(async |pair| {
        let (prefix, taken) = (name("dry")?, name("taken")?);
        let new = deploy::actors::NewUser { body: person(&taken) };
        pair.partner.create_user(&new).await?.expect(201)?;
        let (file, faults) = faulty(&prefix, &taken);
        let find = format!("/lifecycle/v1/users?externalId={prefix}-0");
        for dry_run in [true, false] {
            let query = format!("kind=users&dryRun={dry_run}");
            let taken_in = send(&pair.partner, &query, &format!("{prefix}-{dry_run}"), &file).await?;
            let id = taken_in.expect(202)?.number_at("/importId")?;
            judged_so(pair, id, &faults).await?;
            let found = pair.partner.door().get(&find).await?.expect(200)?.json()?;
            let many = found["items"].as_array().map_or(0, Vec::len);
            ensure!(many == usize::from(!dry_run), "after dryRun={dry_run}: {found}");
            let done = rows(&pair.partner, id, "&status=DONE").await?;
            ensure!(
                done.iter().all(|row| row["userId"].is_u64() != dry_run),
                "{done:?}"
            );
        }
        Ok(())
    });
}

#[test]
fn the_same_file_under_the_same_key_is_imported_once() {
    on_each_engine(async |pair| {
        let prefix = name("once")?;
        let content = file(&[person(&format!("{prefix}-0")), person(&format!("{prefix}-1"))]);
        let first = send(&pair.partner, "kind=users", &prefix, &content)
            .await?
            .expect(202)?;
        let again = send(&pair.partner, "kind=users", &prefix, &content)
            .await?
            .expect(202)?;
        ensure!(first.json()? == again.json()?);
        let other = send(&pair.partner, "kind=users", &prefix, "{}\n").await?;
        other.expect_refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
        let other = send(&pair.partner, "kind=users&dryRun=true", &prefix, &content).await?;
        other.expect_refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
        let end = ended(&pair.partner, first.number_at("/importId")?).await?;
        ensure!(end["done"] == 2, "{end}");
        // Under another key it is another import, whose rows are taken.
        let anew = send(&pair.partner, "kind=users", &format!("{prefix}-anew"), &content).await?;
        let end = ended(&pair.partner, anew.expect(202)?.number_at("/importId")?).await?;
        ensure!(end["failed"] == 2, "{end}");
        Ok(())
    });
}

#[test]
fn what_is_no_import_is_refused_whole() {
    on_each_engine(async |pair| {
        let key = name("bad")?;
        let empty = send(&pair.partner, "kind=users", &key, "\n \r\n").await?;
        empty.expect_refusal(422, "VALIDATION_FAILED")?;
        for query in [
            "",
            "kind=people",
            "kind=users&dryRun=maybe",
            "kind=users&kind=users",
        ] {
            let refused = send(&pair.partner, query, &key, "{}\n").await?;
            refused.expect_refusal(422, "VALIDATION_FAILED")?;
        }
        let call = pair
            .partner
            .door()
            .call(Method::POST, "/lifecycle/v1/imports?kind=users");
        let refused = call.json(&json!({})).send().await?;
        refused.expect_refusal(415, "UNSUPPORTED_MEDIA_TYPE")?;
        let too_many = "{}\n".repeat(100_001);
        let refused = send(&pair.partner, "kind=users&dryRun=true", &key, &too_many).await?;
        refused.expect_refusal(413, "BODY_TOO_LARGE").map(drop)
    });
}

#[test]
fn an_import_that_is_killed_again_and_again_brings_each_row_once() {
    run(async {
        let outcome = async {
            for database in engines("imports").await? {
                let mut options = StandOptions::for_tests(&scratch("imports")?)?;
                options.database = database;
                killed(Pair::with(options).await?).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn killed(mut pair: Pair) -> Result<()> {
    const ROWS: usize = 600;
    let prefix = name("kill")?;
    let mut people: Vec<_> = (0..ROWS).map(|n| person(&format!("{prefix}-{n}"))).collect();
    for row in people.iter_mut().step_by(3) {
        row["kyc"] = json!({ "status": "ACCEPTED", "provider": "own-desk", "reference": "case" });
    }
    let taken = send(&pair.partner, "kind=users", &prefix, &file(&people)).await?;
    let id = taken.expect(202)?.number_at("/importId")?;
    let mut ahead = Duration::ZERO;
    let mut met = 0;
    for kill in 0..KILLS {
        sleep(Duration::from_millis(150 + 120 * u64::from(kill))).await;
        if kill % 2 == 0 {
            pair.stand.kill_gateway().await?;
        } else {
            pair.stand.kill_vault().await?;
            pair.stand.kill_gateway().await?;
            pair.stand.start_vault().await?;
            pair.stand.unlock().await?;
        }
        // On PostgreSQL another process could be at work: a dead one's turn is over after a minute.
        ahead += Duration::from_secs(61);
        pair.stand.set_clock_ahead(ahead)?;
        pair.stand.start_gateway().await?;
        let shown = import(&pair.partner, id).await?.expect(200)?.json()?;
        met += u32::from(shown["status"] == "RUNNING");
    }
    ensure!(met > 0, "no kill met the import");
    let end = ended(&pair.partner, id).await?;
    ensure!(end["done"] == ROWS && end["failed"] == 0, "{end}");
    let results = rows(&pair.partner, id, "").await?;
    let users: BTreeSet<_> = results.iter().filter_map(|row| row["userId"].as_u64()).collect();
    ensure!(users.len() == ROWS, "{} users of {ROWS} rows", users.len());
    for n in [0, 1, 299, ROWS - 1] {
        let path = format!("/lifecycle/v1/users?externalId={prefix}-{n}");
        let found = pair.partner.door().get(&path).await?.expect(200)?.json()?;
        ensure!(found["items"][0]["id"] == results[n]["userId"], "{found}");
    }
    let first = results[0]["userId"].as_u64().context("no userId")?;
    let export = pair
        .partner
        .door()
        .get(&format!("/lifecycle/v1/users/{first}/export"))
        .await?;
    let export = export.expect(200)?.json()?;
    ensure!(
        export["kyc"].as_array().map(Vec::len) == Some(1),
        "decided more than once: {export}"
    );
    ensure!(export["balances"].as_array().map(Vec::len) == Some(1), "{export}");
    let created = export["events"].as_array().into_iter().flatten();
    ensure!(
        created.filter(|event| event["kind"] == "user.created").count() == 1,
        "{export}"
    );
    pair.stand.stop().await
}

/// The nonce of a session for the cards of an import.
pub(crate) async fn session(partner: &PartnerServer, import: &str, rows: u32) -> Result<String> {
    let body = json!({ "import": import, "rows": rows });
    let opened = partner.post("/lifecycle/v1/imports/sessions", &body).await?;
    let opened = opened.expect(201)?;
    ensure!(opened.number_at("/rows")? == u64::from(rows), "{opened}");
    opened.text_at("/nonce")
}

/// A card of another issuer, sealed and signed for the row of that name.
async fn signed(pair: &Pair, import: &str, row: &str, nonce: &str) -> Result<Value> {
    let card = content(&number(FOREIGN_BIN));
    let row = pair.partner.sign_row(import, row, nonce, &card).await?;
    Ok(json!({ "payload": row.payload, "holderProof": row.holder_proof }))
}

pub(crate) async fn masked(partner: &PartnerServer, user: u64) -> Result<Vec<Value>> {
    let prefix = PartnerServer::prefix(user);
    let listed = partner.cards(&prefix).list().await?.expect(200)?.json()?;
    Ok(listed["items"].as_array().cloned().unwrap_or_default())
}

#[test]
fn users_come_with_the_cards_that_their_partner_signed() {
    on_each_engine(async |pair| {
        let import = name("with")?;
        let nonce = session(&pair.partner, &import, 10).await?;
        let mut two = person(&format!("{import}-0"));
        two["kyc"] = json!({ "status": "ACCEPTED", "provider": "own-desk", "reference": "case" });
        let mut unsigned = two.clone();
        unsigned["externalId"] = json!(format!("{import}-1"));
        let first = signed(pair, &import, "1.1", &nonce).await?;
        let mut named = signed(pair, &import, "1.2", &nonce).await?;
        named["name"] = json!("Second");
        two["cards"] = json!([first, named]);
        // Signed for another row.
        unsigned["cards"] = json!([signed(pair, &import, "7.1", &nonce).await?]);
        let mut unknown = person(&format!("{import}-2"));
        unknown["cards"] = json!([signed(pair, &import, "3.1", &nonce).await?]);
        let content = file(&[two, unsigned, unknown]);
        let query = format!("kind=users-with-cards&import={import}");
        let dry = send(&pair.partner, &format!("{query}&dryRun=true"), "dry", &content).await?;
        let dry = ended(&pair.partner, dry.expect(202)?.number_at("/importId")?).await?;
        ensure!(dry["done"] == 1 && dry["failed"] == 2, "{dry}");

        let taken = send(&pair.partner, &query, &import, &content)
            .await?
            .expect(202)?;
        let id = taken.number_at("/importId")?;
        ended(&pair.partner, id).await?;
        let results = rows(&pair.partner, id, "").await?;
        ensure!(results[0]["status"] == "DONE", "{results:?}");
        ensure!(
            results[0]["cards"].as_array().map(Vec::len) == Some(2),
            "{results:?}"
        );
        let user = results[0]["userId"].as_u64().context("no userId")?;
        let cards = masked(&pair.partner, user).await?;
        ensure!(cards.len() == 2 && cards[1]["name"] == "Second", "{cards:?}");
        ensure!(cards[0]["token"] == results[0]["cards"][0]["token"], "{cards:?}");
        // The user came, the card did not.
        ensure!(results[1]["code"] == "HOLDER_PROOF_INVALID", "{results:?}");
        let user = results[1]["userId"].as_u64().context("no userId")?;
        ensure!(masked(&pair.partner, user).await?.is_empty());
        ensure!(
            results[2]["code"] == "KYC_REQUIRED" && results[2].get("userId").is_none(),
            "{results:?}"
        );
        Ok(())
    });
}

#[test]
fn cards_come_to_users_who_are_there_and_nowhere_else() {
    on_each_engine(async |pair| {
        let import = name("cards")?;
        let user = pair.partner.accepted_user().await?;
        let stranger = pair
            .other_partner
            .create_user(&deploy::actors::NewUser::sample()?)
            .await?;
        let stranger = stranger.expect(201)?.number_at("/id")?;
        let nonce = session(&pair.partner, &import, 10).await?;
        let mut lines = Vec::new();
        for (line, owner) in (1..).zip([
            json!({ "userId": user }),
            json!({ "userId": stranger }),
            json!({ "externalId": "nobody-of-this-name" }),
        ]) {
            let mut row = signed(pair, &import, &format!("{line}"), &nonce).await?;
            for (member, value) in owner.as_object().into_iter().flatten() {
                row[member] = value.clone();
            }
            lines.push(row);
        }
        let query = format!("kind=cards&import={import}");
        let taken = send(&pair.partner, &query, &import, &file(&lines))
            .await?
            .expect(202)?;
        let id = taken.number_at("/importId")?;
        let end = ended(&pair.partner, id).await?;
        ensure!(end["done"] == 1 && end["failed"] == 2, "{end}");
        let failed = rows(&pair.partner, id, "&status=FAILED").await?;
        ensure!(failed.iter().all(|row| row["code"] == "NOT_FOUND"), "{failed:?}");
        ensure!(masked(&pair.partner, user).await?.len() == 1);
        // The same rows in another import bring nothing anew.
        let again = send(&pair.partner, &query, &format!("{import}-again"), &file(&lines)).await?;
        let again = ended(&pair.partner, again.expect(202)?.number_at("/importId")?).await?;
        ensure!(again["done"] == 1, "{again}");
        ensure!(masked(&pair.partner, user).await?.len() == 1);
        Ok(())
    });
}
