//! Exit codes, which scripts depend on: what a failure means, beside its text.

use std::fmt;
use std::process::ExitCode;

use super::Failure;

/// What a command ends with when it did not do what it was asked for. A usage error is 2, which the
/// parser of arguments uses as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Anything that has no code of its own.
    Failure = 1,
    /// The arguments do not go together.
    Usage = 2,
    /// There is no such entry, or no such file.
    NotFound = 3,
    /// A proof or a signature does not hold.
    NotVerified = 4,
    /// It exists already.
    Conflict = 5,
    /// The other side's policy refuses it.
    Refused = 6,
    /// The other side does not answer, or not in time.
    Unreachable = 7,
    /// What is stored contradicts itself.
    Integrity = 8,
}

/// A failure with its code.
#[derive(Debug)]
struct Coded {
    exit: Exit,
    text: String,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Coded {}

impl Exit {
    /// A failure that ends the command with this code.
    pub(super) fn with(self, text: impl fmt::Display) -> Failure {
        Box::new(Coded { exit: self, text: text.to_string() })
    }

    /// The code of a failure.
    pub(super) fn of(failure: &Failure) -> ExitCode {
        let coded = failure.downcast_ref::<Coded>();
        ExitCode::from(coded.map_or(Self::Failure, |coded| coded.exit) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_the_code_that_they_were_made_with() {
        for exit in [Exit::Usage, Exit::NotFound, Exit::NotVerified, Exit::Integrity] {
            let failure = exit.with("a text");
            assert_eq!(failure.to_string(), "a text");
            assert_eq!(Exit::of(&failure), ExitCode::from(exit as u8));
        }
        assert_eq!(Exit::of(&"any other".into()), ExitCode::from(1));
    }
}
