//! What flows do on a real database while the vault is away: nothing half-done, and what needs no vault goes on.

mod life;
mod renewal;
mod standing;
mod trail;

use shared::public_key::PublicKey;
use shared::vault_api::Channel;
use shared::vault_api::cards::IssueCard;
use sqlx::Row as _;

use super::create_virtual::{CardWish, IssueProof, NewCardBody, NewVirtualCard, create_virtual};
use super::print::{Plastic, print};
use super::*;
use crate::domain::balance::BalanceId;
use crate::domain::card::NewCard;
use crate::domain::lock::LockCode;
use crate::domain::user::UserId;
use crate::flows::claimed::{Opened, open};
use crate::store::card_requests::{self, Issue, Task};
use crate::store::cards::tests::{a_card, user_with_balance};
use crate::store::idempotency::{self, Answer, Request};
use crate::store::tests::NOON;
use crate::store::{Sequence, users};
use crate::testing::{Stage, stages};

/// A P-256 key (RFC 7515 appendix A.3), to which nothing is sealed here.
const RECIPIENT: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

/// A user with a balance, on a stage.
struct Desk {
    stage: Stage,
    user: UserId,
    balance: BalanceId,
}

/// One desk for each engine there is.
async fn desks() -> Vec<Desk> {
    let mut desks = Vec::new();
    for stage in stages().await {
        let (user, balance) = user_with_balance(&stage.services.db).await;
        desks.push(Desk { stage, user, balance });
    }
    desks
}

impl Desk {
    fn services(&self) -> &Services {
        &self.stage.services
    }

    async fn caller(&self, party: Party) -> CardCaller {
        let mut read = self.services().db.read().await.unwrap();
        let user = users::find(&mut read, self.user).await.unwrap().unwrap();
        let actor = Actor {
            channel: Channel::Customers,
            subject: None,
            device: None,
            trace_id: None,
        };
        CardCaller::new(self.services(), user, party, actor).unwrap()
    }

    async fn card(&self) -> Card {
        a_card(&self.services().db, self.user, self.balance).await
    }

    async fn state(&self, card: &Card) -> CardState {
        self.caller(Party::User)
            .await
            .card(self.services(), card.id)
            .await
            .unwrap()
            .standing
            .state
    }

    async fn create(&self, balance: BalanceId, proven: bool) -> Result<Answer, Error> {
        self.create_if(balance, proven, Ok(())).await
    }

    async fn create_if(
        &self,
        balance: BalanceId,
        proven: bool,
        admitted: Result<(), Error>,
    ) -> Result<Answer, Error> {
        let proof = proven.then(|| IssueProof {
            holder_proof: "a.b.c".to_owned(),
            issue_key: "key".parse().unwrap(),
        });
        let wish = CardWish {
            balance,
            name: None,
            replaces: None,
        };
        let new = NewVirtualCard {
            body: NewCardBody::Plain(wish),
            recipient: recipient(),
            proof: Ok(proof),
        };
        let caller = self.caller(Party::User).await;
        create_virtual(self.services(), &caller, new, &request("key", 1), || admitted).await
    }

    async fn reset_cvv(
        &self,
        card: &Card,
        proof: Result<Option<String>, Error>,
        admitted: Result<(), Error>,
    ) -> Result<Answer, Error> {
        let caller = self.caller(Party::User).await;
        let request = request("key", 1);
        reset_cvv::reset_cvv(
            self.services(),
            &caller,
            card,
            recipient(),
            proof,
            &request,
            || admitted,
        )
        .await
    }

    /// What a try leaves that was cut short, or got no answer: its entry.
    async fn earlier_try(&self) -> Option<i64> {
        let mut tx = self.services().db.begin().await.unwrap();
        let Opened::Claim(claim) = open(self.services(), &mut tx, &request("key", 1)).await.unwrap() else {
            panic!("answered before")
        };
        tx.commit().await.unwrap();
        claim.entry()
    }

