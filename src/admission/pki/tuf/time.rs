//! When metadata expires.

use x509_cert::der::DateTime;

/// A time (RFC 3339), and how it is told to clients.
pub(super) struct Expiry {
    /// Since 1970; a fraction of a second counts as past.
    seconds: i64,
    shown: String,
}

impl Expiry {
    /// Reads a time; none is the beginning of all times.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            let shown = "0001-01-01 00:00:00 +0000 UTC".into();
            return Ok(Self { seconds: i64::MIN, shown });
        }
        Self::parse(text).ok_or_else(|| {
            format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": it is none")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix('T')?;
        let (time, rest) = rest.split_at_checked(8)?;
        let digits = rest.strip_prefix('.').map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at(end)
        });
        let (fraction, zone) = digits.unwrap_or(("", rest));
        if digits.is_some() && fraction.is_empty() {
            return None;
        }
        let (offset, zone) = match zone {
            "Z" | "+00:00" | "-00:00" => (0, "+0000 UTC".into()),
            _ => offset(zone)?,
        };
        let [year, month, day] = parts(date, '-')?;
        let [hour, minute, second] = parts(time, ':')?;
        let [month, day, hour, minute, second] =
            [month, day, hour, minute, second].map(|number| number as u8);
        // Before 1970 everything has expired.
        let seconds = match year {
            0..1970 => i64::MIN,
            _ => {
                let time = DateTime::new(year, month, day, hour, minute, second).ok()?;
                i64::try_from(time.unix_duration().as_secs()).ok()? - offset
            }
        };
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        Some(Self { seconds, shown: format!("{date} {time}{dot}{fraction} {zone}") })
    }

    /// # Errors
    /// The text for the client, if the time is over.
    pub(super) fn check(&self, now: Option<i64>) -> Result<(), String> {
        match now {
            Some(now) if self.seconds <= now => Err(format!("expired at {}", self.shown)),
            _ => Ok(()),
        }
    }
}

/// `+hh:mm`, in seconds, and as clients are told.
fn offset(zone: &str) -> Option<(i64, String)> {
    let (sign, rest) = zone.split_at_checked(1)?;
    let [hours, minutes] = parts(rest, ':')?;
    let factor = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    if rest.len() != 5 || hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = factor * (i64::from(hours) * 3600 + i64::from(minutes) * 60);
    Some((seconds, format!("{sign}{hours:02}{minutes:02} {sign}{hours:02}{minutes:02}")))
}

/// Numbers of two digits each, but the first, which may have four.
fn parts<const N: usize>(text: &str, separator: char) -> Option<[u16; N]> {
    let read = |(index, part): (usize, &str)| {
        let length = if N == 3 && separator == '-' && index == 0 { 4 } else { 2 };
        let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok())?
    };
    let numbers: Option<Vec<u16>> = text.split(separator).enumerate().map(read).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str, now: i64) -> Option<String> {
        Expiry::read(text).unwrap().check(Some(now)).err()
    }

    #[test]
    fn times_are_compared_to_the_second() {
        let time = 1_900_000_000;
        for text in ["2030-03-17T17:46:40Z", "2030-03-17T18:46:40+01:00", "2030-03-17T17:46:40.9Z"]
        {
            assert_eq!(refusal(text, time - 1), None, "{text}");
            assert!(refusal(text, time).is_some(), "{text}");
            assert!(Expiry::read(text).unwrap().check(None).is_ok());
        }
        assert_eq!(
            refusal("1999-12-31T23:59:59.500-01:30", time).unwrap(),
            "expired at 1999-12-31 23:59:59.5 -0130 -0130"
        );
        let first = "expired at 0001-01-01 00:00:00 +0000 UTC";
        assert_eq!(refusal("", 0).unwrap(), first);
        assert_eq!(refusal("0001-01-01T00:00:00Z", 0).unwrap(), first);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "2030",
            "2030-03-17",
            "2030-03-17 17:46:40Z",
            "2030-03-17T17:46:40",
            "2030-3-17T17:46:40Z",
            "2030-13-17T17:46:40Z",
            "2030-02-30T17:46:40Z",
            "2030-03-17T24:46:40Z",
            "x",
            "2030-03-17T17:46:40.Z",
            "2030-03-17T17:46:40+1:00",
            "2030-03-17T17:46:40+24:00",
            "2030-03-17T17:46:40z",
            "+030-03-17T17:46:40Z",
            "2030-03-17T17:46:4€Z",
        ] {
            assert!(Expiry::read(text).is_err(), "{text}");
        }
    }
}
