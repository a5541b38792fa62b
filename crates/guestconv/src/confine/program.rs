//! The system calls that programs of the host's packages (GRUB's, QEMU) are refused: what changes other processes or the
//! machine, what reaches the network, and large parts of the host's kernel that they do without. What such programs need
//! changes with their versions and libraries, so that a list of what is let through would break them.

use super::calls;
use super::filter::{Answer, Calls, Rule, Test};

/// Where distributions have programs, libraries and firmware, and what libraries read at their start.
pub(crate) const PROGRAM_FILES: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/openssl.cnf",
    "/etc/crypto-policies",
    "/etc/gnutls",
    "/dev/urandom",
];

const REFUSED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_syslog,
    calls::SYS_iopl,
    calls::SYS_ioperm,
    libc::SYS_vhangup,
    libc::SYS_fanotify_init,
];

/// What makes or connects a socket that others can be at. A pair has two ends that are one's own.
const OF_OTHERS: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
];

/// Which sockets a program may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// UNIX sockets.
    Unix,
    /// Pairs: others it has as they are given.
    Given,
}

/// Returns the answers.
pub(super) fn calls(sockets: Sockets) -> Calls {
    let refuse = Answer::Refuse(libc::EPERM);
    let refused = |calls: &[libc::c_long]| -> Vec<Rule> {
        calls.iter().map(|call| Rule { call: *call, cases: vec![], otherwise: refuse }).collect()
    };
    let mut rules = refused(REFUSED);
    let is_unix = Test::Is { argument: 0, mask: u32::MAX, value: libc::AF_UNIX.unsigned_abs() };
    let if_unix = |call| {
        let cases = vec![(vec![is_unix], Answer::Allow)];
        Rule { call, cases, otherwise: Answer::Refuse(libc::EAFNOSUPPORT) }
    };
    rules.push(if_unix(libc::SYS_socketpair));
    match sockets {
        Sockets::Unix => rules.push(if_unix(libc::SYS_socket)),
        Sockets::Given => rules.extend(refused(OF_OTHERS)),
    }
    Calls { rules, others: Answer::Allow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_given_its_sockets_makes_none() {
        let answers = |sockets, call| {
            let rule = calls(sockets).rules.into_iter().find(|rule| rule.call == call);
            rule.map(|rule| (rule.cases.len(), rule.otherwise))
        };
        let (refused, of_others) = (Answer::Refuse(libc::EPERM), Answer::Refuse(libc::EAFNOSUPPORT));
        for (call, unix, given) in [
            (libc::SYS_socket, Some((1, of_others)), Some((0, refused))),
            (libc::SYS_socketpair, Some((1, of_others)), Some((1, of_others))),
            (libc::SYS_connect, None, Some((0, refused))),
            (libc::SYS_bind, None, Some((0, refused))),
            (libc::SYS_ptrace, Some((0, refused)), Some((0, refused))),
        ] {
            assert_eq!(answers(Sockets::Unix, call), unix, "{call}");
            assert_eq!(answers(Sockets::Given, call), given, "{call}");
        }
    }
}
