//! `p2p invite` and `p2p join`.

use p2p_group::{
    Address, AnyInvitation, Code, Group, GroupInfo, Identity, IdentityInfo, Invitation,
    InviteError, InviteOptions, KeyId, PasswordInvitation,
};
use serde_json::{Value, json};

use crate::args::{InviteArgs, JoinArgs, Role};
use crate::exit::Failure;
use crate::group::{self, Membership};
use crate::print::{roles, standing, who};
use crate::{Context, compact, end, identity, input, password, qr, times};

pub(crate) fn invite(context: &Context, args: &InviteArgs) -> Result<(), Failure> {
    let Membership { identity, group } = group::pick(&context.home, &args.place)?;
    if args.password {
        return by_password(context, args, &identity, &group);
    }
    let text = input::text(args.invitee.as_deref(), "identity", is_xml)?;
    let invitee = IdentityInfo::from_xml(text.trim()).map_err(|refusal| Failure::Code {
        message: "this is not the XML of an identity".to_owned(),
        code: refusal.code,
        refusal: Some(refusal),
    })?;
    let options = InviteOptions { roles: Role::union(&args.roles), expires: args.expires };
    let invitation = context.home.invite(identity.name(), &group.name, &invitee, options);
    let invitation = invitation.map_err(uninvited)?;
    let member = invitation.member();
    let text = in_form(args, invitation.as_xml(), || invitation.to_line());
    let record = record(&invitation, &text);
    let label = who(&member.friendly_name, &member.name);
    let line = format!("For {label}: {}, in {}.", standing(member), group.friendly_name);
    hand_over(context, args, text, &line, &record)
}

/// For whoever knows the group's password.
fn by_password(
    context: &Context,
    args: &InviteArgs,
    identity: &Identity,
    group: &GroupInfo,
) -> Result<(), Failure> {
    let invitation = context.home.invite_by_password(identity.name(), &group.name);
    let invitation = invitation.map_err(uninvited)?;
    let text = in_form(args, invitation.as_xml(), || invitation.to_line());
    let record = json!({
        "type": "invitation",
        "invitation": text,
        "group": invitation.group_name().as_str(),
        "peer": null,
        "friendly_name": null,
        "roles": roles(invitation.role()),
        "not_before": null,
        "not_after": null,
        "addresses": addresses(invitation.hints()),
    });
    let role = roles(invitation.role()).join(" and ");
    let name = &group.friendly_name;
    let line = format!("For whoever knows the password of {name}: {role}.");
    hand_over(context, args, text, &line, &record)
}

fn uninvited(error: InviteError) -> Failure {
    match error {
        InviteError::NotReady => Failure::code(
            "no member was ever met in this group, so there is nothing to invite into",
            error.code(),
        ),
        InviteError::NoPassword => Failure::code(
            "the group has no password: its creator sets one by `p2p properties --password`",
            error.code(),
        ),
        error => error.into(),
    }
}

/// The form that was asked for.
fn in_form(args: &InviteArgs, xml: &str, line: impl FnOnce() -> String) -> String {
    match (args.xml, args.qr) {
        (true, _) => xml.to_owned(),
        (_, true) => compact::shorten(xml),
        _ => line(),
    }
}

fn hand_over(
    context: &Context,
    args: &InviteArgs,
    text: String,
    line: &str,
    record: &Value,
) -> Result<(), Failure> {
    // Before anything is said: it may not fit.
    let shown = if args.qr && !context.out.is_json() { qr::lines(&text)?.join("\n") } else { text };
    context.out.note(line);
    if record["addresses"].as_array().is_none_or(Vec::is_empty) {
        context.out.note("It says nowhere to be found: make it while `p2p listen` runs, or the invited must be given an address.");
    }
    context.out.text(&shown, record)
}

pub(crate) async fn join(context: &Context, args: &JoinArgs) -> Result<(), Failure> {
    let text = input::text(args.invitation.as_deref(), "invitation", is_invitation)?;
    let text = text.trim();
    let invitation = match compact::is_compact(text) {
        true => AnyInvitation::parse(&compact::expand(text)?)?,
        false => AnyInvitation::parse(text)?,
    };
    match invitation {
        AnyInvitation::Named(invitation) => join_by_name(context, args, &invitation).await,
        AnyInvitation::ByPassword(invitation) => join_by_password(context, args, &invitation).await,
        _ => Err(Failure::code("an unknown invitation", Code::PEER_E_UNSUPPORTED_VERSION)),
    }
}

