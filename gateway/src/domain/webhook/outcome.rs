//! What came of a try.

use time::Duration;

/// Why a message did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The name of the host has no address.
    NameNotFound,
    /// The address is none that is called from here.
    AddressRefused,
    /// Nobody took the connection.
    NotReached,
    /// TLS was not agreed on: a certificate that is not trusted, a client certificate that is not taken.
    Tls,
    /// The answer did not come in time.
    TimedOut,
    /// The connection broke off.
    BrokenOff,
    /// The answer is no 2xx.
    Status,
    /// The answer is 410: the endpoint wants nothing any more.
    Gone,
    /// Something is broken on our side.
    Internal,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 9] = [
        Self::NameNotFound,
        Self::AddressRefused,
        Self::NotReached,
        Self::Tls,
        Self::TimedOut,
        Self::BrokenOff,
        Self::Status,
        Self::Gone,
        Self::Internal,
    ];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NameNotFound => "NAME_NOT_FOUND",
            Self::AddressRefused => "ADDRESS_REFUSED",
            Self::NotReached => "NOT_REACHED",
            Self::Tls => "TLS_FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::BrokenOff => "BROKEN_OFF",
            Self::Status => "STATUS",
            Self::Gone => "GONE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint took it, with this status.
    Arrived(u16),
    /// It did not.
    Failed {
        /// Why.
        failure: Failure,
        /// The status, where there was an answer.
        status: Option<u16>,
        /// When the endpoint wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// Judges an answer: 2xx is taken, everything else is not, redirects among it.
    #[must_use]
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Arrived(status),
            410 => Self::failed(Failure::Gone, Some(status), None),
            _ => Self::failed(Failure::Status, Some(status), retry_after),
        }
    }

    /// There was no answer.
    #[must_use]
    pub const fn no_answer(failure: Failure) -> Self {
        Self::failed(failure, None, None)
    }

    const fn failed(failure: Failure, status: Option<u16>, retry_after: Option<Duration>) -> Self {
        Self::Failed {
            failure,
            status,
            retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_taken() {
        for status in [200, 201, 204, 299] {
            assert_eq!(Outcome::of_status(status, None), Outcome::Arrived(status));
        }
        for status in [100, 301, 302, 304, 307, 308, 400, 404, 429, 500, 503, 600] {
            let Outcome::Failed { failure, .. } = Outcome::of_status(status, None) else {
                panic!("{status} was taken");
            };
            assert_eq!(failure, Failure::Status);
        }
        let gone = Outcome::of_status(410, None);
        assert!(matches!(
            gone,
            Outcome::Failed {
                failure: Failure::Gone,
                ..
            }
        ));
    }
}
