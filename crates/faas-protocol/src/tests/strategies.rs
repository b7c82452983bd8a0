//! Any message of each conversation, as proptest strategies.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::call::{FromRunner, ToRunner};
use crate::control::{FromInit, Spawn, ToInit};
use crate::launcher::{Counters, Create, FromLauncher, Host, Step, ToLauncher, Unfit, ZygoteEnd};
use crate::leftover::Leftover;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(|characters| characters.into_iter().collect())
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..5)
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((text(), text()), 0..5)
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    vec((text(), bytes()), 0..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop::sample::select(Step::ALL.as_slice())
}

fn left() -> impl Strategy<Value = Option<Leftover>> {
    prop::option::of(prop::sample::select(Leftover::ALL.as_slice()))
}

pub(crate) fn to_init() -> impl Strategy<Value = ToInit> {
    let spawn = (any::<u32>(), vec(bytes(), 0..5), vec(bytes(), 0..5), bytes(), any::<bool>())
        .prop_map(|(call, argv, env, cwd, runner)| ToInit::Spawn(Spawn { call, argv, env, cwd, runner }));
    prop_oneof![
        any::<u16>().prop_map(|version| ToInit::Hello { version }),
        (bytes(), any::<bool>(), any::<bool>(), bytes())
            .prop_map(|(path, executable, append, content)| ToInit::PutFile { path, executable, append, content }),
        spawn,
        any::<u8>().prop_map(|signal| ToInit::Signal { signal }),
        Just(ToInit::Recycle),
        Just(ToInit::Keep),
        Just(ToInit::Settle),
        any::<(u32, u32)>().prop_map(|(call, pid)| ToInit::Adopt { call, pid }),
    ]
}

pub(crate) fn from_init() -> impl Strategy<Value = FromInit> {
    prop_oneof![
        any::<u16>().prop_map(|version| FromInit::Ready { version }),
        any::<(u8, i32)>().prop_map(|(step, errno)| FromInit::AssemblyFailed { step, errno }),
        (bytes(), any::<i32>()).prop_map(|(path, errno)| FromInit::FileFailed { path, errno }),
        any::<(u32, u32)>().prop_map(|(call, pid)| FromInit::Spawned { call, pid }),
        any::<(u32, i32)>().prop_map(|(call, errno)| FromInit::SpawnFailed { call, errno }),
        any::<(u32, u8, u8)>().prop_map(|(call, code, signal)| FromInit::Exited { call, code, signal }),
        left().prop_map(|left| FromInit::Recycled { left }),
        Just(FromInit::Kept),
        any::<bool>().prop_map(|failed| FromInit::Settled { failed }),
    ]
}

pub(crate) fn to_runner() -> impl Strategy<Value = ToRunner> {
    prop_oneof![
        (any::<u32>(), text(), text(), texts(), vec((bytes(), bytes()), 0..5), any::<u64>()).prop_map(
            |(call, contract, name, args, env, code_bytes)| ToRunner::Begin {
                call,
                contract,
                name,
                args,
                env,
                code_bytes
            }
        ),
        (any::<u32>(), any::<u32>(), bytes()).prop_map(|(call, sequence, bytes)| ToRunner::Body {
            call,
            sequence,
            bytes
        }),
        any::<u32>().prop_map(|call| ToRunner::End { call }),
        (any::<u32>(), text(), text(), text(), headers(), any::<u64>()).prop_map(
            |(call, method, path, query, headers, body_bytes)| ToRunner::Request {
                call,
                method,
                path,
                query,
                headers,
                body_bytes
            }
        ),
        any::<(u32, u32)>().prop_map(|(call, bytes)| ToRunner::Credit { call, bytes }),
        texts().prop_map(|distributions| ToRunner::Prepare { distributions }),
    ]
}

pub(crate) fn from_runner() -> impl Strategy<Value = FromRunner> {
    prop_oneof![
        any::<u16>().prop_map(|version| FromRunner::Hello { version }),
        (any::<u32>(), any::<u16>(), headers()).prop_map(|(call, status, headers)| FromRunner::Head {
            call,
            status,
            headers
        }),
        (any::<u32>(), any::<u32>(), bytes()).prop_map(|(call, sequence, bytes)| FromRunner::Body {
            call,
            sequence,
            bytes
        }),
        any::<u32>().prop_map(|call| FromRunner::End { call }),
        (any::<u32>(), text()).prop_map(|(call, message)| FromRunner::Failed { call, message }),
        any::<u32>().prop_map(|call| FromRunner::Loaded { call }),
        any::<u32>().prop_map(|call| FromRunner::Busy { call }),
        (any::<u32>(), any::<bool>(), bytes()).prop_map(|(call, is_error, bytes)| FromRunner::Printed {
            call,
            is_error,
            bytes
        }),
    ]
}

