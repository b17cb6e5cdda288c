//! Serves a router on a port: HTTP/1.1 and HTTP/2 as they come, bounded in connections and time, ended gracefully.

use crate::{Diagnostics, Outcome};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections of one port; more wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// How long a connection may take to say what it wants.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// How long requests may go on after shutdown began.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Serves until shutdown; then ends what is under way within ten seconds.
///
/// # Errors
/// When the port can no longer be listened on.
pub async fn serve(
    listener: TcpListener,
    name: &'static str,
    router: Router,
    diagnostics: Diagnostics,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                // Out of file descriptors, most likely: give others time to end.
                tracing::warn!(receiver = name, %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        let (watcher, diagnostics) = (graceful.watcher(), diagnostics.clone());
        connections.spawn(async move {
            let _place = place;
            if is_tls(&stream).await {
                let hint = "this port speaks plain HTTP: use http:// instead of https://, or OTEL_EXPORTER_OTLP_INSECURE=true";
                diagnostics.note(name, Outcome::Rejected, "TLS handshake on a plaintext port", hint, 0);
                return;
            }
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
            builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30)).max_concurrent_streams(256);
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            // A connection that breaks is the sender's to mend.
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(receiver = name, error, "a connection ended badly");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            receiver = name,
            "requests were still under way after ten seconds; they are broken off"
        );
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

/// Whether the first bytes are a TLS handshake.
async fn is_tls(stream: &TcpStream) -> bool {
    let mut first = [0; 2];
    let peeked = tokio::time::timeout(HEADER_TIME, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(2))) && first == [0x16, 0x03]
}
