//! Rows 14 and 15 of the contract: documents, applications with them, what an operator sees and decides of it.

use anyhow::{Context as _, Result, ensure};
use deploy::actors::{NewUser, Operator, Phone, SampleDocument};
use deploy::answer::Answer;
use deploy::stand::StandOptions;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};

use crate::admin::trail;
use crate::pair::{Pair, finished, on_each_engine, run, scratch};

/// A user whom nobody knows yet, with a phone.
async fn newcomer(pair: &Pair) -> Result<(u64, Phone)> {
    let user = pair.partner.create_user(&NewUser::sample()?).await?.expect(201)?;
    let user = user.number_at("/id")?;
    let code = pair
        .partner
        .activation_code(user)
        .await?
        .text_at("/activationCode")?;
    let mut phone = pair.stand.phone()?;
    phone.pair(&code).await?;
    Ok((user, phone))
}

/// Sends a document from the phone.
async fn send(phone: &Phone, kind: &str, document: &SampleDocument, key: &str) -> Result<Answer> {
    let path = format!("/customers/me/kyc/documents?kind={kind}");
    let session = phone.session().context("no session")?;
    let call = phone.door().call(Method::POST, &path).bearer(session);
    let call = call.idempotency_key(key);
    call.body(document.content_type, document.bytes.clone())
        .send()
        .await
}

/// Sends a document by the partner's server.
async fn send_for(pair: &Pair, user: u64, kind: &str, document: &SampleDocument) -> Result<Answer> {
    let path = format!("/secure/customers/{user}/kyc/documents?kind={kind}");
    let call = pair.partner.door().call(Method::POST, &path);
    call.body(document.content_type, document.bytes.clone())
        .send()
        .await
}

fn only_rule(answer: &Answer) -> Result<String> {
    let body = answer.json()?;
    Ok(body["errors"][0]["code"].as_str().unwrap_or_default().to_owned())
}

async fn kyc_of(pair: &Pair, user: u64) -> Result<Value> {
    let path = format!("/secure/customers/{user}/kyc");
    pair.partner.door().get(&path).await?.expect(200)?.json()
}

