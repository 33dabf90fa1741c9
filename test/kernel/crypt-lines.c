/*
 * Device mapper commands for one device `t`, a line each, without the price of a process each: in an emulated machine hundreds of
 * them take a second instead of minutes. Prints `ERRNO TEXT` for each line, behind it what the kernel logged, with `log ` in front.
 *
 *   create | resume | suspend | clear | remove | table | measure
 *   load START LENGTH TYPE PARAMS ...
 *   message TEXT ...
 *   key TYPE DESCRIPTION HEX        add_key(2) to the thread keyring
 *   limits                          logical and physical block, io_min, io_opt, discard granularity, largest discard, largest write zeroes
 *   hash BYTES                      FNV-1a of the first bytes of the device, as read
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SIZE 65536
static union { struct dm_ioctl head; char bytes[SIZE]; } m;
static int control;
static unsigned minor_number;

static int run(unsigned long command, unsigned flags) {
  m.head.version[0] = 4;
  m.head.data_size = SIZE;
  m.head.data_start = sizeof m.head;
  m.head.flags = flags;
  strcpy(m.head.name, "t");
  int result = ioctl(control, command, &m) == 0 ? 0 : errno;
  if (result == 0 && command == DM_DEV_CREATE) minor_number = minor(m.head.dev);
  return result;
}

static int load(const char *text) {
  char type[16];
  unsigned long long start, length;
  int used = 0;
  if (sscanf(text, "%llu %llu %15s%n", &start, &length, type, &used) != 3) return EBADMSG;
  struct dm_target_spec *spec = (void *)(m.bytes + sizeof m.head);
  spec->sector_start = start;
  spec->length = length;
  strcpy(spec->target_type, type);
  const char *params = text + used;
  while (*params == ' ') params++;
  strcpy((char *)(spec + 1), params);
  spec->next = (sizeof *spec + strlen(params) + 8) & ~7u;
  m.head.target_count = 1;
  return run(DM_TABLE_LOAD, 0);
}

static int show(unsigned flags, char *out) {
  int result = run(DM_TABLE_STATUS, flags);
  if (result == 0 && m.head.target_count > 0)
    strcpy(out, m.bytes + m.head.data_start + sizeof(struct dm_target_spec));
  return result;
}

static int message(const char *text) {
  struct dm_target_msg *msg = (void *)(m.bytes + sizeof m.head);
  msg->sector = 0;
  strcpy(msg->message, text);
  return run(DM_TARGET_MSG, 0);
}

static int add_key(char *text) {
  char *type = strtok(text, " "), *name = strtok(NULL, " "), *hex = strtok(NULL, " ");
  unsigned char payload[1024];
  size_t count = hex ? strlen(hex) / 2 : 0;
  for (size_t i = 0; i < count; i++) sscanf(hex + 2 * i, "%2hhx", &payload[i]);
  return syscall(SYS_add_key, type, name, payload, count, -1) < 0 ? errno : 0;
}

static long long queue(const char *name) {
  char path[256];
  long long value = -1;
  snprintf(path, sizeof path, "/sys/block/dm-%u/queue/%s", minor_number, name);
  FILE *file = fopen(path, "r");
  if (file == NULL || fscanf(file, "%lld", &value) != 1) value = -1;
  if (file) fclose(file);
  return value;
}

static int hash(const char *text, char *out) {
  char path[64];
  snprintf(path, sizeof path, "/dev/dm-%u", minor_number);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return errno;
  uint64_t sum = 0xcbf29ce484222325;
  static unsigned char bytes[65536];
  int result = 0;
  for (long left = atol(text); left > 0 && result == 0;) {
    ssize_t count = read(fd, bytes, left < (long)sizeof bytes ? left : (long)sizeof bytes);
    if (count <= 0) { result = count < 0 ? errno : ENODATA; break; }
    for (ssize_t i = 0; i < count; i++) sum = (sum ^ bytes[i]) * 0x100000001b3;
    left -= count;
  }
  close(fd);
  sprintf(out, "%016llx", (unsigned long long)sum);
  return result;
}

static void print_log(int log) {
  static char record[8192];
  for (;;) {
    ssize_t count = read(log, record, sizeof record - 1);
    if (count < 0 && errno == EPIPE) continue;
    if (count <= 0) return;
    record[count] = 0;
    char *text = strchr(record, ';');
    if (text == NULL) continue;
    text[strcspn(text, "\n")] = 0;
    printf("log %s\n", text + 1);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  FILE *lines = fopen(argv[1], "r");
  int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
  control = open("/dev/mapper/control", O_RDWR);
  if (lines == NULL || log < 0 || control < 0) return 2;
  lseek(log, 0, SEEK_END);
  static char line[SIZE], out[SIZE];
  while (fgets(line, sizeof line, lines)) {
    line[strcspn(line, "\n")] = 0;
    memset(&m, 0, sizeof m);
    out[0] = 0;
    int result;
    char *space = strchr(line, ' ');
    char *rest = space ? space + 1 : line + strlen(line);
    if (space) *space = 0;
    if (!strcmp(line, "create")) result = run(DM_DEV_CREATE, 0);
    else if (!strcmp(line, "load")) result = load(rest);
    else if (!strcmp(line, "resume")) result = run(DM_DEV_SUSPEND, 0);
    else if (!strcmp(line, "suspend")) result = run(DM_DEV_SUSPEND, DM_SUSPEND_FLAG);
    else if (!strcmp(line, "clear")) result = run(DM_TABLE_CLEAR, 0);
    else if (!strcmp(line, "remove")) result = run(DM_DEV_REMOVE, 0);
    else if (!strcmp(line, "table")) result = show(DM_STATUS_TABLE_FLAG, out);
    else if (!strcmp(line, "measure")) result = show(DM_IMA_MEASUREMENT_FLAG, out);
    else if (!strcmp(line, "message")) result = message(rest);
    else if (!strcmp(line, "key")) result = add_key(rest);
    else if (!strcmp(line, "hash")) result = hash(rest, out);
    else if (!strcmp(line, "limits")) {
      result = 0;
      sprintf(out, "%lld %lld %lld %lld %lld %lld %lld", queue("logical_block_size"), queue("physical_block_size"),
              queue("minimum_io_size"), queue("optimal_io_size"), queue("discard_granularity"), queue("discard_max_bytes"),
              queue("write_zeroes_max_bytes"));
    } else result = ENOSYS;
    printf("%d %s\n", result, out);
    print_log(log);
  }
  return 0;
}
