//! Whatever happens in a group, as it happens, while another peer joins, talks and leaves.
//!
//! ```text
//! cargo run -p p2p-group --example events
//! ```

use std::error::Error;
use std::net::SocketAddr;

use p2p_group::{
    ConnectionEvent, Filter, Group, GroupEvent, Guid, Identity, InviteOptions, Node, printable,
};

const TEXT: Guid = Guid::from_u128(0x7a3c_5f10_9e6b_4b1e_8d2a_61c4_0f27_93aa);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let loopback: SocketAddr = "[::1]:0".parse()?;
    let ann = Node::builder(Identity::in_memory("Ann")?).listen_at([loopback]).start()?;
    let group = Group::create(&ann, "Friends")?;

    // Subscribe first: a queue gets what happens after it was made.
    let events = group.subscribe(Filter::all())?;
    let printer = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            println!("{}", describe(&event));
        }
    });

    group.connect_and_wait().await?;
    let invitee = Identity::in_memory("Bob")?;
    let invitation = group.invite(&invitee.info(), InviteOptions::default())?;

    let bob = Node::builder(invitee).listen_at([loopback]).start()?;
    let bobs = Group::join(&bob, &invitation)?;
    bobs.connect_and_wait().await?;
    let connection = bobs.direct(ann.identity().key()).await?;
    connection.send(TEXT, "Hello!").await?;
    connection.close()?;
    connection.closed().await;
    bobs.close().await?;

    // The handle's subscriptions end with it, after everything that was queued before.
    group.close().await?;
    printer.await?;
    Ok(())
}

fn describe(event: &GroupEvent) -> String {
    match event {
        GroupEvent::Status(status) => {
            format!("status      listening: {}, connected: {}", status.listening, status.connected)
        }
        GroupEvent::ConnectionFailed { reason } => format!("connect     failed: {reason}"),
        GroupEvent::Direct(event) => format!("direct      {}", connection(event)),
        GroupEvent::Neighbour(event) => format!("neighbour   {}", connection(event)),
        GroupEvent::Data(message) => {
            format!(
                "data        {:?} from {}",
                String::from_utf8_lossy(&message.bytes),
                message.peer
            )
        }
        GroupEvent::Member { change, member } => {
            format!("member      {} {change:?}", printable(&member.friendly_name))
        }
        GroupEvent::Refused { peer, refusal, .. } => format!("refused     {peer}: {refusal}"),
        other => format!("{other:?}"),
    }
}

fn connection(event: &ConnectionEvent) -> String {
    let peer = event.peer.as_ref().map_or("somebody".into(), |peer| peer.to_string());
    format!("{:?} with {peer}: {}", event.change, event.cause.code())
}
