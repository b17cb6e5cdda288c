//! Statements of `sqlx` to real databases, as they arrive.

use crate::agents::shown;
use crate::alone;
use crate::postgresql::Postgresql;
use crate::receiver::{Receiver, spans};
use clew_sdk::sqlx::{Driver, Pool};
use futures::TryStreamExt;
use opentelemetry_proto::tonic::trace::v1::Span;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, Executor, Row};

/// What was recorded while something was done, without what `sqlx` asks for itself.
fn seen(work: impl AsyncFnOnce()) -> Vec<Span> {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("sqlx").endpoint(receiver.endpoint()).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(clew_sdk::agent("planner").start().run(work()));
    drop(telemetry);
    let mut spans = spans(&receiver.got());
    spans.sort_by_key(|span| span.start_time_unix_nano);
    spans
}

/// Of each statement its name, and these attributes, with a line where there is none.
fn told(spans: &[Span], keys: &[&str]) -> Vec<String> {
    let agent = spans.iter().find(|span| span.name == "invoke_agent planner").unwrap();
    let below = spans.iter().filter(|span| span.parent_span_id == agent.span_id);
    let told = below.map(|span| {
        assert_eq!(span.kind, 3, "{span:?}");
        let values = keys.iter().map(|key| shown(&span.attributes, key).unwrap_or_else(|| "-".to_owned()));
        format!("{}: {}", span.name, values.collect::<Vec<_>>().join(" "))
    });
    told.collect()
}

const COUNTS: [&str; 4] =
    ["db.response.returned_rows", "db.rows_affected", "db.response.status_code", "error.type"];

/// The same with every driver; the texts say `$1`, as both databases understand.
async fn work<DB>(pool: &Pool<DB>)
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: sqlx::IntoArguments<DB>,
    for<'q> String: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> i64: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'r> (String,): sqlx::FromRow<'r, DB::Row>,
{
    sqlx::query("CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT NOT NULL)")
        .execute(pool)
        .await
        .unwrap();
    let insert = "INSERT INTO users (id, name) VALUES ($1, $2), (2, 'Grace')";
    sqlx::query(insert).bind(1_i64).bind("Ada".to_owned()).execute(pool).await.unwrap();
    let all: Vec<(String,)> =
        sqlx::query_as("SELECT name FROM users ORDER BY id").fetch_all(pool).await.unwrap();
    assert_eq!(all, [("Ada".to_owned(),), ("Grace".to_owned(),)]);
    let one = sqlx::query("SELECT name FROM users WHERE id = 7").fetch_optional(pool).await.unwrap();
    assert!(one.is_none());
    let none = sqlx::query("SELECT name FROM users WHERE id = 8").fetch_one(pool).await;
    assert!(matches!(none, Err(sqlx::Error::RowNotFound)));
    // A stream that is read to its end, and one that is not.
    let rows = sqlx::query("SELECT id FROM users").fetch(pool).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(sqlx::query("SELECT id, name FROM users").fetch(pool).try_next().await.unwrap().is_some());

    let mut transaction = pool.begin().await.unwrap();
    let update = sqlx::query("UPDATE users SET name = $1 WHERE id > 0").bind("Alan".to_owned());
    update.execute(transaction.executor()).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    let delete = sqlx::query("DELETE FROM users WHERE id = 2 RETURNING id");
    assert_eq!(delete.fetch_all(transaction.executor()).await.unwrap().len(), 1);
    transaction.commit().await.unwrap();

    let twice = sqlx::query("INSERT INTO users (id, name) VALUES (1, 'Ada')").execute(pool).await;
    assert!(twice.is_err());
    let missing = sqlx::query("SELECT nothing FROM nowhere").fetch_all(pool).await;
    assert!(missing.is_err());
    let statement = pool.prepare(sqlx::SqlStr::from_static("SELECT name FROM users")).await.unwrap();
    assert_eq!(sqlx::Statement::sql(&statement).as_str(), "SELECT name FROM users");
    let mut own = pool.inner().acquire().await.unwrap();
    sqlx::query("SELECT 1").fetch_one(pool.on(&mut *own)).await.unwrap();
}

