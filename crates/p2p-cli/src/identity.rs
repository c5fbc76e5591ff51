//! `p2p identity`, and which identity is meant elsewhere.

use p2p_group::{Code, Home, Identity, IdentityOptions};
use serde_json::{Value, json};

use crate::Context;
use crate::args::IdentityCommand;
use crate::exit::Failure;
use crate::peers::{Candidate, Noun, find, only};

const IDENTITY: Noun = Noun {
    singular: "identity in this home",
    choose: "choose with --identity",
    missing: Code::PEER_E_NOT_FOUND,
};

pub(crate) fn run(context: &Context, command: IdentityCommand) -> Result<(), Failure> {
    match command {
        IdentityCommand::Create(name) => {
            let options = IdentityOptions { classifier: name.classifier, friendly_name: name.name };
            let identity = context.home.create_identity(options)?;
            let line = format!("Created identity {}", line(&identity));
            context.out.say(line, &record(&identity))
        }
        IdentityCommand::List => {
            let identities = context.home.identities()?;
            if identities.is_empty() {
                context.out.note("There is no identity yet: `p2p identity create NAME` makes one.");
            }
            for identity in identities {
                context.out.say(line(&identity), &record(&identity))?;
            }
            Ok(())
        }
        IdentityCommand::Show { identity } => {
            let identity = pick(&context.home, identity.as_deref())?;
            let mut record = record(&identity);
            record["xml"] = identity.to_xml().into();
            context.out.text(&identity.to_xml(), &record)
        }
    }
}

/// The identity that is named, or the only one.
pub(crate) fn pick(home: &Home, query: Option<&str>) -> Result<Identity, Failure> {
    let identities = home.identities()?.into_iter().map(|identity| Candidate {
        name: identity.name().to_string(),
        friendly_name: identity.friendly_name().to_owned(),
        value: identity,
    });
    match query {
        Some(query) => find(IDENTITY, query, identities.collect()),
        None => only(IDENTITY, identities.collect()).unwrap_or_else(|| Err(none())),
    }
}

/// There is no identity at all.
pub(crate) fn none() -> Failure {
    let message = "there is no identity in this home: `p2p identity create NAME` makes one";
    Failure::code(message, Code::PEER_E_NOT_FOUND)
}

fn line(identity: &Identity) -> String {
    if identity.friendly_name().is_empty() {
        identity.name().to_string()
    } else {
        format!("{}  {}", identity.friendly_name(), identity.name())
    }
}

fn record(identity: &Identity) -> Value {
    json!({
        "type": "identity",
        "name": identity.name().as_str(),
        "friendly_name": identity.friendly_name(),
    })
}
