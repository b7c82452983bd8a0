//! The bytes of the messages between server and launcher.

use super::{Counters, Create, FromLauncher, Host, Step, ToLauncher, Unfit, ZygoteEnd};
use crate::frame::{FrameError, Header, RawFrame};
use crate::leftover::Leftover;
use crate::wire::{Reader, Writer};

const CREATE: u8 = 0x50;
const STAT: u8 = 0x51;
const KILL: u8 = 0x52;
const RENEW: u8 = 0x53;
const HATCH: u8 = 0x54;
const RETIRE: u8 = 0x55;
const METER: u8 = 0x56;

impl ToLauncher {
    /// As one frame.
    ///
    /// # Errors
    /// `TooLong` for what does not fit in one frame.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut body = Writer::new(Header::plain(match self {
            Self::Create(_) => CREATE,
            Self::Stat { .. } => STAT,
            Self::Kill { .. } => KILL,
            Self::Renew { .. } => RENEW,
            Self::Hatch { .. } => HATCH,
            Self::Retire { .. } => RETIRE,
            Self::Meter { .. } => METER,
        }));
        match self {
            Self::Create(create) => create.write(&mut body),
            Self::Stat { sandbox } | Self::Kill { sandbox } | Self::Meter { sandbox } => body.raw(sandbox),
            Self::Renew { sandbox, stays } => {
                body.raw(sandbox);
                body.bool(*stays);
            }
            Self::Hatch { zygote, language, sandbox } => {
                body.u32(*zygote);
                body.string(language);
                body.optional(sandbox.as_ref(), |body, sandbox| body.raw(sandbox));
            }
            Self::Retire { zygote } => body.u32(*zygote),
        }
        body.finish()
    }

    /// From one whole frame.
    ///
    /// # Errors
    /// Anything that `encode` does not produce.
    pub fn decode(frame: &[u8]) -> Result<Self, FrameError> {
        let frame = RawFrame::parse(frame)?;
        let header = frame.header();
        header.expect_plain()?;
        let mut body = Reader::new(frame.body());
        let message = match header.kind {
            CREATE => Self::Create(Create::read(&mut body)?),
            STAT => Self::Stat { sandbox: body.array()? },
            KILL => Self::Kill { sandbox: body.array()? },
            METER => Self::Meter { sandbox: body.array()? },
            RENEW => Self::Renew { sandbox: body.array()?, stays: body.bool("stays")? },
            HATCH => Self::Hatch {
                zygote: body.u32()?,
                language: body.string("language")?,
                sandbox: body.optional("sandbox", Reader::array)?,
            },
            RETIRE => Self::Retire { zygote: body.u32()? },
            kind => return Err(FrameError::UnknownType { kind }),
        };
        body.finish()?;
        Ok(message)
    }
}

const HELLO: u8 = 0x60;
const REFUSED: u8 = 0x61;
const CREATE_FAILED: u8 = 0x62;
const USAGE: u8 = 0x63;
const ENDED: u8 = 0x64;
const RENEWED: u8 = 0x65;
const HATCHED: u8 = 0x66;
const ZYGOTE_ENDED: u8 = 0x67;
const STARTED: u8 = 0x68;
const NOT_STARTED: u8 = 0x69;
const METERED: u8 = 0x6a;

