//! Runs many plans, each under each of its architectures, on as many threads as asked for: one simulation
//! a thread, and a fresh thread for each, since some libraries count per thread. What comes out depends
//! on the plans alone, not on the number of threads or on who is done first.

mod results;

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::lens::Lens;
use crate::progress::Reached;
use crate::record::Record;
use crate::scenario::plan::Plan;
use crate::simulation::{self, Simulated};

pub use crate::progress::Progress;
pub use crate::simulation::Panicked;

/// Runs `plan(0)`, `plan(1)`, … until there is none, on so many `threads`; `done` hears of each by its number,
/// on one of the threads, as soon as it has run under all of its architectures, one at a time.
pub fn run(
    threads: NonZeroUsize,
    plan: &(dyn Fn(usize) -> Option<Arc<Plan>> + Sync),
    progress: &Progress,
    done: &mut (dyn FnMut(usize, Result<Record, Panicked>) + Send),
) {
    run_disturbed(threads, plan, progress, &|| {}, done);
}

/// Runs `plan` alone.
pub fn once(threads: NonZeroUsize, plan: &Arc<Plan>, progress: &Progress) -> Result<Record, Panicked> {
    once_disturbed(threads, plan, progress, &|| {})
}

/// As [`once`], and calls `disturb` on each simulation's thread every ten simulated milliseconds.
pub(crate) fn once_disturbed(
    threads: NonZeroUsize,
    plan: &Arc<Plan>,
    progress: &Progress,
    disturb: &(dyn Fn() + Sync),
) -> Result<Record, Panicked> {
    let mut seen = None;
    let first = |number: usize| (number == 0).then(|| Arc::clone(plan));
    run_disturbed(threads, &first, progress, disturb, &mut |_, result| seen = Some(result));
    seen.expect("the one plan was run")
}

/// As [`run`], and calls `disturb` on each simulation's thread every ten simulated milliseconds.
pub(crate) fn run_disturbed(
    threads: NonZeroUsize,
    plan: &(dyn Fn(usize) -> Option<Arc<Plan>> + Sync),
    progress: &Progress,
    disturb: &(dyn Fn() + Sync),
    done: &mut (dyn FnMut(usize, Result<Record, Panicked>) + Send),
) {
    let queue = Mutex::new(Queue { plan, next: 0, current: None });
    let done = Mutex::new(done);
    std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                loop {
                    // The queue is free again while this runs.
                    let next = locked(&queue).take();
                    let Some((job, index)) = next else { return };
                    let simulation = scope.spawn({
                        let plan = Arc::clone(&job.plan);
                        move || {
                            simulation::simulate(
                                &plan,
                                index,
                                &Reached::nothing(progress),
                                disturb,
                                &Lens::default(),
                            )
                        }
                    });
                    let simulated = simulation.join().unwrap_or_else(|panic| resume_unwind(panic));
                    if let Some(results) = job.ended(index, simulated) {
                        locked(&done)(job.number, results::record(&job.plan, results));
                    }
                }
            });
        }
    });
}

/// Does `work(0)` to `work(count - 1)` on so many `threads`; the results in order.
pub fn side_by_side<T: Send>(
    threads: NonZeroUsize,
    count: usize,
    work: &(dyn Fn(usize) -> T + Sync),
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(count) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let result = work(index);
                    locked(&results).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is still to be run.
struct Queue<'a> {
    plan: &'a (dyn Fn(usize) -> Option<Arc<Plan>> + Sync),
    next: usize,
    /// The plan that has architectures left, and which of them is next.
    current: Option<(Arc<Job>, usize)>,
}

impl Queue<'_> {
    /// The next simulation: a plan and which of its architectures.
    fn take(&mut self) -> Option<(Arc<Job>, usize)> {
        let (job, index) = match self.current.take() {
            Some(current) => current,
            None => (Arc::new(self.next_job()?), 0),
        };
        if index + 1 < job.plan.architectures.len() {
            self.current = Some((Arc::clone(&job), index + 1));
        }
        Some((job, index))
    }

    fn next_job(&mut self) -> Option<Job> {
        let plan = (self.plan)(self.next)?;
        let number = self.next;
        self.next += 1;
        Some(Job::new(number, plan))
    }
}

type Ended = Result<Simulated, Panicked>;

/// A plan that runs.
struct Job {
    number: usize,
    plan: Arc<Plan>,
    results: Mutex<Vec<Option<Ended>>>,
}

impl Job {
    fn new(number: usize, plan: Arc<Plan>) -> Self {
        let results = plan.architectures.iter().map(|_| None).collect();
        Self { number, plan, results: Mutex::new(results) }
    }

    /// The simulation of an architecture has ended; all results when it was the last.
    fn ended(&self, index: usize, result: Ended) -> Option<Vec<Ended>> {
        let mut results = locked(&self.results);
        results[index] = Some(result);
        if results.iter().all(Option::is_some) { results.drain(..).collect() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::Source;
    use crate::scenario::{Overrides, parse};

    #[test]
    fn two_threads_run_two_simulations_at_a_time() {
        let text = "[scenario]\nduration = \"100ms\"\n[compare]\narchitectures = [\"direct\", \"gateway\"]\n\
                    [services.first.endpoints.get]\n[load.all]\nrate = \"10 rps\"\nmix = { \"first.get\" = 1 }";
        let source = Source { path: "it.toml".to_owned(), text: text.to_owned() };
        let plan = parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let plan = Arc::new(plan);
        let begun = AtomicUsize::new(0);
        let threads = Mutex::new(std::collections::BTreeSet::new());
        // Each simulation waits for the other to have begun, but not for ever.
        let meet = || {
            let me = format!("{:?}", std::thread::current().id());
            if locked(&threads).insert(me) {
                begun.fetch_add(1, Ordering::SeqCst);
                let mut patience = 1_000_000;
                while begun.load(Ordering::SeqCst) < 2 && patience > 0 {
                    patience -= 1;
                    std::thread::yield_now();
                }
                assert!(patience > 0, "the other simulation has not begun");
            }
        };
        let two = NonZeroUsize::new(2).unwrap();
        assert!(once_disturbed(two, &plan, &Progress::default(), &meet).is_ok());
    }
}
