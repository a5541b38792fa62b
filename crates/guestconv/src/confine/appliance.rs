//! The system calls of the appliance: the kernel of User Mode Linux, and the processes that it makes for those of the guest.
//!
//! From its source, `arch/um/os-Linux`, `arch/um/drivers` and `arch/um/kernel/skas/stub_exe.c` of Linux 7.3, in both of its
//! modes (seccomp and ptrace), and from what static programs of the C libraries since glibc 2.31 do at their start and in a
//! thread. What a process of the guest calls in seccomp mode is trapped before, and in ptrace mode never reaches the host.
//!
//! The warden is asked where a call may be done only so often, or only to the appliance's own processes, and for all that is
//! not on the list, so that it can be named if the run fails.

use super::filter::{Alone, Answer, Calls, Rule, Test};
use super::leash;
use libc::{c_int, c_long};
use std::os::fd::RawFd;

/// Done whatever the arguments are: they reach only the process itself, what it has opened, and time.
const ALLOWED: &[c_long] = &[
    // What a run spends its time with comes first.
    libc::SYS_futex,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_timer_settime,
    libc::SYS_epoll_wait,
    libc::SYS_poll,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_wait4,
    libc::SYS_arch_prctl,
    // Files, those that are open and the names of those that are not: what may be opened is up to Landlock.
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getdents64,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_rmdir,
    libc::SYS_dup,
    libc::SYS_fchmod,
    libc::SYS_eventfd2,
    libc::SYS_signalfd4,
    libc::SYS_epoll_create,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_ppoll,
    libc::SYS_recvfrom,
    libc::SYS_shutdown,
    // Memory; how much of it is up to the limits.
    libc::SYS_brk,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Signals and time.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_pause,
    libc::SYS_timer_create,
    libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_delete,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_restart_syscall,
    // The process.
    libc::SYS_execve, // of what Landlock lets it execute
    libc::SYS_execveat,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_waitid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgrp,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getcwd,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_sysinfo,
];

/// Asked for, and gone without: the warden is not troubled.
const GONE_WITHOUT: &[(c_long, c_int)] = &[
    // Its flags are behind a pointer. The C library takes `clone` then.
    (libc::SYS_clone3, libc::ENOSYS),
    (libc::SYS_openat2, libc::ENOSYS),
    // A static program would like to know its own path.
    (libc::SYS_readlink, libc::EPERM),
    (libc::SYS_readlinkat, libc::EPERM),
    // It stays in its group, which is killed as one. It leads one, so this fails anyhow.
    (libc::SYS_setsid, libc::EPERM),
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
        of(libc::SYS_mmap, &[(&[masked(3, 0x21, 0x21)], ask)], Answer::Allow),
        one_of(libc::SYS_ptrace, 0, PTRACE),
        of(libc::SYS_close, &[(&[is(0, leash)], refuse)], Answer::Allow),
        of(
            libc::SYS_fcntl,
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
            libc::SYS_openat,
            &[(&[masked(2, CREATES, CREATES)], ask), (&[masked(2, TEMPORARY, TEMPORARY)], ask)],
            Answer::Allow,
        ),
        of(libc::SYS_mkdir, &[], ask),
        of(libc::SYS_memfd_create, &[], ask),
        of(libc::SYS_dup2, &[(&[is(1, leash)], refuse)], Answer::Allow),
        of(libc::SYS_dup3, &[(&[is(1, leash)], refuse)], Answer::Allow),
        of(libc::SYS_close_range, &[], ask),
        of(
            libc::SYS_clone,
            &[
                (&[masked(0, CLONE_FILES | CLONE_THREAD, CLONE_FILES)], refuse),
                (&[masked(0, CLONE_REFUSED, 0)], ask),
            ],
            refuse,
        ),
        // To the parent never; to others only with a warden, or as far as Landlock lets it.
        of(libc::SYS_kill, &[(&[is(0, parent)], refuse), (&[masked(0, 1 << 31, 1 << 31)], refuse)], ask),
        of(libc::SYS_tgkill, &[(&[is(0, parent)], refuse)], ask),
        of(libc::SYS_tkill, &[(&[is(0, parent)], refuse)], ask),
        of(libc::SYS_socket, &[(unix_stream, Answer::Allow)], Answer::Ask(Alone::Refuse)),
        of(libc::SYS_socketpair, &[(unix_stream, Answer::Allow)], Answer::Ask(Alone::Refuse)),
        of(libc::SYS_connect, &[], ask),
        // Without an address it goes where the socket is connected to.
        of(libc::SYS_sendto, &[(&[Test::IsNull { argument: 4 }], Answer::Allow)], Answer::Ask(Alone::Refuse)),
        one_of(libc::SYS_ioctl, 1, &[TERMINAL, &[FIONBIO]].concat()),
        of(
            libc::SYS_prctl,
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
        of(libc::SYS_seccomp, &[(&[masked(1, 8, 0)], Answer::Allow)], refuse),
        of(
            libc::SYS_prlimit64,
            &[
                (&[is(0, 0), Test::IsNull { argument: 2 }], Answer::Allow),
                (&[is(0, 0), is(1, libc::RLIMIT_STACK)], Answer::Allow),
            ],
            refuse,
        ),
        of(libc::SYS_personality, &[(&[is(0, ADDR_NO_RANDOMIZE)], Answer::Allow)], refuse),
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
        let count = calls.len();
        calls.sort_unstable();
        calls.dedup();
        assert_eq!(calls.len(), count);
    }
}
