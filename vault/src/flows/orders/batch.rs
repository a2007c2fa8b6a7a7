//! Batches for the bureau: what waits is sealed to the bureau's key, once, and kept to be fetched again.
//!
//! A line carries the number, for the chip, and where it goes. Of a physical card also the CVV2, which is printed on it; of
//! Digital First plastic not, for nothing is printed on that. The line of a card's next plastic carries its next end and CVV2.
//! Each line is an event and a unit of a budget before the batch leaves.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::{BatchToken, IdempotencyKey, ProgramName};
use shared::jwe::BodyHash;
use shared::mtls::identity::Identity;
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::plastic::{Batch, FailureReason, MOST_ORDERS, MakeBatch, OrderKind};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{OrderRecord, Unconfirmed, WAITS, fail, is_of, move_on, prefix, wrong_step};
use crate::audit::event::{Event, Operation};
use crate::domain::card::Card;
use crate::domain::program::Rules;
use crate::error::Error;
use crate::flows::lookup::card_key;
use crate::idempotency::{Logged, Slot};
use crate::open_vault::OpenVault;
use crate::records::{Record, Stored, Tx};
use crate::store::Tree;

/// A batch can be fetched for so long: its bytes hold card data.
const KEPT_SECONDS: i64 = 7 * 24 * 3600;
/// Bytes of a part: a record of the store holds 6 KiB.
const PART_BYTES: usize = 4096;
/// Room for a line, so that the buffer never grows and leaves a copy behind.
const LINE_CAPACITY: usize = 4096;
/// Batches looked at in one pass of the sweep.
const MOST_BATCHES: usize = 1000;

const BATCH: &str = "batch/";
const PART: &str = "part/";

/// A batch that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BatchRecord {
    batch: BatchToken,
    program: ProgramName,
    made_at: i64,
    orders: u16,
    parts: u16,
    bdh: BodyHash,
}

impl Record for BatchRecord {
    const TREE: Tree = Tree::Batches;
    fn key(&self) -> Vec<u8> {
        batch_key(&self.batch)
    }
}

fn batch_key(batch: &BatchToken) -> Vec<u8> {
    format!("{BATCH}{batch}").into_bytes()
}

/// A piece of a batch's JWE.
#[derive(Serialize, Deserialize)]
struct Part {
    batch: BatchToken,
    number: u16,
    text: String,
}

impl Record for Part {
    const TREE: Tree = Tree::Batches;
    fn key(&self) -> Vec<u8> {
        part_key(&self.batch, self.number)
    }
}

fn part_key(batch: &BatchToken, number: u16) -> Vec<u8> {
    [format!("{PART}{batch}/").as_bytes(), &number.to_be_bytes()].concat()
}

/// What is remembered of making a batch.
#[derive(Serialize, Deserialize)]
struct Made {
    batch: BatchToken,
    bdh: BodyHash,
}

impl Logged for Made {
    fn body_hash(&self) -> Option<BodyHash> {
        Some(self.bdh)
    }
}

/// Makes a batch of what waits, oldest first.
///
/// # Errors
/// The program is not this bureau's; `BUREAU_KEY_MISSING`, `NO_ORDERS_WAIT`; a used-up budget.
pub async fn make(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    key: &IdempotencyKey,
    request: MakeBatch,
) -> Result<Batch, Error> {
    let most = request.most.unwrap_or(MOST_ORDERS);
    if !(1..=MOST_ORDERS).contains(&most) {
        return Err(Error::Validation {
            field: "most",
            code: "OUT_OF_RANGE",
            message: format!("a batch has 1 to {MOST_ORDERS} orders").into(),
        });
    }
    let rules = program(vault, caller, &request.program)?;
    event.program = Some(request.program.clone());
    let slot = Slot::new(
        caller,
        event.operation,
        request.program.as_str(),
        key,
        &[&most.to_be_bytes()],
        vault.now(),
    );
    if let Some(made) = vault.replay::<Made>(&slot, &event).await? {
        return load(vault, &made.batch).map(|(_, batch)| batch);
    }
    let attempt = async || {
        let draft = Draft::new(vault, &rules, usize::from(most))?;
        draft.commit(vault, event.clone(), &slot).await
    };
    let made = vault.attempt(Some((&slot, &event)), attempt).await?;
    load(vault, &made.batch).map(|(_, batch)| batch)
}

/// A batch that was made before, byte for byte.
///
/// # Errors
/// There is none, it is not this bureau's, or it was made too long ago.
pub async fn fetch(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    batch: BatchToken,
) -> Result<Batch, Error> {
    let (record, batch) = load(vault, &batch)?;
    program(vault, caller, &record.program).map_err(|_| Error::NotFound("batch"))?;
    event.program = Some(record.program);
    event.bdh = Some(record.bdh);
    event.note = Some(batch.batch.to_string());
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(batch)
}

