//! A user is removed while the vault's answer to a card of theirs is on its way: the card is filed all the same, and erased with
//! the user. Nothing stays open at the vault of somebody whom the gateway has forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use deploy::actors::PartnerServer;
use deploy::stand::{Database, StandOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::between::{Far, Near, stand_between};
use crate::imports::{ended, file, masked, name, send, session};
use crate::pair::{Pair, engines, finished, run, scratch};
use crate::tokenise::{FOREIGN_BIN, content, number};

/// How long the jobs may take for what is left to be done at the vault.
const PATIENCE: Duration = Duration::from_secs(120);
/// The ends of the paths by which cards are brought in.
const TOKENISE: &[u8] = b"/tokens HTTP/1.1";
const TOKENISE_ROW: &[u8] = b"/row-tokens HTTP/1.1";

/// A proxy between gateway and vault that can hold the vault's answers to these requests back.
#[derive(Clone)]
struct Turnstile {
    holds: watch::Sender<bool>,
    /// The vault has answered, and is held back.
    answered: Arc<Notify>,
}

impl Turnstile {
    fn new() -> Self {
        Self {
            holds: watch::Sender::new(false),
            answered: Arc::default(),
        }
    }

    async fn has_answered(&self) -> Result<()> {
        timeout(PATIENCE, self.answered.notified())
            .await
            .context("the vault was not asked")
    }

    async fn relay(self, near: Near, far: Far) -> Result<()> {
        let ((near_read, near_write), (far_read, far_write)) =
            (tokio::io::split(near), tokio::io::split(far));
        let brings = watch::Sender::new(false);
        tokio::try_join!(
            ask(near_read, far_write, &brings),
            self.answer(far_read, near_write, &brings)
        )?;
        Ok(())
    }

    /// Passes answers on, and holds back the one to a request that brings a card in.
    async fn answer(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        brings: &watch::Sender<bool>,
    ) -> Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await?;
            if brings.send_replace(false) && *self.holds.borrow() {
                self.answered.notify_one();
                self.holds.subscribe().wait_for(|holds| !holds).await?;
            }
            if read == 0 {
                return Ok(to.shutdown().await?);
            }
            to.write_all(buffer.get(..read).unwrap_or_default()).await?;
            to.flush().await?;
        }
    }
}

/// Passes requests on, and notes when one brings a card in.
async fn ask(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    brings: &watch::Sender<bool>,
) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(to.shutdown().await?);
        }
        let part = buffer.get(..read).unwrap_or_default();
        let has = |needle: &[u8]| part.windows(needle.len()).any(|window| window == needle);
        if has(TOKENISE) || has(TOKENISE_ROW) {
            brings.send_replace(true);
        }
        to.write_all(part).await?;
        to.flush().await?;
    }
}

async fn pair_behind(turnstile: &Turnstile, database: Database) -> Result<Pair> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut options = StandOptions::for_tests(&scratch("in_flight")?)?;
    options.database = database;
    options.vault_url_for_gateway = Some(format!("https://localhost:{}", listener.local_addr()?.port()));
    let proxy = turnstile.clone();
    let started = Pair::with_proxy(options, |stand| {
        stand_between(stand, listener, move |near, far| proxy.clone().relay(near, far))
    });
    started.await
}

/// The cards that the vault brought in and those that it closed, as its log has them.
async fn cards(pair: &Pair) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut brought, mut erased) = (BTreeSet::new(), BTreeSet::new());
    for entry in pair.stand.auditor()?.verify().await?.events {
        let event: Value = serde_json::from_str(&entry.event)?;
        let Some(card) = event["card"].as_str().filter(|_| event["outcome"] == "done") else {
            continue;
        };
        match event["operation"].as_str() {
            Some("tokenise") => brought.insert(card.to_owned()),
            Some("erase") => erased.insert(card.to_owned()),
            _ => false,
        };
    }
    Ok((brought, erased))
}

