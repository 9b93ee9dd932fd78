//! The command as its users meet it: what it prints, what it writes, how it exits.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests stand outside the fence: they are the peers"
)]
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

mod advise;
mod browser;
mod certificates;
mod checker;
mod commands;
mod explore;
mod files;
mod folders;
mod gate;
mod integrity;
mod launchers;
mod live;
mod mistakes;
mod network;
mod operation;
mod outcomes;
mod peers;
mod programs;
mod report;
mod scenarios;
mod seeds;
mod sweep;
mod telemetry;
mod trace;
mod workflow;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that is removed with its handle.
struct Folder(PathBuf);

impl Folder {
    /// A fresh folder for the test called `name`.
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hoplab-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a private key, which nobody else can read.
    fn write_key(&self, name: &str, text: &str) {
        let key = self.write(name, text);
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `hoplab` in `folder`.
fn hoplab(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoplab"));
    // Tests may run on GitHub, which is what they are not about.
    command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
    command.args(arguments).current_dir(&folder.0).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("killed: {}", stderr(output)))
}

/// The repository's folder.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