impl FromLauncher {
    /// As one frame.
    ///
    /// # Errors
    /// `TooLong` or `TooMany` for what does not fit in one frame.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut body = Writer::new(Header::plain(match self {
            Self::Hello(_) => HELLO,
            Self::Refused { .. } => REFUSED,
            Self::CreateFailed { .. } => CREATE_FAILED,
            Self::Usage { .. } => USAGE,
            Self::Ended { .. } => ENDED,
            Self::Renewed { .. } => RENEWED,
            Self::Hatched { .. } => HATCHED,
            Self::ZygoteEnded { .. } => ZYGOTE_ENDED,
            Self::Started { .. } => STARTED,
            Self::NotStarted { .. } => NOT_STARTED,
            Self::Metered { .. } => METERED,
        }));
        match self {
            Self::Hello(host) => host.write(&mut body),
            Self::Refused { reason, fix } => {
                body.string(reason);
                body.string(fix);
            }
            Self::CreateFailed { sandbox, step, errno } => {
                body.raw(sandbox);
                body.u8(step.as_u8());
                body.i32(*errno);
            }
            Self::Usage { sandbox, counters } | Self::Ended { sandbox, counters } => {
                body.raw(sandbox);
                counters.write(&mut body);
            }
            Self::Renewed { sandbox, counters, left } => {
                body.raw(sandbox);
                counters.write(&mut body);
                Leftover::write(*left, &mut body);
            }
            Self::Hatched { zygote } => body.u32(*zygote),
            Self::ZygoteEnded { zygote, cause } => {
                body.u32(*zygote);
                cause.write(&mut body);
            }
            Self::Started { sandbox, pid } => {
                body.raw(sandbox);
                body.u32(*pid);
            }
            Self::NotStarted { sandbox, errno } => {
                body.raw(sandbox);
                body.i32(*errno);
            }
            Self::Metered { sandbox } => body.raw(sandbox),
        }
        body.finish()
    }

    /// From one whole frame.
    ///
    /// # Errors
    /// Anything that `encode` does not produce.
    pub fn decode(frame: &[u8]) -> Result<Self, FrameError> {
        let frame = RawFrame::parse(frame)?;
        let header = frame.header();
        header.expect_plain()?;
        let mut body = Reader::new(frame.body());
        let message = match header.kind {
            HELLO => Self::Hello(Host::read(&mut body)?),
            REFUSED => Self::Refused { reason: body.string("reason")?, fix: body.string("fix")? },
            CREATE_FAILED => {
                Self::CreateFailed { sandbox: body.array()?, step: read_step(&mut body)?, errno: body.i32()? }
            }
            USAGE => Self::Usage { sandbox: body.array()?, counters: Counters::read(&mut body)? },
            ENDED => Self::Ended { sandbox: body.array()?, counters: Counters::read(&mut body)? },
            METERED => Self::Metered { sandbox: body.array()? },
            RENEWED => Self::Renewed {
                sandbox: body.array()?,
                counters: Counters::read(&mut body)?,
                left: Leftover::read(&mut body)?,
            },
            HATCHED => Self::Hatched { zygote: body.u32()? },
            ZYGOTE_ENDED => Self::ZygoteEnded { zygote: body.u32()?, cause: ZygoteEnd::read(&mut body)? },
            STARTED => Self::Started { sandbox: body.array()?, pid: body.u32()? },
            NOT_STARTED => Self::NotStarted { sandbox: body.array()?, errno: body.i32()? },
            kind => return Err(FrameError::UnknownType { kind }),
        };
        body.finish()?;
        Ok(message)
    }
}

fn read_step(body: &mut Reader<'_>) -> Result<Step, FrameError> {
    let value = body.u8()?;
    Step::from_u8(value).ok_or(FrameError::BadValue { field: "step", value })
}

impl Create {
    fn write(&self, body: &mut Writer) {
        body.raw(&self.sandbox);
        body.raw(&self.tenant);
        body.bool(self.strict);
        body.u64(self.memory_bytes);
        body.u64(self.disk_bytes);
        body.u64(self.inodes);
        body.u32(self.cpu_milli);
        body.u32(self.pids);
        body.optional(self.packages.as_ref(), |body, packages| body.raw(packages));
        body.optional(self.zygote, Writer::u32);
        body.bool(self.stem);
        body.optional(self.fail_at, |body, step| body.u8(step.as_u8()));
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            sandbox: body.array()?,
            tenant: body.array()?,
            strict: body.bool("strict")?,
            memory_bytes: body.u64()?,
            disk_bytes: body.u64()?,
            inodes: body.u64()?,
            cpu_milli: body.u32()?,
            pids: body.u32()?,
            packages: body.optional("packages", Reader::array)?,
            zygote: body.optional("zygote", Reader::u32)?,
            stem: body.bool("stem")?,
            fail_at: body.optional("fail_at", read_step)?,
        })
    }
}

