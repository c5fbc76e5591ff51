//! The seam to who runs a driver: tasks, timers and sockets.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{AsyncUdpSocket, TokioRuntime};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::TransportError;
use crate::socket;

/// Who runs a driver's tasks, keeps its time and waits for its sockets: tokio, or whatever quinn can run on.
///
/// On tokio, the store is called on its threads for blocking work; elsewhere on a thread of the driver's own, which ends
/// when nothing is left to be stored.
#[derive(Clone, Debug)]
pub struct Runtime(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Tokio(Handle),
    Other(Arc<dyn quinn::Runtime>),
}

/// Tokio, with its I/O and time enabled.
impl From<Handle> for Runtime {
    fn from(handle: Handle) -> Runtime {
        Runtime(Kind::Tokio(handle))
    }
}

/// Any other, such as quinn's own for smol.
impl From<Arc<dyn quinn::Runtime>> for Runtime {
    fn from(runtime: Arc<dyn quinn::Runtime>) -> Runtime {
        Runtime(Kind::Other(runtime))
    }
}

/// Ends a task from outside. Dropped without that, the task goes on.
#[derive(Debug)]
pub(crate) enum Abort {
    Tokio(AbortHandle),
    Other(oneshot::Sender<()>),
}

impl Abort {
    pub(crate) fn abort(self) {
        match self {
            Abort::Tokio(task) => task.abort(),
            // Fails only if the task has ended already.
            Abort::Other(cancel) => drop(cancel.send(())),
        }
    }
}

impl Runtime {
    /// The tokio from which this is called.
    pub(crate) fn current() -> Result<Runtime, TransportError> {
        Handle::try_current().map(Runtime::from).map_err(|_| TransportError::NoRuntime)
    }

    /// What quinn runs its own tasks on.
    pub(crate) fn for_quinn(&self) -> Arc<dyn quinn::Runtime> {
        match &self.0 {
            Kind::Tokio(_) => Arc::new(TokioRuntime),
            Kind::Other(runtime) => Arc::clone(runtime),
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.0 {
            Kind::Tokio(handle) => drop(handle.spawn(task)),
            Kind::Other(runtime) => runtime.spawn(Box::pin(task)),
        }
    }

    /// A task that can be ended from outside.
    pub(crate) fn spawn_abortable(&self, task: impl Future<Output = ()> + Send + 'static) -> Abort {
        let runtime = match &self.0 {
            Kind::Tokio(handle) => return Abort::Tokio(handle.spawn(task).abort_handle()),
            Kind::Other(runtime) => runtime,
        };
        let (cancel, cancelled) = oneshot::channel();
        runtime.spawn(Box::pin(async move {
            let cancelled = async {
                if cancelled.await.is_err() {
                    pending().await
                }
            };
            tokio::select! {
                biased;
                () = cancelled => {}
                () = task => {}
            }
        }));
        Abort::Other(cancel)
    }

    /// Work that may wait for a disk.
    pub(crate) fn spawn_blocking(&self, work: impl Fn() + Clone + Send + 'static) {
        let runtime = match &self.0 {
            Kind::Tokio(handle) => return drop(handle.spawn_blocking(work)),
            Kind::Other(runtime) => runtime,
        };
        let thread = std::thread::Builder::new().name("p2p-store".into());
        if let Err(error) = thread.spawn(work.clone()) {
            tracing::error!(%error, "no thread to store on: a task waits for the disk");
            runtime.spawn(Box::pin(async move { work() }));
        }
    }

    /// To be called from a task of this runtime, as all that follow.
    pub(crate) async fn sleep_until(&self, instant: Instant) {
        match &self.0 {
            Kind::Tokio(_) => tokio::time::sleep_until(instant.into()).await,
            Kind::Other(runtime) => {
                let mut timer = runtime.new_timer(instant);
                poll_fn(|cx| timer.as_mut().poll(cx)).await
            }
        }
    }

    /// What the future gives; `None` if it takes longer than that.
    pub(crate) async fn timeout<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        match &self.0 {
            Kind::Tokio(_) => tokio::time::timeout(limit, future).await.ok(),
            Kind::Other(_) => tokio::select! {
                biased;
                result = future => Some(result),
                () = self.sleep_until(Instant::now() + limit) => None,
            },
        }
    }

    /// Makes a socket asynchronous; `plain` is for tokio only.
    pub(crate) fn wrap(
        &self,
        socket: UdpSocket,
        plain: bool,
    ) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        match &self.0 {
            Kind::Tokio(_) => socket::wrap(socket, plain),
            Kind::Other(runtime) => runtime.wrap_udp_socket(socket),
        }
    }
}
