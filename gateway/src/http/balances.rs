//! Balances, on every channel.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json as literal};
use shared::money::Currency;

use super::answer::{json, send, send_json};
use super::caller::Customer;
use super::doc::shape::{amount, line, optional, required};
use super::doc::{Doc, Tag, examples, words};
use super::page::Page;
use super::transactions::TransactionView;
use crate::domain::balance::{Balance, BalanceChange, BalanceId};
use crate::domain::card::{Card, CardRules, MaskedCard};
use crate::domain::ledger::{Amount, Reference};
use crate::domain::lock::Party;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::change_balance::change_balance;
use crate::flows::create_balance::create_balance;
use crate::flows::reload_balance::{Reload, Reloaded, reload_balance};
use crate::store::{balances, cards};
use utoipa::ToSchema;

/// Most cards that are shown with a balance; where there are more, the answer says so, and the list of cards has them all.
const CARDS_SHOWN: usize = 100;
/// One more than is shown tells whether there are more.
const CARDS_ASKED: i64 = 101;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Balance)]
pub(super) struct BalanceView {
    id: i64,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// What the balance is worth, in minor units.
    value: i64,
    /// What can be spent: the value less what is held.
    available: i64,
    #[schema(schema_with = words::balance_state)]
    state: &'static str,
    /// The first 100 of its cards.
    #[schema(value_type = Vec<MaskedCard>)]
    cards: Vec<Value>,
    /// Whether the balance has cards beyond those shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more_cards: bool,
}

impl BalanceView {
    /// A balance with those of `cards` that are its own.
    pub(super) fn of(
        balance: &Balance,
        cards: &[Card],
        party: Party,
        rules: CardRules,
    ) -> Result<Self, Error> {
        let mut own = cards.iter().filter(|card| card.balance == balance.id);
        let overflow = || Error::internal("a balance's sums overflow");
        Ok(Self {
            id: balance.id.0,
            currency: balance.currency.code(),
            value: balance.sums.value().ok_or_else(overflow)?,
            available: balance.sums.available().ok_or_else(overflow)?,
            state: balance.state.as_str(),
            cards: own
                .by_ref()
                .take(CARDS_SHOWN)
                .map(|card| serde_json::to_value(MaskedCard::of(card, party, rules)))
                .collect::<Result<_, _>>()
                .map_err(|_| Error::internal("a card cannot be written"))?,
            more_cards: own.next().is_some(),
        })
    }
}

/// `POST …/balances`: `{currency?}` → 201.
pub(super) async fn create(mut customer: Customer) -> Result<HttpResponse, Error> {
    let (mut fields, request) = customer.fields().await?;
    let request = customer.scoped(request);
    let currency = fields.optional_text("currency", currency);
    fields.finish(|| Some(()))?;
    let services = customer.services();
    let rules = rules(&customer)?;
    let whose = (customer.user.id, customer.stamp.as_ref());
    let answer = create_balance(services, &request, whose, currency, |balance| {
        json(
            StatusCode::CREATED,
            &BalanceView::of(balance, &[], customer.party, rules)?,
        )
    })
    .await?;
    send(answer)
}

/// `GET …/balances` → 200.
pub(super) async fn list(customer: Customer) -> Result<HttpResponse, Error> {
    let services = customer.services();
    let page = Page::of_query(customer.query(), services.config.limits.page_items)?;
    let rules = rules(&customer)?;
    let mut read = services.db.read().await?;
    let rows = balances::list(&mut read, customer.user.id, page.after, page.rows()).await?;
    let cards = match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => {
            cards::shown_of_balances(&mut read, customer.user.id, (first.id, last.id), CARDS_ASKED).await?
        }
        _ => Vec::new(),
    };
    let listed = page.of_rows(
        rows,
        |balance| balance.id.0,
        |balance| BalanceView::of(&balance, &cards, customer.party, rules),
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `GET …/balances/{balanceId}` → 200.
pub(super) async fn get(customer: Customer) -> Result<HttpResponse, Error> {
    let id = BalanceId(customer.number("balanceId")?);
    let rules = rules(&customer)?;
    let mut read = customer.services().db.read().await?;
    let balance = balances::find(&mut read, customer.user.id, id)
        .await?
        .ok_or(Code::NotFound)?;
    let cards = cards::shown_of_balances(&mut read, customer.user.id, (id, id), CARDS_ASKED).await?;
    send_json(
        StatusCode::OK,
        &BalanceView::of(&balance, &cards, customer.party, rules)?,
    )
}

#[derive(Serialize, ToSchema)]
#[schema(as = Reloaded)]
struct ReloadView<'a> {
    transfer: TransactionView<'a>,
    /// The balance afterwards.
    balance: BalanceView,
}

/// `POST …/balances/{balanceId}/reload`: `{amount, currency, reference?}` → 201 with the transfer and the balance afterwards.
pub(super) async fn reload(mut customer: Customer) -> Result<HttpResponse, Error> {
    let id = own(&customer).await?;
    let (mut fields, request) = customer.fields().await?;
    let request = customer.scoped(request);
    let minor = fields.integer("amount", Amount::parse);
    let currency = fields.text("currency", currency);
    let reference = fields.optional_text("reference", Reference::parse);
    let reload = fields.finish(|| {
        Some(Reload {
            amount: minor?,
            currency: currency?,
            reference,
        })
    })?;
    let (rules, party) = (rules(&customer)?, customer.party);
    let shown = |reloaded: &Reloaded| {
        let view = ReloadView {
            transfer: TransactionView::of(&reloaded.transaction),
            balance: BalanceView::of(&reloaded.balance, &reloaded.cards, party, rules)?,
        };
        json(StatusCode::CREATED, &view)
    };
    let whose = (&customer.user, customer.stamp.as_ref());
    let what = (id, &reload, CARDS_ASKED);
    send(reload_balance(customer.services(), &request, whose, what, shown).await?)
}

