//! Cards by the thousand: what comes in, what does not, what goes out, and to whom.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use shared::ids::{ApprovalToken, JobToken};
use shared::jwe::{Opener, RsaKeySize, RsaPrivateKey};
use shared::vault_api::bulk::{ExportPlan, ImportOutcome, ImportPlan, ImportRow};
use shared::vault_api::governance::{Budgets, Proposal};
use shared::vault_api::jobs::{Job, JobState};

use super::Stage;
use crate::audit::event::Operation;
use crate::domain::program::tests::program;
use crate::error::Error;
use crate::flows::{erase, export, govern, import};
use crate::work;

const NUMBERS: [&str; 5] = [
    "9999000000000012",
    "9999000000000020",
    "9999000000000038",
    "9999000000000046",
    "9999000000000053",
];

impl Stage {
    /// Two officers agree, and the approval is told.
    async fn approved(&self, proposal: Proposal) -> Result<ApprovalToken, Error> {
        let (first, second) = (self.officer(0), self.officer(1));
        let event = || self.event(Operation::Propose);
        let filed = govern::propose(&self.vault, event(), &first, &self.key(), proposal).await?;
        let id = filed.id.clone();
        govern::approve(&self.vault, event(), &second, filed.id, &filed.hash).await?;
        Ok(id)
    }

    fn import_file(&self, lines: &[Value]) -> String {
        let line = |value: &Value| format!("{}\n", self.seal(value));
        lines.iter().map(line).collect()
    }

    async fn approved_import(&self, file: &str, dry_run: bool) -> ApprovalToken {
        let plan = ImportPlan {
            program: "demo-eur".parse().unwrap(),
            sha256: crate::bulk::hex(digest(&SHA256, file.as_bytes()).as_ref()),
            lines: file.lines().count() as u64,
            dry_run,
        };
        self.approved(Proposal::ImportCards(plan)).await.unwrap()
    }

    async fn upload(&self, approval: &ApprovalToken, file: &str) -> Result<JobToken, Error> {
        let mut upload = match import::begin(&self.vault, approval)? {
            Ok(upload) => upload,
            Err(begun) => return Ok(begun.job),
        };
        upload.push(file.as_bytes())?;
        let begun = upload.finish(&self.vault, self.event(Operation::Import)).await?;
        Ok(begun.job)
    }

    async fn import(&self, lines: &[Value], dry_run: bool) -> (ApprovalToken, Job) {
        let file = self.import_file(lines);
        let approval = self.approved_import(&file, dry_run).await;
        let job = self.upload(&approval, &file).await.unwrap();
        let job = work::run_to_end(&self.vault, &job).await.unwrap();
        (approval, job)
    }

    fn rows(&self, approval: &ApprovalToken) -> Vec<ImportRow> {
        import::rows(&self.vault, approval.clone(), 1, 1000).unwrap().rows
    }
}

fn row(number: &str) -> Value {
    json!({"cardNo": number, "exp": "2029-11-30"})
}

fn rows(rows: &[Value]) -> Value {
    json!({ "rows": rows })
}

fn codes(rows: &[ImportRow]) -> Vec<Option<&str>> {
    rows.iter().map(|row| row.code.as_deref()).collect()
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().unwrap().status_and_code().1
}

#[tokio::test]
async fn cards_of_a_file_are_taken_in_with_what_they_bring() {
    let stage = Stage::new().await;
    let full = json!({
        "cardNo": NUMBERS[0], "exp": "2029-11-30", "cvv": "123", "pin": "4711", "reference": "old-1",
    });
    let (approval, job) = stage
        .import(&[rows(&[full, row(NUMBERS[1])]), rows(&[row(NUMBERS[2])])], false)
        .await;
    assert_eq!(
        (job.state, job.progress.done, job.progress.failed),
        (JobState::Done, 2, 0)
    );
    let taken = stage.rows(&approval);
    assert!(taken.iter().all(|row| row.outcome == ImportOutcome::Imported));
    assert_eq!(taken[0].reference.as_deref(), Some("old-1"));
    assert_eq!(taken.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 2, 3]);

    let context = stage.vault.card(taken[0].card.as_ref().unwrap()).unwrap();
    let card = context.card.record;
    let secrets = stage.vault.secrets(&card).unwrap();
    assert_eq!(secrets.pan(&card).unwrap().as_bytes(), NUMBERS[0].as_bytes());
    assert_eq!(secrets.cvv(&card).unwrap().unwrap().as_bytes(), b"123");
    assert_eq!(secrets.pin(&card).unwrap().unwrap().as_bytes(), b"4711");
    assert!(
        context.holder.record.ever_had_card && !context.holder.record.ever_had_key,
        "nobody enrols a first key for a holder who came with a card"
    );
    let bare = stage
        .vault
        .card_alone(taken[1].card.as_ref().unwrap())
        .unwrap()
        .record;
    assert!(bare.cvv.is_none() && bare.pin.is_none());
    let spool = stage.directory.path().join("data/bulk");
    assert_eq!(
        std::fs::read_dir(spool).unwrap().count(),
        0,
        "the spooled file ends with the job"
    );
}

