//! `coverage FILE...`: how much of p2p-core the runs behind some raw profiles reached, one line for each.
//!
//! The profiles are what a program built with `-C instrument-coverage` leaves (LLVM's raw profile, version 10, 64 bits,
//! names uncompressed). A counter stands for a region of a function. The core is generic in who judges certificates,
//! and each target has its own; the same region in two instances is one region here. What no instance can say is whether
//! it would be reached with other types: all that exists anywhere is what can be reached.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use md5::{Digest, Md5};

/// "\xfflprofr\x81", as the machine's own number.
const MAGIC: u64 = 0xff6c_7072_6f66_7281;
const VERSION: u64 = 10;
/// The head: 16 numbers.
const HEAD: usize = 16 * 8;
/// A function's record.
const RECORD: usize = 64;
/// The core as a mangled name (v0) has it.
const CORE: &str = "8p2p_core";
/// The types of which the core is an instance, as they stand in mangled names.
const INSTANCES: [&str; 2] = ["8p2p_fuzz4fake4Fake", "9p2p_model4fake4Fake"];

type Failure = Box<dyn std::error::Error>;
/// Of each function of the core, which of its regions were reached.
type Reached = BTreeMap<String, Vec<bool>>;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    match report(&files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coverage: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Name of the file without its ending, regions reached, regions there are.
fn report(files: &[String]) -> Result<(), Failure> {
    let mut all = Reached::new();
    let mut runs = Vec::new();
    for file in files {
        let run = reached(&std::fs::read(file)?).map_err(|error| format!("{file}: {error}"))?;
        run.iter().for_each(|(name, regions)| join(&mut all, name, regions));
        runs.push((Path::new(file).file_stem().unwrap_or_default().to_string_lossy(), run));
    }
    let there = all.values().map(Vec::len).sum::<usize>();
    for (name, run) in runs {
        println!("{name} {} {there}", count(&run));
    }
    Ok(())
}

fn count(run: &Reached) -> usize {
    run.values().flatten().filter(|reached| **reached).count()
}

/// Two instances of one function may differ in what the compiler left of them; the longer one counts.
fn join(all: &mut Reached, name: &str, regions: &[bool]) {
    let known = all.entry(name.to_owned()).or_default();
    known.resize(known.len().max(regions.len()), false);
    known.iter_mut().zip(regions).for_each(|(known, reached)| *known |= reached);
}

/// Reads one profile.
fn reached(profile: &[u8]) -> Result<Reached, Failure> {
    let head = Head::read(profile)?;
    let names = names(part(profile, head.names(), head.names_len)?)?;
    let counters = part(profile, head.counters(), head.counters_len * 8)?;
    let records = part(profile, HEAD + head.ids_len, head.records * RECORD)?;
    let mut run = Reached::new();
    for (i, record) in records.chunks_exact(RECORD).enumerate() {
        let Some(name) = names.get(&number(record, 0)?).filter(|name| is_of_the_core(name)) else {
            continue;
        };
        // Where the counters are is told from where the record is, and all records lie in a row.
        let first = number(record, 16)?.wrapping_sub(head.delta).wrapping_add((i * RECORD) as u64);
        let length = u32::from_le_bytes(part(record, 48, 4)?.try_into()?);
        let regions = part(counters, usize::try_from(first)?, length as usize * 8)?;
        let regions: Vec<bool> = regions.chunks_exact(8).map(|c| c != [0; 8]).collect();
        join(&mut run, &without_instance(name), &regions);
    }
    if run.is_empty() { Err("nothing of the core is in it".into()) } else { Ok(run) }
}

/// What of the head is needed; lengths in bytes, or numbers of what they count.
struct Head {
    ids_len: usize,
    records: usize,
    padding: [usize; 3],
    counters_len: usize,
    bitmap_len: usize,
    names_len: usize,
    /// From the first record to the first counter, in the memory of the program.
    delta: u64,
}

impl Head {
    fn read(profile: &[u8]) -> Result<Head, Failure> {
        if number(profile, 0)? != MAGIC || number(profile, 8)? & 0xff != VERSION {
            return Err("not a raw profile in the version that is understood here".into());
        }
        let field =
            |i: usize| -> Result<usize, Failure> { Ok(number(profile, i * 8)?.try_into()?) };
        Ok(Head {
            ids_len: field(2)?,
            records: field(3)?,
            padding: [field(4)?, field(6)?, field(8)?],
            counters_len: field(5)?,
            bitmap_len: field(7)?,
            names_len: field(9)?,
            delta: number(profile, 10 * 8)?,
        })
    }

    fn counters(&self) -> usize {
        HEAD + self.ids_len + self.records * RECORD + self.padding[0]
    }

    fn names(&self) -> usize {
        let bitmap = self.counters() + self.counters_len * 8 + self.padding[1];
        bitmap + self.bitmap_len + self.padding[2]
    }
}

/// The names by their hashes, of which the records hold the first 8 bytes.
fn names(mut blob: &[u8]) -> Result<BTreeMap<u64, &str>, Failure> {
    let mut found = BTreeMap::new();
    // The linker fills with zeros between what came from different objects.
    while let Some(start) = blob.iter().position(|byte| *byte != 0) {
        blob = &blob[start..];
        let length = leb128(&mut blob)?;
        if leb128(&mut blob)? != 0 {
            return Err("its names are compressed".into());
        }
        let names = std::str::from_utf8(part(blob, 0, length)?)?;
        for name in names.split('\u{1}') {
            found.insert(number(&Md5::digest(name), 0)?, name);
        }
        blob = &blob[length..];
    }
    Ok(found)
}

/// Whether a function is written in the core: the first crate in its name is where it stands, others are its types'.
fn is_of_the_core(name: &str) -> bool {
    let stands = name.split_once("Cs").and_then(|(_, after)| after.split_once('_'));
    stands.is_some_and(|(_, path)| path.starts_with(CORE))
}

/// The name as it would be of any instance: without the type, and without references back into itself.
fn without_instance(name: &str) -> String {
    let mut rest = INSTANCES.iter().fold(name.to_owned(), |name, one| name.replace(one, ""));
    // A crate's disambiguator, and a reference back: a letter or two, digits of base 62, an underscore.
    for mark in ["Cs", "B"] {
        let mut kept = String::new();
        while let Some((before, after)) = rest.split_once(mark) {
            kept += before;
            let digits = after.find(|c: char| !c.is_ascii_alphanumeric());
            rest = match digits {
                Some(end) if after[end..].starts_with('_') => after[end + 1..].to_owned(),
                _ => after.to_owned(),
            };
        }
        rest = kept + &rest;
    }
    rest
}

/// Unsigned, least significant first, seven bits in each byte.
fn leb128(bytes: &mut &[u8]) -> Result<usize, Failure> {
    let mut value = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("it ends within a number")?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number is too long".into())
}

fn number(bytes: &[u8], at: usize) -> Result<u64, Failure> {
    Ok(u64::from_le_bytes(part(bytes, at, 8)?.try_into()?))
}

fn part(bytes: &[u8], from: usize, length: usize) -> Result<&[u8], Failure> {
    Ok(bytes.get(from..from.saturating_add(length)).ok_or("it is shorter than it says")?)
}