    /// What a creation leaves that got no answer from the vault: its entry, and the work under an old proof.
    async fn earlier_creation(&self) {
        let entry = self.earlier_try().await;
        let caller = self.caller(Party::User).await;
        let mut tx = self.services().db.begin().await.unwrap();
        let card = NewCard {
            id: CardId(tx.next_number(Sequence::Cards).await.unwrap()),
            user: self.user,
            balance: self.balance,
            name: None,
            created_at: NOON,
            replaces: None,
        };
        let call = IssueCard {
            recipient: None,
            payload: None,
            holder_proof: Some("old.old.old".to_owned()),
            issue_key: None,
            refuse: false,
            actor: caller.actor.clone(),
        };
        let task = Task::Issue(Issue::new(caller.user.holder.clone(), &card, call));
        let key = "vault-key".parse().unwrap();
        card_requests::begin(&mut tx, card.id, entry, key, task, None, self.services().now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn written_task(&self) -> String {
        let mut read = self.services().db.read().await.unwrap();
        sqlx::query("SELECT task FROM card_requests")
            .fetch_one(&mut *read)
            .await
            .unwrap()
            .get(0)
    }

    async fn lock(&self, party: Party, card: &Card, code: LockCode, key: &str) -> Result<Answer, Error> {
        let fingerprint = code.number();
        let caller = self.caller(party).await;
        super::lock::lock(
            self.services(),
            &caller,
            card.id,
            code,
            &request(key, fingerprint),
        )
        .await
    }

    async fn unlock(&self, party: Party, card: &Card) -> Result<Answer, Error> {
        super::unlock::unlock(
            self.services(),
            &self.caller(party).await,
            card.id,
            &request("unlock", 0),
        )
        .await
    }

    async fn count(&self, table: &'static str) -> i64 {
        let mut read = self.services().db.read().await.unwrap();
        let statement = match table {
            "card_requests" => "SELECT count(*) FROM card_requests",
            "cards" => "SELECT count(*) FROM cards",
            _ => "SELECT count(*) FROM idempotency",
        };
        sqlx::query(statement).fetch_one(&mut *read).await.unwrap().get(0)
    }

    async fn write(&self, statement: &'static str) {
        let mut tx = self.services().db.begin().await.unwrap();
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn recipient() -> PublicKey {
    PublicKey::from_jwk(&serde_json::from_str(RECIPIENT).unwrap()).unwrap()
}

fn request(key: &str, fingerprint: u8) -> Request {
    Request {
        scope: "user:1 POST /x".to_owned(),
        key: Some(key.to_owned()),
        fingerprint: [fingerprint; 32],
    }
}

fn code(outcome: Result<Answer, Error>) -> Code {
    outcome.unwrap_err().code()
}

#[tokio::test]
async fn without_the_vault_no_card_is_created_and_the_key_is_free_again() {
    for desk in desks().await {
        for _ in 0..2 {
            assert_eq!(
                code(desk.create(desk.balance, false).await),
                Code::VaultUnavailable
            );
            for table in ["cards", "card_requests", "idempotency"] {
                assert_eq!(desk.count(table).await, 0, "{table}");
            }
        }
    }
}

#[tokio::test]
async fn a_repeat_that_does_not_reach_the_vault_leaves_what_the_first_try_began() {
    for desk in desks().await {
        desk.earlier_creation().await;
        // More often than the circuit needs to open.
        for _ in 0..7 {
            assert_eq!(
                code(desk.create(desk.balance, false).await),
                Code::VaultUnavailable
            );
            assert_eq!(desk.count("card_requests").await, 1, "{}", desk.stage.engine);
            assert_eq!(desk.count("idempotency").await, 1);
        }
    }
}

#[tokio::test]
async fn a_repeat_is_carried_out_under_its_own_proof() {
    for desk in desks().await {
        desk.earlier_creation().await;
        assert_eq!(
            code(desk.create(desk.balance, true).await),
            Code::VaultUnavailable
        );
        let task = desk.written_task().await;
        assert!(task.contains("a.b.c") && !task.contains("old.old"), "{task}");
        desk.create(desk.balance, false).await.unwrap_err();
        assert!(desk.written_task().await.contains("a.b.c"));
    }
}

#[tokio::test]
async fn a_creation_counts_as_a_reveal_when_it_shows_card_data_and_once_for_all_tries() {
    for desk in desks().await {
        let limited = || Err(Error::too_many(1));
        let create = |proven| desk.create_if(desk.balance, proven, limited());
        assert_eq!(code(create(true).await), Code::TooManyRequests);
        assert_eq!(code(create(false).await), Code::VaultUnavailable);
        assert_eq!(desk.count("idempotency").await, 0, "{}", desk.stage.engine);
        desk.earlier_creation().await;
        assert_eq!(code(create(true).await), Code::VaultUnavailable);
    }
}

#[tokio::test]
async fn work_that_cannot_be_read_is_kept_and_not_asked_for() {
    for desk in desks().await {
        desk.earlier_creation().await;
        desk.write(r#"UPDATE card_requests SET task = replace(task, '"name":null', '"name":""')"#)
            .await;
        assert_eq!(code(desk.create(desk.balance, false).await), Code::Internal);
        assert_eq!(desk.count("card_requests").await, 1, "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn a_reset_that_the_vault_may_have_done_keeps_its_key() {
    for desk in desks().await {
        let card = desk.card().await;
        let away = desk.reset_cvv(&card, Ok(None), Ok(())).await;
        assert_eq!(code(away), Code::VaultUnavailable);
        assert_eq!(desk.count("idempotency").await, 0, "{}", desk.stage.engine);
        desk.earlier_try().await;
        for _ in 0..2 {
            let away = desk.reset_cvv(&card, Ok(None), Ok(())).await;
            assert_eq!(code(away), Code::VaultUnavailable);
            assert_eq!(desk.count("idempotency").await, 1, "{}", desk.stage.engine);
        }
    }
}

#[tokio::test]
async fn proof_and_rate_are_judged_after_the_replay() {
    for desk in desks().await {
        let card = desk.card().await;
        let (bad, limited) = (
            || Err(Code::HolderProofInvalid.into()),
            || Err(Error::too_many(1)),
        );
        assert_eq!(
            code(desk.reset_cvv(&card, bad(), limited()).await),
            Code::HolderProofInvalid
        );
        assert_eq!(
            code(desk.reset_cvv(&card, Ok(None), limited()).await),
            Code::TooManyRequests
        );
        assert_eq!(desk.count("idempotency").await, 0, "{}", desk.stage.engine);
        let entry = desk.earlier_try().await;
        let word = answers::VaultsWord {
            vault_proof: None,
            audit_index: 17,
        };
        let first = answers::sealed("a.b.c.d.e", word).unwrap();
        let mut tx = desk.services().db.begin().await.unwrap();
        idempotency::complete(&mut tx, entry, first.clone())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let again = desk.reset_cvv(&card, bad(), limited()).await.unwrap();
        assert_eq!(again, first, "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn the_state_is_told_before_the_vault_is_asked_unless_there_is_a_proof_to_judge() {
    for desk in desks().await {
        let (_, foreign) = user_with_balance(&desk.services().db).await;
        assert_eq!(code(desk.create(foreign, false).await), Code::NotFound);
        assert_eq!(code(desk.create(foreign, true).await), Code::VaultUnavailable);
        desk.write("UPDATE balances SET state = 'LOCKED'").await;
        assert_eq!(
            code(desk.create(desk.balance, false).await),
            Code::BalanceRequired
        );
        desk.write("DELETE FROM accounts WHERE balance_id IS NOT NULL")
            .await;
        desk.write("DELETE FROM balances").await;
        assert_eq!(code(desk.create(foreign, false).await), Code::BalanceRequired);
        desk.write("UPDATE users SET kyc_status = 'REJECTED'").await;
        assert_eq!(code(desk.create(desk.balance, false).await), Code::KycRequired);
        assert_eq!(desk.count("idempotency").await, 0);
    }
}

#[tokio::test]
async fn final_locks_removals_and_plastic_wait_for_the_vault() {
    for desk in desks().await {
        desk.write(
            r#"UPDATE users SET address = '{"line1":"a","city":"b","postalCode":"c","country":"PL"}'"#,
        )
        .await;
        let card = desk.card().await;
        let caller = desk.caller(Party::User).await;
        for final_code in LockCode::ALL.into_iter().filter(|code| code.is_irreversible()) {
            let refused = desk.lock(Party::User, &card, final_code, "key").await;
            assert_eq!(code(refused), Code::VaultUnavailable);
        }
        assert_eq!(
            code(remove::remove(desk.services(), &caller, card.id).await),
            Code::VaultUnavailable
        );
        let plastic = Plastic {
            payload: None,
            recipient: recipient(),
            holder_proof: Ok(None),
        };
        let printed = print(desk.services(), &caller, card.id, plastic, &request("key", 1)).await;
        assert_eq!(code(printed), Code::VaultUnavailable);
        let unchanged = caller.card(desk.services(), card.id).await.unwrap();
        assert_eq!(unchanged, card);
        assert_eq!(desk.count("card_requests").await, 0);
        assert_eq!(desk.count("idempotency").await, 0);
    }
}
