//! The queue outlives brokers, torn lines and long use.

use super::*;
use serde_json::Map;

fn event(id: &str) -> Event {
    Event {
        event_id: id.to_owned(),
        task_id: id.to_owned(),
        event_type: "greeting".to_owned(),
        from_agent: "a".to_owned(),
        to_agent: "b".to_owned(),
        deadline: 0,
        redeliveries: 0,
        payload: Map::new(),
        metadata: Map::new(),
    }
}

/// Opens the queue when the one before has let go of it.
fn open(directory: &Path) -> (FileQueue, Vec<String>) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match FileQueue::open(directory) {
            Ok((queue, events)) => return (queue, events.into_iter().map(|event| event.event_id).collect()),
            Err(Error::QueueTaken { .. }) if std::time::Instant::now() < deadline => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_is_there_again_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let (queue, events) = open(directory.path());
    assert!(events.is_empty());
    for id in ["one", "two", "three"] {
        queue.keep(event(id)).await.unwrap();
    }
    queue.acknowledge("two".to_owned()).await.unwrap();
    drop(queue);
    let (queue, events) = open(directory.path());
    assert_eq!(events, ["one", "three"]);
    queue.acknowledge("one".to_owned()).await.unwrap();
    queue.keep(event("one")).await.unwrap();
    drop(queue);
    assert_eq!(open(directory.path()).1, ["three", "one"]);
}

#[tokio::test]
async fn a_torn_last_line_is_forgotten_and_a_damaged_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (queue, _) = open(directory.path());
    queue.keep(event("one")).await.unwrap();
    drop(queue);
    let path = directory.path().join(FILE);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"event\":{{\"event_")).unwrap();
    assert_eq!(open(directory.path()).1, ["one"]);
    fs::write(&path, format!("{whole}nonsense\n{whole}")).unwrap();
    let error = loop {
        match FileQueue::open(directory.path()) {
            Err(Error::QueueTaken { .. }) => thread::yield_now(),
            other => break other.unwrap_err(),
        }
    };
    assert!(matches!(error, Error::QueueDamaged { line: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_directory_is_one_brokers() {
    let directory = tempfile::tempdir().unwrap();
    let (_queue, _) = open(directory.path());
    assert!(matches!(FileQueue::open(directory.path()), Err(Error::QueueTaken { .. })));
}

#[tokio::test]
async fn the_file_does_not_grow_without_bound() {
    let directory = tempfile::tempdir().unwrap();
    let (queue, _) = open(directory.path());
    queue.keep(event("stays")).await.unwrap();
    let rounds = (0..MANY).map(|round| {
        let queue = queue.clone();
        async move {
            let id = round.to_string();
            queue.keep(event(&id)).await.unwrap();
            queue.acknowledge(id).await.unwrap();
        }
    });
    futures::future::join_all(rounds).await;
    let lines = fs::read_to_string(directory.path().join(FILE)).unwrap().lines().count();
    assert!(lines <= 2 * MANY, "{lines} lines");
    drop(queue);
    assert_eq!(open(directory.path()).1, ["stays"]);
}
