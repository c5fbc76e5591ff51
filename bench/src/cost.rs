//! What this process has used so far. Only Linux tells.

use std::time::Duration;

use crate::Failure;

/// What the threads of this name have worked, or all of them. A thread that has ended is forgotten.
pub(crate) fn worked(wanted: Option<&str>) -> Result<Duration, Failure> {
    let mut nanos = 0_u64;
    for entry in std::fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        // A thread may end while we look.
        let Ok(name) = std::fs::read_to_string(path.join("comm")) else { continue };
        if wanted.is_none_or(|wanted| name.trim_end() == wanted) {
            let Ok(line) = std::fs::read_to_string(path.join("schedstat")) else { continue };
            nanos += line.split_whitespace().next().ok_or("schedstat is empty")?.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// Memory in KiB that is resident.
pub(crate) fn resident() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}

/// Processes of the machine that want to run, over the last minute: what disturbs the figures.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
