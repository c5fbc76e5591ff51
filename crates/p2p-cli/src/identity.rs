//! `p2p identity`, and which identity is meant elsewhere.

use p2p_group::{Code, Home, Identity, IdentityOptions, PeerName};
use serde_json::{Value, json};

use crate::Context;
use crate::args::{IdentityCommand, Password};
use crate::exit::Failure;
use crate::input;
use crate::password;
use crate::peers::{Candidate, Noun, find, only};

const IDENTITY: Noun = Noun {
    singular: "identity in this home",
    choose: "choose with --identity",
    missing: Code::PEER_E_NOT_FOUND,
};

pub(crate) fn run(context: &Context, command: IdentityCommand) -> Result<(), Failure> {
    match command {
        IdentityCommand::Create { name, key } => {
            let (classifier, friendly_name, key) = (name.classifier, name.name, key.kind());
            let options = IdentityOptions { classifier, friendly_name, key };
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
        IdentityCommand::Rename { identity, name } => {
            let identity = pick(&context.home, Some(&identity))?;
            let renamed = context.home.rename_identity(identity.name(), name.as_deref())?;
            let said = format!("{} is now {}", identity.friendly_name(), line(&renamed));
            context.out.say(said, &record(&renamed))
        }
        IdentityCommand::Export { identity, password } => {
            export(context, identity.as_deref(), &password)
        }
        IdentityCommand::Import { export, password } => {
            import(context, export.as_deref(), &password)
        }
        IdentityCommand::Delete { identity } => {
            let identity = pick(&context.home, Some(&identity))?;
            delete(context, identity.friendly_name(), identity.name())
        }
    }
}

fn export(context: &Context, identity: Option<&str>, from: &Password) -> Result<(), Failure> {
    let identity = pick(&context.home, identity)?;
    let password = password::chosen(from.password_file.as_deref())?;
    let text = identity.export(&password)?;
    let mut record = record(&identity);
    record["export"] = text.as_str().into();
    context.out.text(&text, &record)
}

fn import(context: &Context, export: Option<&str>, from: &Password) -> Result<(), Failure> {
    let from = from.password_file.as_deref();
    if matches!(export, None | Some("-")) && from == Some("-") {
        let message = "standard input can be the export or the password, not both";
        return Err(Failure::usage(message));
    }
    let text = input::text(export, "export", |text| text.trim_start().starts_with('<'))?;
    let password = password::known(from)?;
    let identity = Identity::import(&text, &password)?;
    let identity = context.home.add_identity(&identity)?;
    context.out.say(format!("Imported identity {}", line(&identity)), &record(&identity))
}

fn delete(context: &Context, friendly_name: &str, name: &PeerName) -> Result<(), Failure> {
    context.home.delete_identity(name)?;
    let record = json!({ "type": "deleted", "name": name.as_str(), "identity": name.as_str() });
    context.out.say(format!("Deleted identity {friendly_name}  {name}"), &record)
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
