//! What sessions try. Each line is R code that is TRUE if the attack has worked.

/// Functions for the attacks.
pub const TOOLS: &str = r#"
works <- function(code) isTRUE(tryCatch(suppressWarnings(code), error = function(e) FALSE))
reads <- function(path) works(length(readBin(path, "raw", 1L)) > 0)
lists <- function(path) works(length(list.files(path, all.files = TRUE, no.. = TRUE)) > 0)
appends <- function(path) works({ cat("x", file = path, append = TRUE); TRUE })
makes <- function(path) works(file.create(path))
removes <- function(path) works(file.remove(path))
by_shell <- function(command) works(system(paste("{", command, "; } >/dev/null 2>&1")) == 0)
by_perl <- function(code) by_shell(paste("perl -MSocket -e", shQuote(code)))
connects <- function(address) by_perl(sprintf("socket(S, AF_UNIX, SOCK_STREAM, 0) or exit 1; exit(connect(S, pack_sockaddr_un(\"%s\")) ? 0 : 1)", address))
signals <- function(pid, signal = 18L) works(tools::pskill(pid, signal))
"#;

/// Files of others. Each is attacked in each of the ways in [`ON_FILES`].
pub const FILES: [&str; 5] = ["{data}/offshoot.db", "{data}/control.key", "{other}/secret.txt", "{data}/lock", "{other_temporary}/kept"];

/// Ways to attack a file, `PATH`.
pub const ON_FILES: [(&str, &str); 12] = [
    ("reads", "reads('PATH')"),
    ("reads by a program", "by_shell('cat PATH')"),
    ("copies", "works(file.copy('PATH', 'copy', overwrite = TRUE))"),
    (
        "reads by a symbolic link",
        "works(file.symlink('PATH', tempfile('link', '.'))) && any(vapply(list.files(pattern = '^link', full.names = TRUE), reads, NA))",
    ),
    ("makes a hard link to", "works(file.link('PATH', tempfile('hard', '.')))"),
    ("reads by a detour", "reads(file.path('/proc/self/cwd', paste(rep('..', 40), collapse = '/'), 'PATH'))"),
    ("appends to", "appends('PATH')"),
    ("truncates", "by_shell(': > PATH')"),
    ("cuts", "by_perl('exit(truncate(\"PATH\", 0) ? 0 : 1)')"),
    ("removes", "removes('PATH')"),
    ("moves", "works(file.rename('PATH', 'moved'))"),
    ("replaces", "works({ writeLines('x', 'new'); file.rename('new', 'PATH') })"),
];

/// The same for attributes of a file, and for what happens to it.
pub const ON_ATTRIBUTES: [(&str, &str); 3] = [
    ("changes the mode of", "works(Sys.chmod('PATH', '777'))"),
    ("changes the time of", "works(Sys.setFileTime('PATH', as.POSIXct(0, origin = '1970-01-01')))"),
    ("watches", "by_perl('my $n = syscall(294, 0); my $p = \"PATH\"; exit(syscall(254, $n, $p, 0xfff) >= 0 ? 0 : 1)')"),
];

/// Processes of others. Each is attacked in each of the ways in [`ON_PROCESSES`].
pub const PROCESSES: [(&str, &str); 3] = [("the server", "{server}"), ("the zygote", "{zygote}"), ("another session", "{worker}")];

/// Ways to attack a process, `PID`.
pub const ON_PROCESSES: [(&str, &str); 12] = [
    ("reads the command line of", "reads('/proc/PID/cmdline')"),
    ("reads the environment of", "reads('/proc/PID/environ')"),
    ("reads the state of", "reads('/proc/PID/stat')"),
    ("reads the memory map of", "reads('/proc/PID/maps')"),
    ("opens the memory of", "by_shell('exec 3</proc/PID/mem')"),
    ("writes to the memory of", "by_shell('exec 3>>/proc/PID/mem')"),
    ("lists the descriptors of", "lists('/proc/PID/fd')"),
    ("goes into the folder of", "lists('/proc/PID/cwd')"),
    ("sees the root of", "reads('/proc/PID/root/etc/passwd')"),
    ("signals", "signals(PID)"),
    ("lowers the priority of", "by_shell('renice -n 19 -p PID')"),
    ("changes the limits of", "by_shell('prlimit --pid PID --nofile=1024:1024')"),
];

