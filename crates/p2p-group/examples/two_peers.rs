//! Two peers in one process: a group, an invitation, a direct connection, opened and closed. No files; loopback only.
//!
//! ```text
//! cargo run -p p2p-group --example two_peers
//! ```

use std::error::Error;
use std::net::SocketAddr;

use p2p_group::{Cause, Group, Guid, Identity, Invitation, InviteOptions, Node};

/// The type of our messages: any number that is ours.
const TEXT: Guid = Guid::from_u128(0x7a3c_5f10_9e6b_4b1e_8d2a_61c4_0f27_93aa);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let loopback: SocketAddr = "[::1]:0".parse()?;

    // Ann makes a group and goes online.
    let ann = Node::builder(Identity::in_memory("Ann")?).listen_at([loopback]).start()?;
    let anns = Group::create(&ann, "Friends")?;
    anns.connect_and_wait().await?;
    println!("Ann   made the group {} and listens at {}", anns.name(), ann.listening()[0]);

    // She invites Bob. What she needs of him is public; what he gets is a line of text.
    let bob = Node::builder(Identity::in_memory("Bob")?).listen_at([loopback]).start()?;
    let line = anns.invite(&bob.identity().info(), InviteOptions::default())?.to_line();
    println!("Ann   invited Bob: {}… ({} characters)", &line[..32], line.len());

    // Bob joins, and connects to whom he finds in the invitation.
    let bobs = Group::join(&bob, &Invitation::parse(&line)?)?;
    bobs.connect_and_wait().await?;
    println!("Bob   joined {:?} and is connected", bobs.friendly_name());

    // Ann waits for direct connections; Bob opens one.
    let incoming = anns.incoming()?;
    let to_ann = bobs.direct(ann.identity().key()).await?;
    let to_bob = incoming.accept().await.ok_or("the group was closed")?;
    println!("Bob   opened connection {} to {}", to_ann.id().0, to_ann.peer());
    println!("Ann   has it as {} from {}", to_bob.id().0, to_bob.peer());

    to_ann.send(TEXT, "Hello, Ann!").await?;
    let heard = to_bob.recv().await.ok_or("closed early")?;
    println!("Ann   heard {:?}", String::from_utf8_lossy(&heard.bytes));
    to_bob.send(TEXT, "Hello, Bob!").await?;
    let heard = to_ann.recv().await.ok_or("closed early")?;
    println!("Bob   heard {:?}", String::from_utf8_lossy(&heard.bytes));

    // Bob closes. Both ends learn of it, and that nothing was lost.
    to_ann.close()?;
    println!("Bob   closed; closing again: {}", to_ann.close().expect_err("it is closed").code());
    assert!(to_bob.recv().await.is_none());
    assert_eq!(to_ann.closed().await, Some(Cause::Orderly));
    assert_eq!(to_bob.closed().await, Some(Cause::Orderly));
    println!("Both  saw the end: orderly");

    bobs.close().await?;
    anns.close().await?;
    println!("Both  are offline");
    Ok(())
}