#[tokio::test]
async fn each_row_has_its_own_outcome_and_none_stops_the_others() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let own = stage.card(&phone).await;
    let lines = [
        rows(&[
            row(&own.pan),
            row("9999000000000013"),
            row("9999010000000011"),
            json!({"cardNo": NUMBERS[0], "exp": "2026-11-30"}),
            json!({"cardNo": NUMBERS[0], "exp": "2029-11-30", "holder": "hld_aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
            json!({"cardNo": NUMBERS[0], "exp": "2029-11-30", "holder": phone.holder}),
            row(NUMBERS[0]),
        ]),
        json!({"cards": []}),
        rows(&[row(NUMBERS[1])]),
    ];
    let mut file = stage.import_file(&lines[..2]);
    file.push_str("no.token.of.any.kind\n");
    file.push_str(&stage.import_file(&lines[2..]));
    let approval = stage.approved_import(&file, false).await;
    let job = stage.upload(&approval, &file).await.unwrap();
    let job = work::run_to_end(&stage.vault, &job).await.unwrap();
    assert_eq!(job.state, JobState::Done);
    let found = stage.rows(&approval);
    assert_eq!(
        codes(&found),
        [
            None,
            Some("PAN_LUHN"),
            Some("BIN_OF_ANOTHER_PROGRAM"),
            Some("EXPIRED"),
            Some("HOLDER_UNKNOWN"),
            None,
            Some("DUPLICATE_IN_FILE"),
            Some("LINE_MALFORMED"),
            Some("LINE_INVALID"),
            None,
        ]
    );
    assert_eq!(found[0].outcome, ImportOutcome::Duplicate);
    assert_eq!(
        found[0].card.as_ref(),
        Some(&own.token),
        "the partner's own card is named"
    );
    assert_eq!(found[5].holder.as_ref(), Some(&phone.holder));
    assert_eq!(job.failures.first().unwrap(), "row 2: PAN_LUHN");
}

#[tokio::test]
async fn a_dry_run_judges_everything_and_keeps_nothing() {
    let stage = Stage::new().await;
    let lines = [rows(&[row(NUMBERS[0]), row(NUMBERS[0]), row("9999000000000013")])];
    let (approval, _) = stage.import(&lines, true).await;
    let found = stage.rows(&approval);
    assert_eq!(codes(&found), [None, Some("DUPLICATE_IN_FILE"), Some("PAN_LUHN")]);
    assert!(found[0].card.is_none() && found[0].masked_card_no.is_some());
    let (approval, _) = stage.import(&lines, false).await;
    let found = stage.rows(&approval);
    assert_eq!(
        found[0].outcome,
        ImportOutcome::Imported,
        "the dry run had kept it"
    );
    assert!(found[0].card.is_some());
}

#[tokio::test]
async fn another_partners_card_is_never_named() {
    let stage = Stage::new().await;
    let (approval, _) = stage.import(&[rows(&[row(NUMBERS[0])])], false).await;
    assert!(stage.rows(&approval)[0].card.is_some());
    // The range goes over to another partner's program; the card stays whose it was.
    let budgets = |rules: &mut Budgets| rules.emissions_per_card = 3;
    let mut moved = program("demo-eur", "999988");
    budgets(&mut moved.budgets);
    stage.agree(Proposal::SetProgram(moved)).await.unwrap();
    let mut other = program("other-eur", "999900");
    other.partner = "other".to_owned();
    stage.agree(Proposal::SetProgram(other)).await.unwrap();
    let file = stage.import_file(&[rows(&[row(NUMBERS[0])])]);
    let plan = ImportPlan {
        program: "other-eur".parse().unwrap(),
        sha256: crate::bulk::hex(digest(&SHA256, file.as_bytes()).as_ref()),
        lines: 1,
        dry_run: false,
    };
    let approval = stage.approved(Proposal::ImportCards(plan)).await.unwrap();
    let job = stage.upload(&approval, &file).await.unwrap();
    work::run_to_end(&stage.vault, &job).await.unwrap();
    let [found] = &stage.rows(&approval)[..] else {
        panic!("one row")
    };
    assert_eq!(found.code.as_deref(), Some("BIN_OF_ANOTHER_PROGRAM"));
    assert!(found.card.is_none() && found.holder.is_none());
}

#[tokio::test]
async fn only_the_file_that_was_agreed_on_is_taken() {
    let stage = Stage::new().await;
    let file = stage.import_file(&[rows(&[row(NUMBERS[0])])]);
    let approval = stage.approved_import(&file, false).await;
    let other = stage.import_file(&[rows(&[row(NUMBERS[1])])]);
    assert_eq!(
        code(stage.upload(&approval, &other).await),
        "IMPORT_FILE_MISMATCH"
    );
    let longer = format!("{file}{file}");
    assert_eq!(
        code(stage.upload(&approval, &longer).await),
        "IMPORT_FILE_MISMATCH"
    );
    assert_eq!(
        code(stage.upload(&approval, file.trim_end()).await),
        "IMPORT_FILE_MISMATCH"
    );
    let long = "a".repeat(40_000);
    assert_eq!(code(stage.upload(&approval, &long).await), "IMPORT_LINE_TOO_LONG");
    let job = stage.upload(&approval, &file).await.unwrap();
    assert_eq!(
        stage.upload(&approval, &file).await.unwrap(),
        job,
        "once, however often it is sent"
    );

    let missing: ApprovalToken = "apr_aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    assert_eq!(code(stage.upload(&missing, &file).await), "NOT_FOUND");
    let plan = |change: &dyn Fn(&mut ImportPlan)| {
        let mut plan = ImportPlan {
            program: "demo-eur".parse().unwrap(),
            sha256: "0".repeat(64),
            lines: 1,
            dry_run: false,
        };
        change(&mut plan);
        Proposal::ImportCards(plan)
    };
    let refused = async |proposal| code(stage.approved(proposal).await);
    assert_eq!(
        refused(plan(&|plan| plan.lines = 0)).await,
        "IMPORT_LINES_INVALID"
    );
    assert_eq!(
        refused(plan(&|plan| plan.sha256 = "0".repeat(63))).await,
        "IMPORT_HASH_INVALID"
    );
    assert_eq!(
        refused(plan(&|plan| plan.program = "none".parse().unwrap())).await,
        "PROGRAM_UNKNOWN"
    );
}

#[tokio::test]
async fn an_export_is_sealed_to_its_recipient_and_bounded() {
    let stage = Stage::new().await;
    let numbers: Vec<Value> = NUMBERS.iter().map(|number| row(number)).collect();
    let (approval, _) = stage.import(&[rows(&numbers)], false).await;
    let closed = stage.rows(&approval)[0].card.clone().unwrap();
    erase::erase(&stage.vault, stage.event(Operation::Erase), closed.clone())
        .await
        .unwrap();

    let private = RsaPrivateKey::from_pkcs8(&RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap()).unwrap();
    let plan = |most_cards| {
        Proposal::ExportCards(ExportPlan {
            program: "demo-eur".parse().unwrap(),
            recipient: private.public_key().clone(),
            most_cards,
            reason: "the program moves".to_owned(),
        })
    };
    let run = async |approval: &ApprovalToken| {
        let jobs = work::list(&stage.vault).unwrap();
        let job = jobs
            .into_iter()
            .find(|job| job.approval.as_ref() == Some(approval))
            .unwrap();
        work::run_to_end(&stage.vault, &job.id).await.unwrap()
    };
    let few = stage.approved(plan(3)).await.unwrap();
    let job = run(&few).await;
    assert_eq!(job.state, JobState::Failed, "{:?}", job.failures);
    let event = || stage.event(Operation::Export);
    assert_eq!(
        code(export::file(&stage.vault, event(), &few).await),
        "EXPORT_NOT_DONE"
    );

    let enough = stage.approved(plan(4)).await.unwrap();
    assert_eq!(run(&enough).await.state, JobState::Done);
    let mut file = export::file(&stage.vault, event(), &enough).await.unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    let [line] = &text.lines().collect::<Vec<_>>()[..] else {
        panic!("one line")
    };
    let jwe = shared::jwe::CompactJwe::parse(line, shared::jwe::AlgPolicy::Sha256Only).unwrap();
    let opened: Value =
        serde_json::from_slice(&Opener::new(private, Vec::new()).open(&jwe).unwrap()).unwrap();
    let exported = opened["rows"].as_array().unwrap();
    assert_eq!(exported.len(), 4);
    for row in exported {
        let members: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(members, ["card", "cardNo", "exp", "holder"]);
        assert!(NUMBERS.contains(&row["cardNo"].as_str().unwrap()));
        assert_ne!(row["card"], json!(closed), "what is closed does not leave");
    }
    stage.clock.advance(time::Duration::days(8));
    export::clean(&stage.vault).await.unwrap();
    assert_eq!(
        code(export::file(&stage.vault, event(), &enough).await),
        "NOT_FOUND"
    );
}
