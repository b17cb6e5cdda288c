//! Serves a router on a port: HTTP/1.1 and HTTP/2 as they come, bounded in connections and time, ended gracefully.

mod opening;
mod places;
mod stalling;

pub use places::Places;

use crate::{Diagnostics, Outcome};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use opening::Opening;
use places::Place;
use stalling::{Bounded, Streams, Watched};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a connection may stay silent before its first request.
const OPENING_TIME: Duration = Duration::from_secs(15);
/// How long an HTTP/1 connection may take for the head of a request, which includes being idle before it. SDKs send
/// metrics once a minute, and would meet a closed connection each time if this were shorter.
const HEAD_TIME: Duration = Duration::from_secs(75);
/// How often an HTTP/2 sender is asked whether it is still there.
const PING_TIME: Duration = Duration::from_secs(30);
/// How long requests may go on after shutdown began.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How long to wait when the system has no means for another connection.
const BREATHING_TIME: Duration = Duration::from_millis(100);

/// A port and what is behind it.
#[derive(Clone)]
pub struct Door {
    /// What the port is called in diagnostics and in the log.
    pub name: &'static str,
    pub router: Router,
    pub diagnostics: Diagnostics,
    /// Who finds no place waits to be accepted.
    pub places: Places,
}

/// Serves until shutdown; then ends what is under way within ten seconds.
///
/// # Errors
/// None as yet: what goes wrong with one connection is that connection's, and a lack of means passes.
pub async fn serve(listener: TcpListener, door: Door, shutdown: CancellationToken) -> std::io::Result<()> {
    let name = door.name;
    let port = Port { door, shutdown };
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = port.shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            Some((stream, place)) = port.accept(&listener) => {
                connections.spawn(port.clone().connection(stream, graceful.watcher(), place));
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!(receiver = name, "requests under way ten seconds after shutdown are broken off");
    }
    connections.shutdown().await;
    Ok(())
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

/// What all connections of a port share.
#[derive(Clone)]
struct Port {
    door: Door,
    shutdown: CancellationToken,
}

impl Port {
    /// The next connection, once there is a place for it.
    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, Place)> {
        let place = self.door.places.take().await?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Out of file descriptors, most likely: give others time to end.
                    tracing::warn!(receiver = self.door.name, %error, "a connection could not be accepted");
                    tokio::time::sleep(BREATHING_TIME).await;
                }
            }
        }
    }

    /// Serves one connection to its end. The place is held till then.
    async fn connection(self, mut stream: TcpStream, watcher: Watcher, place: Place) {
        // Answers are small; waiting to fill a packet would only delay them. Where it cannot be set, they are delayed.
        drop(stream.set_nodelay(true));
        let opening = tokio::select! {
            // Browsers open connections that they may never use; shutdown does not wait for those.
            () = self.shutdown.cancelled() => return,
            opening = tokio::time::timeout(OPENING_TIME, opening::read(&mut stream)) => opening,
        };
        match opening {
            Ok(Ok(Opening::Http(first))) => self.http(opening::rejoin(first, stream), watcher).await,
            Ok(Ok(Opening::Tls)) => self.note(
                "TLS handshake on a plaintext port",
                "this port speaks plain HTTP: use http:// instead of https://, or OTEL_EXPORTER_OTLP_INSECURE=true",
            ),
            Ok(Ok(Opening::Left) | Err(_)) => {}
            Err(_) => tracing::debug!(receiver = self.door.name, "a connection that asked for nothing was closed"),
        }
        drop(place);
    }

    async fn http(&self, stream: opening::Rejoined, watcher: Watcher) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_TIME)
            .max_concurrent_streams(256)
            .max_header_list_size(32 << 10);
        let streams = Arc::new(Streams::default());
        let service = TowerToHyperService::new(self.door.router.clone());
        let watched = Watched { service, streams: Arc::clone(&streams) };
        let connection = builder.serve_connection(TokioIo::new(Bounded::new(stream)), watched).into_owned();
        let ended = tokio::select! {
            ended = watcher.watch(connection) => ended,
            () = streams.stand_still() => Err(stalling::STALLED.into()),
        };
        let Err(error) = ended else { return };
        if is_not_http(&*error) {
            self.note(
                "bytes that are not HTTP",
                "send OTLP/HTTP or OTLP/gRPC to this port; other protocols are not spoken here",
            );
        } else {
            // A connection that breaks is the sender's to mend.
            tracing::debug!(receiver = self.door.name, error, "a connection ended badly");
        }
    }

    fn note(&self, summary: &str, hint: &str) {
        self.door.diagnostics.note(self.door.name, Outcome::Rejected, summary, hint, 0);
    }
}

fn is_not_http(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}
