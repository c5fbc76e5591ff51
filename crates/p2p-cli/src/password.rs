//! Passwords: asked for at the terminal without showing them, or read from a file. Never from the command line, which
//! other users of the machine can see.

use std::fs::File;
use std::io::{self, Read};

use p2p_group::{Code, GroupPassword};
use zeroize::Zeroizing;

use crate::args::{NewPassword, Role};
use crate::exit::Failure;
use crate::input::unreadable;
use crate::print::complain;

/// Longest password, in bytes.
const MAX: usize = 1_024;

/// A password that is to be set: asked for twice.
pub(crate) fn chosen(file: Option<&str>) -> Result<Zeroizing<String>, Failure> {
    if file.is_some() {
        return known(file);
    }
    let _silent = Silence::begin();
    let first = ask("New password: ")?;
    if *first != *ask("Once more: ")? {
        return Err(Failure::code("the two passwords differ", Code::E_INVALIDARG));
    }
    Ok(first)
}

/// The password that a group is to have, if one is wanted.
pub(crate) fn of_group(args: &NewPassword) -> Result<Option<GroupPassword>, Failure> {
    if !args.password && args.password_file.is_none() {
        if args.password_only || args.password_role != Role::Member {
            return Err(Failure::usage("--password-role and --password-only go with --password"));
        }
        return Ok(None);
    }
    let password = chosen(args.password_file.as_deref())?;
    let mut password = GroupPassword::new(&**password, Role::union(&[args.password_role]));
    password.only = args.password_only;
    Ok(Some(password))
}

/// A password that was set before.
pub(crate) fn known(file: Option<&str>) -> Result<Zeroizing<String>, Failure> {
    match file {
        None => ask("Password: "),
        Some("-") => read(io::stdin().lock(), "standard input"),
        Some(path) => read(File::open(path).map_err(|error| unreadable(path, &error))?, path),
    }
}

/// While it lives, the terminal does not show what is typed.
struct Silence(#[cfg(unix)] Option<(File, rustix::termios::Termios)>);

impl Silence {
    #[cfg(unix)]
    fn begin() -> Silence {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let quiet = || -> io::Result<_> {
            let terminal = File::options().read(true).write(true).open("/dev/tty")?;
            let before = tcgetattr(&terminal)?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            tcsetattr(&terminal, OptionalActions::Now, &silent)?;
            Ok((terminal, before))
        };
        // Without a terminal nothing is shown; whoever asks there says so.
        Silence(quiet().ok())
    }

    #[cfg(not(unix))]
    fn begin() -> Silence {
        Silence()
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some((terminal, before)) = &self.0
            && let Err(error) = tcsetattr(terminal, OptionalActions::Now, before)
        {
            complain(&format!("p2p: the terminal still does not show what is typed: {error}"));
        }
    }
}

/// Asks at the terminal, wherever standard input and output go.
fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let _silent = Silence::begin();
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| {
        Failure::usage(format!(
            "no terminal to ask for the password ({error}): name a file with --password-file"
        ))
    })
}

/// All of it but one end of line.
fn read(from: impl Read, source: &str) -> Result<Zeroizing<String>, Failure> {
    // Room for all of it at once: a buffer that grows would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 4));
    from.take(MAX as u64 + 3)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(source, &error))?;
    let text = str::from_utf8(&bytes).map_err(|_| {
        Failure::code(format!("{source}: not a text, so no password"), Code::E_INVALIDARG)
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.len() > MAX {
        let message = format!("{source}: a password has at most {MAX} bytes");
        return Err(Failure::code(message, Code::E_INVALIDARG));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_all_but_the_end_of_its_line() {
        for (bytes, password) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            (" a b \r\n", " a b "),
            ("x\n\n", "x\n"),
            ("", ""),
        ] {
            assert_eq!(*read(bytes.as_bytes(), "x").unwrap(), password);
        }
    }

    #[test]
    fn a_password_is_bounded_and_text() {
        let long = "x".repeat(MAX);
        assert_eq!(read(format!("{long}\r\n").as_bytes(), "x").unwrap().len(), MAX);
        assert!(read(format!("{long}x").as_bytes(), "x").is_err());
        assert!(read([0xff].as_slice(), "x").is_err());
    }
}
