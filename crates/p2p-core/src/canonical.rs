//! One form for all nodes that will behave alike, so that a model checker knows a state again.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::link::Role;
use crate::node::Node;
use crate::time::Tick;

/// Numbers that only name something: which number it is changes nothing.
const NAMES: &[&str] = &["LinkId", "DialId", "Ticket", "ConnectionId", "InstanceId", "NodeId"];
/// How often something may happen: a count of the past that says nothing until it is used up.
const RATE: &str = "Bucket";
const TICK: &str = "Tick";

/// Text that is written from values by their `Debug` form, field by field, so that no field of theirs is forgotten. Names
/// become small numbers in the order of their first appearance, moments become distances from now, and what is left of
/// rates is passed over: so two texts are equal if the values differ in nothing else. Only what stays within its rates
/// may be told apart by it.
#[derive(Clone, Debug, Default)]
pub struct Canonical {
    text: Vec<u8>,
    /// Whose names: those of different nodes mean different things.
    scope: usize,
    now: Tick,
    names: Vec<Names>,
    /// The word that is being written, from this place in the text.
    word: usize,
    inside: Inside,
}

/// The names of one node that appeared so far, each by its kind and number.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Names(Vec<(usize, u64)>);

/// What the next characters belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Inside {
    #[default]
    Nothing,
    /// The number of a name.
    Name(usize, u64),
    /// The number of a tick.
    Moment(u64),
    /// A rate.
    Rate,
}

impl Canonical {
    /// No text.
    pub fn new() -> Canonical {
        Canonical::default()
    }

    /// From here on names are those of the node `scope`, a small number, and moments are seen from `now`.
    pub fn enter(&mut self, scope: usize, now: Tick) {
        if self.names.len() <= scope {
            self.names.resize(scope + 1, Names::default());
        }
        (self.scope, self.now) = (scope, now);
        self.text.push(b'\n');
        self.word = self.text.len();
    }

    /// Writes a value.
    pub fn add(&mut self, value: &dyn fmt::Debug) {
        // Writing into memory does not fail.
        let _ = write!(self, "{value:?};");
    }

    /// All that was written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The names of the node that was entered last.
    pub fn names(&self) -> Names {
        self.names.get(self.scope).cloned().unwrap_or_default()
    }

    /// The names of the node that was entered last are these, as another text has them.
    pub fn know(&mut self, names: Names) {
        if let Some(known) = self.names.get_mut(self.scope) {
            *known = names;
        }
    }

    fn name(&mut self, kind: usize, number: u64) -> usize {
        let Some(Names(names)) = self.names.get_mut(self.scope) else { return 0 };
        names.iter().position(|known| *known == (kind, number)).unwrap_or_else(|| {
            names.push((kind, number));
            names.len() - 1
        })
    }

    /// A word has ended with an opening bracket: perhaps it says what the number behind it is.
    fn opened(&mut self) {
        let word = &self.text[self.word..];
        self.inside = if word == TICK.as_bytes() {
            Inside::Moment(0)
        } else if word == RATE.as_bytes() {
            Inside::Rate
        } else if let Some(kind) = NAMES.iter().position(|name| name.as_bytes() == word) {
            Inside::Name(kind, 0)
        } else {
            Inside::Nothing
        };
    }

    /// A character behind the bracket of a special word.
    fn special(&mut self, c: u8) {
        let digit = |number: u64| number.wrapping_mul(10).wrapping_add(u64::from(c - b'0'));
        match self.inside {
            Inside::Name(kind, number) if c.is_ascii_digit() => {
                self.inside = Inside::Name(kind, digit(number));
            }
            Inside::Moment(at) if c.is_ascii_digit() => self.inside = Inside::Moment(digit(at)),
            Inside::Rate if c != b'}' => {}
            Inside::Name(kind, number) => {
                let name = self.name(kind, number);
                self.written(name as i128, c);
            }
            Inside::Moment(at) => self.written(i128::from(at) - i128::from(self.now.0), c),
            Inside::Rate | Inside::Nothing => {
                self.inside = Inside::Nothing;
                self.plain(c);
            }
        }
    }

    /// Writes what stands in the place of a number, and the character behind it.
    fn written(&mut self, number: i128, c: u8) {
        self.inside = Inside::Nothing;
        self.text.extend_from_slice(alloc::format!("{number}").as_bytes());
        self.plain(c);
    }

    fn plain(&mut self, c: u8) {
        match c {
            // A name and the brace of its fields are one space apart.
            b' ' => {}
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => self.text.push(c),
            _ => {
                if c == b'(' || c == b'{' {
                    self.opened();
                }
                self.text.push(c);
                self.word = self.text.len();
            }
        }
    }
}

