use super::*;
use crate::domain::operator::Scope;
use crate::store::audit::{self, Outcome, Stamp};

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_an_entry() {
    for test in databases().await {
        let mut tx = test.db.begin().await.unwrap();
        let stamp = Stamp::by_command_line("CREATE_OPERATOR").saying("ADMIN");
        audit::write(&mut tx, &stamp, Outcome::Done, NOON).await.unwrap();
        tx.commit().await.unwrap();
        for statement in [
            "UPDATE operator_audit SET action = 'NOTHING'",
            "DELETE FROM operator_audit",
        ] {
            let mut tx = test.db.begin().await.unwrap();
            let refused = sqlx::query(statement).execute(&mut *tx).await;
            let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                refused.contains("append-only"),
                "{} {statement}: {refused}",
                test.engine
            );
        }
        let mut read = test.db.read().await.unwrap();
        let entries = audit::list(&mut read, &Scope::Platform, 0, 9).await.unwrap();
        assert_eq!(entries.len(), 1, "{}", test.engine);
    }
}

#[tokio::test]
async fn an_entry_is_there_when_its_effect_is_and_not_otherwise() {
    for test in databases().await {
        let mut tx = test.db.begin().await.unwrap();
        let stamp = Stamp::by_command_line("CREATE_OPERATOR");
        audit::write(&mut tx, &stamp, Outcome::Done, NOON).await.unwrap();
        drop(tx);
        let mut read = test.db.read().await.unwrap();
        let entries = audit::list(&mut read, &Scope::Platform, 0, 9).await.unwrap();
        assert!(entries.is_empty(), "{}", test.engine);
    }
}
