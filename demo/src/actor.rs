//! An honest peer, written against `p2p-group` as any program would be.
//!
//! Commands come as lines of words separated by tabs; each is answered by one line that begins with `ok` or `err`, and
//! what happens meanwhile is told in lines that begin with `event`.

use std::fmt::Write as _;
use std::io::BufRead;

use p2p_group::{
    Address, Code, ConnectionChange, ConnectionId, ConnectionKind, Filter, Group, GroupEvent, Guid,
    Home, Identity, IdentityInfo, IdentityOptions, Invitation, InviteOptions, MemberFilter, Node,
    PeerName, Reason,
};

/// The type of the messages that the actors exchange.
const TEXT: Guid = Guid::from_u128(0x7e11_0000_0000_4000_8000_0000_0000_0001);

type Answer = Result<String, String>;

#[derive(Default)]
struct Actor {
    node: Option<Node>,
    group: Option<Group>,
    stale: Option<Group>,
}

pub(crate) fn run() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
    let _inside = runtime.enter();
    let mut actor = Actor::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let words: Vec<&str> = line.split('\t').collect();
        let answer = actor.obey(&runtime, &words);
        match &answer {
            Ok(fields) => println!("ok\t{fields}"),
            Err(why) => println!("err\t{why}"),
        }
        if words == ["quit"] {
            break;
        }
    }
    Ok(())
}

fn code(code: Code) -> String {
    format!("code={code}")
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// The bytes that a string of hexadecimal digits spells.
fn unhex(text: &str) -> Option<String> {
    let bytes =
        (0..text.len() / 2).map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

fn said<T: std::fmt::Display>(error: T) -> String {
    error.to_string()
}

impl Actor {
    fn obey(&mut self, runtime: &tokio::runtime::Runtime, words: &[&str]) -> Answer {
        match words {
            ["identity", name] => self.identity(name),
            ["wake"] => self.wake(),
            ["name"] => Ok(format!("name={}", self.node()?.identity().name())),
            ["create", name] => self.created(Group::create(self.node()?, *name).map_err(said)?),
            ["invite", xml] => self.invite(xml),
            ["join", line] => {
                let invitation = Invitation::parse(line).map_err(said)?;
                self.created(Group::join(self.node()?, &invitation).map_err(said)?)
            }
            ["reopen", name] => {
                let name = PeerName::parse(name).map_err(said)?;
                self.created(Group::open(self.node()?, &name).map_err(said)?)
            }
            ["connect"] => {
                runtime.block_on(self.group()?.connect_and_wait()).map_err(said)?;
                Ok(format!("status={}", self.group()?.status().map_err(said)?.bits()))
            }
            ["revoke", name] => {
                let name = PeerName::parse(name).map_err(said)?;
                let revoked = runtime.block_on(self.group()?.revoke(&name, Reason::Unspecified));
                Ok(code(revoked.map_or_else(|e| e.code(), |()| Code::S_OK)))
            }
            ["members"] => self.members(),
            ["open", name] => self.open(name),
            ["send", id, text] => {
                let sent = self.group()?.send(number(id)?, TEXT, text.as_bytes().to_vec());
                Ok(code(sent.map_or_else(|e| e.code(), |()| Code::S_OK)))
            }
            ["close", id] => {
                let closed = self.group()?.close_direct(number(id)?);
                Ok(code(closed.map_or_else(|e| e.code(), |()| Code::S_OK)))
            }
            ["close-through-stale-group", id] => {
                let stale = self.stale.as_ref().ok_or("there is no stale handle")?;
                runtime.block_on(stale.close()).or_else(|e| stale_already(&e))?;
                let closed = stale.close_direct(number(id)?);
                Ok(code(closed.map_or_else(|e| e.code(), |()| Code::S_OK)))
            }
            ["connections"] => {
                let list = self.group()?.connections(ConnectionKind::Direct).map_err(said)?;
                Ok(format!("count={}", list.len()))
            }
            ["quit"] => {
                if let Some(group) = self.group.take() {
                    runtime.block_on(group.close()).map_err(said)?;
                }
                if let Some(node) = self.node.take() {
                    runtime.block_on(node.shutdown());
                }
                Ok(String::new())
            }
            other => Err(format!("no such command: {other:?}")),
        }
    }

    fn node(&self) -> Result<&Node, String> {
        self.node.as_ref().ok_or_else(|| "no identity yet".to_owned())
    }

    fn group(&self) -> Result<&Group, String> {
        self.group.as_ref().ok_or_else(|| "no group yet".to_owned())
    }

    /// Makes an identity and starts its node; home and port come from the environment, as for any program.
    fn identity(&mut self, name: &str) -> Answer {
        let home = Home::from_env().map_err(said)?;
        let options =
            IdentityOptions { friendly_name: Some(name.to_owned()), ..IdentityOptions::default() };
        self.start(home.create_identity(options).map_err(said)?)
    }

    /// The same identity, from disk.
    fn wake(&mut self) -> Answer {
        let home = Home::from_env().map_err(said)?;
        let identity = home.default_identity().map_err(said)?.ok_or("no identity is stored")?;
        self.start(identity)
    }

    fn start(&mut self, identity: Identity) -> Answer {
        let answer = format!("name={}\txml={}", identity.name(), hex(&identity.to_xml()));
        self.node = Some(Node::start(identity).map_err(said)?);
        Ok(answer)
    }

    /// Two handles of the group: one to work with, one to be closed and used all the same.
    fn created(&mut self, group: Group) -> Answer {
        let answer = format!("group={}\tname={}", group.name(), group.friendly_name());
        self.stale = Some(Group::open(self.node()?, group.name()).map_err(said)?);
        let events = group.subscribe(Filter::all()).map_err(said)?;
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                tell(&event);
            }
        });
        self.group = Some(group);
        Ok(answer)
    }

    fn invite(&self, xml: &str) -> Answer {
        let xml = unhex(xml).ok_or("the identity is not hexadecimal")?;
        let invitee = IdentityInfo::from_xml(&xml).map_err(said)?;
        let invitation = self.group()?.invite(&invitee, InviteOptions::default()).map_err(said)?;
        Ok(format!("invitation={}", invitation.to_line()))
    }

    fn members(&self) -> Answer {
        let members = self.group()?.members(&MemberFilter::default()).map_err(said)?;
        let mut names: Vec<String> = members
            .iter()
            .map(|m| {
                format!("{}{}", m.member.friendly_name, if m.present { "" } else { " (away)" })
            })
            .collect();
        names.sort();
        Ok(format!("members={}", names.join(", ")))
    }

    fn open(&self, name: &str) -> Answer {
        let name = PeerName::parse(name).map_err(said)?;
        let members = self.group()?.members(&MemberFilter::default()).map_err(said)?;
        let known = members.iter().find(|m| m.member.name == name.as_str());
        let address: Address =
            *known.and_then(|m| m.addresses.first()).ok_or("nobody knows where that peer is")?;
        let id = self.group()?.open_direct(&name, address).map_err(said)?;
        Ok(format!("id={:016x}", id.0))
    }
}

