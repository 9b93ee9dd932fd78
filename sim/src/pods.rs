//! The pods of a run: which there are, which of them somebody holds down, and which are told to stop. What a fault may
//! do to the world is asked of them. Not here: what runs in a pod, and how that starts ([`crate::deployment`]).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::held::Held;
use crate::scenario::plan::target::{Between, Side, Target};
use crate::scenario::plan::{Party, ServiceId};
use crate::world::{PodId, World};

/// The pods of a run.
pub(crate) struct Pods {
    world: World,
    /// The one in no zone first.
    clients: Vec<PodId>,
    gateway: Option<PodId>,
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
        target.service.0 == self.service && target.replica.is_none_or(|replica| replica == self.replica)
    }
}

impl Pods {
    /// The pods of a `world` that has, in this order, the first of the `clients`, a gateway's if there is one, for each
    /// service as many as it has `replicas`, and the other clients'.
    pub(crate) fn new(
        world: &World,
        has_gateway: bool,
        replicas: impl Iterator<Item = u32>,
        clients: usize,
    ) -> Self {
        let mut pods = (0..).map(PodId);
        let mut next = || pods.next().expect("pods are numbered without end");
        let mut all_clients = vec![next()];
        let gateway = has_gateway.then(&mut next);
        let services = replicas.map(|replicas| (0..replicas).map(|_| next()).collect()).collect();
        all_clients.extend((1..clients).map(|_| next()));
        Self {
            world: world.clone(),
            clients: all_clients,
            gateway,
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
    pub(crate) fn gateway(&self) -> Option<PodId> {
        self.gateway
    }

    /// The pods that `target` means.
    pub(crate) fn of(&self, target: Target) -> Vec<Place> {
        let service = target.service.0;
        let replicas = match target.replica {
            Some(replica) => replica..replica + 1,
            None => 0..self.services[service].len() as u32,
        };
        replicas.map(|replica| Place { service, replica }).collect()
    }

    /// The pod in the world.
    pub(crate) fn id(&self, place: Place) -> PodId {
        self.services[place.service][place.replica as usize]
    }

    /// Whose a pod of the world is.
    pub(crate) fn party(&self, pod: PodId) -> Party {
        if self.gateway == Some(pod) {
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
            Side::Gateway => self.gateway.into_iter().collect(),
        }
    }

    fn all_pods(&self) -> impl Iterator<Item = PodId> + '_ {
        let services = self.services.iter().flatten();
        self.clients.iter().chain(&self.gateway).chain(services).copied()
    }

    /// Holds a service's pod: what ends in it stays down until everybody has let go.
    pub(crate) fn hold(&self, place: Place) {
        self.held().hold(self.id(place));
    }

    /// Kills what runs in a pod that the caller holds.
    pub(crate) fn kill(&self, place: Place) {
        let pod = self.id(place);
        if self.held().kill(pod) {
            self.world.crash(pod);
        }
    }

    /// Whether anything runs in a service's pod.
    pub(crate) fn is_up(&self, place: Place) -> bool {
        self.held().is_up(self.id(place))
    }

    /// Lets go of a pod, which was killed; whether it is to start anew, since nobody else holds it.
    pub(crate) fn let_go(&self, place: Place) -> bool {
        self.held().let_go(self.id(place))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a service's pod to stop: its sidecar, if it has one, which lets the application finish. It takes no
    /// new connection and ends those that it has as their requests are answered.
    pub(crate) fn stop(&self, place: Place) {
        self.world.stops(self.id(place));
        let stop = self.stops().remove(&self.id(place));
        // A product that has crashed hears nothing.
        let _ = stop.map(|stop| stop.send(()));
    }

    /// Completes when the service's pod, which starts, is told to stop.
    pub(crate) fn stopped(&self, place: Place) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.world.starts(self.id(place));
        let (stop, stopped) = oneshot::channel();
        self.stops().insert(self.id(place), stop);
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
