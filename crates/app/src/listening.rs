//! Binds the ports before anything else starts, so that a taken port costs nothing and is explained.

use crate::config::{Config, TABLE};
use crate::port_holder;
use std::net::SocketAddr;
use thiserror::Error;
use tokio::net::TcpListener;

/// The three bound ports.
pub struct Listeners {
    pub otlp_grpc: TcpListener,
    pub otlp_http: TcpListener,
    pub query: TcpListener,
}

/// The addresses that were bound: the port is known even where 0 was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub otlp_grpc: SocketAddr,
    pub otlp_http: SocketAddr,
    pub query: SocketAddr,
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
        })
    }

    pub fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            otlp_grpc: self.otlp_grpc.local_addr()?,
            otlp_http: self.otlp_http.local_addr()?,
            query: self.query.local_addr()?,
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

fn taken(key: &'static str, address: SocketAddr) -> Error {
    let port = address.port();
    let holder = port_holder::find(port).map_or_else(String::new, |holder| format!(" by {holder}"));
    let row = TABLE.iter().find(|row| row.name == key).expect("the keys given to bind are rows of the table");
    let example = SocketAddr::new(address.ip(), port.checked_add(1000).unwrap_or(port - 1000));
    Error::Taken { port, holder, flag: row.flag(), key, variable: row.variable(), example }
}

#[cfg(test)]
mod tests {
    use super::bind;

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
