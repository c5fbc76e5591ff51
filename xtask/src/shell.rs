//! Running other programs: from the project's root, printed before they start.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the project's root")
        .to_owned()
}

/// The cargo that started us, with these arguments.
pub(crate) fn cargo<I: AsRef<str>>(args: &[I]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(args.iter().map(AsRef::as_ref));
    command
}

/// Whether a program can be started and succeeds, without a word.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Prints the command and runs it to its end.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", shown(command))) }
}

/// Like [`run`], but gives up after `limit` and ends the program.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Outcome {
    println!("$ {}", shown(command));
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", shown(command)))?;
    let status = wait(&mut child, limit)?
        .ok_or_else(|| format!("`{}`: no end within {limit:?}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", shown(command))) }
}

/// The exit status, or `None` if the child had to be ended at the limit.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<std::process::ExitStatus>, String> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(Some(status));
        }
        if begun.elapsed() > limit {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A command as one would type it; paths inside the project are relative.
fn shown(command: &Command) -> String {
    let root = format!("{}/", root().display());
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let words = command.get_args().map(|word| word.to_string_lossy().replace(&root, ""));
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.arg("doc").arg(root().join("crates"));
        assert_eq!(shown(&command), "cargo doc crates");
    }

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        let why = run(&mut cargo(&["no-such-command-exists"])).unwrap_err();
        assert!(why.contains("no-such-command-exists"), "{why}");
    }
}
