//! The numbers of the system calls. Younger architectures never had those for which there is a better one: there they are
//! [`ABSENT`], so that one list serves all.

#![allow(non_upper_case_globals, reason = "they are the kernel's names")]

use libc::c_long;

/// The number of a call that this architecture does not have.
pub(super) const ABSENT: c_long = -1;

pub(super) use libc::*;

macro_rules! absent {
    ($($call:ident)*) => { $(#[cfg(not(target_arch = "x86_64"))] pub(super) const $call: c_long = ABSENT;)* };
}

#[rustfmt::skip]
absent![
    SYS__sysctl SYS_access SYS_afs_syscall SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2
    SYS_epoll_create SYS_epoll_ctl_old SYS_epoll_wait_old SYS_epoll_wait SYS_eventfd SYS_fork SYS_futimesat
    SYS_get_thread_area SYS_getdents SYS_getpgrp SYS_getpmsg SYS_inotify_init SYS_ioperm SYS_iopl SYS_lchown
    SYS_link SYS_lstat SYS_mkdir SYS_mknod SYS_modify_ldt SYS_open SYS_pause SYS_pipe SYS_poll SYS_putpmsg
    SYS_readlink SYS_rename SYS_rmdir SYS_security SYS_select SYS_set_thread_area SYS_signalfd SYS_stat
    SYS_symlink SYS_sysfs SYS_time SYS_tuxcall SYS_unlink SYS_uselib SYS_ustat SYS_utime SYS_utimes
    SYS_vfork SYS_vserver
];
