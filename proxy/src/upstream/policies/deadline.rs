//! Which deadlines are believed and told, as configuration writes it.

use std::str::FromStr;
use std::time::Duration;

use hoplab_config::read::{texts, texts_form};
use hoplab_config::{Context, Place, Value, way};
use http::HeaderName;
use http::header;

use super::layer::{layer, whole};
use super::{Allotted, Contradiction};
use crate::policy::deadline::{Config, Field, Notation};
use crate::upstream::settings;

layer! {
    /// How deadlines travel. `propagate = false` switches off what a lower layer says.
    pub struct DeadlinePolicy {
        /// `false` switches off what a lower layer says: the fields pass as they came.
        pub propagate: bool = true,
        /// The fields that are believed, the earliest deadline counts: `"grpc-timeout"`, `"x-envoy-expected-rq-timeout-ms"`,
        /// or a name with its notation, `"x-left: ms"`, `"x-left: grpc"`, `"x-request-deadline: unix-ms"` (milliseconds
        /// since 1970). Relative ones are counted from the arrival, whatever the wire took.
        pub read: Vec<DeadlineField> as Fields = "`[\"grpc-timeout\"]`",
        /// The fields that what is left is written in, rounded down, for each attempt anew; one that is read and not
        /// written is taken off.
        pub write: Vec<DeadlineField> as Fields = "as `read`",
        /// How much less than is left the upstream is told, so that its answer is in time; without as much, no attempt is
        /// begun.
        pub reserve: Duration = settings::DEADLINE_RESERVE,
        /// `true`: `timeout` and `per_try_timeout` are told, too, where they are shorter; `false`: only what the request
        /// came with.
        pub own: bool = settings::DEADLINE_OWN,
    }
}

/// A header field, as configuration writes it: its name, and `: grpc`, `: ms` or `: unix-ms` where that does not follow
/// from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadlineField(pub Field);

whole!(Vec<DeadlineField>);

/// What a deadline would break, or what says something of this very hop.
static TAKEN: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::UPGRADE,
    header::VIA,
];

impl DeadlinePolicy {
    /// The policy with every default filled in; `None` when nothing travels.
    pub fn resolve(&self) -> Option<Config> {
        let (read, write) = self.fields();
        self.propagate.unwrap_or(true).then(|| Config {
            read,
            write,
            reserve: self.reserve.unwrap_or(settings::DEADLINE_RESERVE),
            own: self.own.unwrap_or(settings::DEADLINE_OWN),
        })
    }

    fn fields(&self) -> (Vec<Field>, Vec<Field>) {
        let fields = |of: &Vec<DeadlineField>| of.iter().map(|field| field.0.clone()).collect();
        let read: Vec<Field> = self.read.as_ref().map_or_else(|| vec![Field::grpc()], fields);
        let write = self.write.as_ref().map_or_else(|| read.clone(), fields);
        (read, write)
    }

    /// What cannot be told from one key alone; the request has the time `allotted`, and one try of it `per_try`, if that is
    /// limited.
    pub(super) fn contradictions(
        &self,
        allotted: &Allotted,
        per_try: Option<Duration>,
    ) -> Vec<Contradiction> {
        let mut found = Vec::new();
        let Some(config) = self.resolve() else { return found };
        let mut add = |key, fact: String, hint: &str| {
            found.push(Contradiction { key, fact, hint: hint.to_owned() });
        };
        if config.read.is_empty() && config.write.is_empty() {
            let hint = "name a field such as `grpc-timeout`, or write `propagate = false`";
            add("deadline", "no field is read and none is written".to_owned(), hint);
        }
        if config.read.is_empty() && !config.write.is_empty() && !config.own {
            let fact = "no field is read and `own` is off, so that there is nothing to write";
            add("deadline.write", fact.to_owned(), "name a field in `read`, or write `own = true`");
        }
        for (key, fields) in [("deadline.read", &config.read), ("deadline.write", &config.write)] {
            if let Some(name) = twice(fields) {
                add(key, format!("`{name}` stands there twice"), "take one of them out");
            }
        }
        if let Some(name) = in_two_notations(&config) {
            let fact = format!("`{name}` is read in one notation and written in another");
            add("deadline.write", fact, "write the same notation behind both, or another name");
        }
        if allotted.is_over_after(config.reserve) {
            let fact = "the reserve is as long as the whole request, so that none is ever sent";
            let Contradiction { key, fact, hint } = allotted.contradicts("deadline.reserve", fact);
            add(key, fact, &hint);
        } else if per_try.is_some_and(|per_try| config.reserve >= per_try) {
            let fact = "the reserve is as long as a whole try, so that none is ever sent".to_owned();
            add("deadline.reserve", fact, "make `reserve` shorter than `per_try_timeout`");
        }
        found
    }
}

