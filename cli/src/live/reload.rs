//! A product's file, taken up anew while the product runs: when SIGHUP asks, when the file changes and `--watch` is given,
//! and, as far as certificates and keys go that the file names, whenever these change. What cannot be used is told, and
//! the product goes on as before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hoplab_config::file::{self, Loaded};
use hoplab_proxy::host::Host;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::telemetry::Outlets;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::outlets::Opened;
use super::product::Product;
use crate::terminal;

/// How often files are looked at. One that has changed is taken up once it has stayed the same for as long, so that a
/// certificate and its key are taken up together.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a product was last told.
pub(super) struct Told {
    path: PathBuf,
    /// The text of its file.
    text: String,
    /// The file, and those that it names.
    files: Vec<PathBuf>,
    /// How these looked before they were read.
    taken_up: Vec<Looks>,
    outlets: Outlets,
    /// Whether the file is taken up when it changes.
    watch: bool,
    /// Where SIGHUP is heard; `None` where signals cannot be.
    asked: Option<Signal>,
}

/// How long requests are taken as ever by a product that is told to stop; it may change until then.
pub(super) type ShutdownDelay = Arc<Mutex<Duration>>;

/// What is read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anew {
    /// All.
    Everything,
    /// The files that are named by what the product was last told.
    Named,
}

impl Told {
    /// What a product was told first, by the file at `path`. From now on SIGHUP is heard, which ends who does not hear it: it is
    /// called within a runtime, before anybody is told that the product is there.
    pub(super) fn new<T>(path: &Path, loaded: &Loaded<T>, outlets: Outlets, watch: bool) -> Self {
        let (text, files) = (loaded.text.clone(), loaded.files.clone());
        let taken_up = looks(&files);
        let asked = signal(SignalKind::hangup()).ok();
        Self { path: path.to_owned(), text, files, taken_up, outlets, watch, asked }
    }

    /// Follows the file and those that it names, for as long as the product runs.
    pub(super) async fn follow<P: Product>(
        mut self,
        host: Live,
        mut control: P::Control,
        opened: Arc<Opened>,
        delay: ShutdownDelay,
    ) {
        let mut asked = self.asked.take();
        let mut seen = self.taken_up.clone();
        loop {
            let anew = tokio::select! {
                biased;
                () = hung_up(&mut asked) => Some(Anew::Everything),
                () = host.sleep_until(host.now() + LOOK_EVERY) => {
                    let before = std::mem::replace(&mut seen, looks(&self.files));
                    self.changed(&before, &seen)
                }
            };
            let Some(anew) = anew else { continue };
            if anew == Anew::Everything {
                opened.reopen();
            }
            let is_applied = self.take_up::<P>(anew, &mut control, &delay).await;
            opened.metrics().reloaded(is_applied);
            // What has changed meanwhile is seen to have.
            seen.clone_from(&self.taken_up);
        }
    }

    /// What is to be read anew, when files looked like `before` at the last look, and like `now` at this one. What is
    /// still being written is left alone; so is what nobody goes by.
    fn changed(&self, before: &[Looks], now: &[Looks]) -> Option<Anew> {
        if self.watch && now[0] != self.taken_up[0] {
            return (before == now).then_some(Anew::Everything);
        }
        let is_new = now[1..] != self.taken_up[1..] && before[1..] == now[1..];
        is_new.then_some(Anew::Named)
    }

    /// Has the product do what its files say now; whether it does.
    async fn take_up<P: Product>(
        &mut self,
        anew: Anew,
        control: &mut P::Control,
        delay: &ShutdownDelay,
    ) -> bool {
        let (path, text) = (self.path.clone(), self.text.clone());
        // What is refused is not tried again until it changes.
        self.taken_up = looks(&self.files);
        #[expect(clippy::disallowed_methods, reason = "files block: they have a thread of their own")]
        let read = tokio::task::spawn_blocking(move || match anew {
            Anew::Everything => file::load(&path, P::document),
            Anew::Named => file::load_text(&path, text, P::document),
        });
        let name = self.path.display();
        let what = match anew {
            Anew::Everything => format!("{name} is"),
            Anew::Named => format!("certificates of {name} are"),
        };
        let Ok(read) = read.await else { return false };
        let loaded = match read {
            Ok(loaded) => loaded,
            Err(problems) => {
                terminal::problems(&problems);
                terminal::note(&format!("{what} not taken up: all goes on as before"));
                return false;
            }
        };
        terminal::problems(&loaded.warnings);
        let looked: BTreeMap<_, _> = self.files.iter().zip(&self.taken_up).collect();
        let look =
            |path: &PathBuf| looked.get(path).map_or_else(|| Looks::of(path), |looks| (*looks).clone());
        let taken_up: Vec<Looks> = loaded.files.iter().map(look).collect();
        let outlets = P::outlets(&loaded.value).clone();
        let shutdown_delay = outlets.shutdown_delay;
        let applied = if outlets == (Outlets { shutdown_delay, ..self.outlets.clone() }) {
            P::apply(control, loaded.value).await.map_err(|error| error.to_string())
        } else {
            Err("`admin`, `access_log` and `spans` change with a restart alone".to_owned())
        };
        if let Err(why) = applied {
            terminal::note(&format!("{what} not taken up: {why}; all goes on as before"));
            return false;
        }
        *delay.lock().unwrap_or_else(PoisonError::into_inner) = shutdown_delay;
        (self.text, self.files, self.outlets) = (loaded.text, loaded.files, outlets);
        self.taken_up = taken_up;
        terminal::note(&format!("{what} taken up"));
        true
    }
}

/// How files look.
fn looks(files: &[PathBuf]) -> Vec<Looks> {
    files.iter().map(|path| Looks::of(path)).collect()
}

/// Completes when SIGHUP comes; never, where signals cannot be heard.
async fn hung_up(asked: &mut Option<Signal>) {
    match asked {
        Some(asked) => drop(asked.recv().await),
        None => std::future::pending().await,
    }
}

/// What shows that a file has changed; nothing while it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Looks(Option<(u64, Option<SystemTime>, u64)>);

impl Looks {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(fs::metadata(path).ok().map(|file| (file.len(), file.modified().ok(), file.ino())))
    }
}
