/** What the kernel asks about open files: the bytes of devices. */

import { Errno } from '../../base/errors.ts';
import {
  AllocateFlag,
  MAX_IO_BYTES,
  Opcode,
  OpenFlag,
  OpenReplyFlag,
  REPLY_HEADER_BYTES,
  ROOT_NODE_ID,
  Whence,
} from '../../protocols/fuse/constants.ts';
import { emptyReply, openReply, seekReply, writtenReply } from '../../protocols/fuse/reply.ts';
import {
  createIoBody,
  decodeAllocate,
  decodeCopy,
  decodeHandle,
  decodeIo,
  decodeOpen,
  decodeSeek,
  type IoBody,
  WRITE_DATA_OFFSET,
} from '../../protocols/fuse/request.ts';
import type { Answer, FuseRequest, Operations } from './fuse-request.ts';
import { isBlockNode, type NodeTable } from './nodes.ts';
import type { OpenFile, OpenFiles } from './open-files.ts';

/** What one COPY_FILE_RANGE copies; the program asks again for the rest. */
const COPY_LIMIT_BYTES = 16 * MAX_IO_BYTES;

export function fileOperations(nodes: NodeTable, files: OpenFiles): Operations {
  return {
    [Opcode.open]: (request) => open(nodes, files, request),
    [Opcode.release]: ({ view, countBytes }) => {
      files.release(decodeHandle(view, countBytes).handle);
      return emptyReply();
    },
    [Opcode.read]: (request) => read(files, request),
    [Opcode.write]: (request) => write(files, request),
    [Opcode.fsync]: async ({ view, countBytes }) => {
      const file = files.find(decodeHandle(view, countBytes).handle);
      return file === undefined ? Errno.EBADF : answerErrno(await file.io.flush());
    },
    [Opcode.fallocate]: (request) => allocate(files, request),
    [Opcode.lseek]: (request) => seek(files, request),
    [Opcode.copyFileRange]: (request) => copy(files, request),
    [Opcode.ioctl]: () => Errno.ENOTTY,
  };
}

function answerErrno(errno: number): Answer {
  return errno === 0 ? emptyReply() : errno;
}

/**
 * A file that cannot be written says so when it is opened, so that losetup and mount fall back to reading; a block device
 * node says so at the write, as the kernel's do.
 */
async function open(
  nodes: NodeTable,
  files: OpenFiles,
  { nodeId, view, countBytes }: FuseRequest,
): Promise<Answer> {
  if (nodeId === ROOT_NODE_ID) return Errno.EISDIR;
  const device = nodes.device(nodeId);
  if (device === undefined) return Errno.ESTALE;
  const { openFlags } = decodeOpen(view, countBytes);
  const isForWriting = (openFlags & OpenFlag.accessMode) !== OpenFlag.readOnly;
  if (isForWriting && device.readOnly && !isBlockNode(nodeId)) return Errno.EROFS;
  const handle = await files.open(device, nodeId, openFlags);
  if (handle < 0) return -handle;
  return openReply(handle, OpenReplyFlag.directIo | OpenReplyFlag.parallelDirectWrites);
}

/** The part of the range that lies on the device. */
function clip({ io }: OpenFile, { offsetBytes, lengthBytes }: IoBody): number {
  return Math.max(0, Math.min(lengthBytes, io.sizeBytes - offsetBytes));
}

async function read(files: OpenFiles, { view, countBytes }: FuseRequest): Promise<Answer> {
  const body = createIoBody();
  decodeIo(view, countBytes, false, body);
  const file = files.find(body.handle);
  if (file === undefined) return Errno.EBADF;
  files.noteTransfer(file);
  const lengthBytes = clip(file, body);
  if (lengthBytes > MAX_IO_BYTES) return Errno.EINVAL;
  if (lengthBytes === 0) return emptyReply();
  const reply = new Uint8Array(REPLY_HEADER_BYTES + lengthBytes);
  const range = { offsetBytes: body.offsetBytes, lengthBytes };
  const errno = await file.io.read(range, reply, REPLY_HEADER_BYTES);
  return errno === 0 ? reply : errno;
}

