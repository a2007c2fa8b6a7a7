//! Any sequence of steps, against a model of what is to come of it.

use shared::vault_api::plastic::OrderKind;

use super::*;

/// How far the model's order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Waiting,
    InProduction,
    Confirmed,
    Shipped,
    Returned,
    Failed,
}

/// What is known of a card that goes through any sequence of steps.
struct Model {
    token: CardToken,
    kind: OrderKind,
    end: Expiry,
    order: Option<(RenewalOrdered, At)>,
    line: Option<Value>,
    taken_over: bool,
    dead: bool,
}

impl Model {
    const fn new(token: CardToken, kind: OrderKind, end: Expiry) -> Self {
        Self {
            token,
            kind,
            end,
            order: None,
            line: None,
            taken_over: false,
            dead: false,
        }
    }

    async fn asks(&mut self, stage: &Stage) {
        let outcome = ask(stage, &self.token, self.end).await;
        if self.dead {
            assert!(matches!(outcome, Err(Error::Standing(_))), "{outcome:?}");
            return;
        }
        let ordered = outcome.unwrap();
        assert_eq!(ordered.kind, self.kind);
        match &self.order {
            Some((before, at)) if self.taken_over || *at != At::Failed => assert_eq!(*before, ordered),
            _ => (self.order, self.line) = (Some((ordered, At::Waiting)), None),
        }
    }

    async fn is_given_to_the_bureau(&mut self, stage: &Stage, opener: &Opener) {
        let made = batch_of(stage, "bureau", &stage.key()).await;
        let Some((ordered, at)) = self.order.as_mut().filter(|(_, at)| *at == At::Waiting) else {
            return assert!(is(&made.unwrap_err(), "NO_ORDERS_WAIT"));
        };
        *at = if self.dead { At::Failed } else { At::InProduction };
        if !self.dead {
            let [line] = lines(opener, &made.unwrap()).try_into().unwrap();
            assert_eq!(line["exp"], ordered.exp.to_string());
            self.line = Some(line);
        }
    }

    async fn bureau_says(&mut self, stage: &Stage, step: Step) {
        let Some((ordered, at)) = &mut self.order else {
            return;
        };
        let next = match (&step, *at) {
            (Step::Confirm, At::InProduction) => Some(At::Confirmed),
            (Step::Ship(_), At::Confirmed | At::Returned) => Some(At::Shipped),
            (Step::Return(_), At::Shipped) => Some(At::Returned),
            (Step::Fail(_), At::InProduction | At::Confirmed | At::Shipped | At::Returned) => {
                Some(At::Failed)
            }
            _ => None,
        };
        let confirmed = matches!(step, Step::Confirm) && next.is_some();
        let said = say(stage, &ordered.order, step).await;
        assert_eq!(said.is_ok(), next.is_some(), "{at:?}: {said:?}");
        *at = next.unwrap_or(*at);
        self.taken_over |= confirmed && self.kind == OrderKind::Print && !self.dead;
    }

    async fn is_activated(&mut self, stage: &Stage) {
        let outcome = activate(stage, &self.token, self.end).await;
        let in_hand =
            self.kind == OrderKind::Physical && matches!(self.order, Some((_, At::Confirmed | At::Shipped)));
        if self.dead {
            assert!(matches!(outcome, Err(Error::Standing(_))), "{outcome:?}");
        } else if self.taken_over || in_hand {
            outcome.unwrap();
            self.taken_over = true;
        } else {
            assert!(is(&outcome.unwrap_err(), "RENEWAL_NOT_READY"));
        }
    }

    async fn dies(&mut self, stage: &Stage, erased: bool) {
        if erased {
            erase::erase(&stage.vault, stage.event(Operation::Erase), self.token.clone())
                .await
                .unwrap();
        } else if !self.dead {
            lock(stage, &self.token).await;
        }
        self.dead = true;
    }

    /// What holds after every step.
    fn holds(&self, stage: &Stage) {
        let card = card(stage, &self.token);
        let next = self.order.as_ref().map(|(ordered, _)| ordered.exp);
        let exp = if self.taken_over { next.unwrap() } else { self.end };
        assert_eq!(card.exp, exp);
        if !self.dead {
            let under_way = !self.taken_over && self.order.as_ref().is_some_and(|(_, at)| *at != At::Failed);
            assert_eq!(card.next.is_some(), under_way, "{:?}", self.order);
        }
        assert!(card.plastic, "there is plastic, whatever comes of the next");
    }
}

/// Any sequence of steps, of bureau, gateway, holder and officers, leaves one end and one code that hold, or none.
#[tokio::test]
async fn any_sequence_of_steps_leaves_one_piece_of_plastic_in_use() {
    let stage = Stage::new().await;
    let opener = with_key(&stage, 10_000).await;
    let mut cards = Vec::new();
    for number in 0..16 {
        // Each its own holder: how many one may have in an hour is not what is tested.
        let phone = stage.phone().await;
        cards.push(if number % 2 == 0 {
            let (token, line) = physical(&stage, &opener, &phone).await;
            (token, OrderKind::Physical, Some(line))
        } else {
            (printed(&stage, &opener, &phone).await.0, OrderKind::Print, None)
        });
    }
    days_before_end(&stage, &cards[0].0, 45);
    let (mut random, mut outcomes) = (0x5EED_u64, [0; 3]);
    for (token, kind, old) in cards {
        let end = card(&stage, &token).exp;
        let mut model = Model::new(token, kind, end);
        for _ in 0..24 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match (random >> 33) % 32 {
                0..=5 => model.asks(&stage).await,
                6..=13 => model.is_given_to_the_bureau(&stage, &opener).await,
                14..=19 => model.bureau_says(&stage, Step::Confirm).await,
                20..=22 => model.bureau_says(&stage, Step::Ship(ShipOrder::default())).await,
                23 => {
                    model
                        .bureau_says(&stage, Step::Return(ReturnReason::Refused))
                        .await
                }
                24..=25 => model.bureau_says(&stage, Step::Fail(FailureReason::Lost)).await,
                26..=30 => model.is_activated(&stage).await,
                _ => model.dies(&stage, random % 2 == 0).await,
            }
            model.holds(&stage);
        }
        // Nothing of this card waits when the next one has its turn.
        model.is_given_to_the_bureau(&stage, &opener).await;
        outcomes[usize::from(model.dead) + 2 * usize::from(!model.dead && model.taken_over)] += 1;
        if let Some(old) = old {
            let match_if = |holds: bool| if holds { Outcome::Match } else { Outcome::NoMatch };
            let in_use = !model.dead && !model.taken_over;
            assert_eq!(verified_line(&stage, &old).await, match_if(in_use));
            if let Some(line) = &model.line {
                let in_use = !model.dead && model.taken_over;
                assert_eq!(verified_line(&stage, line).await, match_if(in_use));
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "one-sided: {outcomes:?}");
}