/// A handle that was closed by an earlier command stays closed.
fn stale_already(error: &p2p_group::Closed) -> Result<(), String> {
    if error.code() == Code::PEER_E_INVALID_GROUP { Ok(()) } else { Err(error.to_string()) }
}

fn number(id: &str) -> Result<ConnectionId, String> {
    u64::from_str_radix(id, 16).map(ConnectionId).map_err(said)
}

fn tell(event: &GroupEvent) {
    match event {
        GroupEvent::Status(status) => println!("event\tstatus\t{}", status.bits()),
        GroupEvent::Direct(direct) => {
            let change = match direct.change {
                ConnectionChange::Connected => "CONNECTED",
                ConnectionChange::Disconnected => "DISCONNECTED",
                ConnectionChange::Failed => "FAILED",
            };
            let peer = direct.peer.as_ref().map(ToString::to_string).unwrap_or_default();
            println!(
                "event\tdirect\t{change}\tid={:016x}\t{}\tpeer={peer}",
                direct.id.0,
                code(direct.cause.code())
            );
        }
        GroupEvent::Data(message) => {
            println!(
                "event\tdata\tid={:016x}\ttext={}",
                message.id.0,
                String::from_utf8_lossy(&message.bytes)
            );
        }
        GroupEvent::Member { change, member } => {
            println!("event\tmember\t{change:?}\tname={}", member.friendly_name)
        }
        GroupEvent::Refused { peer, refusal, .. } => {
            println!(
                "event\trefused\tpeer={peer}\t{}\tdetail={}",
                code(refusal.code),
                refusal.detail
            );
        }
        GroupEvent::Revoked { who, by, .. } => println!("event\trevoked\twho={who}\tby={by}"),
        other => println!("event\tother\t{:?}", other.kind()),
    }
}
