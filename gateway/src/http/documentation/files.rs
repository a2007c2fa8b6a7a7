//! The files of the documentation, each with the tag by which callers say that they have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::Bytes;
use ring::digest::{SHA256, digest};
use utoipa_swagger_ui::{Config, serve};

use super::pages;
use crate::http::doc::document::Document;

/// The files of Swagger UI that the pages use, and no others: each with its media type.
const OF_SWAGGER_UI: [(&str, &str); 3] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
];

/// A file.
pub(super) struct File {
    pub(super) content_type: &'static str,
    /// A strong entity tag (RFC 9110 section 8.8.3): a hash of the content.
    pub(super) tag: String,
    pub(super) bytes: Bytes,
}

impl File {
    fn new(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let hash = digest(&SHA256, &bytes);
        let hex = |byte: &u8| format!("{byte:02x}");
        let tag = format!(
            "\"{}\"",
            hash.as_ref().iter().take(16).map(hex).collect::<String>()
        );
        Self {
            content_type,
            tag,
            bytes,
        }
    }

    fn html(text: String) -> Self {
        Self::new("text/html; charset=utf-8", text)
    }
}

/// All files.
pub(super) struct Known {
    index: File,
    of_documents: [(File, File); 3],
    assets: BTreeMap<String, File>,
}

impl Known {
    /// Writes pages and documents, and takes Swagger UI's files.
    pub(super) fn make() -> Self {
        let of_documents = Document::ALL.map(|document| {
            let text = document.build().to_string();
            (
                File::html(pages::reader(document)),
                File::new("application/json", text),
            )
        });
        let mut assets: BTreeMap<_, _> = Document::ALL
            .into_iter()
            .map(|document| {
                let script = File::new("text/javascript; charset=utf-8", pages::script(document));
                (pages::script_name(document), script)
            })
            .collect();
        assets.insert(
            "pages.css".to_owned(),
            File::new("text/css; charset=utf-8", pages::STYLE),
        );
        let config = Arc::new(Config::default());
        for (name, content_type) in OF_SWAGGER_UI {
            match serve(name, Arc::clone(&config)) {
                Ok(Some(file)) => {
                    assets.insert(name.to_owned(), File::new(content_type, file.bytes.into_owned()));
                }
                Ok(None) | Err(_) => tracing::error!(name, "a file of the documentation's pages is missing"),
            }
        }
        Self {
            index: File::html(pages::index()),
            of_documents,
            assets,
        }
    }

    /// The index page.
    pub(super) const fn index(&self) -> &File {
        &self.index
    }

    /// The page by which a document is read.
    pub(super) const fn page(&self, document: Document) -> &File {
        &self.of(document).0
    }

    /// A document.
    pub(super) const fn document(&self, document: Document) -> &File {
        &self.of(document).1
    }

    const fn of(&self, document: Document) -> &(File, File) {
        let [customer, secure, admin] = &self.of_documents;
        match document {
            Document::Customer => customer,
            Document::Secure => secure,
            Document::Admin => admin,
        }
    }

    /// A file of the pages.
    pub(super) fn asset(&self, name: &str) -> Option<&File> {
        self.assets.get(name)
    }
}
