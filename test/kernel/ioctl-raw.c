/*
 * Sends ioctls to /dev/mapper/control as a file says, and writes what came back. Knows nothing of their meaning.
 *
 *   ioctl-raw REQUESTS REPLIES
 *
 * Requests: records of u32 kind, u32 length, bytes.
 *   kind 0: open the device of the path in the bytes and keep it; kind 1: close the oldest one kept
 *   else:   the ioctl's number; the bytes are its memory. Behind its last byte is nothing: touching it is EFAULT.
 * Replies: for each, s32 errno, u32 length, bytes: the memory afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OPEN = 0, CLOSE = 1, MAX_KEPT = 64 };

static int kept[MAX_KEPT];
static int first_kept, kept_count;

static void die(const char *what) {
  perror(what);
  exit(2);
}

/* Memory that ends where a page without access begins. */
static unsigned char *guarded(uint32_t length) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t pages = (length + page - 1) / page;
  unsigned char *start = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) die("mmap");
  if (mprotect(start + pages * page, page, PROT_NONE) != 0) die("mprotect");
  return start + pages * page - length;
}

static int keep_open(const unsigned char *path, uint32_t length) {
  char text[4096] = {0};
  if (length >= sizeof text || kept_count == MAX_KEPT) return EINVAL;
  memcpy(text, path, length);
  int fd = open(text, O_RDONLY);
  if (fd < 0) return errno;
  kept[kept_count++] = fd;
  return 0;
}

static int close_oldest(void) {
  if (first_kept == kept_count) return EINVAL;
  int result = close(kept[first_kept++]) == 0 ? 0 : errno;
  /* A deferred removal is a work queue's, some time later. */
  usleep(500 * 1000);
  return result;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *requests = fopen(argv[1], "rb");
  FILE *replies = fopen(argv[2], "wb");
  int control = open("/dev/mapper/control", O_RDWR);
  if (!requests || !replies || control < 0) die("open");
  uint32_t head[2];
  while (fread(head, sizeof head, 1, requests) == 1) {
    unsigned char *memory = guarded(head[1]);
    if (head[1] > 0 && fread(memory, head[1], 1, requests) != 1) die("read");
    int32_t result = head[0] == OPEN    ? keep_open(memory, head[1])
                     : head[0] == CLOSE ? close_oldest()
                     : ioctl(control, head[0], memory) == 0 ? 0 : errno;
    fwrite(&result, sizeof result, 1, replies);
    fwrite(&head[1], sizeof head[1], 1, replies);
    if (head[1] > 0) fwrite(memory, head[1], 1, replies);
  }
  return fclose(replies) == 0 ? 0 : 2;
}
