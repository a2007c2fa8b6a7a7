//! Invariant 7, nobody enters uninvited. The tables are the binaries' own lists of routes, so that a new route without a rule
//! fails here.

use std::fs;

use anyhow::{Context, Result, ensure};
use certs::{Authority, Ca, Fault, PairPaths, Profile, Reason, fixtures};
use deploy::actors::Door;
use deploy::answer::Answer;
use deploy::stand::{Stand, StandOptions};
use gateway::domain::operator::Role as OperatorRole;
use gateway::http::{ADMIN, CallerKind, PARTNER, PUBLIC, Route};
use reqwest::Method;
use serde_json::json;
use shared::clock::Clock;
use shared::mtls::identity::Role;
use tokio::time::{Duration, Instant, sleep};

use crate::pair::{Pair, finished, on_each_engine, run, scratch};
use crate::raw::RawConnection;

/// Replaced revocation lists are in force within this time; both binaries look once a second.
const RELOAD_DEADLINE: Duration = Duration::from_secs(15);

/// A path with something plausible in each variable.
fn filled(path: &str) -> String {
    let token = |prefix: &str| format!("{prefix}{}", "a".repeat(26));
    let values = [
        ("{card}", token("crd_")),
        ("{holder}", token("hld_")),
        ("{approval}", token("apr_")),
        ("{job}", token("job_")),
        ("{batch}", token("bat_")),
        ("{order}", token("ord_")),
        ("{key}", "A".repeat(43)),
        ("{slot}", "a".repeat(8)),
    ];
    let mut path = path.to_owned();
    for (variable, value) in values {
        path = path.replace(variable, &value);
    }
    // What is left are the gateway's ids.
    let mut filled = String::new();
    let mut rest = path.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push_str("1001");
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    filled + rest
}

async fn knock(door: &Door, method: &str, path: &str, session: Option<&str>) -> Result<Answer> {
    let mut call = door.call(Method::from_bytes(method.as_bytes())?, &filled(path));
    if method != "GET" {
        call = call.idempotency_key("knock").json(&json!({}));
    }
    match session {
        Some(session) => call.bearer(session).send().await,
        None => call.send().await,
    }
}

