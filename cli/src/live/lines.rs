//! Lines written off the request path: spans go into a bounded queue, a thread makes lines of them and writes. Who
//! reports never waits; what does not fit is dropped and counted. Owns no format.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use hoplab_proxy::telemetry::metrics::Metrics;
use hoplab_proxy::telemetry::{Sink, Span};

/// Spans that wait for the writer: a quarter of a second of what one worker serves at full speed (15,000 a second, see
/// the README), at some 500 bytes each. A disk that pauses for longer loses lines rather than requests.
const QUEUE_SPANS: usize = 4096;

/// Bytes after which lines are written though more are waiting: what one write to a pipe or a disk takes well.
const BATCH_BYTES: usize = 64 * 1024;

/// Makes a line of a span; `None` when it is to leave none.
pub(super) type Format = Box<dyn Fn(&Span) -> Option<String> + Send>;

/// What is handed in.
enum Entry {
    Span(Arc<Span>),
    /// Wakes the writer, which looks whether its file is to be opened again.
    Wake,
    End,
}

/// Where spans are handed in. Cloning gives another handle.
#[derive(Clone)]
pub(super) struct Queue {
    spans: SyncSender<Entry>,
    /// Whether the file may have been moved, and another is to be opened.
    is_moved: Arc<AtomicBool>,
    lines: &'static str,
    metrics: Metrics,
}

impl Queue {
    /// Hands in a span, if there is room.
    pub(super) fn offer(&self, span: Arc<Span>) {
        match self.spans.try_send(Entry::Span(span)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.metrics.dropped(self.lines),
        }
    }
}

/// A thread that writes lines.
pub(super) struct Writer {
    queue: Queue,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Writes to `sink`, whose path starts from `folder`. Lines that are lost are counted as `lines`.
    pub(super) fn open(
        sink: &Sink,
        folder: &Path,
        lines: &'static str,
        metrics: &Metrics,
        format: Format,
    ) -> io::Result<Self> {
        let path = match sink {
            Sink::Stdout => None,
            Sink::File(path) => Some(folder.join(path)),
        };
        let out = open(path.as_deref())?;
        metrics.writes(lines, sink);
        let (spans, waiting) = sync_channel(QUEUE_SPANS);
        let is_moved = Arc::new(AtomicBool::new(false));
        let queue = Queue { spans, is_moved: Arc::clone(&is_moved), lines, metrics: metrics.clone() };
        let pen = Pen {
            out,
            path,
            is_moved,
            format,
            lines,
            metrics: metrics.clone(),
            batch: String::new(),
            count: 0,
            blunt: false,
        };
        #[expect(clippy::disallowed_methods, reason = "files block: they have a thread of their own")]
        let thread = std::thread::spawn(move || pen.write_all(&waiting));
        Ok(Self { queue, thread })
    }

    /// Where spans are handed in.
    pub(super) fn queue(&self) -> Queue {
        self.queue.clone()
    }

    /// Has the file opened again, so that one that was moved away is left; what waits still goes there.
    pub(super) fn reopen(&self) {
        self.queue.is_moved.store(true, Ordering::Release);
        // One that has so much to write looks by itself.
        let _ = self.queue.spans.try_send(Entry::Wake);
    }

    /// Writes what is waiting, and ends.
    pub(super) fn close(self) {
        // A writer that is gone has nothing left to say.
        let _ = self.queue.spans.send(Entry::End);
        let _ = self.thread.join();
    }
}

/// What the thread writes with.
struct Pen {
    out: Box<dyn Write + Send>,
    /// The file that is written to.
    path: Option<PathBuf>,
    is_moved: Arc<AtomicBool>,
    format: Format,
    lines: &'static str,
    metrics: Metrics,
    /// Lines that go with the next write, and how many.
    batch: String,
    count: u64,
    /// Whether people were told that nothing can be written.
    blunt: bool,
}

impl Pen {
    /// Writes whatever comes until the end is handed in. What waits already goes with one write.
    fn write_all(mut self, waiting: &Receiver<Entry>) {
        let mut next = waiting.recv().ok();
        while let Some(entry) = next {
            let goes_on = match entry {
                Entry::Span(span) => {
                    self.add(&span);
                    self.batch.len() < BATCH_BYTES
                }
                Entry::Wake => {
                    self.write();
                    true
                }
                Entry::End => break,
            };
            next = if goes_on { waiting.try_recv().ok() } else { None };
            if next.is_none() {
                self.write();
                next = waiting.recv().ok();
            }
        }
        self.write();
    }

    fn reopen(&mut self) {
        match open(self.path.as_deref()) {
            Ok(out) => self.out = out,
            Err(error) => {
                // Nobody may listen there either; what was open is written on.
                let _ = writeln!(io::stderr(), "cannot open the file of {} again: {error}", self.lines);
            }
        }
    }

