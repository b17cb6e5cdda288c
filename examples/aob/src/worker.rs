//! Keeps an audit of events: a process of its own that reads them from the bus.

use crate::bus::{Bus, EVENTS, Message, SYSTEM};
use crate::database::{self, Statement};
use crate::error::Error;
use crate::settings::Settings;
use crate::{http_server, relay, telemetry};
use sqlx::sqlite::SqlitePool;
use std::time::Duration;

const NAME: &str = "audit";
const PAUSE: Duration = Duration::from_millis(50);
const BATCH: i64 = 100;
const TABLES: [&str; 1] =
    ["CREATE TABLE IF NOT EXISTS audit (event TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT"];

/// Works until the process is told to stop.
pub async fn run(settings: &Settings) -> Result<(), Error> {
    let bus = Bus::open(&settings.data).await?;
    let audit = database::open(&settings.data, "audit.sqlite", &TABLES).await?;
    tokio::select! {
        done = work(&bus, &audit) => done,
        () = http_server::stopped() => Ok(()),
    }
}

async fn work(bus: &Bus, audit: &SqlitePool) -> Result<(), Error> {
    loop {
        for message in bus.waiting(NAME, EVENTS, BATCH).await? {
            process(audit, &message).await?;
            bus.done(NAME, EVENTS, message.position).await?;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn process(audit: &SqlitePool, message: &Message) -> Result<(), Error> {
    let sender = telemetry::context_of(&message.headers);
    let start = relay::described(clew_sdk::process(SYSTEM, EVENTS), &message.id, &message.body);
    let start = start.set("messaging.consumer.group.name", NAME);
    let span = telemetry::carrying(start, &sender).parent(&sender).start();
    span.clone()
        .run(async {
            // A message may come twice; it is kept once.
            let query = sqlx::query("INSERT INTO audit VALUES (?, ?) ON CONFLICT DO NOTHING");
            let query = query.bind(&message.id).bind(&message.body);
            let statement = Statement { database: "audit", operation: "INSERT", table: "audit" };
            let done = statement.change(query.execute(audit)).await;
            if let Err(error) = &done {
                span.fail("database", error.to_string());
            }
            done
        })
        .await?;
    Ok(())
}
