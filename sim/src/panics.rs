//! Panics of simulations: noted where they happen, with place and message, instead of being printed by whoever
//! happens to hear of them. A task that panics dies alone, and all that others see of it is a closed connection:
//! so the simulation is told, ends, and has no result.
//!
//! The process has one hook, which is set once; a thread that is not watched keeps the one that was there.
//! Not here: what becomes of a simulation that panicked ([`crate::simulation`]).

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::task::{Poll, Waker};

/// A panic of a simulated task, or of the simulation itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panic {
    /// The pod whose task it was; `None` for what belongs to no pod.
    pub(crate) pod: Option<String>,
    /// File, line and column.
    pub(crate) place: String,
    /// What it said.
    pub(crate) message: String,
}

/// What was noted on a thread that is watched.
#[derive(Default)]
struct Noted {
    first: Option<Panic>,
    count: u64,
    /// Who waits in [`noted`].
    waiting: Option<Waker>,
}

thread_local! {
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// Does `work` on this thread, and says what it leaves, or the first panic in it: also one of a task that died alone,
/// and one while what it made was taken down. Work without a result is work that ended because of a panic.
pub(crate) fn watch<T>(work: impl FnOnce() -> Option<T>) -> Result<T, Panic> {
    set_hook();
    NOTED.set(Some(Noted::default()));
    let ended = catch_unwind(AssertUnwindSafe(work));
    let first = NOTED.take().and_then(|noted| noted.first);
    match (first, ended) {
        (Some(panic), _) => Err(panic),
        (None, Ok(result)) => Ok(result.expect("work ends without a result because of a panic alone")),
        // It was passed on from another thread, past the hook.
        (None, Err(payload)) => {
            Err(Panic { pod: None, place: "another thread".to_owned(), message: said(&*payload) })
        }
    }
}

/// Completes when something on this thread has panicked.
pub(crate) async fn noted() {
    poll_fn(|context| {
        NOTED.with_borrow_mut(|noted| match noted {
            Some(noted) if noted.first.is_some() => Poll::Ready(()),
            Some(noted) => {
                noted.waiting = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Pending,
        })
    })
    .await;
}

/// The panic that is passing on this thread is that of a task in `pod`.
pub(crate) fn is_in(pod: &str) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(Noted { first: Some(first), count: 1, .. }) = noted {
            first.pod.get_or_insert_with(|| pod.to_owned());
        }
    });
}

fn set_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !note(panic) {
                others(panic);
            }
        }));
    });
}

/// Notes a panic of a thread that is watched; whether it is.
fn note(panic: &PanicHookInfo<'_>) -> bool {
    // Neither a thread at its end nor a panic while one is noted is a reason for another.
    let waiting = NOTED.try_with(|noted| {
        let mut noted = noted.try_borrow_mut().ok()?;
        let noted = noted.as_mut()?;
        noted.count += 1;
        noted.first.get_or_insert_with(|| Panic {
            pod: None,
            place: panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string),
            message: said(panic.payload()),
        });
        Some(noted.waiting.take())
    });
    let Ok(Some(waiting)) = waiting else { return false };
    if let Some(waiting) = waiting {
        waiting.wake();
    }
    true
}

/// What a panic said.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "nothing that is text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_panic_is_told_with_its_place_and_those_of_other_threads_are_not() {
        let line = line!() + 2;
        let first = watch(|| {
            let _ = catch_unwind(|| panic!("the {}", "first"));
            let _ = catch_unwind(|| panic!("the second"));
            Some(())
        });
        let first = first.unwrap_err();
        assert_eq!((first.pod, first.message.as_str()), (None, "the first"));
        assert!(first.place.starts_with(&format!("{}:{line}:", file!())), "{}", first.place);
        assert_eq!(watch(|| Some(7)), Ok(7), "what is past is past");
        let others = std::thread::scope(|scope| {
            let watched = scope.spawn(|| {
                watch(|| {
                    // Somebody else panics while this thread is watched.
                    Some(std::thread::scope(|scope| {
                        scope.spawn(|| panic!("a thread of its own")).join().is_err()
                    }))
                })
            });
            watched.join().unwrap()
        });
        assert_eq!(others, Ok(true));
    }
}
