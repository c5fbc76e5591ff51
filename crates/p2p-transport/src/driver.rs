//! The door for applications: a node that runs.

use std::sync::Arc;

use p2p_core::{Authority, Node, Now};
use p2p_store::Store;

use crate::clock::{Clock, seed};
use crate::engine::{Engine, Machine};
use crate::quic::Quic;
use crate::runtime::Runtime;
use crate::tls::{Tls, TlsIdentity};
use crate::{Config, Sink, TransportError};

/// A node on QUIC and an asynchronous runtime. Clones drive the same node; with the last one everything ends.
pub struct Driver<A: Authority + Send + 'static> {
    running: Arc<Running<Node<A>>>,
}

impl<A: Authority + Send + 'static> Clone for Driver<A> {
    fn clone(&self) -> Self {
        Driver { running: Arc::clone(&self.running) }
    }
}

impl<A: Authority + Send + 'static> std::fmt::Debug for Driver<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

impl<A: Authority + Send + 'static> Driver<A> {
    /// Starts a node: `node` makes it from a fresh seed and the first moment of its clock. No socket is opened before
    /// the node wants to listen.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn start(
        node: impl FnOnce([u8; 32], Now) -> Node<A>,
        tls: TlsIdentity,
        store: Arc<dyn Store>,
        sink: Arc<dyn Sink>,
        config: Config,
    ) -> Result<Self, TransportError> {
        Ok(Driver { running: Arc::new(Running::start(node, tls, store, sink, config)?) })
    }

    /// Calls the node and sees to it that what it then wants is done. Events that the call causes are in the sink when
    /// this returns.
    ///
    /// Never waits for the network or the disk; may be called from any thread, inside or outside of the runtime, but not
    /// from [`Sink::event`].
    pub fn call<R>(&self, f: impl FnOnce(&mut Node<A>, Now) -> R) -> R {
        self.running.engine.call(f)
    }

    /// Ends everything: connections are closed with code 0x200, and for at most two seconds the goodbyes are waited for.
    /// May be called more than once.
    pub async fn shutdown(&self) {
        self.running.stop();
        self.running.engine.finished().await;
    }
}

/// Ends the tasks of an engine when dropped: they hold the engine, nobody holds this but the application.
pub(crate) struct Running<M: Machine> {
    pub(crate) engine: Arc<Engine<M>>,
}

impl<M: Machine> Running<M> {
    pub(crate) fn start(
        machine: impl FnOnce([u8; 32], Now) -> M,
        tls: TlsIdentity,
        store: Arc<dyn Store>,
        sink: Arc<dyn Sink>,
        config: Config,
    ) -> Result<Self, TransportError> {
        let runtime = match &config.runtime {
            Some(runtime) => runtime.clone(),
            None => Runtime::current()?,
        };
        let quic = Quic::new(Tls::new(tls)?)?;
        let clock = Clock::start();
        let machine = machine(seed()?, clock.now());
        Ok(Running { engine: Engine::start(machine, clock, quic, store, sink, config, runtime) })
    }

    pub(crate) fn stop(&self) {
        self.engine.stop.send_replace(true);
    }
}

impl<M: Machine> Drop for Running<M> {
    fn drop(&mut self) {
        self.stop();
    }
}