pub(crate) fn to_launcher() -> impl Strategy<Value = ToLauncher> {
    let create = (
        any::<([u8; 16], [u8; 16], bool)>(),
        any::<(u64, u64, u64, u32, u32, Option<[u8; 32]>)>(),
        (any::<Option<u32>>(), any::<bool>(), prop::option::of(step())),
    )
        .prop_map(
            |(
                (sandbox, tenant, strict),
                (memory_bytes, disk_bytes, inodes, cpu_milli, pids, packages),
                (zygote, stem, fail_at),
            )| {
                ToLauncher::Create(Create {
                    sandbox,
                    tenant,
                    strict,
                    memory_bytes,
                    disk_bytes,
                    inodes,
                    cpu_milli,
                    pids,
                    packages,
                    zygote,
                    stem,
                    fail_at,
                })
            },
        );
    prop_oneof![
        create,
        any::<[u8; 16]>().prop_map(|sandbox| ToLauncher::Stat { sandbox }),
        any::<([u8; 16], bool)>().prop_map(|(sandbox, stays)| ToLauncher::Renew { sandbox, stays }),
        any::<[u8; 16]>().prop_map(|sandbox| ToLauncher::Kill { sandbox }),
        (any::<u32>(), text(), any::<Option<[u8; 16]>>()).prop_map(|(zygote, language, sandbox)| ToLauncher::Hatch {
            zygote,
            language,
            sandbox
        }),
        any::<u32>().prop_map(|zygote| ToLauncher::Retire { zygote }),
        any::<[u8; 16]>().prop_map(|sandbox| ToLauncher::Meter { sandbox }),
    ]
}

fn cause() -> impl Strategy<Value = ZygoteEnd> {
    prop_oneof![
        Just(ZygoteEnd::Retired),
        any::<i32>().prop_map(|errno| ZygoteEnd::Refused { errno }),
        Just(ZygoteEnd::Late),
        any::<u8>().prop_map(|code| ZygoteEnd::Exited { code }),
        any::<u8>().prop_map(|signal| ZygoteEnd::Killed { signal }),
        Just(ZygoteEnd::OutOfMemory),
        prop::sample::select(Unfit::ALL.to_vec()).prop_map(|reason| ZygoteEnd::Unfit { reason }),
    ]
}

fn counters() -> impl Strategy<Value = Counters> {
    any::<(Option<u64>, Option<u64>, Option<u64>, Option<u64>)>().prop_map(
        |(cpu_us, memory_peak_bytes, oom_kills, pids_refused)| Counters {
            cpu_us,
            memory_peak_bytes,
            oom_kills,
            pids_refused,
        },
    )
}

fn host() -> impl Strategy<Value = Host> {
    (
        any::<(u16, bool, u32)>(),
        (texts(), pairs(), vec((text(), text(), text()), 0..5), pairs()),
        any::<(u64, u32, u32, u32, u32, bool)>(),
    )
        .prop_map(
            |(
                (version, root, server_uid),
                (layers, limits, missing, runtimes),
                (memory_bytes, cpu_milli, pids, max_sandboxes, reconciled, packages),
            )| Host {
                version,
                root,
                server_uid,
                layers,
                limits,
                missing,
                runtimes,
                memory_bytes,
                cpu_milli,
                pids,
                max_sandboxes,
                reconciled,
                packages,
            },
        )
}

pub(crate) fn from_launcher() -> impl Strategy<Value = FromLauncher> {
    prop_oneof![
        host().prop_map(FromLauncher::Hello),
        (text(), text()).prop_map(|(reason, fix)| FromLauncher::Refused { reason, fix }),
        (any::<[u8; 16]>(), step(), any::<i32>()).prop_map(|(sandbox, step, errno)| FromLauncher::CreateFailed {
            sandbox,
            step,
            errno
        }),
        (any::<[u8; 16]>(), counters()).prop_map(|(sandbox, counters)| FromLauncher::Usage { sandbox, counters }),
        (any::<[u8; 16]>(), counters()).prop_map(|(sandbox, counters)| FromLauncher::Ended { sandbox, counters }),
        any::<[u8; 16]>().prop_map(|sandbox| FromLauncher::Metered { sandbox }),
        (any::<[u8; 16]>(), counters(), left()).prop_map(|(sandbox, counters, left)| FromLauncher::Renewed {
            sandbox,
            counters,
            left
        }),
        any::<u32>().prop_map(|zygote| FromLauncher::Hatched { zygote }),
        (any::<u32>(), cause()).prop_map(|(zygote, cause)| FromLauncher::ZygoteEnded { zygote, cause }),
        any::<([u8; 16], u32)>().prop_map(|(sandbox, pid)| FromLauncher::Started { sandbox, pid }),
        any::<([u8; 16], i32)>().prop_map(|(sandbox, errno)| FromLauncher::NotStarted { sandbox, errno }),
    ]
}
