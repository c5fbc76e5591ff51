//! The command line.

mod admin;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as Options, Parser, Subcommand, ValueEnum};
use p2p_group::{FileTime, KeyKind, Roles};

pub(crate) use self::admin::{
    DemoteArgs, MembersArgs, PropertiesArgs, RenewArgs, RevokeArgs, StatusArgs, Why,
};

use crate::times;

const ABOUT: &str = "\
Private groups of computers that talk to each other directly: no server, no account.

An identity is you on this machine. A group is made by one identity and joined by invitation. Members \
that are online open direct connections to each other and exchange messages.";

const AFTER: &str = "\
Exit codes:
  0  done
  1  failed; the code is printed
  2  the command line cannot be understood, or a name in it means several things
  3  not found: no such identity, group, member, connection or file
  4  refused: not authorised, not trusted, or turned away by the peer
  5  unreachable: nobody answered in time, or a connection was lost

Environment:
  P2P_HOME    folder of identities and groups (default: the platform's data folder)
  P2P_LISTEN  where to accept connections, as ADDRESS:PORT[,...] (default: [::]:3587, or a free port)
  P2P_LOG     what to log to standard error, as a tracing filter (default: warn)

Examples:
  p2p identity create Ada
  p2p group create garden
  p2p invite bob.xml
  p2p listen";

const EXPORT: &str = "\
Whoever has the export and its password is this identity: choose a long one. Groups are not in it; on the other machine \
they are joined by new invitations.

Examples:
  p2p identity export Ada > ada.export
  p2p identity export --password-file secret > ada.export";

/// Private groups of computers that talk to each other directly.
#[derive(Parser, Debug)]
#[command(name = "p2p", version, long_about = ABOUT, after_help = AFTER)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Folder of identities and groups [default: P2P_HOME, or the platform's data folder]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Everywhere")]
    pub(crate) home: Option<PathBuf>,

    /// Where to accept connections [default: P2P_LISTEN, or [::]:3587]
    #[arg(long, global = true, value_name = "ADDRESS:PORT", value_delimiter = ',')]
    #[arg(help_heading = "Everywhere")]
    pub(crate) listen: Vec<SocketAddr>,

    /// Print for programs: one JSON object per line
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Make, show, rename, carry over and delete identities
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Make, show and delete groups
    #[command(subcommand)]
    Group(GroupCommand),
    /// Make an invitation into a group for somebody else's identity
    Invite(InviteArgs),
    /// Become a member by an invitation
    Join(JoinArgs),
    /// Take a membership back, for ever
    Revoke(RevokeArgs),
    /// Leave a member fewer roles than it has
    Demote(DemoteArgs),
    /// Renew a member's membership, or give it a further role
    Renew(RenewArgs),
    /// List the members that are known, with their roles
    Members(MembersArgs),
    /// Show a group's properties, or change them
    Properties(PropertiesArgs),
    /// Show what the `p2p listen` that has a group open has done, in figures
    Status(StatusArgs),
    /// Go online in a group, show what happens, and obey commands
    Listen(ListenArgs),
    /// Exchange lines of text with one member
    Chat(ChatArgs),
    /// Send a file to one member, who runs `p2p receive` or `p2p listen --receive`
    Send(SendArgs),
    /// Take files from members into a folder
    Receive(ReceiveArgs),
}

