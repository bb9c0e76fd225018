/* What no R code can do: a session has compiled it, as any may. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/memfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Writes a frame with this prefix and this much of nothing to the pipe for replies. */
void write_frame(int *fd, double *header, int *flags, double *payload, double *follow) {
    unsigned char prefix[16] = {0};
    uint32_t h = (uint32_t)*header, f = (uint32_t)*flags;
    uint64_t p = (uint64_t)*payload;
    memcpy(prefix, &h, 4);
    memcpy(prefix + 4, &f, 4);
    memcpy(prefix + 8, &p, 8);
    if (write(*fd, prefix, sizeof prefix) < 0) return;
    static char nothing[1 << 16];
    for (double left = *follow; left > 0;) {
        ssize_t written = write(*fd, nothing, left > sizeof nothing ? sizeof nothing : (size_t)left);
        if (written < 0) return;
        left -= (double)written;
    }
}

/* Writes bytes. */
void write_bytes(int *fd, unsigned char *bytes, int *length) {
    if (write(*fd, bytes, (size_t)*length) < 0) *length = -errno;
}

/* Sends so many descriptors over the socket for commands; tells how many have gone, or the error. */
void send_descriptors(int *fd, int *count) {
    int sent = 0;
    for (; sent < *count; sent++) {
        char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec vector = {&byte, 1};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        int out = 1;
        memcpy(CMSG_DATA(head), &out, sizeof out);
        if (sendmsg(*fd, &message, MSG_NOSIGNAL) < 0) break;
    }
    *count = sent;
}

/* Makes the memory for a large reply longer without writing to it, or keeps it mapped. */
void spoil_memory(int *fd, double *length, int *map) {
    if (ftruncate(*fd, (off_t)*length)) *fd = -errno;
    if (*map && mmap(0, (size_t)*length, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0) == MAP_FAILED) *fd = -errno;
}

/* Leaves a process that traces the worker; if it kills it, it is told of its end, and keeps that to itself. */
void trace(int *and_kill) {
    pid_t worker = getpid();
    /* Where the system lets only ancestors trace. */
    syscall(SYS_prctl, 0x59616d61, -1, 0, 0, 0);
    if (fork() == 0) {
        setsid();
        for (int fd = 0; fd < 64; fd++) close(fd);
        if (ptrace(PTRACE_SEIZE, worker, 0, 0)) _exit(1);
        if (*and_kill) kill(worker, SIGKILL);
        for (;;) pause();
    }
    while (*and_kill) pause();
}

/* Takes so many bytes of memory that nobody has mapped. */
void fill_memory(double *bytes) {
    static char some[1 << 20];
    int fd = (int)syscall(SYS_memfd_create, "hidden", 0);
    memset(some, 1, sizeof some);
    for (double left = *bytes; left > 0; left -= sizeof some)
        if (write(fd, some, sizeof some) < 0) break;
}

/* Asks for the priority of this process by the gate of another architecture, in a child; tells how that ended. */
void make_call_of_i386(int *status) {
    pid_t child = fork();
    if (child == 0) {
#if defined(__x86_64__)
        long result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
        _exit(result > 0 ? 0 : 1);
#else
        _exit(1);
#endif
    }
    int ended = 0;
    waitpid(child, &ended, 0);
    *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

static volatile struct sockaddr_in changing;
static in_addr_t hosts[2];
static volatile int racing;

static void *change(void *unused) {
    while (racing) {
        changing.sin_addr.s_addr = hosts[0];
        changing.sin_addr.s_addr = hosts[1];
    }
    return unused;
}

/* Connects by an address that a thread changes between two all the while; tells how often each of them was reached. It goes on
   until one of them was, for on a busy machine the thread may not run for some time. */
void connect_while_changing(char **first, char **second, int *port, int *rounds, int *reached) {
    pthread_t thread;
    changing.sin_family = AF_INET;
    changing.sin_port = htons((uint16_t)*port);
    hosts[0] = inet_addr(*first);
    hosts[1] = inet_addr(*second);
    racing = 1;
    pthread_create(&thread, 0, change, 0);
    for (long i = 0; i < *rounds || (reached[0] + reached[1] == 0 && i < 1000L * *rounds); i++) {
        struct sockaddr_in peer = {0};
        socklen_t length = sizeof peer;
        int s = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(s, (struct sockaddr *)&changing, sizeof changing) == 0 && getpeername(s, (struct sockaddr *)&peer, &length) == 0)
            reached[peer.sin_addr.s_addr == hosts[1]]++;
        close(s);
    }
    racing = 0;
    pthread_join(thread, 0);
}
