//! Plastic: ordered under proof, given to the bureau once, followed step by step; what is personal goes when nobody needs it.

use serde_json::{Value, json};
use shared::ids::{IdempotencyKey, OrderToken};
use shared::jwe::{AlgPolicy, CompactJwe, Opener, RsaKeySize, RsaPrivateKey};
use shared::jws::holder_proof::{HolderProofClaims, Op};
use shared::mtls::identity::Identity;
use shared::vault_api::Channel;
use shared::vault_api::cards::Standing;
use shared::vault_api::governance::Proposal;
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::plastic::{
    Batch, FailureReason, MakeBatch, OrderCard, OrderedCard, ReturnReason, ShipOrder,
};

use super::{Phone, Stage, actor, challenge, program};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::orders::change::{Step, change};
use crate::flows::orders::{OrderRecord, batch, waiting};
use crate::flows::{erase, notices, order_card, sweep};

fn bureau(name: &str) -> Identity {
    Identity::Bureau(name.parse().unwrap())
}

/// A program with a key of its bureau; who opens what is sealed to it.
pub(super) async fn with_key(stage: &Stage, emissions: u32) -> Opener {
    let private = RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap();
    let private = RsaPrivateKey::from_pkcs8(&private).unwrap();
    let mut rules = program("demo-eur", "999900");
    rules.bureau_key = Some(private.public_key().clone());
    rules.budgets.emissions_per_bureau = emissions;
    rules.budgets.issues_per_holder = 100;
    stage.agree(Proposal::SetProgram(rules)).await.unwrap();
    Opener::new(private, Vec::new())
}

pub(super) async fn order(
    stage: &Stage,
    phone: &Phone,
    channel: Channel,
    proven: bool,
) -> Result<OrderedCard, Error> {
    let key = stage.key();
    let payload = stage.seal(&json!({
        "balanceId": 1,
        "embossedName": "Ada Byron",
        "deliveryAddress": { "line1": "1 Harbour Street", "city": "Vilnius", "postalCode": "1", "country": "LT" },
    }));
    let event = stage.event(Operation::Challenge);
    let nonce = challenge::for_holder(&stage.vault, event, phone.holder.clone())
        .await?
        .nonce;
    let claims = HolderProofClaims {
        op: Op::Order,
        card: key.to_string(),
        jti: nonce.to_string(),
        nonce,
        iat: stage.vault.now(),
        rpk: phone.recipient.thumbprint(),
        bdh: Some(shared::jwe::BodyHash::of(&payload)),
    };
    let request = OrderCard {
        recipient: phone.recipient(),
        payload,
        holder_proof: proven.then(|| claims.sign(&phone.signer).unwrap()),
        order_key: Some(key.clone()),
        actor: shared::vault_api::Actor { channel, ..actor() },
    };
    let event = stage.event(Operation::Order);
    let holder = phone.holder.clone();
    order_card::order(&stage.vault, event, &Identity::Gateway, holder, &key, request).await
}

pub(super) async fn batch_of(stage: &Stage, by: &str, key: &IdempotencyKey) -> Result<Batch, Error> {
    let request = MakeBatch {
        program: "demo-eur".parse().unwrap(),
        most: None,
    };
    let mut event = stage.event(Operation::MakeBatch);
    event.caller = Some(bureau(by));
    batch::make(&stage.vault, event, &bureau(by), key, request).await
}

pub(super) async fn say(stage: &Stage, order: &OrderToken, step: Step) -> Result<(), Error> {
    let event = stage.event(Operation::ChangeOrder);
    let by = bureau("bureau");
    change(&stage.vault, event, &by, order.clone(), &stage.key(), step)
        .await
        .map(drop)
}

pub(super) fn lines(opener: &Opener, batch: &Batch) -> Vec<Value> {
    let jwe = CompactJwe::parse(&batch.payload, AlgPolicy::Sha256Only).unwrap();
    let content: Value = serde_json::from_slice(&opener.open(&jwe).unwrap()).unwrap();
    content["orders"].as_array().unwrap().clone()
}

pub(super) fn record(stage: &Stage, order: &OrderToken) -> OrderRecord {
    let stored = stage.vault.records.get(order.as_str().as_bytes()).unwrap();
    stored.unwrap().record
}

pub(super) async fn told(stage: &Stage) -> Vec<NoticeKind> {
    let page = notices::read(&stage.vault, 0, 200, 0).await.unwrap();
    page.items.into_iter().map(|notice| notice.kind).collect()
}

pub(super) fn is(error: &Error, code: &str) -> bool {
    error.status_and_code().1 == code
}