    fn add(&mut self, span: &Span) {
        if let Some(line) = (self.format)(span) {
            self.batch.push_str(&line);
            self.batch.push('\n');
            self.count += 1;
        }
    }

    /// Writes what is there, and opens the file again if it is told to.
    fn write(&mut self) {
        if !self.batch.is_empty() {
            self.write_batch();
        }
        if self.is_moved.swap(false, Ordering::AcqRel) {
            self.reopen();
        }
    }

    fn write_batch(&mut self) {
        let written = self.out.write_all(self.batch.as_bytes()).and_then(|()| self.out.flush());
        if let Err(error) = written {
            (0..self.count).for_each(|_| self.metrics.dropped(self.lines));
            if !std::mem::replace(&mut self.blunt, true) {
                // Nobody may listen there either.
                let _ = writeln!(io::stderr(), "cannot write {}: {error}", self.lines);
            }
        }
        self.batch.clear();
        self.count = 0;
    }
}

/// What is written to: the standard output where there is no path.
fn open(path: Option<&Path>) -> io::Result<Box<dyn Write + Send>> {
    Ok(match path {
        None => Box::new(io::stdout()),
        Some(path) => Box::new(File::options().append(true).create(true).open(path)?),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};
    use std::time::SystemTime;

    use hoplab_proxy::host::Instant;
    use hoplab_proxy::telemetry::{Outcome, Role, TraceId};

    use super::*;

    fn span(number: u128) -> Arc<Span> {
        Arc::new(Span {
            trace: TraceId(number),
            parent: None,
            role: Role::Gateway,
            start: Instant::START,
            end: Instant::START,
            segments: Vec::new(),
            attempts: Vec::new(),
            outcome: Outcome::Answered(200),
            facts: None,
        })
    }

    fn format() -> Format {
        Box::new(|span| (span.trace.0 > 0).then(|| span.trace.0.to_string()))
    }

    fn dropped(metrics: &Metrics) -> String {
        let text = metrics.text();
        let line =
            text.lines().find_map(|line| line.strip_prefix("hoplab_telemetry_dropped_total{lines=\"log\"} "));
        line.unwrap().to_owned()
    }

    fn path(name: &str) -> std::path::PathBuf {
        #[expect(clippy::disallowed_methods, reason = "no two runs of this test share a file")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        std::env::temp_dir().join(format!("hoplab-lines-{name}-{}-{now}", std::process::id()))
    }

    #[test]
    fn a_file_is_appended_to_in_order_and_whole() {
        let (metrics, path) = (Metrics::default(), path("order"));
        for part in [1..=1_000, 1_001..=2_000] {
            let sink = Sink::File(path.clone());
            let writer = Writer::open(&sink, Path::new(""), "log", &metrics, format()).unwrap();
            part.for_each(|number| writer.queue().offer(span(number)));
            writer.queue().offer(span(0));
            writer.close();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let numbers: Vec<u128> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers, (1..=2_000).collect::<Vec<_>>());
        assert_eq!(dropped(&metrics), "0");
    }

    #[test]
    fn a_file_that_was_moved_away_is_left_when_it_is_told() {
        let (metrics, path) = (Metrics::default(), path("moved"));
        let moved = path.with_extension("1");
        let writer =
            Writer::open(&Sink::File(path.clone()), Path::new(""), "log", &metrics, format()).unwrap();
        writer.queue().offer(span(1));
        std::fs::rename(&path, &moved).unwrap();
        writer.reopen();
        writer.queue().offer(span(2));
        writer.close();
        let texts = [&moved, &path].map(|path| std::fs::read_to_string(path).unwrap());
        for path in [moved, path] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(texts, ["1\n", "2\n"]);
    }

    #[test]
    fn a_writer_that_is_held_up_holds_up_nobody_and_what_is_lost_is_counted() {
        let (metrics, path) = (Metrics::default(), path("held"));
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let held: Format = Box::new(move |span| {
            if span.trace.0 == 1 {
                begun.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
            Some(span.trace.0.to_string())
        });
        let writer = Writer::open(&Sink::File(path.clone()), Path::new(""), "log", &metrics, held).unwrap();
        writer.queue().offer(span(1));
        begins.recv().unwrap();
        for number in 0..QUEUE_SPANS as u128 + 7 {
            writer.queue().offer(span(2 + number));
        }
        assert_eq!(dropped(&metrics), "7", "the queue holds so many and no more");
        release.send(()).unwrap();
        writer.close();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), 1 + QUEUE_SPANS);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let metrics = Metrics::default();
        let full = Sink::File("/dev/full".into());
        let writer = Writer::open(&full, Path::new(""), "log", &metrics, format()).unwrap();
        (1..=3).for_each(|number| writer.queue().offer(span(number)));
        writer.close();
        assert_eq!(dropped(&metrics), "3");
        let nowhere = Sink::File("no/such/folder/log".into());
        assert!(Writer::open(&nowhere, Path::new("/"), "log", &metrics, format()).is_err());
    }
}
