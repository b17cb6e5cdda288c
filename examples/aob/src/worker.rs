//! Keeps an audit of events: a process of its own that reads them from the bus.

use crate::bus::{Bus, EVENTS, Message, SYSTEM};
use crate::database::Database;
use crate::error::Error;
use crate::settings::Settings;
use crate::{http_server, relay};
use std::time::Duration;

const NAME: &str = "audit";
const PAUSE: Duration = Duration::from_millis(50);
const BATCH: i64 = 100;
const TABLES: [&str; 1] = ["CREATE TABLE IF NOT EXISTS audit (event TEXT PRIMARY KEY, body TEXT NOT NULL)"];

/// Works until the process is told to stop.
pub async fn run(settings: &Settings) -> Result<(), Error> {
    let bus = Bus::open(&settings.data).await?;
    let audit = Database::file(&settings.data, "audit", &TABLES).await?;
    tokio::select! {
        done = work(&bus, &audit) => done,
        // What was sent before is worked off.
        () = http_server::stopped() => work_off(&bus, &audit).await,
    }
}

async fn work(bus: &Bus, audit: &Database) -> Result<(), Error> {
    loop {
        work_off(bus, audit).await?;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn work_off(bus: &Bus, audit: &Database) -> Result<(), Error> {
    for message in bus.waiting(NAME, EVENTS, BATCH).await? {
        process(audit, &message).await?;
        bus.done(NAME, EVENTS, message.position).await?;
    }
    Ok(())
}

async fn process(audit: &Database, message: &Message) -> Result<(), Error> {
    let sender = clew_sdk::extract(&message.headers);
    let start = relay::described(clew_sdk::process(SYSTEM, EVENTS), &message.id, &message.body);
    let start = start.set("messaging.consumer.group.name", NAME);
    let span = start.parent(&sender).start();
    span.clone()
        .run(async {
            // A message may come twice; it is kept once.
            let query = sqlx::query("INSERT INTO audit VALUES ($1, $2) ON CONFLICT DO NOTHING");
            let query = query.bind(&message.id).bind(&message.body);
            let statement = audit.statement("INSERT", "audit");
            let done = statement.change(query.execute(&audit.pool)).await;
            if let Err(error) = &done {
                span.fail("database", error.to_string());
            }
            done
        })
        .await?;
    Ok(())
}
