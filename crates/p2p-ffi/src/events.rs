//! Event queues: register, take, unregister.

use core::ffi::c_void;
use core::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2p_group::{
    Code, ConnectionChange, ConnectionEvent, EventKind, Filter, Group, GroupEvent, Guid, KeyId,
    MemberChange, Message, Subscription,
};

use crate::direct;
use crate::event_object::Signal;
use crate::guard::{self, Failure, Out, detail_of};
use crate::layout::{
    HANDLE, HGROUP, HPEEREVENT, HRESULT, PEER_CONNECTED, PEER_CONNECTION_FAILED, PEER_DATA,
    PEER_DISCONNECTED, PEER_EVENT_CONNECTION_CHANGE_DATA, PEER_EVENT_INCOMING_DATA,
    PEER_EVENT_MEMBER_CHANGE_DATA, PEER_GROUP_EVENT_DATA, PEER_GROUP_EVENT_PAYLOAD,
    PEER_GROUP_EVENT_REGISTRATION, PEER_GROUP_EVENT_TYPE, PEER_MEMBER_CONNECTED,
    PEER_MEMBER_DISCONNECTED, PEER_MEMBER_JOINED, PEER_MEMBER_UPDATED,
};
use crate::memory::{self, Arena};
use crate::runtime::Process;

/// Most entries of one registration.
const REGISTRATIONS_MAX: u32 = 4096;

/// A registration: what it subscribed to, and what it could not give out yet.
pub(crate) struct Queue {
    /// The group that a wrong password may be mended in: its key and the identity's. `None` if it was not asked for.
    resumes: Option<(KeyId, KeyId)>,
    state: Mutex<State>,
}

struct State {
    /// `None` once it has ended.
    subscription: Option<Subscription>,
    /// Taken from the subscription, but there was no memory for its block.
    pending: Option<GroupEvent>,
}

impl Queue {
    fn new(subscription: Subscription, resumes: Option<(KeyId, KeyId)>) -> Arc<Queue> {
        Arc::new(Queue {
            resumes,
            state: Mutex::new(State { subscription: Some(subscription), pending: None }),
        })
    }

    /// Whether it asked for wrong passwords of this group.
    pub(crate) fn may_resume(&self, group: &Group) -> bool {
        self.resumes == Some(ids(group))
    }

    /// Ends the registration: when this returns, its event object is not touched any more.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.pending = None;
        let subscription = state.subscription.take();
        drop(state);
        drop(subscription);
    }

    /// The oldest event as a block; `None` if there is none. An event for which there is no memory stays.
    fn take(&self) -> Result<Option<*mut PEER_GROUP_EVENT_DATA>, Failure> {
        let mut state = self.lock();
        loop {
            let event = match state.pending.take() {
                Some(event) => event,
                None => {
                    let subscription = state.subscription.as_ref().ok_or(Code::E_INVALIDARG)?;
                    match subscription.try_recv() {
                        Some(event) => event,
                        None => return Ok(None),
                    }
                }
            };
            match block(&event) {
                // Not a kind that can be registered for.
                None => {}
                Some(Ok(block)) => return Ok(Some(block)),
                Some(Err(code)) => {
                    state.pending = Some(event);
                    return Err(code.into());
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a queue for the kinds of events that the entries name; `hEvent` is signalled whenever something is put in.
/// While any registration of the group has `PEER_GROUP_EVENT_DIRECT_CONNECTION`, its node accepts direct connections.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, not an event object, no entry, or an unknown kind.
/// `PEER_E_INVALID_GROUP`. `E_OUTOFMEMORY`.
///
/// # Safety
/// `pEventRegistrations` is null or points to `cEventRegistration` entries, whose `pType` is null or may be read;
/// `phPeerEvent` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupRegisterEvent(
    hGroup: HGROUP,
    hEvent: HANDLE,
    cEventRegistration: u32,
    pEventRegistrations: *const PEER_GROUP_EVENT_REGISTRATION,
    phPeerEvent: *mut HPEEREVENT,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phPeerEvent, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(hGroup)?;
        let signal = Signal::of(hEvent).ok_or(Code::E_INVALIDARG)?;
        // SAFETY: as the caller promises.
        let filter = unsafe { read_filter(cEventRegistration, pEventRegistrations)? };
        let resumes = filter.wants(EventKind::AuthenticationFailed).then(|| ids(&group));
        let subscription = group.subscribe(filter)?;
        subscription.on_ready(move || signal.set());
        out.set(process.add_queue(Queue::new(subscription, resumes))?);
        Ok(Code::S_OK)
    })
}

/// Ends a queue and drops what is in it. When this returns, its event object is not touched any more.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: not a queue.
#[unsafe(no_mangle)]
pub extern "system" fn PeerGroupUnregisterEvent(hPeerEvent: HPEEREVENT) -> HRESULT {
    guard::call(|| {
        Process::started()?.queues.remove(hPeerEvent).ok_or(Code::E_INVALIDARG)?.end();
        Ok(Code::S_OK)
    })
}

/// Takes the oldest event of a queue. Never waits.
///
/// `PEER_S_NO_EVENT_DATA`, a success: the queue is empty. `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, or not a
/// queue. `E_OUTOFMEMORY`: the event stays.
///
/// # Safety
/// `ppEventData` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupGetEventData(
    hPeerEvent: HPEEREVENT,
    ppEventData: *mut *mut PEER_GROUP_EVENT_DATA,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppEventData, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let queue = process.queues.get(hPeerEvent).ok_or(Code::E_INVALIDARG)?;
        match queue.take()? {
            Some(event) => {
                out.set(event);
                Ok(Code::S_OK)
            }
            None => Ok(Code::PEER_S_NO_EVENT_DATA),
        }
    })
}