fn program(vault: &OpenVault, caller: &Identity, name: &ProgramName) -> Result<Arc<Rules>, Error> {
    let rules = vault.program(name)?;
    if is_of(&rules, caller) {
        Ok(rules)
    } else {
        Err(Error::NotFound("program"))
    }
}

fn load(vault: &OpenVault, batch: &BatchToken) -> Result<(BatchRecord, Batch), Error> {
    let record = vault.records.get::<BatchRecord>(&batch_key(batch))?;
    let record = record.ok_or(Error::NotFound("batch any more"))?.record;
    let mut payload = String::new();
    for number in 0..record.parts {
        let part = vault.records.get::<Part>(&part_key(batch, number))?;
        let part = part.ok_or(Error::NotFound("batch any more"))?.record;
        payload.push_str(&part.text);
    }
    let made_at = OffsetDateTime::from_unix_timestamp(record.made_at);
    let batch = Batch {
        batch: record.batch.clone(),
        program: record.program.clone(),
        made_at: made_at.map_err(|error| Error::Corrupt(error.to_string()))?,
        orders: record.orders,
        payload,
    };
    Ok((record, batch))
}

/// One order with its card, as both were read.
struct Line {
    order: Stored<OrderRecord>,
    card: Stored<Card>,
}

impl Line {
    /// Not once the card is closed or locked for good. Of the next plastic of a card, what it goes on with must be there.
    fn may_be_made(&self) -> bool {
        let (order, card) = (&self.order.record, &self.card.record);
        let goes_on = !order.renews || card.next_by(&order.order).is_some();
        card.standing.permits_use().is_ok() && goes_on
    }
}

/// A batch that is sealed and not yet the bureau's.
struct Draft {
    record: BatchRecord,
    payload: String,
    lines: Vec<Line>,
    /// Orders of cards that were closed or locked for good meanwhile.
    closed: Vec<Line>,
}

impl Draft {
    fn new(vault: &OpenVault, rules: &Rules, most: usize) -> Result<Self, Error> {
        let program = &rules.program().name;
        let recipient = rules.program().bureau_key.as_ref().ok_or_else(|| {
            Error::conflict(
                "BUREAU_KEY_MISSING",
                "The program names no key of its bureau: two officers set it.",
            )
        })?;
        let waiting: Vec<Unconfirmed> =
            vault
                .records
                .scan_readable(&prefix(WAITS, program), Bound::Unbounded, most)?;
        let (mut lines, mut closed) = (Vec::new(), Vec::new());
        for entry in waiting {
            let order = super::find(vault, &entry.order)?;
            let order =
                order.ok_or_else(|| Error::Corrupt(format!("order {} is listed and gone", entry.order)))?;
            let card = vault.card_alone(&order.record.card)?;
            let line = Line { order, card };
            if line.may_be_made() {
                lines.push(line);
            } else {
                closed.push(line);
            }
        }
        if lines.is_empty() && closed.is_empty() {
            return Err(Error::conflict(
                "NO_ORDERS_WAIT",
                "No order of this program waits.",
            ));
        }
        let batch = vault.surroundings.random.batch_token()?;
        let json = write(vault, &batch, program, &lines)?;
        let sealed = vault.sealers.get(recipient).and_then(|sealer| sealer.seal(&json));
        let payload = sealed.map_err(|error| Error::Internal(error.to_string()))?;
        let parts = payload.len().div_ceil(PART_BYTES);
        let small = |count: usize| u16::try_from(count).map_err(|error| Error::Internal(error.to_string()));
        let record = BatchRecord {
            batch,
            program: program.clone(),
            made_at: vault.now(),
            orders: small(lines.len())?,
            parts: small(parts)?,
            bdh: BodyHash::of(&payload),
        };
        Ok(Self {
            record,
            payload,
            lines,
            closed,
        })
    }

    async fn commit(self, vault: &Arc<OpenVault>, mut event: Event, slot: &Slot) -> Result<Made, Error> {
        let slot = slot.clone();
        let at = event.at;
        let destroy_at = vault
            .now()
            .saturating_add(vault.surroundings.retention.grace_seconds);
        event.bdh = Some(self.record.bdh);
        event.note = Some(format!("{} {} orders", self.record.batch, self.record.orders));
        let nothing_left = self.lines.is_empty();
        let work = move |tx: &mut Tx<'_, '_>, event: &mut Event| {
            for line in self.lines.iter().chain(&self.closed) {
                if !tx.is_unchanged(&line.order)? || !tx.is_unchanged(&line.card)? {
                    return Err(Error::Raced);
                }
            }
            for line in self.closed {
                let (order, card) = (line.order.record, line.card.record);
                fail(tx, order, card, FailureReason::CardClosed, (at, destroy_at))?;
            }
            let made = Made {
                batch: self.record.batch.clone(),
                bdh: self.record.bdh,
            };
            if self.lines.is_empty() {
                return Ok(made);
            }
            for line in self.lines {
                tx.also(of_line(event, &line));
                let next = line.order.record.state.produce(made.batch.clone());
                let (next, notice) = (next.map_err(wrong_step)?, NoticeKind::OrderInProduction);
                move_on(tx, line.order.record, &self.record.program, next, notice, at)?;
            }
            let mut rest = self.payload.as_str();
            for number in 0..self.record.parts {
                // A compact JWE is ASCII.
                let (text, after) = rest.split_at(rest.len().min(PART_BYTES));
                tx.put(&Part {
                    batch: made.batch.clone(),
                    number,
                    text: text.to_owned(),
                })?;
                rest = after;
            }
            tx.put(&self.record)?;
            slot.remember(tx, &made)?;
            Ok(made)
        };
        let made = vault.commit(event, work).await?;
        // Only closed cards' orders were struck: what waits behind them is looked for again.
        if nothing_left { Err(Error::Raced) } else { Ok(made) }
    }
}