async function write(files: OpenFiles, request: FuseRequest): Promise<Answer> {
  const body = createIoBody();
  decodeIo(request.view, request.countBytes, true, body);
  const file = files.find(body.handle);
  if (file === undefined) return Errno.EBADF;
  if (file.device.readOnly) return Errno.EPERM;
  files.noteTransfer(file);
  const lengthBytes = clip(file, body);
  if (lengthBytes === 0) return body.lengthBytes === 0 ? writtenReply(0) : Errno.ENOSPC;
  const range = { offsetBytes: body.offsetBytes, lengthBytes };
  const durable = (body.openFlags & OpenFlag.dataSync) !== 0;
  const errno = await file.io.write(range, request.bytes, WRITE_DATA_OFFSET, { durable });
  return errno === 0 ? writtenReply(lengthBytes) : errno;
}

/** Space is always there. Punching a hole and zeroing both leave zeroes; only the first may give space back. */
async function allocate(files: OpenFiles, { view, countBytes }: FuseRequest): Promise<Answer> {
  const body = decodeAllocate(view, countBytes);
  const file = files.find(body.handle);
  if (file === undefined) return Errno.EBADF;
  const { keepSize, punchHole, zeroRange } = AllocateFlag;
  if ((body.mode & ~(keepSize | punchHole | zeroRange)) !== 0) return Errno.ENOTSUP;
  const keepsSize = (body.mode & keepSize) !== 0;
  const endBytes = body.offsetBytes + body.lengthBytes;
  if (endBytes > file.io.sizeBytes && !keepsSize) return Errno.ENOSPC;
  const lengthBytes = Math.max(0, Math.min(endBytes, file.io.sizeBytes) - body.offsetBytes);
  if ((body.mode & (punchHole | zeroRange)) === 0 || lengthBytes === 0) return emptyReply();
  if (file.device.readOnly) return Errno.EPERM;
  const keepAllocated = (body.mode & zeroRange) !== 0;
  const range = { offsetBytes: body.offsetBytes, lengthBytes };
  return answerErrno(await file.io.zero(range, { keepAllocated }));
}

async function seek(files: OpenFiles, { view, countBytes }: FuseRequest): Promise<Answer> {
  const { handle, offsetBytes, whence } = decodeSeek(view, countBytes);
  const file = files.find(handle);
  if (file === undefined) return Errno.EBADF;
  if (whence !== Whence.data && whence !== Whence.hole) return Errno.EINVAL;
  const found = await file.io.seek(offsetBytes, whence === Whence.data ? 'data' : 'hole');
  return found < 0 ? -found : seekReply(found);
}

async function copy(files: OpenFiles, { view, countBytes }: FuseRequest): Promise<Answer> {
  const body = decodeCopy(view, countBytes);
  const [from, to] = [files.find(body.handle), files.find(body.toHandle)];
  if (from === undefined || to === undefined) return Errno.EBADF;
  if (to.device.readOnly) return Errno.EPERM;
  const fromRoom = Math.max(0, from.io.sizeBytes - body.offsetBytes);
  const toRoom = Math.max(0, to.io.sizeBytes - body.toOffsetBytes);
  const wantedBytes = Math.min(body.lengthBytes, COPY_LIMIT_BYTES, fromRoom);
  if (wantedBytes > 0 && toRoom === 0) return Errno.ENOSPC;
  const totalBytes = Math.min(wantedBytes, toRoom);
  const buffer = new Uint8Array(Math.min(totalBytes, MAX_IO_BYTES));
  let copiedBytes = 0;
  while (copiedBytes < totalBytes) {
    const lengthBytes = Math.min(totalBytes - copiedBytes, MAX_IO_BYTES);
    const source = { offsetBytes: body.offsetBytes + copiedBytes, lengthBytes };
    const target = { offsetBytes: body.toOffsetBytes + copiedBytes, lengthBytes };
    const errno = (await from.io.read(source, buffer, 0)) || (await to.io.write(target, buffer, 0));
    // What was copied before counts.
    if (errno !== 0) return copiedBytes > 0 ? writtenReply(copiedBytes) : errno;
    copiedBytes += lengthBytes;
  }
  return writtenReply(copiedBytes);
}
