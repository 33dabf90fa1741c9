/*
 * A VFS for SQLite that keeps a database, its rollback journal and its write-ahead log in one block device or image file, with nothing in between: what
 * SQLite asks to be durable is, and nothing else. So a test with power cuts tests SQLite and its settings, and no file system.
 *
 *   cc -shared -fPIC -O2 -o disk-vfs.so disk-vfs.c
 *   sqlite3 -cmd '.load ./disk-vfs' -cmd '.open file:disk?vfs=disk' :memory:
 *
 * The disk is the file or device $DISK_VFS_DEVICE or $DEVMAPPER_DEVICE, or else the NBD server at $DEVMAPPER_NBD (nbd+unix:///?socket=PATH),
 * which needs no FUSE. It has three areas, a quarter, a quarter and a half of it: journal, write-ahead log,
 * database. The last sector of each holds the file's length; that and the data are written in the order in which SQLite writes them, and a
 * sync is an fsync of the whole. A file of length 0 is one that is not there.
 * One process at a time: use PRAGMA locking_mode=EXCLUSIVE, which for a write-ahead log also does without shared memory.
 */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECTOR 512
enum { JOURNAL, WAL, DATABASE, AREAS };

typedef struct {
  sqlite3_file base;
  int area;
  int deleteOnClose;
} DiskFile;

static int disk = -1;
static int isNbd = 0;
static sqlite3_int64 areaStart[AREAS], areaLength[AREAS];
/* As it was read or written last; -1: not yet. */
static sqlite3_int64 fileLength[AREAS] = {-1, -1, -1};
static sqlite3_vfs *host;

/* All of it or nothing: 1 or 0. */
static int receive(void *to, size_t count) {
  for (ssize_t done; count > 0; to = (char *)to + done, count -= done)
    if ((done = read(disk, to, count)) <= 0) return 0;
  return 1;
}

static int transmit(const void *from, size_t count) {
  for (ssize_t done; count > 0; from = (const char *)from + done, count -= done)
    if ((done = send(disk, from, count, MSG_NOSIGNAL)) <= 0) return 0;
  return 1;
}

/* The NBD protocol, as much of it as one request at a time needs. */
enum { NBD_READ, NBD_WRITE, NBD_FLUSH = 3 };

static int nbd(int type, void *data, uint32_t count, sqlite3_int64 offset) {
  struct __attribute__((packed)) {
    uint32_t magic;
    uint16_t flags, type;
    uint64_t cookie, offset;
    uint32_t count;
  } request = {htobe32(0x25609513), 0, htobe16(type), 0, htobe64(offset), htobe32(count)};
  struct __attribute__((packed)) {
    uint32_t magic, error;
    uint64_t cookie;
  } reply;
  if (!transmit(&request, sizeof request)) return 0;
  if (type == NBD_WRITE && !transmit(data, count)) return 0;
  if (!receive(&reply, sizeof reply) || be32toh(reply.magic) != 0x67446698 || reply.error != 0) return 0;
  return type != NBD_READ || receive(data, count);
}

