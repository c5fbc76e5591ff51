//! Counters: whatever a node accepts, drops or refuses is counted under a name of its own.

macro_rules! counters {
    ($($name:ident: $help:literal,)*) => {
        /// What a node has done since its start. Counters only grow.
        ///
        /// What comes in and what became of it add up: for links, dials, frames, proofs, opens, messages and objects,
        /// the number received is the sum of its outcomes and of what is still under way ([`Load`]).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        #[non_exhaustive]
        pub struct Stats {
            $(#[doc = $help] pub $name: u64,)*
        }

        impl Stats {
            /// Every counter: its name, what it counts, its value.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<> {
                [$((stringify!($name), $help, self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    links_up: "Connections that stood, dialled by either side.",
    links_ended: "Connections that have ended.",
    links_limited: "Connections closed because there were too many without a session, or of one peer.",
    links_silent: "Connections closed because no session came to stand in time.",
    links_undecodable: "Connections closed because of bytes that are not a frame.",
    links_flooded: "Connections closed because of too many control frames.",
    links_slow: "Connections closed because control frames were not read.",
    dials_started: "Dials begun.",
    dials_up: "Dials that led to a connection.",
    dials_failed: "Dials that nobody answered, or the wrong one.",
    dials_cancelled: "Dials given up.",
    frames_received: "Whole frames of known types.",
    frames_accepted: "Frames that were acted on.",
    frames_refused: "Frames in a state that does not know them, or too many.",
    proofs_received: "Membership proofs, whole.",
    proofs_accepted: "Proofs that hold.",
    proofs_refused: "Proofs turned down, those for unknown groups among them.",
    proofs_abandoned: "Proofs whose sender was gone before the answer.",
    proofs_delayed: "Proofs that had to wait for their check.",
    sessions_up: "Control streams on which a session came to stand.",
    sessions_ended: "Control streams with a session that have ended.",
    opens_received: "Direct connections that peers wanted to open.",
    opens_accepted: "Those that were accepted.",
    opens_refused: "Those that were refused: nobody accepts, or a limit.",
    opens_dropped: "Those whose session never came.",
    directs_opened: "Direct connections that the application began to open.",
    directs_connected: "Direct connections that came to stand.",
    directs_failed: "Direct connections of ours that never stood.",
    directs_disconnected: "Direct connections that stood and have ended.",
    messages_sent: "Messages accepted for sending.",
    message_bytes_sent: "Their payload bytes.",
    messages_unsendable: "Messages turned down: the queue was full, or they are too long.",
    messages_received: "Messages that came whole.",
    message_bytes_received: "Their payload bytes.",
    messages_delivered: "Messages handed to the application.",
    messages_discarded: "Messages that came after the application had closed the connection.",
    objects_received: "Signed objects from peers.",
    objects_kept: "Objects that were new.",
    objects_known: "Objects that were here already, or something later.",
    objects_refused: "Objects that do not verify.",
    objects_unknown: "Objects of a kind that is not known.",
    stores_begun: "Changes given to the store.",
    stores_failed: "Changes that the store could not make durable.",
}

/// What a node holds at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Load {
    /// Open groups.
    pub groups: usize,
    /// Connections.
    pub links: usize,
    /// Connections on which no session has ever stood.
    pub strangers: usize,
    /// Dials under way.
    pub dials: usize,
    /// Control streams with a session.
    pub sessions: usize,
    /// Proofs that wait for their check or their refusal.
    pub proofs: usize,
    /// Direct connections that wait for their session.
    pub held_opens: usize,
    /// Direct connections in any state.
    pub directs: usize,
    /// Bytes accepted for sending and not yet sent, on direct connections.
    pub queued_bytes: usize,
    /// Bytes received and not yet taken, as they are charged to their senders.
    pub unread_bytes: usize,
    /// Changes that the store has not answered.
    pub stores: usize,
}

impl Load {
    /// Every figure: its name, what it tells, its value.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<> {
        [
            ("groups", "Open groups.", self.groups),
            ("links", "Connections.", self.links),
            ("strangers", "Connections on which no session has ever stood.", self.strangers),
            ("dials", "Dials under way.", self.dials),
            ("sessions", "Control streams with a session.", self.sessions),
            ("proofs", "Proofs that wait for their check or their refusal.", self.proofs),
            ("held_opens", "Direct connections that wait for their session.", self.held_opens),
            ("directs", "Direct connections in any state.", self.directs),
            ("queued_bytes", "Bytes accepted for sending and not yet sent.", self.queued_bytes),
            ("unread_bytes", "Bytes received and not yet taken.", self.unread_bytes),
            ("stores", "Changes that the store has not answered.", self.stores),
        ]
        .into_iter()
        .map(|(name, help, value)| (name, help, value as u64))
    }
}

/// What went in, and the sum of what became of it and what is under way: a row for each kind of thing. Both are equal in
/// every state of a node.
pub fn balance(stats: &Stats, load: &Load) -> [(&'static str, u64, u64); 8] {
    let s = stats;
    [
        ("links", s.links_up, s.links_ended + load.links as u64),
        (
            "dials",
            s.dials_started,
            s.dials_up + s.dials_failed + s.dials_cancelled + load.dials as u64,
        ),
        ("frames", s.frames_received, s.frames_accepted + s.frames_refused),
        (
            "proofs",
            s.proofs_received,
            s.proofs_accepted + s.proofs_refused + s.proofs_abandoned + load.proofs as u64,
        ),
        ("sessions", s.sessions_up, s.sessions_ended + load.sessions as u64),
        (
            "opens",
            s.opens_received,
            s.opens_accepted + s.opens_refused + s.opens_dropped + load.held_opens as u64,
        ),
        ("messages", s.messages_received, s.messages_delivered + s.messages_discarded),
        (
            "objects",
            s.objects_received,
            s.objects_kept + s.objects_known + s.objects_refused + s.objects_unknown,
        ),
    ]
}
