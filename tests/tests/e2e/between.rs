//! A proxy between gateway and vault that ends TLS on both sides: with the vault's certificate towards the gateway, with the
//! gateway's towards the vault. What becomes of the bytes is its user's to say.

use std::sync::Arc;

use anyhow::Result;
use deploy::actors::{Credentials, tls};
use deploy::stand::Stand;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// The gateway's side of a connection.
pub type Near = server::TlsStream<TcpStream>;
/// The vault's side of it.
pub type Far = client::TlsStream<TcpStream>;

/// Stands between the pair as long as the test runs; each connection is given to `relay`.
pub fn stand_between<R>(
    stand: &Stand,
    listener: TcpListener,
    relay: impl Fn(Near, Far) -> R + Clone + Send + Sync + 'static,
) -> Result<()>
where
    R: Future<Output = Result<()>> + Send,
{
    let (set, vault) = (stand.certificates(), stand.ports().vault);
    let client = tls(
        &set.internal_ca.certificate,
        Some(&Credentials::from(&set.gateway_client)),
    )?;
    let server = server_half(&Credentials::from(&set.vault))?;
    let (acceptor, connector) = (
        TlsAcceptor::from(Arc::new(server)),
        TlsConnector::from(Arc::new(client)),
    );
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, connector, relay) = (acceptor.clone(), connector.clone(), relay.clone());
            tokio::spawn(async move {
                // A connection that fails fails on both sides; the test sees it in its answers.
                let _ = connect(socket, &acceptor, &connector, vault, relay).await;
            });
        }
    });
    Ok(())
}

async fn connect<R: Future<Output = Result<()>>>(
    socket: TcpStream,
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
    vault: u16,
    relay: impl Fn(Near, Far) -> R,
) -> Result<()> {
    let near = acceptor.accept(socket).await?;
    let far = TcpStream::connect(("127.0.0.1", vault)).await?;
    let far = connector.connect(ServerName::try_from("localhost")?, far).await?;
    relay(near, far).await
}

fn server_half(vault: &Credentials) -> Result<ServerConfig> {
    let chain = vault.chain()?.into_iter().map(CertificateDer::from).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(builder
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&vault.key)?)?)
}