/// A name that stands there more than once.
fn twice(fields: &[Field]) -> Option<&HeaderName> {
    let again =
        |(index, field): &(usize, &Field)| fields[..*index].iter().any(|other| other.name == field.name);
    fields.iter().enumerate().find(again).map(|(_, field)| &field.name)
}

/// A name that is read in one notation and written in another.
fn in_two_notations(config: &Config) -> Option<&HeaderName> {
    let other = |read: &&Field| {
        config.write.iter().any(|written| written.name == read.name && written.notation != read.notation)
    };
    config.read.iter().find(other).map(|read| &read.name)
}

impl FromStr for DeadlineField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, notation) = match text.split_once(':') {
            Some((name, notation)) => (name.trim(), Some(notation.trim())),
            None => (text.trim(), None),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            format!(
                "`{text}` is no header: write a name such as `grpc-timeout` or `x-request-deadline: unix-ms`"
            )
        })?;
        if TAKEN.contains(&name) {
            return Err(format!("`{name}` has another meaning: write a name such as `x-request-deadline`"));
        }
        let notation = match (notation, name.as_str()) {
            (Some("grpc"), _) | (None, "grpc-timeout") => Notation::Grpc,
            (Some("ms"), _) | (None, "x-envoy-expected-rq-timeout-ms") => Notation::Millis,
            (Some("unix-ms"), _) => Notation::UnixMillis,
            (Some(other), _) => {
                return Err(format!("unknown notation `{other}`: write `grpc`, `ms` or `unix-ms`"));
            }
            (None, name) => {
                return Err(format!(
                    "the notation of `{name}` is not known: write `{name}: grpc`, `{name}: ms` or `{name}: unix-ms`"
                ));
            }
        };
        Ok(Self(Field { name, notation }))
    }
}

way!(Fields: Vec<DeadlineField>, texts_form("a header field, with its notation where that is not known", "grpc-timeout"), fields);

