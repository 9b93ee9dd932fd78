//! What the two products have in common for whoever runs them.

use std::future::Future;
use std::io;

use hoplab_config::Context;
use hoplab_gateway::Gateway;
use hoplab_mesh::sidecar::Sidecar;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::telemetry::Outlets;

use crate::kind::Kind;

/// A product on this machine.
pub(super) trait Product: Sized + Send + 'static {
    /// What its file is.
    const KIND: Kind;

    /// What it is to do.
    type Plan: Send + 'static;
    /// What changes it while it runs.
    type Control: Send + 'static;

    /// Reads a file of its kind.
    fn document(context: &mut Context<'_>) -> Option<Self::Plan>;
    /// What it calls itself in traces.
    fn name(plan: &Self::Plan) -> String;
    /// Where it tells what it does.
    fn outlets(plan: &Self::Plan) -> &Outlets;
    /// Takes its ports.
    fn bind(host: Live, plan: Self::Plan, seed: u64) -> impl Future<Output = io::Result<Self>> + Send;
    /// Where it listens, as a sentence.
    fn listens(&self) -> io::Result<String>;
    /// What changes it.
    fn control(&self) -> Self::Control;
    /// Serves until it is stopped, and what was in flight is done.
    fn run(self, stopped: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send;
    /// Has it do what `plan` says, as a whole or not at all.
    fn apply(control: &mut Self::Control, plan: Self::Plan) -> impl Future<Output = io::Result<()>> + Send;
}

impl Product for Gateway<Live> {
    const KIND: Kind = Kind::Gateway;

    type Plan = hoplab_gateway::Plan;
    type Control = hoplab_gateway::Control<Live>;

    fn document(context: &mut Context<'_>) -> Option<Self::Plan> {
        hoplab_gateway::Plan::document(context)
    }

    fn name(_: &Self::Plan) -> String {
        "hoplab-gateway".to_owned()
    }

    fn outlets(plan: &Self::Plan) -> &Outlets {
        &plan.outlets
    }

    async fn bind(host: Live, plan: Self::Plan, seed: u64) -> io::Result<Self> {
        Self::bind(host, plan, seed).await
    }

    fn listens(&self) -> io::Result<String> {
        Ok(format!("gateway listens on {}", self.local_addr()?))
    }

    fn control(&self) -> Self::Control {
        self.control()
    }

    async fn run(self, stopped: impl Future<Output = ()> + Send) {
        self.run(stopped).await;
    }

    async fn apply(control: &mut Self::Control, plan: Self::Plan) -> io::Result<()> {
        control.apply(plan).await
    }
}

impl Product for Sidecar<Live> {
    const KIND: Kind = Kind::Sidecar;

    type Plan = hoplab_mesh::Plan;
    type Control = hoplab_mesh::sidecar::Control<Live>;

    fn document(context: &mut Context<'_>) -> Option<Self::Plan> {
        hoplab_mesh::Plan::document(context)
    }

    fn name(plan: &Self::Plan) -> String {
        format!("hoplab-sidecar-{}", plan.service)
    }

    fn outlets(plan: &Self::Plan) -> &Outlets {
        &plan.outlets
    }

    async fn bind(host: Live, plan: Self::Plan, seed: u64) -> io::Result<Self> {
        Self::bind(host, plan, seed).await
    }

    fn listens(&self) -> io::Result<String> {
        let (inbound, outbound) = (self.inbound_address()?, self.outbound_address()?);
        let service = self.service();
        Ok(format!("sidecar of {service} listens on {inbound} (inbound) and {outbound} (outbound)"))
    }

    fn control(&self) -> Self::Control {
        self.control()
    }

    async fn run(self, stopped: impl Future<Output = ()> + Send) {
        self.serve(stopped).await;
    }

    async fn apply(control: &mut Self::Control, plan: Self::Plan) -> io::Result<()> {
        control.apply(plan).await
    }
}
