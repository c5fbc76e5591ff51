//! The library in this process: whether it is started, its tables, and the identities that run.

use core::ops::Deref;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use core::time::Duration;
use std::ffi::c_void;
use std::io::{self, ErrorKind, IsTerminal};
use std::net::{Ipv6Addr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2p_group::{Code, Group, Home, Identity, Library};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

use crate::enumeration::Enumeration;
use crate::event_object::Signal;
use crate::events::Queue;
use crate::guard::{self, Failure, Out};
use crate::handle::{Kind, Table};
use crate::layout::{HGROUP, HPEEREVENT, HRESULT, PEER_GROUP_VERSION, PEER_VERSION_DATA};

/// Threads that have nothing to do end at once; one that waits for a slow disk is given this long.
const THREADS_END: Duration = Duration::from_secs(1);

/// Key pairs that may be handed out at a time: as many as there may be identities.
const KEYS_MAX: usize = 1_024;

/// Everything that belongs to this process and to no other: a child made by `fork` starts with nothing.
pub(crate) struct Process {
    id: u32,
    /// Event objects that are open.
    #[cfg_attr(windows, allow(dead_code, reason = "there the system's own handles are used"))]
    pub(crate) events: Table<Signal>,
    /// Snapshots that are being read.
    pub(crate) enumerations: Table<Arc<Enumeration>>,
    /// Key pairs that were handed out, each as an identity that is kept nowhere.
    pub(crate) keys: Table<Identity>,
    /// Group handles that are open.
    pub(crate) groups: Table<Group>,
    /// Registrations.
    pub(crate) queues: Table<Arc<Queue>>,
    /// Successful startups without their shutdown.
    startups: AtomicU32,
    /// Last shutdowns so far: what was begun before one does not end after the next startup.
    ends: AtomicU32,
    /// Held by the first startup and the last shutdown for as long as they take.
    transition: Mutex<()>,
    /// The identities that run; `None` while the library is not started.
    library: Mutex<Option<Arc<Running>>>,
}

/// What runs between the first startup and the last shutdown.
pub(crate) struct Running {
    library: Library,
    /// Of this process: threads of a parent do not exist in its child.
    runtime: Option<Runtime>,
}

impl Running {
    fn start(home: Home) -> io::Result<Running> {
        let runtime = Builder::new_multi_thread().thread_name("peergroup").enable_all().build()?;
        Ok(Running { library: Library::new(home), runtime: Some(runtime) })
    }

    /// Ends the threads and waits for that, so that the program may even unload the library.
    fn stop_threads(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(THREADS_END);
        }
    }

    /// Calls the library so that the nodes it starts run on the threads of this process.
    pub(crate) fn call<R>(&self, f: impl FnOnce(&Library) -> R) -> R {
        let _context = self.runtime.as_ref().map(Runtime::enter);
        f(&self.library)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // On a thread that may have no time to wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

impl Process {
    /// The state of the process that asks. What a parent had is left alone: its threads do not exist here, and its
    /// locks may be held by them for ever.
    pub(crate) fn current() -> &'static Process {
        let id = std::process::id();
        let known = CURRENT.load(Ordering::Acquire);
        // SAFETY: what is stored was leaked by `begin` and is never freed.
        match unsafe { known.as_ref() } {
            Some(process) if process.id == id => process,
            _ => Process::begin(id, known),
        }
    }

    /// The same, if the library is started.
    ///
    /// # Errors
    /// `PEER_E_NOT_INITIALIZED`.
    pub(crate) fn started() -> Result<Started, Failure> {
        let process = Process::current();
        let started = Started { process, ends: process.ends.load(Ordering::Acquire) };
        if process.is_started() { Ok(started) } else { Err(Code::PEER_E_NOT_INITIALIZED.into()) }
    }

    /// The group behind a handle.
    ///
    /// # Errors
    /// `PEER_E_INVALID_GROUP`.
    pub(crate) fn group(&self, handle: HGROUP) -> Result<Group, Failure> {
        self.groups.get(handle).ok_or(Code::PEER_E_INVALID_GROUP.into())
    }

    /// The identities of this process, running or not.
    ///
    /// # Errors
    /// `PEER_E_NOT_INITIALIZED` if the library was shut down meanwhile.
    pub(crate) fn library(&self) -> Result<Arc<Running>, Failure> {
        self.lock_library().clone().ok_or(Code::PEER_E_NOT_INITIALIZED.into())
    }

    fn is_started(&self) -> bool {
        self.startups.load(Ordering::Acquire) > 0
    }

    fn lock_library(&self) -> MutexGuard<'_, Option<Arc<Running>>> {
        self.library.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(id: u32, known: *mut Process) -> &'static Process {
        let process = Box::into_raw(Box::new(Process {
            id,
            events: Table::new(Kind::Event),
            enumerations: Table::new(Kind::Enumeration),
            keys: Table::of_at_most(KEYS_MAX, Kind::Key),
            groups: Table::new(Kind::Group),
            queues: Table::new(Kind::Queue),
            startups: AtomicU32::new(0),
            ends: AtomicU32::new(0),
            transition: Mutex::new(()),
            library: Mutex::new(None),
        }));
        match CURRENT.compare_exchange(known, process, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: just leaked, and never freed from now on.
            Ok(_) => unsafe { &*process },
            Err(other) => {
                // SAFETY: made above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(process) });
                // SAFETY: stored by another thread of this process, which leaked it.
                unsafe { &*other }
            }
        }
    }

    /// Ends everything: registrations, handles, and what runs.
    fn end(&self) {
        self.ends.fetch_add(1, Ordering::AcqRel);
        let library = self.lock_library().take();
        for queue in self.queues.remove_where(|_| true) {
            queue.end();
        }
        drop(self.groups.remove_where(|_| true));
        let Some(running) = library else { return };
        running.library.shutdown_blocking();
        // A call that is still on its way out has a share in it; then its end is the end of the threads too.
        if let Some(mut running) = Arc::into_inner(running) {
            running.stop_threads();
        }
    }
}