/// What is expected of `work`, with the codes of the errors.
fn expected(doubled: &str, missing: &str) -> Vec<String> {
    [
        "CREATE users: - - - -",
        "INSERT users: - 2 - -",
        "SELECT users: 2 - - -",
        "SELECT users: 0 - - -",
        "SELECT users: 0 - - -",
        "SELECT users: 2 - - -",
        "SELECT users: 1 - - -",
        "BEGIN: - - - -",
        "UPDATE users: - 2 - -",
        "ROLLBACK: - - - -",
        "BEGIN: - - - -",
        "DELETE users: 1 1 - -",
        "COMMIT: - - - -",
        &format!("INSERT users: - - {doubled} {doubled}"),
        &format!("SELECT nowhere: - - {missing} {missing}"),
        "SELECT: 1 - - -",
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn statements_to_sqlite_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SqliteConnectOptions::new().filename(folder.path().join("store.db")).create_if_missing(true);
    let spans = seen(async || {
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        work(&Pool::new(pool.clone())).await;
        pool.close().await;
    });
    assert_eq!(told(&spans, &COUNTS), expected("1555", "1"));
    let about = ["db.system.name", "db.namespace", "db.query.text", "server.address"];
    let told = told(&spans, &about);
    assert_eq!(
        told[1],
        "INSERT users: sqlite store.db INSERT INTO users (id, name) VALUES ($1, $2), (?, ?) -"
    );
    assert!(!format!("{spans:?}").contains("Grace"));
}

#[test]
fn memory_has_no_name_of_its_own() {
    let spans = seen(async || {
        let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        let row = sqlx::query("SELECT 42 AS answer").fetch_one(&Pool::new(pool)).await.unwrap();
        assert_eq!(row.get::<i64, _>("answer"), 42);
    });
    assert_eq!(told(&spans, &["db.system.name", "db.response.returned_rows"]), ["SELECT: sqlite 1"]);
}

#[test]
fn a_pool_of_any_database_tells_which_it_is() {
    sqlx::any::install_default_drivers();
    let folder = tempfile::tempdir().unwrap();
    let spans = seen(async || {
        let url = format!("sqlite://{}/any.db?mode=rwc", folder.path().display());
        let pool = Pool::new(sqlx::AnyPool::connect(&url).await.unwrap());
        pool.execute("CREATE TABLE runs (id BIGINT)").await.unwrap();
        let done = sqlx::query("INSERT INTO runs VALUES (1), (2)").execute(&pool).await.unwrap();
        assert_eq!(done.rows_affected(), 2);
    });
    let told = told(&spans, &["db.system.name", "db.namespace", "db.rows_affected"]);
    assert_eq!(told, ["CREATE runs: sqlite any.db -", "INSERT runs: sqlite any.db 2"]);
}

#[test]
fn statements_to_postgresql_are_recorded() {
    let Some(server) = Postgresql::start() else { return };
    let spans = seen(async || {
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1);
        let pool = pool.connect(&server.url()).await.unwrap();
        work(&Pool::new(pool.clone())).await;
        pool.close().await;
        // A server that is gone: what cannot be connected to is told, too.
        let gone =
            sqlx::postgres::PgPoolOptions::new().acquire_timeout(std::time::Duration::from_millis(200));
        let gone = Pool::new(gone.connect_lazy("postgres://ada@127.0.0.1:1/gone").unwrap());
        assert!(sqlx::query("SELECT 1").execute(&gone).await.is_err());
        assert!(gone.begin().await.is_err());
        let mut single = sqlx::PgConnection::connect(&server.url()).await.unwrap();
        let pool = Pool::new(pool);
        sqlx::raw_sql("SELECT 1; SELECT 2").execute(pool.on(&mut single)).await.unwrap();
    });
    let told_counts = told(&spans, &COUNTS);
    let expected = expected("23505", "42P01");
    assert_eq!(told_counts[..expected.len()], expected);
    let rest: Vec<_> =
        told_counts[expected.len()..].iter().map(|told| told.replace("PoolTimedOut", "Io")).collect();
    assert_eq!(rest, ["SELECT: - - - Io", "BEGIN: - - - Io", "SELECT: 2 - - -"]);
    let about = told(&spans, &["db.system.name", "db.namespace", "server.address", "server.port"]);
    assert_eq!(about[0], format!("CREATE users: postgresql postgres 127.0.0.1 {}", server.port()));
}
