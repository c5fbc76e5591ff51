//! What the library gives out: blocks that `PeerFreeData` takes back.
//!
//! A block is one allocation: the structure at its start and everything it points to behind it, so that one call frees
//! all. The library remembers the address of each block that is out, so a pointer that is not one (null, foreign, nested,
//! or freed before) is recognised without being read. In a debug build such a free ends the process, because it is a
//! mistake worth finding; in a release build it is logged and ignored.

use core::alloc::Layout;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use std::alloc;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use p2p_group::Code;

use crate::guard;

/// Alignment of every block: what `malloc` would give.
const ALIGN: usize = 16;
/// The blocks that are out, spread over several locks by address. Addresses are kept inverted: what a program forgets to
/// free is then nowhere to be found in memory, and a leak checker says so, which takes our list for no reference.
static BLOCKS: [Mutex<BTreeMap<usize, Block>>; 16] = [const { Mutex::new(BTreeMap::new()) }; 16];

struct Block {
    layout: Layout,
    detail: Code,
}

/// Builds a block. `fill` runs twice, first to measure and then to write, and must do the same both times; its first
/// reservation is the structure that the caller gets.
///
/// `detail`: the code behind what the block reports, for [`detail`].
///
/// # Errors
/// `E_OUTOFMEMORY`; nothing is kept.
pub(crate) fn build<T>(detail: Code, fill: impl Fn(&mut Arena)) -> Result<*mut T, Code> {
    let mut measure = Arena { base: ptr::null_mut(), size: usize::MAX, used: 0 };
    fill(&mut measure);
    let size = measure.used.max(size_of::<T>()).max(1);
    let layout = Layout::from_size_align(size, ALIGN).map_err(|_| Code::E_OUTOFMEMORY)?;
    // SAFETY: the size is not 0.
    let base = unsafe { alloc::alloc(layout) };
    if base.is_null() {
        return Err(Code::E_OUTOFMEMORY);
    }
    let unfinished = Unfinished { base, layout };
    fill(&mut Arena { base, size, used: 0 });
    core::mem::forget(unfinished);
    shard(base.addr()).insert(!base.addr(), Block { layout, detail });
    Ok(base.cast())
}

/// A text as a block of its own.
///
/// # Errors
/// `E_OUTOFMEMORY`.
pub(crate) fn wide(text: &str) -> Result<*mut u16, Code> {
    build(Code::S_OK, |arena| {
        arena.wide(text);
    })
}

/// The detail code of a block that is out; `None` if `block` is not one.
pub(crate) fn detail(block: *const c_void) -> Option<Code> {
    shard(block.addr()).get(&!block.addr()).map(|block| block.detail)
}

fn shard(address: usize) -> MutexGuard<'static, BTreeMap<usize, Block>> {
    BLOCKS[address / ALIGN % BLOCKS.len()].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Frees a block while it is being filled, if filling panics.
struct Unfinished {
    base: *mut u8,
    layout: Layout,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // SAFETY: allocated by `build` with this layout, and nobody else knows of it.
        unsafe { alloc::dealloc(self.base, self.layout) }
    }
}

/// The inside of a block: hands out room from its start to its end.
pub(crate) struct Arena {
    /// Null while measuring.
    base: *mut u8,
    size: usize,
    used: usize,
}

/// Room for `count` values in an [`Arena`].
pub(crate) struct Room<T> {
    offset: usize,
    count: usize,
    of: PhantomData<*mut T>,
}

impl<T> Clone for Room<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Room<T> {}

impl Arena {
    /// Reserves room for `count` values, all of whose bytes are 0.
    pub(crate) fn reserve<T: Copy>(&mut self, count: usize) -> Room<T> {
        const { assert!(align_of::<T>() <= ALIGN) };
        let offset = self.take(size_of::<T>().saturating_mul(count), align_of::<T>());
        if !self.base.is_null() {
            // SAFETY: `take` has checked that the room lies within the block.
            unsafe { ptr::write_bytes(self.base.add(offset), 0, size_of::<T>() * count) }
        }
        Room { offset, count, of: PhantomData }
    }

    /// Writes the value number `index` of a room.
    pub(crate) fn set<T: Copy>(&mut self, room: Room<T>, index: usize, value: T) {
        assert!(index < room.count, "outside the room reserved");
        if !self.base.is_null() {
            // SAFETY: the room lies within the block and is aligned for `T`; the index was checked.
            unsafe { self.base.add(room.offset).cast::<T>().add(index).write(value) }
        }
    }

    /// Where a room will lie; null for a room of no values. Meaningless while measuring, and then never followed.
    pub(crate) fn at<T>(&self, room: Room<T>) -> *mut T {
        if room.count == 0 { ptr::null_mut() } else { self.base.wrapping_add(room.offset).cast() }
    }

