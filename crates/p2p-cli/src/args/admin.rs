//! The commands about memberships, properties and figures.

use clap::{Args as Options, ValueEnum};
use p2p_group::{FileTime, Reason};

use super::{NewPassword, Place, Role};
use crate::times;

#[derive(Options, Debug)]
#[command(after_help = "\
Only an administrator revokes, and only who stands below it in the chain of invitations. Who was invited by the revoked \
member falls with it. The revoked identity never comes back into this group.

While `p2p listen` has the group open, type /revoke NAME there: everybody connected learns of it at once.

Examples:
  p2p revoke Bob
  p2p revoke 412c62dc --reason key-compromise
  p2p revoke --xml bob.xml            somebody who was invited and never met")]
#[command(group(clap::ArgGroup::new("whom").required(true).args(["member", "xml"])))]
pub(crate) struct RevokeArgs {
    /// Peer name, beginning of it, or friendly name
    pub(crate) member: Option<String>,
    /// The XML of the identity, or a file with it; `-`: standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) xml: Option<String>,
    /// Why; the others are told
    #[arg(long, value_enum, value_name = "REASON", default_value_t = Why::Unspecified)]
    pub(crate) reason: Why,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
Issues a membership with the roles that are left, and takes back those that grant more. Whom the member invited by a \
membership that is taken back must be invited anew.

While `p2p listen` has the group open, type /demote NAME [ROLE] there.

Examples:
  p2p demote Bob
  p2p demote Bob --role inviting-member")]
pub(crate) struct DemoteArgs {
    /// Peer name, beginning of it, or friendly name
    pub(crate) member: String,
    /// What the member may still do
    #[arg(long = "role", value_enum, value_name = "ROLE", value_delimiter = ',')]
    #[arg(default_value = "member")]
    pub(crate) roles: Vec<Role>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
The new membership is put into the group, where the member finds it, and printed as an invitation: `p2p join` takes that \
too. What the member had stays valid until its end; `p2p demote` takes roles away.

While `p2p listen` has the group open, type /renew NAME [END] there.

Examples:
  p2p renew Bob
  p2p renew Bob --expires 1y
  p2p renew Bob --role inviting-member")]
pub(crate) struct RenewArgs {
    /// Peer name, beginning of it, or friendly name
    pub(crate) member: String,
    /// What the member may do [default: what it may do now]
    #[arg(long = "role", value_enum, value_name = "ROLE", value_delimiter = ',')]
    pub(crate) roles: Vec<Role>,
    /// End of the membership, as `p2p invite` takes it [default: for as long as before]
    #[arg(long, value_name = "WHEN", value_parser = times::parse_end)]
    pub(crate) expires: Option<FileTime>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
Members are known once they were met. While `p2p listen` has the group open, type /members there.

Examples:
  p2p members
  p2p members --group garden --json")]
pub(crate) struct MembersArgs {
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Options, Debug)]
#[command(after_help = "\
Only the creator changes them. While `p2p listen` has the group open, /properties there shows them.

Examples:
  p2p properties
  p2p properties --name 'The garden' --comment 'Every Saturday at ten'
  p2p properties --password             sets it anew: invitations by the former one fail")]
pub(crate) struct PropertiesArgs {
    /// The group's new name for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// What the group is about
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    #[command(flatten)]
    pub(crate) password: NewPassword,
    /// Nobody joins by a password any more; who is a member stays one
    #[arg(long, conflicts_with_all = ["password", "password_file"])]
    pub(crate) no_password: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Why a membership is taken back.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    Unspecified,
    /// The member's key is in other hands
    KeyCompromise,
    /// The member's part in the group has changed
    AffiliationChanged,
    /// Another membership takes its place
    Superseded,
    /// The member has left
    CessationOfOperation,
    /// The member may no longer do what it could
    PrivilegeWithdrawn,
}

impl Why {
    pub(crate) fn reason(self) -> Reason {
        match self {
            Why::Unspecified => Reason::Unspecified,
            Why::KeyCompromise => Reason::KeyCompromise,
            Why::AffiliationChanged => Reason::AffiliationChanged,
            Why::Superseded => Reason::Superseded,
            Why::CessationOfOperation => Reason::CessationOfOperation,
            Why::PrivilegeWithdrawn => Reason::PrivilegeWithdrawn,
        }
    }
}

#[derive(Options, Debug)]
#[command(after_help = "\
The figures are at most a few seconds old. /status in `p2p listen` shows them at once.

Examples:
  p2p status
  p2p status --group garden --json")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) place: Place,
}
