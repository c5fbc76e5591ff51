//! `p2p invite` and `p2p join`.

use p2p_group::{Group, IdentityInfo, Invitation, InviteError, InviteOptions};
use serde_json::{Value, json};

use crate::args::{InviteArgs, JoinArgs, Role};
use crate::exit::Failure;
use crate::group::{self, Membership};
use crate::print::{roles, standing, who};
use crate::{Context, compact, end, identity, input, qr, times};

pub(crate) fn invite(context: &Context, args: &InviteArgs) -> Result<(), Failure> {
    let Membership { identity, group } = group::pick(&context.home, &args.place)?;
    let text = input::text(args.invitee.as_deref(), "identity", is_xml)?;
    let invitee = IdentityInfo::from_xml(text.trim()).map_err(|refusal| Failure::Code {
        message: "this is not the XML of an identity".to_owned(),
        code: refusal.code,
        refusal: Some(refusal),
    })?;
    let options = InviteOptions { roles: Role::union(&args.roles), expires: args.expires };
    let invitation =
        context.home.invite(identity.name(), &group.name, &invitee, options).map_err(|error| {
            match error {
                InviteError::NotReady => Failure::code(
                    "no member was ever met in this group, so there is nothing to invite into",
                    error.code(),
                ),
                error => error.into(),
            }
        })?;
    let member = invitation.member();
    let text = match (args.xml, args.qr) {
        (true, _) => invitation.as_xml().to_owned(),
        (_, true) => compact::shorten(invitation.as_xml()),
        _ => invitation.to_line(),
    };
    let record = record(&invitation, &text);
    // Before anything is said: it may not fit.
    let shown = if args.qr && !context.out.is_json() { qr::lines(&text)?.join("\n") } else { text };
    let label = who(&member.friendly_name, &member.name);
    context.out.note(format!("For {label}: {}, in {}.", standing(member), group.friendly_name));
    if addresses(&invitation).is_empty() {
        context.out.note("It says nowhere to be found: make it while `p2p listen` runs, or the invited must be given an address.");
    }
    context.out.text(&shown, &record)
}

pub(crate) async fn join(context: &Context, args: &JoinArgs) -> Result<(), Failure> {
    let text = input::text(args.invitation.as_deref(), "invitation", is_invitation)?;
    let text = text.trim();
    let invitation = match compact::is_compact(text) {
        true => Invitation::parse(&compact::expand(text)?)?,
        false => Invitation::parse(text)?,
    };
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
    let group = Group::join(&node, &invitation)?;
    let membership = group::of(identity, &group);
    end(&group, &node).await;
    let own = &membership.group.own;
    let issuer = who(&own.issuer_friendly_name, &own.issuer_name);
    let line = format!(
        "Joined {} as {}: {}, invited by {issuer}. `p2p listen` goes online.",
        membership.group.friendly_name,
        membership.identity.friendly_name(),
        standing(own)
    );
    context.out.say(line, &group::record(&membership))
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
        "addresses": addresses(invitation),
    })
}

fn addresses(invitation: &Invitation) -> Vec<String> {
    invitation
        .hints()
        .iter()
        .flat_map(|(_, addresses)| addresses)
        .map(ToString::to_string)
        .collect()
}

fn is_xml(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

fn is_invitation(text: &str) -> bool {
    let text = text.trim_start();
    is_xml(text) || text.starts_with("p2p-invitation:") || compact::is_compact(text)
}
