//! The officers' command line against the real vault: the words of `SECURITY.md` are what is run here.

mod audit;
mod bulk;
mod work;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context, Result, ensure};
use deploy::stand::{OfficerCommand, Said, Stand, StandOptions};
use serde_json::{Value, json};
use shared::vault_api::governance::{Approval, ApprovalState, LockState, Program, Status};

use crate::pair::{finished, run, scratch};

/// A vault that was initialised and runs, locked.
async fn locked(purpose: &str) -> Result<Stand> {
    let mut stand = Stand::prepare(StandOptions::for_tests(&scratch(purpose)?)?).await?;
    stand.start_vault().await?;
    Ok(stand)
}

/// The same, open and set up.
async fn open(purpose: &str) -> Result<Stand> {
    let stand = locked(purpose).await?;
    stand.unlock().await?;
    stand.set_up().await?;
    Ok(stand)
}

fn on_a_vault(test: impl Future<Output = Result<()>>) {
    run(async { finished("a vault", test.await) });
}

/// `officer WORDS…` by the officer of that number, which must end with this code.
async fn ran(stand: &Stand, number: usize, words: &[&str], code: i32) -> Result<Said> {
    stand.officer_command(number, words)?.run().await?.expect(code)
}

/// Files a proposal as the first officer.
async fn propose(stand: &Stand, words: &[&str]) -> Result<Approval> {
    let words = [words, &["--json"]].concat();
    stand.officer_command(1, &words)?.run().await?.expect(0)?.json()
}

/// What the second officer does with it.
async fn approve(stand: &Stand, proposed: &Approval) -> Result<()> {
    let words = [
        "approvals",
        "approve",
        proposed.id.as_str(),
        "--hash",
        &proposed.hash,
    ];
    stand.officer_command(2, &words)?.run().await?.expect(0).map(drop)
}

#[test]
fn two_custodians_unlock_by_file_and_by_stdin_and_one_officer_locks() {
    on_a_vault(async {
        let stand = locked("officer-unlock").await?;
        let status = stand.officer_command(1, &["status"])?.run().await?.expect(0)?;
        status
            .says("locked: 0 of 2 shares given")?
            .says("spiffe://tessera/officer/officer-1")?;
        let refused = stand
            .officer_command(1, &["slots", "list"])?
            .run()
            .await?
            .expect(1)?;
        refused.says("VAULT_LOCKED")?.says("officer unlock")?;

        let file = stand
            .layout()
            .shares
            .join("share-officer-1.jwe")
            .display()
            .to_string();
        let first = stand
            .officer_command(1, &["unlock", "--share-file", &file])?
            .run()
            .await?
            .expect(0)?;
        first
            .says("locked: 1 of 2 shares given")?
            .says("the next custodian")?;
        let second = stand.officer_command(2, &["unlock", "--share-file", "-", "--json"])?;
        let second = second.stdin(stand.share(2)?.as_bytes()).run().await?.expect(0)?;
        ensure!(second.json::<Status>()?.state == LockState::Unlocked);

        let unsure = stand.officer_command(1, &["lock"])?.run().await?.expect(2)?;
        unsure.says("--yes")?;
        stand
            .officer_command(1, &["lock", "--yes"])?
            .run()
            .await?
            .expect(0)?
            .says("locked")?;
        Ok(())
    });
}

#[test]
fn a_share_that_is_not_one_is_refused_and_told_nobody() {
    on_a_vault(async {
        let stand = locked("officer-shares").await?;
        let share = stand.share(1)?;
        let give = async |number: usize, text: &str| {
            let command = stand.officer_command(number, &["unlock", "--share-file", "-"])?;
            command.stdin(text).run().await
        };
        let body = share.trim().get(40..).context("a share is longer")?;
        for (number, text, code) in [(1, "not a share", 1), (1, "", 2), (2, share.trim(), 1)] {
            let said = give(number, text).await?.expect(code)?;
            ensure!(
                !said.err.contains(body) && !said.out.contains(body),
                "a share was told"
            );
        }
        let path = stand.layout().shares.join("clear.txt");
        fs::write(&path, share.as_bytes())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        let file = path.display().to_string();
        let sealed = stand
            .layout()
            .shares
            .join("share-officer-1.jwe")
            .display()
            .to_string();
        let not_ours = stand
            .officer_command(2, &["unlock", "--share-file", &sealed])?
            .run()
            .await?;
        not_ours.expect(2)?.says("sealed to another key")?;
        let opened = stand
            .officer_command(1, &["share", "open", &sealed])?
            .run()
            .await?
            .expect(0)?;
        ensure!(opened.out.trim() == share.trim(), "another share");
        let open_to_others = stand.officer_command(1, &["unlock", "--share-file", &file])?;
        open_to_others.run().await?.expect(2)?.says("chmod 600")?;
        let nobody_to_ask = stand.officer_command(1, &["unlock"])?.run().await?.expect(2)?;
        nobody_to_ask.says("--share-file")?;
        Ok(())
    });
}

