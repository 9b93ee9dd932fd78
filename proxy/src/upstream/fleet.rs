//! Who the members of an upstream are to be: a fleet's desired state, as a list in a configuration, a file of its own or
//! the answer of a name server says it. A member is known by its id; its weight, zone and rank may change, and whoever
//! has the same id stays who it is. The order of the members is that of round robin.
//!
//! Not here: who they are at present, and what is known of them (`state::members`), and where the desired state comes
//! from ([`super::source`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Placed, Placement};
use crate::host::Endpoint;

/// What a member is known by, as long as it is one: consistent hashing goes by it, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(Arc<str>);

impl MemberId {
    /// An id of one's own, such as a pod's name.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A member as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSpec {
    /// What it is known by. One that is said to listen elsewhere than before is another one, whatever its id.
    pub id: MemberId,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What balancing goes by.
    pub placement: Placement,
}

/// The members that an upstream is to have, in their order; no two have the same id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet(Vec<MemberSpec>);

/// Two members that are to have the same id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two members are called `{0}`")]
pub struct DuplicateId(pub MemberId);

impl Fleet {
    /// These members.
    pub fn new(members: Vec<MemberSpec>) -> Result<Self, DuplicateId> {
        let mut ids: Vec<_> = members.iter().map(|member| &member.id).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(DuplicateId(pair[0].clone())),
            None => Ok(Self(members)),
        }
    }

    /// Members that are known by where they listen, `host:port`. An endpoint that stands in the list again is another
    /// member, as it always was: the second one is `host:port#2`.
    pub fn of(placed: impl IntoIterator<Item = Placed>) -> Self {
        let mut seen = BTreeMap::<Endpoint, u32>::new();
        let member = |Placed { endpoint, placement }: Placed| {
            let times = seen.entry(endpoint.clone()).or_default();
            *times += 1;
            let id = match *times {
                1 => endpoint.to_string(),
                times => format!("{endpoint}#{times}"),
            };
            MemberSpec { id: MemberId::new(id), endpoint, placement }
        };
        Self(placed.into_iter().map(member).collect())
    }

    /// The members, in their order.
    pub fn members(&self) -> &[MemberSpec] {
        &self.0
    }

    /// Whether nobody is to be a member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(fleet: &Fleet) -> Vec<String> {
        fleet.members().iter().map(|member| member.id.to_string()).collect()
    }

    #[test]
    fn members_are_known_by_where_they_listen_and_numbered_where_that_is_said_again() {
        let endpoints = [("a", 80), ("::1", 80), ("a", 80), ("a", 81), ("a", 80)];
        let placed = endpoints.map(|(host, port)| Placed::from(Endpoint::new(host, port)));
        assert_eq!(ids(&Fleet::of(placed)), ["a:80", "[::1]:80", "a:80#2", "a:81", "a:80#3"]);
    }

    #[test]
    fn no_two_members_have_the_same_id() {
        let member = |id: &str, host: &str| MemberSpec {
            id: MemberId::new(id),
            endpoint: Endpoint::new(host, 80),
            placement: Placement::default(),
        };
        let fleet = Fleet::new(vec![member("pod-0", "10.0.0.1"), member("pod-1", "10.0.0.1")]).unwrap();
        assert_eq!(ids(&fleet), ["pod-0", "pod-1"]);
        let twice = vec![member("b", "x"), member("a", "y"), member("b", "z")];
        assert_eq!(Fleet::new(twice).unwrap_err().to_string(), "two members are called `b`");
    }
}
