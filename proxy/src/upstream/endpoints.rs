//! The endpoints of an upstream as configuration writes them: a list, a file of their own, or a name whose addresses they
//! are. Not here: how file and name are followed ([`super::source`]).

use hoplab_config::form::{Describe, Form};
use hoplab_config::{At, Context, Place, REQUIRED, Read, Value, table, way, wrong_type};

use super::placement::{Placed, Placement, rank};
use super::source::{Source, listed};
use crate::host::Endpoint;

/// The endpoints of an upstream, as far as they are known now, and where else they are learned of.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// Those that are listed.
    pub listed: Vec<Placed>,
    /// What replaces them.
    pub source: Source,
}

table! {
    /// A file that lists endpoints.
    pub struct OfFile {
        /// The file, from this file's folder: an endpoint a line, behind which may stand `weight=3 zone=far priority=1` or
        /// `backup`; a `#` begins a comment. It is looked at every second, and taken up when two looks have found the
        /// same; one that is wrong or empty leaves what was.
        pub file: String as FileName = REQUIRED,
    }
}

table! {
    /// A name whose addresses are endpoints.
    pub struct OfName {
        /// The name and the port at each of its addresses. It is asked for again when its time to live is over.
        pub dns: Endpoint as Name = REQUIRED,
        /// How many requests each address is to get in relation to others.
        pub weight: u32 as super::placement::Weight = 1,
        /// The zone that they stand in.
        pub zone: String = "none",
        /// When they are asked, as for an endpoint.
        pub priority: u32 as super::placement::Priority = 0,
    }
}

way!(FileName: String, Form::Text { what: "a path", example: "payment.endpoints" }, String::read);
way!(Name: Endpoint, Form::Text { what: "a name with a port", example: "payment.internal:8080" }, Endpoint::read);

impl Read for Endpoints {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        const HINT: &str = "write `[\"payment-0:8080\"]`, `{ file = \"payment.endpoints\" }` or `{ dns = \"payment:8080\" }`";
        if value.get_ref().is_array() {
            let list = Vec::<At<Placed>>::read(value, place, context)?;
            if list.is_empty() && !context.is_told_within(place) {
                context.error(place, "there is no endpoint").hint(HINT);
            }
            let listed = list.into_iter().map(|at| at.value).collect();
            return Some(Self { listed, source: Source::Listed });
        }
        let Some(table) = value.get_ref().as_table() else {
            wrong_type(value, place, ("a list of endpoints or where they are told", HINT), context);
            return None;
        };
        if table.contains_key("dns") {
            OfName::read(value, place, context)?.endpoints(context)
        } else {
            OfFile::read(value, place, context)?.endpoints(context)
        }
    }
}

impl OfFile {
    /// What the file lists now is where they begin.
    fn endpoints(self, context: &mut Context<'_>) -> Option<Endpoints> {
        let At { value: name, place } = self.file?;
        let listed = match context.fetch(&name, place).and_then(|text| listed(&text)) {
            Ok(listed) if listed.is_empty() => Err(format!("\"{name}\" names no endpoint")),
            listed => listed,
        };
        match listed {
            Ok(listed) => Some(Endpoints { listed, source: Source::file(context.locate(&name, place)) }),
            Err(fact) => {
                let hint = "write an endpoint a line, such as `payment-0:8080`; the path starts from this file's folder";
                context.error(place, fact).hint(hint);
                None
            }
        }
    }
}

impl OfName {
    fn endpoints(self, context: &mut Context<'_>) -> Option<Endpoints> {
        let At { value: name, place } = self.dns?;
        let rank = rank(self.priority.map(|priority| priority.value), false);
        let rank = rank.map_err(|wrong| context.complaint(place, &wrong)).ok()?;
        let placement = Placement {
            weight: self.weight.map_or(1, |weight| weight.value),
            zone: self.zone.map(|zone| zone.value.into()),
            rank,
        };
        Some(Endpoints { listed: Vec::new(), source: Source::Dns { name, placement } })
    }
}

impl Describe for Endpoints {
    fn form() -> Form {
        Form::Either(vec![Form::List(Box::new(Placed::form())), OfFile::form(), OfName::form()])
    }
}