/// What is behind the reason in an event: the `CRYPT_E_*` code of our refusal of the peer; `S_OK` if there is none.
///
/// `E_INVALIDARG`: null, or not an event that [`PeerGroupGetEventData`] gave and that is not freed yet.
#[unsafe(no_mangle)]
pub extern "system" fn P2PGetEventDetail(pEvent: *const PEER_GROUP_EVENT_DATA) -> HRESULT {
    guard::call(|| Ok(memory::detail(pEvent.cast::<c_void>()).ok_or(Code::E_INVALIDARG)?))
}

/// # Safety
/// `entries` is null or points to `count` entries, whose `pType` is null or may be read.
unsafe fn read_filter(
    count: u32,
    entries: *const PEER_GROUP_EVENT_REGISTRATION,
) -> Result<Filter, Failure> {
    if entries.is_null() || !(1..=REGISTRATIONS_MAX).contains(&count) {
        return Err(Code::E_INVALIDARG.into());
    }
    let mut filter = Filter::default();
    for index in 0..count as usize {
        // SAFETY: as the caller promises; unaligned, for packed structures.
        let entry = unsafe { entries.add(index).read_unaligned() };
        let kind = u32::try_from(entry.eventType)
            .ok()
            .and_then(EventKind::from_value)
            .ok_or(Code::E_INVALIDARG)?;
        // Only data is told apart by type; elsewhere programs pass one, and it does not matter.
        filter = match kind == EventKind::Data && !entry.pType.is_null() {
            // SAFETY: as the caller promises.
            true => filter.data(Guid::from(unsafe { entry.pType.read_unaligned() })),
            false => filter.kind(kind),
        };
    }
    // Whoever asks for wrong passwords is going to say when to go on.
    let holds = filter.wants(EventKind::AuthenticationFailed);
    Ok(if holds { filter.hold_rejected_password() } else { filter })
}

/// What a group is to one identity, whatever the handle.
fn ids(group: &Group) -> (KeyId, KeyId) {
    (group.key(), group.own().key)
}

