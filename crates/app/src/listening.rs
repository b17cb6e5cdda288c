//! Binds the ports before anything else starts, so that a taken port costs nothing and is explained.

use crate::config::{Config, TABLE};
use crate::port_holder;
use std::net::SocketAddr;
use thiserror::Error;
use tokio::net::TcpListener;

/// The bound ports.
pub struct Listeners {
    pub otlp_grpc: TcpListener,
    pub otlp_http: TcpListener,
    pub query: TcpListener,
    /// Nothing where it is not wanted, or taken: a Prometheus that runs already is no reason not to start.
    pub prometheus: Option<TcpListener>,
}

/// The addresses that were bound: the port is known even where 0 was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub otlp_grpc: SocketAddr,
    pub otlp_http: SocketAddr,
    pub query: SocketAddr,
    pub prometheus: Option<SocketAddr>,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error(
        "port {port} is taken{holder}\nstop what holds it, or choose another address: --{flag} {example} (key {key}, variable {variable})"
    )]
    Taken {
        port: u16,
        holder: String,
        flag: String,
        key: &'static str,
        variable: String,
        example: SocketAddr,
    },
    #[error("listening on {address} ({key}): {source}")]
    Bind { address: SocketAddr, key: &'static str, source: std::io::Error },
}

impl Listeners {
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            otlp_grpc: bind("otlp.grpc-address", config.otlp.grpc_address).await?,
            otlp_http: bind("otlp.http-address", config.otlp.http_address).await?,
            query: bind("query.address", config.query.address).await?,
            prometheus: bind_if_free(PROMETHEUS, config.prometheus.address).await?,
        })
    }

    pub fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            otlp_grpc: self.otlp_grpc.local_addr()?,
            otlp_http: self.otlp_http.local_addr()?,
            query: self.query.local_addr()?,
            prometheus: self.prometheus.as_ref().map(TcpListener::local_addr).transpose()?,
        })
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, Error> {
    let source = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Err(taken(key, address)),
        Err(error) => error,
    };
    Err(Error::Bind { address, key, source })
}

/// The key of the port that is not needed: the page's port answers the same.
const PROMETHEUS: &str = "prometheus.address";

async fn bind_if_free(key: &'static str, address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    let Some(address) = address else { return Ok(None) };
    match bind(key, address).await {
        Err(taken @ Error::Taken { .. }) => {
            let instead = "until then Prometheus' API is under /prometheus on the page's port alone";
            tracing::warn!("{}; or none for no such port; {instead}", taken.to_string().replace('\n', ": "));
            Ok(None)
        }
        bound => bound.map(Some),
    }
}

fn taken(key: &'static str, address: SocketAddr) -> Error {
    let port = address.port();
    let holder = port_holder::find(port).map_or_else(String::new, |holder| format!(" by {holder}"));
    let row = TABLE.iter().find(|row| row.name == key).expect("the keys given to bind are rows of the table");
    let example = SocketAddr::new(address.ip(), port.checked_add(1000).unwrap_or(port - 1000));
    Error::Taken { port, holder, flag: row.flag(), key, variable: row.variable(), example }
}

#[cfg(test)]
mod tests {
    use super::{PROMETHEUS, bind, bind_if_free};

    #[tokio::test]
    async fn a_prometheus_that_runs_already_is_no_error() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(bind_if_free(PROMETHEUS, holder.local_addr().ok()).await.unwrap().is_none());
        assert!(bind_if_free(PROMETHEUS, None).await.unwrap().is_none());
        let free = "127.0.0.1:0".parse().ok();
        assert!(bind_if_free(PROMETHEUS, free).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_taken_port_is_explained() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let said = bind("otlp.http-address", address).await.unwrap_err().to_string();
        let mut parts = vec![
            address.port().to_string(),
            "--otlp-http-address".to_owned(),
            "CLEW_OTLP_HTTP_ADDRESS".to_owned(),
        ];
        if cfg!(target_os = "linux") {
            parts.push(format!("process {}", std::process::id()));
        }
        for part in parts {
            assert!(said.contains(&part), "{said}\nlacks {part}");
        }
    }
}