    /// Adds values; null for none.
    pub(crate) fn list<T: Copy>(&mut self, values: &[T]) -> *mut T {
        let room = self.reserve(values.len());
        for (index, value) in values.iter().enumerate() {
            self.set(room, index, *value);
        }
        self.at(room)
    }

    /// Adds a text with its end.
    pub(crate) fn wide(&mut self, text: &str) -> *mut u16 {
        let room = self.reserve(text.encode_utf16().count() + 1);
        if !self.base.is_null() {
            for (index, unit) in text.encode_utf16().enumerate() {
                self.set(room, index, unit);
            }
        }
        self.at(room)
    }

    /// Adds bytes; null for none.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> *mut u8 {
        let start = self.copy(bytes);
        if bytes.is_empty() { ptr::null_mut() } else { self.base.wrapping_add(start) }
    }

    fn copy(&mut self, bytes: &[u8]) -> usize {
        let offset = self.take(bytes.len(), 1);
        if !self.base.is_null() {
            // SAFETY: `take` has checked the room; the block is new, so it does not overlap the source.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(offset), bytes.len()) }
        }
        offset
    }

    fn take(&mut self, size: usize, align: usize) -> usize {
        let offset = self.used.next_multiple_of(align);
        let end = offset.saturating_add(size);
        assert!(end <= self.size, "a block must be filled as it was measured");
        self.used = end;
        offset
    }
}

/// Frees a block that a function of this library returned, with everything that lies in it. Null is allowed. Callable at
/// any time, from any thread.
///
/// A pointer that is no such block ends the process in a debug build and is ignored in a release build.
#[unsafe(no_mangle)]
pub extern "system" fn PeerFreeData(pvData: *const c_void) {
    guard::quiet(|| {
        if pvData.is_null() {
            return;
        }
        let block = shard(pvData.addr()).remove(&!pvData.addr());
        match block {
            // SAFETY: the block was out, so it was allocated with this layout; now nobody else can free it.
            Some(block) => unsafe { alloc::dealloc(pvData.cast_mut().cast(), block.layout) },
            None => {
                tracing::error!(
                    "PeerFreeData: {pvData:p} is not a block of this library, or was freed before"
                );
                if cfg!(debug_assertions) {
                    std::process::abort();
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Sample {
        small: u8,
        name: *mut u16,
        count: u32,
        numbers: *mut u64,
        data: *mut u8,
    }

    fn sample(name: &str, numbers: &[u64], data: &[u8]) -> *mut Sample {
        build(Code::CRYPT_E_NO_MATCH, |arena| {
            let top = arena.reserve::<Sample>(1);
            let name = arena.wide(name);
            let data = arena.bytes(data);
            let count = numbers.len() as u32;
            let numbers = arena.list(numbers);
            arena.set(top, 0, Sample { small: 7, name, count, numbers, data });
        })
        .unwrap()
    }

    #[test]
    fn a_block_holds_all_it_points_to() {
        let block = sample("né", &[1, 2, 3], b"abc");
        // SAFETY: just built, and freed below only.
        let (top, name) = unsafe { (*block, crate::wide::read((*block).name, 10).unwrap()) };
        assert_eq!((top.small, name.as_str(), top.count), (7, "né", 3));
        // SAFETY: as many as were given to `sample`.
        let (numbers, data) = unsafe {
            (core::slice::from_raw_parts(top.numbers, 3), core::slice::from_raw_parts(top.data, 3))
        };
        assert_eq!((numbers, data), (&[1, 2, 3][..], &b"abc"[..]));
        assert_eq!(block.addr() % ALIGN, 0);
        for nested in [top.name.addr(), top.numbers.addr(), top.data.addr()] {
            assert!(nested > block.addr() && nested < block.addr() + 200);
        }
        PeerFreeData(block.cast());
    }

    #[test]
    fn nothing_is_null_and_its_detail_is_known_while_it_is_out() {
        let block = sample("", &[], &[]);
        // SAFETY: just built.
        let top = unsafe { *block };
        assert!(top.numbers.is_null() && top.data.is_null() && !top.name.is_null());
        assert_eq!(detail(block.cast()), Some(Code::CRYPT_E_NO_MATCH));
        assert_eq!(detail(top.name.cast()), None);
        PeerFreeData(block.cast());
        assert_eq!(detail(block.cast()), None);
        PeerFreeData(ptr::null());
    }

    #[test]
    fn a_panic_while_filling_leaks_nothing_and_leaves_no_block() {
        let runs = std::cell::Cell::new(0);
        let built = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            build::<u64>(Code::S_OK, |arena| {
                runs.set(runs.get() + 1);
                arena.list(&[0_u64; 4][..runs.get()]);
            })
        }));
        assert!(built.is_err());
    }

    #[test]
    fn more_memory_than_there_is_is_an_error() {
        let built = build::<u8>(Code::S_OK, |arena| {
            arena.take(usize::MAX - 64, 1);
        });
        assert_eq!(built, Err(Code::E_OUTOFMEMORY));
    }
}
