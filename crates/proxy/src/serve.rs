//! Start, drain and stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use headroom::Engine;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::Config;
use crate::access::Known;
use crate::app::App;
use crate::metrics::Metrics;
use crate::receipts::{Receipts, Told};
use crate::room::Rooms;
use crate::routes::route;
#[cfg(feature = "otlp")]
use crate::telemetry::Telemetry;
use crate::upgrade::Upgrades;
use crate::upstream::Upstream;
use crate::witness::Trees;

/// Time in which a client has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It was to listen beyond this machine without a token.
    #[error(
        "refusing to listen on {listen}, which other machines can reach, without a token; set one, turn grants on, or listen on 127.0.0.1"
    )]
    OpenWithoutToken {
        /// The address.
        listen: SocketAddr,
    },
    /// The address could not be had.
    #[error("cannot listen on {listen}: {source}; choose another port")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The HTTP client could not be made: certificates or proxy settings of the system.
    #[error("cannot set up connections to the providers: {0}")]
    Upstream(#[from] reqwest::Error),
    /// What is measured could not be sent where it was to be sent.
    #[cfg(feature = "otlp")]
    #[error("cannot set up the export of spans and metrics: {0}")]
    Export(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// A running proxy. It stops when this is dropped, at once, or in good order with [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    /// Gone when the proxy has stopped. The receipts' writer ends with it, so nobody else holds it.
    app: Weak<App>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// Starts the proxy on the runtime this is called from.
///
/// # Errors
///
/// When it may not listen where it is told to, or cannot.
pub async fn serve(config: Config, engine: Engine) -> Result<Running, ServeError> {
    let listen = config.listen;
    if !listen.ip().is_loopback() && config.token.is_none() && !config.grants {
        return Err(ServeError::OpenWithoutToken { listen });
    }
    let upstream = Upstream::new(&config)?;
    let bound = TcpListener::bind(listen).await;
    let listener = bound.map_err(|source| ServeError::Bind { listen, source })?;
    let addr = listener.local_addr().map_err(|source| ServeError::Bind { listen, source })?;
    let metrics = Arc::new(Metrics::default());
    let told = Told {
        metrics: Arc::clone(&metrics),
        #[cfg(feature = "otlp")]
        telemetry: Arc::new(Telemetry::start(&config.export)?),
    };
    let (receipts, writer) = Receipts::start(engine.clone(), config.scope.clone(), told);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = Arc::new(Semaphore::new(cores));
    let rooms = Rooms::new(config.held_bytes);
    let (stop, stopped) = watch::channel(false);
    let (alive, gone) = mpsc::channel(1);
    let upgrades = Upgrades { stopping: stopped.clone(), _alive: alive };
    let (trees, known) = (Trees::new(&config), Known::default());
    let app = Arc::new(App { trees, known, config, engine, upstream, metrics, receipts, cpu, rooms, upgrades });
    let running = Arc::downgrade(&app);
    let accepting = tokio::spawn(accept(listener, app, writer, stopped, gone));
    Ok(Running { addr, app: running, stop, accepting })
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The figures of `GET /stats`, with the ledger of the last `hours` if they are given; `None` when it has stopped.
    pub async fn stats(&self, hours: Option<u64>) -> Option<serde_json::Value> {
        let app = self.app.upgrade()?;
        Some(crate::admin::figures(&app, hours).await)
    }

    /// Takes no more connections, lets requests under way finish (within the drain timeout), files their receipts.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true); // Fails when it has stopped already.
        let _ = (&mut self.accepting).await; // Fails when it panicked; there is nothing left to stop.
    }

    /// Runs until the process is asked to stop (SIGTERM or Ctrl-C), then stops in good order.
    pub async fn until_signal(self) {
        asked_to_stop().await;
        self.shutdown().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    app: Arc<App>,
    writer: JoinHandle<()>,
    mut stopped: watch::Receiver<bool>,
    mut gone: mpsc::Receiver<Infallible>,
) {
    let drain_timeout = app.config.drain_timeout;
    let connections = GracefulShutdown::new();
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => connect(stream, &app, &server, &connections),
            Err(error) => {
                // Out of file descriptors, usually: wait for some to come back instead of spinning.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    drop(app);
    let drained = async {
        connections.shutdown().await;
        // What was upgraded has left the server, and ends when its own work is done.
        gone.recv().await;
    };
    if tokio::time::timeout(drain_timeout, drained).await.is_err() {
        tracing::warn!("requests under way took too long to finish; they are cut off");
    }
    // The writer ends when the last request has filed its receipt; one that hangs must not hold the process.
    let _ = tokio::time::timeout(Duration::from_secs(5), writer).await;
}

fn connect(stream: TcpStream, app: &Arc<App>, server: &auto::Builder<TokioExecutor>, connections: &GracefulShutdown) {
    // Without it a small event waits for the client's acknowledgement of the last one.
    let _ = stream.set_nodelay(true);
    let app = Arc::clone(app);
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(route(app, request).await) }
    });
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be watched; only Ctrl-C stops in good order");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}
