/*
 * devmapper preload library: shows a program the mapped devices of a devmapper daemon as if a kernel had them. MIT licence.
 *
 * Real block nodes with the daemon's major number are "dead": this kernel has no driver for it, so mknod, stat, rename
 * and links work natively and only open(2) fails. Then, and only then, the library looks at the node and opens the file
 * that the daemon's FUSE mount has for it. Where nodes cannot be made (no CAP_MKNOD), the "private view" keeps marker
 * files in their place below $DEVMAPPER_DIR/dev, and the stat family answers for them.
 * No state but what the environment says (DEVMAPPER_DIR: the daemon's folder; DEVMAPPER_EXEC: "MAJOR nodes" or "MAJOR
 * private"); every dm-ioctl is one connection to the daemon; what a descriptor is, its name in /proc/self/fd tells. So
 * threads, fork, exec, dup and signal handlers need no care.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/blkzoned.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>
_Static_assert(sizeof(long) == 8, "64-bit systems only: stat and stat64 are taken for the same");
/* ---- The functions behind ours ---------------------------------------------------------------------------------- */
/* The next library's function of that name; found at the first call. */
#define REAL(name) ({ \
    static void *known; \
    void *real = __atomic_load_n(&known, __ATOMIC_RELAXED); \
    if (real == NULL) __atomic_store_n(&known, real = dlsym(RTLD_NEXT, #name), __ATOMIC_RELAXED); \
    (__typeof__(&name))real; })
