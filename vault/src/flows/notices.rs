//! Notices for the gateway: written in the transaction of their cause, read in order, forgotten some time after they were
//! acknowledged.
//!
//! The index is drawn inside the transaction. Transactions follow one another, on a shared store under the lock of the
//! whole store, so indexes are durable in their order: whoever reads one misses none before it.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::ids::{CardToken, OrderToken};
use shared::vault_api::notices::{
    MOST_NOTICES, MOST_WAIT_SECONDS, Notice, NoticeKind, NoticePage, NoticesAcknowledged,
};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// How long acknowledged notices are kept: for a gateway whose database was put back to an earlier state.
const KEPT_SECONDS: i64 = 30 * 24 * 3600;
/// Notices forgotten in one transaction.
const BATCH: usize = 64;
/// Under load every commit wakes those who wait; they look again at most this often.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

const HEAD: &[u8] = b"head";
const NOTICE: &[u8] = b"notice/";

/// Where the notices begin and end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Head {
    first: u64,
    last: u64,
    acknowledged: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            first: 1,
            last: 0,
            acknowledged: 0,
        }
    }
}

impl Record for Head {
    const TREE: Tree = Tree::Notices;
    fn key(&self) -> Vec<u8> {
        HEAD.to_vec()
    }
}

/// A notice as it is kept.
#[derive(Serialize, Deserialize)]
struct NoticeRecord(Notice);

impl Record for NoticeRecord {
    const TREE: Tree = Tree::Notices;
    fn key(&self) -> Vec<u8> {
        key_of(self.0.index)
    }
}

fn key_of(index: u64) -> Vec<u8> {
    [NOTICE, &index.to_be_bytes()].concat()
}

/// Writes a notice in the transaction of its cause.
///
/// # Errors
/// The store's.
pub fn write(
    tx: &mut Tx<'_, '_>,
    kind: NoticeKind,
    card: CardToken,
    order: Option<OrderToken>,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let mut head: Head = tx.get(HEAD)?.unwrap_or_default();
    head.last += 1;
    tx.put(&NoticeRecord(Notice {
        index: head.last,
        at,
        kind,
        card,
        order,
    }))?;
    tx.put(&head)
}

/// The notices after an index; waits up to `wait` seconds for the first, and no longer than the process serves.
///
/// # Errors
/// [`Error::Locked`] when the vault is locked meanwhile; the store's.
pub async fn read(
    vault: &Arc<OpenVault>,
    after: u64,
    limit: u64,
    wait_seconds: u64,
) -> Result<NoticePage, Error> {
    let limit = usize::try_from(limit.clamp(1, MOST_NOTICES)).unwrap_or(1);
    let until = Instant::now() + Duration::from_secs(wait_seconds.min(MOST_WAIT_SECONDS));
    let mut moves = vault.surroundings.store.moves();
    let ending = vault.surroundings.ending.clone();
    loop {
        // What commits from here on wakes the next wait.
        moves.borrow_and_update();
        if vault.is_closed() {
            return Err(Error::Locked);
        }
        let page = look(vault, after, limit)?;
        if !page.items.is_empty() || page.last < after || ending.has_begun() {
            return Ok(page);
        }
        tokio::select! {
            moved = timeout_at(until, moves.changed()) => if !matches!(moved, Ok(Ok(()))) {
                return Ok(page);
            },
            () = ending.begins() => return Ok(page),
        }
        sleep(LOOK_AGAIN_AFTER).await;
    }
}

fn look(vault: &OpenVault, after: u64, limit: usize) -> Result<NoticePage, Error> {
    // The head first: what it counts is there to be read.
    let head = vault.records.get::<Head>(HEAD)?;
    let head = head.map(|stored| stored.record).unwrap_or_default();
    let from = key_of(after);
    let records: Vec<NoticeRecord> = vault
        .records
        .scan(NOTICE, Bound::Excluded(from.as_slice()), limit)?;
    Ok(NoticePage {
        items: records.into_iter().map(|NoticeRecord(notice)| notice).collect(),
        first: head.first,
        last: head.last,
    })
}

/// Notes how far the gateway is. Going back changes nothing.
///
/// # Errors
/// `NOTICE_UNKNOWN` for an index that there never was; the store's.
pub async fn acknowledge(vault: &Arc<OpenVault>, up_to: u64) -> Result<NoticesAcknowledged, Error> {
    let work = move |tx: &mut Tx<'_, '_>| {
        let mut head: Head = tx.get(HEAD)?.unwrap_or_default();
        if up_to > head.last {
            return Err(Error::conflict(
                "NOTICE_UNKNOWN",
                "There is no notice of this index.",
            ));
        }
        if up_to > head.acknowledged {
            head.acknowledged = up_to;
            tx.put(&head)?;
        }
        Ok(NoticesAcknowledged {
            up_to: head.acknowledged,
        })
    };
    vault.transact(work).await
}

