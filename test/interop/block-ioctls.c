/*
 * Asks a block device everything that block devices are asked, and prints the answers: `block-ioctls NODE`.
 * test/golden/block-ioctls.txt is what it printed in a Linux 6.12 kernel for
 *   dmsetup create x --table "0 100000 linear /dev/loop0 8"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <linux/blkpg.h>
#include <linux/blkzoned.h>
static int fd;
static void show(const char *name, unsigned long request, int size)
{
    unsigned char buffer[256]; memset(buffer, 0xee, sizeof buffer);
    errno = 0; int r = ioctl(fd, request, buffer);
    unsigned long long v = 0; memcpy(&v, buffer, size);
    printf("%s %d %s", name, r, r < 0 ? strerror(errno) : ""); if (r == 0) printf("%llu", v); printf("\n");
}
#define S(x, n) show(#x, x, n)
int main(int argc, char **argv)
{
    (void)argc;
    fd = open(argv[1], O_RDWR); if (fd < 0) { perror("open"); return 1; }
    struct stat st; fstat(fd, &st); printf("mode %o rdev %d size %lld\n", st.st_mode & S_IFMT, st.st_rdev != 0, (long long)st.st_size);
    S(BLKGETSIZE64, 8); S(BLKGETSIZE, 8); S(BLKSSZGET, 4); S(BLKPBSZGET, 4); S(BLKIOMIN, 4); S(BLKIOOPT, 4); S(BLKALIGNOFF, 4);
    S(BLKROTATIONAL, 2); S(BLKSECTGET, 2); S(BLKDISCARDZEROES, 4); S(BLKGETZONESZ, 4); S(BLKGETNRZONES, 4); S(BLKBSZGET, 4); S(BLKROGET, 4);
    S(BLKRAGET, 8); S(BLKFRAGET, 8); S(BLKRRPART, 0); S(HDIO_GETGEO, 8);
    struct blkpg_ioctl_arg a; memset(&a, 0, sizeof a); errno = 0; int r = ioctl(fd, BLKPG, &a); printf("BLKPG %d %s\n", r, strerror(errno));
    int b; for (b = 256; b <= 8192; b *= 2) { errno = 0; r = ioctl(fd, BLKBSZSET, &b); printf("BLKBSZSET %d: %d %s\n", b, r, strerror(errno)); }
    b = 3000; errno = 0; r = ioctl(fd, BLKBSZSET, &b); printf("BLKBSZSET %d: %d %s\n", b, r, strerror(errno));
    show("BLKBSZGET after", BLKBSZGET, 4);
    errno = 0; r = ioctl(fd, BLKRASET, 512); printf("BLKRASET %d %s\n", r, strerror(errno)); S(BLKRAGET, 8);
    uint64_t ranges[][2] = {{0, 4096}, {1, 512}, {512, 513}, {0, 1ull << 50}, {1ull << 50, 512}, {0, 0}, {~0ull - 511, 1024}};
    for (unsigned i = 0; i < 7; i++) {
        errno = 0; r = ioctl(fd, BLKDISCARD, ranges[i]); printf("BLKDISCARD %u %d %s\n", i, r, strerror(errno));
        errno = 0; r = ioctl(fd, BLKZEROOUT, ranges[i]); printf("BLKZEROOUT %u %d %s\n", i, r, strerror(errno));
    }
    errno = 0; r = ioctl(fd, BLKSECDISCARD, ranges[0]); printf("BLKSECDISCARD %d %s\n", r, strerror(errno));
    errno = 0; r = ioctl(fd, BLKFLSBUF, 0); printf("BLKFLSBUF %d %s\n", r, strerror(errno));
    errno = 0; r = ioctl(fd, 0x5401, ranges); printf("TCGETS %d %s\n", r, strerror(errno));
    errno = 0; r = ioctl(fd, 0x2282, ranges); printf("SG_GET_VERSION_NUM %d %s\n", r, strerror(errno));
    errno = 0; r = ioctl(fd, 0x5331, 0); printf("CDROM %d %s\n", r, strerror(errno));
    errno = 0; r = ioctl(fd, 0xc0045877, ranges); printf("FIFREEZE %d %s\n", r, strerror(errno));
    errno = 0; r = ioctl(fd, 0x12fe, ranges); printf("unknown 0x12fe %d %s\n", r, strerror(errno));
    int e1 = open(argv[1], O_RDWR | O_EXCL), e2 = open(argv[1], O_RDWR | O_EXCL); printf("excl %s, second %s\n", e1 >= 0 ? "ok" : "no", e2 >= 0 ? "ok" : strerror(errno));
    int t = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600); printf("trunc %s\n", t >= 0 ? "ok" : strerror(errno));
    t = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600); printf("creat excl %s\n", t >= 0 ? "ok" : strerror(errno));
    int ro = open(argv[1], O_RDONLY); errno = 0; r = ioctl(ro, BLKDISCARD, ranges[0]); printf("discard on read-only descriptor %d %s\n", r, strerror(errno));
    b = 1; errno = 0; r = ioctl(fd, BLKROSET, &b); printf("BLKROSET 1 %d %s\n", r, strerror(errno));
    b = 0; errno = 0; r = ioctl(fd, BLKROSET, &b); printf("BLKROSET 0 %d %s\n", r, strerror(errno));
    printf("end %lld\n", (long long)lseek(fd, 0, SEEK_END));
    return 0;
}