/// Attacks that have nothing in common.
pub const OTHERS: [(&str, &str); 57] = [
    ("reads the settings", "works(length(readLines('{config}')) > 0) || works(length(system('cat {config}', intern = TRUE)) > 0)"),
    ("writes into the settings", "appends('{config}') && reads('{config}')"),
    ("replaces the settings", "removes('{config}') || works({ writeLines('x', 'new'); file.rename('new', '{config}') })"),
    ("lists the data folder", "works(any(c('offshoot.db', 'lock', 'uploads') %in% list.files('{data}')))"),
    ("lists the folders of sessions", "works(any(list.files('{data}/run') != basename(dirname(getwd()))))"),
    ("lists the folders beside another session's", "lists('{other}/..')"),
    ("lists another session's folder", "lists('{other}')"),
    ("makes a file in another session's folder", "makes('{other}/planted')"),
    ("makes a file in the data folder", "makes('{data}/planted')"),
    ("makes a file among those of sessions", "makes('{data}/run/planted')"),
    ("makes a folder beside its own", "works(dir.create('{data}/run/planted-folder'))"),
    ("makes a file in the server's library of packages", "makes('{library}/planted')"),
    ("makes a package in the server's library", "works({ package.skeleton('planted', list = character(), path = '{library}'); TRUE })"),
    ("makes a file in R's own library", "makes(file.path(.Library, 'planted'))"),
    ("makes a start-up file for all R sessions", "appends(file.path(R.home('etc'), 'Rprofile.site'))"),
    ("makes a start-up file in the home folder of the server's user", "makes('/root/.Rprofile')"),
    ("makes a file in the root folder", "makes('/planted')"),
    ("makes a setting of the system", "makes('/etc/planted')"),
    ("makes a user of the system", "appends('/etc/passwd')"),
    ("replaces a program of the system", "appends('/usr/bin/env')"),
    ("reads passwords of the system", "reads('/etc/shadow')"),
    ("reads keys of the system", "by_shell('cat /etc/ssh/*_key /etc/ssl/private/*')"),
    ("lists home folders", "lists('/root') || lists('/home')"),
    ("reads the messages of the kernel", "reads('/dev/kmsg') || by_shell('dmesg')"),
    ("reads the memory of the machine", "reads('/dev/mem') || reads('/proc/kcore')"),
    ("reads the addresses of the kernel", "reads('/proc/kallsyms')"),
    ("reads disks", "any(vapply(Sys.glob('/dev/[svn][dv]*'), reads, NA))"),
    ("lists devices", "lists('/dev')"),
    ("changes a setting of the kernel", "appends('/proc/sys/kernel/core_pattern')"),
    ("asks the kernel to stop", "appends('/proc/sysrq-trigger')"),
    ("lists the hardware", "lists('/sys')"),
    ("lists processes", "lists('/proc')"),
    ("lists processes by a program", "by_shell('ps -e')"),
    ("reads sockets of the machine", "reads('/proc/net/unix') || reads('/proc/self/net/unix')"),
    ("reads connections of the machine", "reads('/proc/net/tcp') || reads('/proc/self/net/tcp')"),
    ("reads the messages of its start", "reads('/proc/cmdline')"),
    ("reads how processes of others are made", "reads('/proc/1/environ') || reads('/proc/1/cmdline')"),
    (
        "is answered by the server's control socket",
        "by_perl('socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un(\"{data}/control\")) or exit 1; syswrite(S, \"GET /sessions HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\"); exit(<S> =~ / 200 / ? 0 : 1)')",
    ),
    ("connects to an abstract socket of others", "connects('\\\\0{abstract}')"),
    ("signals all processes that it may", "by_perl('exit(kill(18, -1) > 0 ? 0 : 1)') && signals({worker})"),
    ("signals the process group of another session", "by_perl('exit(kill(18, -{worker}) > 0 ? 0 : 1)')"),
    ("makes a namespace of users", "by_shell('unshare --user true')"),
    ("makes a namespace of mounts", "by_shell('unshare --mount true')"),
    ("makes a namespace of processes", "by_shell('unshare --pid --fork true')"),
    ("goes into the namespaces of the server", "by_shell('nsenter --target {server} --mount true')"),
    ("mounts", "by_shell('mount -t tmpfs none {data}') || by_shell('mount -t proc proc /proc')"),
    ("takes away a mount", "by_shell('umount {data}') || by_shell('umount -l /tmp') || by_shell('umount /dev/shm')"),
    ("changes its root folder", "by_shell('chroot / true')"),
    (
        "becomes root",
        "by_shell('su -c true') || by_shell('sudo -n true') || by_perl('$< = 0; exit($< == 0 && -r \"/etc/shadow\" ? 0 : 1)')",
    ),
    ("uses the mode bits of a program", "by_shell('cp /bin/sh s && chmod 4755 s && ./s -p -c \"cat /etc/shadow\"')"),
    ("finds files of others in common folders", "any(file.exists(c('/tmp/of-another', '/var/tmp/of-another', '/dev/shm/of-another')))"),
    ("finds shared memory of others", "by_perl('exit(defined(shmget({key}, 4096, 0)) ? 0 : 1)')"),
    ("finds semaphores of others", "by_perl('exit(defined(semget({key}, 1, 0)) ? 0 : 1)')"),
    ("finds messages of others", "by_perl('exit(defined(msgget({key}, 0)) ? 0 : 1)')"),
    (
        "has a helper of R write elsewhere",
        "{ options(pager = 'touch {other}/planted', browser = 'touch {other}/planted', editor = 'touch {other}/planted'); works(browseURL('x')); works(file.show('secret')); file.exists('{other}/planted') && reads('{other}/planted') }",
    ),
    (
        "reads the store by a connection of R",
        "works(length(readLines(pipe('cat {data}/offshoot.db'), 1)) > 0) || works(length(readLines(url('file://{data}/offshoot.db'), 1)) > 0)",
    ),
    (
        "loads an object of others",
        "works({ load('{other}/kept.RData'); TRUE }) || works({ readRDS('{other}/kept.rds'); TRUE }) || works({ source('{other}/code.R'); TRUE })",
    ),
];