#[tokio::test]
async fn an_order_goes_to_the_bureau_once_and_is_followed() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 100).await;
        let phone = stage.phone().await;
        let ordered = order(&stage, &phone, Channel::Customers, true).await.unwrap();
        let shown = phone.open(&ordered.payload);
        assert!(
            shown.get("cardNo").is_none() && shown["token"] == ordered.card.as_str(),
            "{shown}"
        );

        let key = stage.key();
        let made = batch_of(&stage, "bureau", &key).await.unwrap();
        let again = batch_of(&stage, "bureau", &key).await.unwrap();
        assert_eq!(made, again, "the same bytes");
        let [line] = lines(&opener, &made).try_into().unwrap();
        assert_eq!(line["embossedName"], "ADA BYRON");
        assert_eq!(line["cvv2"].as_str().unwrap().len(), 3);
        assert_eq!(line["order"], ordered.order.as_str());
        let none = batch_of(&stage, "bureau", &stage.key()).await.unwrap_err();
        assert!(is(&none, "NO_ORDERS_WAIT"));
        assert_eq!(waiting::count(&stage.vault).unwrap(), (1, 0));
        stage.clock.advance(time::Duration::hours(49));
        assert_eq!(waiting::count(&stage.vault).unwrap(), (1, 1));

        let ship = || Step::Ship(ShipOrder::default());
        let early = say(&stage, &ordered.order, ship()).await.unwrap_err();
        assert!(is(&early, "ORDER_STATE"));
        say(&stage, &ordered.order, Step::Confirm).await.unwrap();
        assert_eq!(waiting::count(&stage.vault).unwrap(), (0, 0));
        assert!(record(&stage, &ordered.order).address.is_some());
        say(&stage, &ordered.order, ship()).await.unwrap();
        let kept = record(&stage, &ordered.order);
        assert!(
            kept.address.is_none() && kept.embossed_name.is_none(),
            "nobody needs them now"
        );
        say(&stage, &ordered.order, Step::Return(ReturnReason::Refused))
            .await
            .unwrap();
        say(&stage, &ordered.order, ship()).await.unwrap();
        let kinds = told(&stage).await;
        assert!(matches!(
            kinds.as_slice(),
            [
                NoticeKind::OrderInProduction,
                NoticeKind::OrderLinked { exp: None },
                NoticeKind::OrderShipped { .. },
                NoticeKind::OrderReturned { .. },
                NoticeKind::OrderShipped { .. },
            ]
        ));
        let card = stage.vault.card_alone(&ordered.card).unwrap().record;
        assert_eq!(card.standing.name(), Standing::Open);
    }
}

#[tokio::test]
async fn an_order_is_proven_but_for_an_operators() {
    let stage = Stage::new().await;
    with_key(&stage, 100).await;
    let phone = stage.phone().await;
    for channel in [Channel::Customers, Channel::Secure] {
        let unproven = order(&stage, &phone, channel, false).await;
        assert!(matches!(unproven, Err(Error::ProofRequired)), "{channel:?}");
    }
    order(&stage, &phone, Channel::Admin, false).await.unwrap();
}

#[tokio::test]
async fn another_bureau_and_a_used_up_budget_get_nothing() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 1).await;
        let phone = stage.phone().await;
        let first = order(&stage, &phone, Channel::Customers, true).await.unwrap();
        let other = batch_of(&stage, "other", &stage.key()).await;
        assert!(matches!(other, Err(Error::NotFound(_))));
        batch_of(&stage, "bureau", &stage.key()).await.unwrap();
        let (event, strange, key) = (stage.event(Operation::ChangeOrder), bureau("other"), stage.key());
        let step = change(&stage.vault, event, &strange, first.order, &key, Step::Confirm);
        assert!(matches!(step.await, Err(Error::NotFound(_))));
        let second = order(&stage, &phone, Channel::Customers, true).await.unwrap();
        let refused = batch_of(&stage, "bureau", &stage.key()).await;
        assert!(matches!(refused, Err(Error::Budget(_))));
        assert_eq!(told(&stage).await.len(), 1, "nothing was written");
        stage.clock.advance(time::Duration::hours(2));
        let later = batch_of(&stage, "bureau", &stage.key()).await.unwrap();
        assert_eq!(lines(&opener, &later)[0]["order"], second.order.as_str());
    }
}

#[tokio::test]
async fn what_will_not_be_made_closes_its_card_and_frees_the_plastic() {
    for stage in Stage::each().await {
        let opener = with_key(&stage, 100).await;
        let phone = stage.phone().await;
        let failed = order(&stage, &phone, Channel::Customers, true).await.unwrap();
        let late = order(&stage, &phone, Channel::Customers, true).await.unwrap();
        let erased = order(&stage, &phone, Channel::Customers, true).await.unwrap();
        erase::erase(&stage.vault, stage.event(Operation::Erase), erased.card.clone())
            .await
            .unwrap();
        let made = batch_of(&stage, "bureau", &stage.key()).await.unwrap();
        assert_eq!(lines(&opener, &made).len(), 2, "a closed card is not made");
        say(&stage, &failed.order, Step::Fail(FailureReason::Material))
            .await
            .unwrap();
        say(&stage, &late.order, Step::Confirm).await.unwrap();
        say(&stage, &late.order, Step::Fail(FailureReason::Lost))
            .await
            .unwrap();
        let standing = |card| stage.vault.card_alone(card).unwrap().record.standing.name();
        assert_eq!(standing(&failed.card), Standing::Closed);
        assert_eq!(standing(&late.card), Standing::Open, "its holder knows it");
        let closed = told(&stage).await.into_iter().filter_map(|kind| match kind {
            NoticeKind::OrderFailed { card_closed, .. } => Some(card_closed),
            _ => None,
        });
        assert_eq!(closed.collect::<Vec<_>>(), [true, true, false]);
        let by_hand = say(&stage, &late.order, Step::Fail(FailureReason::CardClosed)).await;
        assert!(by_hand.is_err());
    }
}

#[tokio::test]
async fn name_and_address_go_with_the_card_at_the_latest() {
    for stage in Stage::each().await {
        with_key(&stage, 100).await;
        let phone = stage.phone().await;
        let ordered = order(&stage, &phone, Channel::Customers, true).await.unwrap();
        assert!(record(&stage, &ordered.order).address.is_some());
        erase::erase(&stage.vault, stage.event(Operation::Erase), ordered.card)
            .await
            .unwrap();
        stage.clock.advance(time::Duration::days(30));
        assert_eq!(sweep::destroy_due(&stage.vault).await.unwrap(), 1);
        let left = record(&stage, &ordered.order);
        assert!(left.address.is_none() && left.embossed_name.is_none());
    }
}
