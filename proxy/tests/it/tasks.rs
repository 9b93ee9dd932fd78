//! A panic in a task is reported, whether it passes while the task runs or while it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hoplab_proxy::host::live::Live;
use hoplab_proxy::tasks::Tasks;
use hoplab_proxy::telemetry::{Observer, Report};

/// Counts panics.
struct Counting(Arc<AtomicU64>);

impl Observer for Counting {
    fn observe(&self, report: Report) {
        assert!(matches!(report, Report::Panicked));
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[tokio::test]
async fn a_task_that_panics_is_reported_at_once_and_no_other() {
    let panics = Arc::new(AtomicU64::new(0));
    let tasks = Tasks::default();
    let spawner = tasks.spawner(Live::new(Counting(Arc::clone(&panics))));
    spawner.spawn(async {});
    spawner.spawn(async { panic!("while it runs") });
    spawner.spawn(async {
        let _held = PanicsWhenDropped;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    assert_eq!(panics.load(Ordering::Relaxed), 1);
    drop(tasks);
    tokio::task::yield_now().await;
    assert_eq!(panics.load(Ordering::Relaxed), 2);
}
