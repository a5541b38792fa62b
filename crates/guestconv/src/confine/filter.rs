//! A seccomp filter: what is answered to each system call, as a value, and as the program (classic BPF) that the host's
//! kernel runs. Pure. The crate `seccompiler` knows neither the answer "ask" nor more than two answers in one filter.
//!
//! A refusal is always an error, never death: User Mode Linux in seccomp mode lets its processes be trapped (`RET_TRAP`) at
//! every call of the guest, and a filter around it that kills would take precedence. See seccomp(2).

use super::calls::ABSENT;
use libc::{c_int, c_long, sock_filter};

/// What is answered to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is done.
    Allow,
    /// It fails with this error.
    Refuse(c_int),
    /// The warden decides; where there is none, this.
    Ask(Alone),
}

/// What is answered without a warden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// It is done.
    Allow,
    /// It fails with `EPERM`.
    Refuse,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// The argument's low half, masked, has this value. The kernel takes an `int` from the low half, whatever is above.
    Is { argument: u32, mask: u32, value: u32 },
    /// The whole argument is zero: a pointer that points nowhere.
    IsNull { argument: u32 },
}

/// What is answered to one call: by the first case whose tests all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) call: c_long,
    pub(super) cases: Vec<(Vec<Test>, Answer)>,
    pub(super) otherwise: Answer,
}

/// The answers to all calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calls {
    /// For these; what is asked most comes first.
    pub(super) rules: Vec<Rule>,
    /// For all others.
    pub(super) others: Answer,
}

/// The highest call that we know. Later ones do not exist for who asks: the C library then does what it did before.
const LAST_KNOWN: u32 = 471;
/// What the kernel calls the architecture (`linux/audit.h`): calls of another are not ours to judge.
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the numbers of system calls are known for x86-64 and 64-bit ARM");
const OFFSET_CALL: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGUMENTS: u32 = 16;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const ABOVE: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

/// Returns the program of `calls`, with a warden or without.
pub(super) fn program(calls: &Calls, has_warden: bool) -> Vec<sock_filter> {
    let returned = |answer: Answer| statement(RETURN, action(answer, has_warden));
    let missing = || returned(Answer::Refuse(libc::ENOSYS));
    let mut program = vec![
        statement(LOAD, OFFSET_ARCH),
        jump(EQUAL, AUDIT_ARCH, 1, 0),
        missing(),
        statement(LOAD, OFFSET_CALL),
        jump(ABOVE, LAST_KNOWN, 0, 1),
        missing(),
    ];
    for rule in calls.rules.iter().filter(|rule| rule.call != ABSENT) {
        let mut body = Vec::new();
        for (tests, answer) in &rule.cases {
            let tested: Vec<Vec<sock_filter>> = tests.iter().map(instructions).collect();
            let length: usize = tested.iter().map(Vec::len).sum();
            let mut left = length;
            for mut test in tested {
                // A test that fails goes to the next case: beyond the other tests and the answer.
                let count = test.len();
                for (index, instruction) in test.iter_mut().enumerate() {
                    if u32::from(instruction.code) == EQUAL {
                        instruction.jf = distance(left - index);
                    }
                }
                left -= count;
                body.extend(test);
            }
            body.push(returned(*answer));
        }
        body.push(returned(rule.otherwise));
        let number = u32::try_from(rule.call).expect("calls have small numbers");
        program.push(jump(EQUAL, number, 0, distance(body.len())));
        program.extend(body);
    }
    program.push(returned(calls.others));
    program
}

fn instructions(test: &Test) -> Vec<sock_filter> {
    match *test {
        Test::Is { argument, mask, value } => {
            vec![
                statement(LOAD, OFFSET_ARGUMENTS + 8 * argument),
                statement(AND, mask),
                jump(EQUAL, value, 0, 0),
            ]
        }
        Test::IsNull { argument } => vec![
            statement(LOAD, OFFSET_ARGUMENTS + 8 * argument),
            jump(EQUAL, 0, 0, 0),
            statement(LOAD, OFFSET_ARGUMENTS + 8 * argument + 4),
            jump(EQUAL, 0, 0, 0),
        ],
    }
}

