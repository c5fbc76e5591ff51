//! `p2p receive`: files from members into a folder; and the same for `p2p listen --receive`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use p2p_group::{ByteStream, Bytes, Closed, Code, DirectConnection, Group, KeyId, Node};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::part::{Part, PartError};
use super::progress::Progress;
use super::wire::{Decline, Offer, Reply, WireError};
use super::{CHUNK, GREETING, STANDSTILL, far_end, names, on_disk};
use crate::args::{ReceiveArgs, Taking};
use crate::exit::Failure;
use crate::group::{self, Membership};
use crate::lending::Lender;
use crate::print::Printer;
use crate::{Context, end, events, input, peers};

/// Files that arrive at the same time; further ones wait.
const AT_ONCE_MAX: usize = 8;
/// For how long a former transfer of the same file may take to end.
const MAKING_ROOM: Duration = Duration::from_secs(5);

pub(crate) async fn run(context: &Context, args: &ReceiveArgs) -> Result<(), Failure> {
    check_folder(&args.folder)?;
    let Membership { identity, group: info } = group::pick(&context.home, &args.place)?;
    let node = context.start(identity.clone())?;
    let group = Group::open(&node, &info.name)?;
    let lender = Lender::new(&context.home, &identity, &group);
    let receiver = Arc::new(Receiver::new(context.out, &group, &args.folder, &args.taking));
    let result = tokio::select! {
        result = receive(&receiver, &node, args.once) => result,
        never = lender.lend() => match never {},
    };
    drop((receiver, lender));
    end(&group, &node).await;
    result
}

/// Files can go there only if it is a folder.
pub(crate) fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = std::fs::metadata(path);
    let folder = folder.map_err(|error| input::unreadable(&path.to_string_lossy(), &error))?;
    if !folder.is_dir() {
        let message = format!("{}: not a folder", path.display());
        return Err(Failure::code(message, Code::ERROR_PATH_NOT_FOUND));
    }
    Ok(())
}

/// Takes files until the user wants it to end, or after the first if only one is wanted.
async fn receive(receiver: &Arc<Receiver>, node: &Node, once: bool) -> Result<(), Failure> {
    let mut stop = pin!(input::interrupted());
    let incoming = receiver.group.incoming()?;
    tokio::select! {
        online = receiver.group.connect_and_wait() => online?,
        result = &mut stop => return result,
    }
    let addresses: Vec<String> = node.listening().iter().map(ToString::to_string).collect();
    let line =
        format!("Waiting for files for {}, at {}.", receiver.folder.display(), addresses.join(" "));
    receiver.out.say(line, &json!({ "type": "waiting", "addresses": addresses }))?;
    let mut arriving = JoinSet::new();
    loop {
        tokio::select! {
            connection = incoming.accept(), if arriving.len() < AT_ONCE_MAX => {
                let (connection, receiver) = (connection.ok_or(Closed)?, Arc::clone(receiver));
                arriving.spawn(async move { receiver.take(connection, Bytes::new()).await });
            }
            Some(done) = arriving.join_next() => {
                let stored = done.map_err(|error| {
                    Failure::code(format!("a transfer broke down: {error}"), Code::E_UNEXPECTED)
                })??;
                if stored && once {
                    return Ok(());
                }
            }
            result = &mut stop => return result,
        }
    }
}

/// By sender and hash, who is told to stop.
type Arriving = BTreeMap<(KeyId, [u8; 32]), Arc<Notify>>;

/// Where files go, and which.
pub(crate) struct Receiver {
    out: Printer,
    group: Group,
    folder: PathBuf,
    from: Option<String>,
    size_max: u64,
    /// What arrives, from whom; who is told to stop when the same member begins anew.
    arriving: Mutex<Arriving>,
    /// Whether a terminal is ours alone, to draw on.
    bar: bool,
    /// For how many more files there is room in `listen`.
    slots: Semaphore,
}

/// Why a file was not stored.
enum Trouble {
    /// The sender is told.
    Declined(Decline, String),
    /// The connection broke, or the sender fell silent: what has come is kept.
    Lost(String),
    Output(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Output(failure)
    }
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Trouble {
        match error {
            WireError::Io(error) => Trouble::Lost(error.to_string()),
            WireError::Version => {
                Trouble::Declined(Decline::Version, "the sender speaks another version".to_owned())
            }
            WireError::Malformed(what) => Trouble::Declined(Decline::Offer, what.to_owned()),
        }
    }
}

