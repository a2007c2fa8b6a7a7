//! Applications that somebody outside decides: a house that is given everything and calls back, is asked, is away; and the
//! rules of the sandbox.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use deploy::actors::{Callback, IdentityHouse, NewUser, Phone, SampleDocument};
use deploy::answer::Answer;
use deploy::stand::{Database, StandOptions};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock;
use tokio::time::sleep;

use crate::pair::{Pair, engines, finished, run, scratch};

/// Longer than any decision takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the house calls back.
const CALLBACK: &str = "/callbacks/kyc/house";

/// A pair whose program leaves decisions to a house, and the house.
async fn pair_with_house(database: Database, purpose: &str) -> Result<(Pair, IdentityHouse)> {
    let directory = scratch(purpose)?;
    let house = IdentityHouse::start(&directory)?;
    let mut options = StandOptions::for_tests(&directory.join("stand"))?;
    options.database = database;
    options.gateway_extra = format!("kyc_provider = \"house\"\n{}", house.section("house"));
    Ok((Box::pin(Pair::with(options)).await?, house))
}

async fn on_each_engine_with_house(
    purpose: &str,
    test: impl AsyncFn(&mut Pair, &IdentityHouse) -> Result<()>,
) -> Result<()> {
    for database in engines(purpose).await? {
        let engine = format!("{database:?}").chars().take(6).collect::<String>();
        let (mut pair, house) = pair_with_house(database, purpose).await?;
        test(&mut pair, &house)
            .await
            .with_context(|| format!("on {engine}"))?;
        pair.stand.stop().await?;
        house.stop().await;
    }
    Ok(())
}

async fn create(pair: &Pair, last_name: &str) -> Result<u64> {
    let mut new = NewUser::sample()?;
    new.body["lastName"] = json!(last_name);
    pair.partner
        .create_user(&new)
        .await?
        .expect(201)?
        .number_at("/id")
}

/// A document that the partner's server sends.
async fn send(pair: &Pair, user: u64, kind: &str, document: &SampleDocument) -> Result<u64> {
    let path = format!("/secure/customers/{user}/kyc/documents?kind={kind}");
    let call = pair.partner.door().call(Method::POST, &path);
    let call = call.body(document.content_type, document.bytes.clone());
    call.send().await?.expect(201)?.number_at("/id")
}

/// Files an application by the partner's server: its number.
async fn apply(pair: &Pair, user: u64, body: &Value) -> Result<u64> {
    let path = format!("/secure/customers/{user}/register");
    let call = pair.partner.door().call(Method::POST, &path);
    call.json(body)
        .send()
        .await?
        .expect(201)?
        .number_at("/applicationId")
}

async fn kyc(pair: &Pair, user: u64) -> Result<Value> {
    let path = format!("/secure/customers/{user}/kyc");
    pair.partner.door().get(&path).await?.expect(200)?.json()
}