#[derive(Subcommand, Debug)]
pub(crate) enum IdentityCommand {
    /// Make an identity
    #[command(
        after_help = "Examples:\n  p2p identity create Ada\n  p2p identity create 'Ada Lovelace' --classifier laptop"
    )]
    Create {
        #[command(flatten)]
        name: NewName,
        /// Kind of the key
        #[arg(long, value_enum, value_name = "KIND", default_value_t = Key::Ed25519)]
        key: Key,
    },
    /// List the identities in the home
    #[command(after_help = "Examples:\n  p2p identity list\n  p2p identity list --json")]
    List,
    /// Print an identity's public XML, for whoever is to invite it
    #[command(after_help = "Examples:\n  p2p identity show > ada.xml\n  p2p identity show Ada")]
    Show {
        /// Peer name, beginning of it, or friendly name [default: the only identity]
        identity: Option<String>,
    },
    /// Give an identity another name for people; its peer name and its groups stay
    #[command(
        after_help = "Memberships that it has keep the name under which they were granted.\n\nExamples:\n  p2p identity rename Ada 'Ada Lovelace'\n  p2p identity rename 3fa9"
    )]
    Rename {
        /// Peer name, beginning of it, or friendly name
        identity: String,
        /// Name for people; without one the peer name is shown
        name: Option<String>,
    },
    /// Print an identity with its private key, under a password, for another machine
    #[command(after_help = EXPORT)]
    Export {
        /// Peer name, beginning of it, or friendly name [default: the only identity]
        identity: Option<String>,
        #[command(flatten)]
        password: Password,
    },
    /// Take an identity that `p2p identity export` printed
    #[command(
        after_help = "Examples:\n  p2p identity import ada.export\n  p2p identity import ada.export --password-file secret"
    )]
    Import {
        /// The export, or a file with it; `-` or nothing: standard input
        export: Option<String>,
        #[command(flatten)]
        password: Password,
    },
    /// Delete an identity with its private key, for ever
    #[command(
        after_help = "Its groups must be deleted first. What was exported can be imported again.\n\nExamples:\n  p2p identity delete Ada"
    )]
    Delete {
        /// Peer name, beginning of it, or friendly name
        identity: String,
    },
}

#[derive(Options, Debug)]
pub(crate) struct Password {
    /// Read the password from this file, without its end of line; `-`: standard input [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<String>,
}

/// A group's password.
#[derive(Options, Debug)]
pub(crate) struct NewPassword {
    /// Whoever knows a password may join; it is asked for at the terminal, twice
    #[arg(long)]
    pub(crate) password: bool,
    /// Read that password from this file, without its end of line; `-`: standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<String>,
    /// What whoever joins by the password may do
    #[arg(long, value_enum, value_name = "ROLE", default_value = "member")]
    pub(crate) password_role: Role,
    /// Nobody joins by an invitation of his own
    #[arg(long)]
    pub(crate) password_only: bool,
}

#[derive(Options, Debug)]
pub(crate) struct NewName {
    /// Name for people; without one the peer name is shown
    pub(crate) name: Option<String>,
    /// Part of the peer name after the dot
    #[arg(long, value_name = "TEXT")]
    pub(crate) classifier: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    Ed25519,
    /// ECDSA with P-256
    P256,
}

impl Key {
    pub(crate) fn kind(self) -> KeyKind {
        match self {
            Key::Ed25519 => KeyKind::Ed25519,
            Key::P256 => KeyKind::EcdsaP256,
        }
    }
}

#[derive(Subcommand, Debug)]
pub(crate) enum GroupCommand {
    /// Make a group; its first member and administrator is the identity
    #[command(
        after_help = "Examples:\n  p2p group create garden\n  p2p group create garden --identity Ada\n  p2p group create garden --password"
    )]
    Create {
        #[command(flatten)]
        name: NewName,
        #[command(flatten)]
        password: NewPassword,
        #[command(flatten)]
        whose: Whose,
    },
    /// List the groups of all identities, or of one
    #[command(after_help = "Examples:\n  p2p group list\n  p2p group list --identity Ada --json")]
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Show a group and the identity's membership in it
    #[command(after_help = "Examples:\n  p2p group show\n  p2p group show garden")]
    Show {
        /// Peer name, beginning of it, or friendly name [default: the only group]
        group: Option<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// Delete the identity's own copy of a group; other members keep theirs
    #[command(
        after_help = "The membership is gone with it: coming back takes a new invitation.\n\nExamples:\n  p2p group delete garden"
    )]
    Delete {
        /// Peer name, beginning of it, or friendly name
        group: String,
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Options, Debug)]
pub(crate) struct Whose {
    /// Peer name, beginning of it, or friendly name [default: the only one that fits]
    #[arg(short, long)]
    pub(crate) identity: Option<String>,
}

