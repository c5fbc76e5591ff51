//! What must hold for any bytes whatever: one function per door, called by libFuzzer (`cargo xtask fuzz`) and, with
//! every file of the committed corpus, by the tests of this crate.
//!
//! A target returns for bytes that are turned down and for bytes that are accepted rightly; it panics for anything
//! else. What it asserts:
//!
//! - nothing panics, and no call takes more than [`HEAP_MAX`] of memory at once, however large its input;
//! - what is accepted has one encoding: written again from its meaning, it is the same bytes;
//! - what is accepted has one meaning: every door that reads it reads the same from it.
//!
//! | target | door |
//! | --- | --- |
//! | [`certificate`] | `verify_tls_certificate`, and the same certificate in a description |
//! | [`chain`] | `inspect_chain`, `verify_chain` |
//! | [`invitation`] | `Invitation::parse`, both forms |
//! | [`identity_xml`] | `IdentityInfo::from_xml` |
//! | [`configuration`] | `GroupConfig::import`, of what has no key in it |
//! | [`frame`] | `Node::handle`: bytes on the streams of one link |
//! | [`group_ops`] | a node's calls and inputs, beside a naive model of it |
//! | [`pair`] | two nodes and the network between them |
//! | `c_calls` | the exported C functions, called in any order |
//! | [`password_frames`] | `PasswordMember`, `PasswordJoiner`, `PasswordVerifier::from_bytes`, `PasswordInvitation::parse` |

#[cfg(feature = "c_calls")]
mod c_calls;
mod frame;
mod group_ops;
mod pair;
mod password;
mod reference;
mod replay;
mod rig;
mod targets;

use peak_alloc::PeakAlloc;

#[path = "../../crates/p2p-crypto/tests/forge/mod.rs"]
mod forge;

#[cfg(feature = "c_calls")]
#[path = "../../crates/p2p-ffi/tests/calls/mod.rs"]
mod calls;

#[path = "../../crates/p2p-core/tests/world/fake.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the core's tests use all of it")]
mod fake;
#[path = "../../crates/p2p-core/tests/world/raw.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the core's tests use all of it")]
mod raw;

#[cfg(feature = "c_calls")]
pub use c_calls::c_calls;
pub use frame::frame;
pub use group_ops::group_ops;
pub use pair::pair;
pub use password::password_frames;
pub use replay::{corpus, files, replay};
pub use targets::{certificate, chain, configuration, identity_xml, invitation};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Most memory that a call may take beyond its input, in bytes: eight times the largest text that is read.
pub const HEAP_MAX: usize = 512 * 1_024;

/// A target: panics if the bytes break a promise.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its folder in the corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("certificate", certificate),
    ("chain", chain),
    ("invitation", invitation),
    ("identity_xml", identity_xml),
    ("configuration", configuration),
    ("password_frames", password_frames),
    ("frame", frame),
    ("group_ops", group_ops),
    ("pair", pair),
    // The last: the library has threads of its own, which end with each run.
    #[cfg(feature = "c_calls")]
    ("c_calls", c_calls),
];

/// Calls `door` and holds it to the limit on memory. Only one thread may be at work.
fn bounded<R>(door: impl FnOnce() -> R) -> R {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let result = door();
    let taken = HEAP.peak_usage().saturating_sub(before);
    assert!(taken <= HEAP_MAX, "{taken} bytes of memory at once");
    result
}

/// Bytes of memory in use.
fn heap_used() -> usize {
    HEAP.current_usage()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "bytes of memory at once")]
    fn a_call_that_takes_too_much_is_noticed() {
        bounded(|| vec![1_u8; HEAP_MAX + 1]);
    }
}
