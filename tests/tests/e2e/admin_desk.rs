//! The column `/admin` once more: what an operator decides and looks at beside cards.

use anyhow::{Context as _, Result, ensure};
use deploy::actors::{NewUser, Operator};
use reqwest::Method;
use serde_json::json;

use crate::admin::trail;
use crate::pair::{Pair, on_each_engine};

/// A user who has applied, and the application.
async fn applicant(pair: &Pair) -> Result<(u64, u64)> {
    let user = pair.partner.create_user(&NewUser::sample()?).await?.expect(201)?;
    let user = user.number_at("/id")?;
    let path = format!("/secure/customers/{user}/register");
    let call = pair.partner.door().call(Method::POST, &path);
    call.json(&json!({ "firstName": "Augusta" }))
        .send()
        .await?
        .expect(201)?;
    let admin = pair.operator("admin", Some("partner")).await?;
    let mut cursor = String::new();
    loop {
        let page = admin
            .get(&format!("/admin/kyc/applications?limit=100{cursor}"))
            .await?;
        let page = page.expect(200)?.json()?;
        for item in page["items"].as_array().into_iter().flatten() {
            if item["customerId"] == user {
                return Ok((user, item["id"].as_u64().context("no id")?));
            }
        }
        let next = page["nextCursor"]
            .as_str()
            .context("the application is not listed")?;
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn an_admin_reads_an_application_and_accepts_it_once() {
    on_each_engine(async |pair| {
        let (user, application) = applicant(pair).await?;
        let path = format!("/admin/kyc/applications/{application}");
        let manager = pair.operator("manager", Some("partner")).await?;
        manager.get(&path).await?.expect_refusal(403, "ROLE_FORBIDDEN")?;
        let other = pair.operator("admin", Some("other-partner")).await?;
        other.get(&path).await?.expect_refusal(404, "NOT_FOUND")?;
        let answer = other.post(&format!("{path}/accept"), &json!({})).await?;
        answer.expect_refusal(404, "NOT_FOUND")?;

        let admin = pair.operator("admin", Some("partner")).await?;
        let shown = admin.get(&path).await?.expect(200)?.json()?;
        ensure!(
            shown["status"] == "IN_PROGRESS" && shown["data"]["firstName"] == "Augusta",
            "{shown}"
        );
        ensure!(shown["customer"]["firstName"] == "Ada", "{shown}");
        let accepted = admin
            .post(&format!("{path}/accept"), &json!({ "note": "case 7" }))
            .await?;
        ensure!(accepted.expect(200)?.json()?["kycStatus"] == "ACCEPTED");
        for (action, body) in [
            ("accept", json!({})),
            ("reject", json!({ "reasonCode": "OTHER" })),
        ] {
            let late = admin.post(&format!("{path}/{action}"), &body).await?;
            late.expect_refusal(409, "KYC_DECIDED")?;
        }
        ensure!(admin.get(&path).await?.expect(200)?.json()?["status"] == "ACCEPTED");
        ensure!(pair.partner.user(user).await?.text_at("/kycStatus")? == "ACCEPTED");
        let balances = admin
            .get(&format!("/admin/customers/{user}/balances"))
            .await?
            .expect(200)?
            .json()?;
        ensure!(
            balances["items"].as_array().is_some_and(|items| items.len() == 1),
            "{balances}"
        );
        let entries = trail(&admin, user).await?;
        let expected = [
            "VIEW_KYC_APPLICATION DONE",
            "DECIDE_KYC DONE",
            "VIEW_KYC_APPLICATION DONE",
        ];
        ensure!(
            entries.get(..3).is_some_and(|first| first == expected),
            "{entries:?}"
        );
        Ok(())
    });
}

#[test]
fn a_rejected_applicant_applies_again_and_the_old_application_stays_decided() {
    on_each_engine(async |pair| {
        let (user, application) = applicant(pair).await?;
        let admin = pair.operator("admin", None).await?;
        let path = format!("/admin/kyc/applications/{application}");
        admin
            .post(
                &format!("{path}/reject"),
                &json!({ "reasonCode": "DOCUMENT_MISSING" }),
            )
            .await?
            .expect(200)?;
        let again = format!("/secure/customers/{user}/register");
        let call = pair.partner.door().call(Method::POST, &again);
        call.json(&json!({})).send().await?.expect(201)?;
        let late = admin.post(&format!("{path}/accept"), &json!({})).await?;
        late.expect_refusal(409, "KYC_DECIDED")?;
        ensure!(admin.get(&path).await?.expect(200)?.json()?["status"] == "REJECTED");
        Ok(())
    });
}

#[test]
fn balances_are_created_shown_and_summed_within_what_the_operator_may_know() {
    on_each_engine(async |pair| {
        let (user, _) = pair.user().await?;
        let employee = pair.operator("employee", Some("partner")).await?;
        let path = format!("/admin/customers/{user}/balances");
        let created = employee
            .post(&path, &json!({ "currency": "CHF" }))
            .await?
            .expect(201)?;
        let id = created.number_at("/id")?;
        let shown = employee.get(&format!("{path}/{id}")).await?.expect(200)?.json()?;
        ensure!(shown["currency"] == "CHF" && shown["value"] == 0, "{shown}");
        let unknown = pair
            .partner
            .create_user(&NewUser::sample()?)
            .await?
            .number_at("/id")?;
        let refused = employee
            .post(&format!("/admin/customers/{unknown}/balances"), &json!({}))
            .await?;
        refused.expect_refusal(409, "KYC_REQUIRED")?;
        let chf = async |operator: &Operator| -> Result<bool> {
            let summary = operator
                .get("/admin/summary/balances")
                .await?
                .expect(200)?
                .json()?;
            let all = summary["summaries"].as_array().context("no summaries")?.clone();
            ensure!(
                all.iter()
                    .all(|one| one["users"].as_i64() <= one["wallet"].as_i64() && one["users"].is_i64()),
                "{summary}"
            );
            Ok(all.iter().any(|one| one["currency"] == "CHF"))
        };
        ensure!(chf(&employee).await?);
        ensure!(chf(&pair.operator("manager", None).await?).await?);
        ensure!(!chf(&pair.operator("admin", Some("other-partner")).await?).await?);
        Ok(())
    });
}

#[test]
fn a_lost_phone_is_put_out_at_once() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let employee = pair.operator("employee", Some("partner")).await?;
        let path = format!("/admin/customers/{}/installations", holder.user);
        let listed = employee.get(&path).await?.expect(200)?.json()?;
        let installation = holder.phone.installation().context("not paired")?;
        ensure!(
            listed["items"][0]["id"] == installation && listed["items"][0]["state"] == "ACTIVE",
            "{listed}"
        );
        for _ in 0..2 {
            let call = employee.call(Method::DELETE, &format!("{path}/{installation}"));
            call.send().await?.expect(204)?;
        }
        holder
            .phone
            .kyc()
            .await?
            .expect_refusal(401, "SESSION_REQUIRED")?;
        let refused = holder.phone.try_log_in("4711").await?;
        refused.expect_refusal(401, "AUTHENTICATION_FAILED")?;
        let call = employee.call(Method::DELETE, &format!("{path}/999999999"));
        call.send().await?.expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}
