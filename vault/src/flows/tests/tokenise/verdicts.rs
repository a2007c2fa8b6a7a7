//! Verdicts on rows, for dry runs: those of the real run, without its effects, and no more to a guesser than that.

use std::ops::Bound;

use shared::vault_api::governance::Budgets;
use shared::vault_api::tokens::{ImportSession, JudgeRow, JudgedRow, RowOwner, TokeniseRow};

use super::rows::{IMPORT, open, row, sealed_row, take};
use super::*;
use crate::flows::erase;
use crate::store::{Entry, Tree};

/// Further numbers of another issuer's, and one of the program's range.
const SECOND: &str = "9999990000000022";
const THIRD: &str = "9999990000000030";
const SECOND_OWN: &str = "9999000000000020";

async fn judge(stage: &Stage, owner: RowOwner, request: &TokeniseRow) -> Result<JudgedRow, Error> {
    let mut event = stage.event(Operation::JudgeRow);
    if let RowOwner::Holder(holder) = &owner {
        event.holder = Some(holder.clone());
    }
    let (vault, row) = (&stage.vault, request.clone());
    let flow = async |event| tokenise::judge_row(vault, event, JudgeRow { owner, row }).await;
    vault.audited(event, flow).await?
}

fn of(phone: &Phone) -> RowOwner {
    RowOwner::Holder(phone.holder.clone())
}

fn newcomer() -> RowOwner {
    RowOwner::Program("demo-eur".parse().unwrap())
}

/// Code, and what else the refusal says.
fn told<T>(answer: Result<T, Error>) -> Option<(&'static str, String)> {
    answer
        .err()
        .map(|error| (error.status_and_code().1, error.to_string()))
}

/// Everything that a row could change, but for the log and the counts of a session.
fn kept(stage: &Stage) -> Vec<Vec<Entry>> {
    let store = &stage.vault.surroundings.store;
    let changing = [Tree::Audit, Tree::AuditNodes, Tree::Meta];
    let trees = Tree::ALL.into_iter().filter(|tree| !changing.contains(tree));
    let mut kept = Vec::new();
    for tree in trees {
        let mut entries = store.scan(tree, b"", Bound::Unbounded, 1_000).unwrap();
        entries.retain(|(key, _)| !key.starts_with(b"session/"));
        kept.push(entries);
    }
    kept
}

/// Cards that are known: the neighbour's, one of the phone's, and one of the phone's that is closed.
async fn some_are_known(stage: &Stage, bank: &Bank, phone: &Phone, neighbour: &Phone) {
    let mut rules = program("demo-eur", "999900");
    rules.budgets.tokenise_per_holder = 100;
    stage.agree(Proposal::SetProgram(rules)).await.unwrap();
    done(bring(stage, bank, neighbour, &card(FOREIGN)).await);
    done(bring(stage, bank, phone, &card(LONGEST)).await);
    let closed = done(bring(stage, bank, phone, &card(THIRD)).await).card;
    let event = stage.event(Operation::Erase);
    erase::erase(&stage.vault, event, closed).await.unwrap();
}

/// Rows good and bad, and the code of each.
fn rows(stage: &Stage, bank: &Bank, session: &ImportSession) -> Vec<(TokeniseRow, Option<&'static str>)> {
    let with = |number: &str, member: &str, value: Value| {
        let mut content = card(number);
        content[member] = value;
        content
    };
    let contents = [
        (card(SECOND), None),
        (with(OWN, "cvv", json!("123")), None),
        (with(SECOND_OWN, "type", json!("PHYSICAL")), None),
        (card(LONGEST), None),
        (card(FOREIGN), Some("CARD_ALREADY_TOKENISED")),
        (
            with(LONGEST, "exp", json!("2030-11-30")),
            Some("CARD_ALREADY_TOKENISED"),
        ),
        (card(THIRD), Some("CARD_REMOVED")),
        (card(OTHERS), Some("CARD_NOT_ACCEPTED")),
        (card("9999990000000015"), Some("VALIDATION_FAILED")),
        (
            with(SHORTEST, "exp", json!("2029-11-29")),
            Some("VALIDATION_FAILED"),
        ),
        (
            with(SHORTEST, "exp", json!("2026-12-31")),
            Some("VALIDATION_FAILED"),
        ),
        (with(SHORTEST, "cvv", json!("12")), Some("VALIDATION_FAILED")),
        (with(SHORTEST, "type", json!("GOLD")), Some("INVALID_PAYLOAD")),
        (with(SHORTEST, "name", json!("Ada")), Some("INVALID_PAYLOAD")),
    ];
    let mut rows = Vec::new();
    for (line, (content, code)) in (1..).zip(contents) {
        rows.push((row(stage, bank, session, line, &content), code));
    }
    let mut bent = stage.seal(&card(SHORTEST));
    let last = if bent.ends_with('A') { 'Q' } else { 'A' };
    bent.pop();
    bent.push(last);
    rows.push((
        sealed_row(stage, bank, session, 20, bent),
        Some("CANT_DECRYPT_PAYLOAD"),
    ));
    let mut swapped = row(stage, bank, session, 21, &card(SHORTEST));
    swapped.payload = stage.seal(&card(SECOND));
    rows.push((swapped, Some("HOLDER_PROOF_INVALID")));
    let mut moved = row(stage, bank, session, 22, &card(SHORTEST));
    moved.row = format!("{IMPORT}:23");
    rows.push((moved, Some("HOLDER_PROOF_INVALID")));
    rows
}

