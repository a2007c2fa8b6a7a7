//! The next plastic of a card: ordered once for an end, with the next values in the bureau's line; what takes over and when;
//! and that nothing of a dead card does.

mod model;

use serde_json::Value;
use shared::expiry::Expiry;
use shared::ids::{CardToken, OrderToken};
use shared::jwe::Opener;
use shared::mtls::identity::Identity;
use shared::vault_api::cards::{
    ActivateRenewal, Destination, PostalAddress, PrintCard, RenewPlastic, RenewalOrdered, RenewedCard,
};
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::Rotation;
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::plastic::{FailureReason, OrderKind, ReturnReason, ShipOrder};
use shared::vault_api::processor::Outcome;
use shared::vault_api::{Actor, Channel};
use time::Duration;

use super::plastic::{batch_of, is, lines, order, record, say, told, with_key};
use super::{Phone, Stage, actor};
use crate::audit::event::{Event, Operation};
use crate::domain::card::Card;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::error::Error;
use crate::flows::orders::change::Step;
use crate::flows::verify::{Guess, verify};
use crate::flows::{erase, lock_finally, print, renew_plastic, sweep, take_over};
use crate::work::{list, run_to_end};

fn address() -> PostalAddress {
    PostalAddress {
        line1: "2 New Street".to_owned(),
        line2: None,
        city: "Vilnius".to_owned(),
        postal_code: "2".to_owned(),
        country: "LT".to_owned(),
    }
}

fn by_job() -> Actor {
    Actor {
        channel: Channel::System,
        ..actor()
    }
}

async fn ask(stage: &Stage, card: &CardToken, ends: Expiry) -> Result<RenewalOrdered, Error> {
    let request = RenewPlastic {
        ends,
        embossed_name: Some("Ada Byron".to_owned()),
        address: address(),
        actor: by_job(),
    };
    let (event, key) = (stage.event(Operation::OrderRenewal), stage.key());
    renew_plastic::renew_plastic(
        &stage.vault,
        event,
        &Identity::Gateway,
        card.clone(),
        &key,
        request,
    )
    .await
}

async fn activate(stage: &Stage, card: &CardToken, ends: Expiry) -> Result<RenewedCard, Error> {
    let event = stage.event(Operation::Renew);
    let request = ActivateRenewal {
        ends,
        actor: by_job(),
    };
    take_over::activate_renewal(&stage.vault, event, card.clone(), request).await
}

fn card(stage: &Stage, token: &CardToken) -> Card {
    stage.vault.card_alone(token).unwrap().record
}

/// A physical card that was made and sent, and its line.
async fn physical(stage: &Stage, opener: &Opener, phone: &Phone) -> (CardToken, Value) {
    let ordered = order(stage, phone, Channel::Customers, true).await.unwrap();
    let made = batch_of(stage, "bureau", &stage.key()).await.unwrap();
    let [line] = lines(opener, &made).try_into().unwrap();
    made_and_sent(stage, &ordered.order).await;
    (ordered.card, line)
}

async fn made_and_sent(stage: &Stage, order: &OrderToken) {
    say(stage, order, Step::Confirm).await.unwrap();
    say(stage, order, Step::Ship(ShipOrder::default())).await.unwrap();
}

/// A virtual card whose plastic was made and sent, and its number.
async fn printed(stage: &Stage, opener: &Opener, phone: &Phone) -> (CardToken, String) {
    let shown = stage.card(phone).await;
    let request = PrintCard {
        recipient: phone.recipient(),
        destination: Destination::OnFile { address: address() },
        holder_proof: None,
        refuse: false,
        actor: actor(),
    };
    let (event, key, token) = (stage.event(Operation::Print), stage.key(), shown.token.clone());
    let printed = print::print(&stage.vault, event, &Identity::Gateway, token, &key, request);
    let order = printed.await.unwrap().order.unwrap();
    next_line(stage, opener).await;
    made_and_sent(stage, &order).await;
    (shown.token, shown.pan)
}

/// The one order that waits, given to the bureau.
async fn next_line(stage: &Stage, opener: &Opener) -> Value {
    let made = batch_of(stage, "bureau", &stage.key()).await.unwrap();
    let [line] = lines(opener, &made).try_into().unwrap();
    line
}

