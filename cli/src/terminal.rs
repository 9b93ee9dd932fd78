//! What goes to the terminal beside results: colours when it is one, progress, errors.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use hoplab_config::Problems;
use hoplab_reports::Look;
use hoplab_sim::run::Progress;
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

/// Prints a line of results to standard output.
pub(crate) fn line(text: &str) -> std::io::Result<()> {
    writeln!(anstream::stdout(), "{text}")
}

/// Tells people something on standard error, where nobody may listen.
pub(crate) fn note(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// Prints what is wrong with a file, or worth a look, to standard error.
pub(crate) fn problems(problems: &Problems) {
    if !problems.is_empty() {
        note(&problems.render(shows_colours(&stderr())));
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

/// When it is said how long the rest will take: by then the pace is known.
const PACE_KNOWN: Duration = Duration::from_secs(5);
/// What takes less than this is waited for without a word.
const LONG: Duration = Duration::from_secs(30);

/// Does `work`, a run or many. Shows its progress on standard error where that is a terminal, and says in a line
/// how long it will take where that is long.
pub(crate) fn with_progress<T: Send>(progress: &Progress, work: impl FnOnce() -> T + Send) -> T {
    let bar = if stderr().is_terminal() { bar(progress) } else { ProgressBar::hidden() };
    let mut forecast = Forecast::start();
    let shower = std::thread::current();
    let result = std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let result = work();
            shower.unpark();
            result
        });
        while !worker.is_finished() {
            let done = progress.done();
            bar.set_position(done.as_millis() as u64);
            bar.set_message(format!("{:.1} s", done.as_secs_f64()));
            if let Some(line) = forecast.line(progress) {
                bar.suspend(|| eprintln!("{line}"));
            }
            std::thread::park_timeout(Duration::from_millis(80));
        }
        worker.join()
    });
    bar.finish_and_clear();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn bar(progress: &Progress) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  simulated {msg}, {eta} left")
        .expect("the template is well formed");
    ProgressBar::new(progress.total().as_millis() as u64).with_style(style)
}

/// Says once how long a run will take.
struct Forecast {
    /// `None` once it is said, or need not be.
    started: Option<Instant>,
}

#[expect(clippy::disallowed_methods, reason = "the person at the terminal lives in real time")]
impl Forecast {
    fn start() -> Self {
        Self { started: Some(Instant::now()) }
    }

    fn line(&mut self, progress: &Progress) -> Option<String> {
        let elapsed = self.started?.elapsed();
        let done = progress.done();
        // Where as much is done as there is time for, nobody knows the total.
        if elapsed < PACE_KNOWN || done.is_zero() || progress.total().is_zero() {
            return None;
        }
        self.started = None;
        forecast(elapsed, done, progress.total())
    }
}

/// What is said when it took `elapsed` to simulate the time `done` of `total`; nothing when the rest takes little.
fn forecast(elapsed: Duration, done: Duration, total: Duration) -> Option<String> {
    let share = done.as_secs_f64() / total.as_secs_f64();
    let left = elapsed.as_secs_f64() * (1.0 - share) / share;
    if left < LONG.as_secs_f64() {
        return None;
    }
    let in_words = match left {
        seconds if seconds < 100.0 => format!("{seconds:.0} s"),
        seconds if seconds < 6_000.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.0} h", seconds / 3_600.0),
    };
    let (done, total) = (done.as_secs_f64(), total.as_secs_f64());
    Some(format!("about {in_words} to go: {done:.1} of {total:.0} s are simulated"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_takes_long_is_foretold() {
        let after_5 = |done, total| {
            forecast(Duration::from_secs(5), Duration::from_secs(done), Duration::from_secs(total))
        };
        assert_eq!(after_5(10, 60), None);
        assert_eq!(after_5(10, 80).unwrap(), "about 35 s to go: 10.0 of 80 s are simulated");
        assert_eq!(after_5(1, 60).unwrap(), "about 5 min to go: 1.0 of 60 s are simulated");
        assert_eq!(after_5(1, 3_600).unwrap(), "about 5 h to go: 1.0 of 3600 s are simulated");
    }
}