#[tokio::test]
async fn a_verdict_is_what_the_row_is_told_and_changes_nothing() {
    for stage in Stage::each().await {
        let (bank, _) = two_partners(&stage).await;
        let (phone, neighbour) = (stage.phone().await, stage.phone().await);
        some_are_known(&stage, &bank, &phone, &neighbour).await;
        let session = open(&stage, "partner", IMPORT, 20).await.unwrap();
        let rows = rows(&stage, &bank, &session);
        let before = kept(&stage);
        let mut verdicts = Vec::new();
        for (request, code) in &rows {
            let verdict = told(judge(&stage, of(&phone), request).await);
            assert_eq!(verdict.as_ref().map(|told| told.0), *code, "{}", request.row);
            verdicts.push(verdict);
        }
        assert!(kept(&stage) == before, "a verdict changed the store");
        let cards = events(&stage).into_iter().filter(|event| {
            event.operation == Operation::JudgeRow && (event.card.is_some() || event.emitted)
        });
        assert_eq!(cards.count(), 0, "a verdict names no card");
        for ((request, _), verdict) in rows.iter().zip(verdicts) {
            let came = told(take(&stage, &phone.holder, request).await);
            assert_eq!(came, verdict, "{}", request.row);
        }
        // What was spent is told as spent, for this payload alone, and is looked up no more.
        let (first, _) = &rows[0];
        judge(&stage, of(&phone), first).await.unwrap();
        let last = events(&stage).pop().unwrap();
        assert_eq!(last.outcome, Outcome::Replayed);
        let other = row(&stage, &bank, &session, 1, &card(SHORTEST));
        assert_eq!(
            code(judge(&stage, of(&phone), &other).await),
            "HOLDER_PROOF_INVALID"
        );
    }
}

#[tokio::test]
async fn a_newcomers_row_is_judged_for_the_program_and_nobody_is_made() {
    let stage = Stage::new().await;
    let (bank, other_bank) = two_partners(&stage).await;
    let (phone, neighbour) = (stage.phone().await, stage.phone().await);
    some_are_known(&stage, &bank, &phone, &neighbour).await;
    let session = open(&stage, "partner", IMPORT, 20).await.unwrap();
    let before = kept(&stage);
    let mut verdicts = Vec::new();
    let rows = rows(&stage, &bank, &session);
    for (request, _) in &rows {
        verdicts.push(told(judge(&stage, newcomer(), request).await));
    }
    assert!(kept(&stage) == before, "a verdict changed the store");
    // As for a holder who has just come and has no card.
    let newcomer_to_be = stage.holder().await;
    for ((request, _), verdict) in rows.iter().zip(verdicts) {
        let came = told(take(&stage, &newcomer_to_be, request).await);
        assert_eq!(came, verdict, "{}", request.row);
    }
    // Under another partner's program the signature is a stranger's, and a program that is not there has no verdict.
    let good = row(&stage, &bank, &session, 30, &card(SHORTEST));
    let others = RowOwner::Program("other-eur".parse().unwrap());
    assert_eq!(code(judge(&stage, others, &good).await), "HOLDER_PROOF_INVALID");
    let nobodys = RowOwner::Program("nobody-eur".parse().unwrap());
    assert_eq!(code(judge(&stage, nobodys, &good).await), "NOT_FOUND");
    // Nor does another partner learn of these numbers.
    let session = open(&stage, "other", IMPORT, 20).await.unwrap();
    let theirs = row(&stage, &other_bank, &session, 1, &card(FOREIGN));
    let others = RowOwner::Program("other-eur".parse().unwrap());
    judge(&stage, others, &theirs).await.unwrap();
}

