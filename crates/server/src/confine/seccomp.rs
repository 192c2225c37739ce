//! seccomp: the system calls that the server can make; all others fail with EPERM (seccomp(2)). The list was measured by
//! `strace` over the whole test suite, and has beside what was seen only what the C library or the allocator may use in
//! place of it.

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// Allowed whatever their arguments.
const ALLOWED: &[c_long] = &[
    // Reading and writing
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    // Files
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_utimensat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_umask,
    // Memory
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads and time
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_membarrier,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // Waiting
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    // Sockets
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
    // About itself
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    libc::SYS_capget,
    // The thread that indexes takes its turn after the others.
    libc::SYS_setpriority,
];

/// Older forms of the same, which newer machines do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_pipe,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Flags of clone(2) that make anything but a thread of this process.
const NEW_NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// The bits of socket(2)'s type that are no flags.
const SOCKET_KIND: libc::c_int = 0xf;

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Confines every thread of the process. The error is a text.
pub fn restrict() -> Result<(), String> {
    // Of all filters the strictest answer counts. clone3 has its flags in memory, where no filter sees them: without it the
    // C library takes clone.
    let no_clone3 = filter(
        [(libc::SYS_clone3, Vec::new())].into(),
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
    )?;
    let allowed = filter(rules()?, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32))?;
    // The one that forbids to install more comes last.
    for program in [no_clone3, allowed] {
        seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn filter(rules: Rules, on_match: SeccompAction, otherwise: SeccompAction) -> Result<BpfProgram, String> {
    let machine =
        std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    let filter =
        SeccompFilter::new(rules, otherwise, on_match, machine).map_err(|error| error.to_string())?;
    filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())
}

fn rules() -> Result<Rules, String> {
    let mut rules: Rules = ALLOWED.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    for (call, any_of) in [
        // The second filter answers it; here it must not be the stricter EPERM.
        (libc::SYS_clone3, Vec::new()),
        (libc::SYS_clone, vec![vec![has(0, libc::CLONE_THREAD)?, lacks(0, NEW_NAMESPACES)?]]),
        (libc::SYS_socket, sockets()?),
        // Nothing that is written becomes code.
        (libc::SYS_mmap, vec![vec![lacks(2, libc::PROT_EXEC)?]]),
        (libc::SYS_mprotect, vec![vec![lacks(2, libc::PROT_EXEC)?]]),
        // Limits are read, and never set.
        (libc::SYS_prlimit64, vec![vec![is(2, Qword, 0)?]]),
        (
            libc::SYS_prctl,
            [
                libc::PR_SET_NAME,
                libc::PR_GET_NAME,
                libc::PR_SET_VMA,
                libc::PR_GET_DUMPABLE,
                libc::PR_GET_NO_NEW_PRIVS,
                libc::PR_GET_SECCOMP,
            ]
            .into_iter()
            .map(|option| Ok(vec![is(0, Dword, option as u64)?]))
            .collect::<Result<_, String>>()?,
        ),
        (
            libc::SYS_ioctl,
            [libc::FIONBIO, libc::FIOCLEX, libc::FIONREAD, libc::TCGETS, libc::TIOCGWINSZ]
                .into_iter()
                .map(|request| Ok(vec![is(1, Dword, request)?]))
                .collect::<Result<_, String>>()?,
        ),
    ] {
        let any_of = any_of.into_iter().map(|all| SeccompRule::new(all).map_err(|error| error.to_string()));
        rules.insert(call, any_of.collect::<Result<_, _>>()?);
    }
    Ok(rules)
}

/// Sockets for streams and datagrams: no raw ones, and none of other families.
fn sockets() -> Result<Vec<Vec<SeccompCondition>>, String> {
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM];
    let pairs = families.into_iter().flat_map(|family| kinds.map(|kind| (family, kind)));
    pairs
        .map(|(family, kind)| Ok(vec![is(0, Dword, family as u64)?, masked(1, SOCKET_KIND, kind)?]))
        .collect()
}

fn is(argument: u8, length: seccompiler::SeccompCmpArgLen, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(argument, length, SeccompCmpOp::Eq, value).map_err(|error| error.to_string())
}

/// All these bits are set.
fn has(argument: u8, bits: libc::c_int) -> Result<SeccompCondition, String> {
    masked(argument, bits, bits)
}

/// None of these bits is.
fn lacks(argument: u8, bits: libc::c_int) -> Result<SeccompCondition, String> {
    masked(argument, bits, 0)
}

fn masked(argument: u8, bits: libc::c_int, value: libc::c_int) -> Result<SeccompCondition, String> {
    let op = SeccompCmpOp::MaskedEq(bits as u32 as u64);
    SeccompCondition::new(argument, Dword, op, value as u32 as u64).map_err(|error| error.to_string())
}
