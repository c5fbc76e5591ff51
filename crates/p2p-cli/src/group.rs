//! `p2p group`, and which group is meant elsewhere.

use p2p_group::{Code, Group, GroupInfo, GroupOptions, Home, Identity};
use serde_json::{Value, json};

use crate::args::{GroupCommand, NewName, NewPassword, Place, Whose};
use crate::exit::Failure;
use crate::peers::{Candidate, Noun, find, only};
use crate::print::{standing, who};
use crate::{Context, end, events, identity, password};

const GROUP: Noun = Noun {
    singular: "group of this identity",
    choose: "choose with --group or --identity",
    missing: Code::PEER_E_NOT_FOUND,
};

/// A group of an identity.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) identity: Identity,
    pub(crate) group: GroupInfo,
}

pub(crate) async fn run(context: &Context, command: GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::Create { name, password, whose } => {
            create(context, name, &password, &whose).await
        }
        GroupCommand::List { whose } => {
            let memberships = memberships(&context.home, whose.identity.as_deref())?;
            if memberships.is_empty() {
                context.out.note("There is no group: `p2p group create NAME` makes one, `p2p join` accepts an invitation.");
            }
            memberships
                .iter()
                .try_for_each(|membership| context.out.say(line(membership), &record(membership)))
        }
        GroupCommand::Show { group, whose } => {
            let membership = pick(&context.home, &Place { whose, group })?;
            context.out.list(lines(&membership), &record(&membership))
        }
        GroupCommand::Delete { group, whose } => {
            let membership = pick(&context.home, &Place { whose, group: Some(group) })?;
            let Membership { identity, group } = &membership;
            context.home.delete_group(identity.name(), &group.name)?;
            let line = format!("Deleted group {}", title(&membership));
            let record = json!({
                "type": "deleted",
                "name": group.name.as_str(),
                "identity": identity.name().as_str(),
            });
            context.out.say(line, &record)
        }
    }
}

async fn create(
    context: &Context,
    name: NewName,
    password: &NewPassword,
    whose: &Whose,
) -> Result<(), Failure> {
    let identity = identity::pick(&context.home, whose.identity.as_deref())?;
    let password = password::of_group(password)?;
    let node = context.start(identity.clone())?;
    let options = GroupOptions {
        classifier: name.classifier,
        friendly_name: name.name,
        password,
        ..GroupOptions::default()
    };
    let group = Group::create(&node, options)?;
    let membership = of(identity, &group);
    end(&group, &node).await;
    let line = format!("Created group {}", title(&membership));
    context.out.say(line, &record(&membership))
}

/// The identity and group that are named, or the only ones.
pub(crate) fn pick(home: &Home, place: &Place) -> Result<Membership, Failure> {
    let memberships = memberships(home, place.whose.identity.as_deref())?;
    let candidates = memberships.into_iter().map(|membership| Candidate {
        name: membership.group.name.to_string(),
        friendly_name: membership.group.friendly_name.clone(),
        value: membership,
    });
    match &place.group {
        Some(query) => {
            let candidates: Vec<_> = candidates.collect();
            // One group may be that of several identities in this home.
            if candidates.iter().filter(|known| known.name == *query).count() > 1 {
                let named = candidates.into_iter().filter(|known| known.name == *query).collect();
                return only(GROUP, named).expect("there are several");
            }
            find(GROUP, query, candidates)
        }
        None => only(GROUP, candidates.collect()).unwrap_or_else(|| {
            let message = "there is no group: `p2p group create NAME` makes one, `p2p join` accepts an invitation";
            Err(Failure::code(message, Code::PEER_E_NOT_FOUND))
        }),
    }
}

/// All groups of the named identity, or of all.
fn memberships(home: &Home, identity: Option<&str>) -> Result<Vec<Membership>, Failure> {
    let identities = match identity {
        Some(query) => vec![identity::pick(home, Some(query))?],
        None => home.identities()?,
    };
    let mut memberships = Vec::new();
    for identity in identities {
        for group in home.groups(identity.name())? {
            memberships.push(Membership { identity: identity.clone(), group });
        }
    }
    Ok(memberships)
}

/// What an open group is.
pub(crate) fn of(identity: Identity, group: &Group) -> Membership {
    let info = GroupInfo {
        key: group.key(),
        name: group.name().clone(),
        friendly_name: group.friendly_name().to_owned(),
        own: group.own(),
    };
    Membership { identity, group: info }
}

/// The group for people: `garden  7d0c....`.
pub(crate) fn title(membership: &Membership) -> String {
    let group = &membership.group;
    if group.friendly_name.is_empty() {
        group.name.to_string()
    } else {
        format!("{}  {}", group.friendly_name, group.name)
    }
}

fn line(membership: &Membership) -> String {
    let Membership { identity, group } = membership;
    let identity = who(identity.friendly_name(), identity.name().as_str());
    format!("{}  {identity}: {}", title(membership), standing(&group.own))
}

fn lines(membership: &Membership) -> Vec<String> {
    let Membership { identity, group } = membership;
    let own = &group.own;
    vec![
        format!("group       {}", title(membership)),
        format!("identity    {}  {}", identity.friendly_name(), identity.name()),
        format!("membership  {}", standing(own)),
        format!("issued by   {}", who(&own.issuer_friendly_name, &own.issuer_name)),
        format!("depth       {} (the creator's is 1)", own.depth),
    ]
}

/// The group for programs.
pub(crate) fn record(membership: &Membership) -> Value {
    let Membership { identity, group } = membership;
    let mut record = json!({
        "type": "group",
        "name": group.name.as_str(),
        "friendly_name": group.friendly_name,
        "identity": identity.name().as_str(),
    });
    events::add_standing(record.as_object_mut().expect("it is an object"), &group.own);
    record
}
