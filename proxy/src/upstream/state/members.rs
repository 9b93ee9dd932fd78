//! Who the members are at present, and how every policy follows when that changes. Each member has a slot, by which
//! policies keep what they know of it, so that a request looks nothing up; the slot of one that has left is the next
//! newcomer's. What somebody still says of the one before is told by the seat's serial number, and counts for nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Policies, State};
use crate::host::{Host, Instant};
use crate::policy::balance;
use crate::telemetry::Decision;
use crate::upstream::fleet::{Fleet, MemberSpec};
use crate::upstream::member::{Member, Seat};
use crate::upstream::{Config, Placement};

/// The members.
pub(super) struct Members<H: Host> {
    /// By slot.
    seated: Vec<Option<Seated<H>>>,
    /// The slots of the members, in their order.
    order: Vec<usize>,
    /// The zone that requests are sent from, where that is known.
    zone: Option<Arc<str>>,
    next_serial: u64,
}

struct Seated<H: Host> {
    member: Arc<Member<H>>,
    placement: Placement,
}

/// What has changed.
pub(in super::super) struct Changes<H: Host> {
    /// In their order.
    pub(in super::super) joined: Vec<Arc<Member<H>>>,
    pub(in super::super) left: Vec<Arc<Member<H>>>,
    /// Whether those who stay stand elsewhere in the order, or have another weight, zone or rank.
    is_rearranged: bool,
}

impl<H: Host> Changes<H> {
    /// Whether there are any.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty() && !self.is_rearranged
    }
}

impl<H: Host> Members<H> {
    /// Nobody, among whom one would be chosen for requests from the zone of `config`.
    pub(super) fn new(config: &Config) -> Self {
        Self { seated: Vec::new(), order: Vec::new(), zone: config.zone.clone(), next_serial: 0 }
    }

    /// Replaces the members by those of `fleet`: who has the same id and endpoint stays, the others leave; `enlist` makes
    /// the ones who join.
    pub(super) fn set(
        &mut self,
        fleet: &Fleet,
        mut enlist: impl FnMut(Seat, &MemberSpec) -> Arc<Member<H>>,
    ) -> Changes<H> {
        let known: BTreeMap<_, _> = self.iter().map(|member| (&member.id, member)).collect();
        let slot_of = |spec: &MemberSpec| {
            known.get(&spec.id).filter(|known| known.endpoint == spec.endpoint).map(|known| known.seat.slot)
        };
        let kept: Vec<_> = fleet.members().iter().map(slot_of).collect();
        let mut stays = vec![false; self.seated.len()];
        kept.iter().flatten().for_each(|slot| stays[*slot] = true);
        let leaves = self.order.iter().filter(|slot| !stays[**slot]);
        let left = leaves.filter_map(|slot| self.seated[*slot].take()).map(|seated| seated.member).collect();
        let mut changes = Changes { joined: Vec::new(), left, is_rearranged: false };
        let mut order = Vec::with_capacity(kept.len());
        let mut vacant = 0;
        for (spec, kept) in fleet.members().iter().zip(kept) {
            let slot = kept.unwrap_or_else(|| self.vacant_from(&mut vacant));
            order.push(slot);
            if let Some(seated) = &mut self.seated[slot] {
                changes.is_rearranged |= seated.placement != spec.placement;
                seated.placement.clone_from(&spec.placement);
                continue;
            }
            let member = enlist(Seat { slot, serial: self.next_serial }, spec);
            self.next_serial += 1;
            changes.joined.push(Arc::clone(&member));
            self.seated[slot] = Some(Seated { member, placement: spec.placement.clone() });
        }
        changes.is_rearranged |= order != self.order;
        self.order = order;
        changes
    }

    /// The first slot that nobody has, from `vacant` on, which is moved there.
    fn vacant_from(&mut self, vacant: &mut usize) -> usize {
        while self.seated.get(*vacant).is_some_and(Option::is_some) {
            *vacant += 1;
        }
        if *vacant == self.seated.len() {
            self.seated.push(None);
        }
        *vacant
    }

    /// The members, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Member<H>>> {
        self.order.iter().filter_map(|slot| self.of(*slot))
    }

    /// The slots of the members, in their order.
    pub(super) fn slots(&self) -> &[usize] {
        &self.order
    }

    /// The member in `slot`.
    pub(super) fn of(&self, slot: usize) -> Option<&Arc<Member<H>>> {
        self.seated.get(slot)?.as_ref().map(|seated| &seated.member)
    }

    /// How the member in `slot` is called in telemetry.
    pub(super) fn label(&self, slot: usize) -> Option<Arc<str>> {
        self.of(slot).map(|member| Arc::clone(&member.label))
    }

    /// Whether the one that had this seat is still a member.
    pub(super) fn is_current(&self, seat: Seat) -> bool {
        self.of(seat.slot).is_some_and(|member| member.seat.serial == seat.serial)
    }

    /// The members and their slots, as balancing sees them.
    pub(super) fn balanced(&self) -> Vec<(usize, balance::Member)> {
        let seated = self.order.iter().filter_map(|slot| Some((*slot, self.seated[*slot].as_ref()?)));
        let balanced = |(slot, Seated { member, placement }): (usize, &Seated<H>)| {
            let member = balance::Member {
                name: member.id.to_string(),
                weight: placement.weight,
                local: self.zone.is_some() && placement.zone == self.zone,
                rank: placement.rank,
            };
            (slot, member)
        };
        seated.map(balanced).collect()
    }
}

impl<H: Host> Policies<H> {
    fn set_members(
        &mut self,
        now: Instant,
        fleet: &Fleet,
        enlist: impl FnMut(Seat, &MemberSpec) -> Arc<Member<H>>,
    ) -> Changes<H> {
        let changes = self.members.set(fleet, enlist);
        if changes.is_empty() {
            return changes;
        }
        let ejection = &mut self.ejection;
        for left in &changes.left {
            if let Some(ejection) = ejection {
                ejection.outlier.leave(left.seat.slot);
            }
        }
        let joined: Vec<_> = changes.joined.iter().map(|member| member.seat.slot).collect();
        for slot in &joined {
            self.breakers.join(*slot);
            self.standing.join(*slot);
            self.ejection.iter_mut().for_each(|ejection| ejection.outlier.join(now, *slot));
            self.health.iter_mut().for_each(|health| health.join(*slot));
        }
        let balanced = self.members.balanced();
        self.balance.set_members(now, &balanced, &joined);
        self.merging.set_ranks(now, balanced.iter().map(|(slot, member)| (*slot, member.rank)));
        // As in Envoy, what was gathered takes effect with it.
        let slots = self.members.slots().to_vec();
        self.tell_balance(now, &slots);
        for slot in joined {
            self.bar_unchecked(now, slot);
        }
        changes
    }
}

impl<H: Host> State<H> {
    /// Replaces the members by those of `fleet`, and lets every policy follow; `enlist` makes the ones who join.
    pub(in super::super) fn set_members(
        &self,
        fleet: &Fleet,
        enlist: impl FnMut(Seat, &MemberSpec) -> Arc<Member<H>>,
    ) -> Changes<H> {
        let shared = &self.shared;
        let changes = shared.lock().set_members(shared.host.now(), fleet, enlist);
        if !changes.is_empty() {
            changes.left.iter().for_each(|left| shared.decided(Some(&left.label), Decision::Left));
            changes.joined.iter().for_each(|joined| shared.decided(Some(&joined.label), Decision::Joined));
            shared.report_panic();
            shared.changed.notify_waiters();
        }
        changes
    }
}
