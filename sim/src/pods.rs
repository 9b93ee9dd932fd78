//! The pods of a run: which there are, which of them somebody holds down, and which are told to stop. What a fault may
//! do to the world is asked of them. Not here: what runs in a pod, and how that starts ([`crate::deployment`]).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::held::Held;
use crate::scenario::plan::target::{Between, Side, Target, Workload};
use crate::scenario::plan::{Party, ServiceId};
use crate::world::{PodId, World};

/// The pods of a run.
pub(crate) struct Pods {
    world: World,
    /// The one in no zone first.
    clients: Vec<PodId>,
    gateways: Vec<PodId>,
    /// Per service, its pods.
    services: Vec<Vec<PodId>>,
    /// What tells the product at the entrance of each service's pod to stop.
    stops: Mutex<BTreeMap<PodId, oneshot::Sender<()>>>,
    held: Mutex<Held>,
}

/// A pod of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Index of the service.
    pub(crate) service: usize,
    /// Which of its pods.
    pub(crate) replica: u32,
}

impl Place {
    /// Whether it is one of those that `target` means.
    pub(crate) fn is_in(self, target: Target) -> bool {
        target.service() == Some(ServiceId(self.service))
            && target.replica.is_none_or(|replica| replica == self.replica)
    }
}

/// A pod that faults may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instance {
    /// Which of the gateway's.
    Gateway(u32),
    /// One of a service's.
    Service(Place),
}

impl From<Place> for Instance {
    fn from(place: Place) -> Self {
        Self::Service(place)
    }
}

impl Pods {
    /// The pods of a `world` that has, in this order, the first of the `clients`, those of the gateway if there is one, for
    /// each service as many as it has `replicas`, and the other clients'.
    pub(crate) fn new(
        world: &World,
        gateways: u32,
        replicas: impl Iterator<Item = u32>,
        clients: usize,
    ) -> Self {
        let mut pods = (0..).map(PodId);
        let mut next = || pods.next().expect("pods are numbered without end");
        let mut all_clients = vec![next()];
        let gateways = (0..gateways).map(|_| next()).collect();
        let services = replicas.map(|replicas| (0..replicas).map(|_| next()).collect()).collect();
        all_clients.extend((1..clients).map(|_| next()));
        Self {
            world: world.clone(),
            clients: all_clients,
            gateways,
            services,
            stops: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// The world that they stand in.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// The clients', the one in no zone first.
    pub(crate) fn clients(&self) -> &[PodId] {
        &self.clients
    }

    /// The gateway's.
    pub(crate) fn gateways(&self) -> &[PodId] {
        &self.gateways
    }

    /// The pods that `target` means.
    pub(crate) fn of(&self, target: Target) -> Vec<Instance> {
        let all = match target.workload {
            Workload::Gateway => self.gateways.len(),
            Workload::Service(service) => self.services[service.0].len(),
        };
        let replicas = match target.replica {
            Some(replica) => replica..replica + 1,
            None => 0..all as u32,
        };
        let instance = |replica| match target.workload {
            Workload::Gateway => Instance::Gateway(replica),
            Workload::Service(ServiceId(service)) => Instance::Service(Place { service, replica }),
        };
        // An architecture without a gateway has none of its pods.
        replicas.filter(|replica| (*replica as usize) < all).map(instance).collect()
    }

    /// The pod in the world.
    pub(crate) fn id(&self, instance: impl Into<Instance>) -> PodId {
        match instance.into() {
            Instance::Gateway(replica) => self.gateways[replica as usize],
            Instance::Service(Place { service, replica }) => self.services[service][replica as usize],
        }
    }

    /// Whose a pod of the world is.
    pub(crate) fn party(&self, pod: PodId) -> Party {
        if self.gateways.contains(&pod) {
            return Party::Gateway;
        }
        let service = self.services.iter().position(|pods| pods.contains(&pod));
        service.map_or(Party::Clients, |service| Party::Service(ServiceId(service)))
    }

    /// The two sides of a fault in the network.
    pub(crate) fn sides(&self, between: Between) -> (Vec<PodId>, Vec<PodId>) {
        let a = self.side(between.a);
        let b = match between.b {
            Some(side) => self.side(side),
            None => self.all_pods().filter(|pod| !a.contains(pod)).collect(),
        };
        (a, b)
    }

    /// The pods of a side.
    pub(crate) fn side(&self, side: Side) -> Vec<PodId> {
        match side {
            Side::Pods(target) => self.of(target).into_iter().map(|place| self.id(place)).collect(),
            Side::Clients => self.clients.clone(),
        }
    }

    fn all_pods(&self) -> impl Iterator<Item = PodId> + '_ {
        let services = self.services.iter().flatten();
        self.clients.iter().chain(&self.gateways).chain(services).copied()
    }

    /// Holds a pod: what ends in it stays down until everybody has let go.
    pub(crate) fn hold(&self, pod: Instance) {
        self.held().hold(self.id(pod));
    }

    /// Kills what runs in a pod that the caller holds.
    pub(crate) fn kill(&self, pod: Instance) {
        let pod = self.id(pod);
        if self.held().kill(pod) {
            self.world.crash(pod);
        }
    }

    /// Whether anything runs in a pod.
    pub(crate) fn is_up(&self, pod: Instance) -> bool {
        self.held().is_up(self.id(pod))
    }

    /// Lets go of a pod, which was killed; whether it is to start anew, since nobody else holds it.
    pub(crate) fn let_go(&self, pod: Instance) -> bool {
        self.held().let_go(self.id(pod))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a pod to stop: a gateway, or a service's sidecar, if it has one, which lets the application finish. It takes no
    /// new connection and ends those that it has as their requests are answered.
    pub(crate) fn stop(&self, pod: Instance) {
        let pod = self.id(pod);
        self.world.stops(pod);
        let stop = self.stops().remove(&pod);
        // A product that has crashed hears nothing.
        let _ = stop.map(|stop| stop.send(()));
    }

    /// Completes when the pod, which starts, is told to stop.
    pub(crate) fn stopped(&self, pod: Instance) -> impl Future<Output = ()> + Send + 'static + use<> {
        let pod = self.id(pod);
        self.world.starts(pod);
        let (stop, stopped) = oneshot::channel();
        self.stops().insert(pod, stop);
        async move {
            // Nobody to say it any more says nothing.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn stops(&self) -> MutexGuard<'_, BTreeMap<PodId, oneshot::Sender<()>>> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
