//! A member that a test drives from outside. Commands come as lines of words separated by tabs; each is answered by one
//! line, `ok` or `err` with the code first. Events wait until they are asked for with `next`.

#![forbid(unsafe_code)]

use std::io::BufRead;

use p2p_group::{
    Code, ConnectionId, ConnectionKind, Error, EventKind, Filter, Group, GroupEvent, Home,
    Identity, IdentityInfo, Invitation, InviteOptions, MemberFilter, Node, PeerName, Subscription,
};
use p2p_tests::remote::{hex, unhex};
use p2p_tests::{TEXT, loopback};
use tokio::runtime::Runtime;

type Answer = Result<Vec<String>, Error>;

#[derive(Default)]
struct Peer {
    node: Option<Node>,
    group: Option<Group>,
    events: Option<Subscription>,
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let mut peer = Peer::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("lines of text");
        let words: Vec<&str> = line.split('\t').collect();
        match peer.obey(&runtime, &words) {
            Ok(words) => println!("ok\t{}", words.join("\t")),
            Err(error) => println!("err\t{}\t{error}", error.code()),
        }
        if words == ["quit"] {
            return;
        }
    }
}

impl Peer {
    fn obey(&mut self, runtime: &Runtime, words: &[&str]) -> Answer {
        match words {
            ["identity", name] => self.run(Identity::in_memory(*name)?),
            ["keep", name] => self.run(Home::from_env()?.create_identity(*name)?),
            ["wake"] => {
                let identity = Home::from_env()?.default_identity()?;
                self.run(identity.expect("an identity in the home"))
            }
            ["create", name] => self.opened(Group::create(self.node(), *name)?),
            ["join", line] => self.opened(Group::join(self.node(), &Invitation::parse(line)?)?),
            ["open", name] => self.opened(Group::open(self.node(), &PeerName::parse(name)?)?),
            ["invite", xml] => {
                let invitee = IdentityInfo::from_xml(&unhex(xml)).expect("a description");
                let invitation = self.group().invite(&invitee, InviteOptions::default())?;
                Ok(vec![invitation.to_line()])
            }
            ["connect"] => {
                runtime.block_on(self.group().connect_and_wait())?;
                Ok(vec![self.group().status()?.bits().to_string()])
            }
            ["address"] => Ok(vec![self.node().listening()[0].to_string()]),
            ["members"] => {
                let members = self.group().members(&MemberFilter::default())?;
                Ok(members.iter().map(|info| info.member.friendly_name.clone()).collect())
            }
            ["watch"] => {
                let kinds = [EventKind::Direct, EventKind::Data, EventKind::StoreFailed];
                let filter = Filter::of(kinds);
                self.events = Some(self.group().subscribe(filter)?);
                Ok(Vec::new())
            }
            ["next"] => {
                let events = self.events.as_ref().expect("`watch` comes first");
                Ok(runtime.block_on(events.recv()).map_or(vec!["over".to_owned()], told))
            }
            ["groups"] => {
                let groups = self.node().groups()?;
                Ok(groups.iter().map(|group| group.name.to_string()).collect())
            }
            ["churn"] => loop {
                // Until it is killed: each line names a group that is stored.
                let group = Group::create(self.node(), "One of many")?;
                println!("ok\t{}", group.name());
            },
            ["disk", "full"] => Ok(largest_file(Some(0))),
            ["disk", "free"] => Ok(largest_file(None)),
            _ => self.converse(runtime, words),
        }
    }

    /// What is done with direct connections.
    fn converse(&mut self, runtime: &Runtime, words: &[&str]) -> Answer {
        match words {
            ["direct", peer, address] => {
                let peer = PeerName::parse(peer)?;
                let address: std::net::SocketAddr = address.parse().expect("an address");
                let id = self.group().open_direct(&peer, address.into())?;
                Ok(vec![id.0.to_string()])
            }
            ["connections"] => {
                let listed = self.group().connections(ConnectionKind::Direct)?;
                Ok(listed.iter().map(|info| info.id.0.to_string()).collect())
            }
            ["send", id, text] => {
                self.group().send(number(id), TEXT, (*text).to_owned())?;
                Ok(Vec::new())
            }
            ["count", id, n] => {
                for n in 0..n.parse::<u32>().expect("a number") {
                    runtime.block_on(self.group().send_wait(number(id), TEXT, n.to_string()))?;
                }
                Ok(Vec::new())
            }
            ["close", id] => {
                self.group().close_direct(number(id))?;
                Ok(Vec::new())
            }
            ["leave"] => {
                runtime.block_on(self.group().close())?;
                self.group = None;
                Ok(Vec::new())
            }
            ["quit"] => {
                self.events = None;
                self.group = None;
                if let Some(node) = self.node.take() {
                    runtime.block_on(node.shutdown());
                }
                Ok(Vec::new())
            }
            other => panic!("no such command: {other:?}"),
        }
    }

    fn node(&self) -> &Node {
        self.node.as_ref().expect("an identity comes first")
    }

    fn group(&self) -> &Group {
        self.group.as_ref().expect("a group comes first")
    }

    fn run(&mut self, identity: Identity) -> Answer {
        let answer = vec![hex(&identity.to_xml())];
        self.node = Some(Node::builder(identity).listen_at([loopback()]).start()?);
        Ok(answer)
    }

    fn opened(&mut self, group: Group) -> Answer {
        let answer = vec![group.name().to_string()];
        self.group = Some(group);
        Ok(answer)
    }
}

/// Sets the size that no file of this process may exceed. Whoever starts it has SIGXFSZ ignored.
#[cfg(unix)]
fn largest_file(size: Option<u64>) -> Vec<String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: size.or(maximum), maximum }).expect("a limit");
    Vec::new()
}

#[cfg(not(unix))]
fn largest_file(_: Option<u64>) -> Vec<String> {
    panic!("no such limit here")
}

fn number(id: &str) -> ConnectionId {
    ConnectionId(id.parse().expect("an id"))
}

fn told(event: GroupEvent) -> Vec<String> {
    match event {
        GroupEvent::Direct(event) => {
            let code: Code = event.cause.code();
            let change = format!("{:?}", event.change);
            vec!["direct".to_owned(), change, event.id.0.to_string(), code.to_string()]
        }
        GroupEvent::Data(message) => {
            let text = String::from_utf8_lossy(&message.bytes).into_owned();
            vec!["data".to_owned(), message.id.0.to_string(), text]
        }
        GroupEvent::StoreFailed { code } => vec!["store".to_owned(), code.to_string()],
        other => vec![format!("{other:?}")],
    }
}
