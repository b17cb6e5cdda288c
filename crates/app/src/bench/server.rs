//! The server that is measured: which process it is, and what it tells of itself when it is Clew.

use super::{Process, Usage};
use crate::client::{Client, Status};
use crate::disk;
use crate::failure::Failure;
use reqwest::Url;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait at most for the server to come to rest.
const SETTLING: Duration = Duration::from_secs(120);
/// When it idles for so long, what is not sealed will not be sealed soon.
const IDLE: u32 = 10;
/// More of a second than this is work.
const WORK: Duration = Duration::from_millis(30);

/// The measured server; what cannot be known of it is not there.
pub struct Server {
    pub process: Option<Process>,
    /// Its API, when it is Clew.
    api: Option<Client>,
    /// Where it keeps its data, when that was said.
    directory: Option<PathBuf>,
}

/// What it used and stored at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    pub usage: Option<Usage>,
    pub disk_bytes: Option<u64>,
    /// Those that sampling dropped count too: they were.
    pub stored_spans: Option<u64>,
    /// What is in the log and not in a block yet.
    pub unsealed_bytes: Option<u64>,
}

impl Server {
    /// The server behind this address. `api` is asked only when it is that same server: figures of another one would
    /// be worse than none.
    pub async fn behind(
        endpoint: &Url,
        api: &Client,
        process: Option<u32>,
        directory: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let process = match process {
            Some(id) => {
                let process = Process { id };
                process.usage().ok_or_else(|| Failure::Usage(format!("--pid {id} names no process here")))?;
                Some(process)
            }
            None => port_here(endpoint).and_then(Process::listening_on),
        };
        let status = status(api).await;
        let is_same = status.is_some_and(|status| is_behind(endpoint, api.url(), &status));
        Ok(Self { process, api: is_same.then(|| api.clone()), directory })
    }

    pub async fn now(&self) -> Moment {
        let status = match &self.api {
            Some(api) => status(api).await,
            None => None,
        };
        let told = status.as_ref().map(|status| status.disk_bytes);
        Moment {
            usage: self.usage(),
            disk_bytes: self.directory.as_deref().map(disk::used_bytes).or(told),
            stored_spans: status.as_ref().map(|status| {
                status.stored.spans + status.sampling.as_ref().map_or(0, |sampling| sampling.dropped_spans)
            }),
            unsealed_bytes: status.map(|status| status.hot_bytes),
        }
    }

    pub fn usage(&self) -> Option<Usage> {
        self.process.as_ref().and_then(Process::usage)
    }

    /// Waits until it hardly works any more and all is sealed, as far as that can be seen, or nothing more happens.
    pub async fn rest(&self) -> Moment {
        let end = Instant::now() + SETTLING;
        let mut before = self.usage();
        let mut idle = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.now().await;
            let works = now.usage.zip(before).is_some_and(|(now, before)| now.since(before) > WORK);
            idle = if works { 0 } else { idle + 1 };
            let enough = if now.unsealed_bytes == Some(0) { 1 } else { IDLE };
            if idle >= enough || Instant::now() > end {
                return now;
            }
            before = now.usage;
        }
    }
}

async fn status(api: &Client) -> Option<Status> {
    let path = ["api", "v1", "status"];
    tokio::time::timeout(Duration::from_secs(5), api.get(&path, &[])).await.ok()?.ok()
}

/// The port, when the address is of this machine.
pub fn port_here(url: &Url) -> Option<u16> {
    is_here(url).then(|| url.port_or_known_default())?
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Whether the server that tells this of itself is the one that takes in at `endpoint`.
fn is_behind(endpoint: &Url, api: &Url, status: &Status) -> bool {
    let same_machine = endpoint.host_str() == api.host_str() || (is_here(endpoint) && is_here(api));
    let port = endpoint.port_or_known_default();
    let receives = status.receivers.iter().any(|receiver| {
        let (_, of_receiver) = receiver.address.rsplit_once(':').unwrap_or_default();
        port.is_some_and(|port| of_receiver == port.to_string())
    });
    same_machine && (receives || port == api.port_or_known_default())
}

#[cfg(test)]
mod tests {
    use super::{Status, is_behind, port_here};
    use reqwest::Url;

    #[test]
    fn only_the_server_behind_the_endpoint_is_asked() {
        let status: Status = serde_json::from_value(serde_json::json!({
            "version": "1", "health": "ok", "pageBuilt": true, "diskBytes": "1", "hotBytes": "0",
            "diskFreeBytes": "1", "stored": {"spans": "3"},
            "receivers": [{"name": "OTLP/HTTP", "address": "127.0.0.1:4318", "accepting": true}],
        }))
        .unwrap();
        let check = |endpoint: &str, api: &str, expect: bool| {
            let (endpoint, api) = (Url::parse(endpoint).unwrap(), Url::parse(api).unwrap());
            assert_eq!(is_behind(&endpoint, &api, &status), expect, "{endpoint} {api}");
        };
        check("http://127.0.0.1:4318", "http://localhost:16686", true);
        check("http://127.0.0.1:16686", "http://127.0.0.1:16686", true);
        check("http://127.0.0.1:14318", "http://127.0.0.1:16686", false);
        check("http://tempo:4318", "http://127.0.0.1:16686", false);
        check("http://far:4318", "http://far:16686", true);
    }

    #[test]
    fn processes_are_looked_for_on_this_machine_only() {
        let check = |url: &str, expect| assert_eq!(port_here(&Url::parse(url).unwrap()), expect, "{url}");
        check("http://127.0.0.1:4318", Some(4318));
        check("http://[::1]:4318/v1", Some(4318));
        check("http://localhost", Some(80));
        check("http://10.0.0.7:4318", None);
        check("http://tempo:4318", None);
    }
}