const RETIRED: u8 = 0;
const REFUSED_TO_START: u8 = 1;
const LATE: u8 = 2;
const EXITED: u8 = 3;
const KILLED: u8 = 4;
const OUT_OF_MEMORY: u8 = 5;
const UNFIT: u8 = 6;

impl ZygoteEnd {
    fn write(self, body: &mut Writer) {
        match self {
            Self::Retired => body.u8(RETIRED),
            Self::Refused { errno } => {
                body.u8(REFUSED_TO_START);
                body.i32(errno);
            }
            Self::Late => body.u8(LATE),
            Self::Exited { code } => {
                body.u8(EXITED);
                body.u8(code);
            }
            Self::Killed { signal } => {
                body.u8(KILLED);
                body.u8(signal);
            }
            Self::OutOfMemory => body.u8(OUT_OF_MEMORY),
            Self::Unfit { reason } => {
                body.u8(UNFIT);
                reason.write(body);
            }
        }
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(match body.u8()? {
            RETIRED => Self::Retired,
            REFUSED_TO_START => Self::Refused { errno: body.i32()? },
            LATE => Self::Late,
            EXITED => Self::Exited { code: body.u8()? },
            KILLED => Self::Killed { signal: body.u8()? },
            OUT_OF_MEMORY => Self::OutOfMemory,
            UNFIT => Self::Unfit { reason: Unfit::read(body)? },
            value => return Err(FrameError::BadValue { field: "cause", value }),
        })
    }
}

impl Counters {
    fn write(&self, body: &mut Writer) {
        for counter in [self.cpu_us, self.memory_peak_bytes, self.oom_kills, self.pids_refused] {
            body.optional(counter, Writer::u64);
        }
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            cpu_us: body.optional("cpu_us", Reader::u64)?,
            memory_peak_bytes: body.optional("memory_peak_bytes", Reader::u64)?,
            oom_kills: body.optional("oom_kills", Reader::u64)?,
            pids_refused: body.optional("pids_refused", Reader::u64)?,
        })
    }
}

impl Host {
    fn write(&self, body: &mut Writer) {
        body.u16(self.version);
        body.bool(self.root);
        body.u32(self.server_uid);
        body.list("layers", &self.layers, |body, layer| body.string(layer));
        body.list("limits", &self.limits, write_pair);
        body.list("missing", &self.missing, |body, (name, why, command)| {
            body.string(name);
            body.string(why);
            body.string(command);
        });
        body.list("runtimes", &self.runtimes, write_pair);
        body.u64(self.memory_bytes);
        body.u32(self.cpu_milli);
        body.u32(self.pids);
        body.u32(self.max_sandboxes);
        body.u32(self.reconciled);
        body.bool(self.packages);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            version: body.u16()?,
            root: body.bool("root")?,
            server_uid: body.u32()?,
            layers: body.list("layers", |body| body.string("layers"))?,
            limits: body.list("limits", |body| read_pair(body, "limits"))?,
            missing: body.list("missing", |body| {
                Ok((body.string("missing")?, body.string("missing")?, body.string("missing")?))
            })?,
            runtimes: body.list("runtimes", |body| read_pair(body, "runtimes"))?,
            memory_bytes: body.u64()?,
            cpu_milli: body.u32()?,
            pids: body.u32()?,
            max_sandboxes: body.u32()?,
            reconciled: body.u32()?,
            packages: body.bool("packages")?,
        })
    }
}

fn write_pair(body: &mut Writer, (first, second): &(String, String)) {
    body.string(first);
    body.string(second);
}

fn read_pair(body: &mut Reader<'_>, field: &'static str) -> Result<(String, String), FrameError> {
    Ok((body.string(field)?, body.string(field)?))
}
