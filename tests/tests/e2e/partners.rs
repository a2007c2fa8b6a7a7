//! Partners' certificates, allowed addresses and keys: filed through the API, signed off-line with `certs`, pinned, revoked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use certs::PairPaths;
use deploy::actors::{Operator, ReceivingKey, VaultKey};
use deploy::stand::{Stand, StandOptions, binary};
use josekit::jwe::RSA_OAEP;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::pair::{Desk, Pair, engines, finished, run, scratch};
use crate::raw::RawConnection;

const PATH: &str = "/lifecycle/v1/public-key";

/// A key of the partner's own making, and the request for it, as `openssl` makes them.
struct Request {
    files: PairPaths,
    csr: PathBuf,
}

impl Request {
    fn new(dir: &Path, name: &str) -> Result<Self> {
        let files = PairPaths::new(dir, name);
        let csr = dir.join(format!("{name}.csr"));
        let mut command = Command::new("openssl");
        command
            .args([
                "req",
                "-new",
                "-nodes",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args(["-subj", "/CN=whoever", "-keyout"])
            .arg(&files.key)
            .arg("-out")
            .arg(&csr);
        succeed(&mut command)?;
        Ok(Self { files, csr })
    }

    fn pem(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.csr)?)
    }

    /// What the officer does on a machine that is not on the network.
    fn sign(&self, stand: &Stand, partner: &str) -> Result<String> {
        let mut command = Command::new(binary("certs")?);
        command
            .args(["sign", "--role", "partner", "--name", partner, "--dir"])
            .arg(&stand.layout().certificates)
            .arg("--csr")
            .arg(&self.csr)
            .arg("--out")
            .arg(&self.files.certificate);
        succeed(&mut command)?;
        Ok(fs::read_to_string(&self.files.certificate)?)
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().context("cannot be run")?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

async fn partner_path(operator: &Operator, name: &str) -> Result<String> {
    let listed = operator
        .get("/admin/partners?limit=100")
        .await?
        .expect(200)?
        .json()?;
    let items = listed["items"].as_array().context("no items")?;
    let found = items
        .iter()
        .find(|item| item["name"] == name)
        .context("not listed")?;
    Ok(format!("/admin/partners/{}", found["id"]))
}

#[test]
fn a_certificate_is_filed_signed_pinned_used_beside_the_old_one_and_revoked_at_once() {
    run(async {
        let outcome = async {
            for database in engines("partners").await? {
                let mut options = StandOptions::for_tests(&scratch("partners")?)?;
                options.database = database;
                let mut pair = Pair::with(options).await?;
                life_of_a_certificate(&pair).await?;
                pair.stand.stop().await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn life_of_a_certificate(pair: &Pair) -> Result<()> {
    let (stand, desk) = (&pair.stand, pair.desk().await?);
    let path = partner_path(&desk.admin, "partner").await?;
    let case = Case {
        list: format!("{path}/certificates"),
        request: Request::new(&scratch("csr")?, "second")?,
    };
    let one = filed(&case, &desk).await?;
    // Signed, and not yet returned: the authority's word alone opens nothing.
    let signed = case.request.sign(stand, "partner")?;
    let door = stand.door(&stand.ports().partner_url(), Some(&case.request.files))?;
    door.get(PATH)
        .await?
        .expect_refusal(403, "CERTIFICATE_NOT_REGISTERED")?;
    returned(stand, &desk, &one, &signed).await?;
    // Both are good, until the one is revoked.
    door.get(PATH).await?.expect(200)?;
    pair.partner.door().get(PATH).await?.expect(200)?;
    revoked(stand, &desk, &case, &one).await?;
    door.get(PATH)
        .await?
        .expect_refusal(403, "CERTIFICATE_NOT_REGISTERED")?;
    pair.partner.door().get(PATH).await?.expect(200)?;
    Ok(())
}

/// A request, and where it is filed.
struct Case {
    list: String,
    request: Request,
}

/// Files the request, after all who may not; gives its path.
async fn filed(case: &Case, desk: &Desk) -> Result<String> {
    let Case { list, request } = case;
    let body = json!({ "csr": request.pem()? });
    desk.employee
        .get(list)
        .await?
        .expect_refusal(403, "ROLE_FORBIDDEN")?;
    desk.manager.get(list).await?.expect(200)?;
    let refused = desk.manager.post(list, &body).await?;
    refused.expect_refusal(403, "ROLE_FORBIDDEN")?;
    desk.other
        .post(list, &body)
        .await?
        .expect_refusal(404, "NOT_FOUND")?;
    let refused = desk.admin.post(list, &json!({ "csr": "-----BEGIN" })).await?;
    refused.expect_refusal(422, "VALIDATION_FAILED")?;

    let filed = desk.admin.post(list, &body).await?.expect(201)?.json()?;
    ensure!(
        filed["state"] == "FILED" && filed["certificate"].is_null(),
        "{filed}"
    );
    let again = desk.platform.post(list, &body).await?;
    again.expect_refusal(409, "CERTIFICATE_KNOWN")?;
    let one = format!("{list}/{}", filed["id"]);
    let shown = desk.platform.get(&one).await?.expect(200)?.json()?;
    ensure!(shown["csr"] == body["csr"], "{shown}");
    Ok(one)
}

/// Returns the certificate, after what is none for this request, and by the platform alone.
async fn returned(stand: &Stand, desk: &Desk, one: &str, signed: &str) -> Result<()> {
    let issue = format!("{one}/issue");
    let body = |pem: &str| json!({ "certificate": pem });
    let by_partner = desk.admin.post(&issue, &body(signed)).await?;
    by_partner.expect_refusal(403, "ROLE_FORBIDDEN")?;
    for (other, rule) in [
        (&stand.certificates().partner.certificate, "ANOTHER_KEY"),
        (&stand.certificates().auditor.certificate, "NOT_A_CERTIFICATE"),
    ] {
        let refused = desk
            .platform
            .post(&issue, &body(&fs::read_to_string(other)?))
            .await?;
        ensure!(refused.json()?["errors"][0]["code"] == rule, "{refused:?}");
    }
    let issued = desk
        .platform
        .post(&issue, &body(signed))
        .await?
        .expect(200)?
        .json()?;
    ensure!(
        issued["state"] == "ISSUED" && issued["certificate"] == signed,
        "{issued}"
    );
    let again = desk.platform.post(&issue, &body(signed)).await?;
    again.expect_refusal(409, "CERTIFICATE_NOT_FILED")?;
    Ok(())
}

/// Revokes it, which is felt on the connection that it opened; its key does not come back.
async fn revoked(stand: &Stand, desk: &Desk, case: &Case, one: &str) -> Result<()> {
    let open = || RawConnection::open(stand, stand.ports().partner, Some(&case.request.files));
    let mut kept = block_in_place(open)?;
    ensure!(status(&mut kept)? == 200, "the connection is not let in");
    let revoke = format!("{one}/revoke");
    let reason = json!({ "reason": "lost with a laptop" });
    let by_manager = desk.manager.post(&revoke, &reason).await?;
    by_manager.expect_refusal(403, "ROLE_FORBIDDEN")?;
    let revoked = desk.admin.post(&revoke, &reason).await?.expect(200)?.json()?;
    ensure!(
        revoked["state"] == "REVOKED" && revoked["reason"] == reason["reason"],
        "{revoked}"
    );
    ensure!(
        status(&mut kept)? == 403,
        "a revoked certificate is let in on a kept connection"
    );
    let again = desk.admin.post(&revoke, &reason).await?;
    again.expect_refusal(409, "CERTIFICATE_ENDED")?;
    let body = json!({ "csr": case.request.pem()? });
    let back = desk.admin.post(&case.list, &body).await?;
    back.expect_refusal(409, "CERTIFICATE_KNOWN")?;
    Ok(())
}

fn status(connection: &mut RawConnection) -> Result<u16> {
    let answer = block_in_place(|| connection.get(PATH))?;
    Ok(answer.context("the connection was closed")?.0)
}

#[test]
fn a_partners_servers_call_from_where_they_may_and_with_keys_that_the_partner_takes() {
    run(async {
        let outcome = async {
            let mut pair = Pair::with(StandOptions::for_tests(&scratch("settings")?)?).await?;
            settings(&pair).await?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}

/// Settings that restrict nothing, but for one.
fn but(name: &str, value: Value) -> Value {
    let mut settings = json!({ "networks": [], "rsaOaepSha1": true, "minimumRsaBits": 2048, "ecKeys": true });
    settings[name] = value;
    settings
}

async fn settings(pair: &Pair) -> Result<()> {
    let desk = pair.desk().await?;
    let path = partner_path(&desk.admin, "partner").await?;
    let path = format!("{path}/settings");
    let set = async |settings: &Value| desk.admin.put(&path, settings).await;
    desk.manager
        .put(&path, &but("ecKeys", json!(false)))
        .await?
        .expect_refusal(403, "ROLE_FORBIDDEN")?;
    for (name, bad) in [
        ("networks", json!(["192.0.2.1/24"])),
        ("networks", json!("192.0.2.0/24")),
        ("minimumRsaBits", json!(1024)),
        ("rsaOaepSha1", json!(1)),
    ] {
        set(&but(name, bad))
            .await?
            .expect_refusal(422, "VALIDATION_FAILED")?;
    }
    set(&but("networks", json!(["192.0.2.0/24"])))
        .await?
        .expect(200)?;
    let away = pair.partner.door().get(PATH).await?;
    away.expect_refusal(403, "ADDRESS_NOT_ALLOWED")?;
    set(&but("networks", json!(["192.0.2.0/24", "127.0.0.0/8"])))
        .await?
        .expect(200)?;
    pair.partner.door().get(PATH).await?.expect(200)?;

    let holder = pair.holder().await?;
    let cards = holder.phone.cards();
    let reveal = async |receiving: &ReceivingKey| {
        let path = format!("/customers/me/cards/{}", holder.card.id);
        let call = pair
            .stand
            .door(&pair.stand.ports().gateway_url(), None)?
            .call(reqwest::Method::GET, &path);
        let session = holder.phone.session().context("no session")?;
        call.bearer(session).enc(receiving).send().await
    };
    let (small, curve) = (ReceivingKey::rsa(2048)?, ReceivingKey::p256()?);
    // Let through as far as the proof, which is not there.
    reveal(&small)
        .await?
        .expect_refusal(403, "HOLDER_PROOF_REQUIRED")?;
    set(&but("minimumRsaBits", json!(3072))).await?.expect(200)?;
    reveal(&small).await?.expect_refusal(400, "INVALID_PUBLIC_KEY")?;
    reveal(&curve)
        .await?
        .expect_refusal(403, "HOLDER_PROOF_REQUIRED")?;
    set(&but("ecKeys", json!(false))).await?.expect(200)?;
    reveal(&curve).await?.expect_refusal(400, "INVALID_PUBLIC_KEY")?;

    let vault: VaultKey = cards.vault_key().await?;
    let sha1 = vault.seal_bytes(br#"{"pin":"1234"}"#, RSA_OAEP)?;
    let set_pin = async || cards.set_pin_with(&holder.card, &sha1, None).await;
    set(&but("rsaOaepSha1", json!(false))).await?.expect(200)?;
    set_pin().await?.expect_refusal(400, "INVALID_PAYLOAD")?;
    set(&but("rsaOaepSha1", json!(true))).await?.expect(200)?;
    let (status, code) = set_pin().await?.refusal();
    ensure!(code != "INVALID_PAYLOAD", "{status} {code}");
    Ok(())
}
