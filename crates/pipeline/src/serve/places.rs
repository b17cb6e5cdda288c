//! Room for connections, over all ports together: each needs a file descriptor, of which a process has only so many.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one port: some of its own, which no flood on another port takes, and those that all ports share.
#[derive(Clone)]
pub struct Places {
    own: Arc<Semaphore>,
    shared: Arc<Semaphore>,
}

/// A connection's place, given back when dropped.
pub type Place = OwnedSemaphorePermit;

impl Places {
    /// So many connections, for so many ports: half of them are shared.
    #[must_use]
    pub fn divided<const PORTS: usize>(connections: usize) -> [Self; PORTS] {
        let own = (connections / 2 / PORTS.max(1)).max(1);
        let shared = Arc::new(Semaphore::new(connections.saturating_sub(own * PORTS)));
        std::array::from_fn(|_| Self { own: Arc::new(Semaphore::new(own)), shared: Arc::clone(&shared) })
    }

    /// Waits for a place.
    pub(super) async fn take(&self) -> Option<Place> {
        tokio::select! {
            biased;
            place = Arc::clone(&self.own).acquire_owned() => place.ok(),
            place = Arc::clone(&self.shared).acquire_owned() => place.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Places;
    use futures::FutureExt;

    #[test]
    fn a_flood_leaves_the_other_ports_their_own() {
        for (connections, most, left) in [(16, 10, 2), (128, 80, 16), (9, 6, 1), (4, 1, 1), (0, 1, 1)] {
            let ports = Places::divided::<4>(connections);
            let take_all = |port: &Places| -> Vec<_> {
                std::iter::from_fn(|| port.take().now_or_never().flatten()).collect()
            };
            let flood = take_all(&ports[0]);
            assert_eq!(flood.len(), most, "{connections}");
            for port in &ports[1..] {
                assert_eq!(take_all(port).len(), left, "{connections}");
            }
            drop(flood);
            assert_eq!(take_all(&ports[3]).len(), most, "{connections}");
        }
    }
}
