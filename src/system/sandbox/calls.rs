//! The system calls that a process may make, by seccomp (seccomp(2)).
//!
//! These are lists of what is refused: code of others needs the rest, and new calls of new kernels are made by new C libraries.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{FromRawFd, OwnedFd},
};

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition as Condition, SeccompFilter,
    SeccompRule as Rule, apply_filter, sock_filter,
};

/// Programs that each of a process's system calls must pass.
#[derive(Debug, Clone)]
pub struct Filter(Vec<BpfProgram>);

/// A filter that could not be made or set.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It could not be made.
    #[error("filter of system calls")]
    Made(#[from] BackendError),
    /// The kernel refused it.
    #[error("filter of system calls")]
    Set(#[from] seccompiler::Error),
    /// The kernel gives no way to answer for its calls.
    #[error("listener of a filter of system calls")]
    Listener(#[source] io::Error),
}

/// System calls with the conditions under which they are refused; none is always.
type Refused = BTreeMap<i64, Vec<Rule>>;

/// Calls that look into other processes, or change the machine.
const REFUSED: [libc::c_long; 38] = [
    // Memory and descriptors of others.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_perf_event_open,
    // Keys, which belong to a user and not to a process.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Files without their path.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // Parts of the kernel that programs like R's have no use for, and that many a hole was found in.
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_quotactl,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    // The machine: root's own.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// Calls of x86 alone that only root could make.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: [libc::c_long; 3] = [libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: [libc::c_long; 0] = [];

/// Calls that a program takes for missing in this kernel, and does without.
const MISSING: [libc::c_long; 4] = [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Mounts, by other calls than [`super::private`] makes.
const OTHER_MOUNTS: [libc::c_long; 6] =
    [libc::SYS_umount2, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_mount_setattr];

/// The calls that [`super::private`] makes.
const PRIVATE: [libc::c_long; 4] = [libc::SYS_unshare, libc::SYS_mount, libc::SYS_open_tree, libc::SYS_move_mount];

/// `clone()` with any of these makes a namespace.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Ways to type on a terminal that another process reads.
const TYPING: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// Calls about processes of the same user, with the number of the argument that names the process; 0 is the caller.
const ABOUT_OTHERS: [(libc::c_long, u8); 7] = [
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

/// Objects that belong to a user and not to a process: shared memory, semaphores and queues of System V.
const SYSTEM_V: [libc::c_long; 12] = [
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_semtimedop,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
];

impl Filter {
    /// Refuses what no code of others needs: to look into other processes, to change the machine, to make namespaces by a fork; and calls
    /// of other architectures than this program's.
    ///
    /// # Errors
    /// [`FilterError::Made`].
    pub fn of_code() -> Result<Self, FilterError> {
        let mut refused = always(REFUSED.into_iter().chain(OTHER_MOUNTS).chain(REFUSED_HERE));
        let namespace = |flag: libc::c_int| {
            let flag = u64::from(flag.unsigned_abs());
            Rule::new(vec![Condition::new(0, Length::Qword, Is::MaskedEq(flag), flag)?])
        };
        refused.insert(libc::SYS_clone, NAMESPACES.into_iter().map(namespace).collect::<Result<_, _>>()?);
        let typing = |request| Rule::new(vec![Condition::new(1, Length::Dword, Is::Eq, request)?]);
        refused.insert(libc::SYS_ioctl, TYPING.into_iter().map(typing).collect::<Result<_, _>>()?);
        let mut refused = program(refused, libc::EPERM)?;
        refuse_x32(&mut refused);
        Ok(Self(vec![refused, program(always(MISSING), libc::ENOSYS)?]))
    }

    /// Refuses to make namespaces, except those that only root gets.
    ///
    /// # Errors
    /// [`FilterError::Made`].
    pub fn of_namespaces_but_of_root() -> Result<Self, FilterError> {
        let others = Rule::new(vec![Condition::new(0, Length::Qword, Is::Ne, super::private::AS_ROOT.bits().into())?])?;
        Ok(Self(vec![program(Refused::from([(libc::SYS_unshare, vec![others])]), libc::EPERM)?]))
    }

    /// Refuses what is needed to get namespaces and a view of one's own, and for nothing else.
    ///
    /// # Errors
    /// [`FilterError::Made`].
    pub fn of_namespaces() -> Result<Self, FilterError> {
        Ok(Self(vec![program(always(PRIVATE), libc::EPERM)?]))
    }

    /// Refuses what one may do to other things of one's own user: to change how its other processes run, their priority and their limits; and to
    /// cut files by their path, which Landlock knows from Linux 6.2 on.
    ///
    /// # Errors
    /// [`FilterError::Made`].
    pub fn of_same_user() -> Result<Self, FilterError> {
        let of_others = |(call, argument)| Ok((call, vec![Rule::new(vec![Condition::new(argument, Length::Dword, Is::Ne, 0)?])?]));
        let mut refused = ABOUT_OTHERS.into_iter().map(of_others).collect::<Result<Refused, BackendError>>()?;
        refused.insert(libc::SYS_truncate, Vec::new());
        Ok(Self(vec![program(refused, libc::EPERM)?]))
    }

    /// Refuses objects that belong to a user and not to a process.
    ///
    /// # Errors
    /// [`FilterError::Made`].
    pub fn of_system_v() -> Result<Self, FilterError> {
        Ok(Self(vec![program(always(SYSTEM_V), libc::ENOSYS)?]))
    }

    /// Refuses sockets: all of them, or all but those of this machine's file system (unix(7)). Pairs of connected sockets that are no way to
    /// anybody else stay.
    ///
    /// # Errors
    /// [`FilterError::Made`].
    pub fn of_sockets(but_unix: bool) -> Result<Self, FilterError> {
        let other = || Rule::new(vec![Condition::new(0, Length::Dword, Is::Ne, number(libc::AF_UNIX))?]);
        let sockets = if but_unix { vec![other()?] } else { Vec::new() };
        let refused = Refused::from([(libc::SYS_socket, sockets), (libc::SYS_socketpair, pairs_that_lead_elsewhere()?)]);
        Ok(Self(vec![program(refused, libc::EACCES)?]))
    }

    /// Refuses all sockets but those that connect by TCP, and pairs of connected ones; to listen; and to connect otherwise than by
    /// `connect()`, which another process can make ([`make_connections_elsewhere`]). That process must not have to wait when it closes a
    /// socket (`SO_LINGER` of socket(7)): it seems that this can be set, and nothing happens.
    ///
    /// # Errors
    /// [`FilterError::Made`].
    pub fn of_all_but_tcp() -> Result<Self, FilterError> {
        let is_not = |argument, constant| Condition::new(argument, Length::Dword, Is::Ne, number(constant));
        let family = Rule::new(vec![is_not(0, libc::AF_INET)?, is_not(0, libc::AF_INET6)?])?;
        let protocol = Rule::new(vec![is_not(2, 0)?, is_not(2, libc::IPPROTO_TCP)?])?;
        let mut refused = always([libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4]);
        let mut others = types_but(&[libc::SOCK_STREAM])?;
        others.extend([family, protocol]);
        refused.insert(libc::SYS_socket, others);
        refused.insert(libc::SYS_socketpair, pairs_that_lead_elsewhere()?);
        let at_once = number(libc::MSG_FASTOPEN);
        for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            refused.insert(call, vec![Rule::new(vec![Condition::new(flags, Length::Dword, Is::MaskedEq(at_once), at_once)?])?]);
        }
        let is = |argument, constant| Condition::new(argument, Length::Dword, Is::Eq, number(constant));
        let linger = Rule::new(vec![is(1, libc::SOL_SOCKET)?, is(2, libc::SO_LINGER)?])?;
        let linger = Refused::from([(libc::SYS_setsockopt, vec![linger])]);
        Ok(Self(vec![program(refused, libc::EACCES)?, program(linger, 0)?]))
    }

    /// Sets this filter for this process, for good, and for those that it starts.
    ///
    /// # Errors
    /// [`FilterError::Set`].
    pub fn set(&self) -> Result<(), FilterError> {
        self.0.iter().try_for_each(|program| apply_filter(program)).map_err(Into::into)
    }
}

/// Pairs of sockets that can send to others than each other: those of datagrams, and of other families than Unix.
fn pairs_that_lead_elsewhere() -> Result<Vec<Rule>, BackendError> {
    let mut rules = types_but(&[libc::SOCK_STREAM, libc::SOCK_SEQPACKET])?;
    rules.push(Rule::new(vec![Condition::new(0, Length::Dword, Is::Ne, number(libc::AF_UNIX))?])?);
    Ok(rules)
}

/// All types of sockets but these. The argument has flags beside the type, and there is no comparison for "all but these of these bits".
fn types_but(these: &[libc::c_int]) -> Result<Vec<Rule>, BackendError> {
    /// The bits of the type (`SOCK_TYPE_MASK` of the kernel).
    const TYPE: u64 = 0xf;
    let others = (0..=TYPE).filter(|other| !these.iter().any(|this| number(*this) == *other));
    others.map(|other| Rule::new(vec![Condition::new(1, Length::Dword, Is::MaskedEq(TYPE), other)?])).collect()
}

fn number(constant: libc::c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}

/// Has this process's connections, and those of all that it starts, made by whoever has the listener that is returned
/// ([`super::connections`]). Nothing else is changed for `connect()`, except that only signals that end a process interrupt it, from Linux
/// 5.19 on. This process must not keep the listener. Other filters have to be set before.
///
/// # Errors
/// [`FilterError::Listener`] if the kernel does not know this (Linux 5.0), or has a listener already.
pub fn make_connections_elsewhere() -> Result<OwnedFd, FilterError> {
    let connect = SeccompFilter::new(
        always([libc::SYS_connect]),
        SeccompAction::Allow,
        SeccompAction::Trap,
        std::env::consts::ARCH.try_into().map_err(FilterError::Made)?,
    )
    .and_then(BpfProgram::try_from)?;
    // The crate does not know this action. What it makes of another one tells where it has to be.
    let ask = |mut instruction: sock_filter| {
        if u32::from(instruction.code) == libc::BPF_RET | libc::BPF_K && instruction.k == libc::SECCOMP_RET_TRAP {
            instruction.k = libc::SECCOMP_RET_USER_NOTIF;
        }
        instruction
    };
    let mut connect: Vec<_> =
        connect.into_iter().map(ask).map(|own| libc::sock_filter { code: own.code, jt: own.jt, jf: own.jf, k: own.k }).collect();
    let program = libc::sock_fprog { len: u16::try_from(connect.len()).unwrap_or(0), filter: connect.as_mut_ptr() };
    let set = |flags: libc::c_ulong| {
        // SAFETY: the program is as long as it says, and the kernel copies it. What is returned is a new descriptor.
        #[expect(unsafe_code, reason = "flags that no crate knows")]
        unsafe {
            match libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) {
                -1 => Err(io::Error::last_os_error()),
                listener => Ok(OwnedFd::from_raw_fd(i32::try_from(listener).unwrap_or(-1))),
            }
        }
    };
    // Otherwise a signal would have the connection asked for once more, while it is being made.
    let listener = set(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV).or_else(|error| {
        if error.kind() == io::ErrorKind::InvalidInput { set(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER) } else { Err(error) }
    });
    listener.map_err(FilterError::Listener)
}

fn always(calls: impl IntoIterator<Item = libc::c_long>) -> Refused {
    calls.into_iter().map(|call| (call, Vec::new())).collect()
}

/// A program that answers these calls with an error. A call of another architecture ends the process.
fn program(refused: Refused, error: libc::c_int) -> Result<BpfProgram, BackendError> {
    let action = SeccompAction::Errno(error.unsigned_abs());
    SeccompFilter::new(refused, SeccompAction::Allow, action, std::env::consts::ARCH.try_into()?)?.try_into()
}

/// Adds that calls of x32, a way of x86-64 to call the kernel by other numbers, are answered as by a kernel without it.
#[cfg(target_arch = "x86_64")]
fn refuse_x32(program: &mut BpfProgram) {
    /// The three instructions at the beginning of each program look at the architecture.
    const ARCHITECTURE: usize = 3;
    /// Calls of x32 have this bit (`__X32_SYSCALL_BIT` of asm/unistd.h).
    const X32: u32 = 0x4000_0000;
    let instruction = |code: u32, k: u32, jt: u8| sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf: 0, k };
    let refuse = [
        // The number of the call is at the beginning of what a program sees (struct seccomp_data).
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        sock_filter { jf: 1, ..instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, X32, 0) },
        instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(), 0),
    ];
    program.splice(ARCHITECTURE..ARCHITECTURE, refuse);
}

#[cfg(not(target_arch = "x86_64"))]
fn refuse_x32(_: &mut BpfProgram) {}
