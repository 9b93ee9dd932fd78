//! The folder of a run: what is in it, and reading it again.

use std::fs;
use std::path::{Path, PathBuf};

use hoplab_reports::{read, write};

use crate::fixture;

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.is_dir() {
        fs::remove_dir_all(&dir).expect("an old folder can be removed");
    } else if dir.exists() {
        fs::remove_file(&dir).expect("an old file can be removed");
    }
    dir
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(dir).expect("a path in it").display().to_string());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn a_run_is_read_back_as_it_was_written() {
    let (record, dir) = (fixture::boutique(), folder("read-back"));
    let written = write(&record, &dir).unwrap();
    assert_eq!(read(&dir).unwrap(), record);
    let mut files: Vec<_> = written.files.iter().map(|file| file.display().to_string()).collect();
    files.sort();
    assert_eq!(listing(&dir), files);
    insta::assert_snapshot!(files.join("\n"));
}

#[test]
fn writing_again_leaves_the_same_bytes_and_nothing_else() {
    let (record, dir) = (fixture::boutique(), folder("again"));
    let contents = |dir: &Path| -> Vec<Vec<u8>> {
        listing(dir).iter().map(|name| fs::read(dir.join(name)).unwrap()).collect()
    };
    write(&record, &dir).unwrap();
    let first = contents(&dir);
    write(&record, &dir).unwrap();
    assert_eq!(contents(&dir), first);
}

#[test]
fn what_cannot_be_read_says_why() {
    let dir = folder("unreadable");
    let error = || read(&dir).unwrap_err().to_string().replace(&dir.display().to_string(), "DIR");
    let mut errors = vec![error()];
    fs::create_dir_all(dir.join("record")).unwrap();
    let path = dir.join("record/record.json");
    fs::write(&path, "{").unwrap();
    errors.push(error());
    fs::remove_file(&path).unwrap();
    write(&fixture::boutique(), &dir).unwrap();
    fs::write(&path, "{\"schema\": 7}").unwrap();
    errors.push(error());
    fs::remove_file(&path).unwrap();
    errors.push(error());
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = folder("blocked");
    fs::write(&dir, "a file stands here").unwrap();
    let error = write(&fixture::boutique(), &dir).unwrap_err().to_string();
    assert!(error.starts_with("cannot make the folder") && error.contains("blocked"), "{error}");
}