/// The block of an event; `None` for an event that `p2p.h` does not have.
fn block(event: &GroupEvent) -> Option<Result<*mut PEER_GROUP_EVENT_DATA, Code>> {
    Some(match event {
        GroupEvent::Status(status) => {
            let payload = PEER_GROUP_EVENT_PAYLOAD { dwStatus: status.bits() };
            build(event.kind(), Code::S_OK, |_| payload)
        }
        GroupEvent::ConnectionFailed { reason } => {
            let payload = PEER_GROUP_EVENT_PAYLOAD { hrConnectionFailedReason: reason.0 };
            build(event.kind(), Code::S_OK, |_| payload)
        }
        GroupEvent::Direct(change) | GroupEvent::Neighbour(change) => {
            direct::ids_are_written();
            let detail = detail_of(change.cause.code(), change.cause.refusal());
            build(event.kind(), detail, |_| connection_change(change))
        }
        GroupEvent::Data(message) => {
            build(event.kind(), Code::S_OK, |arena| incoming(arena, message))
        }
        GroupEvent::Member { change, member } => {
            member_changed(event.kind(), Code::S_OK, member_change(*change), &member.name)
        }
        // `p2p.h` has no other word for a membership that was taken back, or replaced.
        GroupEvent::Revoked { who, .. } => {
            member_changed(event.kind(), Code::CRYPT_E_REVOKED, PEER_MEMBER_UPDATED, &who.name())
        }
        GroupEvent::Renewed { member } => {
            member_changed(event.kind(), Code::S_OK, PEER_MEMBER_UPDATED, &member.name)
        }
        GroupEvent::PropertiesChanged { .. } | GroupEvent::PasswordRejected { .. } => {
            build(event.kind(), Code::S_OK, |_| PEER_GROUP_EVENT_PAYLOAD::NONE)
        }
        _ => return None,
    })
}

fn build(
    kind: EventKind,
    detail: Code,
    payload: impl Fn(&mut Arena) -> PEER_GROUP_EVENT_PAYLOAD,
) -> Result<*mut PEER_GROUP_EVENT_DATA, Code> {
    let number = kind.value().expect("an event that p2p.h has, has a number");
    memory::build(detail, |arena| {
        let top = arena.reserve(1);
        let payload = payload(arena);
        arena.set(
            top,
            0,
            PEER_GROUP_EVENT_DATA { eventType: number as PEER_GROUP_EVENT_TYPE, payload },
        );
    })
}

fn member_changed(
    kind: EventKind,
    detail: Code,
    change: i32,
    name: &str,
) -> Result<*mut PEER_GROUP_EVENT_DATA, Code> {
    build(kind, detail, |arena| PEER_GROUP_EVENT_PAYLOAD {
        memberChangeData: PEER_EVENT_MEMBER_CHANGE_DATA {
            dwSize: size_of::<PEER_EVENT_MEMBER_CHANGE_DATA>() as u32,
            changeType: change,
            pwzIdentity: arena.wide(name),
        },
    })
}

fn connection_change(event: &ConnectionEvent) -> PEER_GROUP_EVENT_PAYLOAD {
    let status = match event.change {
        ConnectionChange::Connected => PEER_CONNECTED,
        ConnectionChange::Disconnected => PEER_DISCONNECTED,
        ConnectionChange::Failed => PEER_CONNECTION_FAILED,
    };
    PEER_GROUP_EVENT_PAYLOAD {
        connectionChangeData: PEER_EVENT_CONNECTION_CHANGE_DATA {
            dwSize: size_of::<PEER_EVENT_CONNECTION_CHANGE_DATA>() as u32,
            status,
            ullConnectionId: event.id.0,
            ullNodeId: event.node.0,
            ullNextConnectionId: 0,
            hrConnectionFailedReason: event.cause.code().0,
        },
    }
}

fn incoming(arena: &mut Arena, message: &Message) -> PEER_GROUP_EVENT_PAYLOAD {
    PEER_GROUP_EVENT_PAYLOAD {
        incomingData: PEER_EVENT_INCOMING_DATA {
            dwSize: size_of::<PEER_EVENT_INCOMING_DATA>() as u32,
            ullConnectionId: message.id.0,
            r#type: message.kind.into(),
            data: PEER_DATA {
                cbData: message.bytes.len() as u32,
                pbData: arena.bytes(&message.bytes),
            },
        },
    }
}

fn member_change(change: MemberChange) -> i32 {
    match change {
        MemberChange::Connected => PEER_MEMBER_CONNECTED,
        MemberChange::Disconnected => PEER_MEMBER_DISCONNECTED,
        MemberChange::Updated => PEER_MEMBER_UPDATED,
        MemberChange::Joined => PEER_MEMBER_JOINED,
    }
}
