//! How user code is called, and in which language it is written.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How user code is called (API.md, Contracts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// Code runs top to bottom; the result is stdout, stderr and the exit code.
    Script,
    /// A program with argv, environment and stdin bytes.
    Command,
    /// JSON text in `argv[1]`; the last JSON document on stdout is the result.
    ArgvJson,
    /// A function of a loaded program that is given a request and gives a response.
    Handler,
    /// A program that is given a request as CGI/1.1 variables and standard input, and prints the response.
    Cgi,
}

impl Contract {
    /// Every contract, in the order the documentation lists them.
    pub const ALL: [Self; 5] = [Self::Script, Self::Command, Self::ArgvJson, Self::Handler, Self::Cgi];

    /// The name used in requests, records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Command => "command",
            Self::ArgvJson => "argv-json",
            Self::Handler => "handler",
            Self::Cgi => "cgi",
        }
    }

    /// Whether the program is asked with a request and gives a response.
    #[must_use]
    pub const fn answers(self) -> bool {
        match self {
            Self::Handler | Self::Cgi => true,
            Self::Script | Self::Command | Self::ArgvJson => false,
        }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A contract name nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown contract {name:?}; accepted: script, command, argv-json, handler, cgi")]
pub struct UnknownContract {
    /// The name as given.
    pub name: String,
}

impl FromStr for Contract {
    type Err = UnknownContract;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|contract| contract.as_str() == name)
            .ok_or_else(|| UnknownContract { name: name.to_owned() })
    }
}

/// A language the platform runs code in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// CPython, at least 3.9.
    Python,
    /// Node.js, at least 18.
    JavaScript,
    /// GNU bash.
    Bash,
    /// PHP, at least 8.1, as php-cgi.
    Php,
}

impl Language {
    /// Every language, in the order the documentation lists them.
    pub const ALL: [Self; 4] = [Self::Python, Self::JavaScript, Self::Bash, Self::Php];

    /// What its file is called where nobody names one.
    #[must_use]
    pub const fn main_file(self) -> &'static str {
        match self {
            Self::Python => "main.py",
            Self::JavaScript => "main.js",
            Self::Bash => "main.sh",
            Self::Php => "main.php",
        }
    }

    /// The program that runs its files, as a command names it.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::JavaScript => "node",
            Self::Bash => "bash",
            Self::Php => "php",
        }
    }

    /// The package of Debian's that has its interpreter.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::JavaScript => "nodejs",
            Self::Bash => "bash",
            Self::Php => "php-cgi",
        }
    }

    /// How its functions are called where nobody says it (API.md, Contracts).
    #[must_use]
    pub const fn function_contract(self) -> Contract {
        match self {
            Self::Python | Self::JavaScript => Contract::Handler,
            Self::Bash => Contract::Command,
            Self::Php => Contract::Cgi,
        }
    }

    /// How code in it is executed where nobody says it.
    #[must_use]
    pub const fn execution_contract(self) -> Contract {
        match self {
            Self::Python | Self::JavaScript | Self::Bash => Contract::Script,
            Self::Php => Contract::Cgi,
        }
    }

    /// The name used in requests, records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Bash => "bash",
            Self::Php => "php",
        }
    }

    /// Whether code in it can be called that way.
    #[must_use]
    pub const fn offers(self, contract: Contract) -> bool {
        match (self, contract) {
            (_, Contract::Cgi) => true,
            (Self::Php, _) | (_, Contract::Command) | (Self::Bash, Contract::Handler) => false,
            (
                Self::Python | Self::JavaScript | Self::Bash,
                Contract::Script | Contract::ArgvJson | Contract::Handler,
            ) => true,
        }
    }

    /// The language a file name's extension stands for.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension {
            "py" => Some(Self::Python),
            "js" | "cjs" | "mjs" => Some(Self::JavaScript),
            "sh" | "bash" => Some(Self::Bash),
            "php" => Some(Self::Php),
            _ => None,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A language name nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown language {name:?}; accepted: python (py, python3), javascript (js, node), bash (sh), php")]
pub struct UnknownLanguage {
    /// The name as given.
    pub name: String,
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "python" | "python3" | "py" => Ok(Self::Python),
            "javascript" | "js" | "node" => Ok(Self::JavaScript),
            "bash" | "sh" => Ok(Self::Bash),
            "php" => Ok(Self::Php),
            _ => Err(UnknownLanguage { name: name.to_owned() }),
        }
    }
}
