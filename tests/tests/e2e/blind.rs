//! Invariant 1, the blind gateway: canaries through the whole API, then a search of everything that the gateway has and of
//! everything that goes over its wires, seen by a proxy that ends TLS between gateway and vault. And the vault's own memory
//! once nobody is connected: it holds the card data of a request, and afterwards none.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deploy::actors::Card;
use deploy::stand::{Database, MemoryScan, StandOptions, connections_to, count_in, scan_memory};
use serde_json::json;
use shared::vault_api::paths;
use sqlx::{Connection as _, Row as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant, sleep};

use crate::between::{Far, Near, stand_between};
use crate::content::FullCard;
use crate::imports::{ended, file, name, send, session};
use crate::pair::{Pair, engines, finished, report, run, scratch};
use crate::raw::RawConnection;

/// A PIN that occurs nowhere by chance.
const PIN: &str = "730195826447";
/// What is embossed, as it stands on the plastic.
const EMBOSSED: &str = "CANARY LOVELACE";
/// Another, of a request that is under way while the vault's memory is searched.
const PIN_UNDER_WAY: &str = "846207593162";
/// Longer than a connection may rest.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A proxy that ends TLS on both sides and keeps every byte.
#[derive(Clone, Default)]
struct Wiretap(Arc<Mutex<Vec<u8>>>);

impl Wiretap {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn relay(self, near: Near, far: Far) -> Result<()> {
        let ((near_read, near_write), (far_read, far_write)) =
            (tokio::io::split(near), tokio::io::split(far));
        tokio::try_join!(self.copy(near_read, far_write), self.copy(far_read, near_write))?;
        Ok(())
    }

    async fn copy(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await?;
            let part = buffer.get(..read).unwrap_or_default();
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(part);
            if read == 0 {
                return Ok(to.shutdown().await?);
            }
            to.write_all(part).await?;
            to.flush().await?;
        }
    }
}

