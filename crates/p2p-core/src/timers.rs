//! Many timers behind one deadline.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::io::Timer;
use crate::time::Tick;

#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Tick, Timer)>,
    at: BTreeMap<Timer, Tick>,
}

impl Timers {
    /// Sets or moves a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Tick) {
        self.cancel(timer);
        self.due.insert((at, timer));
        self.at.insert(timer, at);
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.due.remove(&(at, timer));
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    pub(crate) fn at(&self, timer: Timer) -> Option<Tick> {
        self.at.get(&timer).copied()
    }

    /// All of them, earliest first.
    pub(crate) fn by_time(&self) -> &BTreeSet<(Tick, Timer)> {
        &self.due
    }

    pub(crate) fn next(&self) -> Option<(Tick, Timer)> {
        self.due.first().copied()
    }

    /// Takes the earliest timer that is due.
    pub(crate) fn pop(&mut self, now: Tick) -> Option<Timer> {
        let (at, timer) = self.next().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, timer));
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::LinkId;

    #[test]
    fn timers_come_once_each_in_order_and_move_when_set_again() {
        let [a, b] = [Timer::Handshake(LinkId(1)), Timer::Handshake(LinkId(2))];
        let mut timers = Timers::default();
        timers.set(a, Tick(5));
        timers.set(b, Tick(9));
        timers.set(a, Tick(12));
        assert_eq!(timers.next(), Some((Tick(9), b)));
        assert_eq!(timers.pop(Tick(8)), None);
        assert_eq!(timers.pop(Tick(20)), Some(b));
        assert_eq!(timers.pop(Tick(20)), Some(a));
        assert_eq!((timers.pop(Tick(20)), timers.is_set(a)), (None, false));
    }
}
