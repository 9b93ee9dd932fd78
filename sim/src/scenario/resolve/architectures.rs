//! What is compared: the names of architectures, and which of them this run takes. Not here: what their parts do
//! ([`super::products`]).

use std::fmt;

use hoplab_config::{At, Context, Place, suggest};

use crate::scenario::overrides::Overrides;
use crate::scenario::plan;
use crate::scenario::schema::Compare;

/// An architecture by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// What clients enter through.
    pub(super) gateway: Option<Part>,
    /// What stands beside services.
    pub(super) mesh: Option<Part>,
    /// Whether services call by a library with policies.
    pub(super) has_library: bool,
    /// The name of the phase of an adoption that it is, if it is one.
    phase: Option<(usize, String)>,
}

/// A part of an architecture.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// The profile that it behaves by: `kong` in `gateway:kong`; hoplab's own product when `None`.
    pub(super) profile: Option<String>,
    /// Where the file says so; nowhere when it was asked for outside.
    pub(super) place: Option<Place>,
    /// Which phase of an adoption it is in, if it is in one.
    pub(super) phase: Option<usize>,
}

impl PartialEq for Part {
    /// Wherever it is said.
    fn eq(&self, other: &Self) -> bool {
        self.profile == other.profile && self.phase == other.phase
    }
}

impl Eq for Part {}

/// Parts of architectures that are not there yet.
const LATER: [&str; 4] = ["ambient", "waypoint", "bff", "microgateway"];

/// Why a text names no architecture that can run.
enum Refused {
    Later(String),
    Unknown,
    Twice(String),
    Nameless,
}

impl Compared {
    /// What is compared when the file does not say.
    fn all() -> Vec<Self> {
        let part = |is_there: bool| is_there.then(Part::default);
        let all = [(false, false), (true, false), (false, true), (true, true)];
        all.map(|(gateway, mesh)| Self { gateway: part(gateway), mesh: part(mesh), ..Self::default() })
            .to_vec()
    }

    /// The phase of an adoption that it is, if it is one.
    pub(super) fn phase(&self) -> Option<plan::Phase> {
        let (number, _) = self.phase.as_ref()?;
        let is = Self { phase: None, ..self.clone() };
        Some(plan::Phase { number: *number, is: is.to_string().into() })
    }

    /// The same as a phase of an adoption, the `number`th, which is called so.
    pub(super) fn in_phase(mut self, number: usize, name: String) -> Self {
        for part in [&mut self.gateway, &mut self.mesh].into_iter().flatten() {
            part.phase = Some(number);
        }
        Self { phase: Some((number, name)), ..self }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, phase)) = &self.phase {
            return f.write_str(phase);
        }
        let library = self.has_library.then(Part::default);
        let parts = [("gateway", &self.gateway), ("mesh", &self.mesh), ("library", &library)];
        let mut said = false;
        for (name, part) in parts.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?))) {
            let joint = if said { "+" } else { "" };
            let profile = part.profile.as_ref().map_or_else(String::new, |profile| format!(":{profile}"));
            write!(f, "{joint}{name}{profile}")?;
            said = true;
        }
        if said { Ok(()) } else { f.write_str("direct") }
    }
}

/// The architectures that the file compares; `phases` of an adoption are among them when it does not say.
pub(super) fn compared(
    compare: Option<&At<Compare>>,
    phases: &[Compared],
    context: &mut Context<'_>,
) -> Vec<Compared> {
    let Some(At { value: compare, place }) = compare else {
        let direct = std::iter::once(Compared::default());
        return if phases.is_empty() {
            Compared::all()
        } else {
            direct.chain(phases.iter().cloned()).collect()
        };
    };
    let Some(list) = &compare.architectures else { return Vec::new() };
    if list.value.is_empty() {
        context.error(list.place, "nothing is compared").hint("write, say, `[\"direct\", \"mesh\"]`");
    }
    let mut all = Vec::new();
    for name in &list.value {
        match parse_among(phases, &name.value, Some(name.place)) {
            Ok(architecture) if all.contains(&architecture) => {
                context.error(name.place, format!("\"{}\" is compared twice", name.value));
            }
            Ok(architecture) => all.push(architecture),
            Err(refused) => {
                let (fact, hint) = words(&name.value, &refused, phases);
                context.error(name.place, fact).hint(hint);
            }
        }
    }
    if !phases.is_empty() && all.iter().all(|of| of.phase.is_none()) {
        let hint = "name them among `architectures`, or leave `[compare]` out";
        context.warning(*place, "no phase of the adoption is compared").hint(hint);
    }
    all
}

