//! Memberships taken back, cut down and renewed; members and properties. Each as a command of its own while no other
//! process has the group open, and as a line typed into the `p2p listen` that has.

use p2p_group::{
    AdminError, Code, CredentialOptions, FileTime, Group, GroupError, GroupPassword, IdentityInfo,
    MemberFilter, Reason, Roles, Target,
};
use serde_json::json;

use crate::answer::Answer;
use crate::args::{DemoteArgs, MembersArgs, PropertiesArgs, RenewArgs, RevokeArgs, Role};
use crate::exit::Failure;
use crate::group::{self, Membership};
use crate::peers::{self, Found};
use crate::print::{roles, standing, who};
use crate::{Context, end, events, input, invite, password};

/// Who is to be told: those who are connected are told at once, and this process connects to nobody.
const LATER: &str = "The others learn of it when `p2p listen` next meets one of them.";

pub(crate) async fn revoke(context: &Context, args: &RevokeArgs) -> Result<(), Failure> {
    let reason = args.reason.reason();
    let typed = args.member.as_deref().unwrap_or("NAME");
    let open = Open::new(context, &args.place, &format!("/revoke {typed}"))?;
    let whom = match (&args.member, &args.xml) {
        (Some(member), _) => subject(&open.group, member),
        (None, xml) => description(xml.as_deref()),
    };
    let answer = match whom {
        Ok(whom) => take_back(&open.group, &whom, reason).await,
        Err(failure) => Err(failure),
    };
    open.end(context, answer, LATER).await
}

pub(crate) async fn demote(context: &Context, args: &DemoteArgs) -> Result<(), Failure> {
    let open = Open::new(context, &args.place, &format!("/demote {}", args.member))?;
    let answer = cut_down(&open.group, &args.member, Role::union(&args.roles)).await;
    open.end(context, answer, LATER).await
}

pub(crate) async fn renew(context: &Context, args: &RenewArgs) -> Result<(), Failure> {
    let open = Open::new(context, &args.place, &format!("/renew {}", args.member))?;
    let roles = Role::union(&args.roles);
    let answer = prolong(&open.group, &args.member, roles, args.expires).await;
    open.end(
        context,
        answer,
        "The member finds it in the group when both are online; `p2p join` takes it at once.",
    )
    .await
}

pub(crate) async fn members(context: &Context, args: &MembersArgs) -> Result<(), Failure> {
    let open = Open::new(context, &args.place, "/members")?;
    let answer = list(&open.group);
    open.end(context, answer, "").await
}

pub(crate) async fn properties(context: &Context, args: &PropertiesArgs) -> Result<(), Failure> {
    // Asked for before the group is open.
    let password = password::of_group(&args.password)?;
    let open = Open::new(context, &args.place, "/properties")?;
    let passwords = password.is_some() || args.no_password;
    let changes = args.name.is_some() || args.comment.is_some() || passwords;
    let answer = match changes {
        true => change(&open.group, args, password).await,
        false => show(&open.group),
    };
    open.end(context, answer, if changes { LATER } else { "" }).await
}

/// A group that this process has open, and takes offline again.
struct Open {
    node: p2p_group::Node,
    group: Group,
}

impl Open {
    /// `instead` is what to type into the `p2p listen` that may have the group open.
    fn new(context: &Context, place: &crate::args::Place, instead: &str) -> Result<Open, Failure> {
        let Membership { identity, group: info } = group::pick(&context.home, place)?;
        let node = context.start(identity)?;
        match Group::open(&node, &info.name) {
            Ok(group) => Ok(Open { node, group }),
            Err(error @ GroupError::InUse) => Err(Failure::code(
                format!("{error}: type `{instead}` into the `p2p listen` that has it open"),
                Code::PEER_E_GROUP_IN_USE,
            )),
            Err(error) => Err(error.into()),
        }
    }

    async fn end(
        self,
        context: &Context,
        answer: Result<Answer, Failure>,
        note: &str,
    ) -> Result<(), Failure> {
        end(&self.group, &self.node).await;
        let Answer { lines, record } = answer?;
        if !note.is_empty() {
            context.out.note(note);
        }
        context.out.list(lines, &record)
    }
}

/// Somebody a membership of whom is meant.
pub(crate) struct Subject {
    target: Target,
    label: String,
    name: String,
    friendly_name: Option<String>,
}

