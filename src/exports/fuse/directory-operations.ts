/** What the kernel asks about names, attributes and the directory. Nothing can be made, renamed or removed through it. */

import { Errno } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import {
  FileType,
  MAX_NAME_BYTES,
  Opcode,
  ROOT_NODE_ID,
  SetAttribute,
} from '../../protocols/fuse/constants.ts';
import {
  type Attributes,
  attributesReply,
  DirectoryReply,
  emptyReply,
  entryReply,
  openReply,
  spaceReply,
} from '../../protocols/fuse/reply.ts';
import {
  decodeHandle,
  decodeName,
  decodeReadDirectory,
  decodeSetAttribute,
} from '../../protocols/fuse/request.ts';
import type { Answer, FuseRequest, Operations } from './fuse-request.ts';
import type { NodeTable } from './nodes.ts';

const PERMISSIONS = 0o7777;
const FRAGMENT_BYTES = 4096;

/** The handle a directory is open by, and what it lists: as it was when somebody began to read it. */
class DirectoryListings {
  readonly #lists = new Map<number, readonly MappedDevice[]>();
  #lastHandle = 0;

  open(): number {
    this.#lastHandle += 1;
    this.#lists.set(this.#lastHandle, []);
    return this.#lastHandle;
  }

  list(handle: number, position: number, files: () => MappedDevice[]): readonly MappedDevice[] {
    if (position === 0 && this.#lists.has(handle)) this.#lists.set(handle, files());
    return this.#lists.get(handle) ?? [];
  }

  close(handle: number): void {
    this.#lists.delete(handle);
  }
}

export function directoryOperations(nodes: NodeTable): Operations {
  const listings = new DirectoryListings();
  const refuse = () => Errno.EPERM;
  return {
    [Opcode.lookup]: (request) => lookUp(nodes, request),
    [Opcode.getattr]: ({ nodeId }) => answerAttributes(nodes.attributes(nodeId)),
    [Opcode.setattr]: (request) => setAttributes(nodes, request),
    [Opcode.statfs]: () => answerSpace(nodes),
    [Opcode.opendir]: ({ nodeId }) =>
      nodeId === ROOT_NODE_ID ? openReply(listings.open(), 0) : Errno.ENOTDIR,
    [Opcode.readdir]: (request) => readDirectory(nodes, listings, request, false),
    [Opcode.readdirplus]: (request) => readDirectory(nodes, listings, request, true),
    [Opcode.releasedir]: ({ view, countBytes }) => {
      listings.close(decodeHandle(view, countBytes).handle);
      return emptyReply();
    },
    [Opcode.fsyncdir]: () => emptyReply(),
    [Opcode.mknod]: refuse,
    [Opcode.mkdir]: refuse,
    [Opcode.create]: refuse,
    [Opcode.symlink]: refuse,
    [Opcode.link]: refuse,
    [Opcode.unlink]: refuse,
    [Opcode.rmdir]: refuse,
    [Opcode.rename]: refuse,
    [Opcode.rename2]: refuse,
    // Nodes are as long-lived as their devices: nothing to count.
    [Opcode.forget]: () => null,
    [Opcode.batchForget]: () => null,
  };
}

function lookUp(nodes: NodeTable, { nodeId, view, countBytes }: FuseRequest): Answer {
  if (nodeId !== ROOT_NODE_ID) return Errno.ENOTDIR;
  const found = nodes.lookUp(decodeName(view, countBytes));
  if (found === 0) return Errno.ENOENT;
  const attributes = nodes.attributes(found);
  return typeof attributes === 'number' ? Errno.ENOENT : entryReply(attributes);
}

function answerAttributes(attributes: Attributes | number): Answer {
  return typeof attributes === 'number' ? attributes : attributesReply(attributes);
}

/**
 * A device has the size of its table, and truncating it is refused; but O_TRUNC, which arrives as size 0 without a handle,
 * does nothing to a block device. Times may be set and are not kept.
 */
function setAttributes(nodes: NodeTable, { nodeId, view, countBytes }: FuseRequest): Answer {
  const { valid, sizeBytes, mode, uid, gid } = decodeSetAttribute(view, countBytes);
  const attributes = nodes.attributes(nodeId);
  if (typeof attributes === 'number') return attributes;
  const has = (bit: number) => (valid & bit) !== 0;
  if (has(SetAttribute.size) && sizeBytes !== attributes.sizeBytes) {
    if (sizeBytes !== 0 || has(SetAttribute.handle)) return Errno.EINVAL;
  }
  const isOther =
    (has(SetAttribute.mode) && (mode & PERMISSIONS) !== (attributes.mode & PERMISSIONS)) ||
    (has(SetAttribute.uid) && uid !== attributes.uid) ||
    (has(SetAttribute.gid) && gid !== attributes.gid);
  return isOther ? Errno.EPERM : attributesReply(attributes);
}

function answerSpace(nodes: NodeTable): Answer {
  const files = nodes.files();
  const sectors = files.reduce((sum, { sizeSectors }) => sum + sizeSectors, 0);
  const bytes = Math.min(sectors * SECTOR_BYTES, Number.MAX_SAFE_INTEGER);
  return spaceReply({
    blockBytes: FRAGMENT_BYTES,
    blockCount: Math.ceil(bytes / FRAGMENT_BYTES),
    fileCount: files.length,
    nameBytes: MAX_NAME_BYTES,
  });
}

/** Positions: 0 and 1 are `.` and `..`, then the devices. */
function readDirectory(
  nodes: NodeTable,
  listings: DirectoryListings,
  { view, countBytes }: FuseRequest,
  isPlus: boolean,
): Answer {
  const { handle, position, lengthBytes } = decodeReadDirectory(view, countBytes);
  const files = listings.list(handle, position, () => nodes.files());
  const reply = new DirectoryReply(lengthBytes, isPlus);
  for (let at = position; at < files.length + 2; at += 1) {
    const entry = at < 2 ? dotEntry(nodes, at) : fileEntry(nodes, files[at - 2]!);
    if (entry !== null && !reply.add({ ...entry, next: at + 1 })) break;
  }
  return reply.bytes();
}

interface Entry {
  name: string;
  attributes: Attributes;
}

function dotEntry(nodes: NodeTable, index: number): Entry {
  return { name: index === 0 ? '.' : '..', attributes: nodes.rootAttributes() };
}

/** null for a device that went away meanwhile. */
function fileEntry(nodes: NodeTable, device: MappedDevice): Entry | null {
  const nodeId = nodes.lookUp(device.name);
  if (nodeId === 0 || nodes.device(nodeId) !== device) return null;
  const attributes = nodes.attributes(nodeId);
  const isFile = typeof attributes !== 'number' && (attributes.mode & FileType.regular) !== 0;
  return isFile ? { name: device.name, attributes } : null;
}