impl From<PartError> for Trouble {
    fn from(error: PartError) -> Trouble {
        let (why, words) = match error {
            PartError::Busy => (Decline::Busy, "it is arriving already".to_owned()),
            PartError::TooMany => {
                (Decline::Busy, "too many files in the folder are not whole".to_owned())
            }
            PartError::Hash => (Decline::Hash, "its content is not what was announced".to_owned()),
            PartError::Io(error) => (unwritten(&error), error.to_string()),
        };
        Trouble::Declined(why, words)
    }
}

fn unwritten(error: &io::Error) -> Decline {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Decline::DiskFull
        }
        _ => Decline::NotStored,
    }
}

impl Receiver {
    fn new(out: Printer, group: &Group, folder: &Path, taking: &Taking) -> Receiver {
        Receiver {
            out,
            group: group.clone(),
            folder: folder.to_owned(),
            from: taking.from.clone(),
            size_max: taking.size_max(),
            arriving: Mutex::default(),
            bar: true,
            slots: Semaphore::new(AT_ONCE_MAX),
        }
    }

    /// Beside other things that happen in the group, on a terminal on which somebody types.
    pub(crate) fn beside(out: Printer, group: &Group, folder: &Path, taking: &Taking) -> Receiver {
        Receiver { bar: false, ..Receiver::new(out, group, folder, taking) }
    }

    /// As [`take`](Self::take), of a connection on which `begun` has come already; turned away if too many files arrive.
    pub(crate) async fn take_begun(
        &self,
        connection: DirectConnection,
        begun: Bytes,
    ) -> Result<(), Failure> {
        match self.slots.try_acquire() {
            Ok(_slot) => self.take(connection, begun).await.map(|_| ()),
            Err(_) => {
                decline(connection, Decline::Busy).await;
                Ok(())
            }
        }
    }

    /// Takes one file; whether it is stored. Only what concerns every file is an error.
    async fn take(&self, connection: DirectConnection, begun: Bytes) -> Result<bool, Failure> {
        let mut stream = ByteStream::new(connection);
        let mut told = None;
        let trouble = match self.store(&mut stream, &begun, &mut told).await {
            Ok(path) => {
                // The sender waits for this word; should it get lost, the file is there all the same.
                if let Err(error) = last_word(stream, Reply::Stored).await {
                    tracing::debug!(%error, "the sender was not told that its file is stored");
                }
                if let Some((progress, label)) = told {
                    let line = format!("{} from {label}.", path.display());
                    progress.done(&line, Some(&path))?;
                }
                return Ok(true);
            }
            Err(Trouble::Output(failure)) => return Err(failure),
            Err(trouble) => trouble,
        };
        let label = events::label(stream.peer());
        let (words, code) = match trouble {
            Trouble::Declined(why, words) => {
                if let Err(error) = last_word(stream, Reply::Declined(why)).await {
                    tracing::debug!(%error, "the sender was not told why its file is declined");
                }
                (words, code(why))
            }
            Trouble::Lost(words) => (
                format!("interrupted ({words}); what has come is kept and can be continued"),
                Code::PEER_E_CONNECTION_FAILED,
            ),
            Trouble::Output(failure) => return Err(failure),
        };
        match told {
            Some((progress, label)) => {
                let line = format!("! the file from {label} is not stored: {words}: {code}");
                progress.failed(&line, code)?;
            }
            None => {
                let failure = Failure::code(format!("nothing stored from {label}: {words}"), code);
                self.out.say(failure.line(), &failure.record())?;
            }
        }
        Ok(false)
    }

