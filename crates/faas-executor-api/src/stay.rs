//! What tells whether a call is of the program that stays in a sandbox.
//!
//! Pure; called by backends before a call is taken.

use crate::{CallError, FileIn, Invocation, Program};
use bytes::Bytes;
use faas_types::Contract;

/// Everything of a call that its program has seen once it is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayingProgram {
    contract: Contract,
    entry: Option<String>,
    program: Program,
    args: Vec<String>,
    env: Vec<(String, String)>,
    files: Vec<FileIn>,
    at_once: u32,
}

impl StayingProgram {
    /// The program of a call that loads it. What is large is shared.
    #[must_use]
    pub fn of(call: &Invocation) -> Self {
        Self {
            contract: call.contract,
            entry: entry(call).map(str::to_owned),
            program: call.program.clone(),
            args: call.args.clone(),
            env: call.env.clone(),
            files: call.files.clone(),
            at_once: call.at_once,
        }
    }

    /// How many calls it answers at once.
    #[must_use]
    pub const fn at_once(&self) -> u32 {
        self.at_once
    }

    /// Refuses a call of any other program. Code and files are compared by their bytes only where those are
    /// not the very same in memory.
    ///
    /// # Errors
    /// `Invalid`, naming what differs.
    pub fn check(&self, call: &Invocation) -> Result<(), CallError> {
        let files = || self.files.iter().zip(&call.files);
        let same_files = self.files.len() == call.files.len()
            && files().all(|(ours, given)| (&ours.path, ours.executable) == (&given.path, given.executable))
            && files().all(|(ours, given)| same(&ours.content, &given.content));
        let same_program = self.program.name == call.program.name && same(&self.program.code, &call.program.code);
        let differs = [
            ("contract", self.contract != call.contract),
            ("handler", self.entry.as_deref() != entry(call)),
            ("code", !same_program),
            ("args", self.args != call.args),
            ("env", self.env != call.env),
            ("files", !same_files),
            ("at_once", self.at_once != call.at_once),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            None => Ok(()),
            Some((field, _)) => Err(CallError::Invalid {
                field,
                reason: "another program stays in this sandbox".to_owned(),
                accepted: "the same as when that was loaded",
            }),
        }
    }
}

fn entry(call: &Invocation) -> Option<&str> {
    call.request.as_ref().map(|request| request.entry.as_str())
}

fn same(ours: &Bytes, given: &Bytes) -> bool {
    (ours.as_ptr(), ours.len()) == (given.as_ptr(), given.len()) || ours == given
}
