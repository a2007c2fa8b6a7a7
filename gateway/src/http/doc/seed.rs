//! What the seed states: verbs and paths of the capability matrix that stand in its text. Every other route was decided
//! here, because the seed is silent or contradicts itself, and says so as `x-seed-status: assumed`.

use super::super::Route;

/// Verb and path, as the seed has them.
const STATED: &[(&str, &str)] = &[
    ("POST", "/customers/me/cards/virtual"),
    ("POST", "/customers/me/cards/virtual/async"),
    ("POST", "/customers/me/cards/{cardId}/lock"),
    ("POST", "/customers/me/cards/{cardId}/unlock"),
    ("DELETE", "/customers/me/cards/{cardId}"),
    ("GET", "/customers/me/cards/{cardId}"),
    ("POST", "/customers/me/cards/{cardId}/cvv"),
    ("POST", "/customers/me/cards/{cardId}/pin"),
    ("POST", "/customers/me/register"),
    ("POST", "/customers/me/balances"),
    ("POST", "/secure/customers/{customerId}/cards/virtual"),
    ("POST", "/secure/customers/{customerId}/cards/virtual/async"),
    ("POST", "/secure/customers/{customerId}/cards/{cardId}/lock"),
    ("POST", "/secure/customers/{customerId}/cards/{cardId}/unlock"),
    ("GET", "/secure/customers/{customerId}/cards/{cardId}"),
    ("POST", "/secure/customers/{customerId}/register"),
    ("POST", "/secure/customers/{customerId}/balances"),
    ("POST", "/admin/customers/{customerId}/cards/virtual"),
    ("POST", "/admin/cards/{cardId}/cvv"),
];

/// `stated` or `assumed`.
pub(super) fn status(route: &Route) -> &'static str {
    let stated = STATED
        .iter()
        .any(|(method, path)| route.method.as_str() == *method && route.path == *path);
    if stated { "stated" } else { "assumed" }
}

#[cfg(test)]
mod tests {
    use super::super::super::{ADMIN, PARTNER, PUBLIC};
    use super::*;

    #[test]
    fn what_the_seed_states_is_there() {
        for (method, path) in STATED {
            let there = [PUBLIC, PARTNER, ADMIN]
                .into_iter()
                .flatten()
                .any(|route| route.method.as_str() == *method && route.path == *path);
            assert!(there, "{method} {path}");
        }
    }
}
