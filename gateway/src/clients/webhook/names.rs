//! Names of endpoints' hosts, resolved once for each connection: the addresses that are judged here are those that are then
//! connected to. A name that shows a public address first and another one later (DNS rebinding) gains nothing.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use crate::domain::webhook::address::Reach;

/// Resolves names, and leaves out addresses that are not called from here.
pub(super) struct CheckedNames {
    pub(super) reach: Reach,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameError {
    /// It has no address, or nobody could be asked.
    #[error("the name has no address")]
    Unknown,
    /// It has none that is called from here.
    #[error("the name has no address that is called from here")]
    Refused,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            // The port is the URL's: the client puts it in.
            let found = lookup_host((name.as_str(), 0))
                .await
                .map_err(|_| NameError::Unknown)?;
            let (called, refused): (Vec<_>, Vec<_>) = found.partition(|address| reach.covers(address.ip()));
            if called.is_empty() {
                let reason = if refused.is_empty() {
                    NameError::Unknown
                } else {
                    NameError::Refused
                };
                return Err(reason.into());
            }
            let addresses: Addrs = Box::new(called.into_iter());
            Ok(addresses)
        })
    }
}