/// What the processor is told of the code on a line, at the end on it.
async fn verified(stage: &Stage, pan: &str, exp: &str, code: &str) -> Outcome {
    let processor: Identity = "spiffe://tessera/processor/processor".parse().unwrap();
    let mut event = stage.event(Operation::VerifyCvv);
    event.caller = Some(processor.clone());
    let pan = Pan::parse(pan.as_bytes()).unwrap();
    let guess = Guess::Cvv(Cvv::parse(code.as_bytes()).unwrap(), Some(exp.parse().unwrap()));
    verify(&stage.vault, event, &processor, pan, guess)
        .await
        .unwrap()
        .outcome
}

async fn verified_line(stage: &Stage, line: &Value) -> Outcome {
    let [pan, exp, code] = ["cardNo", "exp", "cvv2"].map(|name| line[name].as_str().unwrap());
    verified(stage, pan, exp, code).await
}

/// Moves the clock to so many days before the card's end, and gives that.
fn days_before_end(stage: &Stage, token: &CardToken, days: i64) -> Expiry {
    let end = card(stage, token).exp;
    let last = end.last_day().unwrap().midnight().assume_utc() + Duration::hours(12);
    let now = stage.vault.surroundings.clock.now();
    stage.clock.advance(last - Duration::days(days) - now);
    end
}

#[tokio::test]
async fn the_next_plastic_is_ordered_once_and_takes_over_in_its_holders_hand() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 100).await;
        let (token, old) = physical(&stage, &opener, &stage.phone().await).await;
        let end = card(&stage, &token).exp;
        let early = ask(&stage, &token, end).await.unwrap_err();
        assert!(is(&early, "RENEWAL_NOT_DUE"), "{early}");
        days_before_end(&stage, &token, 45);
        let ordered = ask(&stage, &token, end).await.unwrap();
        assert_eq!(
            (ordered.exp, ordered.kind),
            (end.plus_months(36), OrderKind::Physical)
        );
        assert_eq!(
            ask(&stage, &token, end).await.unwrap(),
            ordered,
            "under way: once"
        );

        let held = card(&stage, &token);
        assert_eq!(
            (held.exp, held.last_end()),
            (end, ordered.exp),
            "not over at its end"
        );
        let line = next_line(&stage, &opener).await;
        assert_eq!(
            (&line["kind"], &line["renewal"]),
            (&"PHYSICAL".into(), &true.into())
        );
        assert_eq!(line["cardNo"], old["cardNo"], "the number stays");
        assert_eq!(line["exp"], ordered.exp.to_string());
        assert_eq!(line["deliveryAddress"]["line1"], "2 New Street");
        let early = activate(&stage, &token, end).await.unwrap_err();
        assert!(is(&early, "RENEWAL_NOT_READY"), "it is not made: {early}");
        say(&stage, &ordered.order, Step::Confirm).await.unwrap();
        assert_eq!(verified_line(&stage, &old).await, Outcome::Match);
        assert_eq!(
            verified_line(&stage, &line).await,
            Outcome::NoMatch,
            "not in use yet"
        );

        say(&stage, &ordered.order, Step::Ship(ShipOrder::default()))
            .await
            .unwrap();
        say(&stage, &ordered.order, Step::Return(ReturnReason::Unclaimed))
            .await
            .unwrap();
        let back = activate(&stage, &token, end).await.unwrap_err();
        assert!(is(&back, "RENEWAL_NOT_READY"), "whoever asks does not hold it");
        say(&stage, &ordered.order, Step::Ship(ShipOrder::default()))
            .await
            .unwrap();
        for _ in 0..2 {
            assert_eq!(activate(&stage, &token, end).await.unwrap().exp, ordered.exp);
        }
        assert_eq!(verified_line(&stage, &old).await, Outcome::NoMatch);
        assert_eq!(verified_line(&stage, &line).await, Outcome::Match);
        assert!(card(&stage, &token).next.is_none());
        assert_eq!(
            ask(&stage, &token, end).await.unwrap(),
            ordered,
            "taken over: once"
        );
    }
}

