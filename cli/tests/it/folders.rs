//! The folder that a command writes into: tried before anything runs, one command at a time, nobody else's files; and
//! what Ctrl-C leaves in it.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};

use crate::seeds::QUICK;
use crate::{Folder, code, hoplab, stderr, stdout};

#[test]
fn a_folder_of_other_peoples_files_is_not_written_into() {
    let folder = Folder::new("strangers");
    folder.write("quick.toml", QUICK);
    fs::create_dir(folder.path("notes")).unwrap();
    folder.write("notes/thesis.txt", "two years of work");
    for command in [&["run", "quick.toml"][..], &["run", "quick.toml", "--seeds", "2"]] {
        let end = hoplab(&folder, &[command, &["--out", "notes"]].concat());
        assert_eq!((code(&end), stdout(&end)), (2, String::new()));
        assert!(stderr(&end).contains("notes holds files that hoplab did not write: thesis.txt\nhelp: "));
    }
    assert_eq!(fs::read_dir(folder.path("notes")).unwrap().count(), 1);
    // A file is no folder, and that is told before anything runs, too.
    let end = hoplab(&folder, &["run", "quick.toml", "--out", "notes/thesis.txt"]);
    assert_eq!((code(&end), stdout(&end)), (2, String::new()));
    // An empty folder will do, and so does one that hoplab wrote into.
    fs::create_dir(folder.path("empty")).unwrap();
    for _ in 0..2 {
        assert!(code(&hoplab(&folder, &["run", "quick.toml", "--out", "empty"])) < 2);
    }
    assert!(!folder.path("empty/record/lock").exists());
}

#[test]
fn two_commands_do_not_write_into_one_folder() {
    let folder = Folder::new("taken");
    folder.write("quick.toml", QUICK);
    fs::create_dir_all(folder.path("out/record")).unwrap();
    let mut lock = File::create(folder.path("out/record/lock")).unwrap();
    lock.write_all(b"process 7: hoplab run other.toml").unwrap();
    lock.lock().unwrap();
    let end = hoplab(&folder, &["run", "quick.toml", "--out", "out"]);
    assert_eq!((code(&end), stdout(&end)), (2, String::new()));
    let said = stderr(&end);
    assert!(said.contains("out is being written into by process 7: hoplab run other.toml\nhelp: "), "{said}");
    drop(lock);
    assert!(code(&hoplab(&folder, &["run", "quick.toml", "--out", "out"])) < 2);
}

#[test]
fn a_result_that_cannot_be_written_is_printed() {
    let folder = Folder::new("unwritten");
    folder.write("quick.toml", QUICK);
    let printed = hoplab(&folder, &["run", "quick.toml", "--json", "--out", "out"]);
    assert!(code(&printed) < 2);
    fs::remove_file(folder.path("out/report.html")).unwrap();
    fs::create_dir_all(folder.path("out/report.html/in the way")).unwrap();
    let end = hoplab(&folder, &["run", "quick.toml", "--json", "--out", "out"]);
    assert_eq!((code(&end), stdout(&end)), (2, stdout(&printed)), "{}", stderr(&end));
    assert!(stderr(&end).contains("cannot write out/report.html"), "{}", stderr(&end));
    // What is there now is no result.
    assert_eq!(code(&hoplab(&folder, &["report", "out"])), 2);
}

#[test]
fn after_one_ctrl_c_what_is_finished_is_joined_and_told() {
    let folder = Folder::new("interrupted");
    folder.write("quick.toml", QUICK);
    let child = Command::new(env!("CARGO_BIN_EXE_hoplab"))
        .args(["run", "quick.toml", "--seeds", "2000", "--threads", "1", "--out", "out"])
        .current_dir(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.path("out/record/parts/seed-5.json").exists() {
        std::thread::yield_now();
    }
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let end = child.wait_with_output().unwrap();
    let said = stderr(&end);
    assert_eq!(code(&end), 130, "{said}");
    assert!(said.contains("stopping: the seeds that run are finished"), "{said}");
    assert!(said.contains("of 2000") && said.contains("the same command goes on where it stopped"), "{said}");
    assert!(stdout(&end).contains("digest"), "{}", stdout(&end));
    let parts = fs::read_dir(folder.path("out/record/parts")).unwrap().count();
    assert!((1..2000).contains(&parts), "{parts}");
    assert_eq!(code(&hoplab(&folder, &["replay", "out"])), 0, "what is there is a whole of fewer seeds");
}