/// The same where a session is a user of its own or has namespaces: Landlock knows sockets of the file system from Linux 7.1 on.
pub const SOCKETS: [(&str, &str); 2] = [
    ("connects to a socket in the folder of others", "connects('{other}/socket')"),
    ("connects to the server's control socket", "connects('{data}/control')"),
];

/// The same where it has namespaces; in `{sockets}`, a folder of the system, somebody listens who asks nobody who they are.
pub const SYSTEM_SOCKETS: [(&str, &str); 2] = [
    ("connects to a socket of a program", "connects('{sockets}/socket')"),
    ("connects to a socket of the system", "connects('/run/docker.sock') || connects('/run/dbus/system_bus_socket')"),
];

/// System calls by their names in C, with arguments and the error that they give.
pub const CALLS: [(&str, libc::c_long, &str, i32); 50] = [
    ("ptrace", libc::SYS_ptrace, "16, {worker}", libc::EPERM),
    ("process_vm_readv", libc::SYS_process_vm_readv, "{worker}", libc::EPERM),
    ("process_vm_writev", libc::SYS_process_vm_writev, "{worker}", libc::EPERM),
    ("process_madvise", libc::SYS_process_madvise, "0", libc::EPERM),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, "0, 1", libc::EPERM),
    ("kcmp", libc::SYS_kcmp, "{worker}, {server}", libc::EPERM),
    ("move_pages", libc::SYS_move_pages, "{worker}", libc::EPERM),
    ("migrate_pages", libc::SYS_migrate_pages, "{worker}", libc::EPERM),
    ("perf_event_open", libc::SYS_perf_event_open, "0", libc::EPERM),
    ("add_key", libc::SYS_add_key, "0", libc::EPERM),
    ("request_key", libc::SYS_request_key, "0", libc::EPERM),
    ("keyctl: the keys of the session", libc::SYS_keyctl, "0, -3, 0", libc::EPERM),
    ("keyctl: the keys of the user", libc::SYS_keyctl, "0, -4, 1", libc::EPERM),
    ("keyctl: another session", libc::SYS_keyctl, "1, 0", libc::EPERM),
    ("open_by_handle_at", libc::SYS_open_by_handle_at, "-100", libc::EPERM),
    ("name_to_handle_at", libc::SYS_name_to_handle_at, "-100", libc::EPERM),
    ("fanotify_init", libc::SYS_fanotify_init, "0", libc::EPERM),
    ("bpf", libc::SYS_bpf, "5", libc::EPERM),
    ("userfaultfd", libc::SYS_userfaultfd, "0", libc::EPERM),
    ("setns", libc::SYS_setns, "0", libc::EPERM),
    ("unshare: users", libc::SYS_unshare, "268435456", libc::EPERM),
    ("unshare: mounts", libc::SYS_unshare, "131072", libc::EPERM),
    ("unshare: nothing", libc::SYS_unshare, "0", libc::EPERM),
    ("clone: users", libc::SYS_clone, "268435473", libc::EPERM),
    ("clone: mounts", libc::SYS_clone, "131089", libc::EPERM),
    ("clone: processes", libc::SYS_clone, "536870929", libc::EPERM),
    ("clone: network", libc::SYS_clone, "1073741841", libc::EPERM),
    ("clone3", libc::SYS_clone3, "0, 88", libc::ENOSYS),
    ("chroot", libc::SYS_chroot, "0", libc::EPERM),
    ("pivot_root", libc::SYS_pivot_root, "0", libc::EPERM),
    ("umount2", libc::SYS_umount2, "0", libc::EPERM),
    ("fsopen", libc::SYS_fsopen, "0", libc::EPERM),
    ("io_uring_setup", libc::SYS_io_uring_setup, "1", libc::ENOSYS),
    ("io_uring_enter", libc::SYS_io_uring_enter, "0", libc::ENOSYS),
    ("io_uring_register", libc::SYS_io_uring_register, "0", libc::ENOSYS),
    ("kexec_load", libc::SYS_kexec_load, "0", libc::EPERM),
    ("kexec_file_load", libc::SYS_kexec_file_load, "0", libc::EPERM),
    ("init_module", libc::SYS_init_module, "0", libc::EPERM),
    ("finit_module", libc::SYS_finit_module, "0", libc::EPERM),
    ("delete_module", libc::SYS_delete_module, "0", libc::EPERM),
    ("reboot", libc::SYS_reboot, "0", libc::EPERM),
    ("swapon", libc::SYS_swapon, "0", libc::EPERM),
    ("swapoff", libc::SYS_swapoff, "0", libc::EPERM),
    ("acct", libc::SYS_acct, "0", libc::EPERM),
    ("syslog", libc::SYS_syslog, "3, 0, 0", libc::EPERM),
    ("settimeofday", libc::SYS_settimeofday, "0", libc::EPERM),
    ("clock_settime", libc::SYS_clock_settime, "0", libc::EPERM),
    ("sethostname", libc::SYS_sethostname, "0", libc::EPERM),
    ("quotactl", libc::SYS_quotactl, "0", libc::EPERM),
    ("ioctl: typing on a terminal", libc::SYS_ioctl, "0, 21522, 0", libc::EPERM),
];

