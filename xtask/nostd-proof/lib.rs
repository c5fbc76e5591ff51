//! A host without std: its own panic handler, its own allocator, and a node. Built by `cargo xtask nostd`.
#![no_std]

extern crate alloc;
// The counter-proof: this line must make the build fail.
#[cfg(feature = "with-std")]
extern crate std;

use alloc::sync::Arc;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use p2p_core::{
    Authority, Code, Config, FileTime, Input, KeyId, Member, Node, Now, Object, ObjectKind, Refusal,
};

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

const ARENA_BYTES: usize = 1 << 20;

/// Hands out its memory once and takes none back.
#[repr(align(64))]
struct Arena {
    bytes: core::cell::UnsafeCell<[u8; ARENA_BYTES]>,
    used: AtomicUsize,
}

// SAFETY: `used` gives every caller its own range of `bytes`, and nothing else touches them.
unsafe impl Sync for Arena {}

// SAFETY: a block lies inside the arena, is aligned as asked, and overlaps no other: `used` only grows.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 64 {
            return null_mut();
        }
        let place = |used: usize| {
            let start = used.next_multiple_of(layout.align());
            start
                .checked_add(layout.size())
                .filter(|end| *end <= ARENA_BYTES)
                .map(|end| (start, end))
        };
        let before = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| place(used).map(|at| at.1));
        match before.ok().and_then(place) {
            // SAFETY: `start` is within the arena, as `place` checked.
            Some((start, _)) => unsafe { self.bytes.get().cast::<u8>().add(start) },
            None => null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ARENA: Arena =
    Arena { bytes: core::cell::UnsafeCell::new([0; ARENA_BYTES]), used: AtomicUsize::new(0) };

/// Knows nobody and is a member of nothing.
struct Hermit;

impl Authority for Hermit {
    fn own_key(&self) -> KeyId {
        KeyId([1; 32])
    }
    fn own_chain(&self, _: &KeyId) -> Option<bytes::Bytes> {
        None
    }
    fn session(&self, binding: &[u8; 32], _: &KeyId) -> [u8; 32] {
        *binding
    }
    fn tag(&self, _: &[u8; 32], _: bool) -> [u8; 16] {
        [0; 16]
    }
    fn verify_member(
        &self,
        _: &KeyId,
        _: &[u8],
        _: &KeyId,
        _: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        Err(Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_ROLE })
    }
    fn verify_object(&self, _: &KeyId, _: ObjectKind, _: &bytes::Bytes) -> Result<Object, Refusal> {
        Err(Refusal { code: Code::CRYPT_E_NO_SIGNER, detail: Code::TRUST_E_NOSIGNATURE })
    }
    fn adopt(&mut self, _: &KeyId, _: bytes::Bytes) {}
}

/// Starts a node, turns its wheel once, and counts what it wants done.
#[unsafe(no_mangle)]
pub extern "C" fn nostd_proof() -> u32 {
    let mut node = Node::new(Config::default(), Hermit, [7; 32], Now::default());
    node.handle(Input::Timeout, Now::default());
    let mut wishes = 0;
    while node.poll().is_some() {
        wishes += 1;
    }
    wishes + u32::from(node.next_timeout().is_some())
}
