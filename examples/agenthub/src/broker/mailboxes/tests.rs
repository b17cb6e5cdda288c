//! Events reach their agent once each, and again when it was lost.

use super::*;
use futures::FutureExt;
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

fn put(mailboxes: &Mailboxes, id: &str) -> Result<(), Refused> {
    mailboxes.reserve(&event(id))?;
    mailboxes.put(event(id));
    Ok(())
}

#[tokio::test]
async fn what_a_lost_agent_had_waits_for_it_again() {
    let mailboxes = Arc::new(Mailboxes::default());
    put(&mailboxes, "one").unwrap();
    put(&mailboxes, "two").unwrap();
    let lost = mailboxes.subscribe("b", 8);
    assert_eq!(lost.next().await.event_id, "one");
    assert_eq!(lost.next().await.event_id, "two");
    assert!(mailboxes.acknowledge("b", "two"));
    drop(lost);
    let back = mailboxes.subscribe("b", 8);
    let again = back.next().await;
    assert_eq!((again.event_id.as_str(), again.redeliveries), ("one", 1));
    assert!(back.next().now_or_never().is_none());
}

#[tokio::test]
async fn an_agent_has_so_many_at_a_time_and_waits_for_the_next() {
    let mailboxes = Arc::new(Mailboxes::default());
    let subscription = mailboxes.subscribe("b", 1);
    let mut next = Box::pin(subscription.next());
    assert!(next.as_mut().now_or_never().is_none());
    put(&mailboxes, "one").unwrap();
    put(&mailboxes, "two").unwrap();
    assert_eq!(next.await.event_id, "one");
    let mut next = Box::pin(subscription.next());
    assert!(next.as_mut().now_or_never().is_none());
    assert!(mailboxes.acknowledge("b", "one"));
    assert_eq!(next.await.event_id, "two");
}

#[test]
fn an_event_is_taken_once_and_a_full_mailbox_refuses() {
    let mailboxes = Mailboxes::default();
    put(&mailboxes, "0").unwrap();
    assert_eq!(put(&mailboxes, "0"), Err(Refused::Known));
    for id in 1..CAPACITY {
        mailboxes.reserve(&event(&id.to_string())).unwrap();
    }
    assert_eq!(put(&mailboxes, "more"), Err(Refused::Full));
    mailboxes.release(&event("1"));
    put(&mailboxes, "more").unwrap();
    assert!(mailboxes.acknowledge("b", "0"), "done with, though it waits again");
    assert!(!mailboxes.acknowledge("b", "0"));
    assert!(!mailboxes.acknowledge("nobody", "0"));
}
