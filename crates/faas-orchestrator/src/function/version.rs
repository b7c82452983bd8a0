//! One version of a function in memory, and the execution that a call of it is.

use super::FunctionSpec;
use crate::request::{ExecutionRequest, HttpCall};
use crate::warm::Served;
use faas_types::{FunctionId, FunctionName, Scaling, Timestamp, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One version of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// The function.
    pub function: FunctionId,
    /// The function's name when the version was read.
    pub name: FunctionName,
    /// Counted from 1.
    pub number: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is.
    pub spec: FunctionSpec,
    /// A call of it without input; what is large in it is shared by its copies.
    pub(crate) call: ExecutionRequest,
}

/// The function and version that an execution is a call of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// The function.
    pub function: FunctionId,
    /// Its name.
    pub name: FunctionName,
    /// The version's id.
    pub version: VersionId,
    /// The version's number.
    pub number: u32,
    /// How many sandboxes it may have.
    pub scaling: Scaling,
}

/// What a call of a function is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallInput {
    /// JSON input.
    pub input: Option<Value>,
    /// The HTTP request it answers.
    pub http: Option<HttpCall>,
    /// What its caller marks it with.
    pub labels: BTreeMap<String, String>,
}

impl Called {
    /// The function and the number of the version.
    pub(crate) const fn served(&self) -> Served {
        (self.function, self.number)
    }
}

impl Version {
    /// The execution that a call of it is.
    #[must_use]
    pub fn request(&self, given: CallInput) -> ExecutionRequest {
        let CallInput { input, http, labels } = given;
        let called = Called {
            function: self.function,
            name: self.name.clone(),
            version: self.id,
            number: self.number,
            scaling: self.spec.scaling,
        };
        ExecutionRequest { input, http, labels, function: Some(called), ..self.call.clone() }
    }
}
