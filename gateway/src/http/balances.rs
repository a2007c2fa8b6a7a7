//! Balances, on every channel.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json as literal};

use super::answer::{json, send, send_json};
use super::caller::Customer;
use super::doc::shape::optional;
use super::doc::{Doc, Tag, examples, words};
use super::page::Page;
use crate::domain::balance::{Balance, BalanceId};
use crate::domain::card::{Card, CardRules, MaskedCard};
use crate::domain::lock::Party;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::create_balance::create_balance;
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
    let currency = fields.optional_text("currency", |text| {
        text.parse().map_err(|_| Rule {
            code: "NOT_A_CURRENCY",
            message: "Must be an ISO 4217 code.",
        })
    });
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