/// Forgets notices that were acknowledged and are old. Returns how many.
///
/// # Errors
/// The store's.
pub async fn forget_acknowledged(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    let mut forgotten = 0;
    loop {
        let before = vault.now().saturating_sub(KEPT_SECONDS);
        let work = move |tx: &mut Tx<'_, '_>| {
            let mut head: Head = tx.get(HEAD)?.unwrap_or_default();
            let old: Vec<NoticeRecord> = tx.scan(NOTICE, Bound::Unbounded, BATCH)?;
            let mut gone = 0;
            for NoticeRecord(notice) in old {
                if notice.index > head.acknowledged || notice.at.unix_timestamp() >= before {
                    break;
                }
                tx.delete::<NoticeRecord>(&key_of(notice.index))?;
                head.first = notice.index + 1;
                gone += 1;
            }
            if gone > 0 {
                tx.put(&head)?;
            }
            Ok(gone)
        };
        let gone = vault.transact(work).await?;
        forgotten += gone;
        if gone < BATCH {
            return Ok(forgotten);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{Event, Operation};
    use crate::flows::tests::Stage;

    async fn cause(vault: &Arc<OpenVault>, card: &CardToken) -> Result<(), Error> {
        let at = vault.surroundings.clock.now();
        let (event, card) = (Event::done(Operation::Print, at), card.clone());
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            write(tx, NoticeKind::OrderInProduction, card, None, at)
        };
        vault.commit(event, work).await
    }

    fn a_card() -> CardToken {
        CardToken::from_random(&[3; 16]).unwrap()
    }

    #[tokio::test]
    async fn notices_follow_one_another_and_go_when_they_are_acknowledged_and_old() {
        for stage in Stage::each().await {
            let vault = &stage.vault;
            for _ in 0..5 {
                cause(vault, &a_card()).await.unwrap();
            }
            let page = read(vault, 2, 2, 0).await.unwrap();
            let indexes: Vec<u64> = page.items.iter().map(|notice| notice.index).collect();
            assert_eq!((indexes, page.first, page.last), (vec![3, 4], 1, 5));
            assert!(acknowledge(vault, 6).await.is_err());
            acknowledge(vault, 3).await.unwrap();
            assert_eq!(acknowledge(vault, 1).await.unwrap().up_to, 3, "never back");
            assert_eq!(forget_acknowledged(vault).await.unwrap(), 0, "not old");
            stage.clock.advance(time::Duration::days(31));
            assert_eq!(forget_acknowledged(vault).await.unwrap(), 3);
            let page = read(vault, 0, 9, 0).await.unwrap();
            assert_eq!(
                (page.items.len(), page.first, page.last),
                (2, 4, 5),
                "what nobody acknowledged stays"
            );
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_the_commit_and_by_the_end_of_the_process() {
        let stage = Stage::new().await;
        let vault = &stage.vault;
        let card = a_card();
        let (page, caused) = tokio::join!(read(vault, 0, 9, 20), cause(vault, &card));
        caused.unwrap();
        assert_eq!(page.unwrap().items.len(), 1);
        let end = async { vault.surroundings.ending.begin() };
        let (page, ()) = tokio::join!(read(vault, 1, 9, 20), end);
        assert!(page.unwrap().items.is_empty());
    }

    /// A reader that follows the end never skips a notice of another process that commits later.
    #[tokio::test]
    async fn a_reader_beside_two_writing_processes_misses_none() {
        let Some(stage) = Stage::shared().await else {
            return;
        };
        let (_process, other) = stage.beside().await;
        let here = &stage.vault;
        let card = a_card();
        let writes = async {
            for _ in 0..15 {
                let (one, two) = tokio::join!(cause(here, &card), cause(&other, &card));
                one.unwrap();
                two.unwrap();
            }
        };
        let reads = async {
            let (mut after, mut seen) = (0, Vec::new());
            while seen.len() < 30 {
                let at = if seen.len() % 2 == 0 { here } else { &other };
                // Nobody looks for others here: the wait is cut short instead.
                let page = read(at, after, 3, 0).await.unwrap();
                seen.extend(page.items.iter().map(|notice| notice.index));
                after = seen.last().copied().unwrap_or(0);
                tokio::task::yield_now().await;
            }
            seen
        };
        let (seen, ()) = tokio::join!(reads, writes);
        assert_eq!(seen, (1..=30).collect::<Vec<u64>>());
    }
}