fn action(answer: Answer, has_warden: bool) -> u32 {
    match answer {
        Answer::Ask(_) if has_warden => libc::SECCOMP_RET_USER_NOTIF,
        Answer::Allow | Answer::Ask(Alone::Allow) => libc::SECCOMP_RET_ALLOW,
        Answer::Ask(Alone::Refuse) => action(Answer::Refuse(libc::EPERM), has_warden),
        Answer::Refuse(error) => libc::SECCOMP_RET_ERRNO | error.unsigned_abs(),
    }
}

fn statement(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("codes have 16 bits"), jt, jf, k }
}

fn distance(instructions: usize) -> u8 {
    u8::try_from(instructions).expect("a rule is short")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the host's kernel does with a program, for the instructions that we use.
    fn run(program: &[sock_filter], arch: u32, call: u32, arguments: [u64; 6]) -> u32 {
        let mut data = [call.to_le_bytes(), arch.to_le_bytes()].concat();
        data.extend([0; 8]);
        data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        let (mut at, mut a) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let jump = |holds| usize::from(if holds { jt } else { jf });
            match u32::from(code) {
                LOAD => a = u32::from_le_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
                AND => a &= k,
                EQUAL => at += jump(a == k),
                ABOVE => at += jump(a > k),
                RETURN => return k,
                code => panic!("no instruction of ours: {code}"),
            }
        }
    }

    #[test]
    fn each_call_has_the_answer_of_its_rule() {
        let is = |argument, mask, value| Test::Is { argument, mask, value };
        let calls = Calls {
            rules: vec![
                Rule { call: libc::SYS_read, cases: vec![], otherwise: Answer::Allow },
                Rule {
                    call: libc::SYS_socket,
                    cases: vec![
                        (vec![is(0, u32::MAX, 1), is(1, 0xf, 1)], Answer::Allow),
                        (vec![is(0, u32::MAX, 2), Test::IsNull { argument: 2 }], Answer::Ask(Alone::Allow)),
                    ],
                    otherwise: Answer::Refuse(97),
                },
            ],
            others: Answer::Ask(Alone::Refuse),
        };
        let (allow, ask) = (libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_USER_NOTIF);
        let error = |number| libc::SECCOMP_RET_ERRNO | number;
        let own = AUDIT_ARCH;
        let [read, socket, connect] =
            [libc::SYS_read, libc::SYS_socket, libc::SYS_connect].map(|call| u32::try_from(call).unwrap());
        for (arch, call, arguments, with, without) in [
            (own, read, [9, 9, 9, 0, 0, 0], allow, allow),
            (own, socket, [1, 0x8_0001, 5, 0, 0, 0], allow, allow),
            (own, socket, [0xff_0000_0001, 1, 5, 0, 0, 0], allow, allow), // an int is the low half
            (own, socket, [1, 2, 0, 0, 0, 0], error(97), error(97)),
            (own, socket, [2, 2, 0, 0, 0, 0], ask, allow),
            (own, socket, [2, 2, 7, 0, 0, 0], error(97), error(97)),
            (own, socket, [2, 2, 1 << 32, 0, 0, 0], error(97), error(97)), // a pointer is not
            (own, connect, [0; 6], ask, error(1)),
            (own, LAST_KNOWN + 1, [0; 6], error(38), error(38)),
            (own, 0x4000_0000, [0; 6], error(38), error(38)), // x32
            (0x4000_0003, 0, [0; 6], error(38), error(38)),   // 32 bits
        ] {
            let given = format!("{arch:x} {call} {arguments:?}");
            assert_eq!(run(&program(&calls, true), arch, call, arguments), with, "{given}");
            assert_eq!(run(&program(&calls, false), arch, call, arguments), without, "{given} alone");
        }
    }
}
