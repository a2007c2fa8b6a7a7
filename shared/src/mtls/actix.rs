//! The peer of a connection, at hand in every request, and checked again where it matters: before each request.
//!
//! A handshake looks at a certificate once; a kept-alive connection lives on. [`PeerGuard`] lets no request through whose
//! certificate has expired meanwhile or was checked against roots and lists that are no longer in force. In the usual
//! case that costs one comparison; after a reload each open connection is verified anew, once.

use std::any::Any;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Extensions, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::ConnectionType;
use actix_web::rt::net::TcpStream;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::peer::Peer;
use super::trust::ReloadingTrust;

/// The certificates that opened a connection, and what they were last checked against.
struct Connection {
    chain: Vec<CertificateDer<'static>>,
    peer: Arc<Peer>,
    /// The earliest end of validity in the chain.
    valid_until: OffsetDateTime,
    /// The generation of trust that accepted the chain; 0: the handshake's, of which we do not know the number.
    accepted_by: AtomicU64,
}

/// Keeps the peer's certificates with the connection. For [`actix_web::HttpServer::on_connect`] of a mutual listener.
pub fn remember_peer(io: &dyn Any, extensions: &mut Extensions) {
    let connection = io
        .downcast_ref::<TlsStream<TcpStream>>()
        .and_then(|stream| stream.get_ref().1.peer_certificates())
        .and_then(Connection::new);
    if let Some(connection) = connection {
        extensions.insert(connection);
    }
}

/// The peer that [`PeerGuard`] let in. None where no guard stands.
#[must_use]
pub fn peer(request: &HttpRequest) -> Option<Arc<Peer>> {
    request
        .extensions()
        .get::<Admitted>()
        .map(|admitted| Arc::clone(&admitted.0))
}

struct Admitted(Arc<Peer>);

/// Why a request on an open connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The connection has no peer: not a mutual listener, or no [`remember_peer`] there.
    #[error("no client certificate")]
    NoCertificate,
    /// A certificate of the chain has expired since the handshake.
    #[error("the client certificate has expired")]
    Expired,
    /// Revoked, or signed by a root that is trusted no more, or the revocation list is out of date.
    #[error("the client certificate is no longer accepted")]
    NoLongerAccepted,
}

impl Connection {
    fn new(chain: &[CertificateDer<'static>]) -> Option<Self> {
        let mut valid_until = Vec::with_capacity(chain.len());
        for certificate in chain {
            let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
            valid_until.push(parsed.validity().not_after.to_datetime());
        }
        Some(Self {
            chain: chain.to_vec(),
            peer: Arc::new(Peer::from_certificate(chain.first()?).ok()?),
            valid_until: valid_until.into_iter().min()?,
            accepted_by: AtomicU64::new(0),
        })
    }

    fn check(&self, trust: &ReloadingTrust) -> Result<Arc<Peer>, Refused> {
        let (current, now) = (trust.current(), trust.clock().now());
        if now > self.valid_until {
            return Err(Refused::Expired);
        }
        let fresh = now < current.lists_expire_at;
        if !fresh || self.accepted_by.load(Ordering::Acquire) != current.generation {
            current
                .check_client(&self.chain, trust.clock())
                .map_err(|error| {
                    tracing::warn!(peer = %self.peer.identity, %error, "open connection refused");
                    Refused::NoLongerAccepted
                })?;
            self.accepted_by.store(current.generation, Ordering::Release);
        }
        Ok(Arc::clone(&self.peer))
    }
}

/// Middleware of a mutual listener: checks the peer before each request. A refusal is rendered by the binary, and the
/// connection is closed with it.
pub struct PeerGuard {
    state: Rc<GuardState>,
}

struct GuardState {
    trust: Arc<ReloadingTrust>,
    render: fn(&HttpRequest, Refused) -> HttpResponse,
}

impl PeerGuard {
    /// A guard that asks `trust` and answers refusals (a 401) by `render`.
    #[must_use]
    pub fn new(trust: Arc<ReloadingTrust>, render: fn(&HttpRequest, Refused) -> HttpResponse) -> Self {
        Self {
            state: Rc::new(GuardState { trust, render }),
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for PeerGuard
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type InitError = ();
    type Transform = GuardedService<S>;
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(GuardedService {
            inner,
            state: Rc::clone(&self.state),
        }))
    }
}

/// An application behind a [`PeerGuard`].
pub struct GuardedService<S> {
    inner: S,
    state: Rc<GuardState>,
}

impl<S, B> Service<ServiceRequest> for GuardedService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let checked = request
            .conn_data::<Connection>()
            .ok_or(Refused::NoCertificate)
            .and_then(|connection| connection.check(&self.state.trust));
        match checked {
            Ok(peer) => {
                request.extensions_mut().insert(Admitted(peer));
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(answer.await?.map_into_left_body()) })
            }
            Err(refused) => {
                let mut answer = (self.state.render)(request.request(), refused);
                answer.head_mut().set_connection_type(ConnectionType::Close);
                let answer = request.into_response(answer).map_into_right_body();
                Box::pin(ready(Ok(answer)))
            }
        }
    }
}
