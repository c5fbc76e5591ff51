//! Makes changes durable, away from the loop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2p_core::{Code, KeyId, StoreChange, Ticket};
use p2p_store::Store;

type Answer = (Ticket, Result<(), Code>);

/// The changes that wait to be stored, and whether somebody is at work on them.
pub(crate) struct Storing {
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<(Ticket, StoreChange)>,
    at_work: bool,
}

impl Storing {
    pub(crate) fn new(store: Arc<dyn Store>) -> Storing {
        Storing { store, state: Mutex::default() }
    }

    /// Queues a change. True if nobody is at work: the caller starts [`run`](Self::run) on a thread that may wait.
    pub(crate) fn push(&self, ticket: Ticket, change: StoreChange) -> bool {
        let mut state = self.state();
        state.waiting.push((ticket, change));
        !std::mem::replace(&mut state.at_work, true)
    }

    /// Commits what waits until nothing does: all that has come meanwhile in one go.
    pub(crate) fn run(&self, answer: impl Fn(Vec<Answer>)) {
        while let Some(batch) = self.next() {
            answer(self.commit(batch));
        }
    }

    fn next(&self) -> Option<Vec<(Ticket, StoreChange)>> {
        let mut state = self.state();
        let batch = std::mem::take(&mut state.waiting);
        state.at_work = !batch.is_empty();
        state.at_work.then_some(batch)
    }

    /// One transaction per group, so that the trouble of one is not that of another.
    fn commit(&self, batch: Vec<(Ticket, StoreChange)>) -> Vec<Answer> {
        let mut groups: Vec<(KeyId, Vec<Ticket>, Vec<StoreChange>)> = Vec::new();
        for (ticket, change) in batch {
            let group = *change.group();
            match groups.iter_mut().find(|entry| entry.0 == group) {
                Some(entry) => {
                    entry.1.push(ticket);
                    entry.2.push(change);
                }
                None => groups.push((group, vec![ticket], vec![change])),
            }
        }
        groups
            .into_iter()
            .flat_map(|(_, tickets, changes)| self.commit_group(tickets, &changes))
            .collect()
    }

    fn commit_group(&self, tickets: Vec<Ticket>, changes: &[StoreChange]) -> Vec<Answer> {
        if self.store.commit(changes).is_ok() {
            return tickets.into_iter().map(|ticket| (ticket, Ok(()))).collect();
        }
        // One by one: each ticket gets its own answer, and what can be stored is.
        let each = |change| {
            self.store.commit(std::slice::from_ref(change)).map_err(|error| {
                tracing::error!(code = %error.code(), %error, "a change could not be stored");
                error.code()
            })
        };
        tickets.into_iter().zip(changes.iter().map(each)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Changed in one step each time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2p_core::{Address, GroupSnapshot};
    use p2p_store::{GroupLock, GroupRecord, Listening, MemoryStore, Pending, StoreError};

    /// Refuses changes of one group, and counts transactions.
    #[derive(Default)]
    struct Flaky {
        inner: MemoryStore,
        commits: Mutex<usize>,
    }

    const BAD: KeyId = KeyId([9; 32]);

    impl Store for Flaky {
        fn load(&self, group: &KeyId) -> Result<GroupSnapshot, StoreError> {
            self.inner.load(group)
        }

        fn commit(&self, changes: &[StoreChange]) -> Result<(), StoreError> {
            *self.commits.lock().unwrap() += 1;
            match changes.iter().any(|change| *change.group() == BAD) {
                true => Err(StoreError::GroupInUse),
                false => self.inner.commit(changes),
            }
        }

        fn set_hints(
            &self,
            group: &KeyId,
            hints: &[(KeyId, Vec<Address>)],
            on: bool,
        ) -> Result<(), StoreError> {
            self.inner.set_hints(group, hints, on)
        }

        fn remove(&self, group: &KeyId) -> Result<(), StoreError> {
            self.inner.remove(group)
        }

        fn save_group(&self, group: &KeyId, record: &GroupRecord) -> Result<(), StoreError> {
            self.inner.save_group(group, record)
        }

        fn group(&self, group: &KeyId) -> Result<Option<GroupRecord>, StoreError> {
            self.inner.group(group)
        }

        fn groups(&self) -> Result<Vec<(KeyId, GroupRecord)>, StoreError> {
            self.inner.groups()
        }

        fn save_pending(&self, group: &KeyId, pending: &Pending) -> Result<(), StoreError> {
            self.inner.save_pending(group, pending)
        }

        fn pending(&self) -> Result<Vec<(KeyId, Pending)>, StoreError> {
            self.inner.pending()
        }

        fn properties(&self, group: &KeyId) -> Result<Option<bytes::Bytes>, StoreError> {
            self.inner.properties(group)
        }

        fn lock(&self, group: &KeyId) -> Result<GroupLock, StoreError> {
            self.inner.lock(group)
        }

        fn listening(&self, group: &KeyId) -> Result<Option<Listening>, StoreError> {
            self.inner.listening(group)
        }
    }

    #[test]
    fn changes_of_a_group_are_one_transaction_and_one_group_does_not_fail_another() {
        let store = Arc::new(Flaky::default());
        let storing = Storing::new(Arc::clone(&store) as Arc<dyn Store>);
        let good = KeyId([1; 32]);
        let change = |group| StoreChange::Synchronised { group };
        assert!(storing.push(Ticket(1), change(good)));
        assert!(!storing.push(Ticket(2), change(BAD)), "somebody is at work already");
        assert!(!storing.push(Ticket(3), change(good)));
        let answers = Mutex::new(Vec::new());
        storing.run(|some| answers.lock().unwrap().extend(some));
        let in_use = Err(Code::PEER_E_GROUP_IN_USE);
        let expected = [(Ticket(1), Ok(())), (Ticket(3), Ok(())), (Ticket(2), in_use)];
        assert_eq!(*answers.lock().unwrap(), expected);
        assert!(store.load(&good).unwrap().synchronised);
        assert_eq!(
            *store.commits.lock().unwrap(),
            3,
            "one for two changes, two for the one that failed"
        );
        assert!(storing.push(Ticket(4), change(good)), "nobody is at work any longer");
    }
}
