//! A group's properties: read for a new group, shown, and changed by the creator.

use core::ptr;

use p2p_group::{
    Code, Group, GroupFlags, GroupOptions, GroupPassword, GroupProperties, PeerName, Roles, Schemes,
};
use zeroize::Zeroizing;

use crate::guard::{self, Failure, Out};
use crate::identity::{optional_classifier, optional_friendly_name};
use crate::layout::{
    GUID, HGROUP, HRESULT, PCWSTR, PEER_GROUP_GMC_AUTHENTICATION,
    PEER_GROUP_PASSWORD_AUTHENTICATION, PEER_GROUP_PROPERTIES,
};
use crate::memory::{self, Arena};
use crate::runtime::Process;
use crate::wide::{self, NAME_MAX, PASSWORD_MAX};

/// What most fields of the structure are refused with.
const WRONG: Code = Code::PEER_E_INVALID_GROUP_PROPERTIES;
/// Longest comment of a group, in UTF-16 units.
const COMMENT_MAX: usize = 255;
/// Longest name of a cloud that is looked at.
const CLOUD_MAX: usize = 255;
/// What the only cloud there is is called.
pub(crate) const CLOUD: &str = "Global_";

/// The group's properties as they are known here; also offline. The password is never among them: nobody keeps it.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_GROUP`. `PEER_E_GROUP_NOT_READY`: no exchange with a
/// member yet. `E_OUTOFMEMORY`.
///
/// # Safety
/// `ppProperties` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupGetProperties(
    hGroup: HGROUP,
    ppProperties: *mut *mut PEER_GROUP_PROPERTIES,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppProperties, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(hGroup)?;
        let properties = group.properties()?;
        out.set(memory::build(Code::S_OK, |arena| describe(arena, &group, &properties))?);
        Ok(Code::S_OK)
    })
}

/// Replaces the properties that can change; only for the group's creator, where it made the group. A null text in what
/// cannot change means that it stays, a null password too. Every node gets `PEER_GROUP_EVENT_PROPERTY_CHANGED`; here it
/// is queued when this returns, and the properties are on disk.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `E_INVALIDARG`: null, a wrong `dwSize`, text that is not UTF-16, or a
/// password of more than 1,024 bytes in UTF-8. `PEER_E_GROUP_NOT_READY`: no exchange with a member yet.
/// `PEER_E_NOT_AUTHORIZED`: not the creator. `PEER_E_INVALID_GROUP_PROPERTIES`: something that cannot change, or that
/// cannot be. `PEER_E_PASSWORD_DOES_NOT_MEET_POLICY`. `E_OUTOFMEMORY`, and what the disk gives.
///
/// # Safety
/// `pProperties` is null, or may be read for as many bytes as its `dwSize` says, and its texts end in 0.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupSetProperties(
    hGroup: HGROUP,
    pProperties: *const PEER_GROUP_PROPERTIES,
) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.group(hGroup)?;
        // SAFETY: as the caller promises.
        let (given, old_form) = unsafe { read(pProperties)? };
        let known = group.properties()?;
        if known.creator != group.own().key {
            return Err(Code::PEER_E_NOT_AUTHORIZED.into());
        }
        // SAFETY: as the caller promises.
        let changed = unsafe {
            check_fixed(&given, &group, &known)?;
            change(&given, old_form, &group, known)?
        };
        group
            .set_properties_blocking(&changed)
            .map_err(|error| Failure::new(only_documented(error.code()), error.refusal()))?;
        Ok(Code::S_OK)
    })
}

/// Reads the structure in either size; what the older one lacks is 0, and the answer says so.
///
/// # Safety
/// `properties` is null, or may be read for as many bytes as its first field says.
pub(crate) unsafe fn read(
    properties: *const PEER_GROUP_PROPERTIES,
) -> Result<(PEER_GROUP_PROPERTIES, bool), Failure> {
    // SAFETY: null is checked; every size has its first field.
    let size = unsafe { guard::required(properties.cast::<u32>())? } as usize;
    let old_form = size == PEER_GROUP_PROPERTIES::OLD_SIZE;
    if size != size_of::<PEER_GROUP_PROPERTIES>() && !old_form {
        return Err(Code::E_INVALIDARG.into());
    }
    let mut whole = core::mem::MaybeUninit::<PEER_GROUP_PROPERTIES>::zeroed();
    // SAFETY: as the caller promises, so many bytes may be read; they fit, and all fields may hold any bits.
    unsafe {
        ptr::copy_nonoverlapping(properties.cast::<u8>(), whole.as_mut_ptr().cast::<u8>(), size);
        Ok((whole.assume_init(), old_form))
    }
}

