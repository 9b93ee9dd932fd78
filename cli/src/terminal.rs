//! What goes to the terminal beside results: colours when it is one, progress, errors.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use hoplab_reports::Look;
use hoplab_sim::run::Progress;
use hoplab_sim::scenario::Problems;
use indicatif::{ProgressBar, ProgressStyle};

const RED: Style = AnsiColor::Red.on_default().bold();

/// What standard output can show.
pub(crate) fn look() -> Look {
    let columns = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    Look { width: columns.unwrap_or(Look::PLAIN.width).clamp(40, 160), colour: shows_colours(&stdout()) }
}

fn shows_colours(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Prints what is wrong with a scenario, or worth a look, to standard error.
pub(crate) fn problems(problems: &Problems) {
    if !problems.is_empty() {
        eprintln!("{}", problems.render(shows_colours(&stderr())));
    }
}

/// Prints an error to standard error, with those of its causes that it does not name itself.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    // Nothing can be done when standard error is closed.
    let _ = writeln!(anstream::stderr(), "{RED}error{RED:#}: {text}");
}

/// Says in one line on standard error that a run is invalid, since something in it panicked: the last of `error`'s
/// causes. Those before it say which of several runs it was.
pub(crate) fn panicked(error: &anyhow::Error) {
    let panicked = error.root_cause().to_string();
    let mut text = panicked.clone();
    for which in error.chain().map(ToString::to_string).filter(|text| *text != panicked) {
        text = format!("{text}, {which}");
    }
    eprintln!("invalid: {text}");
}

/// Shows a run's progress on standard error while `work` runs, when that is a terminal.
pub(crate) fn with_progress<T: Send>(progress: &Progress, work: impl FnOnce() -> T + Send) -> T {
    if !stderr().is_terminal() {
        return work();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  simulated {msg}, {eta} left")
        .expect("the template is well formed");
    let bar = ProgressBar::new(progress.total().as_millis() as u64).with_style(style);
    let result = std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        while !worker.is_finished() {
            let done = progress.done();
            bar.set_position(done.as_millis() as u64);
            bar.set_message(format!("{:.1} s", done.as_secs_f64()));
            #[expect(clippy::disallowed_methods, reason = "the person at the terminal lives in real time")]
            std::thread::sleep(Duration::from_millis(80));
        }
        worker.join()
    });
    bar.finish_and_clear();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