#[test]
fn the_gateway_never_holds_card_data_and_the_vault_never_writes_it() {
    run(async {
        let outcome = async {
            for database in engines("blind").await? {
                blind(database).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn blind(database: Database) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut options = StandOptions::for_tests(&scratch("blind")?)?;
    options.database = database;
    options.vault_url_for_gateway = Some(format!("https://localhost:{}", listener.local_addr()?.port()));
    // The proxy needs the certificates that the stand makes, and the gateway is ready only through the proxy.
    let tap = Wiretap::default();
    let wire = tap.clone();
    let started = Pair::with_proxy(options, |stand| {
        stand_between(stand, listener, move |near, far| wire.clone().relay(near, far))
    });
    let mut pair = started.await?;
    let (cards, masked) = drive(&pair).await?;
    let needles = needles(&cards);
    nothing_found(
        "the wire between gateway and vault",
        &tap.bytes(),
        &needles,
        &masked,
    )?;
    let scan = scan_memory(pair.stand.gateway()?.pid(), &all_forms(&needles))?;
    ensure!(
        scan.hits.iter().all(|hits| *hits == 0),
        "card data in the gateway's memory: {:?}",
        scan.hits
    );
    let control = scan_memory(pair.stand.gateway()?.pid(), &[masked.as_bytes().to_vec()])?;
    ensure!(
        control.hits.iter().any(|hits| *hits > 0),
        "the search found not even the masked number"
    );
    // Its question for notices rests at the vault's door as long as it lives.
    pair.stand.stop_gateway().await?;
    the_vault_forgets(&pair, &needles).await?;
    pair.stand.stop().await?;
    let layout = pair.stand.layout();
    search_files(&layout.root, &needles)?;
    search_database(&pair.stand.database_url(), &needles, &masked).await?;
    Ok(())
}

/// A request under way is in the vault's memory: the search finds it. Once the last connection has ended, nothing is.
async fn the_vault_forgets(pair: &Pair, needles: &[String]) -> Result<()> {
    let (pid, port) = (pair.stand.vault()?.pid(), pair.stand.ports().vault);
    let at_once = scan_memory(pid, &all_forms(needles))?;
    let mut needles = needles.to_vec();
    needles.push(PIN_UNDER_WAY.to_owned());
    let under_way = seen_under_way(pair).await?;

    let open = look_until(|| connections_to(port), |open| *open == 0).await?;
    ensure!(open == 0, "{open} connections to the vault rest for ever");
    let left = scan_memory(pid, &all_forms(&needles))?;
    report(&format!(
        "card data in the vault's memory: {} hits with connections open, {} of a request under way, {} after the last \
         connection, in {} MiB",
        at_once.total(),
        under_way.total(),
        left.total(),
        left.bytes >> 20
    ));
    ensure!(
        left.total() == 0,
        "card data is left in the vault's memory: {}",
        places(&left)
    );
    Ok(())
}

/// A search while a request of whose body the last byte is missing. The vault waits ten seconds for a body, and a busy machine
/// may need longer to look: then it is asked again.
async fn seen_under_way(pair: &Pair) -> Result<MemoryScan> {
    let (pid, port) = (pair.stand.vault()?.pid(), pair.stand.ports().vault);
    let body = format!(r#"{{"cardNo":"9999000000000004","pin":"{PIN_UNDER_WAY}"}}"#);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        paths::VERIFY_PIN,
        body.len()
    );
    let (most, last) = body.split_at(body.len() - 1);
    let control = [PIN_UNDER_WAY.as_bytes().to_vec()];
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let mut processor =
            RawConnection::open(&pair.stand, port, Some(&pair.stand.certificates().processor))?;
        processor.write(format!("{head}{most}").as_bytes())?;
        let under_way = look_until(|| scan_memory(pid, &control), |scan| scan.total() > 0).await?;
        ensure!(
            under_way.total() > 0,
            "a request under way was not found in the vault's memory"
        );
        // Written in vain where the vault has given up meanwhile.
        let answer = processor.write(last.as_bytes()).and_then(|()| processor.answer());
        match answer {
            Ok(Some((200, _))) => return Ok(under_way),
            Ok(Some((408, _)) | None) | Err(_) if Instant::now() < deadline => {}
            other => bail!("the question was not answered: {other:?}"),
        }
    }
}

fn places(scan: &MemoryScan) -> String {
    let lines = scan
        .places
        .iter()
        .map(|(mapping, hits)| format!("{hits} in {mapping}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Looks until it is as wanted, or patience ends; the last look.
async fn look_until<T>(look: impl Fn() -> Result<T>, wanted: impl Fn(&T) -> bool) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look()?;
        if wanted(&seen) || Instant::now() > deadline {
            return Ok(seen);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Goes through every door that touches card data, on both channels; the cards with all CVVs they had, and one mask.
async fn drive(pair: &Pair) -> Result<(Vec<FullCard>, String)> {
    let (user, phone) = pair.user().await?;
    let prefix = deploy::actors::PartnerServer::prefix(user);
    let mut cards = Vec::new();
    let mut mask = String::new();
    for desk in [phone.cards(), pair.partner.cards(&prefix)] {
        let created = desk.create_proven(desk.first_balance().await?, "Canary").await?;
        let card = Card::of(&created.content)?;
        cards.push(FullCard::of(&created.content)?);
        cards.push(FullCard::of(&desk.reveal(&card).await?.content)?);
        let address =
            json!({ "line1": "Canary Street 1", "city": "Warsaw", "postalCode": "00-001", "country": "PL" });
        desk.print_to(&card, &address).await?;
        desk.order_physical(desk.first_balance().await?, EMBOSSED, &address)
            .await?;
        let phone = phone.cards();
        let new = phone.reset_cvv(&card).await?.text("cvv")?;
        let full = cards.last().context("a card was created")?.clone();
        ensure!(full.cvv.len() == new.len());
        phone.set_pin(&card, PIN).await?;
        pair.processor.cvv(&full.pan, &full.exp, &new).await?;
        pair.processor.pin(&full.pan, PIN).await?;
        pair.processor.pin(&full.pan, "000000000000").await?;
        malformed(pair, &full).await?;
        mask = full.masked();
        cards.push(FullCard { cvv: new, ..full });
        desk.list().await?.expect(200)?;
        desk.lock(&card, 7).await?.expect(200)?;
        desk.unlock(&card).await?.expect(200)?;
    }
    // The bureau's batches: its lines are card data too.
    let lines = pair.stand.bureau()?.take_all("demo-eur").await?;
    ensure!(lines.len() == 4, "{} orders", lines.len());
    for line in lines {
        let text = |name: &str| {
            line.get(name)
                .and_then(serde_json::Value::as_str)
                .map(str::to_owned)
        };
        let (pan, exp) = (
            text("cardNo").context("no number")?,
            text("exp").context("no expiry")?,
        );
        if let Some(cvv) = text("cvv2") {
            cards.push(FullCard { pan, exp, cvv });
        }
    }
    cards.extend(brought_in(pair, user).await?);
    cards.extend(imported(pair, user).await?);
    Ok((cards, mask))
}

/// Cards that a partner brings in, of another issuer and of the program's range; one is refused after it was opened.
async fn brought_in(pair: &Pair, user: u64) -> Result<Vec<FullCard>> {
    let prefix = deploy::actors::PartnerServer::prefix(user);
    let neighbour = pair.partner.accepted_user().await?;
    let mut cards = Vec::new();
    for bin in ["999999", "999900", "999901"] {
        let (pan, exp, cvv) = (crate::tokenise::number(bin), "2031-05-31", "581");
        let content = json!({ "cardNo": pan, "exp": exp, "cvv": cvv, "name": "Canary" });
        if bin == "999901" {
            let refused = pair.partner.tokenisation(user, &content).await?;
            let refused = pair.partner.send_tokenisation(&refused).await?;
            refused.expect_refusal(422, "CARD_NOT_ACCEPTED")?;
        } else {
            let card = Card::of(&pair.partner.tokenise(user, &content, 201).await?.content)?;
            pair.partner.cards(&prefix).reveal(&card).await?;
            let refused = pair.partner.tokenisation(neighbour, &content).await?;
            let refused = pair.partner.send_tokenisation(&refused).await?;
            refused.expect_refusal(409, "CARD_ALREADY_TOKENISED")?;
        }
        let (exp, cvv) = (exp.to_owned(), cvv.to_owned());
        cards.push(FullCard { pan, cvv, exp });
    }
    Ok(cards)
}

/// Cards of an import, tried out and then brought in: the vault opens and judges them twice.
async fn imported(pair: &Pair, user: u64) -> Result<Vec<FullCard>> {
    let import = name("blind")?;
    let nonce = session(&pair.partner, &import, 3).await?;
    let (mut lines, mut cards) = (Vec::new(), Vec::new());
    for (line, bin) in (1..).zip(["999999", "999900", "999901"]) {
        let (pan, exp, cvv) = (crate::tokenise::number(bin), "2031-05-31", "582");
        let content = json!({ "cardNo": pan, "exp": exp, "cvv": cvv });
        let row = pair
            .partner
            .sign_row(&import, &format!("{line}"), &nonce, &content)
            .await?;
        lines.push(json!({ "userId": user, "payload": row.payload, "holderProof": row.holder_proof }));
        let (exp, cvv) = (exp.to_owned(), cvv.to_owned());
        cards.push(FullCard { pan, cvv, exp });
    }
    for dry_run in [true, false] {
        let query = format!("kind=cards&import={import}&dryRun={dry_run}");
        let key = format!("{import}-{dry_run}");
        let taken = send(&pair.partner, &query, &key, &file(&lines)).await?;
        let end = ended(&pair.partner, taken.expect(202)?.number_at("/importId")?).await?;
        ensure!(end["done"] == 2 && end["failed"] == 1, "{end}");
    }
    Ok(cards)
}

/// Questions of a processor that is programmed badly: what is refused is forgotten like the rest.
async fn malformed(pair: &Pair, card: &FullCard) -> Result<()> {
    for body in [
        json!({ "cardNo": card.pan, "pin": PIN, "more": card.pan }),
        json!({ "cardNo": [card.pan, PIN], "pin": 1 }),
        // Longer than any number: with one digit more, one in ten would be a number that is only unknown.
        json!({ "cardNo": format!("{}0000", card.pan), "pin": PIN }),
    ] {
        let answer = pair.processor.verify(paths::VERIFY_PIN, &body).await?;
        ensure!(matches!(answer.status, 400 | 422), "{answer}");
    }
    Ok(())
}

/// What must not be found. Three digits occur everywhere; a CVV counts where it stands as one.
fn needles(cards: &[FullCard]) -> Vec<String> {
    let mut needles = vec![PIN.to_owned(), "Canary Street".to_owned(), EMBOSSED.to_owned()];
    for card in cards {
        let spaced: Vec<_> = card
            .pan
            .as_bytes()
            .chunks(4)
            .map(String::from_utf8_lossy)
            .collect();
        needles.push(card.pan.clone());
        needles.push(spaced.join(" "));
        needles.push(format!("\"cvv\":\"{}\"", card.cvv));
        needles.push(format!("\"cvv\": \"{}\"", card.cvv));
    }
    needles
}

/// Each needle as it is, as hexadecimal, and in base64 at each of the three alignments.
fn all_forms(needles: &[String]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for needle in needles {
        forms.push(needle.as_bytes().to_vec());
        forms.push(
            needle
                .bytes()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into_bytes(),
        );
        for alignment in 0..3 {
            let text = STANDARD.encode([vec![0; alignment], needle.as_bytes().to_vec()].concat());
            // The first symbols and the last ones also hold bits of what stands around the needle.
            let skipped = if alignment == 0 { 0 } else { 4 };
            let inner = text.trim_end_matches('=').as_bytes();
            forms.push(inner.get(skipped..inner.len() - 1).unwrap_or_default().to_vec());
        }
    }
    forms.retain(|form| form.len() >= 8);
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn holds_none(place: &str, bytes: &[u8], needles: &[String]) -> Result<()> {
    let hits = count_in(bytes, &all_forms(needles));
    ensure!(
        hits.iter().all(|hits| *hits == 0),
        "{place} holds card data: {hits:?}"
    );
    Ok(())
}

/// No needle, but the mask: so that a search of the wrong place fails too.
fn nothing_found(place: &str, bytes: &[u8], needles: &[String], control: &str) -> Result<()> {
    ensure!(
        count_in(bytes, &[control.into()]) != [0],
        "{place} does not even hold a masked number"
    );
    holds_none(place, bytes, needles)
}

fn search_files(directory: &Path, needles: &[String]) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            search_files(&path, needles)?;
        } else {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            holds_none(&path.display().to_string(), &bytes, needles)?;
        }
    }
    Ok(())
}

/// Every row of every table of a PostgreSQL database; of SQLite the files were read.
async fn search_database(url: &str, needles: &[String], control: &str) -> Result<()> {
    if !url.starts_with("postgres") {
        return Ok(());
    }
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let tables = sqlx::query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(&mut connection)
        .await?;
    let mut dump = Vec::new();
    for table in tables {
        let table: String = table.try_get(0)?;
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "SELECT t::text FROM \"{table}\" AS t"
        )));
        for row in rows.fetch_all(&mut connection).await? {
            dump.extend_from_slice(row.try_get::<String, _>(0)?.as_bytes());
        }
    }
    nothing_found("the gateway's database", &dump, needles, control)
}
