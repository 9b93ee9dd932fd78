//! A product's file, taken up anew while the product runs: when SIGHUP asks, when the file changes and `--watch` is given,
//! and, as far as certificates and keys go that the file names, whenever these change. What cannot be used is told, and
//! the product goes on as before.

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
    outlets: Outlets,
    /// Whether the file is taken up when it changes.
    watch: bool,
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
    /// What a product was told first, by the file at `path`.
    pub(super) fn new<T>(path: &Path, loaded: &Loaded<T>, outlets: Outlets, watch: bool) -> Self {
        let (text, files) = (loaded.text.clone(), loaded.files.clone());
        Self { path: path.to_owned(), text, files, outlets, watch }
    }

    /// Follows the file and those that it names, for as long as the product runs.
    pub(super) async fn follow<P: Product>(
        mut self,
        host: Live,
        mut control: P::Control,
        opened: Arc<Opened>,
        delay: ShutdownDelay,
    ) {
        let mut asked = signal(SignalKind::hangup()).ok();
        let mut taken_up = self.looks();
        let mut seen = taken_up.clone();
        loop {
            let anew = tokio::select! {
                biased;
                () = hung_up(&mut asked) => Some(Anew::Everything),
                () = host.sleep_until(host.now() + LOOK_EVERY) => {
                    let now = self.looks();
                    let is_settled = now == seen;
                    seen = now;
                    if is_settled { self.changed(&taken_up, &seen) } else { None }
                }
            };
            let Some(anew) = anew else { continue };
            if anew == Anew::Everything {
                opened.reopen();
            }
            let is_applied = self.take_up::<P>(anew, &mut control, &delay).await;
            opened.metrics().reloaded(is_applied);
            // What was refused is not tried again until it changes.
            taken_up = self.looks();
            seen.clone_from(&taken_up);
        }
    }

    /// What is to be read anew, when files looked like `before` and look like `now`.
    fn changed(&self, before: &[Looks], now: &[Looks]) -> Option<Anew> {
        match before.iter().zip(now).position(|(before, now)| before != now)? {
            0 if self.watch => Some(Anew::Everything),
            0 if before[1..] == now[1..] => None,
            _ => Some(Anew::Named),
        }
    }

    /// Has the product do what its files say now; whether it does.
    async fn take_up<P: Product>(
        &mut self,
        anew: Anew,
        control: &mut P::Control,
        delay: &ShutdownDelay,
    ) -> bool {
        let (path, text) = (self.path.clone(), self.text.clone());
        #[expect(clippy::disallowed_methods, reason = "files block: they have a thread of their own")]
        let read = tokio::task::spawn_blocking(move || match anew {
            Anew::Everything => file::load(&path, P::document),
            Anew::Named => file::load_text(&path, text, P::document),
        });
        let name = self.path.display();
        let Ok(read) = read.await else { return false };
        let loaded = match read {
            Ok(loaded) => loaded,
            Err(problems) => {
                terminal::problems(&problems);
                terminal::note(&format!("{name} is not taken up: all goes on as before"));
                return false;
            }
        };
        terminal::problems(&loaded.warnings);
        let outlets = P::outlets(&loaded.value).clone();
        let stays = |outlets: &Outlets| (outlets.admin, outlets.access_log.clone(), outlets.spans.clone());
        if stays(&outlets) != stays(&self.outlets) {
            let fact = "`admin`, `access_log` and `spans` change with a restart alone";
            terminal::note(&format!("{name} is not taken up: {fact}; all goes on as before"));
            return false;
        }
        if let Err(error) = P::apply(control, loaded.value).await {
            terminal::note(&format!("{name} is not taken up: cannot listen: {error}; all goes on as before"));
            return false;
        }
        *delay.lock().unwrap_or_else(PoisonError::into_inner) = outlets.shutdown_delay;
        (self.text, self.files, self.outlets) = (loaded.text, loaded.files, outlets);
        match anew {
            Anew::Everything => terminal::note(&format!("{name} is taken up")),
            Anew::Named => terminal::note(&format!("certificates of {name} are taken up")),
        }
        true
    }

    /// How the files look.
    fn looks(&self) -> Vec<Looks> {
        self.files.iter().map(|path| Looks::of(path)).collect()
    }
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