#[test]
fn what_a_second_officer_approves_is_what_was_shown() {
    on_a_vault(async {
        let stand = open("officer-approvals").await?;
        let file = stand.layout().root.join("program.json");
        let shown = stand
            .officer_command(1, &["programs", "show", "demo-eur"])?
            .run()
            .await?
            .expect(0)?;
        let mut program: Program = shown.json()?;
        program.validity_months = 48;
        fs::write(&file, serde_json::to_string(&program)?)?;
        let proposed = propose(&stand, &["programs", "set", &file.display().to_string()]).await?;
        ensure!(proposed.state == ApprovalState::Open);
        let id = proposed.id.as_str();

        let sheet = stand
            .officer_command(2, &["approvals", "show", id])?
            .run()
            .await?
            .expect(0)?;
        sheet.says("validityMonths: 36 -> 48")?.says(&proposed.hash)?;
        let nobody_to_ask = stand.officer_command(2, &["approvals", "approve", id, "--yes"])?;
        nobody_to_ask.run().await?.expect(2)?.says("--hash")?;
        let other = "0".repeat(64);
        let other_hash = stand.officer_command(2, &["approvals", "approve", id, "--hash", &other])?;
        other_hash.run().await?.expect(4)?.says("VERIFICATION FAILED")?;
        let own = stand.officer_command(1, &["approvals", "approve", id, "--hash", &proposed.hash])?;
        own.run()
            .await?
            .expect(1)?
            .says("SECOND_OFFICER_REQUIRED")?
            .says("Another registered officer")?;
        let approve = ["approvals", "approve", id, "--hash", &proposed.hash, "--json"];
        let done: Approval = stand
            .officer_command(2, &approve)?
            .run()
            .await?
            .expect(0)?
            .json()?;
        ensure!(done.state == ApprovalState::Done);
        let now = stand
            .officer_command(1, &["programs", "show", "demo-eur", "--json"])?
            .run()
            .await?;
        ensure!(now.json::<Program>()?.validity_months == 48);
        Ok(())
    });
}

#[test]
fn bad_input_gets_a_sentence_and_its_exit_code() {
    on_a_vault(async {
        let stand = open("officer-bad-input").await?;
        let set = stand.certificates();
        let refused = stand.officer_command(1, &["approvals", "show", "apr_aaaaaaaaaaaaaaaaaaaaaaaaaa"])?;
        refused.run().await?.expect(1)?.says("NOT_FOUND")?;
        let forbidden = stand.officer_command_as(&set.gateway_client, &["approvals", "list"])?;
        forbidden
            .run()
            .await?
            .expect(1)?
            .says("ROLE_FORBIDDEN")?
            .says("certificate of an officer")?;
        let as_json = stand.officer_command_as(&set.gateway_client, &["approvals", "list", "--json"])?;
        let as_json: Value = serde_json::from_str(&as_json.run().await?.expect(1)?.err)?;
        ensure!(
            as_json["problem"]["code"] == "ROLE_FORBIDDEN" && as_json["exit"] == 1,
            "{as_json}"
        );

        let nobody = stand.officer_command(1, &["status", "--vault", "https://127.0.0.1:1"])?;
        nobody.run().await?.expect(3)?.says("nothing listens")?;
        let gateway = stand.ports().gateway_url();
        let not_the_vault = stand.officer_command(1, &["status", "--vault", &gateway])?;
        not_the_vault.run().await?.expect(3)?;
        let partner_ca = set.partner_ca.certificate.display().to_string();
        let partner_crl = set.partner_crl.display().to_string();
        let other_ca = ["status", "--ca", &partner_ca, "--crl", &partner_crl];
        stand
            .officer_command(1, &other_ca)?
            .run()
            .await?
            .expect(3)?
            .says("not from the CA")?;
        let stranger = stand.officer_command_as(&set.partner, &["approvals", "list"])?;
        stranger
            .run()
            .await?
            .expect(3)?
            .says("does not accept your certificate")?;
        let key = set.officers[1].key.display().to_string();
        let not_a_pair = stand.officer_command(1, &["status", "--key", &key])?;
        not_a_pair
            .run()
            .await?
            .expect(2)?
            .says("does not belong to the key")?;
        OfficerCommand::bare(&["status"])?
            .run()
            .await?
            .expect(2)?
            .says("--vault is missing")?;

        Ok(())
    });
}

#[test]
fn a_file_that_is_no_proposal_is_refused_before_the_vault_is_asked() {
    on_a_vault(async {
        let stand = open("officer-bad-files").await?;
        let propose = ["approvals", "propose", "-"];
        for (text, says) in [
            ("{", "is no proposal"),
            (r#"{"type":"make-coffee","parameters":{}}"#, "is no proposal"),
        ] {
            stand
                .officer_command(1, &propose)?
                .stdin(text)
                .run()
                .await?
                .expect(2)?
                .says(says)?;
        }
        let bad_bin = json!({ "type": "strike-party", "parameters": "spiffe://tessera/officer/officer-3" });
        let fine = stand.officer_command(1, &propose)?.stdin(bad_bin.to_string());
        fine.run().await?.expect(0)?.says("approvals approve")?;
        Ok(())
    });
}
