//! Which file the name of a profile means, and which ones that one stands over. A profile lies beside the scenario, in a
//! folder `profiles` or right there, or is one of hoplab's; what a profile stands over lies beside it, or is hoplab's.

use hoplab_config::{At, Context, Outline, Outlined, Place, keys, suggest};
use hoplab_proxy::upstream::{Contradiction, Policies};

use super::written::{self, File, Gateway, Mesh, Part};
use super::{Evidence, Profile, figures, shipped};

/// A profile with those that it stands over.
pub(in crate::scenario) struct Chain {
    /// The upper ones first; at least one.
    layers: Vec<Layer>,
}

struct Layer {
    name: String,
    source: usize,
    file: File,
}

impl Chain {
    /// The profile called `name`, which is asked for at `from`; notes why there is none.
    /// It is asked for outside of any file when there is no such place.
    pub(in crate::scenario) fn open(
        name: &str,
        from: Option<Place>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let Some(source) = find(name, from.unwrap_or(Place::BEGINNING), &[], context) else {
            note_unknown(name, from, context);
            return None;
        };
        Self::climb(name, source, context)
    }

    /// The profile in the first file of `context`.
    pub(super) fn of_file(context: &mut Context<'_>) -> Option<Self> {
        let path = &context.sources()[0].path;
        let file = path.rsplit_once('/').map_or(path.as_str(), |(_, file)| file);
        let name = file.strip_suffix(".toml").unwrap_or(file).to_owned();
        Self::climb(&name, 0, context)
    }

    /// From the profile called `name`, in the source of this number, to those that it stands over.
    fn climb(name: &str, source: usize, context: &mut Context<'_>) -> Option<Self> {
        let mut layers = Vec::<Layer>::new();
        let (mut name, mut source) = (name.to_owned(), source);
        loop {
            let file = context.document::<File>(source)?;
            let extends = file.profile.as_ref().and_then(|about| about.value.extends.clone());
            layers.push(Layer { name, source, file });
            let Some(extends) = extends else { return Some(Self { layers }) };
            let visited: Vec<usize> = layers.iter().map(|layer| layer.source).collect();
            let Some(next) = find(&extends.value, extends.place, &visited, context) else {
                note_missing(&extends, &layers, context);
                return None;
            };
            (name, source) = (extends.value, next);
        }
    }

    /// The names of the tables that it has: `gateway`, `mesh`.
    pub(in crate::scenario) fn parts(&self) -> Vec<&'static str> {
        let parts = [("gateway", !self.gateway().is_empty()), ("mesh", !self.mesh().is_empty())];
        parts.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }

    /// The system as a gateway, in layers, the upper ones first; none when it cannot be one.
    pub(in crate::scenario) fn gateway(&self) -> Vec<&Gateway> {
        let layers = self.layers.iter().filter(|_| self.can_be(Part::Gateway));
        layers.filter_map(|layer| layer.file.gateway.as_ref()).map(|at| &at.value.value).collect()
    }

    /// The system as a mesh, likewise.
    pub(in crate::scenario) fn mesh(&self) -> Vec<&Mesh> {
        let layers = self.layers.iter().filter(|_| self.can_be(Part::Mesh));
        layers.filter_map(|layer| layer.file.mesh.as_ref()).map(|at| &at.value.value).collect()
    }

    /// Whether the proxies of that mesh see requests.
    pub(in crate::scenario) fn sees_requests(&self) -> bool {
        let said = self.mesh().into_iter().find_map(|layer| layer.layer.as_ref());
        said.is_none_or(|at| at.value != written::Layer::Four)
    }

    /// Whether it says nothing against being this part.
    fn can_be(&self, part: Part) -> bool {
        let mut abouts = self.layers.iter().filter_map(|layer| layer.file.profile.as_ref());
        let parts = abouts.find_map(|about| about.value.parts.as_ref());
        parts.is_none_or(|parts| parts.value.iter().any(|at| at.value == part))
    }

    /// What is told of it. Notes what it contradicts itself in.
    pub(in crate::scenario) fn profile(&self, context: &mut Context<'_>) -> Profile {
        contradictions(self.gateway().into_iter().map(|part| &part.manners.defaults), context);
        contradictions(self.mesh().into_iter().map(|part| &part.manners.defaults), context);
        let [first, others @ ..] = &self.layers[..] else { unreachable!("a chain has a profile") };
        let abouts: Vec<_> =
            self.layers.iter().filter_map(|layer| Some(&layer.file.profile.as_ref()?.value)).collect();
        let text = |at: Option<&At<String>>| at.map(|at| at.value.clone());
        let mut all = Vec::<figures::Figure>::new();
        for Layer { name, source, file } in &self.layers {
            let below = figures::of(name, file, *source, context);
            let is_meant = |figure: &figures::Figure| {
                let part = if figure.key.starts_with("gateway") { Part::Gateway } else { Part::Mesh };
                self.can_be(part) && all.iter().all(|upper| upper.key != figure.key)
            };
            let new = below.into_iter().filter(is_meant);
            let new: Vec<_> = new.collect();
            all.extend(new);
        }
        let left_out = abouts.iter().flat_map(|about| about.left_out.iter().flat_map(|list| &list.value));
        Profile {
            name: first.name.clone(),
            title: text(abouts.first().and_then(|about| about.title.as_ref()))
                .unwrap_or_else(|| first.name.clone()),
            version: text(abouts.first().and_then(|about| about.version.as_ref())),
            as_of: text(abouts.first().and_then(|about| about.as_of.as_ref())),
            ended: text(abouts.first().and_then(|about| about.ended.as_ref())),
            left_out: left_out.map(|at| at.value.clone()).collect(),
            extends: others.iter().map(|layer| layer.name.clone()).collect(),
            is_gateway: !self.gateway().is_empty(),
            is_mesh: !self.mesh().is_empty(),
            sees_requests: self.sees_requests(),
            sources: self.layers.iter().flat_map(evidence).collect(),
            figures: all,
        }
    }
}

