//! One group is open in one process at a time: the process that has it open lends connections to others of the same user, so
//! that `p2p send` works beside `p2p listen`.
//!
//! It listens at a socket in the home, which only the user can open. Whoever connects says in one line of JSON whom it wants
//! to reach, and is told in one line what the connection is, or why there is none. Then come, from the borrower, pieces of
//! at most 256 KiB with their length before them (4 bytes, big-endian), an empty piece being the end of this direction; and
//! from the lender what the peer sends, to its end. A borrower that goes without having ended its direction was killed, or
//! has given up: the connection is closed, and the peer notices that it has not got everything.

use std::net::SocketAddr;

use p2p_group::{Group, Home, Identity, PeerName};
use serde_json::Value;

use crate::exit::Failure;

#[cfg(unix)]
pub(crate) use self::unix::{Lender, Lent};

/// What is asked for.
pub(crate) struct Wish<'a> {
    pub(crate) home: &'a Home,
    pub(crate) identity: &'a Identity,
    pub(crate) group: &'a PeerName,
    /// As it stands on the command line.
    pub(crate) peer: &'a str,
    pub(crate) address: Option<SocketAddr>,
}

/// What lends connections of a group as long as it lives.
#[cfg(not(unix))]
pub(crate) struct Lender;

#[cfg(not(unix))]
impl Lender {
    pub(crate) fn new(_: &Home, _: &Identity, _: &Group) -> Lender {
        Lender
    }

    /// Here nothing is lent.
    pub(crate) async fn lend(&self) -> std::convert::Infallible {
        std::future::pending().await
    }
}

/// A connection of another process; here there is none.
#[cfg(not(unix))]
pub(crate) enum Lent {}

#[cfg(not(unix))]
impl Lent {
    pub(crate) async fn ask(_: &Wish<'_>) -> Result<Option<(Lent, Value)>, Failure> {
        Ok(None)
    }

    pub(crate) async fn write_all(&mut self, _: &[u8]) -> std::io::Result<()> {
        match *self {}
    }

    pub(crate) async fn end(&mut self) -> std::io::Result<()> {
        match *self {}
    }

    pub(crate) fn reader(&mut self) -> &mut (dyn tokio::io::AsyncRead + Unpin + Send) {
        match *self {}
    }
}

