//! Long work and slots, from the proposal to the end.

use std::fs;

use anyhow::{Context, Result, ensure};
use deploy::stand::{Said, Stand};
use serde_json::Value;
use shared::vault_api::governance::{Approval, ApprovalState};
use shared::vault_api::jobs::{Job, JobState};
use shared::vault_api::slots::{DrillProgress, KeepingInfo, SlotInfo, SlotState};

use super::{approve, on_a_vault, open, propose, ran};

#[test]
fn a_rotation_is_watched_from_the_proposal_to_the_old_keys_end() {
    on_a_vault(async {
        let stand = open("officer-rotate").await?;
        let words = ["rotate", "card-kek", "--watch", "--per-second", "0", "--json"];
        let mut watching = stand.officer_command(1, &words)?.spawn()?;
        // The first officer's program waits; the second one looks at what is open and approves it.
        let open: Approval = loop {
            let words = ["approvals", "list", "--open", "--json"];
            let listed = stand.officer_command(2, &words)?.run().await?.expect(0)?;
            if let Some(approval) = listed.json::<Vec<Approval>>()?.into_iter().next() {
                break approval;
            }
            ensure!(
                watching.try_wait()?.is_none(),
                "the watching ended before anything was proposed"
            );
        };
        approve(&stand, &open).await?;
        let said = Said::of(watching.wait_with_output().await?, "rotate --watch".to_owned()).expect(0)?;
        let lines: Vec<Value> = said.lines()?;
        ensure!(
            lines[0]["id"] == open.id.as_str() && lines[0]["state"] == "OPEN",
            "{}",
            said.out
        );
        let last: Job = serde_json::from_value(lines.last().context("a job")?.clone())?;
        ensure!(
            last.state == JobState::Done && last.approval == Some(open.id),
            "{last:?}"
        );
        ensure!(last.to_version == Some(2), "{last:?}");
        let id = last.id.as_str();
        stand
            .officer_command(1, &["jobs", "show", id])?
            .run()
            .await?
            .expect(0)?
            .says("rotate-card-kek")?;
        stand
            .officer_command(1, &["jobs", "watch", id])?
            .run()
            .await?
            .expect(0)?
            .says("DONE")?;
        let keys = stand.officer_command(1, &["keys"])?.run().await?.expect(0)?;
        keys.says("card-kek")?.says("destroyed")?;
        Ok(())
    });
}

async fn list(stand: &Stand) -> Result<Vec<SlotInfo>> {
    ran(stand, 1, &["slots", "list", "--json"], 0).await?.json()
}

/// Proposed and approved: the second and the third officer as custodians.
async fn add_slot(stand: &Stand) -> Result<SlotInfo> {
    let officers = &stand.certificates().officers;
    let custodian = |number: usize| officers[number - 1].certificate.display().to_string();
    let (second, third) = (custodian(2), custodian(3));
    let custodians = ["--custodian", &second, "--custodian", &third];
    let words = [&["slots", "add", "--threshold", "2"][..], &custodians].concat();
    approve(stand, &propose(stand, &words).await?).await?;
    let slots = list(stand).await?;
    let new = slots.into_iter().find(|slot| slot.state == SlotState::Pending);
    new.context("a pending slot")
}

#[test]
fn a_slot_is_added_verified_by_each_custodian_drilled_and_removed() {
    on_a_vault(async {
        let stand = open("officer-slots").await?;
        let old = list(&stand).await?.first().context("a slot")?.id.to_string();
        let new = add_slot(&stand).await?;
        ensure!(
            matches!(&new.keeping, KeepingInfo::Shamir { threshold: 2, custodians } if custodians.len() == 2)
        );
        let new = new.id.to_string();
        let refused = ran(&stand, 1, &["slots", "share", &new], 1).await?;
        refused.says("the vault refused")?;
        let file = |name: &str| stand.layout().shares.join(name).display().to_string();
        for number in [2, 3] {
            let sealed = file(&format!("new-{number}.jwe"));
            let fetched = ran(&stand, number, &["slots", "share", &new, "--out", &sealed], 0).await?;
            fetched.says("share open")?;
            let verify = ["slots", "verify", &new, "--share-file", &sealed, "--json"];
            let shown: DrillProgress = ran(&stand, number, &verify, 0).await?.json()?;
            ensure!(shown.needed == 2 && shown.opens == (number == 3), "{shown:?}");
        }
        let (sealed, clear) = (file("new-2.jwe"), file("new-2.txt"));
        let open = ["share", "open", &sealed, "--out", &clear];
        ran(&stand, 2, &open, 0).await?;
        ran(&stand, 2, &open, 2).await?.says("exists")?;
        let drill = stand.officer_command(2, &["slots", "drill", &new, "--share-file", "-"])?;
        let drilled = drill.stdin(fs::read(&clear)?).run().await?.expect(0)?;
        drilled.says("The next custodian")?;

        approve(&stand, &propose(&stand, &["slots", "remove", &old]).await?).await?;
        ensure!(list(&stand).await?.len() == 1);
        let last = ran(&stand, 1, &["slots", "remove", &new], 1).await?;
        last.says("SLOT_IS_THE_LAST")?;
        let none = ran(&stand, 1, &["slots", "drill", "aaaaaaaa"], 2).await?;
        none.says("no slot").map(drop)
    });
}

#[test]
fn a_proposal_by_file_is_the_same_as_by_words() {
    on_a_vault(async {
        let stand = open("officer-propose").await?;
        let certificate = stand.certificates().officers[2].certificate.display().to_string();
        let by_words = propose(&stand, &["parties", "register", &certificate]).await?;
        let file = stand.layout().root.join("proposal.json");
        fs::write(&file, serde_json::to_string(&by_words.proposal)?)?;
        let by_file = propose(&stand, &["approvals", "propose", &file.display().to_string()]).await?;
        ensure!(by_file.hash == by_words.hash && by_file.id != by_words.id);
        approve(&stand, &by_file).await?;
        let shown = stand.officer_command(2, &["approvals", "show", by_file.id.as_str(), "--json"])?;
        ensure!(shown.run().await?.expect(0)?.json::<Approval>()?.state == ApprovalState::Done);
        Ok(())
    });
}
