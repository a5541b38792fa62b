//! The system calls of the appliance: the kernel of User Mode Linux, and the processes that it makes for those of the guest.
//!
//! From its source, `arch/um/os-Linux`, `arch/um/drivers` and `arch/um/kernel/skas/stub_exe.c` of Linux 7.3, in both of its
//! modes (seccomp and ptrace), and from what static programs of the C libraries since glibc 2.31 do at their start and in a
//! thread. What a process of the guest calls in seccomp mode is trapped before, and in ptrace mode never reaches the host.
//!
//! The warden is asked where a call may be done only so often, or only to the appliance's own processes, and for all that is
//! not on the list, so that it can be named if the run fails.

use super::calls;
use super::filter::{Alone, Answer, Calls, Rule, Test};
use super::leash;
use libc::{c_int, c_long};
use std::os::fd::RawFd;

/// Done whatever the arguments are: they reach only the process itself, what it has opened, and time.
const ALLOWED: &[c_long] = &[
    // What a run spends its time with comes first.
    calls::SYS_futex,
    calls::SYS_read,
    calls::SYS_write,
    calls::SYS_rt_sigprocmask,
    calls::SYS_rt_sigreturn,
    calls::SYS_timer_settime,
    calls::SYS_epoll_wait,
    calls::SYS_poll,
    calls::SYS_munmap,
    calls::SYS_mprotect,
    calls::SYS_recvmsg,
    calls::SYS_sendmsg,
    calls::SYS_wait4,
    calls::SYS_arch_prctl,
    // Files, those that are open and the names of those that are not: what may be opened is up to Landlock.
    calls::SYS_pread64,
    calls::SYS_pwrite64,
    calls::SYS_readv,
    calls::SYS_writev,
    calls::SYS_lseek,
    calls::SYS_fstat,
    calls::SYS_stat,
    calls::SYS_lstat,
    calls::SYS_newfstatat,
    calls::SYS_statx,
    calls::SYS_statfs,
    calls::SYS_fstatfs,
    calls::SYS_access,
    calls::SYS_faccessat,
    calls::SYS_faccessat2,
    calls::SYS_getdents64,
    calls::SYS_unlink,
    calls::SYS_unlinkat,
    calls::SYS_rmdir,
    calls::SYS_dup,
    calls::SYS_fchmod,
    calls::SYS_eventfd2,
    calls::SYS_signalfd4,
    calls::SYS_epoll_create,
    calls::SYS_epoll_create1,
    calls::SYS_epoll_ctl,
    calls::SYS_epoll_pwait,
    calls::SYS_ppoll,
    calls::SYS_recvfrom,
    calls::SYS_shutdown,
    // Memory; how much of it is up to the limits.
    calls::SYS_brk,
    calls::SYS_mremap,
    calls::SYS_madvise,
    // Signals and time.
    calls::SYS_rt_sigaction,
    calls::SYS_rt_sigsuspend,
    calls::SYS_rt_sigpending,
    calls::SYS_rt_sigtimedwait,
    calls::SYS_sigaltstack,
    calls::SYS_pause,
    calls::SYS_timer_create,
    calls::SYS_timer_gettime,
    calls::SYS_timer_getoverrun,
    calls::SYS_timer_delete,
    calls::SYS_clock_gettime,
    calls::SYS_clock_getres,
    calls::SYS_clock_nanosleep,
    calls::SYS_nanosleep,
    calls::SYS_gettimeofday,
    calls::SYS_time,
    calls::SYS_restart_syscall,
    // The process.
    calls::SYS_execve, // of what Landlock lets it execute
    calls::SYS_execveat,
    calls::SYS_exit,
    calls::SYS_exit_group,
    calls::SYS_waitid,
    calls::SYS_getpid,
    calls::SYS_getppid,
    calls::SYS_gettid,
    calls::SYS_getpgrp,
    calls::SYS_getpgid,
    calls::SYS_getsid,
    calls::SYS_getuid,
    calls::SYS_geteuid,
    calls::SYS_getgid,
    calls::SYS_getegid,
    calls::SYS_getcwd,
    calls::SYS_set_tid_address,
    calls::SYS_set_robust_list,
    calls::SYS_rseq,
    calls::SYS_membarrier,
    calls::SYS_sched_yield,
    calls::SYS_sched_getaffinity,
    calls::SYS_getcpu,
    calls::SYS_getrlimit,
    calls::SYS_getrusage,
    calls::SYS_times,
    calls::SYS_getrandom,
    calls::SYS_uname,
    calls::SYS_sysinfo,
];

