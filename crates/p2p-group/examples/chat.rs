//! Two people talk, each in a terminal. Nothing is kept: the group is gone when both have left.
//!
//! ```text
//! $ cargo run -p p2p-group --example chat -- Ann          $ cargo run -p p2p-group --example chat -- Bob join
//! paste Bob's description:                                 give this to Ann:
//!                                                          <PEERIDENTITYINFO…
//! give this to Bob:
//! p2p-invitation:1:…                                       paste the invitation:
//! ```
//!
//! Then every line that one types, the other sees; an end of input closes the connection.

use std::error::Error;
use std::net::SocketAddr;

use p2p_group::{
    DirectConnection, Group, Guid, Identity, IdentityInfo, Invitation, InviteOptions, Node,
    printable,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};

/// The type of a line of text.
const LINE: Guid = Guid::from_u128(0x2f0d_6c1b_84e7_4f51_9c3d_b0a2_7716_e5d8);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: chat NAME [join]")?;
    let joins = arguments.next().is_some_and(|word| word == "join");
    let loopback: SocketAddr = "[::1]:0".parse()?;
    let node = Node::builder(Identity::in_memory(name.as_str())?).listen_at([loopback]).start()?;
    let mut input = BufReader::new(stdin()).lines();

    let (group, connection) =
        if joins { join(&node, &mut input).await? } else { host(&node, &mut input).await? };
    println!("connected with {}; type away", connection.peer());
    talk(&connection, &mut input).await?;
    group.close().await?;
    // The runtime would wait for the read of the terminal that is still under way.
    std::process::exit(0)
}

/// Makes a group, invites the other one, and waits for its connection.
async fn host(
    node: &Node,
    input: &mut Lines<BufReader<Stdin>>,
) -> Result<(Group, DirectConnection), Box<dyn Error>> {
    let group = Group::create(node, "Chat")?;
    let incoming = group.incoming()?;
    group.connect_and_wait().await?;
    println!("paste the other one's description:");
    let guest = IdentityInfo::from_xml(&line(input).await?)?;
    println!("give this to {}:", printable(&guest.friendly_name));
    println!("{}", group.invite(&guest, InviteOptions::default())?.to_line());
    let connection = incoming.accept().await.ok_or("the group was closed")?;
    Ok((group, connection))
}

/// Joins the group of whoever issues the invitation, and opens a connection to them.
async fn join(
    node: &Node,
    input: &mut Lines<BufReader<Stdin>>,
) -> Result<(Group, DirectConnection), Box<dyn Error>> {
    println!("give this to the host:");
    println!("{}", node.identity().to_xml().lines().collect::<String>());
    println!("paste the invitation:");
    let invitation = Invitation::parse(&line(input).await?)?;
    let group = Group::join(node, &invitation)?;
    group.connect_and_wait().await?;
    let (host, _) = invitation.hints().first().ok_or("the invitation has no address")?;
    let connection = group.direct(*host).await?;
    Ok((group, connection))
}

/// Lines in and out until either end has had enough.
async fn talk(
    connection: &DirectConnection,
    input: &mut Lines<BufReader<Stdin>>,
) -> Result<(), Box<dyn Error>> {
    loop {
        tokio::select! {
            message = connection.recv() => match message {
                Some(message) => println!("> {}", printable(&String::from_utf8_lossy(&message.bytes))),
                None => break,
            },
            line = input.next_line() => match line? {
                Some(line) => connection.send(LINE, line).await?,
                None => {
                    connection.close()?;
                    break;
                }
            },
        }
    }
    let cause = connection.closed().await;
    println!(
        "the connection has ended: {}",
        cause.map_or("the group was closed".into(), |c| c.code().to_string())
    );
    Ok(())
}

async fn line(input: &mut Lines<BufReader<Stdin>>) -> Result<String, Box<dyn Error>> {
    Ok(input.next_line().await?.ok_or("no more input")?)
}
