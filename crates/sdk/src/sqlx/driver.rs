//! What only a driver of `sqlx` knows: where its database is, and how many rows a statement changed.

use super::statement;
use crate::database::Statement;

/// A driver of `sqlx` that is known.
#[diagnostic::on_unimplemented(
    message = "statements to `{Self}` cannot be recorded",
    note = "turn on the feature of clew-sdk for this driver: `sqlx-postgres`, `sqlx-sqlite`, `sqlx-mysql` or `sqlx-any`"
)]
pub trait Driver: ::sqlx::Database {
    /// Where the database of these options is.
    fn server(options: &<Self::Connection as ::sqlx::Connection>::Options) -> Server;

    /// How many rows a statement changed.
    fn rows_affected(done: &Self::QueryResult) -> u64;
}

/// A database, as spans tell of it.
#[derive(Debug, Clone)]
pub struct Server {
    /// `db.system.name`.
    pub system: &'static str,
    /// `db.namespace`.
    pub namespace: String,
    /// `server.address`; none of a file.
    pub address: Option<String>,
    /// `server.port`.
    pub port: Option<u16>,
}

impl Server {
    /// A statement to it.
    pub(super) fn statement<'a>(&self, text: &'a str) -> Statement<'a> {
        statement(self.system, &self.namespace, text).with(|mut start| {
            if let Some(address) = &self.address {
                start = start.set("server.address", address.clone());
            }
            if let Some(port) = self.port {
                start = start.set("server.port", i64::from(port));
            }
            start
        })
    }
}

#[cfg(feature = "sqlx-postgres")]
impl Driver for ::sqlx::Postgres {
    fn server(options: &::sqlx::postgres::PgConnectOptions) -> Server {
        let socket = options.get_socket().map(|path| path.to_string_lossy().into_owned());
        Server {
            system: "postgresql",
            // The server takes the user's name where none is told.
            namespace: options.get_database().unwrap_or(options.get_username()).to_owned(),
            port: socket.is_none().then(|| options.get_port()),
            address: Some(socket.unwrap_or_else(|| options.get_host().to_owned())),
        }
    }

    fn rows_affected(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}

#[cfg(feature = "sqlx-mysql")]
impl Driver for ::sqlx::MySql {
    fn server(options: &::sqlx::mysql::MySqlConnectOptions) -> Server {
        Server {
            system: "mysql",
            namespace: options.get_database().unwrap_or_default().to_owned(),
            address: Some(options.get_host().to_owned()),
            port: Some(options.get_port()),
        }
    }

    fn rows_affected(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}

#[cfg(feature = "sqlx-sqlite")]
impl Driver for ::sqlx::Sqlite {
    fn server(options: &::sqlx::sqlite::SqliteConnectOptions) -> Server {
        let name = options.get_filename().file_name().unwrap_or_default().to_string_lossy();
        Server { system: "sqlite", namespace: name.into_owned(), address: None, port: None }
    }

    fn rows_affected(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}

#[cfg(feature = "sqlx-any")]
impl Driver for ::sqlx::Any {
    fn server(options: &::sqlx::any::AnyConnectOptions) -> Server {
        let url = &options.database_url;
        let (system, usual) = match url.scheme() {
            "postgres" | "postgresql" => ("postgresql", Some(5432)),
            "mysql" => ("mysql", Some(3306)),
            "mariadb" => ("mariadb", Some(3306)),
            "sqlite" => ("sqlite", None),
            _ => ("other_sql", None),
        };
        let path = url.path().trim_start_matches('/');
        if system == "sqlite" {
            // The first part of a path stands where others have a host.
            let name = path.rsplit('/').next().filter(|name| !name.is_empty()).or(url.host_str());
            let namespace = name.unwrap_or_default().to_owned();
            return Server { system, namespace, address: None, port: None };
        }
        let address = url.host_str().map(str::to_owned);
        Server { system, namespace: path.to_owned(), address, port: url.port().or(usual) }
    }

    fn rows_affected(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}
