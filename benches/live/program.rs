//! Programs under measurement: found or built, started, waited for, killed with their handles.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::meter;

/// How long a program may take until its port answers.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A program under measurement.
pub struct Program {
    process: Child,
}

impl Program {
    /// Starts `command` and waits until `port` answers. What it says goes to a file in `folder`.
    pub fn start(mut command: Command, folder: &Folder, port: u16) -> anyhow::Result<Self> {
        let log = folder.path(&format!("{port}.log"));
        let file = File::create(&log)?;
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let process = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let mut program = Self { process };
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if program.process.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("{name} does not answer on port {port}:\n{}", fs::read_to_string(&log)?);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(program)
    }

    /// The nanoseconds that its threads have spent on cores so far, those in the kernel included.
    pub fn spent_nanos(&self) -> anyhow::Result<f64> {
        meter::process_nanos(self.process.id())
    }

    /// Keeps all its threads on one core.
    pub fn pin(&self, core: &str) {
        pin(self.process.id(), core);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keeps all threads of a process on one core, where there is `taskset` and such a core.
pub fn pin(process: u32, core: &str) {
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", core, &process.to_string()]);
    // Without it, figures are less steady and no less true.
    let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// A port of the loopback interface that nobody listens on.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(listener.local_addr()?.port())
}

/// The command, built with the same profile as this program. A test takes what is there already:
/// cargo's own build of the workspace put it beside this program.
pub fn hoplab(full: bool) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let program =
        this.parent().and_then(Path::parent).context("this program lies in no folder")?.join("hoplab");
    if full || !program.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--package", "hoplab"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        ensure!(build.status()?.success(), "cannot build hoplab");
    }
    ensure!(program.exists(), "{} is missing", program.display());
    Ok(program)
}

/// A folder for what programs read and say; removed with its handle.
pub struct Folder(PathBuf);

impl Folder {
    /// A fresh folder for the bench called `name`.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("hoplab-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where a file called `name` lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and says where.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}
