//! Rows of a mass import.

use shared::jws::HolderSigner;
use shared::vault_api::tokens::{ImportSession, OpenImportSession, TokeniseRow, TokenisedRow};
use time::Duration;

use super::*;
use crate::store::Tree;

pub(super) const IMPORT: &str = "march-2027";

pub(super) async fn open(
    stage: &Stage,
    partner: &str,
    import: &str,
    rows: u32,
) -> Result<ImportSession, Error> {
    let request = OpenImportSession {
        partner: partner.parse().unwrap(),
        import: import.to_owned(),
        rows,
        actor: actor(),
    };
    tokenise::session::open(&stage.vault, stage.event(Operation::Challenge), request).await
}

/// The claims of a row.
fn claims(
    stage: &Stage,
    bank: &Bank,
    session: &ImportSession,
    row: &str,
    payload: &str,
) -> HolderProofClaims {
    HolderProofClaims {
        op: Op::Tokenise,
        card: row.to_owned(),
        nonce: session.nonce.clone(),
        iat: stage.vault.now(),
        jti: fresh(),
        rpk: bank.thumbprint,
        bdh: Some(BodyHash::of(payload)),
    }
}

pub(super) fn row(
    stage: &Stage,
    bank: &Bank,
    session: &ImportSession,
    line: u32,
    content: &Value,
) -> TokeniseRow {
    sealed_row(stage, bank, session, line, stage.seal(content))
}

/// A row of any payload.
pub(super) fn sealed_row(
    stage: &Stage,
    bank: &Bank,
    session: &ImportSession,
    line: u32,
    payload: String,
) -> TokeniseRow {
    let name = format!("{IMPORT}:{line}");
    let proof = bank.sign(&claims(stage, bank, session, &name, &payload));
    TokeniseRow {
        import: IMPORT.to_owned(),
        row: name,
        payload,
        holder_proof: proof,
        actor: actor(),
    }
}

pub(super) async fn take(
    stage: &Stage,
    holder: &HolderToken,
    request: &TokeniseRow,
) -> Result<TokenisedRow, Error> {
    let mut event = stage.event(Operation::Tokenise);
    event.holder = Some(holder.clone());
    let (vault, holder, request) = (&stage.vault, holder.clone(), request.clone());
    let flow = async |event| tokenise::tokenise_row(vault, event, holder, request).await;
    vault.audited(event, flow).await?
}

fn stored(stage: &Stage, prefix: &str) -> usize {
    let store = &stage.vault.surroundings.store;
    let found = store.scan(
        Tree::ImportRows,
        prefix.as_bytes(),
        std::ops::Bound::Unbounded,
        100,
    );
    found.unwrap().len()
}

#[tokio::test]
async fn a_row_is_tokenised_once_however_often_it_comes() {
    for stage in Stage::each().await {
        let (bank, _) = two_partners(&stage).await;
        let session = open(&stage, "partner", IMPORT, 10).await.unwrap();
        let phone = stage.phone().await;
        let first = row(&stage, &bank, &session, 1, &card(FOREIGN));
        let taken = take(&stage, &phone.holder, &first).await.unwrap();
        assert!(taken.foreign && !taken.held);
        for _ in 0..2 {
            // As a job does after a crash.
            assert_eq!(take(&stage, &phone.holder, &first).await.unwrap(), taken);
        }
        let cards = stage
            .vault
            .surroundings
            .store
            .scan(Tree::Cards, b"", std::ops::Bound::Unbounded, 10);
        assert_eq!(cards.unwrap().len(), 1);
        // The next day's clock: the nonce is good for a day, the signature as long.
        stage.clock.advance(Duration::hours(23));
        let second = row(&stage, &bank, &session, 2, &card(OWN));
        assert!(!take(&stage, &phone.holder, &second).await.unwrap().foreign);
        // The same card in another row: found, not made.
        let third = row(&stage, &bank, &session, 3, &card(FOREIGN));
        let found = take(&stage, &phone.holder, &third).await.unwrap();
        assert_eq!((found.held, &found.card), (true, &taken.card));
    }
}

#[tokio::test]
async fn rows_at_once_are_one_row() {
    for stage in Stage::each().await {
        let (bank, _) = two_partners(&stage).await;
        let session = open(&stage, "partner", IMPORT, 1).await.unwrap();
        let holder = stage.holder().await;
        let same = row(&stage, &bank, &session, 1, &card(FOREIGN));
        let all = futures_util::future::join_all((0..8).map(|_| take(&stage, &holder, &same))).await;
        let tokens: std::collections::HashSet<_> =
            all.into_iter().map(|answer| answer.unwrap().card).collect();
        assert_eq!(tokens.len(), 1);
        assert_eq!(stored(&stage, "signed/"), 1);
    }
}

