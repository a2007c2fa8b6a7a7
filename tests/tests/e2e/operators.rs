//! Operators: how they come in, by mail and by second factor, and what is written down of them.

use anyhow::{Context as _, ensure};
use deploy::stand::StandOptions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::pair::{Pair, engines, finished, login, on_each_engine, run, scratch};

/// Entries of the trail as its reader sees them, from the first on.
pub(crate) async fn trail(reader: &deploy::actors::Operator) -> anyhow::Result<Vec<Value>> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = reader.get(&format!("/admin/audit?limit=100{cursor}")).await?;
        let page = page.expect(200)?.json()?;
        entries.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(entries),
        }
    }
}

#[test]
fn an_operator_is_invited_by_mail_sets_up_a_second_factor_and_logs_in() {
    on_each_engine(async |pair| {
        let admin = pair.operator("admin", Some("partner")).await?;
        let invited = login("invited");
        let wish = json!({ "login": invited, "role": "EMPLOYEE" });
        let answer = admin.post("/admin/operators", &wish).await?.expect(201)?;
        let id = answer.number_at("/id")?;
        ensure!(answer.json()?["state"] == "INVITED" && answer.json()?["partner"] == "partner");
        let mails = pair.mail.mails_to(&invited, 1).await?;
        let mail = mails.first().context("no mail")?;
        ensure!(
            mail.header("Message-ID")
                .is_some_and(|id| id.ends_with("@tessera.example>"))
        );
        let token = mail.word("inv_")?;

        let mut operator = pair.stand.operator_to_be(&invited, "a password of my own")?;
        let codes = operator.accept_invitation(&token).await?.json()?;
        ensure!(
            codes["recoveryCodes"]
                .as_array()
                .is_some_and(|codes| codes.len() == 10)
        );
        let again = operator
            .open_post("/admin/invitations/second-factor", &json!({ "token": token }))
            .await?;
        again.expect_refusal(401, "TOKEN_INVALID")?;
        operator.log_in().await?;
        let me = operator.get("/admin/session").await?.expect(200)?.json()?;
        ensure!(
            me["operator"]["id"] == id && me["operator"]["role"] == "EMPLOYEE",
            "{me}"
        );

        let expected = ["INVITE_OPERATOR", "ACCEPT_INVITATION", "LOG_IN"];
        let entries = trail(&admin).await?;
        let about = |entry: &&Value| entry["aboutOperatorId"] == id || entry["operatorId"] == id;
        let actions: Vec<_> = entries
            .iter()
            .filter(about)
            .map(|entry| &entry["action"])
            .collect();
        for action in expected {
            ensure!(
                actions.iter().any(|found| *found == action),
                "no {action} in {actions:?}"
            );
        }
        let in_trail = serde_json::to_string(&entries)?;
        ensure!(
            !in_trail.contains(&token) && !in_trail.contains("a password"),
            "a secret is in the trail"
        );
        Ok(())
    });
}

#[test]
fn a_code_that_logged_in_does_not_log_in_again() {
    on_each_engine(async |pair| {
        let operator = pair.operator("manager", None).await?;
        let replay = operator
            .try_log_in(operator.password(), &operator.used_code())
            .await?;
        replay.expect_refusal(401, "AUTHENTICATION_FAILED")?;
        operator.get("/admin/session").await?.expect(200)?;
        Ok(())
    });
}

#[test]
fn five_wrong_logins_lock_a_login_whether_there_is_such_an_operator_or_not() {
    on_each_engine(async |pair| {
        let mut operator = pair.operator("manager", None).await?;
        let stranger = pair
            .stand
            .operator_to_be(&login("stranger"), "a password of my own")?;
        for somebody in [&operator, &stranger] {
            for _ in 0..5 {
                let wrong = somebody.try_log_in("a wrong password", "000000").await?;
                wrong.expect_refusal(401, "AUTHENTICATION_FAILED")?;
            }
            let locked = somebody.try_log_in("a wrong password", "000000").await?;
            ensure!(locked.header("Retry-After").is_some());
            locked.expect_refusal(429, "TOO_MANY_REQUESTS")?;
        }
        let code = operator.fresh_code()?;
        let right = operator.try_log_in(operator.password(), &code).await?;
        right.expect_refusal(429, "TOO_MANY_REQUESTS")?;
        // The session that was there goes on: nobody is put out by others' guesses.
        operator.get("/admin/session").await?.expect(200)?;
        Ok(())
    });
}

