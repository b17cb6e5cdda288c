//! Starts the components, and stops all of them, in order, when one fails or when told to.

use futures::future::BoxFuture;
use std::collections::HashMap;
use std::future::Future;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// When a component is stopped. Those that take work in stop first; those that keep it, once nobody brings any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Doors,
    Stores,
}

const STAGES: [Stage; 2] = [Stage::Doors, Stage::Stores];

type Run = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send>;

struct Component {
    name: &'static str,
    stage: Stage,
    /// Another than the supervisor's own.
    runtime: Option<Handle>,
    run: Run,
}

/// The components, before they are started.
#[derive(Default)]
pub struct Supervisor {
    components: Vec<Component>,
}

/// The first component that ended when it should not have.
#[derive(Debug, Error)]
#[error("{component} failed: {cause:#}")]
pub struct ComponentFailed {
    component: &'static str,
    cause: anyhow::Error,
}

impl Supervisor {
    /// A component is a future that ends when its token is cancelled, and only then.
    pub fn add<F>(
        &mut self,
        name: &'static str,
        stage: Stage,
        run: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let run: Run = Box::new(|token| Box::pin(run(token)));
        self.components.push(Component { name, stage, runtime: None, run });
    }

    /// Adds a component that runs on the threads of another runtime, which must outlive the supervisor.
    pub fn add_on<F>(
        &mut self,
        runtime: &Handle,
        name: &'static str,
        stage: Stage,
        run: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.add(name, stage, run);
        if let Some(added) = self.components.last_mut() {
            added.runtime = Some(runtime.clone());
        }
    }

    /// Runs all until `stop` is ready or one of them ends; then stops them stage by stage, and waits for each.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ComponentFailed> {
        let tokens = STAGES.map(|_| CancellationToken::new());
        let mut running = Running::default();
        for component in self.components {
            let stage = STAGES.iter().position(|stage| *stage == component.stage).unwrap_or(0);
            running.start(component, tokens[stage].clone());
        }
        tokio::select! {
            () = stop => {}
            () = running.until_one_ends() => {}
        }
        for (stage, token) in STAGES.iter().zip(tokens) {
            token.cancel();
            running.until_ended(*stage).await;
        }
        running.failed.map_or(Ok(()), Err)
    }
}

#[derive(Default)]
struct Running {
    tasks: JoinSet<anyhow::Result<()>>,
    /// The components that have not ended.
    left: HashMap<Id, (&'static str, Stage)>,
    failed: Option<ComponentFailed>,
}

impl Running {
    fn start(&mut self, component: Component, token: CancellationToken) {
        let running = (component.run)(token);
        let handle = match component.runtime {
            Some(runtime) => self.tasks.spawn_on(running, &runtime),
            None => self.tasks.spawn(running),
        };
        self.left.insert(handle.id(), (component.name, component.stage));
    }

    /// One ended before it was told to, be it by an error or without: that is a failure.
    async fn until_one_ends(&mut self) {
        let Some((component, result)) = self.next_ended().await else { return };
        let cause = result.err().unwrap_or_else(|| anyhow::anyhow!("it ended, though nobody stopped it"));
        self.note_failure(component, cause);
    }

    async fn until_ended(&mut self, stage: Stage) {
        while self.left.values().any(|(_, other)| *other == stage) {
            let Some((component, result)) = self.next_ended().await else { return };
            if let Err(cause) = result {
                self.note_failure(component, cause);
            }
        }
    }

    async fn next_ended(&mut self) -> Option<(&'static str, anyhow::Result<()>)> {
        let (id, result) = match self.tasks.join_next_with_id().await? {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(error.into())),
        };
        let (component, _) = self.left.remove(&id)?;
        Some((component, result))
    }

    fn note_failure(&mut self, component: &'static str, cause: anyhow::Error) {
        error!(component, cause = format!("{cause:#}"), "component failed");
        // The first failure is the cause; what follows is its effect.
        self.failed.get_or_insert(ComponentFailed { component, cause });
    }
}

#[cfg(test)]
mod tests {
    use super::{Stage, Supervisor};
    use std::future::{pending, ready};
    use std::sync::{Arc, Mutex};

    /// A supervisor with two well-behaved components that note when they end.
    fn with_order() -> (Supervisor, Arc<Mutex<Vec<&'static str>>>) {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut supervisor = Supervisor::default();
        for (name, stage) in [("store", Stage::Stores), ("door", Stage::Doors)] {
            let order = Arc::clone(&order);
            supervisor.add(name, stage, move |token| async move {
                token.cancelled().await;
                order.lock().unwrap().push(name);
                Ok(())
            });
        }
        (supervisor, order)
    }

    #[tokio::test]
    async fn doors_stop_before_stores() {
        let (supervisor, order) = with_order();
        supervisor.run(ready(())).await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["door", "store"]);
    }

    #[tokio::test]
    async fn one_that_fails_stops_all() {
        let (mut supervisor, order) = with_order();
        supervisor.add("clock", Stage::Doors, |_| async { anyhow::bail!("it stands still") });
        let said = supervisor.run(pending()).await.unwrap_err().to_string();
        assert_eq!(said, "clock failed: it stands still");
        assert_eq!(*order.lock().unwrap(), ["door", "store"]);
    }

    #[tokio::test]
    async fn ending_early_and_panicking_are_failures() {
        let (mut supervisor, _) = with_order();
        supervisor.add("brief", Stage::Stores, |_| async { Ok(()) });
        assert!(
            supervisor.run(pending()).await.unwrap_err().to_string().starts_with("brief failed: it ended")
        );
        let (mut supervisor, _) = with_order();
        supervisor.add("broken", Stage::Doors, |_| async { panic!("a bug") });
        assert!(supervisor.run(pending()).await.unwrap_err().to_string().contains("broken failed"));
    }

    /// Those of another runtime run on its threads, and are stopped and waited for like all.
    #[test]
    fn components_of_another_runtime_are_stopped_in_order() {
        let runtime = |name| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(1).thread_name(name).build().unwrap()
        };
        let (own, other) = (runtime("own"), runtime("other"));
        let (mut supervisor, order) = with_order();
        let ran_on = Arc::clone(&order);
        supervisor.add_on(other.handle(), "page", Stage::Doors, |token| async move {
            token.cancelled().await;
            let is_other = std::thread::current().name() == Some("other");
            ran_on.lock().unwrap().push(if is_other { "page" } else { "page on its supervisor's thread" });
            Ok(())
        });
        own.block_on(supervisor.run(ready(()))).unwrap();
        let order = order.lock().unwrap();
        assert!(order.contains(&"page") && order.last() == Some(&"store"), "{order:?}");
    }
}
