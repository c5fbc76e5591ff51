//! Every limit, with its reason. Times are microseconds.

/// One second in microseconds.
pub const SECOND: u64 = 1_000_000;

/// What a node allows. [`Default`] is what the protocol document states; change a field only on purpose.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Limits {
    /// Open groups of one node.
    pub groups: usize,
    /// Links without a session from one source prefix (/24, /56); loopback is exempt. The oldest goes first.
    pub strangers_per_prefix: usize,
    /// Links without a session of the whole node. The oldest goes first.
    pub strangers: usize,
    /// Links that one peer may have dialled, over all its runs. The oldest goes first.
    pub links_per_peer: usize,
    /// Sessions on one link: groups shared with one peer.
    pub sessions_per_link: usize,
    /// Streams of a link on which the peer may be proving itself at a time.
    pub proofs_per_link: usize,
    /// Direct connections announced on a link before its session stands.
    pub held_opens_per_link: usize,
    /// Chains checked per second and source prefix, without those seen before; loopback is exempt.
    pub checks_per_prefix: u32,
    /// Chains checked per second by the node, without those seen before.
    pub checks: u32,
    /// Exchanges of passwords under way on this node, as joiner or as member.
    pub password_exchanges: usize,
    /// Tries to join by password in a minute from one source prefix; loopback is exempt. Those above it wait.
    pub password_tries_per_prefix: usize,
    /// The same by one identity.
    pub password_tries_per_peer: usize,
    /// The same on the whole node.
    pub password_tries: usize,
    /// Direct connections with one peer in one group.
    pub directs_per_peer: usize,
    /// Direct connections of one group.
    pub directs_per_group: usize,
    /// Largest message in bytes that we accept; announced in HELLO.
    pub message: usize,
    /// Payload bytes of one DC_DATA frame; longer messages take several.
    pub fragment: usize,
    /// Bytes accepted for sending on one connection and not yet sent. A message is also accepted if nothing waits.
    pub send_queue: usize,
    /// Received bytes that the application has not taken, per connection.
    pub receive_queue: usize,
    /// The same, over all connections of one peer.
    pub receive_per_peer: usize,
    /// Neighbours that a group looks for and accepts.
    pub neighbours: usize,
    /// Dials of a group at a time.
    pub dials: usize,
    /// Addresses kept per peer.
    pub addresses_per_peer: usize,
    /// Neighbours listed in WELCOME.
    pub referrals: usize,
    /// Members remembered per group.
    pub members: usize,
    /// Revocations kept per group. Beyond it the weakest goes: see [`Revocations`](crate::Revocations).
    pub revocations: usize,
    /// Credentials kept per group, one for each member; beyond it further members' are not taken in.
    pub credentials: usize,
    /// Bytes of a group's revocations, and of its credentials.
    pub object_bytes: usize,
    /// Control frames per second and link after a burst of four times that.
    pub control_frames: u32,
    /// Streams a peer may have open once trusted, and the receive window of each.
    pub streams: u16,
    /// Receive window of a stream in bytes.
    pub stream_window: u32,
    /// A link without a session is closed after this.
    pub handshake: u64,
    /// An opener waits this long for SESSION_OK.
    pub proof: u64,
    /// A member gives a joiner this long for the whole exchange of passwords.
    pub password: u64,
    /// The first try above a limit waits this long, the next ones twice as long each; who would wait longer than
    /// `password` is not answered.
    pub password_delay: u64,
    /// A refusal leaves this long after the last byte of the proof.
    pub refusal_delay: u64,
    /// CONNECT is given up after this.
    pub welcome: u64,
    /// A direct connection must stand within this.
    pub direct_open: u64,
    /// A closing direct connection may deliver for this long; 0: abort.
    pub direct_linger: u64,
    /// A connection that the peer closed stays listed at most this long.
    pub direct_listed: u64,
    /// Connecting to a group is given up after this.
    pub connect: u64,
    /// Pause between two dials of a search.
    pub dial_pause: u64,
    /// First pause before looking for neighbours again when there are none; doubles up to `maintain`.
    pub maintain_alone: u64,
    /// Pause before looking for more neighbours.
    pub maintain: u64,
    /// A closing group has this long to deliver and say goodbye.
    pub closing: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            groups: 256,
            strangers_per_prefix: 8,
            strangers: 256,
            links_per_peer: 4,
            sessions_per_link: 32,
            proofs_per_link: 2,
            held_opens_per_link: 8,
            checks_per_prefix: 8,
            checks: 100,
            password_exchanges: 32,
            password_tries_per_prefix: 5,
            password_tries_per_peer: 5,
            password_tries: 30,
            directs_per_peer: 64,
            directs_per_group: 1_024,
            message: 16 << 20,
            fragment: 1 << 20,
            send_queue: 8 << 20,
            receive_queue: 8 << 20,
            receive_per_peer: 32 << 20,
            neighbours: 7,
            dials: 4,
            addresses_per_peer: 8,
            referrals: 32,
            members: 65_536,
            revocations: 4_096,
            credentials: 1_024,
            object_bytes: 8 << 20,
            control_frames: 50,
            streams: 128,
            stream_window: 1_250_000,
            handshake: 10 * SECOND,
            proof: 10 * SECOND,
            password: 30 * SECOND,
            password_delay: SECOND,
            refusal_delay: 25_000,
            welcome: 10 * SECOND,
            direct_open: 30 * SECOND,
            direct_linger: 5 * SECOND,
            direct_listed: 60 * SECOND,
            connect: 30 * SECOND,
            dial_pause: SECOND / 4,
            maintain_alone: 15 * SECOND,
            maintain: 300 * SECOND,
            closing: 5 * SECOND,
        }
    }
}
