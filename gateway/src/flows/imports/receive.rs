//! Takes in the file of an import: rows are kept as they come, some at a time, so that neither a long file nor a slow one is
//! ever in memory or holds up other writers. Only at its end is the request judged as a whole: the same request again is
//! answered as before, and what was taken in for it is dropped. A file that breaks off is dropped too, by the job.

use shared::ids::ProgramName;
use shared::mtls::identity::Name;

use super::{CardRow, NewcomerRow, failure, kept};
use crate::domain::import::{ImportId, ImportKind, LINES_MAX};
use crate::domain::person::ExternalId;
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::import_rows::{self, Failure, NewRow};
use crate::store::imports::{self, Import, NewImport};

/// Imports of a partner that may be under way at once.
const UNDER_WAY_MAX: i64 = 10;
/// Seconds after which to ask again when there are so many.
const RETRY_AFTER_SECONDS: u32 = 60;
/// Rows that are kept in one transaction.
const ROWS_AT_ONCE: usize = 200;

/// What is imported, and how.
pub struct Wanted {
    /// Whose import it is.
    pub partner: Name,
    /// Under which program new users come.
    pub program: ProgramName,
    /// What the lines are.
    pub kind: ImportKind,
    /// Whether nothing is to have an effect.
    pub dry_run: bool,
    /// The partner's own name of the import.
    pub name: Option<String>,
    /// The trace of the request.
    pub trace: String,
}

/// A file that is being taken in.
pub struct Receiving<'a> {
    services: &'a Services,
    id: ImportId,
    dry_run: bool,
    rows: Vec<NewRow>,
    count: i64,
}

impl<'a> Receiving<'a> {
    /// Begins.
    ///
    /// # Errors
    /// `TOO_MANY_REQUESTS` while the partner has as many imports under way as are allowed.
    pub async fn begin(services: &'a Services, wanted: &Wanted) -> Result<Self, Error> {
        let new = NewImport {
            partner: &wanted.partner,
            program: &wanted.program,
            kind: wanted.kind,
            dry_run: wanted.dry_run,
            name: wanted.name.as_deref(),
            trace: &wanted.trace,
        };
        let mut tx = services.db.begin().await?;
        if imports::count_under_way(&mut tx, &wanted.partner).await? >= UNDER_WAY_MAX {
            return Err(Error::too_many(RETRY_AFTER_SECONDS));
        }
        let id = imports::insert(&mut tx, &new, services.now()).await?;
        tx.commit().await?;
        Ok(Self {
            services,
            id,
            dry_run: wanted.dry_run,
            rows: Vec::with_capacity(ROWS_AT_ONCE),
            count: 0,
        })
    }

    /// Takes a row that brings a user.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE` for a file of more lines than are allowed.
    pub async fn user(&mut self, line: i64, row: &NewcomerRow) -> Result<(), Error> {
        let name = row.external_id.as_ref().map(ExternalId::as_str);
        let external_id = name.filter(|_| self.dry_run).map(str::to_owned);
        let content = Ok(kept::write(row)?);
        self.push(line, content, external_id).await
    }

    /// Takes a row that brings a card of a user who is there.
    ///
    /// # Errors
    /// As [`Receiving::user`].
    pub async fn card(&mut self, line: i64, row: &CardRow) -> Result<(), Error> {
        let content = Ok(kept::write_card(row)?);
        self.push(line, content, None).await
    }

    /// Takes a row that is not in order.
    ///
    /// # Errors
    /// As [`Receiving::user`].
    pub async fn bad(&mut self, line: i64, failure: Failure) -> Result<(), Error> {
        self.push(line, Err(failure), None).await
    }

    /// Takes a row that is longer than a row may be.
    ///
    /// # Errors
    /// As [`Receiving::user`].
    pub async fn too_long(&mut self, line: i64) -> Result<(), Error> {
        self.bad(line, failure("LINE_TOO_LONG", Vec::new())).await
    }

    async fn push(
        &mut self,
        line: i64,
        content: Result<Vec<u8>, Failure>,
        external_id: Option<String>,
    ) -> Result<(), Error> {
        self.count += 1;
        if self.count > LINES_MAX {
            return Err(Code::BodyTooLarge.into());
        }
        self.rows.push(NewRow {
            line,
            content,
            external_id,
        });
        if self.rows.len() >= ROWS_AT_ONCE {
            self.keep().await?;
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.services.db.begin().await?;
        let many = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        import_rows::insert(&mut tx, self.id, &self.rows).await?;
        imports::received(&mut tx, self.id, many, self.services.now()).await?;
        tx.commit().await?;
        self.rows.clear();
        Ok(())
    }

    /// Lets the import run, with the answer filed in the same commit; `render` writes it. What was answered before is
    /// answered again, and this file dropped.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED`, `IDEMPOTENCY_IN_FLIGHT`.
    pub async fn finish(
        mut self,
        request: &Request,
        render: impl FnOnce(&Import) -> Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        self.keep().await?;
        let services = self.services;
        let mut tx = services.db.begin().await?;
        let claim = match open(services, &mut tx, request).await {
            Ok(Opened::Claim(claim)) => claim,
            Ok(Opened::Replay(answer)) => {
                imports::delete(&mut tx, self.id).await?;
                tx.commit().await?;
                return Ok(answer);
            }
            Err(refused) => {
                drop(tx);
                self.drop_it().await?;
                return Err(refused);
            }
        };
        let import = imports::start(&mut tx, self.id, services.now())
            .await?
            .ok_or_else(|| Error::internal("an import is gone before it was received"))?;
        let answer = render(&import)?;
        claim.complete(&mut tx, &answer).await?;
        tx.commit().await?;
        services.imports.notify_one();
        Ok(answer)
    }

    /// Drops what was taken in.
    ///
    /// # Errors
    /// When the database is away: then the job drops it.
    pub async fn drop_it(self) -> Result<(), Error> {
        let mut tx = self.services.db.begin().await?;
        imports::delete(&mut tx, self.id).await?;
        tx.commit().await?;
        Ok(())
    }
}