/// What a new group is to be. What is out of range, `p2p-group` says.
///
/// # Safety
/// The texts of the properties are null or end in 0.
pub(crate) unsafe fn options(given: &PEER_GROUP_PROPERTIES) -> Result<GroupOptions, Failure> {
    // SAFETY: as the caller promises.
    let (classifier, friendly_name, comment, password) = unsafe {
        (
            optional_classifier(given.pwzClassifier)?,
            optional_friendly_name(given.pwzFriendlyName)?,
            comment(given)?,
            password(given)?,
        )
    };
    let schemes = schemes(given)?;
    let role = role(given);
    if schemes.contains(Schemes::PASSWORD) && role.is_none() {
        return Err(Code::PEER_E_INVALID_ROLE_PROPERTY.into());
    }
    if !given.pwzGroupPeerName.is_null()
        || schemes.contains(Schemes::PASSWORD) != password.is_some()
    {
        return Err(WRONG.into());
    }
    let password = password.zip(role).map(|(password, role)| {
        let mut password = GroupPassword::new(password.as_str(), role);
        password.only = !schemes.contains(Schemes::CERTIFICATE);
        password
    });
    Ok(GroupOptions {
        classifier,
        friendly_name,
        comment,
        flags: GroupFlags(given.dwFlags),
        member_data_lifetime: given.ulMemberDataLifetime,
        presence_lifetime: given.ulPresenceLifetime,
        password,
    })
}

