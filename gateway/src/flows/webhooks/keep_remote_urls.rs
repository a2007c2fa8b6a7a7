//! Keeps the remote URLs of programs as the configuration has them, at each start: an endpoint for each program that names one, so
//! that its partner is told from the first event on, without having called an API.
//!
//! Each is done in a transaction of its own and only where something differs, so that processes which start at the same time
//! neither make two nor wait for one another in a ring. Nobody is shown the first secret: the partner has it replaced.

use super::secret::fresh;
use crate::config::Program;
use crate::domain::webhook::{Endpoint, EndpointId, Kinds, WebhookUrl};
use crate::error::Error;
use crate::services::Services;
use crate::store::Tx;
use crate::store::webhooks::{self, remote_urls};

/// Makes those that are missing, moves those whose address has changed, deletes those that are not wanted any more.
///
/// # Errors
/// When the database is away.
pub async fn keep_remote_urls(services: &Services) -> Result<(), Error> {
    let there = {
        let mut read = services.db.read().await?;
        remote_urls::list(&mut read).await?
    };
    let programs = &services.config.programs;
    let wanted = |endpoint: &Endpoint| {
        let mut of_programs = programs.iter().filter(|program| program.remote_url.is_some());
        of_programs.any(|program| is_of(endpoint, program))
    };
    // First of all: a program that has changed hands gets an endpoint of its new partner's.
    for endpoint in there.iter().filter(|endpoint| !wanted(endpoint)) {
        delete(services, endpoint.id).await?;
    }
    for program in programs {
        let Some(url) = &program.remote_url else { continue };
        let stands = |endpoint: &Endpoint| is_of(endpoint, program) && endpoint.url == *url;
        if !there.iter().any(stands) {
            put(services, program, url).await?;
        }
    }
    Ok(())
}

fn is_of(endpoint: &Endpoint, program: &Program) -> bool {
    endpoint.partner == program.partner && endpoint.program.as_ref() == Some(&program.name)
}

async fn delete(services: &Services, id: EndpointId) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    if webhooks::take(&mut tx, id).await?.is_some() {
        webhooks::delete(&mut tx, id).await?;
    }
    tx.commit().await?;
    tracing::info!(endpoint = id.0, "a remote URL is in the configuration no more");
    Ok(())
}

async fn put(services: &Services, program: &Program, url: &WebhookUrl) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    let found = match remote_urls::take(&mut tx, &program.partner, &program.name).await? {
        None if make(services, &mut tx, program, url).await? => None,
        // Another process has made it since.
        None => remote_urls::take(&mut tx, &program.partner, &program.name).await?,
        found => found,
    };
    if let Some(endpoint) = found.filter(|endpoint| endpoint.url != *url) {
        let moved = endpoint.moved_to(url.clone());
        webhooks::change(&mut tx, &moved).await?;
        webhooks::set_disabled(&mut tx, moved.id, moved.disabled_by).await?;
    }
    tx.commit().await?;
    tracing::info!(program = program.name.as_str(), "the program's remote URL is set");
    Ok(())
}

/// False when the program has one.
async fn make(services: &Services, tx: &mut Tx, program: &Program, url: &WebhookUrl) -> Result<bool, Error> {
    let id = webhooks::next_id(tx).await?;
    let (_, sealed) = fresh(services, id)?;
    let endpoint = Endpoint {
        id,
        partner: program.partner.clone(),
        program: Some(program.name.clone()),
        url: url.clone(),
        kinds: Kinds::All,
        description: None,
        disabled_by: None,
        failing_since: None,
        old_secret_until: None,
        created_at: services.now(),
    };
    Ok(webhooks::insert(tx, &endpoint, &sealed).await?)
}