/// What R and its packages do, which has to work as ever. TRUE if it does.
pub const AS_EVER: [(&str, &str); 31] = [
    (
        "files",
        "{ writeLines('x', 'a'); file.rename('a', 'b'); file.copy('b', 'c'); Sys.chmod('c', '600'); identical(readLines('c'), 'x') }",
    ),
    ("temporary files", "{ f <- tempfile(); writeLines('x', f); file.rename(f, 'moved') && file.exists('moved') }"),
    ("links", "file.symlink('b', 'link') && file.link('b', 'hard') && readLines('link') == readLines('hard')"),
    ("folders", "dir.create('d/e/f', recursive = TRUE) && unlink('d', recursive = TRUE) == 0"),
    ("programs", "identical(system('echo x | tr x y', intern = TRUE), 'y')"),
    ("pipes", "{ p <- pipe('cat', 'w'); writeLines('x', p); close(p); identical(readLines(pipe('echo y')), 'y') }"),
    ("named pipes", "{ system('mkfifo f; echo x > f &'); identical(readLines(file('f', raw = TRUE)), 'x') }"),
    ("descriptors as files", "identical(system('bash -c \"cat <(echo x)\"', intern = TRUE), 'x')"),
    ("devices", "system('head -c 4 /dev/urandom > /dev/null && head -c 1 /dev/zero > /dev/null') == 0"),
    ("a fork for each value", "identical(parallel::mclapply(1:4, function(i) i^2, mc.cores = 2), as.list((1:4)^2))"),
    ("the number of processors", "parallel::detectCores() >= 1"),
    ("Rscript", "identical(system2(file.path(R.home('bin'), 'Rscript'), c('-e', shQuote('cat(1 + 1)')), stdout = TRUE), '2')"),
    (
        "a cluster",
        "{ cl <- parallel::makeCluster(2); on.exit(parallel::stopCluster(cl)); identical(parallel::parSapply(cl, 1:2, sqrt), sqrt(1:2)) }",
    ),
    (
        "sockets of its own",
        "by_perl('socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un(\"own\")) && listen(S, 1) && socket(C, AF_UNIX, SOCK_STREAM, 0) && connect(C, pack_sockaddr_un(\"own\")) or exit 1')",
    ),
    (
        "abstract sockets of its own",
        "by_perl('socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un(\"\\\\0own-$$\")) && listen(S, 1) && socket(C, AF_UNIX, SOCK_STREAM, 0) && connect(C, pack_sockaddr_un(\"\\\\0own-$$\")) or exit 1')",
    ),
    ("signals to its own processes", "{ p <- parallel::mcparallel(Sys.sleep(1000)); tools::pskill(p$pid, tools::SIGKILL) }"),
    ("itself in /proc", "length(readLines('/proc/self/status')) > 10 && length(readLines('/proc/self/maps')) > 10"),
    ("the machine in /proc", "length(readLines('/proc/cpuinfo')) > 1 && length(readLines('/proc/meminfo')) > 1"),
    ("users", "nzchar(Sys.info()[['nodename']]) && !is.na(file.info('/usr')$uid)"),
    ("time zones", "format(.POSIXct(0, tz = 'Asia/Kathmandu'), '%H:%M') == '05:30'"),
    (
        "plots",
        "{ png('p.png'); plot(1:3, main = 'x'); dev.off(); pdf('p.pdf'); plot(1); dev.off(); file.size('p.png') > 1000 && file.size('p.pdf') > 1000 }",
    ),
    ("profiles", "{ Rprof('prof'); for (i in 1:200) sort(runif(1e4)); Rprof(NULL); length(readLines('prof')) > 0 }"),
    (
        "compilers, where they are installed",
        "!nzchar(Sys.which('gcc')) || { writeLines('int one(void) { return 1; } void twice(double *x) { *x *= 2; }', 't.c'); system2(file.path(R.home('bin'), 'R'), 'CMD SHLIB t.c', stdout = FALSE, stderr = FALSE) == 0 && { dyn.load('t.so'); .C('twice', 4)[[1]] == 8 } }",
    ),
    (
        "packages of its own",
        "{ dir.create('package/R', recursive = TRUE); writeLines(c('Package: newly', 'Version: 1.0', 'Title: T', 'Description: D.', 'License: MIT', 'Author: A', 'Maintainer: A <a@b.c>'), 'package/DESCRIPTION'); writeLines('export(one)', 'package/NAMESPACE'); writeLines('one <- function() 1', 'package/R/one.R'); suppressWarnings(install.packages('package', repos = NULL, type = 'source', quiet = TRUE)); newly::one() == 1 }",
    ),
    ("help", "length(capture.output(tools::Rd2txt(utils:::.getHelpFile(help('mean'))))) > 10"),
    (
        "archives",
        "{ writeLines('x', 'z.txt'); tar('z.tar.gz', 'z.txt', compression = 'gzip'); identical(untar('z.tar.gz', list = TRUE), 'z.txt') }",
    ),
    ("databases of files", "{ saveRDS(mtcars, 'm.rds'); save(mtcars, file = 'm.RData'); identical(readRDS('m.rds'), mtcars) }"),
    (
        "Python, where it is installed",
        "!requireNamespace('reticulate', quietly = TRUE) || length(Sys.glob('/usr/lib/*/libpython3*')) == 0 || { reticulate::use_python('/usr/bin/python3', required = TRUE); reticulate::py_eval('6 * 7') == 42 }",
    ),
    (
        "Java, where it is installed",
        "{ options(java.parameters = c('-Xmx256m', '-XX:ReservedCodeCacheSize=64m', '-XX:CompressedClassSpaceSize=64m')); !requireNamespace('rJava', quietly = TRUE) || { rJava::.jinit(); rJava::.jcall('java/lang/Math', 'I', 'abs', -42L) == 42 } }",
    ),
    ("priorities of its own", "!is.na(tools::psnice())"),
    ("the seeds of random numbers", "{ rm(list = intersect('.Random.seed', ls(all.names = TRUE))); a <- runif(1); a >= 0 }"),
];

/// The same where a session has common folders of its own.
pub const COMMON_FOLDERS: [(&str, &str); 1] = [(
    "common folders",
    "all(vapply(c('/tmp', '/var/tmp', '/dev/shm'), function(f) { p <- file.path(f, 'own'); writeLines('x', p); file.remove(p) }, NA))",
)];
