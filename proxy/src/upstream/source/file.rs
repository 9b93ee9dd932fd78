//! Members that a file lists, an endpoint a line: `payment-0:8080 weight=3 zone=far priority=1`. It is looked at every so
//! often, and what it says is taken up when two looks in a row have found the same, so that one that is just being written
//! is not read by halves; the first time at once. A file that is wrong in one line is wrong as a whole, and so is one that
//! names nobody, which is what is left where a program that writes it fails.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Found, Look};
use crate::host::Instant;
use crate::upstream::{Fleet, Placed, Placement, WEIGHT_MAX, rank};

/// Watches one file.
pub(super) struct Watch {
    path: PathBuf,
    every: Duration,
    /// What was taken up.
    taken: Option<String>,
    /// What the last look has seen, if it could be read.
    seen: Option<String>,
}

impl Watch {
    pub(super) fn new(path: PathBuf, every: Duration) -> Self {
        Self { path, every, taken: None, seen: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file makes of the members, as it was `read`.
    pub(super) fn learn(&mut self, now: Instant, read: io::Result<String>) -> Look {
        Look { found: self.find(read), again: now + self.every }
    }

    fn find(&mut self, read: io::Result<String>) -> Found {
        let trouble = |what: String| Found::Trouble(format!("{}: {what}", self.path.display()));
        let seen = self.seen.take();
        let text = match read {
            Ok(text) => text,
            Err(error) => return trouble(format!("cannot be read: {error}")),
        };
        self.seen = Some(text.clone());
        if self.taken.as_ref() == Some(&text) {
            return Found::Unchanged;
        }
        if self.taken.is_some() && seen.as_ref() != Some(&text) {
            return Found::Nothing;
        }
        match parse(&text).map(Fleet::of) {
            Ok(fleet) if fleet.is_empty() => trouble("it names nobody".to_owned()),
            Ok(fleet) => {
                self.taken = Some(text);
                Found::Fleet(fleet)
            }
            Err(wrong) => trouble(wrong),
        }
    }
}

/// The members that `text` lists, or all that is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Placed>, String> {
    let (mut placed, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        match parse_line(line) {
            _ if line.is_empty() => {}
            Ok(member) => placed.push(member),
            Err(fact) => wrong.push(format!("line {number}: {fact}")),
        }
    }
    if wrong.is_empty() { Ok(placed) } else { Err(wrong.join("; ")) }
}

fn parse_line(line: &str) -> Result<Placed, String> {
    let mut words = line.split_whitespace();
    let endpoint = words.next().unwrap_or_default().parse().map_err(|error| format!("{error}"))?;
    let mut placement = Placement::default();
    let (mut priority, mut is_backup) = (None, false);
    for word in words {
        match word.split_once('=') {
            None if word == "backup" => is_backup = true,
            Some(("zone", zone)) => placement.zone = Some(Arc::from(zone)),
            Some(("weight", text)) => {
                let weight = text.parse().ok().filter(|weight| (1..=WEIGHT_MAX).contains(weight));
                placement.weight =
                    weight.ok_or_else(|| format!("`{text}` is no weight: write 1 to {WEIGHT_MAX}"))?;
            }
            Some(("priority", text)) => {
                let number = text.parse().map_err(|_| format!("`{text}` is no priority: write a number"))?;
                priority = Some(number);
            }
            _ => return Err(format!("unknown `{word}`: write weight=, zone=, priority= or backup")),
        }
    }
    placement.rank = rank(priority, is_backup)?;
    Ok(Placed { endpoint, placement })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Endpoint;
    use crate::upstream::Rank;

    fn watch() -> Watch {
        Watch::new("payment.endpoints".into(), Duration::from_secs(1))
    }

    fn find(watch: &mut Watch, text: &str) -> Found {
        watch.learn(Instant::START, Ok(text.to_owned())).found
    }

    fn fleet(hosts: &[&str]) -> Found {
        Found::Fleet(Fleet::of(hosts.iter().map(|host| Placed::from(Endpoint::new(*host, 80)))))
    }

    #[test]
    fn a_line_is_an_endpoint_and_its_placement() {
        let text =
            "# who answers\na:80\n\n  b:80 weight=3 zone=far priority=1 # the strong one\n[::1]:80 backup\n";
        let fleet = Fleet::of(parse(text).unwrap());
        let seen: Vec<_> = fleet
            .members()
            .iter()
            .map(|m| (m.id.to_string(), m.placement.weight, m.placement.zone.clone(), m.placement.rank))
            .collect();
        assert_eq!(
            seen,
            [
                ("a:80".to_owned(), 1, None, Rank::default()),
                ("b:80".to_owned(), 3, Some("far".into()), Rank::Level(1)),
                ("[::1]:80".to_owned(), 1, None, Rank::Backup),
            ]
        );
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        let text = "a\nb:80 weight=0\nc:80 weihgt=1\nd:80\ne:80 priority=1 backup\nf:80 priority=x\n";
        assert_eq!(
            parse(text).unwrap_err(),
            "line 1: `a` is not host:port; line 2: `0` is no weight: write 1 to 1000; \
             line 3: unknown `weihgt=1`: write weight=, zone=, priority= or backup; \
             line 5: a backup stands behind all priorities: take `priority` out, or `backup`; \
             line 6: `x` is no priority: write a number"
        );
    }

    #[test]
    fn a_change_is_taken_up_when_it_is_seen_twice() {
        let mut watch = watch();
        assert_eq!(find(&mut watch, "a:80\n"), fleet(&["a"]), "the first time at once");
        assert_eq!(find(&mut watch, "a:80\n"), Found::Unchanged);
        assert_eq!(find(&mut watch, "a:80\nb"), Found::Nothing, "it is being written");
        assert_eq!(find(&mut watch, "a:80\nb:80\n"), Found::Nothing);
        assert_eq!(find(&mut watch, "a:80\nb:80\n"), fleet(&["a", "b"]));
    }

    #[test]
    fn what_is_seen_twice_is_so_only_in_a_row() {
        let mut watch = watch();
        let half = "a:80\n";
        find(&mut watch, "a:80\nb:80\n");
        for between in [Ok("a:80\nb:80\n"), Ok("a:80\nb:"), Err(io::ErrorKind::NotFound)] {
            assert_eq!(find(&mut watch, half), Found::Nothing);
            watch.learn(Instant::START, between.map(str::to_owned).map_err(Into::into));
            assert_eq!(find(&mut watch, half), Found::Nothing, "after {between:?}");
            find(&mut watch, "a:80\nb:80\n");
        }
        assert_eq!([(); 2].map(|()| find(&mut watch, half)), [Found::Nothing, fleet(&["a"])]);
    }

    #[test]
    fn what_is_wrong_leaves_all_as_it_was() {
        let mut watch = watch();
        let trouble =
            |found| matches!(found, Found::Trouble(fact) if fact.starts_with("payment.endpoints: "));
        assert!(trouble(find(&mut watch, "a:80 fast\n")), "nothing was good yet");
        assert_eq!(find(&mut watch, "a:80\n"), fleet(&["a"]));
        assert_eq!(find(&mut watch, ""), Found::Nothing);
        assert!(trouble(find(&mut watch, "")), "it names nobody");
        assert!(trouble(watch.learn(Instant::START, Err(io::ErrorKind::NotFound.into())).found));
        assert_eq!(find(&mut watch, "a:80\n"), Found::Unchanged, "it is as it was");
    }
}
