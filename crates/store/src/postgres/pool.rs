//! A few connections, and nothing kept in them.
//!
//! Every call is one transaction that says itself who it works for, with statements that have no name: behind a pooler that gives each
//! transaction another connection nothing is missed, and nothing is left behind for the next one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Failure;

/// How long a connection may take, and how long one is waited for.
const CONNECT: Duration = Duration::from_secs(3);

/// After a database could not be reached, calls fail at once for this long: a request does not wait for what is known to be away.
const AWAY: Duration = Duration::from_millis(500);

/// Connections to one database.
pub(super) struct Pool {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Client>>,
    /// Until when it is left alone, and why.
    away: Mutex<Option<(Instant, String)>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A connection for one transaction. It goes back only if that ended well.
pub(super) struct Borrowed {
    pub(super) client: Client,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(mut config: Config, size: usize) -> Result<Self, String> {
        config.connect_timeout(CONNECT);
        if config.get_application_name().is_none() {
            config.application_name("headroom");
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(tls()?),
        };
        let places = Arc::new(Semaphore::new(size));
        Ok(Self { config, tls, places, idle: Mutex::default(), away: Mutex::default() })
    }

    pub(super) async fn borrow(&self) -> Result<Borrowed, Failure> {
        if let Some((until, why)) = &*lock(&self.away)
            && Instant::now() < *until
        {
            return Err(Failure::Away(why.clone()));
        }
        let place = timeout(CONNECT, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| Failure::Away("all connections are busy".to_owned()))?
            .map_err(|_| Failure::Away("the pool is closed".to_owned()))?;
        let idle = loop {
            match lock(&self.idle).pop() {
                Some(client) if client.is_closed() => {}
                other => break other,
            }
        };
        let client = match idle {
            Some(client) => client,
            None => self.connect().await.map_err(|why| self.leave_alone(why))?,
        };
        Ok(Borrowed { client, _place: place })
    }

    /// Fails calls at once for a while, with what this one is told.
    pub(super) fn leave_alone(&self, why: String) -> Failure {
        *lock(&self.away) = Some((Instant::now() + AWAY, why.clone()));
        Failure::Away(why)
    }

    /// Takes a connection back after a transaction that ended well.
    pub(super) fn give_back(&self, borrowed: Borrowed) {
        lock(&self.idle).push(borrowed.client);
    }

    /// A new connection, or why there is none.
    async fn connect(&self) -> Result<Client, String> {
        let connecting = async {
            match &self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    tokio::spawn(connection);
                    Ok::<_, tokio_postgres::Error>(client)
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    tokio::spawn(connection);
                    Ok(client)
                }
            }
        };
        match timeout(CONNECT, connecting).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(super::said(&error)),
            Err(_) => Err("no connection within three seconds".to_owned()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Certificates are checked against those that the operating system trusts.
fn tls() -> Result<MakeRustlsConnect, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is one that is not trusted.
        let _ = roots.add(certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
