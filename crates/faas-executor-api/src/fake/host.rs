//! What a fake host offers.

use crate::{Capabilities, ExecutorKind, IsolationClass, RuntimeInfo, SandboxSpec, SpareStats, SpecError, Verb};
use faas_types::{ByteSize, CpuAmount, Enforcement, IsolationLevel, IsolationReport, Language, Layer, LimitKind};

/// What a fake host offers. The default offers every verb, layer and limit, and python and bash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeHost {
    /// The verbs offered.
    pub verbs: Vec<Verb>,
    /// The limits enforced.
    pub limits: Vec<LimitKind>,
    /// The layers that hold.
    pub layers: Vec<Layer>,
    /// The languages whose interpreter is there.
    pub languages: Vec<Language>,
    /// Its memory.
    pub memory: ByteSize,
    /// Its processors.
    pub cpu: CpuAmount,
    /// How many sandboxes may live at once.
    pub max_sandboxes: u32,
    /// What it says of sandboxes made ahead; it makes none.
    pub spares: Vec<SpareStats>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self {
            verbs: Verb::ALL.to_vec(),
            limits: LimitKind::ALL.to_vec(),
            layers: Layer::ALL.to_vec(),
            languages: vec![Language::Python, Language::Bash],
            memory: ByteSize::mib(16 * 1024),
            cpu: CpuAmount::from_milli(4000),
            max_sandboxes: 1000,
            spares: Vec::new(),
        }
    }
}

impl FakeHost {
    pub(super) fn capabilities(&self) -> Capabilities {
        let runtime = |language: &Language| RuntimeInfo { language: *language, path: interpreter(*language) };
        Capabilities {
            kind: ExecutorKind::Fake,
            isolation: IsolationClass::None,
            verbs: self.verbs.clone(),
            report: self.report(IsolationLevel::Strict),
            runtimes: self.languages.iter().map(runtime).collect(),
        }
    }

    /// What a sandbox of this host gets.
    pub(super) fn report(&self, level: IsolationLevel) -> IsolationReport {
        let enforcement = |limit| match limit {
            LimitKind::Memory | LimitKind::Pids | LimitKind::Cpu => Enforcement::Cgroup2,
            LimitKind::Disk => Enforcement::Tmpfs,
        };
        let layers = Layer::ALL.iter().filter(|layer| !self.layers.contains(layer)).map(|layer| layer.as_str());
        let limits = LimitKind::ALL.iter().filter(|limit| !self.limits.contains(limit)).map(|limit| limit.as_str());
        IsolationReport {
            level,
            layers: self.layers.clone(),
            limits: self.limits.iter().map(|limit| (*limit, enforcement(*limit))).collect(),
            missing: layers.chain(limits).map(str::to_owned).collect(),
        }
    }

    pub(super) fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError> {
        let resources = &spec.resources;
        resources.check()?;
        if resources.memory > self.memory {
            return Err(SpecError::AboveHost {
                field: "memory",
                asked: resources.memory.to_string(),
                available: self.memory.to_string(),
            });
        }
        if resources.cpu > self.cpu {
            return Err(SpecError::AboveHost {
                field: "cpu",
                asked: resources.cpu.to_string(),
                available: self.cpu.to_string(),
            });
        }
        let missing = self.report(spec.isolation).missing;
        if spec.isolation == IsolationLevel::Strict && !missing.is_empty() {
            return Err(SpecError::Isolation { missing, fix: "FakeHost::default()".to_owned() });
        }
        if spec.packages.is_some() {
            return Err(SpecError::PackagesNotOffered);
        }
        match spec.language {
            Some(language) if !self.languages.contains(&language) => Err(SpecError::RuntimeMissing {
                language,
                looked_at: interpreter(language),
                install: format!("add {language} to FakeHost::languages"),
            }),
            _ => Ok(()),
        }
    }
}

fn interpreter(language: Language) -> String {
    format!("/usr/bin/fake-{language}")
}
