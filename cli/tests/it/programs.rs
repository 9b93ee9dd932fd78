//! The programs that some tests need beside Rust. Where one is missing, what needs it says so and is left out, unless
//! nothing may be: `./test` sets `HOPLAB_TEST_ALL`, and then it fails. Tests of other packages include this file.

use std::io::Write;
use std::path::PathBuf;

/// Each program with the Debian package that has it.
const PROGRAMS: [(&str, &str); 11] = [
    ("nginx", "nginx-light"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("tshark", "tshark"),
    ("parallel", "parallel"),
    ("slurmctld", "slurmctld"),
    ("slurmd", "slurmd"),
    ("sbatch", "slurm-client"),
    ("munged", "munge"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Whether all of the `programs` are there that `test` needs; says what is missing when not.
pub(crate) fn are_there(test: &str, programs: &[&str]) -> bool {
    let missing: Vec<String> = (PROGRAMS.iter())
        .filter(|(program, _)| programs.contains(program) && find(program).is_none())
        .map(|(program, package)| format!("{program} (apt-get install {package})"))
        .collect();
    if !missing.is_empty() {
        leave_out(test, &missing.join(", "));
    }
    missing.is_empty()
}

/// Says that `test` is left out since something is `missing`, which fails where nothing may be left out.
pub(crate) fn leave_out(test: &str, missing: &str) {
    assert!(std::env::var_os("HOPLAB_TEST_ALL").is_none(), "{test} needs {missing}");
    say_left_out(test, missing);
}

/// Says so, wherever.
pub(crate) fn say_left_out(test: &str, missing: &str) {
    // Not by `println!`, which the test harness keeps to itself when a test passes.
    let _ = writeln!(std::io::stdout(), "left out: {test} needs {missing}");
}

/// Where `program` lies on the PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
