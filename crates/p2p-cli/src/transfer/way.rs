//! What a sender sends through: a connection of its own, or one that the process that has the group open lends.

use std::io;

use p2p_group::{ByteStream, DirectConnection, Group};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWriteExt};

use super::far_end;
use crate::chat;
use crate::exit::Failure;
use crate::lending::{Lent, Wish};
use crate::print::who;

/// The way to a receiver.
pub(super) struct Way {
    kind: Kind,
    /// `id`, `peer` and `friendly_name` of the connection.
    far: Value,
}

enum Kind {
    Own(ByteStream),
    Lent(Lent),
}

impl Way {
    /// Through a group that is open here.
    pub(super) async fn own(group: &Group, wish: &Wish<'_>) -> Result<Way, Failure> {
        let stream = ByteStream::new(chat::dial(group, wish.peer, wish.address).await?);
        let far = far_end(stream.connection());
        Ok(Way { kind: Kind::Own(stream), far })
    }

    /// Through the process that has the group open; `None` if it lends nothing.
    pub(super) async fn lent(wish: &Wish<'_>) -> Result<Option<Way>, Failure> {
        let lent = Lent::ask(wish).await?;
        Ok(lent.map(|(lent, far)| Way { kind: Kind::Lent(lent), far }))
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.kind {
            Kind::Own(stream) => stream.write_all(bytes).await,
            Kind::Lent(lent) => lent.write_all(bytes).await,
        }
    }

    /// Ends the sending direction.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Own(stream) => stream.shutdown().await,
            Kind::Lent(lent) => lent.end().await,
        }
    }

    pub(super) fn reader(&mut self) -> &mut (dyn AsyncRead + Unpin + Send) {
        match &mut self.kind {
            Kind::Own(stream) => stream,
            Kind::Lent(lent) => lent.reader(),
        }
    }

    /// The connection, if it is ours: it knows how it ended.
    pub(super) fn connection(&self) -> Option<&DirectConnection> {
        match &self.kind {
            Kind::Own(stream) => Some(stream.connection()),
            Kind::Lent(_) => None,
        }
    }

    pub(super) fn far(&self) -> &Value {
        &self.far
    }

    /// The receiver for people.
    pub(super) fn label(&self) -> String {
        let text = |field: &str| self.far[field].as_str().unwrap_or_default();
        who(text("friendly_name"), text("peer"))
    }
}