/// A member that is known in the group, or anybody by the whole peer name.
pub(crate) fn subject(group: &Group, query: &str) -> Result<Subject, Failure> {
    match peers::member(group, query) {
        Ok(Found { key, label }) => {
            let filter = MemberFilter { present: false, identity: Some(key.into()) };
            let known = group.members(&filter)?.into_iter().next();
            let (name, friendly_name) = match known {
                Some(info) => (info.member.name.clone(), Some(info.member.friendly_name.clone())),
                None => (format!("{key}."), None),
            };
            Ok(Subject { target: key.into(), label, name, friendly_name })
        }
        Err(failure) if failure.is_not_found() => match peers::whole_name(query) {
            Some(name) => Ok(Subject {
                target: (&name).into(),
                label: name.to_string(),
                name: name.to_string(),
                friendly_name: None,
            }),
            None => Err(failure),
        },
        Err(failure) => Err(failure),
    }
}

/// Somebody who may never have been met, by the XML with which the invitation was made.
fn description(argument: Option<&str>) -> Result<Subject, Failure> {
    let text = input::text(argument, "identity", |text| text.trim_start().starts_with('<'))?;
    let info = IdentityInfo::from_xml(text.trim()).map_err(|refusal| Failure::Code {
        message: "this is not the XML of an identity".to_owned(),
        code: refusal.code,
        refusal: Some(refusal),
    })?;
    Ok(Subject {
        target: (&info).into(),
        label: who(&info.friendly_name, info.name.as_str()),
        name: info.name.to_string(),
        friendly_name: Some(info.friendly_name),
    })
}

/// Takes the membership of `whom` back.
pub(crate) async fn take_back(
    group: &Group,
    whom: &Subject,
    reason: Reason,
) -> Result<Answer, Failure> {
    group.revoke(whom.target.clone(), reason).await.map_err(below)?;
    let (word, _) = events::revocation_reason(reason);
    let record = json!({
        "type": "revoked",
        "peer": whom.name,
        "friendly_name": whom.friendly_name,
        "by": group.own().name,
        "reason": word,
        "serial": null,
    });
    Ok(Answer::one(format!("{} is no member any more.", whom.label), record))
}

/// Leaves `query` just `roles`.
pub(crate) async fn cut_down(group: &Group, query: &str, left: Roles) -> Result<Answer, Failure> {
    let whom = subject(group, query)?;
    group.demote(whom.target.clone(), left).await.map_err(below)?;
    let record = json!({
        "type": "demoted",
        "peer": whom.name,
        "friendly_name": whom.friendly_name,
        "roles": roles(left),
    });
    Ok(Answer::one(format!("{} is {} only.", whom.label, roles(left).join(" and ")), record))
}

/// Renews the membership of `query`, and puts it into the group.
pub(crate) async fn prolong(
    group: &Group,
    query: &str,
    roles: Roles,
    expires: Option<FileTime>,
) -> Result<Answer, Failure> {
    let whom = subject(group, query)?;
    let options = CredentialOptions { roles, expires, store: true, not_before: None };
    let invitation = group.renew_credentials(whom.target.clone(), options).await.map_err(below)?;
    let text = invitation.to_line();
    let record = invite::record(&invitation, &text);
    let line = format!("{} has a new membership: {}.", whom.label, standing(invitation.member()));
    Ok(Answer { lines: vec![line, text], record })
}

/// The members that are known.
pub(crate) fn list(group: &Group) -> Result<Answer, Failure> {
    let listed = group.members(&MemberFilter::default())?;
    let own = group.own();
    let (lines, records) = listed.iter().map(|info| events::member_info(info, &own)).unzip();
    Ok(Answer::many(lines, "No members.", "members", records))
}

/// The group's properties.
pub(crate) fn show(group: &Group) -> Result<Answer, Failure> {
    let properties = group.properties()?;
    let lines = events::property_lines(&properties);
    Ok(Answer { lines, record: events::property_record(&properties) })
}

async fn change(
    group: &Group,
    args: &PropertiesArgs,
    password: Option<GroupPassword>,
) -> Result<Answer, Failure> {
    if password.is_some() || args.no_password {
        group.set_password(password).await?;
    }
    if args.name.is_none() && args.comment.is_none() {
        return show(group);
    }
    let mut properties = group.properties()?;
    if let Some(name) = &args.name {
        properties.friendly_name.clone_from(name);
    }
    if let Some(comment) = &args.comment {
        properties.comment.clone_from(comment);
    }
    group.set_properties(&properties).await?;
    show(group)
}

/// Says why an administrator may not: no one ever stands above everybody.
fn below(error: AdminError) -> Failure {
    match error {
        AdminError::NotAuthorized => Failure::code(
            "only an administrator does that, and only to members below it in the chain of invitations",
            error.code(),
        ),
        error => error.into(),
    }
}
