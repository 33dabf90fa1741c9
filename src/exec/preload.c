/*
 * devmapper preload library: shows a program the mapped devices of a devmapper daemon as if a kernel had them.
 * SPDX-License-Identifier: MIT
 *
 * Real block nodes with the daemon's major number are "dead": this kernel has no driver for it, so mknod, stat, rename
 * and links work natively and only open(2) fails. Then, and only then, the library looks at the node and opens the file
 * that the daemon's FUSE mount has for it. Where nodes cannot be made (no CAP_MKNOD), the "private view" keeps marker
 * files in their place below $DEVMAPPER_DIR/dev, and the stat family answers for them.
 *
 * No state but what the environment says; every dm-ioctl is one connection to the daemon; what a descriptor is, its name
 * in /proc/self/fd tells. So threads, fork, exec, dup and signal handlers need no care.
 *
 * Environment: DEVMAPPER_DIR (the daemon's folder), DEVMAPPER_EXEC ("MAJOR nodes" or "MAJOR private").
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8, "64-bit systems only: stat and stat64 are taken for the same");

/* ---- The world: what the environment says --------------------------------------------------------------------- */

static struct {
    bool active;
    bool private_view;
    unsigned major;
    char folder[512];
    size_t folder_length;
} world;

__attribute__((constructor)) static void read_environment(void) {
    const char *folder = getenv("DEVMAPPER_DIR"), *view = getenv("DEVMAPPER_EXEC");
    if (folder == NULL || folder[0] != '/' || strlen(folder) >= sizeof world.folder || view == NULL) return;
    char *rest;
    world.major = strtoul(view, &rest, 10);
    world.private_view = strcmp(rest, " private") == 0;
    world.folder_length = strlen(folder);
    memcpy(world.folder, folder, world.folder_length + 1);
    world.active = true;
}

/* The next library's function of that name; found at the first call. */
static void *find_real(const char *name, void **known) {
    void *address = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (address == NULL) {
        address = dlsym(RTLD_NEXT, name);
        __atomic_store_n(known, address, __ATOMIC_RELAXED);
    }
    return address;
}
#define REAL(name) ({ static void *known; (__typeof__(&name))find_real(#name, &known); })

/* Everything else goes straight to the kernel, so that nothing here can call itself. */
#define kernel(...) REAL(syscall)(__VA_ARGS__)