/* Connects to the default export. Answers its size, or -1. */
static sqlite3_int64 openNbd(const char *uri) {
  static const char prefix[] = "nbd+unix:///?socket=";
  struct __attribute__((packed)) {
    uint32_t flags;
    char magic[8];
    uint32_t option, length;
  } wish = {htobe32(3), {'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T'}, htobe32(1), 0};
  struct __attribute__((packed)) {
    uint64_t size;
    uint16_t flags;
  } export;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char greeting[18];
  size_t length = 0;
  if (strncmp(uri, prefix, sizeof prefix - 1) != 0) return -1;
  for (uri += sizeof prefix - 1; *uri != 0 && length < sizeof address.sun_path - 1; uri++) {
    char hex[3] = {0};
    if (*uri == '%') memcpy(hex, uri + 1, 2), uri += 2;
    address.sun_path[length++] = hex[0] == 0 ? *uri : (char)strtol(hex, NULL, 16);
  }
  disk = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  isNbd = 1;
  if (disk < 0 || connect(disk, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  if (!receive(greeting, sizeof greeting) || memcmp(greeting, "NBDMAGICIHAVEOPT", 16) != 0) return -1;
  if (!transmit(&wish, sizeof wish) || !receive(&export, sizeof export)) return -1;
  return be64toh(export.size);
}

/* An NBD server takes whole sectors only. */
static int nbdRange(int type, void *data, int count, sqlite3_int64 offset) {
  const int before = offset % SECTOR, length = (before + count + SECTOR - 1) / SECTOR * SECTOR;
  char *sectors = malloc(length);
  int done = sectors != NULL && nbd(NBD_READ, sectors, length, offset - before);
  if (done && type == NBD_WRITE) {
    memcpy(sectors + before, data, count);
    done = nbd(NBD_WRITE, sectors, length, offset - before);
  } else if (done) {
    memcpy(data, sectors + before, count);
  }
  free(sectors);
  return done;
}

static int readDisk(void *to, int count, sqlite3_int64 offset) {
  return isNbd ? nbdRange(NBD_READ, to, count, offset) : pread(disk, to, count, offset) == count;
}

static int writeDisk(const void *from, int count, sqlite3_int64 offset) {
  return isNbd ? nbdRange(NBD_WRITE, (void *)from, count, offset) : pwrite(disk, from, count, offset) == count;
}

static int flushDisk(void) { return isNbd ? nbd(NBD_FLUSH, NULL, 0, 0) : fsync(disk) == 0; }

static sqlite3_int64 openFile(const char *path) {
  disk = open(path, O_RDWR | O_CLOEXEC);
  return disk < 0 ? -1 : lseek(disk, 0, SEEK_END);
}

static int openDisk(void) {
  const char *path = getenv("DISK_VFS_DEVICE"), *uri = getenv("DEVMAPPER_NBD");
  sqlite3_int64 size;
  if (disk >= 0) return SQLITE_OK;
  if (path == NULL) path = getenv("DEVMAPPER_DEVICE");
  if (path == NULL && uri == NULL) return SQLITE_CANTOPEN;
  if ((size = path != NULL ? openFile(path) : openNbd(uri)) < 0) {
    if (disk >= 0) close(disk);
    disk = -1;
    return SQLITE_CANTOPEN;
  }
  size = size / (4 * SECTOR) * SECTOR;
  areaStart[JOURNAL] = 0, areaLength[JOURNAL] = size - SECTOR;
  areaStart[WAL] = size, areaLength[WAL] = size - SECTOR;
  areaStart[DATABASE] = 2 * size, areaLength[DATABASE] = 2 * size - SECTOR;
  return SQLITE_OK;
}

static int lengthOf(int area, sqlite3_int64 *length) {
  sqlite3_int64 stored;
  if (fileLength[area] < 0) {
    char sector[SECTOR];
    if (!readDisk(sector, SECTOR, areaStart[area] + areaLength[area])) return SQLITE_IOERR_READ;
    memcpy(&stored, sector, sizeof stored);
    if (stored < 0 || stored > areaLength[area]) return SQLITE_CORRUPT;
    fileLength[area] = stored;
  }
  *length = fileLength[area];
  return SQLITE_OK;
}

static int setLength(int area, sqlite3_int64 length) {
  char sector[SECTOR] = {0};
  if (fileLength[area] == length) return SQLITE_OK;
  memcpy(sector, &length, sizeof length);
  if (!writeDisk(sector, SECTOR, areaStart[area] + areaLength[area])) return SQLITE_IOERR_WRITE;
  fileLength[area] = length;
  return SQLITE_OK;
}

static int diskRead(sqlite3_file *file, void *to, int count, sqlite3_int64 offset) {
  int area = ((DiskFile *)file)->area, result, there;
  sqlite3_int64 length;
  if ((result = lengthOf(area, &length)) != SQLITE_OK) return result;
  there = offset >= length ? 0 : length - offset < count ? (int)(length - offset) : count;
  if (there > 0 && !readDisk(to, there, areaStart[area] + offset)) return SQLITE_IOERR_READ;
  if (there == count) return SQLITE_OK;
  memset((char *)to + there, 0, count - there);
  return SQLITE_IOERR_SHORT_READ;
}

static int diskWrite(sqlite3_file *file, const void *from, int count, sqlite3_int64 offset) {
  int area = ((DiskFile *)file)->area, result;
  sqlite3_int64 length;
  if ((result = lengthOf(area, &length)) != SQLITE_OK) return result;
  if (offset + count > areaLength[area]) return SQLITE_FULL;
  if (!writeDisk(from, count, areaStart[area] + offset)) return SQLITE_IOERR_WRITE;
  return offset + count > length ? setLength(area, offset + count) : SQLITE_OK;
}

static int diskTruncate(sqlite3_file *file, sqlite3_int64 length) {
  return setLength(((DiskFile *)file)->area, length);
}

/* The one promise that everything rests on. $DISK_VFS_NO_SYNC breaks it, to see that a test notices. */
static int diskSync(sqlite3_file *file, int flags) {
  (void)file, (void)flags;
  if (getenv("DISK_VFS_NO_SYNC") != NULL) return SQLITE_OK;
  return flushDisk() ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int diskFileSize(sqlite3_file *file, sqlite3_int64 *length) {
  return lengthOf(((DiskFile *)file)->area, length);
}

static int diskClose(sqlite3_file *file) {
  DiskFile *own = (DiskFile *)file;
  return own->deleteOnClose ? setLength(own->area, 0) : SQLITE_OK;
}

static int diskLock(sqlite3_file *file, int level) { return (void)file, (void)level, SQLITE_OK; }
static int diskIsLocked(sqlite3_file *file, int *isLocked) { return (void)file, *isLocked = 0, SQLITE_OK; }
static int diskControl(sqlite3_file *file, int op, void *argument) {
  return (void)file, (void)op, (void)argument, SQLITE_NOTFOUND;
}
static int diskSectorSize(sqlite3_file *file) { return (void)file, SECTOR; }
/* Nothing is promised: a write may be torn, and overtaken by others. */
static int diskCharacteristics(sqlite3_file *file) { return (void)file, 0; }

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = diskClose,
    .xRead = diskRead,
    .xWrite = diskWrite,
    .xTruncate = diskTruncate,
    .xSync = diskSync,
    .xFileSize = diskFileSize,
    .xLock = diskLock,
    .xUnlock = diskLock,
    .xCheckReservedLock = diskIsLocked,
    .xFileControl = diskControl,
    .xSectorSize = diskSectorSize,
    .xDeviceCharacteristics = diskCharacteristics,
};

static int endsWith(const char *name, const char *end) {
  size_t length = strlen(name), endLength = strlen(end);
  return length >= endLength && strcmp(name + length - endLength, end) == 0;
}

static int areaOf(const char *name) {
  return endsWith(name, "-journal") ? JOURNAL : endsWith(name, "-wal") ? WAL : DATABASE;
}

static int vfsOpen(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *outFlags) {
  const int own = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  DiskFile *opened = (DiskFile *)file;
  int result;
  (void)vfs;
  /* Temporary files are the host's. */
  if (name == NULL || (flags & own) == 0) return host->xOpen(host, name, file, flags, outFlags);
  file->pMethods = NULL;
  if ((result = openDisk()) != SQLITE_OK) return result;
  opened->area = areaOf(name);
  opened->deleteOnClose = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  opened->base.pMethods = &methods;
  if (outFlags != NULL) *outFlags = flags;
  return SQLITE_OK;
}

static int vfsDelete(sqlite3_vfs *vfs, const char *name, int syncFolder) {
  int result;
  (void)vfs;
  if ((result = openDisk()) != SQLITE_OK || (result = setLength(areaOf(name), 0)) != SQLITE_OK) return result;
  return syncFolder ? diskSync(NULL, 0) : SQLITE_OK;
}

static int vfsAccess(sqlite3_vfs *vfs, const char *name, int flags, int *isThere) {
  sqlite3_int64 length;
  int result;
  (void)vfs, (void)flags;
  if ((result = openDisk()) != SQLITE_OK || (result = lengthOf(areaOf(name), &length)) != SQLITE_OK) return result;
  *isThere = length > 0;
  return SQLITE_OK;
}

static int vfsFullPathname(sqlite3_vfs *vfs, const char *name, int room, char *out) {
  (void)vfs;
  sqlite3_snprintf(room, out, "%s", name);
  return SQLITE_OK;
}

int sqlite3_diskvfs_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  static sqlite3_vfs vfs;
  (void)db, (void)error;
  SQLITE_EXTENSION_INIT2(api);
  host = sqlite3_vfs_find(NULL);
  vfs = *host;
  vfs.pNext = NULL;
  vfs.zName = "disk";
  if (vfs.szOsFile < (int)sizeof(DiskFile)) vfs.szOsFile = sizeof(DiskFile);
  vfs.xOpen = vfsOpen, vfs.xDelete = vfsDelete, vfs.xAccess = vfsAccess, vfs.xFullPathname = vfsFullPathname;
  sqlite3_vfs_register(&vfs, 0);
  return SQLITE_OK_LOAD_PERMANENTLY;
}