/// `POST …/balances/{balanceId}/lock`, `/unlock` and `/close` → 200 with the balance afterwards.
pub(super) async fn change(mut customer: Customer, change: BalanceChange) -> Result<HttpResponse, Error> {
    let id = own(&customer).await?;
    let (fields, request) = customer.fields().await?;
    let request = customer.scoped(request);
    fields.finish(|| Some(()))?;
    let (rules, party) = (rules(&customer)?, customer.party);
    let shown = |balance: &Balance, cards: &[Card]| {
        json(StatusCode::OK, &BalanceView::of(balance, cards, party, rules)?)
    };
    let who = (&customer.user, party, customer.stamp.as_ref());
    let what = (id, change, CARDS_ASKED);
    send(change_balance(customer.services(), &request, who, what, shown).await?)
}

/// The balance that the path names, if it is the customer's: judged before the body.
async fn own(customer: &Customer) -> Result<BalanceId, Error> {
    let id = BalanceId(customer.number("balanceId")?);
    let mut read = customer.services().db.read().await?;
    let found = balances::find(&mut read, customer.user.id, id).await?;
    Ok(found.ok_or(Code::NotFound)?.id)
}

/// A currency as it stands in a request.
pub(super) fn currency(text: &str) -> Result<Currency, Rule> {
    text.parse().map_err(|_| Rule {
        code: "NOT_A_CURRENCY",
        message: "Must be an ISO 4217 code.",
    })
}

fn rules(customer: &Customer) -> Result<CardRules, Error> {
    Ok(customer.card_caller()?.rules)
}

/// Of `POST …/balances`.
pub(super) fn create_doc() -> Doc {
    let mut example = examples::balance();
    if let Some(example) = example.as_object_mut() {
        example.insert("cards".to_owned(), literal!([]));
    }
    Doc::new(Tag::Balances, "Create a balance")
        .says("A further balance, in the program's currency unless another is named.")
        .body([optional("currency", words::currency())])
        .answers::<BalanceView>(201, "The balance, empty.", example)
        .errors(&[Code::UserLocked, Code::KycRequired, Code::TooManyBalances])
}

/// Of `GET …/balances`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Balances, "List balances with their cards")
        .says("A balance shows its first 100 cards; where there are more, `moreCards` is true and the list of cards has them all.")
        .answers_page::<BalanceView>("A page of balances, oldest first.", examples::balance())
}

/// Of `GET …/balances/{balanceId}`.
pub(super) fn get_doc() -> Doc {
    Doc::new(Tag::Balances, "Get a balance with its cards")
        .says("A balance shows its first 100 cards; where there are more, `moreCards` is true and the list of cards has them all.")
        .answers::<BalanceView>(200, "The balance.", examples::balance())
}

/// Of `POST …/balances/{balanceId}/reload`.
pub(super) fn reload_doc() -> Doc {
    let example =
        literal!({ "transfer": super::transactions::reload_example(), "balance": examples::balance() });
    let reference = line(64, "salary 2026-11").saying("What the caller calls it. No 13 digits in a row.");
    Doc::new(Tag::Balances, "Reload a balance")
        .says("Money of the user came in. At most what the program allows in one reload, in the balance's currency.")
        .body([
            required("amount", amount(Amount::REQUEST_MAX, 12_500)),
            required("currency", words::currency()),
            optional("reference", reference),
        ])
        .answers::<ReloadView>(201, "The transfer, and the balance afterwards.", example)
        .errors(&[Code::BalanceLocked, Code::BalanceClosed])
}

fn changed_doc(summary: &'static str, state: &str) -> Doc {
    let mut example = examples::balance();
    if let Some(example) = example.as_object_mut() {
        example.insert("state".to_owned(), literal!(state));
        if state == "CLOSED" {
            example.extend([
                ("value".to_owned(), literal!(0)),
                ("available".to_owned(), literal!(0)),
                ("cards".to_owned(), literal!([])),
            ]);
        }
    }
    Doc::new(Tag::Balances, summary)
        .no_members()
        .answers::<BalanceView>(200, "The balance afterwards.", example)
        .errors(&[Code::BalanceClosed])
}

/// Of `POST …/balances/{balanceId}/lock`.
pub(super) fn lock_doc() -> Doc {
    changed_doc("Lock a balance", "LOCKED").says(
        "No authorisation and no reload passes. What was approved before is cleared, reversed and refunded all the same. \
         Locking a locked balance changes nothing, but that an operator's lock takes the place of a partner's.",
    )
}

/// An operator lifts every lock, a partner its own.
fn unless_operators(doc: Doc, party: Party) -> Doc {
    match party {
        Party::Partner => doc.errors(&[Code::LockNotYours]),
        Party::User | Party::Operator | Party::Processor => doc,
    }
}

/// Of `POST …/balances/{balanceId}/unlock`.
pub(super) fn unlock_doc(party: Party) -> Doc {
    let doc = changed_doc("Unlock a balance", "ACTIVE")
        .says("A partner does not lift an operator's lock.")
        .errors(&[Code::BalanceNotLocked]);
    unless_operators(doc, party)
}

/// Of `POST …/balances/{balanceId}/close`.
pub(super) fn close_doc(party: Party) -> Doc {
    let doc = changed_doc("Close a balance", "CLOSED")
        .says("For good. Nothing may be in it or held, and no card on it that can be used, or can be used again.")
        .errors(&[Code::BalanceNotEmpty, Code::BalanceHasCards]);
    unless_operators(doc, party)
}