/// Asked for, and gone without: the warden is not troubled.
const GONE_WITHOUT: &[(c_long, c_int)] = &[
    // Its flags are behind a pointer. The C library takes `clone` then.
    (calls::SYS_clone3, libc::ENOSYS),
    (calls::SYS_openat2, libc::ENOSYS),
    // A static program would like to know its own path.
    (calls::SYS_readlink, libc::EPERM),
    (calls::SYS_readlinkat, libc::EPERM),
    // It stays in its group, which is killed as one. It leads one, so this fails anyhow.
    (calls::SYS_setsid, libc::EPERM),
];

/// What is on the terminal if a descriptor is one: none of its are, so all that it may learn is that.
const TERMINAL: &[u32] = &[0x5401, 0x5402, 0x5403, 0x5404, 0x540f, 0x5413, 0x802c_542a];
const FIONBIO: u32 = 0x5421;

const PTRACE: &[u32] = &[
    0,      // TRACEME
    1,      // PEEKTEXT
    2,      // PEEKDATA
    3,      // PEEKUSER
    4,      // POKETEXT
    5,      // POKEDATA
    6,      // POKEUSER
    7,      // CONT
    8,      // KILL
    9,      // SINGLESTEP
    12,     // GETREGS
    13,     // SETREGS
    14,     // GETFPREGS
    15,     // SETFPREGS
    24,     // SYSCALL
    30,     // ARCH_PRCTL
    31,     // SYSEMU
    32,     // SYSEMU_SINGLESTEP
    0x4200, // SETOPTIONS
    0x4201, // GETEVENTMSG
    0x4202, // GETSIGINFO
    0x4203, // SETSIGINFO
    0x4204, // GETREGSET
    0x4205, // SETREGSET
];

const F_SETOWN_EX: c_int = 15;
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
const CREATES: u32 = 0x40;
/// `O_TMPFILE` without `O_DIRECTORY`.
pub(super) const TEMPORARY: u32 = 0x0040_0000;
/// Other name spaces, another parent, a descriptor of the child, and a child that is traced.
const CLONE_REFUSED: u32 = 0x7e02_0000 | 0x0000_0080 | 0x0000_8000 | 0x0000_1000 | 0x0000_2000;
const CLONE_FILES: u32 = 0x0000_0400;
const CLONE_THREAD: u32 = 0x0001_0000;

