//! A world from one seed: real nodes, and a network, disks, clocks and applications that do what they can to break them.
//!
//! [`Plan::new`] makes of a seed how a world is built and what is done to it. [`run()`] does it, asks every check of
//! [`invariants::ROWS`] all the way, lets the faults end, and asks those that need quiet. The same seed gives the same run:
//! [`Report::print`] is a fingerprint over every byte that went into a node or came out of one.
//!
//! ```
//! use p2p_sim::{Plan, run};
//!
//! let plan = Plan::new(7, 3);
//! let report = run(&plan, None);
//! assert_eq!(report.violation, None);
//! assert_eq!(report.print, run(&plan, None).print);
//! ```
//!
//! A failure is made small by [`shrink()`]: the shortest history that it knows, which any run repeats.
#![forbid(unsafe_code)]

mod bug;
pub mod dice;
pub mod fake;
pub mod frame;
pub mod hash;
pub mod host;
pub mod invariants;
mod plan;
pub mod quiet;
mod run;
mod shrink;
pub mod wire;
pub mod world;

pub use bug::Bug;
pub use invariants::Violation;
pub use plan::{Action, MS, Mischief, Plan, Planned, Settings, Speed, Taking};
pub use run::{Report, run, run_with_script};
pub use shrink::{Shrunk, shrink};