impl fmt::Write for Canonical {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.bytes() {
            match self.inside {
                Inside::Nothing => self.plain(c),
                _ => self.special(c),
            }
        }
        Ok(())
    }
}

/// How many of everything a node holds: what must come back to where it was when all that caused it is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Census {
    /// Links.
    pub links: usize,
    /// Control streams, sessions or not.
    pub controls: usize,
    /// All other streams.
    pub streams: usize,
    /// Direct connections in any state.
    pub directs: usize,
    /// Direct connections that are gone, while the application has not taken their messages.
    pub ghosts: usize,
    /// Peers whose unread bytes are counted.
    pub budgets: usize,
    /// Dials under way.
    pub dials: usize,
    /// Changes that are being stored.
    pub tickets: usize,
    /// Bytes of frames that have arrived in part.
    pub buffered: usize,
}

impl<A> Node<A> {
    /// Adds all that decides what the node will do to a form, but for its configuration, its authority and its seed, which
    /// do not change, and its counters: what is numbered later gets a larger number, whatever the number.
    pub fn canonical(&self, form: &mut Canonical, scope: usize) {
        form.enter(scope, self.now.tick);
        form.add(&self.links);
        form.add(&self.dials);
        form.add(&self.groups);
        form.add(&self.directs);
        form.add(&self.ghosts);
        form.add(&self.budgets);
        form.add(&self.tickets);
        form.add(&(&self.exchanges, &self.tries));
        form.add(&(&self.listening, self.listen_on, self.listen_failed));
        form.add(&(self.instance, self.previous));
        form.add(&self.timers.by_time());
        form.add(&self.out);
    }

    /// Counts what the node holds.
    pub fn census(&self) -> Census {
        let streams = || self.links.values().flat_map(|link| link.streams.values());
        let control = |role: &Role| matches!(role, Role::Control(_));
        Census {
            links: self.links.len(),
            controls: streams().filter(|s| control(&s.role)).count(),
            streams: streams().filter(|s| !control(&s.role)).count(),
            directs: self.directs.len(),
            ghosts: self.ghosts.len(),
            budgets: self.budgets.len(),
            dials: self.dials.len(),
            tickets: self.tickets.len(),
            buffered: streams().map(|s| s.decoder.buffered()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Bucket;
    use crate::id::ConnectionId;
    use crate::io::LinkId;
    use alloc::string::String;

    fn text(form: &Canonical) -> String {
        String::from_utf8(form.text().to_vec()).unwrap()
    }

    fn form(now: u64, value: &dyn fmt::Debug) -> String {
        let mut form = Canonical::new();
        form.enter(0, Tick(now));
        form.add(value);
        text(&form).trim_start().into()
    }

    #[test]
    fn names_are_counted_as_they_appear_and_keep_their_order() {
        let (a, b, c) = (LinkId(70), LinkId(9), ConnectionId(70));
        assert_eq!(form(0, &(a, b, c, a)), "(LinkId(0),LinkId(1),ConnectionId(2),LinkId(0));");
        assert_eq!(form(0, &(a, b, b)), form(0, &(b, a, a)));
        assert_ne!(form(0, &(a, b, b)), form(0, &(a, b, a)));
    }

    #[test]
    fn moments_are_seen_from_now_and_rates_are_passed_over() {
        assert_eq!(form(10, &Some(Tick(4))), "Some(Tick(-6));");
        assert_eq!(form(10, &Tick(15)), form(20, &Tick(25)));
        let (full, used) = (Bucket::full(3, Tick(0)), Bucket::full(2, Tick(7)));
        assert_eq!(form(0, &(full, 1)), form(0, &(used, 1)));
        assert_ne!(form(0, &(full, 1)), form(0, &(full, 2)));
    }

    #[test]
    fn names_of_two_nodes_are_never_the_same_and_can_be_handed_on() {
        let mut form = Canonical::new();
        for (scope, link) in [(1, 5), (2, 6), (1, 6), (2, 5), (1, 5)] {
            form.enter(scope, Tick(0));
            form.add(&LinkId(link));
        }
        let expected = "\nLinkId(0);\nLinkId(0);\nLinkId(1);\nLinkId(1);\nLinkId(0);";
        assert_eq!(text(&form), expected);
        let mut other = Canonical::new();
        other.enter(7, Tick(0));
        other.know(form.names());
        other.add(&LinkId(6));
        assert_eq!(text(&other), "\nLinkId(1);");
    }
}
