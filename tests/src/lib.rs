//! Worlds for the tests of the whole product: nodes on loopback, second processes, and peers that do not play by the
//! rules.
//!
//! Everything here waits for what must happen, with a bound that only a failing test reaches; nothing sleeps so that
//! something may have happened meanwhile. That nothing more came is shown by what comes next: see [`still_alive`].

#![forbid(unsafe_code)]

pub mod foreign;
pub mod forge;
pub mod hostile;
pub mod relay;
pub mod remote;
pub mod watch;
pub mod world;

pub use foreign::Foreign;
pub use hostile::Hostile;
pub use relay::{Relay, Weather};
pub use remote::Remote;
pub use watch::{Watch, watch};
pub use world::{
    End, PATIENCE, TEXT, loopback, node, node_in, node_with, pair, pair_with, start, still_alive,
    within,
};
