//! Rules and their compilation to the kernel's classic BPF.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "filters are small, and numbers take the widths of the kernel's instructions"
)]

use libc::sock_filter;

/// What happens to a call a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The call returns this error.
    Errno(i32),
    /// The process is killed.
    Kill,
    /// The process's tracer is asked, if it wants to be; without one the call returns `ENOSYS`.
    Trace,
}

/// Which calls a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// This call.
    Call(libc::c_long),
    /// Every call numbered from the first to the second, both included.
    Calls(libc::c_long, libc::c_long),
    /// This call when any of these bits is set in the low half of an argument.
    CallWithBits(libc::c_long, u32, u32),
    /// This call when any of the first bits is set in the low half of an argument, or the second bits are
    /// exactly so: (which of them, what they are).
    CallWithBitsOrExactly(libc::c_long, u32, u32, (u32, u32)),
    /// This call unless the low half of an argument is one of these.
    CallUnless(libc::c_long, u32, &'static [u32]),
    /// This call unless the low halves of two arguments are each one of these.
    CallUnlessBoth(libc::c_long, [(u32, &'static [u32]); 2]),
    /// This call when the low half of an argument is one of these.
    CallWith(libc::c_long, u32, &'static [u32]),
    /// This call when the low halves of two arguments are one of these pairs.
    CallWithPair(libc::c_long, [u32; 2], &'static [[u32; 2]]),
}

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What it matches.
    pub condition: Condition,
    /// What happens then.
    pub action: Action,
}

/// A compiled filter: the rules in order, and everything else allowed.
#[derive(Debug, Clone)]
pub struct Program {
    instructions: Vec<sock_filter>,
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const ABOVE: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Offsets in `struct seccomp_data` (`include/uapi/linux/seccomp.h`).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// `AUDIT_ARCH_X86_64` (`include/uapi/linux/audit.h`).
const X86_64: u32 = 0xC000_003E;
/// x32 calls have this bit in their number.
const X32_BIT: u32 = 0x4000_0000;

/// Where a jump goes before addresses are known.
#[derive(Clone, Copy)]
enum To {
    Next,
    Skip(u8),
    Return(Return),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Return {
    Allow,
    Action(Action),
}

struct Draft {
    code: u16,
    value: u32,
    yes: To,
    no: To,
}

impl Program {
    /// Compiles rules. With `check_architecture` the filter first kills every call that is not a
    /// 64-bit one (32-bit `int 0x80`, x32); a filter stacked on such a filter need not.
    #[must_use]
    pub fn compile(rules: &[Rule], check_architecture: bool) -> Self {
        let mut drafts = Vec::new();
        if check_architecture {
            drafts.push(load(ARCHITECTURE));
            drafts.push(jump(EQUAL, X86_64, To::Next, To::Return(Return::Action(Action::Kill))));
        }
        drafts.push(load(NUMBER));
        if check_architecture {
            drafts.push(jump(AT_LEAST, X32_BIT, To::Return(Return::Action(Action::Kill)), To::Next));
        }
        for rule in rules {
            draft_rule(rule, &mut drafts);
        }
        Self { instructions: link(&drafts) }
    }

    /// The instructions.
    #[must_use]
    pub fn instructions(&self) -> &[sock_filter] {
        &self.instructions
    }

    /// Installs the filter on the calling thread, which needs `no_new_privs` or `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn install(&self) -> Result<(), rustix::io::Errno> {
        crate::sys::install_filter(&self.instructions)
    }
}

fn number(call: libc::c_long) -> u32 {
    // System call numbers are small and positive.
    call as u32
}

fn argument(index: u32) -> u32 {
    // The low half of a little-endian 64-bit argument.
    FIRST_ARGUMENT + 8 * index
}

fn load(offset: u32) -> Draft {
    Draft { code: LOAD, value: offset, yes: To::Next, no: To::Next }
}

fn jump(code: u16, value: u32, yes: To, no: To) -> Draft {
    Draft { code, value, yes, no }
}

fn draft_rule(rule: &Rule, drafts: &mut Vec<Draft>) {
    let hit = To::Return(Return::Action(rule.action));
    let allow = To::Return(Return::Allow);
    match rule.condition {
        Condition::Call(call) => drafts.push(jump(EQUAL, number(call), hit, To::Next)),
        Condition::Calls(first, last) => {
            drafts.push(jump(AT_LEAST, number(first), To::Next, To::Skip(1)));
            drafts.push(jump(ABOVE, number(last), To::Next, hit));
        }
        Condition::CallWithBits(call, index, bits) => {
            drafts.push(jump(EQUAL, number(call), To::Next, To::Skip(2)));
            drafts.push(load(argument(index)));
            drafts.push(jump(ANY_BIT, bits, hit, allow));
        }
        Condition::CallWithBitsOrExactly(call, index, bits, (mask, value)) => {
            drafts.push(jump(EQUAL, number(call), To::Next, To::Skip(4)));
            drafts.push(load(argument(index)));
            drafts.push(jump(ANY_BIT, bits, hit, To::Next));
            drafts.push(Draft { code: AND, value: mask, yes: To::Next, no: To::Next });
            drafts.push(jump(EQUAL, value, hit, allow));
        }
        Condition::CallUnless(call, index, values) => draft_values(call, index, values, allow, hit, drafts),
        Condition::CallWith(call, index, values) => draft_values(call, index, values, hit, allow, drafts),
        Condition::CallWithPair(call, [first, second], pairs) => {
            drafts.push(jump(EQUAL, number(call), To::Next, To::Skip(pairs.len() as u8 * 4)));
            for (position, [value, other]) in pairs.iter().enumerate() {
                let no = if position + 1 == pairs.len() { allow } else { To::Next };
                drafts.push(load(argument(first)));
                drafts.push(jump(
                    EQUAL,
                    *value,
                    To::Next,
                    if position + 1 == pairs.len() { allow } else { To::Skip(2) },
                ));
                drafts.push(load(argument(second)));
                drafts.push(jump(EQUAL, *other, hit, no));
            }
        }
        Condition::CallUnlessBoth(call, [(index, values), (second, others)]) => {
            let count = values.len() + others.len();
            drafts.push(jump(EQUAL, number(call), To::Next, To::Skip(count as u8 + 2)));
            drafts.push(load(argument(index)));
            for (position, value) in values.iter().enumerate() {
                let left = values.len() - position - 1;
                drafts.push(jump(EQUAL, *value, To::Skip(left as u8), if left == 0 { hit } else { To::Next }));
            }
            draft_argument(second, others, allow, hit, drafts);
        }
    }
}

/// One call whose argument decides: `listed` when it is one of the values, else `other`. Each call
/// has at most one such rule, because the number is no longer loaded after it.
fn draft_values(call: libc::c_long, index: u32, values: &[u32], listed: To, other: To, drafts: &mut Vec<Draft>) {
    drafts.push(jump(EQUAL, number(call), To::Next, To::Skip(values.len() as u8 + 1)));
    draft_argument(index, values, listed, other, drafts);
}

fn draft_argument(index: u32, values: &[u32], listed: To, other: To, drafts: &mut Vec<Draft>) {
    drafts.push(load(argument(index)));
    for (position, value) in values.iter().enumerate() {
        let no = if position + 1 == values.len() { other } else { To::Next };
        drafts.push(jump(EQUAL, *value, listed, no));
    }
}

/// Puts one return for each distinct result behind the drafts and turns jumps into distances.
fn link(drafts: &[Draft]) -> Vec<sock_filter> {
    let mut returns = vec![Return::Allow];
    for draft in drafts {
        for to in [draft.yes, draft.no] {
            if let To::Return(result) = to
                && !returns.contains(&result)
            {
                returns.push(result);
            }
        }
    }
    let distance = |at: usize, to: To| -> u8 {
        let distance = match to {
            To::Next => 0,
            To::Skip(count) => usize::from(count),
            To::Return(result) => {
                let index = returns.iter().position(|other| *other == result).unwrap_or(0);
                drafts.len() + index - at - 1
            }
        };
        // Filters here have far fewer than 255 instructions; the tests interpret each one.
        distance as u8
    };
    let mut instructions: Vec<sock_filter> = drafts
        .iter()
        .enumerate()
        .map(|(at, draft)| sock_filter {
            code: draft.code,
            jt: distance(at, draft.yes),
            jf: distance(at, draft.no),
            k: draft.value,
        })
        .collect();
    instructions.extend(returns.iter().map(|result| sock_filter {
        code: RETURN,
        jt: 0,
        jf: 0,
        k: match result {
            Return::Allow => libc::SECCOMP_RET_ALLOW,
            Return::Action(Action::Errno(errno)) => libc::SECCOMP_RET_ERRNO | *errno as u32,
            Return::Action(Action::Kill) => libc::SECCOMP_RET_KILL_PROCESS,
            Return::Action(Action::Trace) => libc::SECCOMP_RET_TRACE,
        },
    }));
    instructions
}