/// Which identity in which group.
#[derive(Options, Debug)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// Peer name, beginning of it, or friendly name [default: the only group]
    #[arg(short, long)]
    pub(crate) group: Option<String>,
}

#[derive(Options, Debug)]
#[command(after_help = "\
The invitation says where members listen, so make it while `p2p listen` runs; both work at the same time.
It is for this one identity, and no secret: nobody else can use it.

Examples:
  p2p invite bob.xml
  p2p invite bob.xml --role inviting-member --expires 30d
  p2p invite bob.xml --qr
  p2p invite --password                 for whoever knows the group's password
  p2p identity show Bob | p2p invite --xml > invitation.xml")]
pub(crate) struct InviteArgs {
    /// The invited identity's XML, or a file with it; `-` or nothing: standard input
    pub(crate) invitee: Option<String>,
    /// What the member may do
    #[arg(long = "role", value_enum, value_name = "ROLE", value_delimiter = ',')]
    #[arg(default_value = "member")]
    pub(crate) roles: Vec<Role>,
    /// End of the membership: a span (30d, 12h, 1y), a date (through its end, UTC), or an RFC 3339 time
    /// [default: that of the inviter's own]
    #[arg(long, value_name = "WHEN", value_parser = times::parse_end)]
    pub(crate) expires: Option<FileTime>,
    /// Print XML instead of one line of text
    #[arg(long)]
    pub(crate) xml: bool,
    /// Invite whoever knows the group's password, with the role that belongs to it
    #[arg(long, conflicts_with_all = ["invitee", "roles", "expires"])]
    pub(crate) password: bool,
    /// Show a QR code on the terminal; with --json, the text that is in it
    #[arg(long, conflicts_with = "xml")]
    pub(crate) qr: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
An invitation for whoever knows the group's password joins once a member is met: the password is asked for at the terminal. \
If nobody is online it is kept, and `p2p listen` goes on.

Examples:
  p2p join p2p-invitation:1:PD94bWwg...
  p2p join invitation.xml
  ssh ada p2p invite < bob.xml | p2p join")]
pub(crate) struct JoinArgs {
    /// The invitation, or a file with it; `-` or nothing: standard input
    pub(crate) invitation: Option<String>,
    #[command(flatten)]
    pub(crate) password: Password,
    #[command(flatten)]
    pub(crate) whose: Whose,
}

#[derive(Options, Debug)]
#[command(after_help = "\
Commands, one per line of standard input; PEER is a peer name, the beginning of one, or a friendly name:
  /open PEER [ADDRESS]  open a direct connection
  /send ID TEXT         send a message on it
  /connections          list connections
  /members              list members
  /properties           show the group's properties
  /status               show what this node has done, in figures
  /revoke PEER [REASON] take a membership back, for ever
  /demote PEER [ROLE]   leave a member just this role
  /renew PEER [END]     renew a membership
  /close ID             close a direct connection
  /help                 list the commands
  /quit                 go offline and end

Meanwhile `p2p send`, `p2p invite` and `p2p status` work in other terminals.

Answers come on standard output, in order with the events. When standard input ends, `listen` stays online, unless \
standard input is a terminal (Ctrl-D). Ctrl-C, SIGTERM and SIGHUP end it as /quit does.

Examples:
  p2p listen
  p2p listen --receive Downloads
  p2p listen --group garden --json < /dev/null")]
pub(crate) struct ListenArgs {
    /// Keep this file up to date with the figures of /status, in the text format of Prometheus
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
    /// Take files from members into this folder, as `p2p receive` does
    #[arg(long, value_name = "FOLDER")]
    pub(crate) receive: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) taking: Taking,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
Every line of standard input is sent as one message. /close, and the end of standard input, close the connection once \
everything is delivered; //text sends /text. Ends when either side closes.

Examples:
  p2p chat Ada
  p2p chat                    wait for the first member who opens a connection
  echo 'supper is ready' | p2p chat 3fa9")]
pub(crate) struct ChatArgs {
    /// Peer name, beginning of it, or friendly name; without one, whoever opens a connection first
    pub(crate) peer: Option<String>,
    /// Where the peer listens [default: where it was last met]
    #[arg(requires = "peer")]
    pub(crate) address: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
The receiver compares the SHA-256 of the whole file. After an interruption, sending the same file again goes on where it \
stopped. It works also while `p2p listen` or `p2p receive` has the group open. A text goes with `p2p chat`.

Examples:
  p2p send Ada photos.zip
  p2p send 3fa9 notes.txt [2001:db8::1]:3587")]
pub(crate) struct SendArgs {
    /// Peer name, beginning of it, or friendly name
    pub(crate) peer: String,
    /// The file; its name goes along, its folder does not
    pub(crate) file: PathBuf,
    /// Where the peer listens [default: where it was last met]
    pub(crate) address: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
No file that is there is replaced: a further notes.txt becomes notes (1).txt. What is not whole is called .NAME.HASH.part \
until it is, and is continued when it is sent again. Ends with Ctrl-C, SIGTERM or SIGHUP.

Examples:
  p2p receive Downloads
  p2p receive Downloads --from Ada --once
  p2p receive Downloads --max-size 100M")]
pub(crate) struct ReceiveArgs {
    /// Where files go; it must be there
    pub(crate) folder: PathBuf,
    /// End once a file is stored
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) taking: Taking,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Which files are taken.
#[derive(Options, Debug)]
pub(crate) struct Taking {
    /// Take files from this member only
    #[arg(long, value_name = "PEER")]
    pub(crate) from: Option<String>,
    /// Take no larger files: bytes, or with K, M, G or T [default: 64G]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
}

impl Taking {
    /// Largest file that is taken, in bytes.
    pub(crate) fn size_max(&self) -> u64 {
        self.max_size.unwrap_or(64 << 30)
    }
}

/// `100M` is 100 MiB.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        Some(b'T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| "neither bytes nor 100M".to_owned())
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// May invite in every role
    Admin,
    /// May invite inviting and plain members
    InvitingMember,
    /// May connect and send
    Member,
}

impl Role {
    /// All of them together.
    pub(crate) fn union(roles: &[Role]) -> Roles {
        roles.iter().fold(Roles::empty(), |all, role| {
            all.with(match role {
                Role::Admin => Roles::ADMIN,
                Role::InvitingMember => Roles::INVITING_MEMBER,
                Role::Member => Roles::MEMBER,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        fn check(command: &clap::Command) {
            if command.get_subcommands().next().is_some() {
                command.get_subcommands().for_each(check);
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                let call = format!("p2p {}", command.get_name());
                assert!(help.contains("Examples:\n  "), "{call}");
            }
        }
        check(&Args::command());
    }

    #[test]
    fn global_options_may_stand_behind_the_command() {
        let args =
            Args::try_parse_from(["p2p", "listen", "--json", "--listen", "[::1]:0,127.0.0.1:1"]);
        let args = args.unwrap();
        assert!(args.json);
        assert_eq!(args.listen, ["[::1]:0".parse().unwrap(), "127.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn sizes_are_bytes_or_their_multiples() {
        for (text, size) in [("0", 0), ("12", 12), ("1K", 1_024), ("2M", 2 << 20), ("1T", 1 << 40)]
        {
            assert_eq!(parse_size(text), Ok(size));
        }
        for text in ["", "M", "-1", "1.5G", "1k", "99999999T", "1 M"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn roles_add_up() {
        let parse = |words: &[&str]| {
            let args = Args::try_parse_from(["p2p", "invite"].iter().chain(words)).unwrap();
            let Command::Invite(args) = args.command else { unreachable!("it is `invite`") };
            Role::union(&args.roles)
        };
        assert_eq!(parse(&[]), Roles::MEMBER);
        assert_eq!(parse(&["--role", "admin,member"]), Roles::ADMIN.with(Roles::MEMBER));
    }
}