#[tokio::test]
async fn plastic_without_a_printed_code_takes_over_when_it_is_made() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 100).await;
        let (token, pan) = printed(&stage, &opener, &stage.phone().await).await;
        let end = days_before_end(&stage, &token, 45);
        let before = card(&stage, &token);
        let ordered = ask(&stage, &token, end).await.unwrap();
        assert_eq!(ordered.kind, OrderKind::Print);
        assert_eq!(card(&stage, &token).cvv, before.cvv);
        let line = next_line(&stage, &opener).await;
        assert_eq!((&line["kind"], &line["renewal"]), (&"PRINT".into(), &true.into()));
        assert!(line["cardNo"] == pan.as_str() && line["exp"] == ordered.exp.to_string());
        assert!(
            line.get("cvv2").is_none() && line.get("embossedName").is_none(),
            "{line}"
        );
        say(&stage, &ordered.order, Step::Confirm).await.unwrap();
        let after = card(&stage, &token);
        assert_eq!((after.exp, &after.pan), (ordered.exp, &before.pan));
        assert!(after.cvv != before.cvv && after.next.is_none());
        let linked = NoticeKind::OrderLinked {
            exp: Some(ordered.exp),
        };
        assert!(
            told(&stage).await.contains(&linked),
            "the gateway is told its end"
        );
        // The letter is lost: the card is what its holder sees in the app.
        say(&stage, &ordered.order, Step::Fail(FailureReason::Lost))
            .await
            .unwrap();
        assert_eq!(card(&stage, &token), after);
    }
}

#[tokio::test]
async fn what_will_not_come_leaves_the_card_as_it_is_and_is_ordered_anew_when_asked() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 100).await;
        let (token, old) = physical(&stage, &opener, &stage.phone().await).await;
        let end = days_before_end(&stage, &token, 45);
        for made in [false, true] {
            let ordered = ask(&stage, &token, end).await.unwrap();
            next_line(&stage, &opener).await;
            if made {
                say(&stage, &ordered.order, Step::Confirm).await.unwrap();
            }
            say(&stage, &ordered.order, Step::Fail(FailureReason::Damaged))
                .await
                .unwrap();
            let card = card(&stage, &token);
            assert!(card.next.is_none() && card.plastic && card.exp == end);
            let failed = NoticeKind::OrderFailed {
                reason: "DAMAGED".to_owned(),
                card_closed: false,
                plastic_void: false,
            };
            assert_eq!(told(&stage).await.last(), Some(&failed));
            assert_eq!(verified_line(&stage, &old).await, Outcome::Match);
            assert!(activate(&stage, &token, end).await.is_err());
            assert!(record(&stage, &ordered.order).address.is_none());
        }
        ask(&stage, &token, end).await.unwrap();
    }
}

/// Neither what waits at the bureau nor what it has made brings a dead card back.
#[tokio::test]
async fn a_dead_card_does_not_go_on() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 100).await;
        let phone = stage.phone().await;
        let (locked, _) = physical(&stage, &opener, &phone).await;
        let (removed, _) = printed(&stage, &opener, &phone).await;
        let (in_hand, _) = physical(&stage, &opener, &phone).await;
        let (waits, _) = physical(&stage, &opener, &phone).await;
        let end = days_before_end(&stage, &locked, 45);
        let mut orders = Vec::new();
        for token in [&locked, &removed, &in_hand] {
            orders.push(ask(&stage, token, end).await.unwrap());
        }
        batch_of(&stage, "bureau", &stage.key()).await.unwrap();
        say(&stage, &orders[2].order, Step::Confirm).await.unwrap();
        let last = ask(&stage, &waits, end).await.unwrap();
        lock(&stage, &locked).await;
        lock(&stage, &in_hand).await;
        lock(&stage, &waits).await;
        erase::erase(&stage.vault, stage.event(Operation::Erase), removed.clone())
            .await
            .unwrap();
        for order in &orders[..2] {
            say(&stage, &order.order, Step::Confirm).await.unwrap();
        }
        // What still waited is not made.
        let none = batch_of(&stage, "bureau", &stage.key()).await.unwrap_err();
        assert!(is(&none, "NO_ORDERS_WAIT"), "{none}");
        assert!(record(&stage, &last.order).address.is_none());
        for token in [&locked, &removed, &in_hand, &waits] {
            let refused = activate(&stage, token, end).await;
            assert!(matches!(refused, Err(Error::Standing(_))), "{refused:?}");
            let refused = ask(&stage, token, end).await;
            assert!(matches!(refused, Err(Error::Standing(_))), "{refused:?}");
            assert_eq!(card(&stage, token).exp, end, "it ends as it would have");
        }
        let closed = told(&stage).await.into_iter().filter(|kind| {
            matches!(kind, NoticeKind::OrderLinked { exp: Some(_) })
                || matches!(
                    kind,
                    NoticeKind::OrderFailed {
                        card_closed: true,
                        ..
                    }
                )
        });
        assert_eq!(closed.count(), 0);
        // The secrets go with the card, the next code among them.
        stage.clock.advance(Duration::days(30));
        sweep::destroy_due(&stage.vault).await.unwrap();
        let gone = card(&stage, &removed);
        assert!(gone.pan.is_none() && gone.next.is_none());
    }
}