/// A started library, as a call has found it.
#[derive(Clone, Copy)]
pub(crate) struct Started {
    process: &'static Process,
    ends: u32,
}

impl Deref for Started {
    type Target = Process;

    fn deref(&self) -> &Process {
        self.process
    }
}

impl Started {
    /// A handle for a group.
    ///
    /// # Errors
    /// `E_OUTOFMEMORY` if as many are open as there may be; `PEER_E_NOT_INITIALIZED` if the library was shut down
    /// meanwhile, started again or not.
    pub(crate) fn add_group(&self, group: Group) -> Result<HGROUP, Failure> {
        self.add(&self.process.groups, group)
    }

    /// A handle for a registration.
    ///
    /// # Errors
    /// As [`add_group`](Self::add_group).
    pub(crate) fn add_queue(&self, queue: Arc<Queue>) -> Result<HPEEREVENT, Failure> {
        self.add(&self.process.queues, queue)
    }

    fn add<T: Clone>(&self, table: &Table<T>, value: T) -> Result<*mut c_void, Failure> {
        let handle = table.insert(value).ok_or(Code::E_OUTOFMEMORY)?;
        if self.is_started() && self.process.ends.load(Ordering::Acquire) == self.ends {
            return Ok(handle);
        }
        // The last shutdown may have emptied the tables before this handle was in.
        drop(table.remove(handle));
        Err(Code::PEER_E_NOT_INITIALIZED.into())
    }
}

/// Starts the library in this process, for a program that speaks version `wVersionRequested` (low byte major, high byte
/// minor). Counted: each success needs one [`PeerGroupShutdown`].
///
/// `E_INVALIDARG`: `pVersionData` is null. `PEER_E_UNSUPPORTED_VERSION`: not version 1. `PEER_E_IPV6_NOT_INSTALLED`: no
/// IPv6 socket can be made. `E_OUTOFMEMORY`. `PEER_E_CERT_STORE_CORRUPTED`: a stored identity is damaged.
///
/// # Safety
/// `pVersionData` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupStartup(
    wVersionRequested: u16,
    pVersionData: *mut PEER_VERSION_DATA,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(pVersionData, PEER_VERSION_DATA::default()) };
        out.required()?;
        let granted = grant(wVersionRequested).ok_or(Code::PEER_E_UNSUPPORTED_VERSION)?;
        let process = Process::current();
        let _transition = process.transition.lock().unwrap_or_else(PoisonError::into_inner);
        if !process.is_started() {
            start_log();
            check_sockets().map_err(socket_code)?;
            let home = Home::from_env()?;
            check_identities(&home)?;
            let running = Running::start(home).map_err(|error| {
                tracing::warn!("the background threads could not be started: {error}");
                Code::E_OUTOFMEMORY
            })?;
            *process.lock_library() = Some(Arc::new(running));
        }
        process.startups.fetch_add(1, Ordering::AcqRel);
        out.set(PEER_VERSION_DATA { wVersion: granted, wHighestVersion: PEER_GROUP_VERSION });
        Ok(Code::S_OK)
    })
}