#[test]
fn documents_are_taken_listed_and_deleted_by_both_channels_and_are_their_users_own() {
    on_each_engine(async |pair| {
        let (user, phone) = newcomer(pair).await?;
        let session = phone.session().context("no session")?.to_owned();
        let png = SampleDocument::png("front", 700_000);
        let first = send(&phone, "IDENTITY_FRONT", &png, "front").await?.expect(201)?;
        let id = first.number_at("/id")?;
        ensure!(first.number_at("/size")? == png.bytes.len() as u64, "{first}");
        ensure!(first.text_at("/kind")? == "IDENTITY_FRONT" && first.text_at("/contentType")? == "image/png");
        let again = send(&phone, "IDENTITY_FRONT", &png, "front").await?.expect(201)?;
        ensure!(again.body == first.body, "a retry made another document");
        for other in [
            send(&phone, "IDENTITY_BACK", &png, "front").await?,
            send(
                &phone,
                "IDENTITY_FRONT",
                &SampleDocument::png("other", 9),
                "front",
            )
            .await?,
        ] {
            other.expect_refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
        }
        let second = send_for(pair, user, "PROOF_OF_ADDRESS", &SampleDocument::pdf("bill")).await?;
        let second = second.expect(201)?.number_at("/id")?;
        let listed = phone
            .door()
            .call(Method::GET, "/customers/me/kyc/documents?limit=1");
        let listed = listed.bearer(&session).send().await?.expect(200)?;
        ensure!(listed.number_at("/items/0/id")? == id && listed.text_at("/nextCursor").is_ok());

        let (_, stranger) = newcomer(pair).await?;
        let path = format!("/customers/me/kyc/documents/{id}");
        let theirs = stranger.session().context("no session")?;
        let call = stranger.door().call(Method::DELETE, &path).bearer(theirs);
        call.send().await?.expect_refusal(404, "NOT_FOUND")?;
        let theft = stranger.register(&json!({ "documents": [id] })).await?;
        ensure!(only_rule(&theft.expect_refusal(422, "VALIDATION_FAILED")?)? == "UNKNOWN_DOCUMENT");
        let path = format!("/secure/customers/{user}/kyc/documents/{second}");
        let foreign = pair
            .other_partner
            .door()
            .call(Method::DELETE, &path)
            .send()
            .await?;
        foreign.expect_refusal(404, "NOT_FOUND")?;
        let own = || pair.partner.door().call(Method::DELETE, &path).send();
        own().await?.expect(204)?;
        own().await?.expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}

#[test]
fn a_document_is_judged_by_what_it_is() {
    on_each_engine(async |pair| {
        let (user, phone) = newcomer(pair).await?;
        let png = SampleDocument::png("front", 100);
        let renamed = SampleDocument {
            content_type: "application/pdf",
            bytes: png.bytes.clone(),
        };
        let page = |text: &str| SampleDocument {
            content_type: "image/png",
            bytes: text.as_bytes().to_vec(),
        };
        let mut short = png.clone();
        short.bytes.truncate(60);
        let mut acting = SampleDocument::pdf("acting");
        let text = String::from_utf8(acting.bytes)?;
        acting.bytes = text
            .replacen("/Catalog", "/Catalog /AA << /JavaScript 3 0 R >>", 1)
            .into_bytes();
        for (document, rule) in [
            (renamed, "CONTENT_TYPE_MISMATCH"),
            (
                page("<html><script>alert(1)</script></html>"),
                "CONTENT_TYPE_MISMATCH",
            ),
            (page(""), "REQUIRED"),
            (short, "DOCUMENT_NOT_SOUND"),
            (acting, "DOCUMENT_NOT_PLAIN"),
        ] {
            let answer = send(&phone, "SELFIE", &document, rule).await?;
            ensure!(
                only_rule(&answer.expect_refusal(422, "VALIDATION_FAILED")?)? == rule,
                "{rule}"
            );
        }
        let mut svg = page("<svg/>");
        svg.content_type = "image/svg+xml";
        let answer = send(&phone, "SELFIE", &svg, "svg").await?;
        answer.expect_refusal(415, "DOCUMENT_TYPE_UNSUPPORTED")?;
        for query in ["kind=NONSENSE", "", "kind=SELFIE&kind=SELFIE"] {
            let path = format!("/secure/customers/{user}/kyc/documents?{query}");
            let call = pair.partner.door().call(Method::POST, &path);
            let answer = call.body(png.content_type, png.bytes.clone()).send().await?;
            answer.expect_refusal(422, "VALIDATION_FAILED")?;
        }
        // An archive that rides along behind the picture is not kept.
        let mut riding = png.clone();
        riding.bytes.extend_from_slice(b"PK\x03\x04 riding along");
        let kept = send_for(pair, user, "SELFIE", &riding).await?.expect(201)?;
        ensure!(kept.number_at("/size")? == png.bytes.len() as u64, "{kept}");
        Ok(())
    });
}

#[test]
fn only_the_doors_for_documents_take_large_bodies() {
    on_each_engine(async |pair| {
        let (user, phone) = newcomer(pair).await?;
        let large = SampleDocument::png("large", 8 * 1024 * 1024 - 500);
        let taken = send(&phone, "SELFIE", &large, "large").await?.expect(201)?;
        ensure!(taken.number_at("/size")? == large.bytes.len() as u64);
        let too_large = SampleDocument::png("too large", 8 * 1024 * 1024);
        // The answer may be lost with the connection, whose rest nobody reads.
        if let Ok(refused) = send(&phone, "SELFIE", &too_large, "too large").await {
            refused.expect_refusal(413, "BODY_TOO_LARGE")?;
        }
        let padding = "x".repeat(70_000);
        let path = format!("/secure/customers/{user}/register");
        let call = pair.partner.door().call(Method::POST, &path);
        if let Ok(refused) = call.json(&json!({ "firstName": padding })).send().await {
            refused.expect_refusal(413, "BODY_TOO_LARGE")?;
        }
        Ok(())
    });
}

/// An application with one document: the user, the phone, the document's number and bytes, the application's path.
async fn applicant(pair: &Pair) -> Result<(u64, Phone, u64, SampleDocument, String)> {
    let (user, phone) = newcomer(pair).await?;
    let photo = SampleDocument::jpeg("the back of a card");
    let document = send(&phone, "IDENTITY_BACK", &photo, "back").await?;
    let document = document.number_at("/id")?;
    let filed = json!({ "lastName": "Lovelace", "documents": [document] });
    let begun = phone.register(&filed).await?.expect(201)?;
    let path = format!("/admin/kyc/applications/{}", begun.number_at("/applicationId")?);
    Ok((user, phone, document, photo, path))
}

#[test]
fn an_operator_looks_at_documents_on_record() {
    on_each_engine(async |pair| {
        let (user, phone, document, photo, path) = applicant(pair).await?;
        let own = format!("/customers/me/kyc/documents/{document}");
        let session = phone.session().context("no session")?;
        let call = phone.door().call(Method::DELETE, &own).bearer(session);
        call.send().await?.expect_refusal(409, "DOCUMENT_SUBMITTED")?;

        let admin = pair.operator("admin", Some("partner")).await?;
        let other = pair.operator("admin", Some("other-partner")).await?;
        let manager = pair.operator("manager", Some("partner")).await?;
        let shown = admin.get(&path).await?.expect(200)?.json()?;
        ensure!(shown["documents"][0]["id"] == document, "{shown}");
        let content = format!("{path}/documents/{document}");
        let answer = admin.get(&content).await?.expect(200)?;
        ensure!(answer.body == photo.bytes, "the document came back changed");
        for (header, value) in [
            ("content-type", "image/jpeg"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; sandbox"),
        ] {
            ensure!(
                answer.header(header) == Some(value),
                "{header}: {:?}",
                answer.header(header)
            );
        }
        let disposition = answer.header("content-disposition");
        ensure!(
            disposition.is_some_and(|value| value.starts_with("attachment;")),
            "{disposition:?}"
        );
        other.get(&content).await?.expect_refusal(404, "NOT_FOUND")?;
        manager
            .get(&content)
            .await?
            .expect_refusal(403, "ROLE_FORBIDDEN")?;
        let elsewhere = format!("{path}/documents/{}", document + 1);
        admin.get(&elsewhere).await?.expect_refusal(404, "NOT_FOUND")?;
        let entries = trail(&admin, user).await?;
        let looks = entries.iter().filter(|entry| *entry == "VIEW_KYC_DOCUMENT DONE");
        ensure!(looks.count() == 1, "{entries:?}");
        Ok(())
    });
}

#[test]
fn a_rejection_has_a_reason_that_the_user_sees_and_applies_again_after() {
    on_each_engine(async |pair| {
        let (_, phone, document, _, path) = applicant(pair).await?;
        phone
            .register(&json!({}))
            .await?
            .expect_refusal(409, "KYC_IN_PROGRESS")?;
        let admin = pair.operator("admin", Some("partner")).await?;
        let reject = format!("{path}/reject");
        for body in [
            json!({}),
            json!({ "reasonCode": "NONSENSE" }),
            json!({ "message": "Why." }),
        ] {
            admin
                .post(&reject, &body)
                .await?
                .expect_refusal(422, "VALIDATION_FAILED")?;
        }
        let why = json!({ "reasonCode": "DOCUMENT_UNREADABLE", "message": "The back is blurred." });
        let mut body = why.clone();
        body["note"] = json!("case 9");
        admin.post(&reject, &body).await?.expect(200)?;
        let told = phone.kyc().await?.expect(200)?.json()?;
        ensure!(
            told["kycStatus"] == "REJECTED" && told["decidedAt"].is_string(),
            "{told}"
        );
        ensure!(
            told["rejection"] == why && !told.to_string().contains("case 9"),
            "{told}"
        );

        // The same document once more, and a better one beside it.
        let better = SampleDocument::png("sharp", 10);
        let better = send(&phone, "IDENTITY_BACK", &better, "sharp")
            .await?
            .number_at("/id")?;
        let again = phone
            .register(&json!({ "documents": [document, better] }))
            .await?
            .expect(201)?;
        let again = again.number_at("/applicationId")?;
        let accept = format!("/admin/kyc/applications/{again}/accept");
        admin.post(&accept, &json!({})).await?.expect(200)?;
        let told = phone.kyc().await?.json()?;
        ensure!(
            told["kycStatus"] == "ACCEPTED" && told.get("rejection").is_none(),
            "{told}"
        );
        ensure!(
            told["documents"].as_array().is_some_and(|all| all.len() == 2),
            "{told}"
        );
        phone
            .register(&json!({}))
            .await?
            .expect_refusal(409, "KYC_ACCEPTED")?;
        let late = send(&phone, "SELFIE", &SampleDocument::jpeg("late"), "late").await?;
        late.expect_refusal(409, "KYC_ACCEPTED")?;
        Ok(())
    });
}

#[test]
fn a_suspicion_is_told_to_the_partner_and_not_to_the_user() {
    on_each_engine(async |pair| {
        let (user, phone) = newcomer(pair).await?;
        phone.register(&json!({})).await?.expect(201)?;
        let path = format!("/lifecycle/v1/users/{user}/kyc");
        let put = async |body: Value| {
            pair.partner
                .door()
                .call(Method::PUT, &path)
                .json(&body)
                .send()
                .await
        };
        let suspicion = json!({ "status": "REJECTED", "provider": "desk", "reference": "case-1",
            "reasonCode": "SUSPECTED_FRAUD", "message": "The photo is a screen's." });
        put(suspicion).await?.expect(200)?;
        let told = phone.kyc().await?.json()?;
        ensure!(told["rejection"] == json!({ "reasonCode": "OTHER" }), "{told}");
        let known = kyc_of(pair, user).await?;
        ensure!(known["rejection"]["reasonCode"] == "SUSPECTED_FRAUD", "{known}");
        let pointless =
            json!({ "status": "ACCEPTED", "provider": "desk", "reference": "1", "reasonCode": "OTHER" });
        put(pointless).await?.expect_refusal(422, "VALIDATION_FAILED")?;
        Ok(())
    });
}

#[test]
fn of_two_operators_who_decide_at_the_same_time_the_first_wins() {
    on_each_engine(async |pair| {
        let (user, phone) = newcomer(pair).await?;
        let application = phone.register(&json!({})).await?.expect(201)?;
        let path = format!(
            "/admin/kyc/applications/{}",
            application.number_at("/applicationId")?
        );
        let first = pair.operator("admin", Some("partner")).await?;
        let second = pair.operator("admin", None).await?;
        let decide = async |operator: &Operator, action: &str, body: Value| {
            operator.post(&format!("{path}/{action}"), &body).await
        };
        let (accepted, rejected) = tokio::join!(
            decide(&first, "accept", json!({})),
            decide(&second, "reject", json!({ "reasonCode": "OTHER" }))
        );
        let (accepted, rejected) = (accepted?, rejected?);
        let statuses = [accepted.status, rejected.status];
        ensure!(
            statuses.contains(&200) && statuses.contains(&409),
            "{accepted}, {rejected}"
        );
        let won = if accepted.status == 200 {
            "ACCEPTED"
        } else {
            "REJECTED"
        };
        ensure!(kyc_of(pair, user).await?["kycStatus"] == won);
        Ok(())
    });
}

#[test]
fn a_program_asks_for_documents_and_may_keep_the_decision_from_its_partner() {
    run(async {
        let outcome = async {
            let mut options = StandOptions::for_tests(&scratch("kyc-rules")?)?;
            options.gateway_extra =
                "kyc_required_documents = [\"PASSPORT|IDENTITY_FRONT\", \"SELFIE\"]\nkyc_partner_flag = false\n".to_owned();
            let mut pair = Box::pin(Pair::with(options)).await?;
            let (user, phone) = newcomer(&pair).await?;
            let refused = phone.register(&json!({})).await?;
            let refused = refused.expect_refusal(422, "VALIDATION_FAILED")?.json()?;
            let named = refused["errors"].to_string();
            ensure!(
                named.contains("PASSPORT or IDENTITY_FRONT") && named.contains("SELFIE"),
                "{named}"
            );
            let front = send(&phone, "IDENTITY_FRONT", &SampleDocument::pdf("front"), "1").await?;
            let selfie = send(&phone, "SELFIE", &SampleDocument::jpeg("selfie"), "2").await?;
            let documents = [front.number_at("/id")?, selfie.number_at("/id")?];
            phone
                .register(&json!({ "documents": documents }))
                .await?
                .expect(201)?;
            let flag = pair.partner.set_kyc(user, "ACCEPTED").await?;
            flag.expect_refusal(403, "KYC_NOT_BY_PARTNER")?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}

/// Words that stand in no other document.
const CANARY: &str = "canary-of-a-document-3f81c2d7";

#[test]
fn no_document_is_in_the_database_or_in_a_log_in_clear() {
    on_each_engine(async |pair| {
        let (_, phone) = newcomer(pair).await?;
        for (kind, document) in [
            ("PASSPORT", SampleDocument::pdf(CANARY)),
            ("SELFIE", SampleDocument::jpeg(CANARY)),
            ("OTHER", SampleDocument::png(CANARY, 600_000)),
        ] {
            send(&phone, kind, &document, kind).await?.expect(201)?;
        }
        let canary = CANARY.as_bytes();
        let holds = |bytes: &[u8]| bytes.windows(canary.len()).any(|found| found == canary);
        ensure!(
            holds(&SampleDocument::pdf(CANARY).bytes),
            "the canary is not in the document"
        );
        let layout = pair.stand.layout();
        for entry in std::fs::read_dir(&layout.gateway_data)? {
            let path = entry?.path();
            ensure!(
                !holds(&std::fs::read(&path)?),
                "{} shows a document",
                path.display()
            );
        }
        ensure!(
            !holds(&std::fs::read(&layout.gateway_log)?),
            "the log shows a document"
        );
        let url = pair.stand.database_url();
        if url.starts_with("postgres") {
            let mut connection = sqlx::PgConnection::connect(&url).await?;
            let rows = sqlx::query("SELECT content FROM kyc_document_chunks UNION ALL SELECT body FROM idempotency WHERE body IS NOT NULL")
                .fetch_all(&mut connection)
                .await?;
            ensure!(rows.len() >= 5, "the documents are not there");
            for row in rows {
                ensure!(!holds(&row.try_get::<Vec<u8>, _>(0)?), "a row shows a document");
            }
        }
        Ok(())
    });
}