#[tokio::test]
async fn a_row_that_was_not_signed_so_is_refused() {
    let stage = Stage::new().await;
    let (bank, other_bank) = two_partners(&stage).await;
    let session = open(&stage, "partner", IMPORT, 10).await.unwrap();
    let others = open(&stage, "other", IMPORT, 10).await.unwrap();
    let (phone, stranger) = (stage.phone().await, holder_of(&stage, "other-eur").await);
    let good = row(&stage, &bank, &session, 1, &card(FOREIGN));
    let signed = |change: &dyn Fn(&mut HolderProofClaims)| {
        let mut bad = good.clone();
        let mut claims = claims(&stage, &bank, &session, &good.row, &good.payload);
        change(&mut claims);
        bad.holder_proof = bank.sign(&claims);
        bad
    };
    let mut swapped = good.clone();
    swapped.payload = stage.seal(&card(SHORTEST));
    let mut moved = good.clone();
    moved.row = format!("{IMPORT}:2");
    let mut of_another = good.clone();
    of_another.import = "april-2027".to_owned();
    let mut by_other = good.clone();
    by_other.holder_proof = other_bank.sign(&claims(&stage, &other_bank, &others, &good.row, &good.payload));
    let mut by_holder = good.clone();
    let signer: &HolderSigner = &phone.signer;
    by_holder.holder_proof = claims(&stage, &bank, &session, &good.row, &good.payload)
        .sign(signer)
        .unwrap();
    let bad = [
        swapped,
        moved,
        of_another,
        by_other,
        by_holder,
        signed(&|claims| claims.op = Op::Reveal),
        signed(&|claims| claims.rpk = other_bank.thumbprint),
        signed(&|claims| claims.nonce = others.nonce.clone()),
        signed(&|claims| claims.iat -= 400),
        signed(&|claims| claims.iat += 400),
        signed(&|claims| claims.bdh = None),
    ];
    for (number, bad) in bad.iter().enumerate() {
        let refused = take(&stage, &phone.holder, bad).await;
        assert_eq!(code(refused), "HOLDER_PROOF_INVALID", "{number}");
    }
    // Under another partner's holder the signature is a stranger's.
    let refused = take(&stage, &stranger.holder, &good).await;
    assert_eq!(code(refused), "HOLDER_PROOF_INVALID");
    assert_eq!(
        events(&stage).iter().filter(|event| event.card.is_some()).count(),
        0
    );

    // A holder's nonce is no import's.
    let nonce = nonce(&stage, &phone.holder).await;
    let refused = take(
        &stage,
        &phone.holder,
        &signed(&|claims| claims.nonce = nonce.clone()),
    )
    .await;
    assert_eq!(code(refused), "HOLDER_PROOF_INVALID");

    take(&stage, &phone.holder, &good).await.unwrap();
    // Spent: not for another payload either, however well that is signed.
    let other = row(&stage, &bank, &session, 1, &card(SHORTEST));
    assert_eq!(
        code(take(&stage, &phone.holder, &other).await),
        "HOLDER_PROOF_INVALID"
    );
}

#[tokio::test]
async fn a_session_has_so_many_rows_and_a_day() {
    let stage = Stage::new().await;
    let (bank, _) = two_partners(&stage).await;
    let session = open(&stage, "partner", IMPORT, 2).await.unwrap();
    let (phone, neighbour) = (stage.phone().await, stage.phone().await);
    let first = row(&stage, &bank, &session, 1, &card(FOREIGN));
    take(&stage, &phone.holder, &first).await.unwrap();
    // A look-up that ends in a no is a row too.
    let second = row(&stage, &bank, &session, 2, &card(FOREIGN));
    assert_eq!(
        code(take(&stage, &neighbour.holder, &second).await),
        "CARD_ALREADY_TOKENISED"
    );
    let third = row(&stage, &bank, &session, 3, &card(SHORTEST));
    assert_eq!(
        code(take(&stage, &phone.holder, &third).await),
        "IMPORT_ROWS_USED_UP"
    );
    take(&stage, &phone.holder, &first).await.unwrap();

    stage.clock.advance(Duration::hours(24));
    assert_eq!(
        code(take(&stage, &phone.holder, &first).await),
        "HOLDER_PROOF_INVALID"
    );
    assert_eq!((stored(&stage, "session/"), stored(&stage, "signed/")), (1, 1));
    tokenise::session::sweep(&stage.vault).await.unwrap();
    assert_eq!((stored(&stage, "session/"), stored(&stage, "signed/")), (0, 0));
}

#[tokio::test]
async fn an_import_is_named_plainly_and_not_many_are_open() {
    let stage = Stage::new().await;
    for bad in ["", "a b", "a:b", "9999990000000014", &"x".repeat(65)] {
        assert_eq!(
            code(open(&stage, "partner", bad, 1).await),
            "VALIDATION_FAILED",
            "{bad}"
        );
    }
    for rows in [0, 100_001] {
        assert_eq!(
            code(open(&stage, "partner", IMPORT, rows).await),
            "VALIDATION_FAILED"
        );
    }
    assert_eq!(code(open(&stage, "nobody", IMPORT, 1).await), "NOT_FOUND");
    for _ in 0..64 {
        open(&stage, "partner", IMPORT, 1).await.unwrap();
    }
    assert_eq!(code(open(&stage, "partner", IMPORT, 1).await), "TOO_MANY_IMPORTS");
}