/* Everything else goes straight to the kernel, so that nothing here can call itself. */
static __typeof__(&syscall) kernel_call(void) { return REAL(syscall); }
#define kernel(...) kernel_call()(__VA_ARGS__)
/* ---- The world: what the environment says --------------------------------------------------------------------- */
static struct { bool active, private_view; unsigned major; size_t folder_length; char folder[512]; } world;
__attribute__((constructor)) static void read_environment(void) {
    const char *folder = getenv("DEVMAPPER_DIR"), *view = getenv("DEVMAPPER_EXEC");
    if (folder == NULL || folder[0] != '/' || strlen(folder) >= sizeof world.folder || view == NULL) return;
    world.major = strtoul(view, NULL, 10);
    world.private_view = strstr(view, " private") != NULL;
    world.folder_length = strlen(strcpy(world.folder, folder));
    /* Before any thread, fork or signal handler: dlsym takes locks. */
    world.active = kernel_call() != NULL;
}
/* The one argument after `last` of a function with a variable number of them. */
#define ARGUMENT(type, last) ({ va_list list; va_start(list, last); type value = va_arg(list, type); va_end(list); value; })
/* Programs built for 64-bit offsets call these by the second name. */
#define ALIAS(second, first) __asm__(".globl " #second "\n.set " #second ", " #first);
#define ALIAS64(first) ALIAS(first##64, first)
static int fail(int error) { errno = error; return -1; }
static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }
/* Whether `path` is `folder` or lies in it. */
static bool lies_in(const char *path, const char *folder) {
    const char *end = path + strlen(folder);
    return starts_with(path, folder) && (*end == '\0' || *end == '/');
}
static bool exists(const char *path) { return kernel(SYS_newfstatat, AT_FDCWD, path, &(struct stat){ 0 }, AT_SYMLINK_NOFOLLOW) == 0; }
/* Reads a small file into `text`, which ends with NUL. The length; 0: there is nothing. Keeps errno. */
static size_t read_file(int folder, const char *path, int flags, char *text, size_t size) {
    int before = errno, fd = kernel(SYS_openat, folder, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags, 0);
    long length = fd < 0 ? 0 : kernel(SYS_read, fd, text, size - 1);
    if (fd >= 0) kernel(SYS_close, fd);
    errno = before;
    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? length : 0;
}
/* ---- The view: where a path really leads ---------------------------------------------------------------------- */
enum place { OUTSIDE, SYSFS, OURS, OURS_IF_NEW };
static enum place place_of(const char *path) {
    bool in_sysfs = starts_with(path, "/sys/");
    /* The daemon makes these; devices of that name that the host has are none of ours. */
    if (starts_with(path, "/dev/dm-") || (in_sysfs && strstr(path, "/block/dm-"))) return OURS;
    if (in_sysfs && (lies_in(path, "/sys/block") || lies_in(path, "/sys/class/block") || lies_in(path, "/sys/dev/block"))) return SYSFS;
    if (!world.private_view) return OUTSIDE;
    /* libcryptsetup opens /run itself and goes on from there. */
    if (lies_in(path, "/run/cryptsetup") || lies_in(path, "/run/lvm") || lies_in(path, "/run/lock/lvm") ||
        strcmp(path, "/run") == 0 || strcmp(path, "/dev") == 0 || lies_in(path, "/dev/mapper")) return OURS;
    return lies_in(path, "/dev") ? OURS_IF_NEW : OUTSIDE;
}
/* `path` itself, or in `buffer` (PATH_MAX bytes) the path below the daemon's folder that stands for it. Keeps errno. */
static const char *view(const char *path, char *buffer) {
    if (!world.active || path == NULL || path[0] != '/' || strlen(path) >= PATH_MAX - world.folder_length) return path;
    char *own = buffer + world.folder_length, *to = own;
    memcpy(buffer, world.folder, world.folder_length);
    /* "//" and "/./" are "/", or the host's /dev/mapper could be had by them. */
    for (const char *from = path; *from != '\0';) {
        if (from[0] == '/' && from[1] == '/') from += 1;
        else if (starts_with(from, "/./")) from += 2;
        else *to++ = *from++;
    }
    *to = '\0';
    enum place place = place_of(own);
    int before = errno;
    /* What the host has in /dev stays the host's. Its devices that came after the mirror of sysfs are still there. */
    bool is_ours = place == OURS || (place == SYSFS && exists(buffer)) || (place == OURS_IF_NEW && !exists(path));
    errno = before;
    return is_ours ? buffer : path;
}
#define VIEW(path) char path##_buffer[PATH_MAX]; path = view(path, path##_buffer)
/* The way back, for answers: the path that a program knows, in place. The new length. */
static size_t unview(char *path, size_t length) {
    size_t skip = world.folder_length;
    bool is_view = world.active && length >= skip + 5 && memcmp(path, world.folder, skip) == 0 &&
                   (memcmp(path + skip, "/dev/", 5) == 0 || memcmp(path + skip, "/sys/", 5) == 0);
    return is_view ? (memmove(path, path + skip, length - skip), length - skip) : length;
}
/* ---- Nodes: which device a path or a descriptor is ------------------------------------------------------------ */
/* `device` and `inode` are those of the node that was opened: fstat of the descriptor must give them. */
struct node { bool control; unsigned minor; unsigned long long device, inode; };
#define CONTROL_NUMBER makedev(10, 236)
/* A marker file stands for a node: these mode bits, this size, and a line of text. */
enum { MARKER_MODE = S_ISUID | S_ISVTX, MARKER_BYTES = 64 };
#define MARKER_TEXT "devmapper node %c %u:%u"
static bool is_marker(const struct stat *status) {
    return S_ISREG(status->st_mode) && status->st_size == MARKER_BYTES && (status->st_mode & MARKER_MODE) == MARKER_MODE;
}
/* Turns what the kernel says of a marker into what it would say of the node. */
static void see_marker(int folder, const char *path, int flags, struct stat *status) {
    char link[32], text[MARKER_BYTES + 1], kind;
    unsigned major, minor;
    if (!is_marker(status)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    read_file(folder, flags & AT_EMPTY_PATH ? link : path, flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0, text, sizeof text);
    if (sscanf(text, MARKER_TEXT, &kind, &major, &minor) != 3) return;
    status->st_rdev = makedev(major, minor);
    status->st_mode = (kind == 'b' ? S_IFBLK : S_IFCHR) | (status->st_mode & 0777);
    status->st_size = status->st_blocks = 0;
}
/* Writes one in the place of a node that the kernel would not make. */
static int make_marker(int folder, const char *path, mode_t mode, dev_t number) {
    char text[MARKER_BYTES];
    struct stat status;
    memset(text, '\n', sizeof text);
    text[snprintf(text, sizeof text, MARKER_TEXT, S_ISBLK(mode) ? 'b' : 'c', major(number), minor(number))] = '\n';
    int fd = kernel(SYS_openat, folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    if (fd < 0) return -1;
    bool done = kernel(SYS_write, fd, text, MARKER_BYTES) == MARKER_BYTES &&
                kernel(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH) == 0 &&
                kernel(SYS_fchmod, fd, (status.st_mode & 0777) | S_IRUSR | MARKER_MODE) == 0;
    kernel(SYS_close, fd);
    return done ? 0 : -1;
}
/* Whether this (viewed) path is a node of ours, and which. Keeps errno. */
static bool find_node(int folder, const char *path, struct node *node) {
    struct stat status;
    int before = errno;
    bool found = kernel(SYS_newfstatat, folder, path, &status, 0) == 0;
    errno = before;
    if (!found) return false;
    see_marker(folder, path, 0, &status);
    node->control = S_ISCHR(status.st_mode) && status.st_rdev == CONTROL_NUMBER;
    node->minor = minor(status.st_rdev), node->device = status.st_dev, node->inode = status.st_ino;
    return node->control || (S_ISBLK(status.st_mode) && major(status.st_rdev) == world.major);
}
/* The FUSE mount has every device under a second, never listed name, longer than any device's. It carries what must
 * be known of an open descriptor: that name survives dup, fork and exec. */
#define HIDDEN_LENGTH 160
static void hidden_path(const struct node *node, char *path) {
    size_t end = world.folder_length + strlen("/mapper/") + HIDDEN_LENGTH;
    memset(path, '.', end);
    path[sprintf(path, "%s/mapper/.node-%u-%llu-%llu-", world.folder, node->minor, node->device, node->inode)] = '.';
    path[end] = '\0';
}
static bool parse_hidden_path(const char *path, struct node *node) {
    node->control = false;
    return starts_with(path, world.folder) &&
           sscanf(path + world.folder_length, "/mapper/.node-%u-%llu-%llu-", &node->minor, &node->device, &node->inode) == 3;
}
/* Whether a descriptor is one of our devices. Keeps errno. */
static bool find_open_node(int fd, struct node *node) {
    char link[32], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = kernel(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = before;
    path[length > 0 ? length : 0] = '\0';
    return parse_hidden_path(path, node);
}
/* A number in the daemon's mirror of sysfs, which says what the kernel would say of a queue. */
static long long attribute(unsigned minor, const char *name, long long otherwise) {
    char path[PATH_MAX], text[32];
    snprintf(path, sizeof path, "%s/sys/devices/virtual/block/dm-%u/%s", world.folder, minor, name);
    return read_file(AT_FDCWD, path, 0, text, sizeof text) > 0 ? strtoll(text, NULL, 10) : otherwise;
}
/* ---- The daemon: each request is a connection of its own ------------------------------------------------------- */
enum { FRAME_MAGIC = 0x4d444c4f, MAX_BUFFER_BYTES = 64 << 20 };
enum { DM_TYPE = 0xfd, DM_SUSPEND = 6, DM_WAIT = 8, DM_LOAD = 9, DM_ARM_POLL = 16, DM_HEADER_BYTES = 305 };
/* Through /proc/self/fd, because a socket's path has room for 107 bytes only. */
static int connect_daemon(void) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int folder = kernel(SYS_openat, AT_FDCWD, world.folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    int fd = folder < 0 ? -1 : (int)kernel(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", folder);
    bool connected = fd >= 0 && kernel(SYS_connect, fd, &address, sizeof address) == 0;
    if (folder >= 0) kernel(SYS_close, folder);
    if (fd >= 0 && !connected) kernel(SYS_close, fd);
    return connected ? fd : fail(ENODEV);
}
/* All of `bytes`, out (`sending`) or in. The errno; 0: done. */
static int transfer(int fd, void *bytes, size_t length, bool sending, bool interruptible) {
    for (char *next = bytes; length > 0;) {
        long done = kernel(sending ? SYS_sendto : SYS_recvfrom, fd, next, length, sending ? MSG_NOSIGNAL : 0, NULL, NULL);
        if (done == 0) return ENODEV;
        if (done < 0 && (errno != EINTR || interruptible)) return errno;
        if (done > 0) next += done, length -= done;
    }
    return 0;
}
/* Sends a frame of src/control/protocol/frames.ts. The errno; 0: it is on its way. */
static int send_request(int fd, uint32_t number, const void *buffer, uint32_t size) {
    char folder[PATH_MAX];
    if (kernel(SYS_getcwd, folder, sizeof folder) < 0) folder[0] = '\0';
    uint32_t length = strlen(folder), wants_reason = number != 0 && (number & 0xff) == DM_LOAD;
    uint32_t head[6] = { FRAME_MAGIC, sizeof head + length + size, number, wants_reason, length, size };
    int error = transfer(fd, head, sizeof head, true, false);
    if (error == 0) error = transfer(fd, folder, length, true, false);
    return error != 0 ? error : transfer(fd, (void *)buffer, size, true, false);
}
struct reply { uint32_t magic, frame_bytes, error, buffer_bytes, reason_bytes; };
static int receive_head(int fd, struct reply *reply, bool interruptible) {
    int error = transfer(fd, reply, sizeof *reply, false, interruptible);
    return error == 0 && reply->magic != FRAME_MAGIC ? EPROTO : error;
}
/* A JSON request. A descriptor from which its answer is to be read; -1: there is none. Keeps errno. */
static int ask_daemon(const char *question, size_t size, struct reply *reply) {
    int before = errno, fd = connect_daemon();
    bool answered = fd >= 0 && send_request(fd, 0, question, size) == 0 && receive_head(fd, reply, false) == 0 && reply->error == 0;
    if (fd >= 0 && !answered) kernel(SYS_close, fd);
    errno = before;
    return answered ? fd : -1;
}
/* A kernel says why it refused a table in its log; there is no log here, so standard error gets the line. */
static void tell_reason(int fd, size_t length) {
    char text[1024];
    if (length > sizeof text) length = sizeof text;
    bool told = length > 0 && transfer(fd, text, length, false, false) == 0;
    if (told && getenv("DEVMAPPER_QUIET") == NULL) dprintf(STDERR_FILENO, "devmapper: %.*s\n", (int)length, text);
}
/* poll(2) on the control node waits for events: the descriptor becomes a connection on which the next one is asked for. */
static int arm_poll(int control, int connection) {
    static const char question[] = "{\"method\":\"poll\"}";
    int flags = kernel(SYS_fcntl, control, F_GETFD), error = send_request(connection, 0, question, sizeof question - 1);
    if (error != 0) return error;
    return kernel(SYS_dup3, connection, control, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0 ? errno : 0;
}
/* `buffer` is a struct dm_ioctl; its fourth word is the size of all of it. */
static int control_ioctl(int control, uint32_t number, void *buffer) {
    struct reply reply;
    uint32_t size = ((uint32_t *)buffer)[3], command = number & 0xff;
    /* The daemon refuses the sizes that a kernel refuses, and needs no more than the header for that. */
    if (size < DM_HEADER_BYTES || size > MAX_BUFFER_BYTES) size = DM_HEADER_BYTES;
    int fd = connect_daemon();
    if (fd < 0) return -1;
    int error = send_request(fd, number, buffer, size);
    if (error == 0) error = receive_head(fd, &reply, command == DM_WAIT || command == DM_SUSPEND);
    if (error == 0 && reply.buffer_bytes > size) error = EPROTO;
    if (error == 0) error = transfer(fd, buffer, reply.buffer_bytes, false, false);
    if (error == 0 && reply.error != 0) tell_reason(fd, reply.reason_bytes);
    if (error == 0) error = reply.error;
    if (error == 0 && command == DM_ARM_POLL) error = arm_poll(control, fd);
    kernel(SYS_close, fd);
    return error == 0 ? 0 : fail(error);
}
/* ---- Block device ioctls -------------------------------------------------------------------------------------- */
static unsigned long long size_of(int fd) {
    struct stat status = { 0 };
    return kernel(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH), status.st_size;
}
/* BLKDISCARD and BLKZEROOUT: { start, length } in bytes. */
static int change_range(int fd, int mode, const uint64_t *range) {
    uint64_t start = range[0], length = range[1], size = size_of(fd);
    if ((start | length) & 511 || length == 0 || start > size || length > size - start) return fail(EINVAL);
    return kernel(SYS_fallocate, fd, mode | FALLOC_FL_KEEP_SIZE, start, length);
}
static int set_read_ahead(unsigned minor, unsigned long sectors) {
    char text[128];
    struct reply reply;
    int fd = ask_daemon(text, sprintf(text, "{\"method\":\"read-ahead\",\"params\":{\"minor\":%u,\"sectors\":%lu}}", minor, sectors), &reply);
    return fd < 0 ? fail(EINVAL) : (int)kernel(SYS_close, fd);
}
static int block_ioctl(int fd, unsigned minor, uint32_t request, void *argument) {
    int block = attribute(minor, "queue/logical_block_size", 512), value;
    bool is_value = request == BLKRASET || request == BLKFRASET || request == BLKFLSBUF || request == BLKRRPART;
    bool is_known = (request >> 8 & 0xff) == 0x12 || request == HDIO_GETGEO;
    if (argument == NULL && is_known && !is_value) return fail(EFAULT);
    switch (request) {
    case BLKGETSIZE64: case BLKGETSIZE: *(uint64_t *)argument = request == BLKGETSIZE ? size_of(fd) >> 9 : size_of(fd); return 0;
    case BLKSSZGET: case BLKBSZGET: *(int *)argument = request == BLKSSZGET ? block : 4096; return 0;
    case BLKPBSZGET: *(unsigned *)argument = attribute(minor, "queue/physical_block_size", block); return 0;
    case BLKIOMIN: *(unsigned *)argument = attribute(minor, "queue/minimum_io_size", block); return 0;
    case BLKIOOPT: *(unsigned *)argument = attribute(minor, "queue/optimal_io_size", 0); return 0;
    case BLKALIGNOFF: *(int *)argument = attribute(minor, "alignment_offset", 0); return 0;
    case BLKROTATIONAL: *(unsigned short *)argument = attribute(minor, "queue/rotational", 0); return 0;
    case BLKSECTGET: *(unsigned short *)argument = attribute(minor, "queue/max_sectors_kb", 512) * 2; return 0;
    case BLKDISCARDZEROES: case BLKGETZONESZ: case BLKGETNRZONES: *(unsigned *)argument = 0; return 0;
    case BLKBSZSET: value = *(int *)argument; return value < block || value > 4096 || value & (value - 1) ? fail(EINVAL) : 0;
    case BLKROGET: *(int *)argument = attribute(minor, "ro", 0); return 0;
    /* The table says whether a device may be written; a second switch that nothing obeys would be a lie. */
    case BLKROSET: return attribute(minor, "ro", 0) == (*(int *)argument != 0) ? 0 : fail(EOPNOTSUPP);
    case BLKRAGET: case BLKFRAGET: *(long *)argument = attribute(minor, "bdi/read_ahead_kb", 128) * 2; return 0;
    case BLKRASET: case BLKFRASET: return set_read_ahead(minor, (unsigned long)argument);
    case BLKDISCARD:
        return attribute(minor, "queue/discard_max_bytes", 1) ? change_range(fd, FALLOC_FL_PUNCH_HOLE, argument) : fail(EOPNOTSUPP);
    case BLKZEROOUT: return change_range(fd, FALLOC_FL_ZERO_RANGE, argument);
    case BLKFLSBUF: return kernel(SYS_fsync, fd); case BLKSECDISCARD: return fail(EOPNOTSUPP); case BLKRRPART: case BLKPG: return fail(EINVAL);
    case HDIO_GETGEO: memset(argument, 0, sizeof(struct hd_geometry)); return 0;
    default: return fail(ENOTTY);
    }
}
int ioctl(int fd, unsigned long wide_request, ...) {
    void *argument = ARGUMENT(void *, wide_request);
    uint32_t request = wide_request, type = request >> 8 & 0xff;
    struct node node;
    if (world.active && type == DM_TYPE && argument) return control_ioctl(fd, request, argument);
    /* What disks are asked (block, ATA, SCSI, CD); other requests need no look at the descriptor. */
    bool for_disks = type == 0x12 || type == 0x03 || type == 0x22 || type == 0x53;
    if (world.active && for_disks && find_open_node(fd, &node)) return block_ioctl(fd, node.minor, request, argument);
    return kernel(SYS_ioctl, fd, request, argument);
}
/* ---- Files of /proc that name devices: the daemon writes them anew ---------------------------------------------- */
static bool is_device_table(const char *path) {
    if (!starts_with(path, "/proc/")) return strcmp(path, "/etc/mtab") == 0;
    const char *name = strrchr(path, '/');
    /* What is longer, or would need escapes in JSON, is none. */
    if (strlen(path) > 48 || strpbrk(path, "\"\\") != NULL) return false;
    return strcmp(name, "/mounts") == 0 || strcmp(name, "/mountinfo") == 0 || strcmp(path, "/proc/devices") == 0 ||
           strcmp(path, "/proc/misc") == 0 || strcmp(path, "/proc/partitions") == 0;
}
/* A memory file with the daemon's text; -1: the kernel's own must do. Keeps errno. */
static int open_device_table(const char *path, int flags) {
    char question[160], own[64], *text = NULL;
    struct reply reply;
    /* Whose mounts: the daemon has a /proc/self of its own. */
    bool is_mtab = strcmp(path, "/etc/mtab") == 0 || strcmp(path, "/proc/mounts") == 0;
    snprintf(own, sizeof own, "/proc/%d%s", (int)getpid(), is_mtab ? "/mounts" : path + 10);
    if (is_mtab || starts_with(path, "/proc/self/")) path = own;
    int size = snprintf(question, sizeof question, "{\"method\":\"proc\",\"params\":{\"path\":\"%s\"}}", path);
    int before = errno, copy = -1, fd = ask_daemon(question, size, &reply);
    if (fd >= 0 && (text = malloc(reply.buffer_bytes)) != NULL && transfer(fd, text, reply.buffer_bytes, false, false) == 0)
        copy = kernel(SYS_memfd_create, "devmapper", flags & O_CLOEXEC ? 1 : 0);
    if (copy >= 0) dprintf(copy, "%.*s", (int)reply.buffer_bytes, text), kernel(SYS_lseek, copy, 0, SEEK_SET);
    if (fd >= 0) kernel(SYS_close, fd);
    free(text);
    errno = before;
    return copy;
}
/* ---- Keys: dm-crypt takes logon keys out of the kernel's keyrings, where nobody else can read them ----------------- */
/* The daemon gets a copy. Larger keys, and descriptions that need escapes in JSON, no cipher has. */
static bool tell_key(const char *description, const unsigned char *payload, size_t size) {
    char question[3072];
    struct reply reply;
    if (size > 1024 || strlen(description) > 512 || strpbrk(description, "\"\\\n") != NULL) return false;
    int length = sprintf(question, "{\"method\":\"key-add\",\"params\":{\"once\":true,\"description\":\"%s\",\"payload\":\"", description);
    for (size_t at = 0; at < size; at++) length += sprintf(question + length, "%02x", payload[at]);
    length += sprintf(question + length, "\"}}");
    int fd = ask_daemon(question, length, &reply);
    explicit_bzero(question, sizeof question);
    if (fd >= 0) kernel(SYS_close, fd);
    return fd >= 0;
}
/* libkeyutils and libcryptsetup reach the keyrings by this. */
long syscall(long number, ...) {
    long word[6];
    va_list list; va_start(list, number);
    for (int at = 0; at < 6; at++) word[at] = va_arg(list, long);
    va_end(list);
    long result = kernel(number, word[0], word[1], word[2], word[3], word[4], word[5]);
    bool is_key = world.active && number == SYS_add_key && word[0] && word[1] && word[2] && strcmp((char *)word[0], "logon") == 0;
    /* Most containers forbid keyrings; any number will do then. */
    bool forbidden = result < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS);
    if (!is_key || (result < 0 && !forbidden)) return result;
    return tell_key((char *)word[1], (unsigned char *)word[2], word[3]) && forbidden ? 1 : result;
}
/* ---- Opening -------------------------------------------------------------------------------------------------- */
enum { NOT_OURS = -2 };
static int open_node(const struct node *node, int flags) {
    char path[PATH_MAX];
    if (node->control) return kernel(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | (flags & O_CLOEXEC), 0);
    /* A device is not created, cut or replaced. FUSE never hears of O_EXCL; O_NOATIME tells it of the claim. */
    int kept = flags & ~(O_EXCL | O_CREAT | O_TRUNC | O_NOATIME | O_NOFOLLOW);
    hidden_path(node, path);
    int fd = kernel(SYS_openat, AT_FDCWD, path, flags & O_EXCL ? kept | O_NOATIME : kept, 0);
    return fd < 0 && (errno == ENOENT || errno == ENOTCONN) ? fail(ENXIO) : fd;
}
/* What must not be left to the kernel: tables of /proc, the control node, and markers, which it would open as files. */
static int open_early(int folder, const char *path, int flags) {
    struct node node;
    if (!world.active || path == NULL || flags & O_PATH) return NOT_OURS;
    int table = (flags & O_ACCMODE) == O_RDONLY && is_device_table(path) ? open_device_table(path, flags) : -1;
    if (table >= 0) return table;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    bool likely = world.private_view || strcmp(name, "control") == 0 || starts_with(name, "dm-");
    if (!likely || (flags & O_CREAT && flags & O_EXCL)) return NOT_OURS;
    VIEW(path);
    return find_node(folder, path, &node) ? open_node(&node, flags) : NOT_OURS;
}
/* What the kernel could not open, unless it is a node of ours, which the caller may read and write as asked. */
static int open_late(int folder, const char *path, int flags) {
    static const int needed[] = { R_OK, W_OK, R_OK | W_OK, F_OK };
    struct node node;
    int before = errno;
    bool dead = before == ENXIO || before == ENODEV || before == EACCES;
    if (!world.active || !dead || !find_node(folder, path, &node)) return -1;
    bool allowed = kernel(SYS_faccessat, folder, path, needed[flags & O_ACCMODE]) == 0;
    errno = before;
    return allowed ? open_node(&node, flags) : -1;
}
static int open_any(int folder, const char *path, int flags, mode_t mode) {
    int fd = open_early(folder, path, flags);
    if (fd != NOT_OURS) return fd;
    /* A number in sysfs is replaced whole, as a kernel would. */
    if (world.active && flags & (O_WRONLY | O_RDWR) && path != NULL && starts_with(path, "/sys/")) flags |= O_TRUNC;
    VIEW(path);
    fd = kernel(SYS_openat, folder, path, flags, mode);
    return fd < 0 ? open_late(folder, path, flags) : fd;
}
#define MODE __OPEN_NEEDS_MODE(flags) ? ARGUMENT(mode_t, flags) : 0
int open(const char *path, int flags, ...) { return open_any(AT_FDCWD, path, flags, MODE); }
int openat(int folder, const char *path, int flags, ...) { return open_any(folder, path, flags, MODE); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int __open_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char *path, int flags) { return open_any(folder, path, flags, 0); }
ALIAS64(open) ALIAS64(openat) ALIAS64(creat) ALIAS(__open64_2, __open_2) ALIAS(__openat64_2, __openat_2)
static int stream_flags(const char *mode) {
    int access = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    return access | (strchr(mode, 'e') ? O_CLOEXEC : 0) | (strchr(mode, 'x') ? O_CREAT | O_EXCL : 0);
}
FILE *fopen(const char *path, const char *mode) {
    int flags = stream_flags(mode), fd = open_early(AT_FDCWD, path, flags);
    VIEW(path);
    FILE *stream = fd == NOT_OURS ? REAL(fopen)(path, mode) : NULL;
    if (fd == NOT_OURS && stream == NULL) fd = open_late(AT_FDCWD, path, flags);
    return fd < 0 ? stream : fdopen(fd, mode);
}
FILE *freopen(const char *path, const char *mode, FILE *stream) {
    struct node node;
    char link[32];
    int flags = stream_flags(mode), fd = open_early(AT_FDCWD, path, flags);
    VIEW(path);
    if (fd == NOT_OURS && world.active && path && find_node(AT_FDCWD, path, &node)) fd = open_node(&node, flags);
    if (fd < 0) return REAL(freopen)(path, mode, stream);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return stream = REAL(freopen)(link, mode, stream), kernel(SYS_close, fd), stream;
}
ALIAS64(fopen) ALIAS64(freopen)
/* ---- Looking: a device's descriptor is a FUSE file to the kernel, and a block node to the program --------------- */
static int stat_at(int folder, const char *path, struct stat *status, int flags) {
    struct node node;
    VIEW(path);
    int result = kernel(SYS_newfstatat, folder, path, status, flags);
    if (result != 0 || !world.active || !S_ISREG(status->st_mode)) return result;
    bool descriptor = flags & AT_EMPTY_PATH && (path == NULL || path[0] == '\0');
    see_marker(folder, path, descriptor ? flags : flags & ~AT_EMPTY_PATH, status);
    if (!descriptor || !find_open_node(folder, &node)) return result;
    status->st_mode = S_IFBLK | (status->st_mode & 0777);
    status->st_rdev = makedev(world.major, node.minor);
    status->st_dev = node.device, status->st_ino = node.inode, status->st_size = status->st_blocks = 0;
    return result;
}
int fstatat(int folder, const char *path, struct stat *status, int flags) { return stat_at(folder, path, status, flags); }
int fstat(int fd, struct stat *status) { return stat_at(fd, "", status, AT_EMPTY_PATH); }
int stat(const char *path, struct stat *status) { return stat_at(AT_FDCWD, path, status, 0); }
int lstat(const char *path, struct stat *status) { return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW); }
int __fxstat(int version, int fd, struct stat *status) { (void)version; return fstat(fd, status); }
int __xstat(int version, const char *path, struct stat *status) { (void)version; return stat(path, status); }
int __lxstat(int version, const char *path, struct stat *status) { (void)version; return lstat(path, status); }
int __fxstatat(int version, int folder, const char *path, struct stat *status, int flags) { (void)version; return stat_at(folder, path, status, flags); }
ALIAS64(fstatat) ALIAS64(fstat) ALIAS64(stat) ALIAS64(lstat) ALIAS64(__fxstat) ALIAS64(__xstat) ALIAS64(__lxstat) ALIAS64(__fxstatat)
int statx(int folder, const char *path, int flags, unsigned mask, struct statx *status) {
    struct stat plain;
    VIEW(path);
    int result = kernel(SYS_statx, folder, path, flags, mask, status);
    if (result != 0 || !world.active || !S_ISREG(status->stx_mode)) return result;
    int known_flags = flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
    if (stat_at(folder, path, &plain, known_flags) != 0 || S_ISREG(plain.st_mode)) return result;
    status->stx_rdev_major = major(plain.st_rdev), status->stx_rdev_minor = minor(plain.st_rdev);
    status->stx_dev_major = major(plain.st_dev), status->stx_dev_minor = minor(plain.st_dev);
    status->stx_mode = plain.st_mode, status->stx_ino = plain.st_ino, status->stx_size = status->stx_blocks = 0;
    return result;
}
ssize_t readlinkat(int folder, const char *path, char *target, size_t size) {
    char whole[PATH_MAX];
    VIEW(path);
    if (!world.active || size == 0 || size > sizeof whole) return kernel(SYS_readlinkat, folder, path, target, size);
    ssize_t length = kernel(SYS_readlinkat, folder, path, whole, sizeof whole), seen = length > 0 ? unview(whole, length) : 0;
    return length > 0 ? (ssize_t)((char *)mempcpy(target, whole, seen < (ssize_t)size ? seen : (ssize_t)size) - target) : length;
}
ssize_t readlink(const char *path, char *target, size_t size) { return readlinkat(AT_FDCWD, path, target, size); }
char *realpath(const char *path, char *resolved) {
    VIEW(path);
    resolved = REAL(realpath)(path, resolved);
    if (resolved != NULL) resolved[unview(resolved, strlen(resolved))] = '\0';
    return resolved;
}
char *__realpath_chk(const char *path, char *resolved, size_t size) { (void)size; return realpath(path, resolved); }
char *canonicalize_file_name(const char *path) { return realpath(path, NULL); }
/* ---- mount(2): a loop device over the FUSE file, which the kernel frees with the last mount of it ---------------- */
/* The loop device that already stands for the node, so that two mounts share one file system; opened, or -1. */
static int find_loop(unsigned minor, int flags, char *path) {
    char file[PATH_MAX];
    struct node node;
    for (int loop = 0; loop < 256; loop++) {
        snprintf(file, sizeof file, "/sys/devices/virtual/block/loop%d/loop/backing_file", loop);
        read_file(AT_FDCWD, file, 0, file, sizeof file);
        sprintf(path, "/dev/loop%d", loop);
        if (parse_hidden_path(file, &node) && node.minor == minor) return kernel(SYS_openat, AT_FDCWD, path, flags, 0);
    }
    return -1;
}
static int make_loop(const struct node *node, int flags, char *path) {
    int control = kernel(SYS_openat, AT_FDCWD, "/dev/loop-control", O_RDWR | O_CLOEXEC, 0), loop = -1;
    int file = control < 0 ? -1 : open_node(node, flags | O_EXCL), error = errno;
    struct loop_config config = { .fd = file, .block_size = attribute(node->minor, "queue/logical_block_size", 512),
        .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO | (flags & O_ACCMODE ? 0 : LO_FLAGS_READ_ONLY) };
    /* Somebody else may take the free one first. */
    for (int attempt = 0; file >= 0 && loop < 0 && attempt < 16; attempt++) {
        sprintf(path, "/dev/loop%ld", kernel(SYS_ioctl, control, LOOP_CTL_GET_FREE));
        loop = kernel(SYS_openat, AT_FDCWD, path, flags, 0);
        bool configured = loop >= 0 && kernel(SYS_ioctl, loop, LOOP_CONFIGURE, &config) == 0;
        error = errno;
        if (loop < 0 || configured) break;
        kernel(SYS_close, loop), loop = -1;
    }
    if (file >= 0) kernel(SYS_close, file);
    if (control >= 0) kernel(SYS_close, control);
    return loop < 0 ? fail(error) : loop;
}
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    char path[32], buffer[PATH_MAX];
    struct node node;
    bool new = !(flags & (MS_BIND | MS_MOVE | MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE));
    if (!world.active || !new || source == NULL || !find_node(AT_FDCWD, view(source, buffer), &node) || node.control)
        return kernel(SYS_mount, source, target, type, flags, data);
    int access = (flags & MS_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC, loop = find_loop(node.minor, access, path);
    if (loop < 0 && (loop = make_loop(&node, access, path)) < 0) return -1;
    int result = kernel(SYS_mount, path, target, type, flags, data), error = errno;
    snprintf(buffer, sizeof buffer, "%s/%s.source", world.folder, path + 5), unlink(buffer), symlink(source, buffer);
    kernel(SYS_close, loop);
    return errno = error, result;
}
FILE *setmntent(const char *path, const char *mode) { return fopen(path, mode); } /* glibc's calls no fopen of ours */
/* ---- Paths: the functions that only need the view, or leave a marker what it is ---------------------------------- */
#define VIEWED(type, name, parameters, result) type name parameters { VIEW(path); return result; }
/* The mode to give a file: a marker's bits must stay. With mode 0: whether it is a marker. */
static mode_t marker_mode(int folder, const char *path, mode_t mode) {
    struct stat status;
    bool marked = world.private_view && kernel(SYS_newfstatat, folder, path, &status, 0) == 0 && is_marker(&status);
    return marked ? (mode & 0777) | S_IRUSR | MARKER_MODE : mode;
}
VIEWED(DIR *, opendir, (const char *path), REAL(opendir)(path))
VIEWED(int, scandir, (const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
    int (*compare)(const struct dirent **, const struct dirent **)), REAL(scandir)(path, list, filter, compare))
ALIAS64(scandir)
VIEWED(int, faccessat, (int folder, const char *path, int mode, int flags), REAL(faccessat)(folder, path, mode, flags))
#define VIEWED_MODE(name, type) VIEWED(int, name, (const char *path, type mode), REAL(name)(path, mode))
VIEWED_MODE(access, int) VIEWED_MODE(euidaccess, int) VIEWED_MODE(mkdir, mode_t) ALIAS(eaccess, euidaccess)
VIEWED(int, mkdirat, (int folder, const char *path, mode_t mode), REAL(mkdirat)(folder, path, mode))
#define VIEWED_PATH(name) VIEWED(int, name, (const char *path), REAL(name)(path))
VIEWED_PATH(rmdir) VIEWED_PATH(unlink) VIEWED_PATH(remove) VIEWED_PATH(chdir)
VIEWED(int, unlinkat, (int folder, const char *path, int flags), REAL(unlinkat)(folder, path, flags))
VIEWED(ssize_t, getxattr, (const char *path, const char *name, void *to, size_t size), REAL(getxattr)(path, name, to, size))
VIEWED(ssize_t, lgetxattr, (const char *path, const char *name, void *to, size_t size), REAL(lgetxattr)(path, name, to, size))
VIEWED(int, chmod, (const char *path, mode_t mode), REAL(chmod)(path, marker_mode(AT_FDCWD, path, mode)))
VIEWED(int, fchmodat, (int folder, const char *path, mode_t mode, int flags), REAL(fchmodat)(folder, path, marker_mode(folder, path, mode), flags))
/* A marker keeps its owner: who made it may not give it away, and the kernel would take the mode bits with it. */
VIEWED(int, fchownat, (int folder, const char *path, uid_t user, gid_t group, int flags),
    marker_mode(folder, path, 0) ? 0 : REAL(fchownat)(folder, path, user, group, flags))
int chown(const char *path, uid_t user, gid_t group) { return fchownat(AT_FDCWD, path, user, group, 0); }
int lchown(const char *path, uid_t user, gid_t group) { return fchownat(AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW); }
int symlinkat(const char *target, int folder, const char *path) { VIEW(target); VIEW(path); return REAL(symlinkat)(target, folder, path); }
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }
int renameat2(int folder, const char *path, int other, const char *second, unsigned flags) {
    VIEW(path); VIEW(second);
    return kernel(SYS_renameat2, folder, path, other, second, flags);
}
int renameat(int folder, const char *path, int other, const char *second) { return renameat2(folder, path, other, second, 0); }
int rename(const char *path, const char *second) { return renameat2(AT_FDCWD, path, AT_FDCWD, second, 0); }
int mknodat(int folder, const char *path, mode_t mode, dev_t number) {
    VIEW(path);
    bool ours = (S_ISBLK(mode) && major(number) == world.major) || (S_ISCHR(mode) && number == CONTROL_NUMBER);
    if (world.active && world.private_view && ours) return make_marker(folder, path, mode, number);
    return kernel(SYS_mknodat, folder, path, mode, number);
}
int mknod(const char *path, mode_t mode, dev_t number) { return mknodat(AT_FDCWD, path, mode, number); }
int __xmknod(int version, const char *path, mode_t mode, dev_t *number) { (void)version; return mknod(path, mode, *number); }
