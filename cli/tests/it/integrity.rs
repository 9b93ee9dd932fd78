//! What was altered in a folder is told: by `replay`, by `report` and `merge`, and by whoever goes on with its parts.

use std::fs;
use std::path::{Path, PathBuf};

use crate::seeds::QUICK;
use crate::{Folder, code, hoplab, stderr, stdout};

/// How many alterations are tried.
const TRIES: u64 = 300;
/// How many of these go to each kind of folder.
const FOLDERS: u64 = 2;

/// Numbers that look random and are the same in every run (`SplitMix64`).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// Every file below a folder, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

/// What was there before an alteration, to be put back.
type Before = Vec<(PathBuf, Option<Vec<u8>>)>;

/// Alters a file or two of `all` in one of six ways.
fn alter(all: &[PathBuf], draws: &mut Draws) -> (String, Before) {
    let path = all[draws.below(all.len())].clone();
    let bytes = fs::read(&path).unwrap();
    let name = path.display().to_string();
    let before = vec![(path.clone(), Some(bytes.clone()))];
    match draws.below(6) {
        0 => {
            let mut bytes = bytes;
            let at = draws.below(bytes.len());
            bytes[at] ^= 1 << draws.below(8);
            fs::write(&path, bytes).unwrap();
            (format!("{name}: a bit of byte {at}"), before)
        }
        1 => {
            let kept = draws.below(bytes.len());
            fs::write(&path, &bytes[..kept]).unwrap();
            (format!("{name}: cut to {kept}"), before)
        }
        2 => {
            fs::remove_file(&path).unwrap();
            (format!("{name}: removed"), before)
        }
        3 => {
            fs::write(&path, [&bytes[..], b"\n"].concat()).unwrap();
            (format!("{name}: a line more"), before)
        }
        4 => {
            let others: Vec<&PathBuf> =
                all.iter().filter(|other| fs::read(other).unwrap() != bytes).collect();
            let other = others[draws.below(others.len())].clone();
            let others_bytes = fs::read(&other).unwrap();
            fs::write(&path, &others_bytes).unwrap();
            fs::write(&other, &bytes).unwrap();
            let said = format!("{name} and {}: swapped", other.display());
            (said, vec![(path, Some(bytes)), (other, Some(others_bytes))])
        }
        _ => {
            let added = path.with_file_name(format!("more-{}", path.file_name().unwrap().display()));
            fs::write(&added, &bytes).unwrap();
            (format!("{}: added", added.display()), vec![(added, None)])
        }
    }
}

fn put_back(before: Before) {
    for (path, bytes) in before {
        match bytes {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }
}

#[test]
fn three_hundred_random_alterations_are_all_told() {
    let folder = Folder::new("altered");
    folder.write("quick.toml", QUICK);
    let whole = hoplab(&folder, &["run", "quick.toml", "--seeds", "2", "--out", "whole"]);
    assert!(code(&whole) < 2, "{}", stderr(&whole));
    // A shard, which holds nothing but its study and its parts.
    let shard = hoplab(&folder, &["run", "quick.toml", "--seeds", "2", "--shard", "1/2", "--out", "shard"]);
    assert_eq!(code(&shard), 0, "{}", stderr(&shard));
    let mut draws = Draws(10);
    for (dir, command) in [("whole", ["replay", "whole"]), ("shard", ["merge", "shard"])] {
        let all = files(&folder.path(dir));
        for number in 0..TRIES / FOLDERS {
            let (said, before) = alter(&all, &mut draws);
            let end = hoplab(&folder, &command);
            let told = stdout(&end) + &stderr(&end);
            let is_beside = before[0].1.is_none() && before[0].0.parent() == Some(&*folder.path(dir));
            let words: &[&str] = match command[0] {
                // A file beside what hoplab wrote is named, and in nobody's way.
                "replay" if is_beside => &["is not of hoplab"],
                "replay" => &["differs: ", "has no record/checksums"],
                _ => &[
                    "is not as hoplab left it",
                    "has no record/checksums",
                    "seeds are missing: 5, 6",
                    "holds no study",
                ],
            };
            assert!(words.iter().any(|word| told.contains(word)), "{number}: {said}: {told}");
            assert!(is_beside || code(&end) >= 2, "{number}: {said}: {told}");
            assert!(!told.contains("panicked"), "{number}: {said}: {told}");
            put_back(before);
        }
    }
    assert_eq!(code(&hoplab(&folder, &["replay", "whole"])), 0, "put back, it is as it was left");
}

/// A file with the checksum that it should have is compared with what the run gives, to the byte.
#[test]
fn what_was_altered_with_its_checksum_differs_from_the_run() {
    let folder = Folder::new("signed");
    folder.write("quick.toml", QUICK);
    assert!(code(&hoplab(&folder, &["run", "quick.toml", "--out", "out"])) < 2);
    for name in ["record/windows.csv", "report.html"] {
        let path = folder.path("out").join(name);
        let bytes = fs::read(&path).unwrap();
        let mut altered = bytes.clone();
        let digit = altered.iter().rposition(u8::is_ascii_digit).unwrap();
        altered[digit] ^= 1;
        fs::write(&path, &altered).unwrap();
        let refused = hoplab(&folder, &["report", "out", "--out", "again"]);
        assert_eq!(code(&refused), 2);
        assert!(stderr(&refused).contains(&format!("{name} was altered\nhelp: ")), "{}", stderr(&refused));
        sign(&folder.path("out"), &bytes, &altered);
        let replay = hoplab(&folder, &["replay", "out"]);
        assert_eq!(code(&replay), 3, "{}", stderr(&replay));
        assert_eq!(stdout(&replay), format!("differs: {name} is not that of the run\n"));
        fs::write(&path, &bytes).unwrap();
        sign(&folder.path("out"), &altered, &bytes);
        assert_eq!(code(&hoplab(&folder, &["replay", "out"])), 0);
    }
}

/// Puts the checksum of some bytes in the place of that of others, and signs the list.
pub(crate) fn sign(dir: &Path, from: &[u8], to: &[u8]) {
    let hash = |bytes: &[u8]| format!("{:032x}", xxhash_rust::xxh3::xxh3_128(bytes));
    let path = dir.join("record/checksums");
    let text = fs::read_to_string(&path).unwrap().replace(&hash(from), &hash(to));
    let (listed, last) = text.split_at(text.trim_end().rfind('\n').unwrap() + 1);
    let own = last.split_once("  ").unwrap().1;
    fs::write(&path, format!("{listed}{}  {own}", hash(listed.as_bytes()))).unwrap();
}
