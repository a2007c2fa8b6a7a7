//! What partners are told, by webhook, by list and by mail: signed, at least once, under one name, through kills.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deploy::actors::{NewUser, PartnerServer, ReceivedWebhook, WebhookServer, WebhookTls};
use deploy::answer::Answer;
use deploy::stand::{Database, StandOptions};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::pair::{Pair, engines, finished, on_each_engine, run, scratch};

pub(crate) const WEBHOOKS: &str = "/lifecycle/v1/webhooks";
/// How long a state may take to be written after the message that brought it about.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

pub(crate) async fn post(partner: &PartnerServer, path: &str, body: &Value) -> Result<Answer> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let key = format!("webhooks-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let call = partner.door().call(Method::POST, path).idempotency_key(&key);
    call.json(body).send().await
}

/// An endpoint of the partner's: its path and its secret.
pub(crate) async fn endpoint(partner: &PartnerServer, body: &Value) -> Result<(String, String)> {
    let made = post(partner, WEBHOOKS, body).await?.expect(201)?;
    let path = format!("{WEBHOOKS}/{}", made.number_at("/id")?);
    Ok((path, made.text_at("/secret")?))
}

/// Everything that the partner was told, by the list.
pub(crate) async fn listed(partner: &PartnerServer) -> Result<Vec<Value>> {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/lifecycle/v1/events?limit=100{cursor}");
        let page = partner.door().get(&path).await?.expect(200)?.json()?;
        events.extend(page["items"].as_array().context("no items")?.iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(events),
        }
    }
}

