//! `clew serve`: takes telemetry in, stores it, shows it.

use crate::config::{Config, Effective, LogFormat};
use crate::failure::Failure;
use crate::listening::{Addresses, Listeners};
use crate::process;
use crate::terminal::Output;
use crate::wiring::{self, Means};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tracing::{info, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Our own crates log at the level set; the libraries below them at most at `info`.
const OURS: [&str; 8] = ["clew", "engine", "model", "pipeline", "query", "semconv", "server", "storage"];

/// Threads that compute answers, at most; further questions wait for one.
const MOST_ANSWERING: usize = 128;

pub fn run(effective: Effective, output: &Output) -> Result<(), Failure> {
    start_logging(&effective.config);
    for warning in &effective.warnings {
        warn!("{warning}");
    }
    process::keep_files_private();
    let connections = process::raise_open_files();
    let intake = Builder::new_multi_thread().thread_name("clew-intake").enable_all().build()?;
    let questions = Builder::new_multi_thread()
        .thread_name("clew-questions")
        .max_blocking_threads(MOST_ANSWERING)
        .on_thread_start(process::stand_back)
        .enable_all()
        .build()?;
    let means = Means { connections, questions: questions.handle().clone() };
    let result = intake.block_on(serve(effective.config, means, output));
    // What still runs (a connection that nobody reads from, a query) must not keep the process alive.
    questions.shutdown_background();
    intake.shutdown_background();
    result
}

async fn serve(config: Config, means: Means, output: &Output) -> Result<(), Failure> {
    let mut interrupts = Interrupts::listen()?;
    let _larger_files_fail = FileSizeSignal::caught()?;
    let listeners = Listeners::bind(&config).await.map_err(anyhow::Error::from)?;
    let addresses = listeners.addresses()?;
    let supervisor = wiring::wire(&config, listeners, means).await?;
    say_where(&addresses, output)?;
    info!(directory = %config.storage.directory.display(), "ready");
    let (stop, stopped) = oneshot::channel();
    let running = supervisor.run(async { stopped.await.unwrap_or_default() });
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => return Ok(result.map_err(anyhow::Error::from)?),
        () = interrupts.next() => {}
    }
    info!("stopping: what was taken in is stored first; another signal stops at once");
    // Nobody listens any more only when all has ended already.
    let _ = stop.send(());
    tokio::select! {
        result = running => Ok(result.map_err(anyhow::Error::from)?),
        () = interrupts.next() => {
            Err(anyhow::anyhow!("stopped at once; what is in the log is taken up at the next start").into())
        }
    }
}

fn say_where(addresses: &Addresses, output: &Output) -> Result<(), Failure> {
    output.line(format!("Open     http://{}", addresses.query))?;
    output.line(format!(
        "Send to  OTEL_EXPORTER_OTLP_ENDPOINT=http://{}  (OTLP/gRPC: {})",
        addresses.otlp_http, addresses.otlp_grpc
    ))?;
    if let Some(prometheus) = addresses.prometheus {
        output.line(format!("PromQL   http://{prometheus}  (Prometheus' API, as a data source)"))?;
    }
    Ok(output.line("Try      clew demo")?)
}

fn start_logging(config: &Config) {
    let level = config.log.level;
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets(OURS.map(|name| (name, level)));
    let registry = tracing_subscriber::registry().with(targets);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
        LogFormat::Human => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(lines.with_ansi(colour)).init();
        }
    }
}

/// Who sets a limit to the size of files, as some shells and service managers do, has the system end whoever writes beyond
/// it, unless the signal for it is caught. Then the write fails, and what was to be written is refused.
struct FileSizeSignal {
    #[cfg(unix)]
    _caught: tokio::signal::unix::Signal,
}

impl FileSizeSignal {
    #[cfg(unix)]
    fn caught() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok(Self { _caught: signal(kind)? })
    }

    #[cfg(not(unix))]
    fn caught() -> Result<Self, Failure> {
        Ok(Self {})
    }
}

/// SIGINT and SIGTERM; where there are no such signals, Ctrl-C.
struct Interrupts {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupts {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Interrupts {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
