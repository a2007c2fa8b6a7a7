use super::people::user;
use super::*;
use crate::document_keys::{DocumentName, SealedDocument};
use crate::domain::kyc::{DocumentId, DocumentKind, DocumentType, KycStatus};
use crate::domain::user::UserId;
use crate::store::kyc_applications::ApplicationId;
use crate::store::{kyc, kyc_applications, kyc_documents, users};

async fn document(tx: &mut Tx, user: UserId, content: u8) -> DocumentId {
    let name = DocumentName {
        user,
        id: kyc_documents::next_id(tx).await.unwrap(),
        kind: DocumentKind::Selfie,
        content_type: DocumentType::Jpeg,
        size: 2,
    };
    let sealed = SealedDocument {
        key: "key".to_owned(),
        salt: [content; 32],
        chunks: vec![vec![content; 3], vec![content; 4]],
    };
    kyc_documents::insert(tx, &name, &sealed, NOON).await.unwrap();
    assert_eq!(kyc_documents::sealed(tx, name.id).await.unwrap(), Some(sealed));
    name.id
}

async fn application(tx: &mut Tx, user: UserId, documents: &[DocumentId]) -> ApplicationId {
    let event = kyc::Event {
        user,
        status: KycStatus::InProgress,
        source: kyc::Source::User,
        provider: None,
        reference: Some("case of Ada"),
        application: Some("{\"firstName\":\"Ada\"}"),
        rejection: None,
    };
    let id = ApplicationId(kyc::insert(tx, &event, NOON).await.unwrap());
    users::set_kyc(tx, user, KycStatus::InProgress).await.unwrap();
    kyc_documents::attach(tx, id, documents).await.unwrap();
    id
}

#[tokio::test]
async fn a_document_that_an_application_came_with_is_kept_and_shown_with_it() {
    for test in databases().await {
        let (ada, bob) = (user(&test.db, "acme", 1).await, user(&test.db, "acme", 2).await);
        let mut tx = test.db.begin().await.unwrap();
        let (filed, free) = (document(&mut tx, ada, 1).await, document(&mut tx, ada, 2).await);
        let id = application(&mut tx, ada, &[filed]).await;
        let of_application = kyc_documents::of_application(&mut tx, id).await.unwrap();
        assert_eq!(of_application.len(), 1, "{}", test.engine);
        assert!(of_application[0].name.id == filed && of_application[0].submitted);
        let found = kyc_documents::find(&mut tx, ada, free).await.unwrap().unwrap();
        assert!(!found.submitted, "{}", test.engine);
        assert!(kyc_documents::find(&mut tx, bob, free).await.unwrap().is_none());
        kyc_documents::delete(&mut tx, free).await.unwrap();
        assert_eq!(kyc_documents::count(&mut tx, ada).await.unwrap(), 1);
        let refused = kyc_documents::delete(&mut tx, filed).await;
        assert!(refused.is_err(), "{}", test.engine);
    }
}

#[tokio::test]
async fn erasing_leaves_nothing_of_one_user_and_all_of_another() {
    for test in databases().await {
        let (ada, bob) = (user(&test.db, "acme", 1).await, user(&test.db, "acme", 2).await);
        let mut tx = test.db.begin().await.unwrap();
        let (hers, his) = (document(&mut tx, ada, 1).await, document(&mut tx, bob, 2).await);
        let (of_ada, of_bob) = (
            application(&mut tx, ada, &[hers]).await,
            application(&mut tx, bob, &[his]).await,
        );
        assert_eq!(kyc_documents::erase_of(&mut tx, ada).await.unwrap(), 1);
        kyc_applications::erase_of(&mut tx, ada).await.unwrap();
        assert_eq!(kyc_documents::sealed(&mut tx, hers).await.unwrap(), None);
        assert!(
            kyc_documents::of_application(&mut tx, of_ada)
                .await
                .unwrap()
                .is_empty()
        );
        for (table, left) in [
            ("kyc_documents", 1),
            ("kyc_document_chunks", 2),
            ("kyc_application_documents", 1),
        ] {
            let count = sqlx::query(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")));
            let row = count.fetch_one(&mut *tx).await.unwrap();
            assert_eq!(
                sqlx::Row::get::<i64, _>(&row, 0),
                left,
                "{table} on {}",
                test.engine
            );
        }
        assert!(
            kyc_applications::find(&mut tx, of_ada).await.unwrap().is_none(),
            "{}",
            test.engine
        );
        assert!(!kyc_applications::is_waiting(&mut tx, of_ada).await.unwrap());
        let kept = kyc_applications::find(&mut tx, of_bob).await.unwrap().unwrap();
        assert_eq!(kept.data, "{\"firstName\":\"Ada\"}");
        let rows = sqlx::query("SELECT reference FROM kyc_events WHERE user_id = $1").bind(ada.0);
        let row = rows.fetch_one(&mut *tx).await.unwrap();
        assert_eq!(
            sqlx::Row::get::<Option<String>, _>(&row, 0),
            None,
            "{}",
            test.engine
        );
    }
}