/// Waits until so many cards were brought in and each of them is closed.
async fn all_erased(pair: &Pair, many: usize) -> Result<()> {
    let began = Instant::now();
    loop {
        let (brought, erased) = cards(pair).await?;
        ensure!(brought.len() <= many, "{brought:?}");
        if brought.len() == many && brought.is_subset(&erased) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            let open: Vec<_> = brought.difference(&erased).collect();
            bail!("{} of {many} were brought in, left open: {open:?}", brought.len());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Sends an import of one card; its number.
async fn import_of(pair: &Pair, user: u64) -> Result<u64> {
    let import = name("late")?;
    let nonce = session(&pair.partner, &import, 1).await?;
    let card = content(&number(FOREIGN_BIN));
    let row = pair.partner.sign_row(&import, "1", &nonce, &card).await?;
    let row = json!({ "userId": user, "payload": row.payload, "holderProof": row.holder_proof });
    let query = format!("kind=cards&import={import}");
    let taken = send(&pair.partner, &query, &import, &file(&[row])).await?;
    taken.expect(202)?.number_at("/importId")
}

#[test]
fn a_card_that_comes_while_its_user_is_removed_is_erased_with_the_user() {
    run(async {
        let outcome = async {
            for database in engines("in_flight").await? {
                let turnstile = Turnstile::new();
                removed_meanwhile(Box::pin(pair_behind(&turnstile, database)).await?, &turnstile).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn removed_meanwhile(mut pair: Pair, turnstile: &Turnstile) -> Result<()> {
    // One card by itself.
    let user = pair.partner.accepted_user().await?;
    let sender: PartnerServer = pair.stand.partner()?;
    let request = sender.tokenisation(user, &content(&number(FOREIGN_BIN))).await?;
    turnstile.holds.send_replace(true);
    let sent = tokio::spawn(async move { sender.send_tokenisation(&request).await });
    turnstile.has_answered().await?;
    pair.partner.remove_user(user).await?.expect(204)?;
    turnstile.holds.send_replace(false);
    sent.await??.expect(201)?;
    all_erased(&pair, 1).await.context("one by itself")?;

    // The row of an import.
    let user = pair.partner.accepted_user().await?;
    turnstile.holds.send_replace(true);
    import_of(&pair, user).await?;
    turnstile.has_answered().await?;
    pair.partner.remove_user(user).await?.expect(204)?;
    turnstile.holds.send_replace(false);
    all_erased(&pair, 2).await.context("a row")?;

    // The row of an import whose answer the gateway does not live to hear.
    let user = pair.partner.accepted_user().await?;
    turnstile.holds.send_replace(true);
    import_of(&pair, user).await?;
    turnstile.has_answered().await?;
    pair.partner.remove_user(user).await?.expect(204)?;
    pair.stand.kill_gateway().await?;
    turnstile.holds.send_replace(false);
    // What was written down is taken up again after a minute.
    pair.stand.set_clock_ahead(Duration::from_secs(90))?;
    pair.stand.start_gateway().await?;
    all_erased(&pair, 3).await.context("a row, after a kill")?;

    // The same without a removal: the row is gone on with, and there is one card.
    let user = pair.partner.accepted_user().await?;
    turnstile.holds.send_replace(true);
    let id = import_of(&pair, user).await?;
    turnstile.has_answered().await?;
    pair.stand.kill_gateway().await?;
    turnstile.holds.send_replace(false);
    pair.stand.set_clock_ahead(Duration::from_secs(180))?;
    pair.stand.start_gateway().await?;
    let end = ended(&pair.partner, id).await?;
    ensure!(end["done"] == 1 && end["failed"] == 0, "{end}");
    ensure!(masked(&pair.partner, user).await?.len() == 1);
    let (brought, erased) = cards(&pair).await?;
    ensure!((brought.len(), erased.len()) == (4, 3), "{brought:?} {erased:?}");
    pair.stand.stop().await
}