/// Returns the answers for an appliance that is held by the descriptor `leash`, whose parent is `parent`.
pub(super) fn calls(leash: RawFd, parent: u32) -> Calls {
    let leash = leash.unsigned_abs();
    let refuse = Answer::Refuse(libc::EPERM);
    let ask = Answer::Ask(Alone::Allow);
    let of = |call: c_long, cases: &[(&[Test], Answer)], otherwise| Rule {
        call,
        cases: cases.iter().map(|(tests, answer)| (tests.to_vec(), *answer)).collect(),
        otherwise,
    };
    let one_of = |call: c_long, argument, values: &[u32]| Rule {
        call,
        cases: values.iter().map(|value| (vec![is(argument, *value)], Answer::Allow)).collect(),
        otherwise: Answer::Ask(Alone::Refuse),
    };
    let unix_stream: &[Test] = &[is(0, libc::AF_UNIX.unsigned_abs()), masked(1, 0xf, 1), is(2, 0)];
    let fcntl = |command: c_int| is(1, command.unsigned_abs());
    let (first, rest) = ALLOWED.split_at(14);
    let allowed =
        |calls: &[c_long]| calls.iter().map(|call| of(*call, &[], Answer::Allow)).collect::<Vec<_>>();
    let mut rules = allowed(first);
    rules.extend([
        // Shared memory without a file counts in no limit of its own.
        of(calls::SYS_mmap, &[(&[masked(3, 0x21, 0x21)], ask)], Answer::Allow),
        one_of(calls::SYS_ptrace, 0, PTRACE),
        of(calls::SYS_close, &[(&[is(0, leash)], refuse)], Answer::Allow),
        of(
            calls::SYS_fcntl,
            &[
                (&[is(0, leash)], refuse),
                (&[fcntl(libc::F_SETOWN)], ask), // a way to signal
                (&[fcntl(leash::F_SETSIG), is(2, libc::SIGIO.unsigned_abs())], Answer::Allow),
                (&[fcntl(leash::F_SETSIG)], refuse),
                (&[fcntl(F_SETOWN_EX)], refuse),
                (&[fcntl(libc::F_SETPIPE_SZ)], refuse),
                (&[fcntl(libc::F_NOTIFY)], refuse),
            ],
            Answer::Allow,
        ),
        of(
            calls::SYS_openat,
            &[(&[masked(2, CREATES, CREATES)], ask), (&[masked(2, TEMPORARY, TEMPORARY)], ask)],
            Answer::Allow,
        ),
        of(calls::SYS_mkdir, &[], ask),
        of(calls::SYS_memfd_create, &[], ask),
        of(calls::SYS_dup2, &[(&[is(1, leash)], refuse)], Answer::Allow),
        of(calls::SYS_dup3, &[(&[is(1, leash)], refuse)], Answer::Allow),
        of(calls::SYS_close_range, &[], ask),
        of(
            calls::SYS_clone,
            &[
                (&[masked(0, CLONE_FILES | CLONE_THREAD, CLONE_FILES)], refuse),
                (&[masked(0, CLONE_REFUSED, 0)], ask),
            ],
            refuse,
        ),
        // To the parent never; to others only with a warden, or as far as Landlock lets it.
        of(calls::SYS_kill, &[(&[is(0, parent)], refuse), (&[masked(0, 1 << 31, 1 << 31)], refuse)], ask),
        of(calls::SYS_tgkill, &[(&[is(0, parent)], refuse)], ask),
        of(calls::SYS_tkill, &[(&[is(0, parent)], refuse)], ask),
        of(calls::SYS_socket, &[(unix_stream, Answer::Allow)], Answer::Ask(Alone::Refuse)),
        of(calls::SYS_socketpair, &[(unix_stream, Answer::Allow)], Answer::Ask(Alone::Refuse)),
        of(calls::SYS_connect, &[], ask),
        // Without an address it goes where the socket is connected to.
        of(
            calls::SYS_sendto,
            &[(&[Test::IsNull { argument: 4 }], Answer::Allow)],
            Answer::Ask(Alone::Refuse),
        ),
        one_of(calls::SYS_ioctl, 1, &[TERMINAL, &[FIONBIO]].concat()),
        of(
            calls::SYS_prctl,
            &[
                (&[is(0, libc::PR_SET_PDEATHSIG.unsigned_abs()), is(1, 9)], Answer::Allow),
                (&[is(0, libc::PR_SET_PDEATHSIG.unsigned_abs())], refuse),
                (&[is(0, libc::PR_SET_NO_NEW_PRIVS.unsigned_abs())], Answer::Allow),
                (&[is(0, libc::PR_SET_SECCOMP.unsigned_abs())], Answer::Allow),
                (&[is(0, libc::PR_SET_NAME.unsigned_abs())], Answer::Allow),
                (&[is(0, libc::PR_SET_VMA.unsigned_abs())], Answer::Allow),
            ],
            Answer::Ask(Alone::Refuse),
        ),
        // Filters only take away; but one with a listener would have its own warden.
        of(calls::SYS_seccomp, &[(&[masked(1, 8, 0)], Answer::Allow)], refuse),
        of(
            calls::SYS_prlimit64,
            &[
                (&[is(0, 0), Test::IsNull { argument: 2 }], Answer::Allow),
                (&[is(0, 0), is(1, libc::RLIMIT_STACK)], Answer::Allow),
            ],
            refuse,
        ),
        of(calls::SYS_personality, &[(&[is(0, ADDR_NO_RANDOMIZE)], Answer::Allow)], refuse),
    ]);
    rules.extend(allowed(rest));
    rules.extend(GONE_WITHOUT.iter().map(|(call, error)| of(*call, &[], Answer::Refuse(*error))));
    Calls { rules, others: Answer::Ask(Alone::Refuse) }
}

fn is(argument: u32, value: u32) -> Test {
    masked(argument, u32::MAX, value)
}

fn masked(argument: u32, mask: u32, value: u32) -> Test {
    Test::Is { argument, mask, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_has_two_rules() {
        let mut calls: Vec<c_long> = calls(7, 1).rules.into_iter().map(|rule| rule.call).collect();
        calls.retain(|call| *call != calls::ABSENT);
        let count = calls.len();
        calls.sort_unstable();
        calls.dedup();
        assert_eq!(calls.len(), count);
    }
}
