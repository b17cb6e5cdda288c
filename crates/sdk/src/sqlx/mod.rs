//! Executors of `sqlx` whose statements are spans: the real types of `sqlx`, and no statement named twice.
//!
//! ```no_run
//! # #[cfg(feature = "sqlx-postgres")]
//! # async fn work() -> Result<(), sqlx::Error> {
//! let pool = sqlx::PgPool::connect("postgres://app@db/main").await?;
//! let pool = clew_sdk::sqlx::Pool::new(pool);
//! let names: Vec<(String,)> = sqlx::query_as("SELECT name FROM users WHERE city = $1").bind("Paris").fetch_all(&pool).await?;
//!
//! let mut transaction = pool.begin().await?;
//! sqlx::query("UPDATE users SET city = $1").bind("Rome").execute(transaction.executor()).await?;
//! transaction.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A driver is known with the feature of its name: `sqlx-postgres`, `sqlx-sqlite`, `sqlx-mysql`, `sqlx-any`.

mod driver;
mod known;
mod rows;

pub use driver::{Driver, Server};

use crate::database::statement;
use crate::span::Span;
use ::sqlx::{Either, Error, Execute, Executor, SqlStr};
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use known::Known;
use rows::{Counted, Rows};
use std::sync::Arc;

/// A pool whose statements are recorded, each with the time that it waited for a connection. Clones share the pool.
#[derive(Debug)]
pub struct Pool<DB: Driver> {
    pool: ::sqlx::Pool<DB>,
    server: Arc<Server>,
}

impl<DB: Driver> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), server: Arc::clone(&self.server) }
    }
}

impl<DB: Driver> Pool<DB> {
    /// Of a pool of `sqlx`.
    #[must_use]
    pub fn new(pool: ::sqlx::Pool<DB>) -> Self {
        let server = Arc::new(DB::server(&pool.connect_options()));
        Self { pool, server }
    }

    /// The pool of `sqlx`, whose statements nobody records.
    #[must_use]
    pub fn inner(&self) -> &::sqlx::Pool<DB> {
        &self.pool
    }

    /// An executor of the same database, a connection of one's own say, that records its statements.
    pub fn on<E>(&self, executor: E) -> Traced<E> {
        Traced { executor, server: Arc::clone(&self.server) }
    }

    /// Begins a transaction: `BEGIN`.
    ///
    /// # Errors
    /// What `sqlx` says.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        let inner = recorded(&self.server, "BEGIN", Box::pin(self.pool.begin())).await?;
        Ok(Transaction { inner, server: Arc::clone(&self.server) })
    }
}

/// A transaction whose statements are recorded, as are `BEGIN`, `COMMIT` and `ROLLBACK`. One that is dropped is rolled back
/// by `sqlx` when its connection is used again, and nobody records that.
#[derive(Debug)]
pub struct Transaction<'c, DB: Driver> {
    inner: ::sqlx::Transaction<'c, DB>,
    server: Arc<Server>,
}

impl<DB: Driver> Transaction<'_, DB> {
    /// What runs statements in it.
    pub fn executor(&mut self) -> Traced<&mut DB::Connection> {
        Traced { executor: &mut *self.inner, server: Arc::clone(&self.server) }
    }

    /// Makes what was done in it lasting.
    ///
    /// # Errors
    /// What `sqlx` says.
    pub async fn commit(self) -> Result<(), Error> {
        recorded(&self.server, "COMMIT", self.inner.commit()).await
    }

    /// Takes back what was done in it.
    ///
    /// # Errors
    /// What `sqlx` says.
    pub async fn rollback(self) -> Result<(), Error> {
        recorded(&self.server, "ROLLBACK", self.inner.rollback()).await
    }
}

/// An executor whose statements are recorded; [`Pool::on`] and [`Transaction::executor`] give it.
#[derive(Debug)]
#[must_use = "it runs what it is given to"]
pub struct Traced<E> {
    executor: E,
    server: Arc<Server>,
}

impl<'c, E> Executor<'c> for Traced<E>
where
    E: Executor<'c>,
    E::Database: Driver,
{
    type Database = E::Database;

    fn fetch_many<'e, 'q: 'e, Q>(self, query: Q) -> BoxStream<'e, Result<StepOf<E::Database>, Error>>
    where
        'c: 'e,
        Q: 'q + Execute<'q, Self::Database>,
    {
        let query = Known::of(query);
        let counted = Counted::start(&self.server, query.text());
        Box::pin(Rows::<E::Database>::new(self.executor.fetch_many(query), counted))
    }

    fn fetch_optional<'e, 'q: 'e, Q>(
        self,
        query: Q,
    ) -> BoxFuture<'e, Result<Option<RowOf<E::Database>>, Error>>
    where
        'c: 'e,
        Q: 'q + Execute<'q, Self::Database>,
    {
        let query = Known::of(query);
        let mut counted = Counted::start(&self.server, query.text());
        let row = self.executor.fetch_optional(query);
        Box::pin(async move {
            let row = counted.span().within(row).await;
            match &row {
                Ok(Some(_)) => counted.returned(),
                Ok(None) => {}
                Err(error) => counted.failed(error),
            }
            row
        })
    }

    fn prepare_with<'e>(
        self,
        text: SqlStr,
        parameters: &'e [<Self::Database as ::sqlx::Database>::TypeInfo],
    ) -> BoxFuture<'e, Result<<Self::Database as ::sqlx::Database>::Statement, Error>>
    where
        'c: 'e,
    {
        self.executor.prepare_with(text, parameters)
    }

    fn describe<'e>(self, text: SqlStr) -> BoxFuture<'e, Result<::sqlx::Describe<Self::Database>, Error>>
    where
        'c: 'e,
    {
        self.executor.describe(text)
    }
}

impl<'p, DB: Driver> Executor<'p> for &'_ Pool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, Q>(self, query: Q) -> BoxStream<'e, Result<StepOf<DB>, Error>>
    where
        'p: 'e,
        Q: 'q + Execute<'q, DB>,
    {
        self.on(&self.pool).fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, Q>(self, query: Q) -> BoxFuture<'e, Result<Option<RowOf<DB>>, Error>>
    where
        'p: 'e,
        Q: 'q + Execute<'q, DB>,
    {
        self.on(&self.pool).fetch_optional(query)
    }

    fn prepare_with<'e>(
        self,
        text: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        self.pool.prepare_with(text, parameters)
    }

    fn describe<'e>(self, text: SqlStr) -> BoxFuture<'e, Result<::sqlx::Describe<DB>, Error>>
    where
        'p: 'e,
    {
        self.pool.describe(text)
    }
}

type RowOf<DB> = <DB as ::sqlx::Database>::Row;
type StepOf<DB> = Either<<DB as ::sqlx::Database>::QueryResult, RowOf<DB>>;

/// Runs what `sqlx` has a statement of its own for.
async fn recorded<T>(
    server: &Server,
    text: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (start, _) = server.statement(text).told();
    let span = start.start();
    let done = span.within(work).await;
    if let Err(error) = &done {
        fail(&span, error);
    }
    span.end();
    done
}

/// An error of the database is told by its code, any other by its name.
fn fail(span: &Span, error: &Error) {
    let (name, message) = crate::span::described(error);
    let code = error.as_database_error().and_then(|error| Some(error.code()?.into_owned()));
    if let Some(code) = &code {
        span.set("db.response.status_code", code.clone());
    }
    span.fail(code.unwrap_or(name), message);
}
