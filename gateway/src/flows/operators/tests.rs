//! Operators over a real database, with a clock that tests turn.

use shared::problem::TraceId;
use time::Duration;
use zeroize::Zeroizing;

use super::create_first::create;
use super::invite::{Invitation, invite};
use super::log_in::{OperatorLogin, SecondFactor, log_in, log_out};
use super::manage::{Change, change};
use super::{accept_invitation, reset_password, second_factor};
use crate::domain::operator::totp::step;
use crate::domain::operator::{Login, Operator, OperatorId, OperatorState, Password, Role, Scope};
use crate::error::{Code, Error};
use crate::flows::secret::hash;
use crate::operator_key::Sealed;
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::operators::Credentials;
use crate::store::{mails, operator_sessions, operators};
use crate::testing::{Stage, stages};

const PASSWORD: &str = "correct horse battery";
const TRACE: &str = "trace";

fn request(key: Option<&str>) -> Request {
    Request {
        scope: "test".to_owned(),
        key: key.map(str::to_owned),
        fingerprint: [7; 32],
    }
}

fn answer(_: &Operator) -> Result<Answer, Error> {
    Ok(Answer {
        status: 200,
        vault_proof: None,
        audit_index: None,
        body: b"{}".to_vec(),
    })
}

fn text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

fn wish(login: &str, role: Role, partner: Option<&str>) -> Invitation {
    Invitation {
        login: Login::parse(login).unwrap(),
        role,
        scope: Scope::of(partner.map(|partner| partner.parse().unwrap())),
    }
}

/// An operator who can log in, and the recovery codes.
pub(crate) async fn operator(
    services: &Services,
    login: &str,
    role: Role,
    partner: Option<&str>,
) -> (Operator, Vec<Zeroizing<String>>) {
    let password = Password::parse(text(PASSWORD)).unwrap();
    let created = create(services, wish(login, role, partner), password)
        .await
        .unwrap();
    (created.operator, created.recovery_codes)
}

async fn credentials(services: &Services, id: OperatorId) -> Credentials {
    let mut tx = services.db.begin().await.unwrap();
    operators::take(&mut tx, id).await.unwrap().unwrap()
}

/// The code that the operator's app shows at `offset` steps from now.
async fn code(services: &Services, id: OperatorId, offset: i64) -> SecondFactor {
    let sealed = credentials(services, id).await.totp_secret.unwrap();
    let secret = second_factor::open(services, id, &sealed).unwrap();
    SecondFactor::Totp(text(&secret.code(step(services.now()) + offset)))
}

async fn enter(
    services: &Services,
    login: &str,
    password: &str,
    factor: SecondFactor,
) -> Result<Zeroizing<String>, Error> {
    let attempt = OperatorLogin {
        login: Login::parse(login).unwrap(),
        password: Password::tried(text(password)),
        factor,
    };
    let session = log_in(services, request(None), attempt, TRACE).await?;
    Ok(session.token)
}

async fn enter_now(services: &Services, operator: &Operator) -> Result<Zeroizing<String>, Error> {
    let factor = code(services, operator.id, 0).await;
    enter(services, operator.login.as_str(), PASSWORD, factor).await
}

async fn session(services: &Services, token: &str) -> Option<Operator> {
    let mut read = services.db.read().await.unwrap();
    let found = operator_sessions::find(&mut read, &hash(token.as_bytes()), services.now()).await;
    found.unwrap().map(|session| session.operator)
}

/// The tokens in the mails that wait, in the order in which they were written.
async fn mailed(services: &Services) -> Vec<(String, String)> {
    let mut tx = services.db.begin().await.unwrap();
    let far = services.now() + Duration::days(99);
    let mut waiting = mails::take_due(&mut tx, far, 99).await.unwrap();
    waiting.sort_by_key(|mail| mail.id);
    let read = |mail: mails::Mail| {
        let key = &services.operator_key;
        let body = key.open(Sealed::Mail, &mail.message_id, &mail.body).unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let token = body
            .split_whitespace()
            .find(|word| word.starts_with("inv_") || word.starts_with("rst_"));
        (mail.recipient, token.unwrap().to_owned())
    };
    waiting.into_iter().map(read).collect()
}

async fn actions(services: &Services) -> Vec<String> {
    let mut read = services.db.read().await.unwrap();
    let entries = audit::list(&mut read, &Scope::Platform, 0, 999).await.unwrap();
    let shown = |entry: audit::Entry| format!("{} {}", entry.action, entry.outcome);
    entries.into_iter().map(shown).collect()
}

