/*
 * A VFS for SQLite that keeps a database, its rollback journal and its write-ahead log in one block device or image file, with nothing in between: what
 * SQLite asks to be durable is, and nothing else. So a test with power cuts tests SQLite and its settings, and no file system.
 *
 *   cc -shared -fPIC -O2 -o disk-vfs.so disk-vfs.c
 *   sqlite3 -cmd '.load ./disk-vfs' -cmd '.open file:disk?vfs=disk' :memory:
 *
 * The disk is $DISK_VFS_DEVICE, or $DEVMAPPER_DEVICE. It has three areas, a quarter, a quarter and a half of it: journal, write-ahead log,
 * database. The last sector of each holds the file's length; that and the data are written in the order in which SQLite writes them, and a
 * sync is an fsync of the whole. A file of length 0 is one that is not there.
 * One process at a time: use PRAGMA locking_mode=EXCLUSIVE, which for a write-ahead log also does without shared memory.
 */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
enum { JOURNAL, WAL, DATABASE, AREAS };

typedef struct {
  sqlite3_file base;
  int area;
  int deleteOnClose;
} DiskFile;

static int disk = -1;
static sqlite3_int64 areaStart[AREAS], areaLength[AREAS];
/* As it was read or written last; -1: not yet. */
static sqlite3_int64 fileLength[AREAS] = {-1, -1, -1};
static sqlite3_vfs *host;

static int openDisk(void) {
  const char *path = getenv("DISK_VFS_DEVICE");
  sqlite3_int64 size;
  if (disk >= 0) return SQLITE_OK;
  if (path == NULL) path = getenv("DEVMAPPER_DEVICE");
  if (path == NULL) return SQLITE_CANTOPEN;
  disk = open(path, O_RDWR | O_CLOEXEC);
  if (disk < 0) return SQLITE_CANTOPEN;
  size = lseek(disk, 0, SEEK_END) / (4 * SECTOR) * SECTOR;
  areaStart[JOURNAL] = 0, areaLength[JOURNAL] = size - SECTOR;
  areaStart[WAL] = size, areaLength[WAL] = size - SECTOR;
  areaStart[DATABASE] = 2 * size, areaLength[DATABASE] = 2 * size - SECTOR;
  return SQLITE_OK;
}

static int lengthOf(int area, sqlite3_int64 *length) {
  sqlite3_int64 stored;
  if (fileLength[area] < 0) {
    if (pread(disk, &stored, sizeof stored, areaStart[area] + areaLength[area]) != sizeof stored)
      return SQLITE_IOERR_READ;
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
  if (pwrite(disk, sector, SECTOR, areaStart[area] + areaLength[area]) != SECTOR)
    return SQLITE_IOERR_WRITE;
  fileLength[area] = length;
  return SQLITE_OK;
}

static int diskRead(sqlite3_file *file, void *to, int count, sqlite3_int64 offset) {
  int area = ((DiskFile *)file)->area, result, there;
  sqlite3_int64 length;
  if ((result = lengthOf(area, &length)) != SQLITE_OK) return result;
  there = offset >= length ? 0 : length - offset < count ? (int)(length - offset) : count;
  if (there > 0 && pread(disk, to, there, areaStart[area] + offset) != there) return SQLITE_IOERR_READ;
  if (there == count) return SQLITE_OK;
  memset((char *)to + there, 0, count - there);
  return SQLITE_IOERR_SHORT_READ;
}

static int diskWrite(sqlite3_file *file, const void *from, int count, sqlite3_int64 offset) {
  int area = ((DiskFile *)file)->area, result;
  sqlite3_int64 length;
  if ((result = lengthOf(area, &length)) != SQLITE_OK) return result;
  if (offset + count > areaLength[area]) return SQLITE_FULL;
  if (pwrite(disk, from, count, areaStart[area] + offset) != count) return SQLITE_IOERR_WRITE;
  return offset + count > length ? setLength(area, offset + count) : SQLITE_OK;
}

static int diskTruncate(sqlite3_file *file, sqlite3_int64 length) {
  return setLength(((DiskFile *)file)->area, length);
}

/* The one promise that everything rests on. $DISK_VFS_NO_SYNC breaks it, to see that a test notices. */
static int diskSync(sqlite3_file *file, int flags) {
  (void)file, (void)flags;
  if (getenv("DISK_VFS_NO_SYNC") != NULL) return SQLITE_OK;
  return fsync(disk) == 0 ? SQLITE_OK : SQLITE_IOERR_FSYNC;
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