async fn join_by_name(
    context: &Context,
    args: &JoinArgs,
    invitation: &Invitation,
) -> Result<(), Failure> {
    let identity = match &args.whose.identity {
        Some(query) => identity::pick(&context.home, Some(query))?,
        None => {
            // The invitation says for whom it is. If that is nobody here, joining says what is wrong.
            let identities = context.home.identities()?;
            let invited =
                identities.iter().find(|identity| identity.key() == invitation.member().key);
            invited.or(identities.first()).cloned().ok_or_else(identity::none)?
        }
    };
    let node = context.start(identity.clone())?;
    let group = Group::join(&node, invitation)?;
    let membership = group::of(identity, &group);
    end(&group, &node).await;
    joined(context, &membership)
}

/// The membership is there once a member was met who knows the password too.
async fn join_by_password(
    context: &Context,
    args: &JoinArgs,
    invitation: &PasswordInvitation,
) -> Result<(), Failure> {
    let from = args.password.password_file.as_deref();
    if matches!(args.invitation.as_deref(), None | Some("-")) && from == Some("-") {
        let message = "standard input can be the invitation or the password, not both";
        return Err(Failure::usage(message));
    }
    let identity = identity::pick(&context.home, args.whose.identity.as_deref())?;
    let password = password::known(from)?;
    let node = context.start(identity.clone())?;
    let group = Group::join_by_password(&node, invitation, &password).await?;
    let met = tokio::select! {
        met = group.connect_and_wait() => met.map_err(Failure::from),
        stopped = input::interrupted() => stopped.and_then(|()| {
            Err(Failure::code("interrupted before a member was met", Code::ERROR_CANCELLED))
        }),
    };
    let (pending, membership) = (group.is_pending(), group::of(identity, &group));
    end(&group, &node).await;
    match met {
        Ok(()) if !pending => joined(context, &membership),
        Err(Failure::Code { code: Code::PEER_E_NOT_AUTHORIZED, .. }) if pending => {
            // Nothing of it can be used, and the right one is asked for by joining again.
            context.home.delete_group(membership.identity.name(), &membership.group.name)?;
            Err(Failure::code(
                "the password is wrong, or was changed after the invitation was made",
                Code::PEER_E_NOT_AUTHORIZED,
            ))
        }
        met => {
            context.out.note("What was given is kept: `p2p listen` joins when a member is online.");
            met.and_then(|()| {
                Err(Failure::code("no membership has come", Code::PEER_E_GROUP_NOT_READY))
            })
        }
    }
}

fn joined(context: &Context, membership: &Membership) -> Result<(), Failure> {
    let own = &membership.group.own;
    let issuer = who(&own.issuer_friendly_name, &own.issuer_name);
    let line = format!(
        "Joined {} as {}: {}, invited by {issuer}. `p2p listen` goes online.",
        membership.group.friendly_name,
        membership.identity.friendly_name(),
        standing(own)
    );
    context.out.say(line, &group::record(membership))
}

/// An invitation for programs, in the form in which it is handed over.
pub(crate) fn record(invitation: &Invitation, text: &str) -> Value {
    let member = invitation.member();
    json!({
        "type": "invitation",
        "invitation": text,
        "group": invitation.group_name().as_str(),
        "peer": member.name,
        "friendly_name": member.friendly_name,
        "roles": roles(member.roles),
        "not_before": times::rfc3339(member.not_before),
        "not_after": times::rfc3339(member.not_after),
        "addresses": addresses(invitation.hints()),
    })
}

fn addresses(hints: &[(KeyId, Vec<Address>)]) -> Vec<String> {
    hints.iter().flat_map(|(_, addresses)| addresses).map(ToString::to_string).collect()
}

fn is_xml(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

fn is_invitation(text: &str) -> bool {
    let text = text.trim_start();
    is_xml(text) || text.starts_with("p2p-invitation:") || compact::is_compact(text)
}
