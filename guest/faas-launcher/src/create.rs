//! Making one sandbox: the launcher's half of the assembly.

use crate::host::Running;
use crate::identity::Identity;
use crate::live::{Live, Table, UidNumbers};
use faas_protocol::launcher::{Create, Step};
use faas_sandbox_linux::assemble::{self, INNER_ID, Plan, StandIn};
use faas_sandbox_linux::cgroup::{Controller, Leaf, LeafPool, Limits};
use faas_sandbox_linux::netns::NetNsPool;
use faas_sandbox_linux::root::{packages, procfs};
use faas_sandbox_linux::stem::clone_as_owner;
use faas_sandbox_linux::sys::{CloneFlags, Cloned};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal};

/// What makes sandboxes, and what is left to make them from.
pub(crate) struct Maker {
    pub(crate) running: Running,
    pub(crate) networks: NetNsPool,
    pub(crate) cgroups: LeafPool,
    pub(crate) uids: UidNumbers,
    sequence: u64,
}

type Failure = (Step, Errno);

/// A sandbox that is being made, and what becomes of it once init runs.
pub(crate) struct Begun {
    pub(crate) live: Live,
    /// The launcher's end of a pipe whose other end init's start closes.
    pub(crate) go: OwnedFd,
    pub(crate) stand_in: StandIn,
}

/// What has been taken for a sandbox that is being made; given back if it fails.
#[derive(Default)]
struct Taken {
    uid_number: Option<u32>,
    leaf: Option<Leaf>,
    network: Option<OwnedFd>,
    child: Option<(i32, OwnedFd)>,
    go: Option<OwnedFd>,
    journalled: bool,
}

impl Maker {
    pub(crate) fn new(running: Running) -> Self {
        let uids = UidNumbers::new(running.host.max_sandboxes);
        let networks = NetNsPool::new(running.zygote_uid());
        Self { running, networks, cgroups: LeafPool::default(), uids, sequence: 0 }
    }

    /// Makes a sandbox; its init or its failure speaks on `control`.
    ///
    /// # Errors
    /// The step that failed; nothing is left of it.
    pub(crate) fn create(&mut self, request: &Create, control: OwnedFd, table: &Table) -> Result<Begun, Failure> {
        let mut taken = Taken::default();
        self.sequence += 1;
        let sequence = self.sequence;
        match self.steps(request, &control, table, sequence, &mut taken) {
            Ok(()) => match (taken.uid_number, taken.leaf, taken.network, taken.child, taken.go) {
                (Some(uid_number), Some(leaf), Some(network), Some((_, pidfd)), Some(go)) => {
                    let (id, tenant) = (request.sandbox, request.tenant);
                    let live = Live { id, tenant, sequence, uid_number, pidfd, leaf, network, stem: None };
                    Ok(Begun { live, go, stand_in: self.stand_in(request) })
                }
                _ => Err((Step::Go, Errno::IO)),
            },
            Err(failure) => {
                self.undo(request, taken, sequence);
                Err(failure)
            }
        }
    }

    fn steps(
        &mut self,
        request: &Create,
        control: &OwnedFd,
        table: &Table,
        sequence: u64,
        taken: &mut Taken,
    ) -> Result<(), Failure> {
        let at = |step: Step| if request.fail_at == Some(step) { Err((step, Errno::IO)) } else { Ok(step) };
        let step = at(Step::Check)?;
        self.check(request, table).map_err(|errno| (step, errno))?;

        let step = at(Step::TakeUid)?;
        let uid_number = self.uids.take().ok_or((step, Errno::AGAIN))?;
        taken.uid_number = Some(uid_number);

        let step = at(Step::Cgroup)?;
        let limits = Limits { memory_bytes: request.memory_bytes, pids: request.pids, cpu_milli: request.cpu_milli };
        let leaf = self.cgroups.take(&self.running.tree, &limits).map_err(|errno| (step, errno))?;
        let leaf = taken.leaf.insert(leaf);

        let step = at(Step::NetNs)?;
        taken.network = Some(self.networks.enter(&request.tenant).map_err(|errno| (step, errno))?);

        let packages = self.open_packages(request).map_err(|errno| (Step::Packages, errno))?;

        let step = at(Step::Clone)?;
        let (go, told) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| (step, errno))?;
        // Whoever is the zygotes' user owns the sandbox's user namespace, so that what is forked from one can join it.
        let owner = self.running.zygote_uid();
        let cloned = clone_as_owner(owner, CloneFlags::SANDBOX, leaf.birthplace());
        let (pid, pidfd) = match cloned.map_err(|errno| (step, errno))? {
            Cloned::Child => {
                // The copy of the launcher's end would keep the pipe from ending with the launcher.
                drop(told);
                assemble::run(&Plan {
                    go: go.as_fd(),
                    control: control.as_fd(),
                    init: self.running.init.as_fd(),
                    masks: &self.running.masks,
                    seal: &self.running.seal,
                    landlock: self.running.landlock.as_ref(),
                    disk_bytes: request.disk_bytes,
                    inodes: request.inodes,
                    packages: packages.as_ref().map(AsFd::as_fd),
                    stand_in: self.stand_in(request),
                    fail_at: request.fail_at,
                })
            }
            Cloned::Parent { pid, pidfd } => (pid, pidfd),
        };
        taken.child = Some((pid, pidfd));

