/* Calls that a kernel refuses or answers, and that must not end the program: see exec-mistakes.test.ts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *volatile nothing = NULL;

static void tell(const char *what, long result) { printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done"); }

static void tell_kind(const char *what, const char *format, const char *path) {
    char text[4096];
    struct stat status;
    snprintf(text, sizeof text, format, path);
    if (stat(text, &status) != 0) tell(what, -1);
    else printf("%s: %s\n", what, S_ISBLK(status.st_mode) ? "block device" : "something else");
}

int main(int count, char **words) {
    struct stat status;
    char path[4090], target[20];
    if (count == 4) {
        long serial = syscall(SYS_add_key, "logon", words[2], words[3], strlen(words[3]), -1 /* the thread's */);
        printf("key %s\n", serial > 0 ? "added" : strerror(errno));
        return serial <= 0;
    }
    int fd = open(words[1], O_RDWR);
    tell("open NULL", open(nothing, O_RDONLY));
    tell("stat NULL", stat(nothing, &status));
    tell("access NULL", access(nothing, R_OK));
    tell("BLKGETSIZE64 NULL", ioctl(fd, BLKGETSIZE64, NULL));
    strcpy(path, "/proc/none");
    while (strlen(path) < 4060) strcat(path, "/x");
    tell("long path of /proc", open(strcat(path, "/mounts"), O_RDONLY));
    symlink("/dev/mapper/target-of-a-link", "/dev/mapper/a-link");
    long length = readlink("/dev/mapper/a-link", target, sizeof target);
    printf("link in 20 bytes: %.*s\n", (int)length, target);
    unlink("/dev/mapper/a-link");
    tell_kind("doubled slashes", "//dev//mapper//%s", strrchr(words[1], '/') + 1);
    tell_kind("dots", "/dev/./mapper/%s", strrchr(words[1], '/') + 1);
    errno = 77;
    close(open(words[1], O_RDONLY)), stat(words[1], &status), fstat(fd, &status), access(words[1], R_OK);
    printf("errno after success: %d\n", errno);
    return 0;
}