/// Whether a cloud is the only one there is.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn is_global(cloud: PCWSTR) -> Result<bool, Failure> {
    // SAFETY: as the caller promises.
    match unsafe { wide::read_optional(cloud, CLOUD_MAX) } {
        Ok(cloud) => Ok(cloud.is_none_or(|cloud| matches!(cloud.as_str(), "" | CLOUD | "global"))),
        Err(error) if error.or_too_long(Code::S_OK).is_success() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether all that cannot change is null, or as it was.
///
/// # Safety
/// The texts of the properties are null or end in 0.
unsafe fn check_fixed(
    given: &PEER_GROUP_PROPERTIES,
    group: &Group,
    known: &GroupProperties,
) -> Result<(), Failure> {
    // SAFETY: as the caller promises.
    let (global, classifier, name, creator) = unsafe {
        (
            is_global(given.pwzCloud)?,
            fixed(given.pwzClassifier)?,
            fixed(given.pwzGroupPeerName)?,
            fixed(given.pwzCreatorPeerName)?,
        )
    };
    let is = |text: Option<String>, name: &PeerName| {
        text.is_none_or(|text| PeerName::parse(&text).is_ok_and(|text| text == *name))
    };
    let same = global
        && classifier.is_none_or(|classifier| classifier == group.name().classifier())
        && is(name, group.name())
        && is(creator, &known.creator_name);
    if same { Ok(()) } else { Err(WRONG.into()) }
}

/// # Safety
/// The text is null or ends in 0.
unsafe fn fixed(text: PCWSTR) -> Result<Option<String>, Failure> {
    // SAFETY: as the caller promises.
    let text = unsafe { wide::read_optional(text, NAME_MAX) };
    text.map_err(|error| error.or_too_long(WRONG).into())
}

/// The properties with what was given.
///
/// # Safety
/// The texts of the properties are null or end in 0.
unsafe fn change(
    given: &PEER_GROUP_PROPERTIES,
    old_form: bool,
    group: &Group,
    known: GroupProperties,
) -> Result<GroupProperties, Failure> {
    // SAFETY: as the caller promises.
    let (friendly_name, comment, password) = unsafe {
        let name = optional_friendly_name(given.pwzFriendlyName);
        let name = name.map_err(|failure| Failure::from(only_documented(failure.code)))?;
        (name.unwrap_or_default(), comment(given)?, password(given)?)
    };
    let mut changed = GroupProperties {
        // Shown as the peer name, kept as none.
        friendly_name: if friendly_name == group.name().as_str() {
            String::new()
        } else {
            friendly_name
        },
        comment,
        flags: GroupFlags(given.dwFlags),
        member_data_lifetime: given.ulMemberDataLifetime,
        presence_lifetime: given.ulPresenceLifetime,
        ..known
    };
    if old_form {
        return Ok(changed);
    }
    changed.schemes = schemes(given)?;
    if !changed.schemes.contains(Schemes::PASSWORD) {
        if password.is_some() {
            return Err(WRONG.into());
        }
        (changed.password_role, changed.password_verifier) = (None, None);
        return Ok(changed);
    }
    let role = role(given).ok_or(WRONG)?;
    changed.password_role = Some(role);
    if let Some(password) = password {
        let mut password = GroupPassword::new(password.as_str(), role);
        password.only = !changed.schemes.contains(Schemes::CERTIFICATE);
        password.apply(&group.key(), &mut changed)?;
    }
    Ok(changed)
}

/// `PeerGroupSetProperties` has one code for names and roles that cannot be.
fn only_documented(code: Code) -> Code {
    match code {
        Code::PEER_E_INVALID_FRIENDLY_NAME | Code::PEER_E_INVALID_ROLE_PROPERTY => WRONG,
        code => code,
    }
}

/// # Safety
/// The texts of the properties are null or end in 0.
unsafe fn comment(given: &PEER_GROUP_PROPERTIES) -> Result<String, Failure> {
    // SAFETY: as the caller promises.
    let comment = unsafe { wide::read_optional(given.pwzComment, COMMENT_MAX) };
    Ok(comment.map_err(|error| error.or_too_long(WRONG))?.unwrap_or_default())
}

/// # Safety
/// The texts of the properties are null or end in 0.
unsafe fn password(given: &PEER_GROUP_PROPERTIES) -> Result<Option<Zeroizing<String>>, Failure> {
    if given.pwzGroupPassword.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    Ok(Some(unsafe { wide::read_secret(given.pwzGroupPassword, PASSWORD_MAX)? }))
}

/// How members may join: 0 is by invitation.
fn schemes(given: &PEER_GROUP_PROPERTIES) -> Result<Schemes, Failure> {
    const ALL: u32 = (PEER_GROUP_GMC_AUTHENTICATION | PEER_GROUP_PASSWORD_AUTHENTICATION) as u32;
    match given.dwAuthenticationSchemes {
        0 => Ok(Schemes::CERTIFICATE),
        schemes if schemes & !ALL == 0 => Ok(Schemes(schemes)),
        _ => Err(WRONG.into()),
    }
}

fn role(given: &PEER_GROUP_PROPERTIES) -> Option<Roles> {
    Roles::from_guid(given.groupPasswordRole.into())
}

fn describe(arena: &mut Arena, group: &Group, properties: &GroupProperties) {
    let top = arena.reserve(1);
    let role = properties.password_role.and_then(|role| role.guids().next());
    let classifier = group.name().classifier();
    let friendly_name = match properties.friendly_name.as_str() {
        "" => group.name().as_str(),
        name => name,
    };
    let shown = PEER_GROUP_PROPERTIES {
        dwSize: size_of::<PEER_GROUP_PROPERTIES>() as u32,
        dwFlags: properties.flags.0,
        pwzCloud: arena.wide(CLOUD),
        pwzClassifier: match classifier {
            "" => ptr::null_mut(),
            classifier => arena.wide(classifier),
        },
        pwzGroupPeerName: arena.wide(group.name().as_str()),
        pwzCreatorPeerName: arena.wide(properties.creator_name.as_str()),
        pwzFriendlyName: arena.wide(friendly_name),
        pwzComment: arena.wide(&properties.comment),
        ulMemberDataLifetime: properties.member_data_lifetime,
        ulPresenceLifetime: properties.presence_lifetime,
        dwAuthenticationSchemes: properties.schemes.0,
        pwzGroupPassword: ptr::null_mut(),
        groupPasswordRole: role.map_or(GUID::default(), GUID::from),
    };
    arena.set(top, 0, shown);
}
