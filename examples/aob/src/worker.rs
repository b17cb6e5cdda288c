//! Keeps an audit of events: a process of its own that reads them from the bus.

use crate::bus::{Bus, Message, Place};
use crate::database::Database;
use crate::error::Error;
use crate::http_server;
use crate::settings::Settings;
use std::pin::pin;

const NAME: &str = "audit";
const TABLES: [&str; 1] = ["CREATE TABLE IF NOT EXISTS audit (event TEXT PRIMARY KEY, body TEXT NOT NULL)"];

/// Works until the process is told to stop.
pub async fn run(settings: &Settings) -> Result<(), Error> {
    let bus = Bus::open(settings).await?;
    let audit = Database::file(&settings.data, "audit", &TABLES).await?;
    let mut reader = bus.reader(NAME)?;
    let mut stopped = pin!(http_server::stopped());
    loop {
        let (message, place) = tokio::select! {
            next = reader.next() => next?,
            () = &mut stopped => break,
        };
        process(&bus, &audit, &message, place).await?;
        reader.done(place).await?;
    }
    // What is here already is worked off.
    while let Some((message, place)) = reader.waiting().await? {
        process(&bus, &audit, &message, place).await?;
        reader.done(place).await?;
    }
    reader.close().await;
    Ok(())
}

async fn process(bus: &Bus, audit: &Database, message: &Message, place: Place) -> Result<(), Error> {
    let start = bus.process(message, place).set("messaging.consumer.group.name", NAME);
    let span = start.parent(&message.context).start();
    span.clone()
        .run(async {
            // A message may come twice; it is kept once.
            let text = "INSERT INTO audit VALUES ($1, $2) ON CONFLICT DO NOTHING";
            let query = sqlx::query(text).bind(&message.id).bind(&message.body);
            let done = audit.change(text, query.execute(&audit.pool)).await;
            if let Err(error) = &done {
                span.fail("database", error.to_string());
            }
            done
        })
        .await?;
    Ok(())
}
