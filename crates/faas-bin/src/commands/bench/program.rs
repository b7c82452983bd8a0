//! The tiny programs that are run, and how they are asked for.

use crate::diagnostic::CliError;
use clap::ValueEnum;
use faas_client::model::{ExecuteBody, FunctionBody, ScalingBody};
use faas_types::{Contract, Language, Mode};
use serde::Serialize;

/// The least that a handler can do.
pub(super) const PYTHON_HANDLER: &str = "def handle(request):\n    return 'hello'\n";

/// In which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Asked {
    Python,
    Javascript,
    Command,
}

/// Under which contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AskedContract {
    Script,
    Handler,
}

/// Which sandbox it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of its own.
    Fresh,
    /// One that was used before.
    Warm,
}

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) language: Asked,
    pub(super) contract: Contract,
    pub(super) work: Work,
}

/// How it is asked for.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// As an execution that brings everything.
    Execution(Box<ExecuteBody>),
    /// As a call of a function that is deployed for the time of the run.
    Function(Box<FunctionBody>),
}

impl Program {
    /// The program for these options.
    pub(super) fn choose(kind: Kind, asked: Asked, contract: Option<AskedContract>) -> Result<Self, CliError> {
        let mode = match kind {
            Kind::Fresh => Mode::Ephemeral,
            Kind::Warm => Mode::Cached,
        };
        let language = match asked {
            Asked::Python => Language::Python,
            Asked::Javascript => Language::JavaScript,
            Asked::Command if contract.is_some() => {
                let detail = "--contract is refused with --language command, which has one of its own; accepted: \
                              one of them";
                return Err(CliError::invalid(detail.to_owned()));
            }
            Asked::Command => {
                let body = ExecuteBody {
                    command: Some(vec!["/usr/bin/true".to_owned()]),
                    mode: Some(mode),
                    ..ExecuteBody::default()
                };
                let work = Work::Execution(Box::new(body));
                return Ok(Self { language: asked, contract: Contract::Command, work });
            }
        };
        let contract = match (contract, kind) {
            (Some(AskedContract::Script), _) | (None, Kind::Fresh) => Contract::Script,
            (Some(AskedContract::Handler), _) | (None, Kind::Warm) => Contract::Handler,
        };
        let code = match (asked, contract) {
            (Asked::Python, Contract::Handler) => PYTHON_HANDLER,
            (_, Contract::Handler) => "exports.handle = async (request) => 'hello';\n",
            (Asked::Python, _) => "print(1)\n",
            (_, _) => "console.log(1);\n",
        };
        let work = if contract == Contract::Handler && kind == Kind::Warm {
            Work::Function(Box::new(handler(language, code)))
        } else {
            Work::Execution(Box::new(ExecuteBody {
                code: Some(code.to_owned()),
                language: Some(language),
                contract: Some(contract),
                mode: Some(mode),
                ..ExecuteBody::default()
            }))
        };
        Ok(Self { language: asked, contract, work })
    }

    /// Says how many instances its function may have, and how many calls each takes at once.
    pub(super) fn scale(&mut self, instances: Option<u32>, concurrency: Option<u32>) -> Result<(), CliError> {
        match &mut self.work {
            Work::Function(function) => {
                function.scaling.max = instances;
                function.scaling.concurrency = concurrency;
                Ok(())
            }
            Work::Execution(_) if instances.is_none() && concurrency.is_none() => Ok(()),
            Work::Execution(_) => Err(CliError::invalid(
                "--instances and --concurrency are refused, for only a handler has instances; accepted: --contract \
                 handler"
                    .to_owned(),
            )),
        }
    }
}

/// A function with this code, without a name.
pub(super) fn handler(language: Language, code: &str) -> FunctionBody {
    FunctionBody {
        runtime: Some(language.into()),
        code: Some(code.to_owned()),
        contract: Some(Contract::Handler),
        scaling: ScalingBody::default(),
        ..FunctionBody::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, AskedContract, Kind, Program, Work};
    use faas_types::{Contract, Mode};

    #[test]
    fn only_a_warm_handler_is_a_function() {
        for (kind, language, asked, contract, function) in [
            (Kind::Fresh, Asked::Python, None, Contract::Script, false),
            (Kind::Fresh, Asked::Javascript, Some(AskedContract::Handler), Contract::Handler, false),
            (Kind::Fresh, Asked::Command, None, Contract::Command, false),
            (Kind::Warm, Asked::Python, None, Contract::Handler, true),
            (Kind::Warm, Asked::Javascript, Some(AskedContract::Script), Contract::Script, false),
            (Kind::Warm, Asked::Command, None, Contract::Command, false),
        ] {
            let program = Program::choose(kind, language, asked).expect("a program");
            assert_eq!((program.language, program.contract), (language, contract));
            match program.work {
                Work::Function(body) => assert!(function && body.code.is_some(), "{body:?}"),
                Work::Execution(body) => {
                    let mode = if kind == Kind::Fresh { Mode::Ephemeral } else { Mode::Cached };
                    assert!(!function && body.mode == Some(mode), "{body:?}");
                }
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let refused = Program::choose(Kind::Fresh, Asked::Command, Some(AskedContract::Script)).expect_err("refused");
        assert!(refused.to_string().contains("--contract"));
        let mut command = Program::choose(Kind::Warm, Asked::Command, None).expect("a program");
        command.scale(None, None).expect("nothing is asked for");
        assert!(command.scale(Some(2), None).expect_err("refused").to_string().contains("--instances"));
    }
}