#[tokio::test]
async fn a_login_begins_a_session_that_ends_on_time_or_when_told() {
    for Stage {
        services,
        clock,
        engine,
        ..
    } in &stages().await
    {
        let (ada, _) = operator(services, "ada@bank.example", Role::Manager, None).await;
        let first = enter_now(services, &ada).await.unwrap();
        assert!(super::has_form_of_token(&first));
        clock.advance(Duration::seconds(30));
        let second = enter_now(services, &ada).await.unwrap();
        assert_eq!(session(services, &first).await.unwrap(), ada, "{engine}");
        let stamp = Stamp::by(&ada, "OWN_SESSION");
        log_out(services, &hash(first.as_bytes()), &stamp).await.unwrap();
        assert!(session(services, &first).await.is_none(), "{engine}");
        clock.advance(Duration::minutes(14));
        assert!(session(services, &second).await.is_some());
        clock.advance(Duration::minutes(1));
        assert!(session(services, &second).await.is_none(), "{engine}");
        let expected = [
            "CREATE_OPERATOR DONE",
            "LOG_IN DONE",
            "LOG_IN DONE",
            "LOG_OUT DONE",
        ];
        assert_eq!(actions(services).await, expected, "{engine}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_login_the_answer_is_the_same() {
    for Stage { services, engine, .. } in &stages().await {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let (bob, codes) = operator(services, "bob@bank.example", Role::Admin, None).await;
        let login = ada.login.as_str();
        let tries = [
            (login, "wrong horse battery", code(services, ada.id, 0).await),
            (login, PASSWORD, code(services, ada.id, -2).await),
            (login, PASSWORD, code(services, ada.id, 2).await),
            (login, PASSWORD, code(services, bob.id, 0).await),
            ("nobody@bank.example", PASSWORD, code(services, ada.id, 0).await),
        ];
        for (login, password, factor) in tries {
            let refused = enter(services, login, password, factor).await.err().unwrap();
            assert_eq!(refused.code(), Code::AuthenticationFailed, "{engine}");
        }
        let others_code = SecondFactor::RecoveryCode(codes.first().unwrap().clone());
        let refused = enter(services, "eve@bank.example", PASSWORD, others_code).await;
        assert_eq!(refused.err().unwrap().code(), Code::AuthenticationFailed);
    }
}

#[tokio::test]
async fn a_code_of_the_second_factor_is_good_once_and_no_earlier_one_after_it() {
    for Stage {
        services,
        clock,
        engine,
        ..
    } in &stages().await
    {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let login = ada.login.as_str();
        let shown = code(services, ada.id, 0).await;
        enter(services, login, PASSWORD, shown).await.unwrap();
        for offset in [0, -1] {
            let factor = code(services, ada.id, offset).await;
            let refused = enter(services, login, PASSWORD, factor).await.err().unwrap();
            assert_eq!(refused.code(), Code::AuthenticationFailed, "{engine} {offset}");
        }
        clock.advance(Duration::seconds(30));
        enter_now(services, &ada).await.unwrap();
    }
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    for Stage { services, engine, .. } in &stages().await {
        let (ada, codes) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let login = ada.login.as_str();
        let typed = codes.first().unwrap().to_lowercase().replace('-', " ");
        let factor = || SecondFactor::RecoveryCode(text(&typed));
        enter(services, login, PASSWORD, factor()).await.unwrap();
        let refused = enter(services, login, PASSWORD, factor()).await.err().unwrap();
        assert_eq!(refused.code(), Code::AuthenticationFailed, "{engine}");
    }
}

#[tokio::test]
async fn five_failures_lock_a_login_for_a_while_whether_there_is_such_an_operator_or_not() {
    for Stage {
        services,
        clock,
        engine,
        ..
    } in &stages().await
    {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        for login in ["ada@bank.example", "nobody@bank.example"] {
            for _ in 0..5 {
                let factor = code(services, ada.id, 9).await;
                let refused = enter(services, login, PASSWORD, factor).await.err().unwrap();
                assert_eq!(refused.code(), Code::AuthenticationFailed, "{engine} {login}");
            }
            let factor = code(services, ada.id, 0).await;
            let locked = enter(services, login, PASSWORD, factor).await.err().unwrap();
            assert_eq!(locked.code(), Code::TooManyRequests, "{engine} {login}");
            assert_eq!(
                locked.to_problem(TraceId::UNKNOWN).retry_after_seconds(),
                Some(900)
            );
        }
        clock.advance(Duration::minutes(15));
        let wrong = code(services, ada.id, 9).await;
        enter(services, ada.login.as_str(), PASSWORD, wrong)
            .await
            .unwrap_err();
        let locked = enter_now(services, &ada).await.err().unwrap();
        assert_eq!(
            locked.code(),
            Code::TooManyRequests,
            "the sixth locks again, {engine}"
        );
        clock.advance(Duration::minutes(30));
        enter_now(services, &ada).await.unwrap();
        let wrong = code(services, ada.id, 9).await;
        enter(services, ada.login.as_str(), PASSWORD, wrong)
            .await
            .unwrap_err();
        clock.advance(Duration::seconds(60));
        enter_now(services, &ada).await.unwrap();
    }
}

#[tokio::test]
async fn the_same_login_again_gets_another_token_for_the_same_session() {
    for Stage { services, engine, .. } in &stages().await {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let attempt = async || OperatorLogin {
            login: ada.login.clone(),
            password: Password::tried(text(PASSWORD)),
            factor: code(services, ada.id, 0).await,
        };
        let first = log_in(services, request(Some("k")), attempt().await, TRACE);
        let first = first.await.unwrap();
        let second = log_in(services, request(Some("k")), attempt().await, TRACE);
        let second = second.await.unwrap();
        assert_eq!(first.expires_at, second.expires_at);
        assert!(session(services, &first.token).await.is_none(), "{engine}");
        assert!(session(services, &second.token).await.is_some(), "{engine}");
    }
}

#[tokio::test]
async fn an_invitation_comes_by_mail_and_is_accepted_once() {
    for Stage { services, engine, .. } in &stages().await {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let stamp = Stamp::by(&ada, "MANAGE_OPERATORS");
        let new = || wish("Bob@bank.example", Role::Employee, Some("partner"));
        invite(services, &request(Some("k")), &ada, new(), &stamp, answer)
            .await
            .unwrap();
        let taken = invite(services, &request(None), &ada, new(), &stamp, answer).await;
        assert_eq!(taken.err().unwrap().code(), Code::LoginTaken, "{engine}");
        let mails = mailed(services).await;
        let [(recipient, token)] = mails.as_slice() else {
            panic!("{} mails on {engine}", mails.len())
        };
        assert_eq!(recipient, "bob@bank.example");

        let mut read = services.db.read().await.unwrap();
        let known = operators::list(&mut read, &Scope::Platform, 0, 9).await;
        drop(read);
        let bob = known.unwrap().pop().unwrap();
        assert_eq!(bob.state, OperatorState::Invited);
        let password = || Password::parse(text(PASSWORD)).unwrap();
        let accept =
            async |totp: &str| accept_invitation::accept(services, token, password(), totp, TRACE).await;
        let unready = accept("000000").await.err().unwrap();
        assert_eq!(unready.code(), Code::AuthenticationFailed, "{engine}");
        let made = accept_invitation::begin(services, token).await.unwrap();
        assert!(made.uri.contains(made.secret.as_str()));
        let shown = async |offset| match code(services, bob.id, offset).await {
            SecondFactor::Totp(code) | SecondFactor::RecoveryCode(code) => code,
        };
        let wrong = accept(&shown(7).await).await.err().unwrap();
        assert_eq!(wrong.code(), Code::AuthenticationFailed, "{engine}");
        let codes = accept(&shown(0).await).await.unwrap();
        assert_eq!(codes.len(), 10);
        let again = accept(&shown(0).await).await.err().unwrap();
        assert_eq!(again.code(), Code::TokenInvalid, "{engine}");
        let replayed = enter_now(services, &bob).await.err().unwrap();
        assert_eq!(
            replayed.code(),
            Code::AuthenticationFailed,
            "the code that accepted"
        );
        let factor = SecondFactor::RecoveryCode(codes.first().unwrap().clone());
        enter(services, bob.login.as_str(), PASSWORD, factor)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_invitation_lapses() {
    for Stage {
        services,
        clock,
        engine,
        ..
    } in &stages().await
    {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let stamp = Stamp::by(&ada, "MANAGE_OPERATORS");
        let new = wish("bob@bank.example", Role::Employee, None);
        invite(services, &request(None), &ada, new, &stamp, answer)
            .await
            .unwrap();
        let (_, token) = mailed(services).await.pop().unwrap();
        clock.advance(Duration::hours(72));
        let late = accept_invitation::begin(services, &token).await.err().unwrap();
        assert_eq!(late.code(), Code::TokenInvalid, "{engine}");
    }
}

#[tokio::test]
async fn a_password_is_reset_by_mail_and_the_second_factor_stays() {
    for Stage {
        services,
        clock,
        engine,
        ..
    } in &stages().await
    {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let open = enter_now(services, &ada).await.unwrap();
        let nobody = Login::parse("nobody@bank.example").unwrap();
        for login in [&nobody, &ada.login, &ada.login] {
            reset_password::ask(services, login, TRACE).await.unwrap();
        }
        let mails = mailed(services).await;
        assert_eq!(
            mails.len(),
            1,
            "one mail within five minutes, and none to nobody: {engine}"
        );
        let (_, token) = mails.first().unwrap();
        let other = || Password::parse(text("another horse battery")).unwrap();
        reset_password::carry_through(services, token, other(), TRACE)
            .await
            .unwrap();
        let again = reset_password::carry_through(services, token, other(), TRACE).await;
        assert_eq!(again.err().unwrap().code(), Code::TokenInvalid, "{engine}");
        assert!(session(services, &open).await.is_none(), "{engine}");
        clock.advance(Duration::seconds(60));
        let old = enter_now(services, &ada).await.err().unwrap();
        assert_eq!(old.code(), Code::AuthenticationFailed, "{engine}");
        let factor = code(services, ada.id, 0).await;
        enter(services, ada.login.as_str(), "another horse battery", factor)
            .await
            .unwrap();
    }
}

async fn run(services: &Services, by: &Operator, of: &Operator, what: Change) -> Result<(), Error> {
    let stamp = Stamp::by(by, "MANAGE_OPERATORS");
    change(services, &request(None), (by, &stamp), (of.id, what), answer)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn the_platform_keeps_an_admin() {
    for Stage { services, engine, .. } in &stages().await {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let (bob, _) = operator(services, "bob@bank.example", Role::Admin, None).await;
        operator(services, "eve@bank.example", Role::Admin, Some("partner")).await;
        run(services, &ada, &bob, Change::Role(Role::Manager))
            .await
            .unwrap();
        for what in [
            Change::Disable,
            Change::Role(Role::Employee),
            Change::ResetSecondFactor,
        ] {
            let refused = run(services, &ada, &ada, what).await.err().unwrap();
            assert_eq!(refused.code(), Code::LastAdmin, "{engine} {what:?}");
        }
        run(services, &ada, &bob, Change::Role(Role::Admin))
            .await
            .unwrap();
        run(services, &ada, &ada, Change::Disable).await.unwrap();
    }
}

#[tokio::test]
async fn a_change_is_felt_at_once() {
    for Stage {
        services,
        clock,
        engine,
        ..
    } in &stages().await
    {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let (bob, _) = operator(services, "bob@bank.example", Role::Manager, None).await;
        let token = enter_now(services, &bob).await.unwrap();
        run(services, &ada, &bob, Change::Role(Role::Employee))
            .await
            .unwrap();
        assert_eq!(session(services, &token).await.unwrap().role, Role::Employee);
        run(services, &ada, &bob, Change::Disable).await.unwrap();
        assert!(session(services, &token).await.is_none(), "{engine}");
        clock.advance(Duration::seconds(60));
        let refused = enter_now(services, &bob).await.err().unwrap();
        assert_eq!(refused.code(), Code::AuthenticationFailed, "{engine}");
        let refused = run(services, &ada, &bob, Change::ResetSecondFactor).await;
        assert_eq!(refused.err().unwrap().code(), Code::OperatorDisabled);
        run(services, &ada, &bob, Change::Enable).await.unwrap();
        enter_now(services, &bob).await.unwrap();
        run(services, &ada, &bob, Change::ResetSecondFactor)
            .await
            .unwrap();
        assert_eq!(mailed(services).await.len(), 1, "{engine}");
        assert!(credentials(services, bob.id).await.totp_secret.is_none());
    }
}

#[tokio::test]
async fn a_partners_admin_manages_the_partners_operators_only() {
    for Stage { services, engine, .. } in &stages().await {
        let (ada, _) = operator(services, "ada@bank.example", Role::Admin, None).await;
        let (bob, _) = operator(services, "bob@bank.example", Role::Admin, Some("partner")).await;
        let (eve, _) = operator(services, "eve@bank.example", Role::Employee, Some("partner")).await;
        let (joe, _) = operator(services, "joe@bank.example", Role::Employee, Some("other")).await;
        run(services, &bob, &eve, Change::Disable).await.unwrap();
        for other in [&ada, &joe] {
            let refused = run(services, &bob, other, Change::Disable).await.err().unwrap();
            assert_eq!(refused.code(), Code::NotFound, "{engine}");
        }
        let stamp = Stamp::by(&bob, "MANAGE_OPERATORS");
        for partner in [None, Some("other")] {
            let new = wish("new@bank.example", Role::Employee, partner);
            let refused = invite(services, &request(None), &bob, new, &stamp, answer).await;
            assert_eq!(refused.err().unwrap().code(), Code::RoleForbidden, "{engine}");
        }
        let mut read = services.db.read().await.unwrap();
        let seen = operators::list(&mut read, &bob.scope, 0, 9).await.unwrap();
        assert_eq!(
            seen.iter().map(|seen| seen.id).collect::<Vec<_>>(),
            [bob.id, eve.id]
        );
        let trail = audit::list(&mut read, &bob.scope, 0, 9).await.unwrap();
        assert!(
            trail
                .iter()
                .all(|entry| entry.partner.as_deref() == Some("partner"))
        );
        assert_eq!(trail.len(), 3, "{engine}");
    }
}
