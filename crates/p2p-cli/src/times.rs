//! Ends of memberships, as people write and read them.

use jiff::civil::{Date, DateTime, date};
use jiff::{SignedDuration, Span, Timestamp, tz::TimeZone};
use p2p_group::FileTime;

/// Reads the end of a membership: a span from now on (`30d`, `12h`, `1y`), a date (through its end, UTC), or an
/// RFC 3339 time.
pub(crate) fn parse_end(text: &str) -> Result<FileTime, String> {
    end_after(text, p2p_group::now())
}

fn end_after(text: &str, now: FileTime) -> Result<FileTime, String> {
    let seconds = if let Ok(day) = text.parse::<Date>() {
        // A time would parse as a date too, without its time.
        match text.parse::<Timestamp>() {
            Ok(time) => time.as_second(),
            Err(_) if text.len() > "2027-01-31".len() => return Err(unreadable()),
            Err(_) => end_of(day).ok_or_else(out_of_range)?,
        }
    } else {
        let span: Span = text.parse().map_err(|_| unreadable())?;
        if !span.is_positive() {
            return Err("the span must lie in the future".to_owned());
        }
        let start = Timestamp::from_second(now.to_unix()).map_err(|_| out_of_range())?;
        let end = start.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| out_of_range())?;
        end.timestamp().as_second()
    };
    Ok(FileTime::from_unix(seconds))
}

fn end_of(day: Date) -> Option<i64> {
    let next = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(next.timestamp().as_second())
}

fn unreadable() -> String {
    "neither a span (30d), a date (2027-01-31) nor a time (2027-01-31T12:00:00Z)".to_owned()
}

fn out_of_range() -> String {
    "beyond the year 9999".to_owned()
}

/// As RFC 3339, to the second: `2027-01-31T12:00:00Z`.
pub(crate) fn rfc3339(time: FileTime) -> String {
    // Civil time reaches the last second of the year 9999, `Timestamp` does not.
    let epoch: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
    match epoch.checked_add(SignedDuration::from_secs(time.to_unix())) {
        Ok(moment) => format!("{moment}Z"),
        Err(_) => "9999-12-31T23:59:59Z".to_owned(),
    }
}

/// For people: as [`rfc3339`], or that there is no end.
pub(crate) fn end_for_people(time: FileTime) -> String {
    if time >= FileTime::NO_END {
        "without end".to_owned()
    } else {
        format!("until {}", rfc3339(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Result<String, String> {
        // 2026-02-28T12:00:00Z
        end_after(text, FileTime::from_unix(1_772_280_000)).map(rfc3339)
    }

    #[test]
    fn spans_count_from_now() {
        assert_eq!(end("30d").unwrap(), "2026-03-30T12:00:00Z");
        assert_eq!(end("12h").unwrap(), "2026-03-01T00:00:00Z");
        assert_eq!(end("1y").unwrap(), "2027-02-28T12:00:00Z");
        assert_eq!(end("2 weeks").unwrap(), "2026-03-14T12:00:00Z");
    }

    #[test]
    fn a_date_lasts_to_its_end() {
        assert_eq!(end("2027-01-31").unwrap(), "2027-02-01T00:00:00Z");
    }

    #[test]
    fn a_time_is_taken_as_it_is() {
        assert_eq!(end("2027-01-31T12:00:00+02:00").unwrap(), "2027-01-31T10:00:00Z");
    }

    #[test]
    fn what_is_no_end_is_refused() {
        for text in ["", "soon", "-3d", "0s", "30", "2027-13-01", "2027-01-31T12:00", "99999y"] {
            assert!(end(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_second_can_be_written() {
        assert_eq!(rfc3339(FileTime::NO_END), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(FileTime::UNIX_EPOCH), "1970-01-01T00:00:00Z");
        assert_eq!(end_for_people(FileTime::NO_END), "without end");
    }
}