/// Everything that the partner was told up to an acceptance of this moment: ids are in the order of commits.
pub(crate) async fn listed_until_now(partner: &PartnerServer) -> Result<Vec<Value>> {
    let last = partner.accepted_user().await?;
    let deadline = Instant::now() + WRITTEN_WITHIN;
    loop {
        let events = listed(partner).await?;
        let of_last = |event: &&Value| event["type"] == "kyc.changed" && event["data"]["userId"] == last;
        if let Some(end) = events.iter().position(|event| of_last(&event)) {
            return Ok(events.into_iter().take(end + 1).collect());
        }
        ensure!(Instant::now() < deadline, "the last event is not told");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the resource at `path` is as wanted.
pub(crate) async fn becomes(
    partner: &PartnerServer,
    path: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let deadline = Instant::now() + WRITTEN_WITHIN;
    loop {
        let found = partner.door().get(path).await?.expect(200)?.json()?;
        if wanted(&found) {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{path} stays {found}");
        sleep(Duration::from_millis(50)).await;
    }
}

fn about(user: u64) -> impl Fn(&ReceivedWebhook) -> bool {
    move |one| one.body().is_ok_and(|body| body["data"]["userId"] == user)
}

pub(crate) fn under(id: &str) -> impl Fn(&ReceivedWebhook) -> bool {
    move |one| one.id == id
}

/// A pair of a test's own whose `[webhooks]` are these lines.
pub(crate) async fn own_pair(purpose: &str, database: Database, webhooks: String) -> Result<Pair> {
    let mut options = StandOptions::for_tests(&scratch(purpose)?)?;
    options.database = database;
    options.webhooks = webhooks;
    Pair::with(options).await
}

#[test]
fn events_arrive_signed_over_mutual_tls_again_after_a_failure_and_again_when_replayed() {
    run(async {
        let outcome = async {
            for database in engines("webhooks").await? {
                let server = WebhookServer::start(&scratch("endpoint")?, WebhookTls::Mutual)?;
                let lines = server.trusted() + &server.certified();
                let mut pair = own_pair("webhooks", database, lines).await?;
                arrive(&pair.partner, &server).await?;
                rotate(&pair.partner, &server).await?;
                give_up(&pair, &server).await?;
                pair.stand.stop().await?;
            }
            anyhow::Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn arrive(partner: &PartnerServer, server: &WebhookServer) -> Result<()> {
    let wish = json!({ "url": server.url("/hook"), "kinds": ["kyc.changed"], "description": "Core" });
    let (path, secret) = endpoint(partner, &wish).await?;
    let shown = partner.door().get(&path).await?.expect(200)?.json()?;
    ensure!(
        shown["secret"].is_null() && shown["enabled"] == true && shown["kinds"] == json!(["kyc.changed"])
    );
    server.answer_next(&[500]);
    let user = partner.accepted_user().await?;
    let tries = server.received(2, about(user)).await?;
    for one in &tries {
        one.verify(&secret)?;
        ensure!(
            one.path == "/hook" && one.id == tries[0].id && one.text == tries[0].text,
            "{one:?}"
        );
    }
    ensure!((tries[0].status, tries[1].status) == (500, 200), "{tries:?}");
    let body = tries[0].body()?;
    ensure!(
        body["type"] == "kyc.changed" && body["data"]["kycStatus"] == "ACCEPTED",
        "{body}"
    );
    ensure!(
        body["timestamp"] == body["occurredAt"] && body["timestamp"].is_string(),
        "{body}"
    );
    let at_list = listed(partner)
        .await?
        .into_iter()
        .find(|event| event["id"] == body["id"]);
    ensure!(at_list == Some(body.clone()), "the list tells {at_list:?}");
    let deliveries = format!("{path}/deliveries");
    let delivered = |page: &Value| page["items"][0]["state"] == "DELIVERED";
    let page = becomes(partner, &deliveries, delivered).await?;
    ensure!(
        page["items"][0]["attempts"] == 2 && page["items"][0]["messageId"] == tries[0].id.as_str(),
        "{page}"
    );
    let of_time = json!({ "from": body["occurredAt"] });
    for which in [json!({ "eventIds": [body["id"]] }), of_time] {
        let before = server
            .so_far()
            .iter()
            .filter(|one| under(&tries[0].id)(one))
            .count();
        let replayed = post(partner, &format!("{path}/replay"), &which)
            .await?
            .expect(202)?;
        ensure!(replayed.json()?["events"] == 1);
        let again = server.received(before + 1, under(&tries[0].id)).await?;
        again.last().context("nothing")?.verify(&secret)?;
    }
    let gone = partner.door().call(Method::DELETE, &path).send().await?;
    gone.expect(204)?;
    partner
        .door()
        .get(&path)
        .await?
        .expect_refusal(404, "NOT_FOUND")?;
    Ok(())
}

/// For a day both secrets sign, so that no message is refused while the partner changes over.
async fn rotate(partner: &PartnerServer, server: &WebhookServer) -> Result<()> {
    let (path, old) = endpoint(partner, &json!({ "url": server.url("/rotated") })).await?;
    let rotated = post(partner, &format!("{path}/secret/rotate"), &json!({}))
        .await?
        .expect(200)?;
    let new = rotated.text_at("/secret")?;
    ensure!(new != old && rotated.json()?["oldSecretUntil"].is_string());
    let test = post(partner, &format!("{path}/test"), &json!({}))
        .await?
        .expect(202)?;
    let arrived = server.received(1, under(&test.text_at("/messageId")?)).await?;
    ensure!(arrived[0].signature.split(' ').count() == 2);
    arrived[0].verify(&old)?;
    arrived[0].verify(&new)?;
    partner
        .door()
        .call(Method::DELETE, &path)
        .send()
        .await?
        .expect(204)?;
    Ok(())
}

/// An endpoint that says 410 is asked no more, and the partner is told: by list, by the other endpoint, by mail.
async fn give_up(pair: &Pair, server: &WebhookServer) -> Result<()> {
    let partner = &pair.partner;
    let (path, _) = endpoint(partner, &json!({ "url": server.url("/gone") })).await?;
    let other = json!({ "url": server.url("/other"), "kinds": ["webhook.disabled"] });
    endpoint(partner, &other).await?;
    server.answer_next(&[410]);
    post(partner, &format!("{path}/test"), &json!({}))
        .await?
        .expect(202)?;
    let told = server.received(1, |one| one.path == "/other").await?;
    let body = told[0].body()?;
    ensure!(
        body["type"] == "webhook.disabled" && body["data"]["reason"] == "GONE",
        "{body}"
    );
    let shown = partner.door().get(&path).await?.expect(200)?.json()?;
    ensure!(
        shown["enabled"] == false && shown["disabledBy"] == "GONE",
        "{shown}"
    );
    let mails = pair.mail.mails_to("desk@partner.example", 1).await?;
    let name = format!("<event-{}.partner@tessera.example>", body["id"]);
    ensure!(mails[0].header("Message-ID") == Some(name.as_str()), "{mails:?}");
    let refused = post(partner, &format!("{path}/test"), &json!({})).await?;
    refused.expect_refusal(409, "WEBHOOK_DISABLED")?;
    Ok(())
}

#[test]
fn endpoints_are_their_partners_own_and_are_judged_before_they_are_called() {
    on_each_engine(async |pair| {
        for (url, code) in [
            ("https://169.254.169.254/latest/meta-data/", "URL_NOT_ALLOWED"),
            ("https://[::ffff:a9fe:a9fe]/", "URL_NOT_ALLOWED"),
            ("http://bank.example/", "URL_NOT_ALLOWED"),
            ("ftp://bank.example/", "NOT_A_WEBHOOK_URL"),
            ("https://user@bank.example/", "NOT_A_WEBHOOK_URL"),
        ] {
            let refused = post(&pair.partner, WEBHOOKS, &json!({ "url": url })).await?;
            ensure!(refused.text_at("/errors/0/code")? == code, "{url}: {refused}");
            refused.expect_refusal(422, "VALIDATION_FAILED")?;
        }
        // Over TLS of an authority that nobody trusts here.
        let server = WebhookServer::start(&scratch("untrusted")?, WebhookTls::Server)?;
        let wish = json!({ "url": server.url("/"), "kinds": ["import.finished"] });
        let (path, _) = endpoint(&pair.partner, &wish).await?;
        let test = post(&pair.partner, &format!("{path}/test"), &json!({}))
            .await?
            .expect(202)?;
        let failed = |page: &Value| page["items"][0]["lastError"] == "TLS_FAILED";
        let page = becomes(&pair.partner, &format!("{path}/deliveries?state=PENDING"), failed).await?;
        ensure!(
            page["items"][0]["nextAttemptAt"].is_string() && server.so_far().is_empty(),
            "{page}"
        );
        let replay = json!({ "eventIds": [test.number_at("/eventId")?] });
        for (action, body) in [
            ("test", json!({})),
            ("secret/rotate", json!({})),
            ("replay", replay),
        ] {
            let refused = post(&pair.other_partner, &format!("{path}/{action}"), &body).await?;
            refused.expect_refusal(404, "NOT_FOUND")?;
        }
        let theirs = pair.other_partner.door().get(&path).await?;
        theirs.expect_refusal(404, "NOT_FOUND")?;
        let told = listed(&pair.other_partner).await?;
        ensure!(
            !told
                .iter()
                .any(|event| event["id"] == test.json().unwrap_or_default()["eventId"])
        );
        operators_look_and_switch(pair, &path).await?;
        pair.partner
            .door()
            .call(Method::DELETE, &path)
            .send()
            .await?
            .expect(204)?;
        Ok(())
    });
}

async fn operators_look_and_switch(pair: &Pair, path: &str) -> Result<()> {
    let id = path.rsplit('/').next().context("no number")?;
    let path = format!("/admin/webhooks/{id}");
    let desk = pair.desk().await?;
    for operator in [&desk.manager, &desk.employee] {
        operator.get(&path).await?.expect_refusal(403, "ROLE_FORBIDDEN")?;
    }
    desk.other.get(&path).await?.expect_refusal(404, "NOT_FOUND")?;
    let shown = desk.platform.get(&path).await?.expect(200)?.json()?;
    ensure!(
        shown["partner"] == "partner" && shown["secret"].is_null(),
        "{shown}"
    );
    let off = desk
        .admin
        .post(&format!("{path}/disable"), &json!({}))
        .await?
        .expect(200)?;
    ensure!(off.json()?["disabledBy"] == "OPERATOR");
    let from = json!({ "from": "2020-01-01T00:00:00Z" });
    let refused = desk.admin.post(&format!("{path}/replay"), &from).await?;
    refused.expect_refusal(409, "WEBHOOK_DISABLED")?;
    desk.admin
        .post(&format!("{path}/enable"), &json!({}))
        .await?
        .expect(200)?;
    let replayed = desk
        .admin
        .post(&format!("{path}/replay"), &from)
        .await?
        .expect(202)?;
    ensure!(replayed.json()?["more"] == false);
    let trail = crate::operators::trail(&desk.admin).await?;
    for action in ["DISABLE_WEBHOOK", "ENABLE_WEBHOOK", "REPLAY_WEBHOOK"] {
        let noted = |entry: &&Value| entry["action"] == action && entry["detail"] == format!("webhook {id}");
        ensure!(trail.iter().any(|entry| noted(&entry)), "no {action}");
    }
    Ok(())
}

/// A key that was announced on the gateway's word alone waits a day; whoever it is announced against hears of it by mail.
#[test]
fn a_user_hears_by_mail_of_a_further_key_that_waits() {
    on_each_engine(async |pair| {
        let person = NewUser::sample()?;
        let user = pair
            .partner
            .create_user(&person)
            .await?
            .expect(201)?
            .number_at("/id")?;
        for _ in 0..2 {
            let code = pair.partner.activation_code(user).await?.expect(201)?;
            pair.stand
                .phone()?
                .pair(&code.text_at("/activationCode")?)
                .await?;
        }
        let to = person.body["email"].as_str().context("no address")?;
        for count in 1..8 {
            let mails = pair.mail.mails_to(to, count).await?;
            let warning = mails.iter().find(|mail| {
                mail.header("Subject")
                    .is_some_and(|subject| subject.contains("further key"))
            });
            if let Some(mail) = warning {
                let name = mail.header("Message-ID").context("no name")?;
                ensure!(
                    name.starts_with("<event-") && name.ends_with(".user@tessera.example>"),
                    "{name}"
                );
                return Ok(());
            }
        }
        anyhow::bail!("seven mails, and none of them warns")
    });
}
