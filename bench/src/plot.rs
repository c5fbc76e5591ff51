//! A figure for each workload: a bar for each side up to its median, a line from its lowest to its highest round.

use std::fmt::Write;
use std::path::Path;

use crate::{Failure, Row, Sample, median};

/// Pixels: of the whole, of a bar with its distance, of what stands left of the bars, and of the longest bar.
const WIDTH: f64 = 640.0;
const ROW: f64 = 34.0;
const LEFT: f64 = 70.0;
const LONGEST: f64 = 400.0;
const TITLE: f64 = 34.0;

/// Writes `workload.svg` for each workload that was measured.
pub(crate) fn write(folder: &Path, rows: &[Row], samples: &[Sample]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    for (workload, unit, other) in rows {
        let bars: Vec<Bar> = ["p2p", other]
            .into_iter()
            .filter_map(|peer| Bar::of(peer, samples.iter().filter(|s| s.workload == *workload)))
            .collect();
        if !bars.is_empty() {
            let path = folder.join(format!("{workload}.svg"));
            std::fs::write(path, drawing(workload, unit, &bars)?)?;
        }
    }
    Ok(())
}

struct Bar<'a> {
    peer: &'a str,
    low: f64,
    middle: f64,
    high: f64,
}

impl<'a> Bar<'a> {
    fn of<'b>(peer: &'a str, samples: impl Iterator<Item = &'b Sample>) -> Option<Bar<'a>> {
        let values: Vec<f64> = samples.filter(|s| s.peer == peer).map(|s| s.value).collect();
        let low = values.iter().copied().min_by(f64::total_cmp)?;
        let high = values.iter().copied().max_by(f64::total_cmp)?;
        Some(Bar { peer, low, middle: median(values.into_iter()), high })
    }
}

fn drawing(workload: &str, unit: &str, bars: &[Bar<'_>]) -> Result<String, Failure> {
    let most = bars.iter().map(|bar| bar.high).fold(f64::MIN_POSITIVE, f64::max);
    let height = TITLE + ROW * bars.len() as f64 + 8.0;
    let mut out = String::new();
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="14">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="8" y="22" font-weight="bold">{workload} ({unit})</text>"##
    )?;
    for (n, bar) in bars.iter().enumerate() {
        let top = TITLE + ROW * n as f64;
        let (middle, text) = (top + 12.0, top + 17.0);
        let at = |value: f64| LEFT + LONGEST * value / most;
        let colour = if bar.peer == "p2p" { "#2a6fb0" } else { "#9a9a9a" };
        writeln!(
            out,
            r##"<text x="8" y="{text}">{}</text>
<rect x="{LEFT}" y="{top}" width="{:.1}" height="24" fill="{colour}"/>
<path d="M {:.1} {middle} H {:.1}" stroke="#000000" stroke-width="2"/>
<text x="{:.1}" y="{text}">{:.2}</text>"##,
            bar.peer,
            at(bar.middle) - LEFT,
            at(bar.low),
            at(bar.high),
            at(bar.high) + 8.0,
            bar.middle
        )?;
    }
    writeln!(out, "</svg>")?;
    Ok(out)
}