#[test]
fn each_door_of_the_vault_opens_to_its_roles_alone() {
    on_each_engine(async |pair| {
        let set = pair.stand.certificates();
        let [officer, ..] = &set.officers;
        let actors = [
            (Role::Gateway, &set.gateway_client),
            (Role::Officer, officer),
            (Role::Auditor, &set.auditor),
            (Role::Processor, &set.processor),
            (Role::Bureau, &set.bureau),
        ];
        for (role, certificate) in actors {
            let door = pair.stand.vault_door(certificate)?;
            for route in vault::http::routes() {
                if route.path == shared::vault_api::paths::LOCK && role == Role::Officer {
                    continue; // It would lock the vault of all tests; `outage` goes through this door.
                }
                let answer = knock(&door, route.method.as_str(), route.path, None).await?;
                let turned_away = answer.refusal() == (403, "ROLE_FORBIDDEN".to_owned());
                let invited = route.roles.contains(&role);
                ensure!(
                    turned_away != invited,
                    "{role} at {} {}: {answer}",
                    route.method,
                    route.path
                );
                ensure!(answer.status < 500, "{role}: {answer}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_genuine_certificate_that_nobody_registered_enters_nowhere() {
    on_each_engine(async |pair| {
        let set = pair.stand.certificates();
        let mut authority = set.authority(Ca::Internal, &Clock::System)?;
        for profile in [
            Profile::Officer("stranger".parse()?),
            Profile::Auditor("stranger".parse()?),
            Profile::GatewayClient,
        ] {
            let pair_of_files = PairPaths::new(&scratch("strangers")?, "stranger");
            authority.issue(&profile)?.write(&pair_of_files)?;
            let door = pair.stand.vault_door(&pair_of_files)?;
            for route in vault::http::routes() {
                let answer = knock(&door, route.method.as_str(), route.path, None).await?;
                let for_all = route.roles.len() == Role::ALL.len();
                // Shares are bound to their custodians instead: while locked, the register is sealed too.
                let is_unlock = route.path == shared::vault_api::paths::UNLOCK;
                let refused = answer.status == 403 || is_unlock && answer.status == 400;
                let (method, path) = (&route.method, route.path);
                ensure!(
                    for_all || refused,
                    "an unregistered {profile:?} at {method} {path}: {answer}"
                );
            }
        }
        Ok(())
    });
}

#[test]
fn faulty_certificates_are_refused_at_all_doors_that_ask_for_one() {
    on_each_engine(async |pair| {
        let set = pair.stand.certificates();
        let doors = [
            (pair.stand.ports().vault_url(), Profile::GatewayClient, "/health"),
            (
                pair.stand.ports().vault_url(),
                Profile::Officer("officer-1".parse()?),
                "/v1/status",
            ),
            (
                pair.stand.ports().partner_url(),
                Profile::Partner("partner".parse()?),
                "/lifecycle/v1/public-key",
            ),
        ];
        for (url, profile, path) in doors {
            ensure!(
                pair.stand.door(&url, None)?.get(path).await.is_err(),
                "{url} opened without a certificate"
            );
            for (fault, files) in
                fixtures::create_all(&set.dir, &profile, &scratch("faults")?, &Clock::System)?
            {
                let refused = async || match pair.stand.door(&url, Some(&files))?.get(path).await {
                    Err(_) => Ok(true),
                    // Identities are looked at once the handshake is over.
                    Ok(answer) => Ok::<_, anyhow::Error>(matches!(answer.status, 401 | 403)),
                };
                // A revocation is in force once the new list was read.
                let deadline = Instant::now() + RELOAD_DEADLINE;
                let mut is_refused = refused().await?;
                while !is_refused && fault == Fault::Revoked && Instant::now() < deadline {
                    sleep(Duration::from_millis(100)).await;
                    is_refused = refused().await?;
                }
                ensure!(
                    is_refused,
                    "{url} opened to a certificate that is {}",
                    fault.word()
                );
            }
        }
        Ok(())
    });
}

#[test]
fn each_door_for_users_asks_for_a_session() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let ended = phone.session().map(str::to_owned).context("no session")?;
        phone.log_out().await?.expect(204)?;
        let junk = ["", "x", "0".repeat(43).as_str(), &"A".repeat(5_000)].map(str::to_owned);
        for route in PUBLIC {
            let sessions = junk
                .iter()
                .map(String::as_str)
                .chain([ended.as_str()])
                .map(Some)
                .chain([None]);
            for session in sessions {
                let answer = knock(phone.door(), route.method.as_str(), route.path, session).await?;
                let refused = answer.refusal() == (401, "SESSION_REQUIRED".to_owned());
                ensure!(
                    refused == (route.caller == CallerKind::User),
                    "{} {}: {answer}",
                    route.method,
                    route.path
                );
            }
        }
        Ok(())
    });
}

/// A path whose variables name nothing that there is, so that a knock changes nothing.
fn far(path: &str) -> String {
    let parts = path.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "999999999" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn each_door_for_operators_asks_for_an_operators_session() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let operator = pair.operator("admin", None).await?;
        let ended = operator.session().map(str::to_owned).context("no session")?;
        operator
            .call(Method::DELETE, "/admin/session")
            .send()
            .await?
            .expect(204)?;
        let strange = [None, phone.session(), Some(ended.as_str()), Some("junk")];
        for route in ADMIN {
            for session in strange {
                let answer = knock(phone.door(), route.method.as_str(), &far(route.path), session).await?;
                let refused = answer.refusal() == (401, "SESSION_REQUIRED".to_owned());
                ensure!(
                    refused == matches!(route.caller, CallerKind::Operator(_)),
                    "{} {}: {answer}",
                    route.method,
                    route.path
                );
            }
        }
        let fresh = pair.operator("admin", None).await?;
        for route in PUBLIC.iter().filter(|route| route.caller == CallerKind::User) {
            let answer = knock(phone.door(), route.method.as_str(), route.path, fresh.session()).await?;
            answer.expect_refusal(401, "SESSION_REQUIRED")?;
        }
        Ok(())
    });
}