/* Programs built for 64-bit offsets call these by the second name. */
#define ALIAS(second, first) __asm__(".globl " #second "\n.set " #second ", " #first)

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* Whether `path` is `folder` or lies in it. */
static bool lies_in(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* ---- The view: where a path really leads ---------------------------------------------------------------------- */

static const char *const sysfs_folders[] = { "/sys/block", "/sys/class/block", "/sys/dev/block" };
static const char *const private_folders[] = { "/dev", "/run/cryptsetup", "/run/lock/lvm", "/run/lvm" };
#define COUNT(array) (sizeof array / sizeof array[0])

static bool exists(const char *path) {
    struct stat status;
    return kernel(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool in_sysfs_view(const char *path) {
    for (size_t index = 0; index < COUNT(sysfs_folders); index++)
        if (lies_in(path, sysfs_folders[index])) return true;
    return starts_with(path, "/sys/devices/virtual/block/dm-");
}

static bool in_private_view(const char *path) {
    for (size_t index = 0; world.private_view && index < COUNT(private_folders); index++)
        if (lies_in(path, private_folders[index])) return true;
    /* libcryptsetup opens /run and goes on from there. The daemon alone makes nodes called dm-N. */
    return (world.private_view && strcmp(path, "/run") == 0) || starts_with(path, "/dev/dm-");
}

/* Names in /dev that never mean the host's: these are mapped devices. */
static bool always_private(const char *path) {
    return strcmp(path, "/dev") == 0 || lies_in(path, "/dev/mapper") || starts_with(path, "/dev/dm-") ||
           !lies_in(path, "/dev");
}

/* `path` itself, or in `buffer` (PATH_MAX bytes) the path below the daemon's folder that stands for it. */
static const char *view(const char *path, char *buffer) {
    if (!world.active || path == NULL || path[0] != '/') return path;
    bool sysfs = in_sysfs_view(path);
    if (!sysfs && !in_private_view(path)) return path;
    int before = errno;
    if (!sysfs && !always_private(path) && exists(path)) return path;
    bool fits = snprintf(buffer, PATH_MAX, "%s%s", world.folder, path) < PATH_MAX;
    /* Devices that came after the mirror was made are still there. */
    bool ours = fits && (!sysfs || exists(buffer));
    errno = before;
    return ours ? buffer : path;
}
#define VIEW(path) char path##_buffer[PATH_MAX]; path = view(path, path##_buffer)

/* The way back, for answers: the path that a program knows, in place. The new length. */
static size_t unview(char *path, size_t length) {
    size_t skip = world.folder_length;
    bool below = world.active && length > skip + 5 && memcmp(path, world.folder, skip) == 0;
    if (!below || (memcmp(path + skip, "/dev/", 5) != 0 && memcmp(path + skip, "/sys/", 5) != 0))
        return length;
    memmove(path, path + skip, length - skip);
    return length - skip;
}

/* ---- Nodes: which device a path or a descriptor is ------------------------------------------------------------ */

struct node {
    bool control;
    unsigned minor;
    /* Of the node that was opened: fstat of the descriptor must give these. */
    unsigned long long device, inode;
};

#define CONTROL_NUMBER makedev(10, 236)

/* A marker file stands for a node: these mode bits, this size, and a line of text. */
#define MARKER_MODE (S_ISUID | S_ISVTX)
#define MARKER_BYTES 64
#define MARKER_TEXT "devmapper node %c %u:%u"

static bool read_marker(int folder, const char *path, int flags, dev_t *number, bool *block) {
    char name[32], text[MARKER_BYTES + 1] = "", kind;
    unsigned major, minor;
    if (flags & AT_EMPTY_PATH) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", folder);
        path = name;
    }
    int nofollow = flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
    int fd = kernel(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC | nofollow, 0);
    if (fd < 0) return false;
    long length = kernel(SYS_read, fd, text, MARKER_BYTES);
    kernel(SYS_close, fd);
    if (length != MARKER_BYTES || sscanf(text, MARKER_TEXT, &kind, &major, &minor) != 3) return false;
    *number = makedev(major, minor);
    *block = kind == 'b';
    return true;
}

/* Writes one in the place of a node that the kernel would not make. */
static int make_marker(int folder, const char *path, mode_t mode, dev_t number) {
    char text[MARKER_BYTES + 1];
    struct stat status;
    int fd = kernel(SYS_openat, folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    if (fd < 0) return -1;
    memset(text, '\n', sizeof text);
    int length = snprintf(text, sizeof text, MARKER_TEXT, S_ISBLK(mode) ? 'b' : 'c', major(number), minor(number));
    text[length] = '\n';
    bool done = kernel(SYS_write, fd, text, MARKER_BYTES) == MARKER_BYTES &&
                kernel(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH) == 0 &&
                kernel(SYS_fchmod, fd, (status.st_mode & 0777) | S_IRUSR | MARKER_MODE) == 0;
    kernel(SYS_close, fd);
    return done ? 0 : -1;
}

/* Turns what the kernel says of a marker into what it would say of the node. */
static void see_marker(int folder, const char *path, int flags, struct stat *status) {
    bool marked = S_ISREG(status->st_mode) && status->st_size == MARKER_BYTES &&
                  (status->st_mode & MARKER_MODE) == MARKER_MODE;
    bool block;
    if (!marked || !read_marker(folder, path, flags, &status->st_rdev, &block)) return;
    status->st_mode = (block ? S_IFBLK : S_IFCHR) | (status->st_mode & 0777);
    status->st_size = status->st_blocks = 0;
}

/* Whether this (viewed) path is a node of ours, and which. Keeps errno. */
static bool find_node(int folder, const char *path, struct node *node) {
    struct stat status;
    int before = errno;
    bool found = kernel(SYS_newfstatat, folder, path, &status, 0) == 0;
    if (found) see_marker(folder, path, 0, &status);
    errno = before;
    node->control = found && S_ISCHR(status.st_mode) && status.st_rdev == CONTROL_NUMBER;
    node->minor = minor(status.st_rdev);
    node->device = status.st_dev;
    node->inode = status.st_ino;
    return node->control || (found && S_ISBLK(status.st_mode) && major(status.st_rdev) == world.major);
}

/* The FUSE mount has every device under a second, never listed name, longer than any device's. It carries what must
 * be known of an open descriptor: that name survives dup, fork and exec. */
#define HIDDEN_LENGTH 160

static void hidden_path(const struct node *node, char *path) {
    int start = snprintf(path, PATH_MAX, "%s/mapper/", world.folder);
    int length = sprintf(path + start, ".node-%u-%llu-%llu-", node->minor, node->device, node->inode);
    memset(path + start + length, '.', HIDDEN_LENGTH - length);
    path[start + HIDDEN_LENGTH] = '\0';
}

static bool parse_hidden_path(const char *path, struct node *node) {
    const char *rest = path + world.folder_length;
    return strncmp(path, world.folder, world.folder_length) == 0 &&
           sscanf(rest, "/mapper/.node-%u-%llu-%llu-", &node->minor, &node->device, &node->inode) == 3;
}

/* Whether a descriptor is one of our devices. Keeps errno. */
static bool find_open_node(int fd, struct node *node) {
    char link[32], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = kernel(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return false;
    path[length] = '\0';
    node->control = false;
    return parse_hidden_path(path, node);
}

/* A number in the daemon's mirror of sysfs, which says what the kernel would say of a queue. */
static long long attribute(unsigned minor, const char *name, long long otherwise) {
    char path[PATH_MAX], text[32] = "";
    snprintf(path, sizeof path, "%s/sys/devices/virtual/block/dm-%u/%s", world.folder, minor, name);
    int fd = kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return otherwise;
    long length = kernel(SYS_read, fd, text, sizeof text - 1);
    kernel(SYS_close, fd);
    return length > 0 ? strtoll(text, NULL, 10) : otherwise;
}

/* ---- The daemon: each request is a connection of its own ------------------------------------------------------- */

enum { FRAME_MAGIC = 0x4d444c4f, MAX_BUFFER_BYTES = 64 << 20 };
enum { DM_TYPE = 0xfd, DM_SUSPEND = 6, DM_WAIT = 8, DM_LOAD = 9, DM_HEADER_BYTES = 305 };

static int fail(int error) {
    errno = error;
    return -1;
}

/* Through /proc/self/fd, because a socket's path has room for 107 bytes only. */
static int connect_daemon(void) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int folder = kernel(SYS_openat, AT_FDCWD, world.folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (folder < 0) return fail(ENODEV);
    int fd = kernel(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", folder);
    bool connected = fd >= 0 && kernel(SYS_connect, fd, &address, sizeof address) == 0;
    kernel(SYS_close, folder);
    if (fd >= 0 && !connected) kernel(SYS_close, fd);
    return connected ? fd : fail(ENODEV);
}

/* All of `bytes`, out (`sending`) or in. The errno; 0: done. */
static int transfer(int fd, void *bytes, size_t length, bool sending, bool interruptible) {
    for (char *next = bytes; length > 0;) {
        long done = sending ? kernel(SYS_sendto, fd, next, length, MSG_NOSIGNAL, NULL, 0)
                            : kernel(SYS_recvfrom, fd, next, length, 0, NULL, NULL);
        if (done == 0) return ENODEV;
        if (done < 0 && (errno != EINTR || interruptible)) return errno;
        if (done > 0) {
            next += done;
            length -= done;
        }
    }
    return 0;
}

struct reply { uint32_t magic, frame_bytes, error, buffer_bytes, reason_bytes; };

/* Sends a frame of src/control/protocol/frames.ts and receives the head of the answer. The errno; 0: there is one. */
static int ask(int fd, uint32_t number, void *buffer, uint32_t size, struct reply *reply) {
    unsigned command = number & 0xff;
    bool interruptible = number != 0 && (command == DM_WAIT || command == DM_SUSPEND);
    char folder[PATH_MAX] = "";
    if (kernel(SYS_getcwd, folder, sizeof folder) < 0) folder[0] = '\0';
    uint32_t length = strlen(folder), wants_reason = number != 0 && command == DM_LOAD;
    uint32_t head[6] = { FRAME_MAGIC, sizeof head + length + size, number, wants_reason, length, size };
    int error = transfer(fd, head, sizeof head, true, false);
    if (error == 0) error = transfer(fd, folder, length, true, false);
    if (error == 0) error = transfer(fd, buffer, size, true, false);
    if (error == 0) error = transfer(fd, reply, sizeof *reply, false, interruptible);
    return error == 0 && reply->magic != FRAME_MAGIC ? EPROTO : error;
}

/* A kernel says why it refused a table in its log; there is no log here, so standard error gets the line. */
static void tell_reason(int fd, size_t length) {
    char text[1024];
    if (length > sizeof text) length = sizeof text;
    if (length > 0 && transfer(fd, text, length, false, false) == 0 && getenv("DEVMAPPER_QUIET") == NULL)
        dprintf(STDERR_FILENO, "devmapper: %.*s\n", (int)length, text);
}

/* `buffer` is a struct dm_ioctl; its fourth word is the size of all of it. */
static int control_ioctl(uint32_t number, void *buffer) {
    struct reply reply;
    uint32_t size = ((uint32_t *)buffer)[3];
    /* The daemon refuses the sizes that a kernel refuses, and needs no more than the header for that. */
    if (size < DM_HEADER_BYTES || size > MAX_BUFFER_BYTES) size = DM_HEADER_BYTES;
    int fd = connect_daemon();
    if (fd < 0) return -1;
    int error = ask(fd, number, buffer, size, &reply);
    if (error == 0)
        error = reply.buffer_bytes > size ? EPROTO : transfer(fd, buffer, reply.buffer_bytes, false, false);
    if (error == 0 && reply.error != 0) tell_reason(fd, reply.reason_bytes);
    kernel(SYS_close, fd);
    return error != 0 ? fail(error) : reply.error != 0 ? fail(reply.error) : 0;
}

/* ---- Block device ioctls -------------------------------------------------------------------------------------- */

static unsigned long long size_of(int fd) {
    struct stat status;
    return kernel(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH) == 0 ? status.st_size : 0;
}

/* BLKDISCARD and BLKZEROOUT: { start, length } in bytes. */
static int change_range(int fd, int mode, const uint64_t *range) {
    uint64_t start = range[0], length = range[1], size = size_of(fd);
    if ((start | length) & 511 || length == 0 || start > size || length > size - start) return fail(EINVAL);
    return kernel(SYS_fallocate, fd, mode | FALLOC_FL_KEEP_SIZE, start, length);
}

static int set_read_ahead(unsigned minor, unsigned long sectors) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/sys/devices/virtual/block/dm-%u/bdi/read_ahead_kb", world.folder, minor);
    int fd = kernel(SYS_openat, AT_FDCWD, path, O_WRONLY | O_TRUNC | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    dprintf(fd, "%lu\n", sectors / 2);
    return kernel(SYS_close, fd);
}

static int block_ioctl(int fd, unsigned minor, uint32_t request, void *argument) {
    int block = attribute(minor, "queue/logical_block_size", 512), value;
    switch (request) {
    case BLKGETSIZE64: *(uint64_t *)argument = size_of(fd); return 0;
    case BLKGETSIZE: *(unsigned long *)argument = size_of(fd) >> 9; return 0;
    case BLKSSZGET: *(int *)argument = block; return 0;
    case BLKPBSZGET: *(unsigned *)argument = attribute(minor, "queue/physical_block_size", block); return 0;
    case BLKIOMIN: *(unsigned *)argument = attribute(minor, "queue/minimum_io_size", block); return 0;
    case BLKIOOPT: *(unsigned *)argument = attribute(minor, "queue/optimal_io_size", 0); return 0;
    case BLKALIGNOFF: *(int *)argument = attribute(minor, "alignment_offset", 0); return 0;
    case BLKROTATIONAL: *(unsigned short *)argument = attribute(minor, "queue/rotational", 0); return 0;
    case BLKSECTGET: *(unsigned short *)argument = attribute(minor, "queue/max_sectors_kb", 512) * 2; return 0;
    case BLKDISCARDZEROES: *(unsigned *)argument = 0; return 0;
    case BLKGETZONESZ: *(unsigned *)argument = 0; return 0;
    case BLKGETNRZONES: *(unsigned *)argument = 0; return 0;
    case BLKBSZGET: *(int *)argument = 4096; return 0;
    case BLKBSZSET:
        value = *(int *)argument;
        return value < block || value > 4096 || value & (value - 1) ? fail(EINVAL) : 0;
    case BLKROGET: *(int *)argument = attribute(minor, "ro", 0); return 0;
    /* The table says whether a device may be written; a second switch that nothing obeys would be a lie. */
    case BLKROSET: return attribute(minor, "ro", 0) == (*(int *)argument != 0) ? 0 : fail(EOPNOTSUPP);
    case BLKRAGET: case BLKFRAGET: *(long *)argument = attribute(minor, "bdi/read_ahead_kb", 128) * 2; return 0;
    case BLKRASET: case BLKFRASET: return set_read_ahead(minor, (unsigned long)argument);
    case BLKFLSBUF: return kernel(SYS_fsync, fd);
    case BLKDISCARD:
        if (attribute(minor, "queue/discard_max_bytes", 1) == 0) return fail(EOPNOTSUPP);
        return change_range(fd, FALLOC_FL_PUNCH_HOLE, argument);
    case BLKZEROOUT: return change_range(fd, FALLOC_FL_ZERO_RANGE, argument);
    case BLKSECDISCARD: return fail(EOPNOTSUPP);
    case BLKRRPART: case BLKPG: return fail(EINVAL);
    case HDIO_GETGEO: memset(argument, 0, sizeof(struct hd_geometry)); return 0;
    default: return fail(ENOTTY);
    }
}

/* Whether the request is one that disks have: block, ATA, SCSI, CD. Others need no look at the descriptor. */
static bool is_disk_request(uint32_t request) {
    unsigned type = request >> 8 & 0xff;
    return type == 0x12 || type == 0x03 || type == 0x22 || type == 0x53;
}

int ioctl(int fd, unsigned long wide_request, ...) {
    va_list list;
    va_start(list, wide_request);
    void *argument = va_arg(list, void *);
    va_end(list);
    uint32_t request = wide_request;
    struct node node;
    if (world.active && (request >> 8 & 0xff) == DM_TYPE && argument != NULL)
        return control_ioctl(request, argument);
    if (world.active && is_disk_request(request) && find_open_node(fd, &node))
        return block_ioctl(fd, node.minor, request, argument);
    return kernel(SYS_ioctl, fd, request, argument);
}

/* ---- Files of /proc that name devices: the daemon writes them anew ---------------------------------------------- */

static bool is_device_table(const char *path) {
    if (path == NULL || (!starts_with(path, "/proc/") && strcmp(path, "/etc/mtab") != 0)) return false;
    const char *name = strrchr(path, '/') + 1;
    return strcmp(name, "mounts") == 0 || strcmp(name, "mountinfo") == 0 || strcmp(name, "mtab") == 0 ||
           strcmp(path, "/proc/devices") == 0 || strcmp(path, "/proc/misc") == 0 || strcmp(path, "/proc/partitions") == 0;
}

/* Undoes JSON's quoting in place. The length. */
static size_t unquote(char *text, size_t length) {
    size_t end = 0;
    for (size_t next = 1; next + 1 < length; next++) {
        bool escape = text[next] == '\\';
        char plain = text[next += escape];
        text[end++] = !escape ? plain : plain == 'n' ? '\n' : plain == 't' ? '\t' : plain;
    }
    return end;
}

static int copy_answer(int fd, const struct reply *reply, int flags) {
    char *text = reply->error == 0 ? malloc(reply->buffer_bytes + 1) : NULL;
    int copy = -1;
    if (text != NULL && transfer(fd, text, reply->buffer_bytes, false, false) == 0)
        copy = kernel(SYS_memfd_create, "devmapper", flags & O_CLOEXEC ? 1 : 0);
    if (copy >= 0) {
        dprintf(copy, "%.*s", (int)unquote(text, reply->buffer_bytes), text);
        kernel(SYS_lseek, copy, 0, SEEK_SET);
    }
    free(text);
    return copy;
}

/* A descriptor, or -1: then the kernel's own must do. */
static int open_device_table(const char *path, int flags) {
    char question[PATH_MAX], name[32];
    struct reply reply;
    const char *rest = starts_with(path, "/proc/self/") ? path + 10 : "/mounts";
    bool own = rest == path + 10 || strcmp(path, "/proc/mounts") == 0 || strcmp(path, "/etc/mtab") == 0;
    snprintf(name, sizeof name, "/proc/%d", (int)getpid());
    int size = snprintf(question, sizeof question, "{\"method\":\"proc\",\"params\":{\"path\":\"%s%s\"}}",
                        own ? name : "", own ? rest : path);
    int fd = connect_daemon(), copy = -1;
    if (fd >= 0 && ask(fd, 0, question, size, &reply) == 0) copy = copy_answer(fd, &reply, flags);
    if (fd >= 0) kernel(SYS_close, fd);
    return copy;
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
    if ((flags & O_ACCMODE) == O_RDONLY && is_device_table(path)) {
        int before = errno, fd = open_device_table(path, flags);
        errno = before;
        return fd < 0 ? NOT_OURS : fd;
    }
    bool created = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    bool likely = world.private_view || strcmp(name, "control") == 0 || starts_with(name, "dm-");
    VIEW(path);
    if (!created && likely && find_node(folder, path, &node)) return open_node(&node, flags);
    return NOT_OURS;
}

/* What the kernel could not open, unless it is a node of ours, which the caller may read and write as asked. */
static int open_late(int folder, const char *path, int flags) {
    static const int needed[] = { R_OK, W_OK, R_OK | W_OK, F_OK };
    struct node node;
    bool dead = errno == ENXIO || errno == ENODEV || errno == EACCES;
    if (!world.active || !dead || !find_node(folder, path, &node)) return -1;
    int before = errno;
    bool allowed = kernel(SYS_faccessat, folder, path, needed[flags & O_ACCMODE]) == 0;
    errno = before;
    return allowed ? open_node(&node, flags) : -1;
}

int openat(int folder, const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = __OPEN_NEEDS_MODE(flags) ? va_arg(list, mode_t) : 0;
    va_end(list);
    int fd = open_early(folder, path, flags);
    if (fd != NOT_OURS) return fd;
    /* A number in sysfs is replaced whole, as a kernel would. */
    if (world.active && in_sysfs_view(path) && (flags & O_ACCMODE) != O_RDONLY) flags |= O_TRUNC;
    VIEW(path);
    fd = kernel(SYS_openat, folder, path, flags, mode);
    return fd < 0 ? open_late(folder, path, flags) : fd;
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = __OPEN_NEEDS_MODE(flags) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return openat(AT_FDCWD, path, flags, mode);
}

int creat(const char *path, mode_t mode) { return openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int __open_2(const char *path, int flags) { return openat(AT_FDCWD, path, flags); }
int __openat_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }
ALIAS(openat64, openat); ALIAS(open64, open); ALIAS(creat64, creat); ALIAS(__open64_2, __open_2);
ALIAS(__openat64_2, __openat_2);

static int stream_flags(const char *mode) {
    int access = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    return access | (strchr(mode, 'e') ? O_CLOEXEC : 0) | (strchr(mode, 'x') ? O_CREAT | O_EXCL : 0);
}

FILE *fopen(const char *path, const char *mode) {
    int flags = stream_flags(mode), fd = open_early(AT_FDCWD, path, flags);
    VIEW(path);
    if (fd == NOT_OURS) {
        FILE *stream = REAL(fopen)(path, mode);
        if (stream != NULL) return stream;
        fd = open_late(AT_FDCWD, path, flags);
    }
    return fd < 0 ? NULL : fdopen(fd, mode);
}
ALIAS(fopen64, fopen);

FILE *freopen(const char *path, const char *mode, FILE *stream) {
    struct node node;
    char link[32];
    int flags = stream_flags(mode), fd = open_early(AT_FDCWD, path, flags);
    VIEW(path);
    if (fd == NOT_OURS && world.active && path != NULL && find_node(AT_FDCWD, path, &node))
        fd = open_node(&node, flags);
    if (fd < 0) return REAL(freopen)(path, mode, stream);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    stream = REAL(freopen)(link, mode, stream);
    kernel(SYS_close, fd);
    return stream;
}
ALIAS(freopen64, freopen);

/* ---- Looking: a device's descriptor is a FUSE file to the kernel, and a block node to the program --------------- */

static int stat_at(int folder, const char *path, struct stat *status, int flags) {
    struct node node;
    VIEW(path);
    int result = kernel(SYS_newfstatat, folder, path, status, flags);
    if (result != 0 || !world.active || !S_ISREG(status->st_mode)) return result;
    bool descriptor = flags & AT_EMPTY_PATH && path[0] == '\0';
    see_marker(folder, path, descriptor ? flags : flags & ~AT_EMPTY_PATH, status);
    if (!descriptor || !find_open_node(folder, &node)) return result;
    status->st_mode = S_IFBLK | (status->st_mode & 0777);
    status->st_rdev = makedev(world.major, node.minor);
    status->st_dev = node.device;
    status->st_ino = node.inode;
    status->st_size = status->st_blocks = 0;
    return result;
}

int fstatat(int folder, const char *path, struct stat *status, int flags) { return stat_at(folder, path, status, flags); }
int fstat(int fd, struct stat *status) { return stat_at(fd, "", status, AT_EMPTY_PATH); }
int stat(const char *path, struct stat *status) { return stat_at(AT_FDCWD, path, status, 0); }
int lstat(const char *path, struct stat *status) { return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW); }
int __fxstat(int version, int fd, struct stat *status) { (void)version; return fstat(fd, status); }
int __xstat(int version, const char *path, struct stat *status) { (void)version; return stat(path, status); }
int __lxstat(int version, const char *path, struct stat *status) { (void)version; return lstat(path, status); }
int __fxstatat(int version, int folder, const char *path, struct stat *status, int flags) {
    (void)version;
    return stat_at(folder, path, status, flags);
}
ALIAS(fstatat64, fstatat); ALIAS(fstat64, fstat); ALIAS(stat64, stat); ALIAS(lstat64, lstat);
ALIAS(__fxstat64, __fxstat); ALIAS(__xstat64, __xstat); ALIAS(__lxstat64, __lxstat);
ALIAS(__fxstatat64, __fxstatat);

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *status) {
    struct stat plain;
    VIEW(path);
    int result = kernel(SYS_statx, folder, path, flags, mask, status);
    if (result != 0 || !world.active || !S_ISREG(status->stx_mode) || stat_at(folder, path, &plain, flags & 0x1900) != 0 ||
        S_ISREG(plain.st_mode))
        return result;
    status->stx_mode = plain.st_mode;
    status->stx_rdev_major = major(plain.st_rdev);
    status->stx_rdev_minor = minor(plain.st_rdev);
    status->stx_dev_major = major(plain.st_dev);
    status->stx_dev_minor = minor(plain.st_dev);
    status->stx_ino = plain.st_ino;
    status->stx_size = status->stx_blocks = 0;
    return result;
}

ssize_t readlinkat(int folder, const char *path, char *target, size_t size) {
    VIEW(path);
    ssize_t length = kernel(SYS_readlinkat, folder, path, target, size);
    return length > 0 ? (ssize_t)unview(target, length) : length;
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
        int fd = kernel(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
        long length = fd < 0 ? 0 : kernel(SYS_read, fd, file, sizeof file - 1);
        if (fd >= 0) kernel(SYS_close, fd);
        file[length > 0 ? length : 0] = '\0';
        if (!parse_hidden_path(file, &node) || node.minor != minor) continue;
        sprintf(path, "/dev/loop%d", loop);
        return kernel(SYS_openat, AT_FDCWD, path, flags, 0);
    }
    return -1;
}

static int make_loop(const struct node *node, int flags, char *path) {
    struct loop_config config = { .block_size = attribute(node->minor, "queue/logical_block_size", 512) };
    int file = open_node(node, flags | O_EXCL), control = kernel(SYS_openat, AT_FDCWD, "/dev/loop-control", O_RDWR | O_CLOEXEC, 0);
    int loop = -1, error = errno;
    config.fd = file;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO | (flags & O_ACCMODE ? 0 : LO_FLAGS_READ_ONLY);
    for (int attempt = 0; file >= 0 && control >= 0 && loop < 0 && attempt < 16; attempt++) {
        sprintf(path, "/dev/loop%ld", kernel(SYS_ioctl, control, LOOP_CTL_GET_FREE));
        loop = kernel(SYS_openat, AT_FDCWD, path, flags, 0);
        if (loop >= 0 && kernel(SYS_ioctl, loop, LOOP_CONFIGURE, &config) == 0) break;
        error = errno;
        kernel(SYS_close, loop);
        loop = -1;
    }
    kernel(SYS_close, file);
    kernel(SYS_close, control);
    return loop < 0 ? fail(error) : loop;
}

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    char path[32];
    struct node node;
    bool new = !(flags & (MS_BIND | MS_MOVE | MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE));
    if (!world.active || !new || source == NULL || !find_node(AT_FDCWD, source, &node) || node.control)
        return kernel(SYS_mount, source, target, type, flags, data);
    int access = (flags & MS_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC, loop = find_loop(node.minor, access, path);
    if (loop < 0) loop = make_loop(&node, access, path);
    if (loop < 0) return -1;
    int result = kernel(SYS_mount, path, target, type, flags, data), error = errno;
    kernel(SYS_close, loop);
    errno = error;
    return result;
}

/* ---- Paths: the functions that only need the view --------------------------------------------------------------- */

#define VIEWED(type, name, parameters, arguments) type name parameters { VIEW(path); return REAL(name) arguments; }

/* The mode to give a marker, so that it stays one. */
static mode_t keep_marker(const char *path, mode_t mode) {
    struct stat status;
    bool marked = world.private_view && kernel(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0 &&
                  S_ISREG(status.st_mode) && (status.st_mode & MARKER_MODE) == MARKER_MODE;
    return marked ? (mode & 0777) | S_IRUSR | MARKER_MODE : mode;
}

/* Nodes belong to root and the group disk; who cannot give a marker away keeps it. */
static int given_away(const char *path, int result) {
    return result != 0 && errno == EPERM && keep_marker(path, 0) != 0 ? 0 : result;
}

VIEWED(DIR *, opendir, (const char *path), (path))
VIEWED(int, scandir, (const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
       int (*compare)(const struct dirent **, const struct dirent **)), (path, list, filter, compare))
ALIAS(scandir64, scandir);
VIEWED(int, access, (const char *path, int mode), (path, mode))
VIEWED(int, euidaccess, (const char *path, int mode), (path, mode))
VIEWED(int, faccessat, (int folder, const char *path, int mode, int flags), (folder, path, mode, flags))
VIEWED(int, mkdir, (const char *path, mode_t mode), (path, mode))
VIEWED(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
VIEWED(int, rmdir, (const char *path), (path))
VIEWED(int, unlink, (const char *path), (path))
VIEWED(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
VIEWED(int, remove, (const char *path), (path))
VIEWED(ssize_t, getxattr, (const char *path, const char *name, void *value, size_t size), (path, name, value, size))
VIEWED(ssize_t, lgetxattr, (const char *path, const char *name, void *value, size_t size), (path, name, value, size))
VIEWED(ssize_t, listxattr, (const char *path, char *list, size_t size), (path, list, size))
VIEWED(ssize_t, llistxattr, (const char *path, char *list, size_t size), (path, list, size))
VIEWED(int, chdir, (const char *path), (path))
VIEWED(int, chmod, (const char *path, mode_t mode), (path, keep_marker(path, mode)))
VIEWED(int, statfs, (const char *path, struct statfs *status), (path, status))
VIEWED(int, statvfs, (const char *path, struct statvfs *status), (path, status))
VIEWED(int, utimensat, (int folder, const char *path, const struct timespec times[2], int flags), (folder, path, times, flags))
ALIAS(statfs64, statfs); ALIAS(statvfs64, statvfs);
int chown(const char *path, uid_t user, gid_t group) { VIEW(path); return given_away(path, REAL(chown)(path, user, group)); }
int lchown(const char *path, uid_t user, gid_t group) { VIEW(path); return given_away(path, REAL(lchown)(path, user, group)); }
int symlink(const char *target, const char *path) { VIEW(target); VIEW(path); return REAL(symlink)(target, path); }
int link(const char *path, const char *second) { VIEW(path); VIEW(second); return REAL(link)(path, second); }
int rename(const char *path, const char *second) { VIEW(path); VIEW(second); return REAL(rename)(path, second); }
int renameat2(int folder, const char *path, int other, const char *second, unsigned flags) {
    VIEW(path);
    VIEW(second);
    return kernel(SYS_renameat2, folder, path, other, second, flags);
}

int mknodat(int folder, const char *path, mode_t mode, dev_t number) {
    VIEW(path);
    bool ours = (S_ISBLK(mode) && major(number) == world.major) || (S_ISCHR(mode) && number == CONTROL_NUMBER);
    if (world.active && world.private_view && ours) return make_marker(folder, path, mode, number);
    return kernel(SYS_mknodat, folder, path, mode, number);
}
int mknod(const char *path, mode_t mode, dev_t number) { return mknodat(AT_FDCWD, path, mode, number); }
int __xmknod(int version, const char *path, mode_t mode, dev_t *number) { (void)version; return mknod(path, mode, *number); }