        let step = at(Step::IdMaps)?;
        self.write_id_maps(pid, uid_number).map_err(|errno| (step, errno))?;
        let step = at(Step::Place)?;
        leaf.place(pid).map_err(|errno| (step, errno))?;
        procfs::make_first_to_go(pid).map_err(|errno| (step, errno))?;
        let step = at(Step::Journal)?;
        self.running.slot.record_start(sequence, pid).map_err(|errno| (step, errno))?;
        taken.journalled = true;
        let step = at(Step::Go)?;
        rustix::io::write(&told, b"g").map_err(|errno| (step, errno))?;
        taken.go = Some(told);
        Ok(())
    }

    fn check(&self, request: &Create, table: &Table) -> Result<(), Errno> {
        let host = &self.running.host;
        let sane = request.memory_bytes >= 1 << 20
            && request.memory_bytes <= host.memory_bytes
            && request.disk_bytes >= 4096
            && request.disk_bytes <= request.memory_bytes / 2
            && request.inodes > 0
            && request.inodes <= 1 << 32
            && request.cpu_milli > 0
            && request.pids > 1
            && request.pids <= host.pids
            && (!request.stem || request.zygote.is_some());
        if !sane || table.contains(&request.sandbox) {
            return Err(Errno::INVAL);
        }
        if request.strict && !host.missing.is_empty() {
            return Err(Errno::PERM);
        }
        if table.len() >= host.max_sandboxes as usize {
            return Err(Errno::AGAIN);
        }
        Ok(())
    }

    /// The packages asked for, as a mount to be put into the sandbox.
    fn open_packages(&self, request: &Create) -> Result<Option<OwnedFd>, Errno> {
        let Some(asked) = request.packages else { return Ok(None) };
        let root = self.running.packages.as_ref().ok_or(Errno::OPNOTSUPP)?;
        packages::open(root.as_fd(), &request.tenant, &asked).map(Some)
    }

    fn stand_in(&self, request: &Create) -> StandIn {
        let lacks = |controller| self.running.tree.offers(controller).is_none();
        StandIn {
            pids: lacks(Controller::Pids).then_some(u64::from(request.pids)),
            memory_bytes: lacks(Controller::Memory).then_some(request.memory_bytes),
        }
    }

    /// The user of the sandbox's processes, as the launcher sees it.
    pub(crate) fn outer_uid(&self, uid_number: u32) -> u32 {
        match self.running.identity {
            Identity::Root => self.running.slot.sandbox_uid(uid_number),
            // The only id of the launcher's own namespace.
            Identity::Rootless { .. } => 0,
        }
    }

    fn write_id_maps(&self, pid: i32, uid_number: u32) -> Result<(), Errno> {
        let outer = self.outer_uid(uid_number);
        let map = format!("{INNER_ID} {outer} 1");
        for file in ["uid_map", "gid_map"] {
            std::fs::write(format!("/proc/{pid}/{file}"), &map)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        }
        Ok(())
    }

    /// Gives back what was taken, last first. Every part can be repeated and none can fail in a way
    /// that keeps the others from happening.
    fn undo(&mut self, request: &Create, taken: Taken, sequence: u64) {
        if let Some((_, pidfd)) = taken.child {
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            reap(&pidfd);
        }
        if taken.journalled {
            let _ = self.running.slot.record_end(sequence);
        }
        if let Some(network) = taken.network {
            self.networks.give_back(request.tenant, network);
        }
        if let Some(leaf) = taken.leaf
            && !self.running.tree.remove_leaf(&leaf)
        {
            // Nothing of it lives, so this is a matter of moments; the slot's next owner looks again.
            let _ = self.running.tree.remove_leaf(&leaf);
        }
        if let Some(number) = taken.uid_number {
            self.uids.give_back(number);
        }
    }
}

/// Collects a dead child. Every other process of its pid namespace was collected before it.
pub(crate) fn reap(pidfd: &OwnedFd) {
    loop {
        match rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            _ => return,
        }
    }
}