/// Notes what these `layers` of policies, the upper ones first, contradict each other in.
fn contradictions<'a>(
    layers: impl Iterator<Item = &'a Option<At<Outlined<Policies>>>>,
    context: &mut Context<'_>,
) {
    let layers: Vec<_> = layers.flatten().map(|at| &at.value).collect();
    let Some(upper) = layers.first() else { return };
    let merged = layers.iter().rev().fold(Policies::default(), |below, layer| layer.value.over(&below));
    let mut found = merged.resolve().err().unwrap_or_default();
    // What stands below gives way to what is said over it.
    found.retain(|contradiction| upper.outline.find(contradiction.key).is_some());
    let outlines: Vec<&Outline> = layers.iter().map(|layer| &layer.outline).collect();
    Contradiction::note_all(found, &outlines, context);
}

/// What the figures of a layer are taken from.
fn evidence(layer: &Layer) -> Vec<Evidence> {
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let named = layer.file.sources.iter().flat_map(|sources| &sources.value.0);
    let evidence = |(name, source): &(At<String>, Option<super::written::Source>)| {
        let source = source.as_ref()?;
        Some(Evidence {
            name: name.value.clone(),
            profile: layer.name.clone(),
            title: text(&source.title)?,
            at: text(&source.at),
            date: text(&source.date),
            version: text(&source.version),
            hardware: text(&source.hardware),
            method: text(&source.method),
        })
    };
    named.filter_map(evidence).collect()
}

/// The source of the profile called `name`, as the text at `from` means it, which is none of those that were `visited`:
/// what stands over a profile of its own name means another one.
fn find(name: &str, from: Place, visited: &[usize], context: &mut Context<'_>) -> Option<usize> {
    let file = format!("{name}.toml");
    // Right beside a scenario lie other files, too; in a folder of profiles everything is one.
    let beside = if is_profile(context.text(from.source)) {
        vec![(file, true)]
    } else {
        vec![(format!("profiles/{file}"), true), (file, false)]
    };
    for (path, is_certain) in beside {
        let is_one = context.fetch(&path, from).is_ok_and(|text| is_certain || is_profile(&text));
        let opened = if is_one { context.open(&path, from).ok() } else { None };
        if let Some(source) = opened.filter(|source| !visited.contains(source)) {
            return Some(source);
        }
    }
    let source = context.open_own(&shipped::path(name), shipped::text(name)?);
    (!visited.contains(&source)).then_some(source)
}

/// Whether a text is a profile's.
pub(in crate::scenario) fn is_profile(text: &str) -> bool {
    keys::names_of(text).iter().any(|key| key == "profile")
}

/// Notes that there is no profile called `name`.
fn note_unknown(name: &str, place: Option<Place>, context: &mut Context<'_>) {
    let fact = format!("there is no profile \"{name}\"");
    let hint = suggest::hint(name, shipped::names());
    let hint = format!("write a file profiles/{name}.toml beside the scenario; of hoplab's own, {hint}");
    context.error_at(place, fact).hint(hint);
}

/// Notes that there is none that the last of the `layers` could stand over.
fn note_missing(extends: &At<String>, layers: &[Layer], context: &mut Context<'_>) {
    if layers.iter().any(|layer| layer.name == extends.value) {
        let hint = "let it stand over another one, or over none";
        context.error(extends.place, format!("\"{}\" stands over itself", extends.value)).hint(hint);
    } else {
        note_unknown(&extends.value, Some(extends.place), context);
    }
}