#[tokio::test]
async fn a_gateway_alone_learns_nothing_and_with_signed_rows_no_more_than_by_tokenising() {
    let stage = Stage::new().await;
    let (bank, _) = two_partners(&stage).await;
    let (phone, neighbour) = (stage.phone().await, stage.phone().await);
    done(bring(&stage, &bank, &neighbour, &card(FOREIGN)).await);
    let session = open(&stage, "partner", IMPORT, 2).await.unwrap();

    // Its own signature, a holder's, or none that fits: nothing is looked up, known or not.
    let before = misses(&stage);
    for number in [FOREIGN, SHORTEST] {
        let mut forged = row(&stage, &bank, &session, 1, &card(number));
        let claims = HolderProofClaims {
            op: Op::Tokenise,
            card: forged.row.clone(),
            nonce: session.nonce.clone(),
            iat: stage.vault.now(),
            jti: fresh(),
            rpk: phone.recipient.thumbprint(),
            bdh: Some(BodyHash::of(&forged.payload)),
        };
        forged.holder_proof = claims.sign(&phone.signer).unwrap();
        for owner in [of(&phone), newcomer()] {
            assert_eq!(code(judge(&stage, owner, &forged).await), "HOLDER_PROOF_INVALID");
        }
    }
    assert_eq!(misses(&stage), before);

    // What the partner signed once answers so often, and the rows of the real run are all left after it.
    let (known, free) = (
        row(&stage, &bank, &session, 1, &card(FOREIGN)),
        row(&stage, &bank, &session, 2, &card(SHORTEST)),
    );
    for _ in 0..4 {
        assert_eq!(
            code(judge(&stage, newcomer(), &known).await),
            "CARD_ALREADY_TOKENISED"
        );
        judge(&stage, newcomer(), &free).await.unwrap();
    }
    for request in [&known, &free] {
        assert_eq!(
            code(judge(&stage, newcomer(), request).await),
            "IMPORT_ROWS_USED_UP"
        );
    }
    assert_eq!(
        code(take(&stage, &phone.holder, &known).await),
        "CARD_ALREADY_TOKENISED"
    );
    take(&stage, &phone.holder, &free).await.unwrap();
}

#[tokio::test]
async fn a_dry_run_tells_when_the_real_one_has_no_rows_left() {
    let stage = Stage::new().await;
    let (bank, _) = two_partners(&stage).await;
    let phone = stage.phone().await;
    let session = open(&stage, "partner", IMPORT, 1).await.unwrap();
    let (first, second) = (
        row(&stage, &bank, &session, 1, &card(FOREIGN)),
        row(&stage, &bank, &session, 2, &card(SHORTEST)),
    );
    take(&stage, &phone.holder, &first).await.unwrap();
    judge(&stage, of(&phone), &first).await.unwrap();
    assert_eq!(
        code(judge(&stage, of(&phone), &second).await),
        "IMPORT_ROWS_USED_UP"
    );
}

#[tokio::test]
async fn verdicts_and_tokens_have_one_budget() {
    let stage = Stage::new().await;
    let (bank, _) = two_partners(&stage).await;
    let (phone, neighbour) = (stage.phone().await, stage.phone().await);
    let limit = async |narrow: fn(&mut Budgets)| {
        let mut rules = program("demo-eur", "999900");
        narrow(&mut rules.budgets);
        stage.agree(Proposal::SetProgram(rules)).await.unwrap();
    };
    done(bring(&stage, &bank, &neighbour, &card(FOREIGN)).await);
    let session = open(&stage, "partner", IMPORT, 20).await.unwrap();
    let known = row(&stage, &bank, &session, 1, &card(FOREIGN));
    let free = row(&stage, &bank, &session, 2, &card(SHORTEST));
    limit(|budgets| budgets.tokenise_per_holder = 2).await;
    judge(&stage, of(&phone), &free).await.unwrap();
    assert_eq!(
        code(judge(&stage, of(&phone), &known).await),
        "CARD_ALREADY_TOKENISED"
    );
    for request in [&known, &free] {
        assert_eq!(
            code(judge(&stage, of(&phone), request).await),
            "TOO_MANY_REQUESTS",
            "found or not"
        );
        assert_eq!(
            code(take(&stage, &phone.holder, request).await),
            "TOO_MANY_REQUESTS"
        );
    }
    // Three were looked up by now. Who asks for a holder to be has the budgets of partner and gateway against them.
    for narrow in [
        (|budgets: &mut Budgets| budgets.tokenise_per_partner = 4) as fn(&mut Budgets),
        |budgets| budgets.tokenise_per_gateway = 5,
    ] {
        limit(narrow).await;
        judge(&stage, newcomer(), &free).await.unwrap();
        for request in [&known, &free] {
            assert_eq!(
                code(judge(&stage, newcomer(), request).await),
                "TOO_MANY_REQUESTS"
            );
        }
    }
    // They outlive the process, for they are read off the log.
    limit(|budgets| budgets.tokenise_per_gateway = 5).await;
    let mut stage = stage;
    let event = stage.event(Operation::Lock);
    stage.process.lock(event).await.unwrap();
    stage.unlock().await;
    assert_eq!(code(judge(&stage, newcomer(), &free).await), "TOO_MANY_REQUESTS");
}
