//! Which write fails, and what becomes of it.

use crate::StorageError;

/// What became of a write whose call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there, although the call failed.
    Kept,
    /// It never happened, and unsynced writes before it are lost with the power.
    Lost,
}

/// A write that is to fail.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    step: u64,
    pub(super) write: Fate,
    pub(super) cuts_power: bool,
}

/// The state of everything that can go wrong.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) steps: u64,
    pub(super) reads_fail: bool,
    /// The power is off, or the store was opened anew by somebody else.
    pub(super) dead: bool,
    poisoned: bool,
    planned: Option<Fault>,
}

impl Faults {
    pub(super) fn cut_power_at(&mut self, step: u64, write: Fate) {
        self.planned = Some(Fault { step, write, cuts_power: true });
    }

    pub(super) fn fail_write_at(&mut self, step: u64, write: Fate) {
        self.planned = Some(Fault { step, write, cuts_power: false });
    }

    /// Counts a write, and tells which fault strikes it, if one does.
    pub(super) fn next_write(&mut self) -> Result<Option<Fault>, StorageError> {
        self.check_write()?;
        let step = self.steps;
        self.steps += 1;
        let fault = self.planned.filter(|fault| fault.step == step);
        self.poisoned = fault.is_some();
        Ok(fault)
    }

    pub(super) fn check_write(&self) -> Result<(), StorageError> {
        match (self.dead, self.poisoned) {
            (true, _) => Err(failure("the power is off")),
            (_, true) => Err(failure("an earlier write failed")),
            _ => Ok(()),
        }
    }

    pub(super) fn check_read(&self) -> Result<(), StorageError> {
        match (self.dead, self.reads_fail) {
            (true, _) => Err(failure("the power is off")),
            (_, true) => Err(failure("the read failed")),
            _ => Ok(()),
        }
    }
}

pub(super) fn failure(why: &'static str) -> StorageError {
    StorageError::Engine(why.into())
}