async fn lock(stage: &Stage, token: &CardToken) {
    let request = shared::vault_api::cards::LockFinally {
        code: 2,
        actor: by_job(),
    };
    let event = stage.event(Operation::LockFinally);
    lock_finally::lock_finally(&stage.vault, event, token.clone(), request)
        .await
        .unwrap();
}

#[tokio::test]
async fn only_plastic_that_is_there_is_renewed_so() {
    let stage = Stage::new().await;
    let opener = with_key(&stage, 100).await;
    let phone = stage.phone().await;
    let shown = stage.card(&phone).await;
    let (token, _) = physical(&stage, &opener, &phone).await;
    let end = days_before_end(&stage, &token, 45);
    let refused = ask(&stage, &shown.token, end).await.unwrap_err();
    assert!(is(&refused, "RENEWAL_NOT_POSSIBLE"), "a virtual card: {refused}");
    let nameless = RenewPlastic {
        ends: end,
        embossed_name: None,
        address: address(),
        actor: by_job(),
    };
    let event: Event = stage.event(Operation::OrderRenewal);
    let key = stage.key();
    let refused = renew_plastic::renew_plastic(
        &stage.vault,
        event,
        &Identity::Gateway,
        token.clone(),
        &key,
        nameless,
    );
    assert!(matches!(refused.await, Err(Error::Validation { .. })));
    assert!(is(
        &activate(&stage, &token, end).await.unwrap_err(),
        "RENEWAL_NOT_READY"
    ));
    let mut rules = stage.vault.card(&token).unwrap().program.program().clone();
    rules.renews_plastic = false;
    stage.agree(Proposal::SetProgram(rules.clone())).await.unwrap();
    let refused = ask(&stage, &token, end).await.unwrap_err();
    assert!(is(&refused, "RENEWAL_NOT_PERMITTED"), "{refused}");
    rules.renews_plastic = true;
    stage.agree(Proposal::SetProgram(rules)).await.unwrap();
    days_before_end(&stage, &token, -1);
    let over = ask(&stage, &token, end).await.unwrap_err();
    assert!(is(&over, "RENEWAL_NOT_DUE"), "{over}");
}

/// The next code is moved with the others, and opened by the integrity check.
#[tokio::test]
async fn the_next_code_outlives_every_rotation() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 100).await;
        let (token, _) = physical(&stage, &opener, &stage.phone().await).await;
        let end = days_before_end(&stage, &token, 45);
        let ordered = ask(&stage, &token, end).await.unwrap();
        let line = next_line(&stage, &opener).await;
        for rotation in [Rotation::DataKeys, Rotation::CardKek, Rotation::Records] {
            stage.agree(Proposal::Rotate(rotation)).await.unwrap();
            let job = list(&stage.vault).unwrap().remove(0).id;
            run_to_end(&stage.vault, &job).await.unwrap();
        }
        made_and_sent(&stage, &ordered.order).await;
        activate(&stage, &token, end).await.unwrap();
        assert_eq!(verified_line(&stage, &line).await, Outcome::Match);
    }
}
