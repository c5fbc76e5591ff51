//! What one application was told, call by call, and what must hold of it: invariants 36 to 38, on one side.

use std::collections::{BTreeMap, VecDeque};

use p2p_core::{Cause, ConnectionChange, ConnectionId, Limits, Tick};

/// Where a connection is, as the application knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Opening,
    Standing,
    Over,
}

/// One direct connection, as the application knows it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    /// Opened by this application.
    pub(crate) ours: bool,
    /// The machine at the other end, as soon as it is known.
    pub(crate) peer: Option<usize>,
    /// The how-manieth of this run: what its messages say of it.
    pub(crate) nth: u8,
    /// Closed here, with success.
    pub(crate) closed: bool,
    /// It came to stand, and ended then.
    pub(crate) ended: Option<Tick>,
    /// The application has taken the end out of its queue.
    pub(crate) taken: bool,
    pub(crate) sent: u8,
    pub(crate) got: u8,
    /// Whose messages come on it.
    pub(crate) from: Option<Label>,
}

/// Machine, run and connection of a message's sender.
pub(crate) type Label = (u8, u8, u8);

/// What waits in the application's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Data(ConnectionId, usize),
    Ended(ConnectionId),
}

/// One application over one run of its node.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    pub(crate) seen: BTreeMap<ConnectionId, Seen>,
    pub(crate) queue: VecDeque<Notice>,
    /// It has closed its group.
    pub(crate) left: bool,
    /// It was told that the group is closed.
    pub(crate) closed: bool,
    /// What it has closed while it was opening, and what was aborted by others.
    pub(crate) cancelled: u8,
    pub(crate) aborted: u8,
}

/// A broken promise.
pub(crate) type Broken = String;

impl Seen {
    /// Whether the application can see it in the list.
    pub(crate) fn is_listed(&self, now: Tick, limits: &Limits) -> bool {
        match self.phase {
            Phase::Opening => false,
            Phase::Standing => !self.closed,
            Phase::Over => {
                let lately = |ended: Tick| now.since(ended) < limits.direct_listed;
                !self.closed && !self.taken && self.ended.is_some_and(lately)
            }
        }
    }

    /// Whether the node has to hold anything for it.
    pub(crate) fn is_held(&self, now: Tick, limits: &Limits) -> bool {
        self.phase != Phase::Over || self.is_listed(now, limits)
    }
}

impl App {
    /// A connection of which nothing was known; ids only grow.
    fn meet(&mut self, id: ConnectionId, ours: bool) -> Result<&mut Seen, Broken> {
        if self.seen.keys().next_back().is_some_and(|last| *last >= id) || id.0 == 0 {
            return Err(format!("38: the connection id {id:?} is not fresh"));
        }
        let seen = Seen {
            phase: Phase::Opening,
            ours,
            peer: None,
            nth: self.seen.len() as u8,
            closed: false,
            ended: None,
            taken: false,
            sent: 0,
            got: 0,
            from: None,
        };
        Ok(self.seen.entry(id).or_insert(seen))
    }

    /// A call to open was answered with an id. Its outcome may be told already.
    pub(crate) fn opened(&mut self, id: ConnectionId, peer: usize) -> Result<(), Broken> {
        self.meet(id, true)?.peer = Some(peer);
        Ok(())
    }

    /// The application was told of a change.
    pub(crate) fn told(
        &mut self,
        id: ConnectionId,
        change: ConnectionChange,
        peer: Option<usize>,
        now: Tick,
    ) -> Result<(), Broken> {
        if self.closed {
            return Err(format!("{change:?} of a connection after the group was closed"));
        }
        if !self.seen.contains_key(&id) {
            if change != ConnectionChange::Connected {
                return Err(format!("36: {change:?} of a connection that nobody opened"));
            }
            self.meet(id, false)?;
        }
        let left = self.left;
        let Some(seen) = self.seen.get_mut(&id) else { return Ok(()) };
        seen.peer = peer.or(seen.peer);
        seen.phase = match (seen.phase, change) {
            (Phase::Opening, ConnectionChange::Connected) if !left => Phase::Standing,
            (Phase::Opening, ConnectionChange::Failed) => Phase::Over,
            (Phase::Standing, ConnectionChange::Disconnected) => Phase::Over,
            (was, _) => return Err(format!("36: {change:?} of a connection that is {was:?}")),
        };
        if change == ConnectionChange::Disconnected {
            seen.ended = Some(now);
            self.queue.push_back(Notice::Ended(id));
        }
        Ok(())
    }

    /// A message was handed to the application.
    pub(crate) fn received(&mut self, id: ConnectionId, bytes: &[u8]) -> Result<Label, Broken> {
        let &[machine, run, nth, number] = bytes else {
            return Err(format!("37: a message that nobody sent: {bytes:?}"));
        };
        let from = (machine, run, nth);
        let Some(seen) = self.seen.get_mut(&id) else {
            return Err("36: data on a connection that never stood".to_owned());
        };
        if seen.phase != Phase::Standing {
            return Err(format!("36: data on a connection that is {:?}", seen.phase));
        }
        if seen.closed {
            return Err("36: data after the application closed the connection".to_owned());
        }
        if *seen.from.get_or_insert(from) != from {
            return Err("37: messages of two connections came on one".to_owned());
        }
        if number != seen.got {
            return Err(format!("37: message {number} came as number {}", seen.got));
        }
        seen.got += 1;
        self.queue.push_back(Notice::Data(id, bytes.len()));
        Ok(from)
    }

    /// Whether closing must succeed; the state if it does.
    pub(crate) fn may_close(&self, id: ConnectionId, now: Tick, limits: &Limits) -> bool {
        let closable = |seen: &Seen| seen.phase == Phase::Opening || seen.is_listed(now, limits);
        self.seen.get(&id).is_some_and(closable)
    }

    /// What may follow the end of a connection in a world without faults: 39.
    pub(crate) fn end_is_clean(&mut self, id: ConnectionId, cause: Cause) -> Result<(), Broken> {
        let Some(seen) = self.seen.get(&id) else { return Ok(()) };
        match cause {
            Cause::Orderly => Ok(()),
            // Both have closed, and what crossed the other's close was counted and dropped.
            Cause::Unconfirmed if seen.closed && seen.sent > 0 => Ok(()),
            Cause::Aborted if !seen.ours => {
                self.aborted += 1;
                Ok(())
            }
            other => Err(format!("39: a connection ended by {other:?} in a world without faults")),
        }
    }

    /// The application closes its group: all that stands is closed with it, what is listed is gone.
    pub(crate) fn leave(&mut self) {
        self.left = true;
        for seen in self.seen.values_mut() {
            match seen.phase {
                Phase::Opening => {}
                Phase::Standing => seen.closed = true,
                Phase::Over => seen.taken = true,
            }
        }
    }
}