#[cfg(unix)]
mod unix {
    use std::convert::Infallible;
    use std::fs::{self, DirBuilder, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use p2p_group::{ByteStream, Code};
    use serde_json::json;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
    use tokio::net::UnixListener;
    use tokio::net::UnixStream;
    use tokio::task::JoinSet;
    use tokio::time::timeout;

    use super::{Failure, Group, Home, Identity, PeerName, Value, Wish};
    use crate::print::ascii;
    use crate::{chat, transfer};

    /// Connections that are lent at the same time; further borrowers wait.
    const LENT_MAX: usize = 16;
    /// Longest line, in bytes: a name has at most 255 UTF-16 units, each at most 6 letters in JSON.
    const LINE_MAX: usize = 8 << 10;
    /// Largest piece, in bytes.
    const PIECE_MAX: usize = 256 << 10;
    /// Within this a borrower says what it wants.
    const ASKING: Duration = Duration::from_secs(5);
    /// Within this a connection is opened: the search for a member takes 10 s at most, and each of eight addresses 30 s.
    const LENDING: Duration = Duration::from_secs(300);
    /// For how long the peer may take nothing before the connection is given up. The borrower gives up sooner.
    const STANDSTILL: Duration = Duration::from_secs(120);
    /// After an accept that failed.
    const PAUSE: Duration = Duration::from_secs(1);

    /// Where the process that has the group open listens. The names are cut, because such a path has at most 107 bytes; the
    /// request has the whole ones.
    fn path(home: &Home, identity: &PeerName, group: &PeerName) -> PathBuf {
        let cut = |name: &PeerName| name.as_str().chars().take(12).collect::<String>();
        home.path().join("run").join(format!("{}-{}", cut(identity), cut(group)))
    }

    /// Lends connections of a group as long as it lives.
    pub(crate) struct Lender {
        group: Group,
        /// Whose group, and which.
        names: (PeerName, PeerName),
        socket: Option<(UnixListener, PathBuf)>,
    }

    impl Lender {
        /// The group must be open here: then no other process uses the socket. If there can be none, that is logged, and
        /// nothing is lent.
        pub(crate) fn new(home: &Home, identity: &Identity, group: &Group) -> Lender {
            let names = (identity.name().clone(), group.name().clone());
            let path = path(home, &names.0, &names.1);
            let socket = match listen(&path) {
                Ok(listener) => Some((listener, path)),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(%path, %error, "`p2p send` cannot work beside this process");
                    None
                }
            };
            Lender { group: group.clone(), names, socket }
        }

        /// Serves whoever asks. What is lent ends with this future.
        pub(crate) async fn lend(&self) -> Infallible {
            let Some((listener, _)) = &self.socket else { return std::future::pending().await };
            let mut lent = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept(), if lent.len() < LENT_MAX => match accepted {
                        Ok((socket, _)) => {
                            let (group, names) = (self.group.clone(), self.names.clone());
                            lent.spawn(async move {
                                if let Err(error) = serve(socket, &group, &names).await {
                                    tracing::debug!(%error, "a lent connection has ended");
                                }
                            });
                        }
                        Err(error) => {
                            tracing::warn!(%error, "who asks for a connection cannot be heard");
                            tokio::time::sleep(PAUSE).await;
                        }
                    },
                    Some(done) = lent.join_next() => if let Err(error) = done {
                        tracing::warn!(%error, "lending a connection broke down");
                    },
                }
            }
        }
    }

    impl Drop for Lender {
        fn drop(&mut self) {
            if let Some((_, path)) = &self.socket
                && let Err(error) = fs::remove_file(path)
            {
                tracing::warn!(path = %path.display(), %error, "a socket is left behind");
            }
        }
    }

    /// In a folder that is closed to others, so that nobody else gets in before the socket is closed to them too.
    fn listen(path: &Path) -> io::Result<UnixListener> {
        let folder = path.parent().expect("it is in a folder");
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        match fs::remove_file(path) {
            // What a killed process left.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// One borrower, to its end.
    async fn serve(
        mut socket: UnixStream,
        group: &Group,
        names: &(PeerName, PeerName),
    ) -> io::Result<()> {
        let wish = timeout(ASKING, read_line(&mut socket)).await??;
        let stream = match dial(group, names, &wish).await {
            Ok(stream) => stream,
            Err(failure) => return write_line(&mut socket, &failure.record()).await,
        };
        let mut record = transfer::far_end(stream.connection());
        record["type"] = "lent".into();
        write_line(&mut socket, &record).await?;
        let (from_borrower, mut to_borrower) = split(socket);
        let (mut from_peer, to_peer) = split(stream);
        let down = async {
            tokio::io::copy(&mut from_peer, &mut to_borrower).await?;
            to_borrower.shutdown().await
        };
        // Whatever the peer had to say comes first; then the borrower goes, and its end is the end of `up`.
        let (mut down, mut up) = (std::pin::pin!(down), std::pin::pin!(up(from_borrower, to_peer)));
        tokio::select! {
            done = &mut up => match done? {
                Up::Ended => Ok(()),
                Up::Refused => timeout(STANDSTILL, down).await?,
            },
            done = &mut down => {
                done?;
                timeout(STANDSTILL, up).await?.map(|_| ())
            }
        }
    }

    async fn dial(
        group: &Group,
        (identity, name): &(PeerName, PeerName),
        wish: &Value,
    ) -> Result<ByteStream, Failure> {
        let text = |field: &str| wish[field].as_str().unwrap_or_default();
        if (text("identity"), text("group")) != (identity.as_str(), name.as_str()) {
            let message = "the process that has been asked has another group open";
            return Err(Failure::code(message, Code::PEER_E_GROUP_IN_USE));
        }
        let address = match &wish["address"] {
            Value::Null => None,
            address => Some(address.as_str().unwrap_or_default().parse().map_err(|_| {
                Failure::code("the address that was asked for is none", Code::E_INVALIDARG)
            })?),
        };
        Ok(ByteStream::new(chat::dial(group, text("peer"), address).await?))
    }

    /// What became of the borrower's direction.
    #[derive(Debug, PartialEq)]
    enum Up {
        /// It was ended, and then the borrower went.
        Ended,
        /// The peer has closed and takes no more. It may have said why; the borrower, which need not send the rest, reads
        /// that once the socket is closed too.
        Refused,
    }

    /// The borrower's pieces to the peer, until the borrower goes. An error if it goes before it has ended its direction.
    async fn up(
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<Up> {
        let mut piece = vec![0; PIECE_MAX];
        loop {
            let length = from.read_u32().await? as usize;
            if length > PIECE_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece is too long"));
            }
            if length == 0 {
                break;
            }
            from.read_exact(&mut piece[..length]).await?;
            if timeout(STANDSTILL, to.write_all(&piece[..length])).await?.is_err() {
                return Ok(Up::Refused);
            }
        }
        if let Err(error) = timeout(STANDSTILL, to.shutdown()).await? {
            tracing::debug!(%error, "the peer has closed before it was told the end");
        }
        // Nothing more comes but its end.
        match from.read(&mut [0]).await? {
            0 => Ok(Up::Ended),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a piece behind the end")),
        }
    }

    /// A connection of the process that has the group open.
    pub(crate) struct Lent {
        socket: UnixStream,
    }

    impl Lent {
        /// Asks for one. With it comes what is known of its other end; `None` if no process lends any.
        pub(crate) async fn ask(wish: &Wish<'_>) -> Result<Option<(Lent, Value)>, Failure> {
            let Wish { home, identity, group, peer, address } = wish;
            let path = path(home, identity.name(), group);
            let Ok(mut socket) = UnixStream::connect(&path).await else { return Ok(None) };
            let wish = json!({
                "identity": identity.name().as_str(),
                "group": group.as_str(),
                "peer": peer,
                "address": address.map(|address| address.to_string()),
            });
            let asking = async {
                write_line(&mut socket, &wish).await?;
                read_line(&mut socket).await
            };
            let answer = timeout(LENDING, asking).await.unwrap_or_else(|late| Err(late.into()));
            let answer = answer.map_err(|error| {
                let message = "the process that has the group open does not answer";
                Failure::code(format!("{message}: {error}"), Code::PEER_E_GROUP_IN_USE)
            })?;
            match answer["type"].as_str() {
                Some("lent") => Ok(Some((Lent { socket }, answer))),
                _ => Err(Failure::from_record(&answer)),
            }
        }

        /// Everything, in pieces.
        pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
            for piece in bytes.chunks(PIECE_MAX) {
                self.socket.write_u32(piece.len() as u32).await?;
                self.socket.write_all(piece).await?;
            }
            Ok(())
        }

        /// Ends the sending direction.
        pub(crate) async fn end(&mut self) -> io::Result<()> {
            self.socket.write_u32(0).await
        }

        /// What the peer sends.
        pub(crate) fn reader(&mut self) -> &mut (dyn AsyncRead + Unpin + Send) {
            &mut self.socket
        }
    }

    async fn write_line(to: &mut UnixStream, record: &Value) -> io::Result<()> {
        to.write_all(format!("{}\n", ascii(record)).as_bytes()).await
    }

    /// Byte by byte: what stands behind the line is not this line's.
    async fn read_line(from: &mut UnixStream) -> io::Result<Value> {
        let mut line = Vec::new();
        loop {
            match from.read_u8().await? {
                b'\n' => break,
                _ if line.len() == LINE_MAX => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
                }
                byte => line.push(byte),
            }
        }
        Ok(serde_json::from_slice(&line)?)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn a_line_is_bounded_and_what_follows_stays() {
            let (mut one, mut other) = UnixStream::pair().unwrap();
            one.write_all(b"{\"a\":1}\nrest").await.unwrap();
            assert_eq!(read_line(&mut other).await.unwrap(), json!({ "a": 1 }));
            let mut rest = [0; 4];
            other.read_exact(&mut rest).await.unwrap();
            assert_eq!(&rest, b"rest");
            one.write_all(&[b' '; LINE_MAX + 1]).await.unwrap();
            let error = read_line(&mut other).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            one.write_all(b"no json\n").await.unwrap();
            assert!(read_line(&mut other).await.is_err());
        }

        #[tokio::test]
        async fn what_the_peer_takes_no_more_is_not_asked_of_the_borrower() {
            let (borrower, lender) = UnixStream::pair().unwrap();
            let (to_peer, peer) = tokio::io::duplex(PIECE_MAX);
            drop(peer);
            let mut lent = Lent { socket: borrower };
            let sending = async {
                // Until nobody reads it.
                while lent.write_all(&[7; PIECE_MAX]).await.is_ok() {}
                // As a reply is read: how it ends after that is no matter.
                let mut said = [0; 7];
                lent.reader().read_exact(&mut said).await.unwrap();
                said
            };
            let serving = async {
                let (from, mut to) = split(lender);
                to.write_all(b"no room").await.unwrap();
                assert_eq!(up(from, to_peer).await.unwrap(), Up::Refused);
            };
            let (said, ()) = tokio::join!(sending, serving);
            assert_eq!(&said, b"no room");
        }

        #[tokio::test]
        async fn the_socket_is_closed_to_others_and_replaces_what_a_killed_process_left() {
            let folder = tempfile::TempDir::new().unwrap();
            let path = folder.path().join("run/x");
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            for _ in 0..2 {
                // Dropping the listener leaves its file.
                drop(listen(&path).unwrap());
                assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            }
            let long = folder.path().join("x".repeat(120)).join("run/x");
            assert!(listen(&long).is_err());
        }
    }
}
