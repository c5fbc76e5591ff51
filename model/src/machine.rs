//! One machine: a node, its application, its links.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::{Arc, OnceLock};

use p2p_core::{
    Address, Canonical, Config, GroupKey, GroupSnapshot, InstanceId, Limits, LinkId, Names, Node,
    Now, Output, SECOND, Tick,
};

use crate::app::App;
use crate::fake::{Fake, GROUP, key};
use crate::scope::Scope;

/// Longer than anything that is looked at: what the node does from time to time would hide what is awaited.
const NEVER: u64 = 1_000_000 * SECOND;
/// Payload of a frame, if messages are to travel in two.
const HALF: usize = 2;

/// One machine: a node, its application, its links.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) node: Node<Fake>,
    pub(crate) alive: bool,
    /// How often it was started again.
    pub(crate) run: u8,
    pub(crate) group: GroupKey,
    pub(crate) listening: bool,
    pub(crate) accepting: bool,
    /// Wire and end of each link that is not over.
    pub(crate) links: BTreeMap<LinkId, (u32, usize)>,
    pub(crate) next_link: u64,
    pub(crate) app: App,
    /// Its digest, until something happens to it or time passes.
    pub(crate) digest: OnceLock<(Tick, u128, Names)>,
}

/// The limits of every node.
pub(crate) fn limits(scope: &Scope) -> Limits {
    let fragment = if scope.split { HALF } else { Limits::default().fragment };
    Limits { maintain: NEVER, maintain_alone: NEVER, fragment, ..Limits::default() }
}

/// The address of a machine.
pub(crate) fn at(machine: usize) -> Address {
    let ip = Ipv6Addr::new(0x2001, 0xdb8, machine as u16 + 1, 0, 0, 0, 0, 1);
    Address { ip, port: 3_587, scope: 0 }
}

impl Machine {
    /// A machine whose node has opened its group, and nothing more.
    pub(crate) fn new(
        scope: &Scope,
        number: usize,
        run: u8,
        previous: Option<InstanceId>,
        now: Now,
    ) -> Machine {
        let fake = Fake { own: key(number), stranger: scope.stranger == Some(number) };
        let member = fake.member();
        let mut seed = [number as u8 + 1; 32];
        seed[31] = run;
        let config = Config { limits: limits(scope), previous };
        let mut node = Node::new(config, fake, seed, now);
        let snapshot = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
        let group = node.open_group(GROUP, member, snapshot, now).expect("a group can be opened");
        Machine {
            node,
            alive: true,
            run,
            group,
            listening: false,
            accepting: false,
            links: BTreeMap::new(),
            next_link: 1,
            app: App::default(),
            digest: OnceLock::new(),
        }
    }

    /// The next number for a link. They go on over all runs, so that what is left of the old ones is told apart.
    pub(crate) fn fresh_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }

    /// Writes all that decides what the machine will do.
    pub(crate) fn canonical(&self, form: &mut Canonical, number: usize, now: Tick) {
        form.enter(number, now);
        form.add(&(self.alive, self.run));
        if self.alive {
            self.node.canonical(form, number);
            form.add(&(&self.app, self.listening, self.accepting));
        }
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.node.poll()
    }
}

/// The addresses that a machine listens on.
pub(crate) fn endpoints(machine: usize) -> Arc<[Address]> {
    Arc::from([at(machine)])
}
