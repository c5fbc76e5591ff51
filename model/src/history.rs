//! Histories in words.

use p2p_core::{ConnectionId, Event};

use crate::wire::{Item, Key};
use crate::world::{Action, World, name};

/// The frames of the protocol, by their types.
const FRAMES: &[(u64, &str)] = &[
    (0x01, "HELLO"),
    (0x02, "MEMBER_PROOF"),
    (0x03, "SESSION_OK"),
    (0x04, "NO_SESSION"),
    (0x10, "CONNECT"),
    (0x11, "WELCOME"),
    (0x12, "REFUSE"),
    (0x13, "DISCONNECT"),
    (0x14, "ADDR_UPDATE"),
    (0x40, "DC_OPEN"),
    (0x41, "DC_ACCEPT"),
    (0x42, "DC_REFUSE"),
    (0x43, "DC_DATA"),
    (0x44, "DC_CLOSE"),
    (0x45, "DC_CLOSE_ACK"),
];

impl World {
    /// What an action does, for people.
    pub(crate) fn show(&self, action: Action) -> String {
        let shown = |m: &usize, id: &ConnectionId| {
            let nth = self.machines[*m].app.seen.get(id).map_or(0, |seen| seen.nth);
            format!("its connection {nth}")
        };
        match action {
            Action::Open(n) => {
                let (from, to) = self.scope.opens[n];
                format!("{} opens to {}", name(from), name(to))
            }
            Action::Send(m, id) => format!("{} sends on {}", name(m), shown(&m, &id)),
            Action::Close(m, id) => format!("{} closes {}", name(m), shown(&m, &id)),
            Action::Take(m) => format!("{} takes from its queue", name(m)),
            Action::Accept(m, true) => format!("{} accepts again", name(m)),
            Action::Accept(m, false) => format!("{} accepts no longer", name(m)),
            Action::Leave(m) => format!("{} closes its group", name(m)),
            Action::Deliver(w, opener, number, from) => {
                self.show_arrival(w, (opener, number), from)
            }
            Action::Notice(w, end) => {
                let machine = self.wires.get(&w).map_or(0, |wire| wire.ends[end].machine);
                format!("{} hears that link {w} has ended", name(machine))
            }
            Action::Answer(n) => format!("the dial of {} is answered", name(self.dials[n].machine)),
            Action::Fail(n) => format!("the dial of {} fails", name(self.dials[n].machine)),
            Action::Cut(w) => format!("link {w} breaks"),
            Action::Crash(m) => format!("{} dies", name(m)),
            Action::Restart(m) => format!("{} starts again", name(m)),
            Action::Wait => "nothing happens until the next deadline".to_owned(),
        }
    }

    fn show_arrival(&self, w: u32, key: Key, from: usize) -> String {
        let Some(wire) = self.wires.get(&w) else { return String::new() };
        let item = wire.streams.get(&key).and_then(|s| s.halves[from].flight.front());
        let item = item.map_or_else(String::new, described);
        let opener = name(wire.ends[key.0].machine);
        let (to, from) = (name(wire.ends[1 - from].machine), name(wire.ends[from].machine));
        format!("{to} gets from {from}, on stream {} of {opener}, link {w}: {item}", key.1)
    }
}

/// The event as a line of a history.
pub(crate) fn shown(m: usize, event: &Event) -> String {
    let told = match event {
        Event::Direct(c) => format!("{:?} ({:?})", c.change, c.cause),
        Event::Neighbour(c) => format!("neighbour {:?} ({:?})", c.change, c.cause),
        Event::Data { payload, .. } => format!("{} bytes of data", payload.len()),
        Event::Member { change, .. } => format!("member {change:?}"),
        other => format!("{other:?}"),
    };
    format!("  {} is told: {told}", name(m))
}

/// What arrives: the names of its frames, with the numbers in the short ones.
fn described(item: &Item) -> String {
    let mut rest = match item {
        Item::Bytes(bytes) => &bytes[..],
        Item::Fin => return "FIN".to_owned(),
        Item::Reset(code) => return format!("reset {code:#x}"),
    };
    let mut words = Vec::new();
    while let Some((kind, length)) = varint(rest).and_then(|(kind, after)| {
        let (length, after) = varint(after)?;
        rest = after;
        Some((kind, usize::try_from(length).ok()?))
    }) {
        let known = FRAMES.iter().find(|frame| frame.0 == kind).map(|frame| frame.1);
        let (body, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        let mut word = known.map_or_else(|| format!("frame {kind:#x}"), str::to_owned);
        if let (&[number], 0x42 | 0x44 | 0x45) = (body, kind) {
            word += &format!("({number})");
        }
        words.push(word);
    }
    words.join(", ")
}

/// A variable-length integer (RFC 9000 §16), and what stands behind it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = 1 << (bytes.first()? >> 6);
    let (number, rest) = bytes.split_at_checked(length)?;
    let number = number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let mask = u64::MAX >> (64 - 8 * length + 2);
    Some((number & mask, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_named_with_their_counts() {
        let frames = [&[0x40, 0x43, 2, 7, 7][..], &[0x40, 0x44, 1, 3], &[0x10, 0]].concat();
        assert_eq!(described(&Item::Bytes(frames.into())), "DC_DATA, DC_CLOSE(3), CONNECT");
        assert_eq!(described(&Item::Reset(0x22)), "reset 0x22");
        assert_eq!(varint(&[0x80, 0, 1, 0, 9]), Some((256, &[9][..])));
    }
}