    async fn store(
        &self,
        stream: &mut ByteStream,
        mut begun: &[u8],
        told: &mut Option<(Progress, String)>,
    ) -> Result<PathBuf, Trouble> {
        let mut from = AsyncReadExt::chain(&mut begun, &mut *stream);
        let offer = timeout(GREETING, Offer::read(&mut from)).await;
        let offer = offer.map_err(|_| Trouble::Lost("no offer came".to_owned()))??;
        if !begun.is_empty() {
            return Err(WireError::Malformed("content comes before it was asked for").into());
        }
        let name = self.accept(stream, &offer)?;
        say(stream, Reply::Checking).await?;
        let replaced = Arc::new(Notify::new());
        let mut part = self.open(stream.peer().key(), &name, &offer, &replaced).await?;
        let label = events::label(stream.peer());
        let progress = Progress::new(
            self.out,
            "in",
            &far_end(stream.connection()),
            &offer,
            &name,
            part.have(),
        );
        let progress = if self.bar { progress } else { progress.without_bar() };
        let (have, size) = (part.have(), offer.size);
        progress.begin(&match have {
            0 => format!("{label} sends {name}: {size} bytes."),
            _ => format!("{label} goes on with {name}: {have} of {size} bytes are there."),
        })?;
        let (progress, _) = told.insert((progress, label));
        say(stream, Reply::From(have)).await?;
        let arrived = tokio::select! {
            arrived = content(stream, &mut part, progress) => arrived,
            () = replaced.notified() => Err(Trouble::Lost("the sender has begun anew".to_owned())),
        };
        match arrived {
            Ok(()) => Ok(on_disk(|| part.finish())?),
            Err(Trouble::Declined(Decline::Size, words)) => {
                // It was announced otherwise: nothing of it is worth keeping.
                on_disk(|| part.discard()).map_err(PartError::Io)?;
                Err(Trouble::Declined(Decline::Size, words))
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Opens the part. A sender that was killed begins anew before its former connection is known to be dead, so the
    /// former transfer of the same file by the same member makes room.
    async fn open(
        &self,
        from: KeyId,
        name: &str,
        offer: &Offer,
        replaced: &Arc<Notify>,
    ) -> Result<Part, PartError> {
        let former = {
            let mut arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that are over have let go of theirs.
            arriving.retain(|_, notify| Arc::strong_count(notify) > 1);
            arriving.insert((from, offer.hash), Arc::clone(replaced))
        };
        if let Some(former) = &former {
            former.notify_one();
        }
        let start = Instant::now();
        loop {
            match on_disk(|| Part::open(&self.folder, name.to_owned(), offer)) {
                Err(PartError::Busy) if former.is_some() && start.elapsed() < MAKING_ROOM => {
                    tokio::time::sleep(MAKING_ROOM / 100).await;
                }
                opened => return opened,
            }
        }
    }

    /// The name under which the file would be stored, if it is wanted.
    fn accept(&self, stream: &ByteStream, offer: &Offer) -> Result<String, Trouble> {
        if let Some(query) = &self.from {
            let key = stream.peer().key();
            let welcome = match peers::member(&self.group, query) {
                Ok(found) => found.key == key,
                Err(failure) if failure.is_not_found() => false,
                // Whoever joins chooses a friendly name: that a second one bears it ends nothing here.
                Err(Failure::Usage(words)) => {
                    return Err(Trouble::Declined(Decline::Unwelcome, words));
                }
                Err(failure) => return Err(failure.into()),
            };
            if !welcome {
                let words = format!("files are taken from {query} only");
                return Err(Trouble::Declined(Decline::Unwelcome, words));
            }
        }
        if offer.size > self.size_max {
            let words = format!("{} bytes are more than --max-size allows", offer.size);
            return Err(Trouble::Declined(Decline::TooLarge, words));
        }
        names::safe(&offer.name).ok_or_else(|| {
            Trouble::Declined(Decline::Name, format!("no file can be called `{}`", offer.name))
        })
    }
}

/// Takes what is missing, and the end behind it.
async fn content(
    stream: &mut ByteStream,
    part: &mut Part,
    progress: &mut Progress,
) -> Result<(), Trouble> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = timeout(STANDSTILL, stream.read(&mut chunk)).await;
        let read = read.map_err(|_| Trouble::Lost("nothing came for a minute".to_owned()))?;
        let n = read.map_err(WireError::Io)?;
        if n as u64 > part.missing() || (n == 0 && part.missing() > 0) {
            let words = "its content is not as long as announced".to_owned();
            return Err(Trouble::Declined(Decline::Size, words));
        }
        if n == 0 {
            return Ok(());
        }
        on_disk(|| part.write(&chunk[..n])).map_err(PartError::Io)?;
        progress.at(part.have())?;
    }
}

async fn say(stream: &mut ByteStream, reply: Reply) -> Result<(), Trouble> {
    stream.write_all(&reply.encode()).await.map_err(|error| WireError::Io(error).into())
}

/// Turns a sender away without a look at what it offers.
pub(crate) async fn decline(connection: DirectConnection, why: Decline) {
    if let Err(error) = last_word(ByteStream::new(connection), Reply::Declined(why)).await {
        tracing::debug!(%error, "the sender was not told why its file is declined");
    }
}

/// Nothing comes after it; waits until the sender's node has it.
async fn last_word(mut stream: ByteStream, reply: Reply) -> io::Result<()> {
    stream.write_all(&reply.encode()).await?;
    stream.finish().await
}

fn code(why: Decline) -> Code {
    match why {
        Decline::Version => Code::PEER_E_UNSUPPORTED_VERSION,
        Decline::Offer | Decline::Name | Decline::Size => Code::E_INVALIDARG,
        Decline::TooLarge | Decline::Busy | Decline::Unwelcome | Decline::Closed => {
            Code::PEER_E_CONNECTION_REFUSED
        }
        Decline::DiskFull => Code::PEER_E_DISK_FULL,
        Decline::NotStored => Code::ERROR_IO_DEVICE,
        Decline::Hash => Code::CRYPT_E_HASH_VALUE,
    }
}
