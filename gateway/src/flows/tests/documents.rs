//! Documents of KYC applications over a real database.

use ring::rand::SystemRandom;

use super::super::kyc_documents::{Sent, content, delete, receive, reseal};
use super::super::set_kyc::{Decision, set_kyc};
use super::{answer, request};
use crate::document_keys::DocumentName;
use crate::domain::kyc::samples::{jpeg_sample, png_sample};
use crate::domain::kyc::{DocumentId, DocumentKind, DocumentType, KycStatus};
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::Request;
use crate::store::kyc_documents::{self, Document};
use crate::store::tests::people::user;
use crate::testing::stages;

async fn send(
    services: &Services,
    request: &Request,
    user: UserId,
    bytes: Vec<u8>,
) -> Result<Option<Document>, Error> {
    let sent = Sent {
        kind: DocumentKind::Selfie,
        content_type: DocumentType::Png,
        bytes: bytes.into(),
    };
    let mut made = None;
    receive(services, request, user, sent, |document| {
        made = Some(*document);
        Ok(answer())
    })
    .await?;
    Ok(made)
}

#[tokio::test]
async fn a_document_is_taken_once_for_each_key_and_opens_as_it_was_sent() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let picture = png_sample(4, 4);
        let first = send(services, &request(Some("k")), ada, picture.clone())
            .await
            .unwrap();
        let first = first.unwrap();
        let again = send(services, &request(Some("k")), ada, picture.clone())
            .await
            .unwrap();
        assert!(again.is_none(), "{}", stage.engine);
        let opened = content(services, &first).await.unwrap();
        assert_eq!(opened.as_slice(), picture, "{}", stage.engine);
        let wrong = send(services, &request(None), ada, jpeg_sample())
            .await
            .unwrap_err();
        assert_eq!(wrong.code(), Code::ValidationFailed);
        delete(services, ada, first.name.id).await.unwrap();
        let gone = delete(services, ada, first.name.id).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound, "{}", stage.engine);
    }
}

#[tokio::test]
async fn a_user_has_only_so_many_documents_and_none_once_accepted() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        for _ in 0..services.config.kyc.documents_per_user {
            send(services, &request(None), ada, png_sample(1, 1))
                .await
                .unwrap();
        }
        let more = send(services, &request(None), ada, png_sample(1, 1))
            .await
            .unwrap_err();
        assert_eq!(more.code(), Code::TooManyDocuments, "{}", stage.engine);
        let bob = user(&services.db, "partner", 2).await;
        let accepted = Decision {
            status: KycStatus::Accepted,
            provider: "desk".to_owned(),
            reference: "case".to_owned(),
            rejection: None,
        };
        set_kyc(services, bob, &accepted).await.unwrap();
        let late = send(services, &request(None), bob, png_sample(1, 1))
            .await
            .unwrap_err();
        assert_eq!(late.code(), Code::KycAccepted, "{}", stage.engine);
    }
}

#[tokio::test]
async fn what_an_earlier_key_sealed_is_sealed_anew_and_stays_what_it_was() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let plain = vec![7; 300_000];
        let mut tx = services.db.begin().await.unwrap();
        let mut names = Vec::new();
        for _ in 0..3 {
            let name = DocumentName {
                user: ada,
                id: kyc_documents::next_id(&mut tx).await.unwrap(),
                kind: DocumentKind::Other,
                content_type: DocumentType::Pdf,
                size: 300_000,
            };
            let sealed = stage
                .earlier_documents
                .seal(&name, &plain, &SystemRandom::new())
                .unwrap();
            kyc_documents::insert(&mut tx, &name, &sealed, services.now())
                .await
                .unwrap();
            names.push(name);
        }
        tx.commit().await.unwrap();
        assert_eq!(reseal(services).await.unwrap(), 3, "{}", stage.engine);
        assert_eq!(reseal(services).await.unwrap(), 0, "{}", stage.engine);
        let mut read = services.db.read().await.unwrap();
        let key = services.documents.keys.current();
        let rest = kyc_documents::under_other_keys(&mut read, key, DocumentId(0), 9).await;
        assert!(rest.unwrap().is_empty(), "{}", stage.engine);
        for name in names {
            let document = kyc_documents::find(&mut read, ada, name.id)
                .await
                .unwrap()
                .unwrap();
            let sealed = kyc_documents::sealed(&mut read, name.id).await.unwrap().unwrap();
            assert!(
                stage.earlier_documents.open(&name, &sealed).is_err(),
                "{}",
                stage.engine
            );
            assert_eq!(content(services, &document).await.unwrap().as_slice(), plain);
        }
    }
}
