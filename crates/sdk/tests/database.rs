//! Statements, as they arrive.

use crate::agents::{named, shown};
use crate::alone;
use crate::receiver::{Receiver, spans};
use clew_sdk::database::statement;

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("error returned from database: {0}")]
    Database(String),
}

#[test]
fn statements_tell_what_they_did_and_no_values() {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("database").endpoint(receiver.endpoint()).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let agent = clew_sdk::agent("planner").start();
        let work = async {
            let find = statement("sqlite", "main", "SELECT id FROM users WHERE name = 'Ada'");
            let rows = find.find(async { Ok::<_, Trouble>(vec![1, 2, 3]) }).await.unwrap();
            assert_eq!(rows, [1, 2, 3]);
            let one = statement("sqlite", "main", "SELECT id FROM runs WHERE id = 7");
            assert_eq!(one.find_one(async { Ok::<Option<u8>, Trouble>(None) }).await.unwrap(), None);
            let change =
                statement("postgresql", "", "UPDATE runs SET state = $1").with(|start| start.scope("store"));
            assert_eq!(change.change(async { Ok::<u64, Trouble>(2) }, |rows| *rows).await.unwrap(), 2);
            let fails = statement("sqlite", "main", "DELETE FROM locked");
            let failed =
                fails.find(async { Err::<Vec<u8>, _>(Trouble::Database("locked".to_owned())) }).await;
            assert!(failed.is_err());
        };
        agent.run(work).await;
    });
    drop(telemetry);
    let spans = spans(&receiver.got());
    let agent = named(&spans, "invoke_agent planner");
    for (name, expected) in [
        (
            "SELECT users",
            [
                ("db.system.name", Some("sqlite")),
                ("db.namespace", Some("main")),
                ("db.operation.name", Some("SELECT")),
                ("db.collection.name", Some("users")),
                ("db.query.text", Some("SELECT id FROM users WHERE name = ?")),
                ("db.response.returned_rows", Some("3")),
            ],
        ),
        (
            "SELECT runs",
            [
                ("db.query.text", Some("SELECT id FROM runs WHERE id = ?")),
                ("db.query.summary", Some("SELECT runs")),
                ("db.response.returned_rows", Some("0")),
                ("error.type", None),
                ("db.rows_affected", None),
                ("db.namespace", Some("main")),
            ],
        ),
        (
            "UPDATE runs",
            [
                ("db.system.name", Some("postgresql")),
                ("db.namespace", None),
                ("db.rows_affected", Some("2")),
                ("db.response.returned_rows", None),
                ("error.type", None),
                ("db.query.text", Some("UPDATE runs SET state = $1")),
            ],
        ),
        (
            "DELETE locked",
            [
                ("error.type", Some("Database")),
                ("db.response.returned_rows", None),
                ("db.rows_affected", None),
                ("db.operation.name", Some("DELETE")),
                ("db.collection.name", Some("locked")),
                ("db.query.summary", Some("DELETE locked")),
            ],
        ),
    ] {
        let span = named(&spans, name);
        assert_eq!((span.kind, &span.parent_span_id), (3, &agent.span_id));
        for (key, value) in expected {
            assert_eq!(shown(&span.attributes, key).as_deref(), value, "{key} of {name}");
        }
    }
    assert_eq!(named(&spans, "DELETE locked").status.as_ref().unwrap().code, 2);
}