/// Undoes one [`PeerGroupStartup`]. The last one closes every group, delivering for at most 5 s; handles of groups and
/// registrations end, snapshots and memory stay.
///
/// `PEER_E_NOT_INITIALIZED`: the library is not started.
#[unsafe(no_mangle)]
pub extern "system" fn PeerGroupShutdown() -> HRESULT {
    guard::call(|| {
        let process = Process::started()?;
        let _transition = process.transition.lock().unwrap_or_else(PoisonError::into_inner);
        let startups = &process.startups;
        let one_less = startups
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| count.checked_sub(1));
        match one_less {
            Ok(1) => process.end(),
            Ok(_) => {}
            Err(_) => return Err(Code::PEER_E_NOT_INITIALIZED.into()),
        }
        Ok(Code::S_OK)
    })
}

/// The version that a program gets: its own or ours, whichever is older.
fn grant(requested: u16) -> Option<u16> {
    let [major, minor] = requested.to_le_bytes();
    let [ours_major, ours_minor] = PEER_GROUP_VERSION.to_le_bytes();
    (major == ours_major).then(|| u16::from_le_bytes([major, minor.min(ours_minor)]))
}

/// `P2P_LOG` to standard error, unless the program has a subscriber of its own.
fn start_log() {
    let filter = std::env::var("P2P_LOG").ok().map(EnvFilter::try_new);
    let (filter, mistake) = match filter {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new("warn"), Some(error)),
        None => (EnvFilter::new("warn"), None),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A log that cannot be written, on a disk that is full, is lost: complaining of it there would end the thread.
    let log = log.log_internal_errors(false);
    let set = log.with_ansi(io::stderr().is_terminal()).try_init();
    if let (Ok(()), Some(error)) = (set, mistake) {
        tracing::warn!("P2P_LOG is not a filter, warnings are shown: {error}");
    }
}

fn check_sockets() -> io::Result<()> {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).map(drop)
}

fn socket_code(error: io::Error) -> Failure {
    tracing::warn!("no IPv6 socket can be made: {error}");
    // Neither ENFILE nor EMFILE has a kind of its own.
    let exhausted =
        error.kind() == ErrorKind::OutOfMemory || matches!(error.raw_os_error(), Some(23 | 24));
    if exhausted { Code::E_OUTOFMEMORY.into() } else { Code::PEER_E_IPV6_NOT_INSTALLED.into() }
}

/// Whether what is stored can be read. Anything but damage is the affair of the call that needs it.
fn check_identities(home: &Home) -> Result<(), Failure> {
    match home.identities().map_err(Failure::from) {
        Err(failure) if failure.code == Code::PEER_E_CERT_STORE_CORRUPTED => Err(failure),
        Err(failure) => {
            tracing::info!(code = %failure.code, "identities could not be read");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_version_is_granted() {
        let rows = [
            (0x0101, Some(0x0101)),
            (0x0001, Some(0x0001)),
            (0x0201, Some(0x0101)),
            (0xff01, Some(0x0101)),
        ];
        for (requested, granted) in rows {
            assert_eq!(grant(requested), granted, "{requested:#06x}");
        }
        for unknown in [0x0000, 0x0100, 0x0002, 0x0102] {
            assert_eq!(grant(unknown), None, "{unknown:#06x}");
        }
    }

    #[test]
    fn what_a_socket_lacks_has_its_code() {
        assert_eq!(socket_code(io::Error::from_raw_os_error(24)).code, Code::E_OUTOFMEMORY);
        assert_eq!(
            socket_code(ErrorKind::Unsupported.into()).code,
            Code::PEER_E_IPV6_NOT_INSTALLED
        );
    }
}