fn fields(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Vec<DeadlineField>> {
    texts(value, place, context, str::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn read(text: &str) -> Result<Policies, String> {
        hoplab_config::read("test.toml", text).map_err(|problems| problems.in_words().join("; "))
    }

    fn config(text: &str) -> Option<Config> {
        read(text).unwrap().resolve().unwrap().deadline
    }

    #[test]
    fn deadlines_travel_when_they_are_asked_to() {
        let usual = Config {
            read: vec![Field::grpc()],
            write: vec![Field::grpc()],
            reserve: Duration::ZERO,
            own: true,
        };
        assert_eq!(config(""), None);
        assert_eq!(config("deadline = {}"), Some(usual.clone()));
        assert_eq!(config("deadline = { propagate = false, reserve = \"5ms\" }"), None);
        let lost = Config { write: Vec::new(), ..usual };
        assert_eq!(config("deadline = { write = [] }"), Some(lost));
        let found = config(
            "deadline = { read = [\"X-Envoy-Expected-Rq-Timeout-Ms\"], own = false, reserve = \"2ms\", \
             write = [\"x-request-deadline: unix-ms\", \"x-left : ms\", \"x-grpc:grpc\"] }",
        )
        .unwrap();
        assert_eq!(found.read[0].notation, Notation::Millis);
        let written: Vec<_> = found.write.iter().map(|field| (field.name.as_str(), field.notation)).collect();
        let expected = [
            ("x-request-deadline", Notation::UnixMillis),
            ("x-left", Notation::Millis),
            ("x-grpc", Notation::Grpc),
        ];
        assert_eq!(written, expected);
        assert_eq!((found.reserve, found.own), (Duration::from_millis(2), false));
    }

    #[test]
    fn layers_are_merged_key_by_key() {
        let lower = read("deadline = { reserve = \"5ms\", own = false }").unwrap();
        let upper = read("deadline = { own = true }").unwrap();
        let merged = upper.over(&lower).resolve().unwrap().deadline.unwrap();
        assert_eq!((merged.reserve, merged.own), (Duration::from_millis(5), true));
        let off = read("deadline = { propagate = false }").unwrap();
        assert_eq!(off.over(&lower).resolve().unwrap().deadline, None);
    }

    #[test]
    fn the_receiving_side_reads_what_was_written() {
        let receiving = |text: &str| read(text).unwrap().deadline.unwrap().resolve()?.receiving();
        let there = receiving("deadline = { write = [\"x-a: ms\"], reserve = \"5ms\" }").unwrap();
        assert_eq!(there.read[0].name, "x-a");
        assert_eq!((there.read == there.write, there.reserve, there.own), (true, Duration::ZERO, false));
        assert_eq!(receiving("deadline = { write = [] }"), None);
        assert_eq!(receiving("deadline = { propagate = false }"), None);
        let nothing_read = receiving("deadline = { read = [], write = [\"grpc-timeout\"] }").unwrap();
        assert_eq!(nothing_read.read, [Field::grpc()]);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            (
                "read = [\"x-deadline\"]",
                "the notation of `x-deadline` is not known: write `x-deadline: grpc`",
            ),
            ("read = [\"a b\"]", "`a b` is no header: write a name such as `grpc-timeout`"),
            ("write = [\"x-a: seconds\"]", "unknown notation `seconds`: write `grpc`, `ms` or `unix-ms`"),
            ("write = [\"content-length: ms\"]", "`content-length` has another meaning"),
            ("reserve = \"5\"", "`5` has no unit"),
            ("own = \"yes\"", "a text where `true` or `false` belongs: write the word without quotes"),
            (
                "forward = true",
                "unknown key \"forward\": there are \"propagate\", \"read\", \"write\", \"reserve\", \"own\"",
            ),
        ] {
            let error = read(&format!("deadline = {{ {text} }}")).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn keys_that_contradict_each_other_are_found() {
        for (text, key) in [
            ("deadline = { read = [] }", "deadline"),
            ("deadline = { read = [], write = [\"grpc-timeout\"], own = false }", "deadline.write"),
            ("deadline = { read = [\"grpc-timeout\", \"Grpc-Timeout\"], write = [] }", "deadline.read"),
            ("deadline = { write = [\"x-a: ms\", \"x-a: grpc\"] }", "deadline.write"),
            ("deadline = { read = [\"x-a: ms\"], write = [\"x-a: grpc\"] }", "deadline.write"),
            ("timeout = \"1s\"\ndeadline = { reserve = \"1s\" }", "deadline.reserve"),
            ("deadline = { reserve = \"15s\" }", "deadline.reserve"),
            ("retry = { per_try_timeout = \"1s\" }\ndeadline = { reserve = \"2s\" }", "deadline.reserve"),
        ] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!(found.iter().map(|found| found.key).collect::<Vec<_>>(), [key], "{text}");
        }
        assert!(read("deadline = { read = [], write = [\"grpc-timeout\"] }").unwrap().resolve().is_ok());
    }
}
