//! Handles: keys of a table, never pointers.
//!
//! A key holds the kind of its table, a slot, and the slot's generation. A stale key, a key of another kind and any other
//! number find nothing; no key is ever followed as an address. Keys are multiples of 4 and never 0, as programs for
//! Windows expect of handles.

use core::ffi::c_void;
use core::ptr;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a handle stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Kind {
    /// HGROUP.
    Group = 1,
    /// HPEEREVENT.
    Queue = 2,
    /// HPEERENUM.
    Enumeration = 3,
    /// HANDLE of an event object.
    #[cfg_attr(windows, allow(dead_code, reason = "there the system's own handles are used"))]
    Event = 4,
    /// HCRYPTPROV.
    Key = 5,
}

/// Handles of one kind that may be open at a time, where nothing else is said.
const SLOTS_MAX: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 16;
const KIND_SHIFT: u32 = 2;
const SLOT_SHIFT: u32 = KIND_SHIFT + 3;
const GENERATION_SHIFT: u32 = SLOT_SHIFT + SLOT_BITS;
const GENERATION_MAX: usize = usize::MAX >> GENERATION_SHIFT;

/// What the handles of one kind stand for. Values are cheap to clone: usually an `Arc`.
pub(crate) struct Table<T> {
    kind: Kind,
    /// As many may be open at a time.
    max: usize,
    /// The first generation of a slot: at random, so that small and round numbers are no handles.
    first: usize,
    slots: Mutex<Slots<T>>,
}

struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
}

struct Slot<T> {
    generation: usize,
    value: Option<T>,
}

impl<T: Clone> Table<T> {
    /// An empty table for at most `max` handles at a time.
    pub(crate) fn of_at_most(max: usize, kind: Kind) -> Self {
        assert!(max <= SLOTS_MAX, "a handle has no room for more");
        Table { max, ..Table::new(kind) }
    }

    /// An empty table.
    pub(crate) fn new(kind: Kind) -> Self {
        let quarter = GENERATION_MAX / 4;
        let first = quarter + RandomState::new().hash_one(kind as usize) as usize % quarter;
        Table {
            kind,
            max: SLOTS_MAX,
            first,
            slots: Mutex::new(Slots { slots: Vec::new(), free: Vec::new() }),
        }
    }

    /// A new handle for `value`; `None` if as many are open as there may be.
    pub(crate) fn insert(&self, value: T) -> Option<*mut c_void> {
        let mut table = self.lock();
        let index = match table.free.pop() {
            Some(index) => index,
            None if table.slots.len() < self.max => {
                table.slots.push(Slot { generation: self.first, value: None });
                table.slots.len() - 1
            }
            None => return None,
        };
        let slot = &mut table.slots[index];
        slot.value = Some(value);
        Some(self.key(index, slot.generation))
    }

    /// What a handle stands for.
    pub(crate) fn get(&self, handle: *const c_void) -> Option<T> {
        let (index, generation) = self.parts(handle)?;
        let table = self.lock();
        table.slots.get(index).filter(|slot| slot.generation == generation)?.value.clone()
    }

    /// Ends a handle. Of several calls with the same handle, one gets the value.
    pub(crate) fn remove(&self, handle: *const c_void) -> Option<T> {
        let (index, generation) = self.parts(handle)?;
        let mut table = self.lock();
        table.slots.get(index).filter(|slot| slot.generation == generation)?;
        table.retire(index)
    }

    /// Ends every handle for which `condition` holds; their values, in no particular order.
    pub(crate) fn remove_where(&self, condition: impl Fn(&T) -> bool) -> Vec<T> {
        let mut table = self.lock();
        let matching = |slot: &Slot<T>| slot.value.as_ref().is_some_and(&condition);
        let ended: Vec<usize> =
            (0..table.slots.len()).filter(|index| matching(&table.slots[*index])).collect();
        ended.into_iter().filter_map(|index| table.retire(index)).collect()
    }

    fn key(&self, index: usize, generation: usize) -> *mut c_void {
        ptr::without_provenance_mut(
            generation << GENERATION_SHIFT
                | index << SLOT_SHIFT
                | (self.kind as usize) << KIND_SHIFT,
        )
    }

    fn parts(&self, handle: *const c_void) -> Option<(usize, usize)> {
        let key = handle.addr();
        let index = key >> SLOT_SHIFT & (SLOTS_MAX - 1);
        let generation = key >> GENERATION_SHIFT;
        (self.key(index, generation).addr() == key).then_some((index, generation))
    }

    fn lock(&self) -> MutexGuard<'_, Slots<T>> {
        // A panic elsewhere leaves the table whole: every change is a single assignment.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Slots<T> {
    /// Empties a slot. Its generation moves on; when that is used up, the slot is never used again.
    fn retire(&mut self, index: usize) -> Option<T> {
        let slot = &mut self.slots[index];
        let value = slot.value.take()?;
        if slot.generation < GENERATION_MAX {
            slot.generation += 1;
            self.free.push(index);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_a_multiple_of_four_and_never_null() {
        let table = Table::new(Kind::Group);
        for value in 0..1000 {
            let handle = table.insert(value).unwrap();
            assert!(!handle.is_null() && handle.addr() % 4 == 0);
            assert_eq!(table.get(handle), Some(value));
        }
    }

    #[test]
    fn a_stale_handle_finds_nothing_also_when_its_slot_is_used_again() {
        let table = Table::new(Kind::Queue);
        let stale = table.insert("first").unwrap();
        assert_eq!(table.remove(stale), Some("first"));
        let fresh = table.insert("second").unwrap();
        assert_ne!(stale, fresh);
        assert_eq!((table.get(stale), table.remove(stale)), (None, None));
        assert_eq!(table.get(fresh), Some("second"));
    }

    #[test]
    fn handles_of_another_kind_and_arbitrary_numbers_find_nothing() {
        let groups = Table::new(Kind::Group);
        let queues = Table::new(Kind::Queue);
        let handle = groups.insert(()).unwrap();
        queues.insert(()).unwrap();
        assert_eq!(queues.get(handle), None);
        for near in [
            0,
            handle.addr() + 1,
            handle.addr() | 2,
            handle.addr() + 32,
            usize::MAX,
            usize::MAX & !3,
        ] {
            assert_eq!(groups.get(ptr::without_provenance(near)), None, "{near:#x}");
        }
    }

    #[test]
    fn the_table_has_an_end_and_room_again_after_a_removal() {
        let table = Table::new(Kind::Event);
        let first = table.insert(()).unwrap();
        for _ in 1..SLOTS_MAX {
            table.insert(()).unwrap();
        }
        assert_eq!(table.insert(()), None);
        table.remove(first).unwrap();
        assert!(table.insert(()).is_some());
    }

    #[test]
    fn many_threads_that_remove_one_handle_get_its_value_once() {
        let table = Table::new(Kind::Group);
        let key = table.insert(()).unwrap().addr();
        let removed = std::thread::scope(|scope| {
            let remove = || table.remove(ptr::without_provenance(key)).is_some();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(remove)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(removed, 1);
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_not_used_again() {
        let table = Table::new(Kind::Group);
        let first = table.insert(1).unwrap();
        table.lock().slots[0].generation = GENERATION_MAX;
        assert_eq!(table.get(first), None);
        let last = table.key(0, GENERATION_MAX);
        assert_eq!(table.remove(last), Some(1));
        let next = table.insert(2).unwrap();
        assert_eq!(next, table.key(1, table.first));
    }
}
