//! Where the values of a profile come from: each key with its basis. A key that nobody has said anything of counts as
//! assumed, which is told.

use hoplab_config::{At, Context, Outline, Place};

use super::basis::Basis;
use super::written::{self, File};

/// A value of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The profile that says it.
    pub profile: String,
    /// Its key with the tables that it stands in: `gateway.costs.cpu`.
    pub key: String,
    /// As it is written.
    pub value: String,
    /// How well it is known.
    pub basis: Basis,
    /// What it is taken from, by its name in the profile.
    pub source: Option<String>,
    /// How it follows from that, or why it is assumed.
    pub how: Option<String>,
}

impl Figure {
    /// The part of an architecture that it is of: `gateway`, `mesh`.
    pub fn part(&self) -> &str {
        self.key.split_once('.').map_or(&*self.key, |(part, _)| part)
    }
}

/// The values of `file`, which is the profile called `name` in the source of this number, in the order of its text. Notes
/// what is wrong with what it says of them, and keys that it says nothing of.
pub(super) fn of(name: &str, file: &File, source: usize, context: &mut Context<'_>) -> Vec<Figure> {
    let mut keys = Vec::new();
    let mut part = |name: &str, outline: Option<&Outline>| {
        let leaves = outline.map(Outline::leaves).into_iter().flatten();
        keys.extend(leaves.map(|(key, place)| (format!("{name}.{key}"), place)));
    };
    part("gateway", file.gateway.as_ref().map(|part| &part.value.outline));
    part("mesh", file.mesh.as_ref().map(|part| &part.value.outline));
    let written: Vec<&written::Figure> =
        file.figures.iter().flat_map(|all| &all.value).map(|at| &at.value).collect();
    let noted = context.count();
    for figure in &written {
        check(figure, file, &keys, context);
    }
    let is_right = context.count() == noted;
    let unsaid: Vec<_> = keys.iter().filter(|(key, _)| said(&written, key).is_none()).collect();
    if is_right && let Some((_, place)) = unsaid.first() {
        let listed: Vec<_> = unsaid.iter().take(LISTED).map(|(key, _)| format!("\"{key}\"")).collect();
        let more = unsaid.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let hint = "name them in the `of` of an entry of `[[figures]]`; until then they count as assumed";
        context
            .warning(*place, format!("nobody says where {}{more} come from", listed.join(", ")))
            .hint(hint);
    }
    let text = context.text(source).to_owned();
    let figure = |(key, place): (String, Place)| {
        let said = said(&written, &key);
        Figure {
            profile: name.to_owned(),
            value: text.get(place.start..place.end).unwrap_or_default().to_owned(),
            basis: said.and_then(|figure| figure.is.as_ref()).map_or(Basis::Assumed, |at| at.value),
            source: said.and_then(|figure| figure.source.as_ref()).map(|at| at.value.clone()),
            how: said.and_then(|figure| figure.how.as_ref()).map(|at| at.value.clone()),
            key,
        }
    };
    keys.into_iter().map(figure).collect()
}

/// How many keys a warning lists.
const LISTED: usize = 3;

/// What is said of `key`: by the longest path that leads there.
fn said<'a>(written: &[&'a written::Figure], key: &str) -> Option<&'a written::Figure> {
    let said = written.iter().filter_map(|figure| Some((*figure, reach(figure, key)?)));
    said.max_by_key(|(_, reach)| *reach).map(|(figure, _)| figure)
}

/// Notes what is wrong with what is said of some of the `keys`.
fn check(figure: &written::Figure, file: &File, keys: &[(String, Place)], context: &mut Context<'_>) {
    for of in figure.of.iter().flat_map(|of| &of.value) {
        if !keys.iter().any(|(key, _)| leads_to(&of.value, key)) {
            context.unknown("key", of, keys.iter().map(|(key, _)| key.as_str()));
        }
    }
    let sources = || file.sources.iter().flat_map(|sources| &sources.value.0).map(|(name, _)| name);
    if let Some(source) =
        figure.source.as_ref().filter(|named| sources().all(|name| name.value != named.value))
    {
        let known: Vec<String> = sources().map(|name| name.value.clone()).collect();
        context.unknown("source", source, known.iter().map(String::as_str));
    }
    let Some(At { value: basis, place }) = figure.is else { return };
    match basis {
        Basis::Assumed if figure.how.is_none() => {
            context.error(place, "assumed, and nobody says why").hint("write why: `how = \"…\"`");
        }
        Basis::Published | Basis::Derived if figure.source.is_none() => {
            let fact = format!("{} where?", basis.name());
            context.error(place, fact).hint("name one of `[sources]`, or write `is = \"assumed\"`");
        }
        Basis::Published | Basis::Derived | Basis::Assumed => {}
    }
}

/// How long a path of `figure` is that leads to `key`, if one does.
fn reach(figure: &written::Figure, key: &str) -> Option<usize> {
    let paths = figure.of.iter().flat_map(|of| &of.value);
    paths.filter(|path| leads_to(&path.value, key)).map(|path| path.value.len()).max()
}

/// Whether `path` is `key`, or a table that it stands in.
fn leads_to(path: &str, key: &str) -> bool {
    key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
