//! What a verification found, step by step: what holds, what does not, and what could not be
//! checked.

use std::fmt;

/// What is checked, in the order in which people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The file is what it says it is.
    Format,
    /// The log that an entry names is one that is trusted.
    Log,
    /// The signed entry timestamp of Rekor v1.
    Promise,
    /// The inclusion proof, up to the root hash of a checkpoint.
    Inclusion,
    /// The log's signature on that checkpoint.
    Checkpoint,
    /// Cosignatures on it, by a policy.
    Witnesses,
    /// A timestamp by an authority (RFC 3161).
    Timestamp,
    /// That there is a proven time at which the rest is judged.
    Time,
    /// The signer's certificate, up to an authority that is trusted.
    Certificate,
    /// The promise of a certificate transparency log (RFC 6962).
    Sct,
    /// Whose certificate it is, and who vouches for that.
    Identity,
    /// The signer's key is the one that was given.
    Key,
    /// The signature over the artifact or the statement.
    Signature,
    /// The entry is about this signature by this key.
    Entry,
    /// The artifact is the one that was signed.
    Artifact,
}

impl Step {
    /// One word, as in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Log => "log",
            Self::Promise => "promise",
            Self::Inclusion => "inclusion",
            Self::Checkpoint => "checkpoint",
            Self::Witnesses => "witnesses",
            Self::Timestamp => "timestamp",
            Self::Time => "time",
            Self::Certificate => "certificate",
            Self::Sct => "sct",
            Self::Identity => "identity",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Entry => "entry",
            Self::Artifact => "artifact",
        }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was checked and holds.
    Ok,
    /// It was checked and does not hold, or nothing is there that had to be.
    Failed,
    /// It was not checked, for the reason that is said.
    NotChecked,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::NotChecked => "not checked",
        })
    }
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was checked.
    pub step: Step,
    /// How that ended.
    pub outcome: Outcome,
    /// What was seen, and what it was held against.
    pub says: String,
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the file is, in words; empty if it is nothing that is known.
    pub form: String,
    lines: Vec<Line>,
    needs: Vec<Vec<Step>>,
}

impl Report {
    /// The lines, in the order of the steps.
    pub fn lines(&self) -> Vec<&Line> {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by_key(|line| line.step);
        lines
    }

    /// Whether all holds that had to: no step failed, and of each need at least one step was
    /// checked and holds.
    pub fn is_verified(&self) -> bool {
        !self.needs.is_empty() && self.lines.iter().all(|l| l.outcome != Outcome::Failed) && {
            let holds = |step: &Step| self.has(*step, Outcome::Ok);
            self.needs.iter().all(|steps| steps.iter().any(holds))
        }
    }

    /// Whether a step ended so, at least once.
    pub fn has(&self, step: Step, outcome: Outcome) -> bool {
        self.lines.iter().any(|line| line.step == step && line.outcome == outcome)
    }

    /// One of these steps has to hold, or nothing is verified. Whatever is forgotten is thereby
    /// missed, not passed over.
    pub(super) fn needs(&mut self, steps: &[Step]) {
        self.needs.push(steps.to_vec());
    }

    pub(super) fn ok(&mut self, step: Step, says: impl Into<String>) {
        self.lines.push(Line { step, outcome: Outcome::Ok, says: says.into() });
    }

    pub(super) fn failed(&mut self, step: Step, says: impl Into<String>) {
        self.lines.push(Line { step, outcome: Outcome::Failed, says: says.into() });
    }

    pub(super) fn not_checked(&mut self, step: Step, says: impl Into<String>) {
        self.lines.push(Line { step, outcome: Outcome::NotChecked, says: says.into() });
    }

    /// The one or the other; the value of what holds.
    pub(super) fn judge<T>(
        &mut self,
        step: Step,
        result: Result<(T, String), String>,
    ) -> Option<T> {
        match result {
            Ok((value, says)) => {
                self.ok(step, says);
                Some(value)
            }
            Err(says) => {
                self.failed(step, says);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_verified_by_default() {
        let mut report = Report::default();
        assert!(!report.is_verified(), "nobody said what is needed");
        report.needs(&[Step::Promise, Step::Inclusion]);
        report.needs(&[Step::Signature]);
        report.ok(Step::Inclusion, "");
        assert!(!report.is_verified(), "the signature was forgotten");
        report.not_checked(Step::Signature, "");
        assert!(!report.is_verified(), "the signature was not checked");
        report.ok(Step::Signature, "");
        assert!(report.is_verified(), "one of the first two is enough");
        report.failed(Step::Witnesses, "");
        assert!(!report.is_verified(), "what fails counts, needed or not");
        let steps: Vec<_> = report.lines().iter().map(|line| line.step).collect();
        assert!(steps.is_sorted());
    }
}
