//! Where a live product tells what it does, and for how long that it is about to stop: the keys `admin`, `access_log`,
//! `spans` and `shutdown_delay` of its file, and what cannot be of them. Not here: who opens ports and files, which is the binary's part.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::parsed;
use hoplab_config::{Context, Place, Read, Value, table};

/// Where a product tells what it does; nowhere unless a file says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlets {
    /// Where `/metrics`, `/healthz` and `/ready` are answered.
    pub admin: Option<SocketAddr>,
    /// Where a line goes for each request.
    pub access_log: Option<Sink>,
    /// Where the traces go that are sampled.
    pub spans: Option<Sink>,
    /// How long requests are taken as ever when the product is told to stop, and `/ready` has said so.
    pub shutdown_delay: Duration,
}

/// Where lines are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// The standard output.
    Stdout,
    /// A file, which is appended to.
    File(PathBuf),
}

table! {
    /// The keys of a product's file that say where it tells what it does.
    pub struct OutletKeys {
        /// Where metrics and health are asked for: `GET /metrics` (Prometheus), `/healthz`, `/ready` (503 while draining).
        pub admin: SocketAddr = "nowhere",
        /// Where each request leaves a line, in a sidecar one for each side: one JSON object.
        pub access_log: Sink = "nowhere",
        /// Where the traces go that are sampled, or begin here: OTLP's JSON, a line a request, in a sidecar one for each
        /// side, with its attempts.
        pub spans: Sink = "nowhere",
        /// How long requests are taken as ever when the product is told to stop, after `/ready` has begun to say so: as long
        /// as those in front need to look there and to send them elsewhere.
        pub shutdown_delay: Duration = "none",
    }
}

impl OutletKeys {
    /// What they mean, where the product itself listens at `listening`: each with the key that says so. What cannot be is
    /// noted.
    pub fn resolve(&self, listening: &[(&'static str, SocketAddr)], context: &mut Context<'_>) -> Outlets {
        let outlets = Outlets {
            admin: self.admin.as_ref().map(|admin| admin.value),
            access_log: self.access_log.as_ref().map(|sink| sink.value.clone()),
            spans: self.spans.as_ref().map(|sink| sink.value.clone()),
            shutdown_delay: self.shutdown_delay.as_ref().map(|delay| delay.value).unwrap_or_default(),
        };
        for clash in outlets.clashes(listening) {
            let admin = self.admin.as_ref().filter(|_| clash.key == "admin").map(|admin| admin.place);
            let place = admin.or(self.spans.as_ref().map(|spans| spans.place)).unwrap_or(Place::BEGINNING);
            context.error(place, clash.fact).hint(clash.hint);
        }
        outlets
    }
}

/// Why a text is no [`Sink`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place for lines: write \"stdout\" or the path of a file, such as \"hoplab.jsonl\"")]
pub struct NotASink(String);

impl TryFrom<String> for Sink {
    type Error = NotASink;

    fn try_from(text: String) -> Result<Self, NotASink> {
        let is_folder = text.ends_with('/') || text.ends_with("..") || text == ".";
        match text.as_str() {
            "stdout" => Ok(Self::Stdout),
            "" | "stderr" => Err(NotASink(text)),
            _ if is_folder || text.contains('\0') => Err(NotASink(text)),
            _ => Ok(Self::File(text.into())),
        }
    }
}

impl Read for Sink {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let expected =
            ("a place for lines", "write `\"stdout\"` or the path of a file, such as `\"hoplab.jsonl\"`");
        parsed(value, place, expected, context, |text| Self::try_from(text.to_owned()))
    }
}

impl Describe for Sink {
    fn form() -> Form {
        Form::Text { what: "`stdout`, or the path of a file from this file's folder", example: "stdout" }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What cannot be of a product's outlets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Clash {
    /// The key at fault.
    key: &'static str,
    /// What is wrong.
    fact: String,
    /// What would be right.
    hint: String,
}

impl Outlets {
    /// What cannot be, where the product itself listens at `listening`: each with the key that says so.
    fn clashes(&self, listening: &[(&'static str, SocketAddr)]) -> Vec<Clash> {
        let mut clashes = Vec::new();
        if let Some(admin) = self.admin {
            let taken = listening.iter().filter(|(_, address)| share_a_port(admin, *address));
            clashes.extend(taken.map(|(key, address)| Clash {
                key: "admin",
                fact: format!("the port of {admin} is that of {key}, {address}"),
                hint: "give it a port of its own, such as 127.0.0.1:9901".to_owned(),
            }));
        }
        if let (Some(log), Some(spans)) = (&self.access_log, &self.spans)
            && log == spans
        {
            clashes.push(Clash {
                key: "spans",
                fact: format!("`access_log` goes to {log}, too"),
                hint: "give each a place of its own, since their lines differ".to_owned(),
            });
        }
        clashes
    }
}

/// Whether one of the two could not be bound beside the other. Port 0 is whichever is free.
pub fn share_a_port(one: SocketAddr, other: SocketAddr) -> bool {
    let all = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (all || one.ip() == other.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(text: &str) -> Result<Sink, String> {
        Sink::try_from(text.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn sinks_are_the_standard_output_or_files() {
        assert_eq!(sink("stdout"), Ok(Sink::Stdout));
        assert_eq!(sink("log/access.jsonl"), Ok(Sink::File("log/access.jsonl".into())));
        assert_eq!(
            sink("stderr"),
            Err("`stderr` is no place for lines: write \"stdout\" or the path of a file, such as \"hoplab.jsonl\""
                .to_owned())
        );
        for text in ["", ".", "..", "log/", "log/..", "a\0b"] {
            assert!(sink(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_port_and_a_place_are_for_one_alone() {
        let clashes = |admin: &str, listen: &str| {
            let outlets = Outlets { admin: Some(admin.parse().unwrap()), ..Outlets::default() };
            outlets.clashes(&[("listen", listen.parse().unwrap())]).len()
        };
        assert_eq!(clashes("127.0.0.1:8080", "127.0.0.1:8080"), 1);
        assert_eq!(clashes("127.0.0.1:8080", "0.0.0.0:8080"), 1);
        assert_eq!(clashes("[::]:8080", "127.0.0.1:8080"), 1);
        assert_eq!(clashes("127.0.0.1:8080", "127.0.0.2:8080"), 0);
        assert_eq!(clashes("127.0.0.1:9901", "0.0.0.0:8080"), 0);
        assert_eq!(clashes("127.0.0.1:0", "127.0.0.1:0"), 0, "the machine chooses two");
        let both = |log: &str, spans: &str| {
            let (access_log, spans) = (sink(log).ok(), sink(spans).ok());
            Outlets { access_log, spans, ..Outlets::default() }.clashes(&[]).len()
        };
        assert_eq!(both("stdout", "stdout"), 1);
        assert_eq!(both("a.jsonl", "a.jsonl"), 1);
        assert_eq!(both("a.jsonl", "stdout"), 0);
        assert_eq!(Outlets::default().clashes(&[]), []);
    }
}