/// Waits until the user's status is decided.
async fn decided(pair: &Pair, user: u64) -> Result<Value> {
    let began = Instant::now();
    loop {
        let known = kyc(pair, user).await?;
        if known["kycStatus"] != "IN_PROGRESS" {
            return Ok(known);
        }
        ensure!(began.elapsed() < PATIENCE, "not decided: {known}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn balances(pair: &Pair, user: u64) -> Result<usize> {
    let path = format!("/secure/customers/{user}/balances");
    let listed = pair.partner.door().get(&path).await?.expect(200)?.json()?;
    Ok(listed["items"].as_array().map_or(0, Vec::len))
}

fn now() -> i64 {
    Clock::System.now().unix_timestamp()
}

/// Calls back with a fresh message of this moment.
async fn tell(house: &IdentityHouse, phone: &Phone, body: Value) -> Result<Answer> {
    let message = Callback {
        id: None,
        timestamp: now(),
        body,
    };
    house.call_back(phone.door(), CALLBACK, &message).await
}

/// Waits for an application of Augusta Example's with these documents: signed, whole and as they were sent.
async fn everything_came(
    house: &IdentityHouse,
    application: u64,
    sent: &[(u64, &SampleDocument)],
) -> Result<()> {
    let received = house
        .wait_until(|received| received.applications.contains_key(&application))
        .await?;
    ensure!(
        received.unsigned == 0,
        "{} messages were not signed",
        received.unsigned
    );
    for (id, document) in sent {
        let kept = received.documents.get(&(application, *id));
        let kept = kept.context("a document did not come")?;
        ensure!(kept.content == document.bytes && kept.content_type == document.content_type);
    }
    let told = received.applications.get(&application);
    let told = told.context("no application")?;
    ensure!(
        told["person"]["firstName"] == "Augusta" && told["person"]["lastName"] == "Example",
        "{told}"
    );
    ensure!(
        told["documents"]
            .as_array()
            .is_some_and(|all| all.len() == sent.len()),
        "{told}"
    );
    Ok(())
}

#[test]
fn a_house_is_given_everything_signed_and_its_first_callback_holds() {
    run(async {
        let test = async |pair: &mut Pair, house: &IdentityHouse| {
            let user = create(pair, "Example").await?;
            let (front, selfie) = (
                SampleDocument::pdf("front"),
                SampleDocument::png("selfie", 900_000),
            );
            let ids = [
                send(pair, user, "IDENTITY_FRONT", &front).await?,
                send(pair, user, "SELFIE", &selfie).await?,
            ];
            let application = apply(pair, user, &json!({ "firstName": "Augusta", "documents": ids })).await?;
            let sent = [(ids[0], &front), (ids[1], &selfie)];
            everything_came(house, application, &sent).await?;

            let phone = pair.stand.phone()?;
            let accepted =
                json!({ "applicationId": application, "status": "ACCEPTED", "reference": "house-7" });
            let message = Callback {
                id: Some("m-1"),
                timestamp: now(),
                body: accepted.clone(),
            };
            let heard = house
                .call_back(phone.door(), CALLBACK, &message)
                .await?
                .expect(200)?
                .json()?;
            ensure!(
                heard["applied"] == true && heard["kycStatus"] == "ACCEPTED",
                "{heard}"
            );
            let rejected =
                json!({ "applicationId": application, "status": "REJECTED", "reasonCode": "OTHER" });
            let again = house.call_back(phone.door(), CALLBACK, &message).await?;
            for late in [again, tell(house, &phone, rejected).await?] {
                let late = late.expect(200)?.json()?;
                ensure!(
                    late["applied"] == false && late["kycStatus"] == "ACCEPTED",
                    "{late}"
                );
            }
            ensure!(balances(pair, user).await? == 1, "not one balance");
            Ok(())
        };
        finished("each engine", on_each_engine_with_house("house", test).await);
    });
}

#[test]
fn who_is_not_the_house_or_comes_late_decides_nothing() {
    run(async {
        let test = async |pair: &mut Pair, house: &IdentityHouse| {
            let user = create(pair, "Example").await?;
            let application = apply(pair, user, &json!({})).await?;
            let phone = pair.stand.phone()?;
            let accepted = json!({ "applicationId": application, "status": "ACCEPTED" });
            let stranger = IdentityHouse::start(&scratch("stranger-house")?)?;
            let forged = tell(&stranger, &phone, accepted.clone()).await?;
            forged.expect_refusal(401, "CALLBACK_SIGNATURE_INVALID")?;
            for late in [-600, 600] {
                let message = Callback {
                    id: None,
                    timestamp: now() + late,
                    body: accepted.clone(),
                };
                let refused = house.call_back(phone.door(), CALLBACK, &message).await?;
                refused.expect_refusal(401, "CALLBACK_SIGNATURE_INVALID")?;
            }
            let call = phone.door().call(Method::POST, CALLBACK).json(&accepted);
            call.send()
                .await?
                .expect_refusal(401, "CALLBACK_SIGNATURE_INVALID")?;
            let message = Callback {
                id: None,
                timestamp: now(),
                body: accepted.clone(),
            };
            for nobody in ["/callbacks/kyc/nobody", "/callbacks/kyc/manual"] {
                let refused = house.call_back(phone.door(), nobody, &message).await?;
                refused.expect_refusal(404, "NOT_FOUND")?;
            }
            let unknown = json!({ "applicationId": application + 1_000, "status": "ACCEPTED" });
            tell(house, &phone, unknown)
                .await?
                .expect_refusal(404, "NOT_FOUND")?;
            for bad in [
                json!({}),
                json!({ "applicationId": application, "status": "IN_PROGRESS" }),
            ] {
                tell(house, &phone, bad)
                    .await?
                    .expect_refusal(422, "VALIDATION_FAILED")?;
            }
            ensure!(kyc(pair, user).await?["kycStatus"] == "IN_PROGRESS");

            // An operator comes first.
            let admin = pair.operator("admin", Some("partner")).await?;
            let reject = format!("/admin/kyc/applications/{application}/reject");
            admin
                .post(&reject, &json!({ "reasonCode": "DUPLICATE" }))
                .await?
                .expect(200)?;
            let late = tell(house, &phone, accepted).await?.expect(200)?.json()?;
            ensure!(
                late["applied"] == false && late["kycStatus"] == "REJECTED",
                "{late}"
            );
            ensure!(balances(pair, user).await? == 0, "a balance without acceptance");
            Ok(())
        };
        finished("each engine", on_each_engine_with_house("stranger", test).await);
    });
}

#[test]
fn a_house_that_fails_is_given_it_again_after_a_kill_too_and_asked_when_it_is_silent() {
    run(async {
        let test = async |pair: &mut Pair, house: &IdentityHouse| {
            let user = create(pair, "Example").await?;
            let document = SampleDocument::jpeg("selfie");
            let id = send(pair, user, "SELFIE", &document).await?;
            house.fail_next(1);
            let application = apply(pair, user, &json!({ "documents": [id] })).await?;
            house.wait_until(|received| received.disturbed == 1).await?;
            // The next message is taken, but whoever sent it is not told, and is killed.
            house.break_next(1);
            pair.stand.set_clock_ahead(Duration::from_secs(60))?;
            house.wait_until(|received| received.disturbed == 2).await?;
            pair.stand.kill_gateway().await?;
            pair.stand.set_clock_ahead(Duration::from_secs(600))?;
            pair.stand.start_gateway().await?;
            let received = house
                .wait_until(|received| received.applications.contains_key(&application))
                .await?;
            let kept = received
                .documents
                .get(&(application, id))
                .context("the document is lost")?;
            ensure!(
                kept.content == document.bytes && kept.times == 2,
                "it came {} times",
                kept.times
            );
            ensure!(kyc(pair, user).await?["kycStatus"] == "IN_PROGRESS");

            let verdict =
                json!({ "status": "REJECTED", "reference": "house-8", "reasonCode": "PHOTO_MISMATCH" });
            house.tell(application, verdict);
            pair.stand.set_clock_ahead(Duration::from_secs(3_600))?;
            let known = decided(pair, user).await?;
            ensure!(known["kycStatus"] == "REJECTED", "{known}");
            ensure!(known["rejection"]["reasonCode"] == "PHOTO_MISMATCH", "{known}");

            // Once more; the answer to the application is the decision.
            house.decide_at_once(json!({ "status": "ACCEPTED" }));
            let again = apply(pair, user, &json!({ "documents": [id] })).await?;
            ensure!(decided(pair, user).await?["kycStatus"] == "ACCEPTED" && again > application);
            ensure!(balances(pair, user).await? == 1, "not one balance");
            Ok(())
        };
        finished("each engine", on_each_engine_with_house("silent", test).await);
    });
}

#[test]
fn the_sandbox_decides_by_its_rules() {
    run(async {
        let outcome = async {
            let mut options = StandOptions::for_tests(&scratch("sandbox")?)?;
            options.gateway_extra = "kyc_provider = \"sandbox\"\n".to_owned();
            let mut pair = Box::pin(Pair::with(options)).await?;
            for (name, data, status, reason) in [
                ("Example", json!({}), "ACCEPTED", None),
                ("Rejecta", json!({}), "REJECTED", Some("DATA_MISMATCH")),
                (
                    "Example",
                    json!({ "dateOfBirth": "2020-01-01" }),
                    "REJECTED",
                    Some("UNDERAGE"),
                ),
                (
                    "Example",
                    json!({ "nationality": "KP" }),
                    "REJECTED",
                    Some("SANCTIONED"),
                ),
            ] {
                let user = create(&pair, name).await?;
                apply(&pair, user, &data).await?;
                let known = decided(&pair, user).await?;
                ensure!(known["kycStatus"] == status, "{name} {data}: {known}");
                ensure!(
                    known["rejection"]["reasonCode"].as_str() == reason,
                    "{name} {data}: {known}"
                );
                let expected = usize::from(status == "ACCEPTED");
                ensure!(balances(&pair, user).await? == expected, "{name}: balances");
            }
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}