/// The architecture that is called `name`; why there is none is noted.
pub(super) fn named(name: &At<String>, context: &mut Context<'_>) -> Option<Compared> {
    let parsed = parse(&name.value, Some(name.place));
    parsed
        .map_err(|refused| {
            let (fact, hint) = words(&name.value, &refused, &[]);
            context.error(name.place, fact).hint(hint);
        })
        .ok()
}

/// A phase, or the architecture that is called `name`.
fn parse_among(phases: &[Compared], name: &str, written_at: Option<Place>) -> Result<Compared, Refused> {
    let is_meant = |phase: &&Compared| phase.phase.as_ref().is_some_and(|(_, phase)| phase == name);
    phases.iter().find(is_meant).cloned().map_or_else(|| parse(name, written_at), Ok)
}

/// The architectures that this run takes: those asked for, else those that the file compares.
pub(super) fn chosen(
    compared: &[Compared],
    phases: &[Compared],
    overrides: &Overrides,
    context: &mut Context<'_>,
) -> Vec<Compared> {
    let Some(names) = &overrides.architectures else { return compared.to_vec() };
    let mut all = Vec::new();
    for name in names {
        match parse_among(phases, name, None) {
            Ok(architecture) if !all.contains(&architecture) => all.push(architecture),
            Ok(_) => {}
            Err(refused) => {
                let (fact, hint) = words(name, &refused, phases);
                context.error_outside(fact).hint(hint);
            }
        }
    }
    if names.is_empty() {
        context.error_outside("no architecture is asked for").hint("name one, such as \"direct\"");
    }
    all
}

/// The architecture that is called `name`; the order of its parts does not matter.
pub(super) fn find(name: &At<String>) -> Option<Compared> {
    parse(&name.value, Some(name.place)).ok()
}

fn parse(name: &str, written_at: Option<Place>) -> Result<Compared, Refused> {
    let mut architecture = Compared::default();
    if name == "direct" {
        return Ok(architecture);
    }
    for part in name.split('+') {
        let (part, profile) =
            part.split_once(':').map_or((part, None), |(part, profile)| (part, Some(profile)));
        if part == "library" {
            if profile.is_some() {
                return Err(Refused::Later("a profile of a library".to_owned()));
            }
            if std::mem::replace(&mut architecture.has_library, true) {
                return Err(Refused::Twice(part.to_owned()));
            }
            continue;
        }
        let place = match part {
            "gateway" => &mut architecture.gateway,
            "mesh" => &mut architecture.mesh,
            _ if LATER.contains(&part) => return Err(Refused::Later(format!("\"{part}\""))),
            _ => return Err(Refused::Unknown),
        };
        if profile.is_some_and(|profile| !is_profile(profile)) {
            return Err(Refused::Nameless);
        }
        if place
            .replace(Part { profile: profile.map(str::to_owned), place: written_at, phase: None })
            .is_some()
        {
            return Err(Refused::Twice(part.to_owned()));
        }
    }
    Ok(architecture)
}

/// Whether a profile can be called so, which is also a file's name.
fn is_profile(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(allowed)
}

fn words(name: &str, refused: &Refused, phases: &[Compared]) -> (String, String) {
    let mut known: Vec<String> = Compared::all().iter().map(ToString::to_string).collect();
    known.push("library".to_owned());
    known.extend(phases.iter().map(ToString::to_string));
    let list = format!("there are \"{}\"", known.join("\", \""));
    match refused {
        Refused::Later(what) => (format!("{what} is not there yet"), list),
        Refused::Twice(part) => (format!("\"{name}\" has \"{part}\" twice"), list),
        Refused::Nameless => {
            let hint = "lower-case letters, digits and hyphens, as in \"gateway:kong+mesh:linkerd\"";
            (format!("\"{name}\" has a profile that can have no such name"), hint.to_owned())
        }
        Refused::Unknown => {
            let hint = suggest::hint(name, known.iter().map(String::as_str));
            (format!("unknown architecture \"{name}\""), hint)
        }
    }
}
