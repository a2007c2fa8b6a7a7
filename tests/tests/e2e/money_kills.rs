//! Invariant 4 while the gateway is killed under reloads: none that was acknowledged is lost, none is there twice, and the
//! ledger is in balance after each kill.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use deploy::answer::Answer;
use deploy::stand::{Database, StandOptions};
use sqlx::{Connection as _, Row as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::money::{balance, euro, post};
use crate::pair::{Pair, engines, finished, report, run, scratch};

/// Kills of each engine; a reload is one transaction, so that no lease is waited for.
const CYCLES: u32 = 6;
/// Writers at once.
const WRITERS: u64 = 6;
/// How long a retry may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn killing_the_gateway_under_reloads_loses_and_doubles_none() {
    run(async {
        let outcome = async {
            for database in engines("money").await? {
                cycles(database).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// A reload under its key, and the answer if one came.
struct Attempt {
    key: String,
    acknowledged: Option<Vec<u8>>,
}

async fn cycles(database: Database) -> Result<()> {
    let engine = format!("{database:?}")
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect::<String>();
    let mut options = StandOptions::for_tests(&scratch("money")?)?;
    options.database = database;
    let mut pair = Pair::with(options).await?;
    let (_, path, _) = balance(&pair).await?;
    let (mut total, mut lost) = (0, 0);
    for cycle in 0..CYCLES {
        let after = Duration::from_millis(30 + 45 * u64::from(cycle));
        let attempts = load_and_kill(&mut pair, &path, cycle, after).await?;
        total += i64::try_from(attempts.len())?;
        lost += attempts
            .iter()
            .filter(|attempt| attempt.acknowledged.is_none())
            .count();
        for attempt in &attempts {
            let answer = finished_by_retry(&pair, &path, &attempt.key).await?;
            let same = attempt
                .acknowledged
                .as_ref()
                .is_none_or(|first| *first == answer.body);
            ensure!(same, "{}: another answer than the first", attempt.key);
        }
        let shown = pair.partner.door().get(&path).await?.expect(200)?.json()?;
        ensure!(
            shown["value"] == total,
            "cycle {cycle}: {total} reloads of 1, and {}",
            shown["value"]
        );
        is_sound(&pair, total)
            .await
            .with_context(|| format!("{engine}, cycle {cycle}"))?;
    }
    report(&format!(
        "gateway killed {CYCLES} times under reloads on {engine}: {total} made, {lost} of them by retry"
    ));
    pair.stand.stop().await
}

/// Writers reload the balance by 1 each until the gateway dies under them; then it is started again.
async fn load_and_kill(pair: &mut Pair, path: &str, cycle: u32, after: Duration) -> Result<Vec<Attempt>> {
    let dead = Arc::new(AtomicBool::new(false));
    let partner = Arc::new(pair.stand.partner()?);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (dead, partner, path) = (Arc::clone(&dead), Arc::clone(&partner), format!("{path}/reload"));
        writers.spawn(async move {
            let mut attempts = Vec::new();
            while !dead.load(Ordering::Relaxed) {
                let key = format!("money-{cycle}-{writer}-{}", attempts.len());
                let acknowledged = match post(&partner, &path, &key, &euro(1)).await {
                    Ok(answer) if answer.status == 201 => Some(answer.body),
                    Ok(answer) if answer.status == 503 => None,
                    Ok(answer) => bail!("an unexpected answer under a crash: {answer}"),
                    Err(_) => None,
                };
                let promised = acknowledged.is_some();
                attempts.push(Attempt { key, acknowledged });
                if !promised {
                    break;
                }
            }
            Ok(attempts)
        });
    }
    sleep(after).await;
    pair.stand.kill_gateway().await?;
    dead.store(true, Ordering::Relaxed);
    let mut attempts = Vec::new();
    while let Some(writer) = writers.join_next().await {
        attempts.extend(writer??);
    }
    pair.stand.start_gateway().await?;
    Ok(attempts)
}

async fn finished_by_retry(pair: &Pair, path: &str, key: &str) -> Result<Answer> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = post(&pair.partner, &format!("{path}/reload"), key, &euro(1)).await?;
        match answer.status {
            201 => return Ok(answer),
            503 if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
            _ => bail!("{key} was not finished by a retry: {answer}"),
        }
    }
}

/// The database itself: debits are credits, transfers are what accounts say, nobody is overdrawn.
async fn is_sound(pair: &Pair, reloads: i64) -> Result<()> {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&pair.stand.database_url()).await?;
    let row = sqlx::query(
        "SELECT CAST(SUM(debits_posted - credits_posted) AS BIGINT) AS posted, \
         CAST(SUM(debits_pending - credits_pending) AS BIGINT) AS pending, \
         CAST(SUM(credits_posted) AS BIGINT) AS moved, \
         CAST(SUM(CASE WHEN debits_must_not_exceed_credits = 1 AND debits_posted + debits_pending > credits_posted \
         THEN 1 ELSE 0 END) AS BIGINT) AS overdrawn, \
         (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM transfers WHERE phase = 'SINGLE') AS told FROM accounts",
    )
    .fetch_one(&mut connection)
    .await?;
    let sum = |column: &str| row.try_get::<i64, _>(column);
    ensure!(
        sum("posted")? == 0 && sum("pending")? == 0 && sum("overdrawn")? == 0,
        "not in balance"
    );
    ensure!(
        sum("moved")? == reloads && sum("told")? == reloads,
        "{} and {}",
        sum("moved")?,
        sum("told")?
    );
    connection.close().await?;
    Ok(())
}