#[test]
fn a_forgotten_password_is_replaced_by_mail_and_nobody_learns_who_is_an_operator() {
    on_each_engine(async |pair| {
        let mut operator = pair.operator("employee", Some("partner")).await?;
        for somebody in [operator.login().to_owned(), login("stranger")] {
            let body = json!({ "login": somebody });
            let asked = operator.open_post("/admin/password-resets", &body).await?;
            ensure!(asked.expect(202)?.body.is_empty());
        }
        let mails = pair.mail.mails_to(operator.login(), 1).await?;
        let token = mails.first().context("no mail")?.word("rst_")?;
        operator
            .reset_password(&token, "another password")
            .await?
            .expect(204)?;
        let old = operator.get("/admin/session").await?;
        old.expect_refusal(401, "SESSION_REQUIRED")?;
        operator.log_in().await?;
        let spent = operator.reset_password(&token, "one more password").await?;
        spent.expect_refusal(401, "TOKEN_INVALID")?;
        Ok(())
    });
}

#[test]
fn a_mail_whose_taking_was_not_told_is_sent_again_under_its_name_after_a_kill() {
    run(async {
        let outcome = async {
            for database in engines("mail").await? {
                let mut options = StandOptions::for_tests(&scratch("mail")?)?;
                options.database = database;
                let mut pair = Pair::with(options).await?;
                let admin = pair.operator("admin", None).await?;
                pair.mail.break_next(1);
                let invited = login("invited");
                let wish = json!({ "login": invited, "role": "MANAGER" });
                admin.post("/admin/operators", &wish).await?.expect(201)?;
                pair.mail.mails_to(&invited, 1).await?;
                pair.stand.kill_gateway().await?;
                pair.stand.start_gateway().await?;
                let mails = pair.mail.mails_to(&invited, 2).await?;
                let names: Vec<_> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
                let same = matches!(names.as_slice(), [Some(first), Some(second), ..] if first == second);
                ensure!(same, "{names:?}");
                pair.stand.stop().await?;
            }
            anyhow::Ok(())
        };
        finished("each engine", outcome.await);
    });
}

#[test]
fn an_admin_changes_disables_and_invites_anew_and_each_is_felt_at_once() {
    on_each_engine(async |pair| {
        let admin = pair.operator("admin", Some("partner")).await?;
        let other = pair.operator("admin", Some("other-partner")).await?;
        let manager = pair.operator("manager", Some("partner")).await?;
        let me = manager.get("/admin/session").await?.expect(200)?;
        let path = format!("/admin/operators/{}", me.number_at("/operator/id")?);
        for stranger in ["", "/disable", "/second-factor/reset"] {
            let answer = match stranger {
                "" => other.get(&path).await?,
                action => other.post(&format!("{path}{action}"), &json!({})).await?,
            };
            answer.expect_refusal(404, "NOT_FOUND")?;
        }
        let role = admin.call(Method::PUT, &format!("{path}/role"));
        role.json(&json!({ "role": "ADMIN" })).send().await?.expect(200)?;
        manager.get("/admin/operators").await?.expect(200)?;
        admin
            .post(&format!("{path}/disable"), &json!({}))
            .await?
            .expect(200)?;
        let ended = manager.get("/admin/session").await?;
        ended.expect_refusal(401, "SESSION_REQUIRED")?;
        let disabled = admin
            .post(&format!("{path}/second-factor/reset"), &json!({}))
            .await?;
        disabled.expect_refusal(409, "OPERATOR_DISABLED")?;
        admin
            .post(&format!("{path}/enable"), &json!({}))
            .await?
            .expect(200)?;
        let reset = admin
            .post(&format!("{path}/second-factor/reset"), &json!({}))
            .await?;
        ensure!(reset.expect(200)?.json()?["state"] == "INVITED");
        let mails = pair.mail.mails_to(manager.login(), 1).await?;
        let token = mails.first().context("no mail")?.word("inv_")?;
        let mut again = pair
            .stand
            .operator_to_be(manager.login(), "a password of my own")?;
        again.accept_invitation(&token).await?;
        again.log_in().await?;
        Ok(())
    });
}