#[test]
fn each_door_for_operators_opens_to_the_roles_of_its_permission_alone() {
    on_each_engine(async |pair| {
        // What ends the session comes last.
        let last = |route: &&Route| route.path == "/admin/session" && route.method.as_str() == "DELETE";
        for (role, name) in [
            (OperatorRole::Admin, "admin"),
            (OperatorRole::Manager, "manager"),
            (OperatorRole::Employee, "employee"),
        ] {
            for partner in [Some("partner"), None] {
                let operator = pair.operator(name, partner).await?;
                let others = ADMIN.iter().filter(|route| !last(route));
                for route in others.chain(ADMIN.iter().filter(last)) {
                    let CallerKind::Operator(permission) = route.caller else {
                        continue;
                    };
                    let (method, path) = (route.method.as_str(), far(route.path));
                    let answer = knock(operator.door(), method, &path, operator.session()).await?;
                    let turned_away = answer.refusal() == (403, "ROLE_FORBIDDEN".to_owned());
                    let invited = permission.roles().contains(&role);
                    ensure!(turned_away != invited, "{name} at {method} {path}: {answer}");
                    ensure!(answer.status < 500, "{name}: {answer}");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn each_door_for_partners_asks_for_a_certificate_and_takes_no_session_instead() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let nobody = pair.stand.door(&pair.stand.ports().partner_url(), None)?;
        for route in PARTNER {
            ensure!(
                route.caller != CallerKind::User,
                "{} is for users on the partner listener",
                route.path
            );
            let answer = knock(&nobody, route.method.as_str(), route.path, phone.session()).await;
            ensure!(
                answer.is_err(),
                "{} {} opened without a certificate",
                route.method,
                route.path
            );
            let public = knock(phone.door(), route.method.as_str(), route.path, phone.session()).await?;
            ensure!(
                public.status == 404,
                "{} {} stands on the public listener too",
                route.method,
                route.path
            );
        }
        Ok(())
    });
}

#[test]
fn a_partner_without_a_program_is_no_partner() {
    on_each_engine(async |pair| {
        let mut authority = pair.stand.certificates().authority(Ca::Partner, &Clock::System)?;
        let files = PairPaths::new(&scratch("stranger")?, "stranger");
        authority
            .issue(&Profile::Partner("stranger".parse()?))?
            .write(&files)?;
        let door = pair.stand.door(&pair.stand.ports().partner_url(), Some(&files))?;
        for route in PARTNER.iter().filter(|route| route.caller == CallerKind::Partner) {
            let answer = knock(&door, route.method.as_str(), route.path, None).await?;
            answer.expect_refusal(403, "NOT_A_PARTNER")?;
        }
        Ok(())
    });
}

#[test]
fn a_revoked_certificate_is_refused_on_the_connection_that_it_opened() {
    run(async {
        let outcome = async {
            let mut pair = Pair::with(StandOptions::for_tests(&scratch("revoked")?)?).await?;
            let set = pair.stand.certificates();
            let (gateway, partner) = (&set.gateway_client, set.partner_named(&"other-partner".parse()?));
            let ports = *pair.stand.ports();
            revoked_while_open(
                &pair.stand,
                Ca::Partner,
                ports.partner,
                &partner,
                "/lifecycle/v1/public-key",
            )
            .await?;
            // Without its own certificate the gateway reaches no vault: this one last.
            revoked_while_open(&pair.stand, Ca::Internal, ports.vault, gateway, "/v1/keys").await?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}

async fn revoked_while_open(stand: &Stand, ca: Ca, port: u16, pair: &PairPaths, path: &str) -> Result<()> {
    let mut connection = tokio::task::block_in_place(|| RawConnection::open(stand, port, Some(pair)))?;
    let first = tokio::task::block_in_place(|| connection.get(path))?.context("closed at once")?;
    ensure!(first.0 == 200, "{first:?}");
    let pem = fs::read(&pair.certificate)?;
    Authority::open(&stand.certificates().dir, ca, &Clock::System)?
        .revoke_certificate(&pem, Reason::Superseded)?;
    let deadline = Instant::now() + RELOAD_DEADLINE;
    loop {
        match tokio::task::block_in_place(|| connection.get(path)) {
            Ok(Some((200, _))) => ensure!(
                Instant::now() < deadline,
                "the open connection goes on being served"
            ),
            Ok(Some((401 | 403, _)) | None) => break,
            Ok(Some(other)) => anyhow::bail!("an unexpected answer: {other:?}"),
            Err(_) => break,
        }
        sleep(Duration::from_millis(100)).await;
    }
    let url = format!("https://localhost:{port}");
    let again = stand.door(&url, Some(pair))?.get(path).await;
    ensure!(
        !again.is_ok_and(|answer| answer.status == 200),
        "a new connection was let in"
    );
    Ok(())
}

#[test]
fn a_session_ends_by_time() {
    run(async {
        let outcome = async {
            let mut options = StandOptions::for_tests(&scratch("expiry")?)?;
            // Longer than the test lasts: what ends a session here is the clock that is moved.
            options.session_minutes = 15;
            let mut pair = Pair::with(options).await?;
            let (_, mut phone) = pair.user().await?;
            let operator = pair.operator("admin", None).await?;
            for (seconds, status) in [(0, 200), (5 * 60, 200), (15 * 60, 401)] {
                pair.stand.set_clock_ahead(Duration::from_secs(seconds))?;
                phone.kyc().await?.expect(status)?;
                operator.get("/admin/session").await?.expect(status)?;
            }
            phone.kyc().await?.expect_refusal(401, "SESSION_REQUIRED")?;
            phone.log_in().await?;
            phone.kyc().await?.expect(200)?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}