/// The event of one card in a batch.
fn of_line(batch: &Event, line: &Line) -> Event {
    let card = &line.card.record;
    let mut event = batch.clone();
    event.operation = Operation::Personalise;
    event.program = Some(card.program.clone());
    event.holder = Some(card.holder.clone());
    event.card = Some(card.token.clone());
    event.emitted = true;
    event.note = Some(line.order.record.order.to_string());
    event
}

/// The batch in clear, in a buffer that is wiped.
fn write(
    vault: &OpenVault,
    batch: &BatchToken,
    program: &ProgramName,
    lines: &[Line],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut json = Zeroizing::new(Vec::with_capacity(LINE_CAPACITY * (lines.len() + 1)));
    let beginning = format!("{{\"batch\":\"{batch}\",\"program\":\"{program}\",\"orders\":[");
    json.extend_from_slice(beginning.as_bytes());
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write_line(vault, &mut json, line)?;
    }
    json.extend_from_slice(b"]}");
    Ok(json)
}

fn write_line(vault: &OpenVault, json: &mut Vec<u8>, line: &Line) -> Result<(), Error> {
    let (order, card) = (&line.order.record, &line.card.record);
    let secrets = vault.secrets(card)?;
    let kind = match order.kind {
        OrderKind::Print => "PRINT",
        OrderKind::Physical => "PHYSICAL",
    };
    let next = card.next_by(&order.order);
    let (pan, exp) = (
        secrets.pan(card)?,
        next.map_or(card.exp, |next| next.exp).to_string(),
    );
    let renewal: &[u8] = if order.renews {
        b"\",\"renewal\":true"
    } else {
        b"\""
    };
    // All of an alphabet that JSON need not escape.
    for part in [
        &b"{\"order\":\""[..],
        order.order.as_str().as_bytes(),
        b"\",\"kind\":\"",
        kind.as_bytes(),
        renewal,
        b",\"cardNo\":\"",
        pan.as_bytes(),
        b"\",\"exp\":\"",
        exp.as_bytes(),
    ] {
        json.extend_from_slice(part);
    }
    if order.kind == OrderKind::Physical {
        let missing = || Error::Corrupt(format!("card {} was ordered without a code", card.token));
        let cvv = if order.renews {
            secrets.next_cvv(card)?
        } else {
            secrets.cvv(card)?
        };
        let cvv = cvv.ok_or_else(missing)?;
        for part in [&b"\",\"cvv2\":\""[..], cvv.as_bytes()] {
            json.extend_from_slice(part);
        }
    }
    json.push(b'"');
    let internal = |error: serde_json::Error| Error::Internal(error.to_string());
    if let Some(name) = &order.embossed_name {
        json.extend_from_slice(b",\"embossedName\":");
        serde_json::to_writer(&mut *json, name.expose()).map_err(internal)?;
    }
    let address = order.address.as_ref();
    let address = address.ok_or_else(|| Error::Corrupt(format!("order {} has no address", order.order)))?;
    json.extend_from_slice(b",\"deliveryAddress\":");
    serde_json::to_writer(&mut *json, address).map_err(internal)?;
    json.push(b'}');
    Ok(())
}

/// Forgets batches that are older than they are kept. Returns how many.
///
/// # Errors
/// The store's.
pub async fn forget_old(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    let batches: Vec<BatchRecord> =
        vault
            .records
            .scan_readable(BATCH.as_bytes(), Bound::Unbounded, MOST_BATCHES)?;
    let before = vault.now().saturating_sub(KEPT_SECONDS);
    let mut forgotten = 0;
    for batch in batches.into_iter().filter(|batch| batch.made_at < before) {
        let work = move |tx: &mut Tx<'_, '_>| {
            for number in 0..batch.parts {
                tx.delete::<Part>(&part_key(&batch.batch, number))?;
            }
            tx.delete::<BatchRecord>(&batch.key())
        };
        vault.transact(work).await?;
        forgotten += 1;
    }
    Ok(forgotten)
}

/// The card of an order's record, in a transaction.
pub(super) fn card_of(tx: &mut Tx<'_, '_>, order: &OrderRecord) -> Result<Card, Error> {
    tx.get(&card_key(&order.card))?.ok_or(Error::NotFound("card"))
}
