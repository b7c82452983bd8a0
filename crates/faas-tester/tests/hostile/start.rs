//! How the programs of a trial are started. The cases are the same for all ways: a program must find a
//! copy of a zygote and a spare as closed as a sandbox with an interpreter of its own.

/// The way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// By `faas run` alone, which has nothing ready: an interpreter of its own.
    Cold,
    /// By a server that has a zygote: a copy of it.
    Zygote,
    /// By a server that has sandboxes ready, a runner waiting in them, which is itself a copy of a zygote's.
    Spare,
}

impl Start {
    /// All, in the table's order.
    pub(crate) const ALL: [Self; 3] = [Self::Cold, Self::Zygote, Self::Spare];

    /// The name in a trial's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Zygote => "zygote",
            Self::Spare => "spare",
        }
    }

    /// What the record of a program in this language must say of its start. Only Python has a zygote; what
    /// has no runner gets a spare as well.
    pub(crate) fn kind(self, language: Option<&str>) -> &'static str {
        match self {
            Self::Zygote if language != Some("python") => Self::Cold.name(),
            Self::Cold | Self::Zygote | Self::Spare => self.name(),
        }
    }
}
