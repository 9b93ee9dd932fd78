//! Ctrl-C. The first one asks for an end: commands hand out no more work and tell what is finished, or end at once
//! when nothing of what they do can be kept. The second one ends the command wherever it is. Knows no command.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::end::End;

static ASKED: AtomicBool = AtomicBool::new(false);

/// What the first Ctrl-C does.
pub(crate) enum First {
    /// What runs is finished; says what is said about it.
    Finishes(&'static str),
    /// Ends the command, after this, which may say why.
    Ends(Box<dyn Fn() + Send>),
}

/// Listens from now on.
pub(crate) fn listen(first: First) {
    // Without a runtime there is nobody to listen: Ctrl-C ends the process, as it does by default.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let entered = runtime.enter();
    let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
    drop(entered);
    #[expect(clippy::disallowed_methods, reason = "signals come outside of every simulation")]
    std::thread::spawn(move || {
        runtime.block_on(async {
            interrupts.recv().await;
            ASKED.store(true, Ordering::SeqCst);
            match first {
                First::Finishes(said) => eprintln!("stopping: {said}; Ctrl-C again ends it at once"),
                First::Ends(before) => {
                    before();
                    std::process::exit(End::Interrupted.code());
                }
            }
            interrupts.recv().await;
            std::process::exit(End::Interrupted.code());
        });
    });
}

/// Whether an end was asked for.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
