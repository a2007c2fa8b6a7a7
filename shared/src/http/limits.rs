//! The limits of a listener: how many connections, and how long each stage of one may take.
//!
//! actix-http adds limits of its own that cannot be set: a request head of at most 128 KiB with at most 96 header fields,
//! else 431. The time of a body is not limited by actix at all: see [`super::body`].

use std::fmt;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Service, ServiceFactory};
use actix_web::http::KeepAlive;
use actix_web::{Error, HttpServer};

/// Limits of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Worker threads, each with an event loop of its own.
    pub workers: usize,
    /// Open connections a worker; further ones wait in the backlog.
    pub connections_per_worker: usize,
    /// Handshakes under way a worker, for all listeners of the process: the costly stage that a stranger can start.
    pub handshakes_per_worker: usize,
    /// Connections that wait to be accepted.
    pub backlog: u32,
    /// For a TLS handshake.
    pub handshake_time: Duration,
    /// For a whole request head, from its first byte; of a new connection, from its opening.
    pub head_time: Duration,
    /// How long a connection may rest between two requests.
    pub rest_time: Duration,
    /// For a peer to take note that we close.
    pub close_time: Duration,
    /// For requests under way when the process is told to end.
    pub shutdown_time: Duration,
}

impl ListenerLimits {
    /// For a listener of the pair: the gateway's pool of connections rests long, strangers come no further than the
    /// handshake.
    #[must_use]
    pub const fn mutual(workers: usize) -> Self {
        Self {
            workers,
            connections_per_worker: 1_024,
            handshakes_per_worker: 64,
            backlog: 1_024,
            handshake_time: Duration::from_secs(5),
            head_time: Duration::from_secs(5),
            rest_time: Duration::from_secs(75),
            close_time: Duration::from_secs(1),
            shutdown_time: Duration::from_secs(20),
        }
    }

    /// For a listener that phones reach: many connections, soon closed when they rest.
    #[must_use]
    pub const fn public(workers: usize) -> Self {
        Self {
            connections_per_worker: 8_192,
            rest_time: Duration::from_secs(15),
            ..Self::mutual(workers)
        }
    }

    /// Sets the limits, and `TCP_NODELAY` (without it the first answer on a connection waits some 40 ms for an
    /// acknowledgement). Must come before the server is bound.
    pub fn apply<F, I, S, B>(&self, server: HttpServer<F, I, S, B>) -> HttpServer<F, I, S, B>
    where
        F: Fn() -> I + Send + Clone + 'static,
        I: actix_service::IntoServiceFactory<S, actix_http::Request>,
        S: ServiceFactory<actix_http::Request, Config = AppConfig> + 'static,
        S::Error: Into<Error> + 'static,
        S::InitError: fmt::Debug,
        S::Response: Into<actix_web::dev::Response<B>> + 'static,
        <S::Service as Service<actix_http::Request>>::Future: 'static,
        S::Service: 'static,
        B: MessageBody + 'static,
    {
        server
            .workers(self.workers)
            .max_connections(self.connections_per_worker)
            .max_connection_rate(self.handshakes_per_worker)
            .backlog(self.backlog)
            .tls_handshake_timeout(self.handshake_time)
            .client_request_timeout(self.head_time)
            .keep_alive(KeepAlive::Timeout(self.rest_time))
            .client_disconnect_timeout(self.close_time)
            .shutdown_timeout(self.shutdown_time.as_secs())
            .tcp_nodelay(true)
    }
}
