// The NBD server in front of a disk of one's own: here one whose every sector holds its own number.
import { connectNbd } from 'devmapper/nbd-client';
import {
  type Bio,
  type BlockDevice,
  DEFAULT_LIMITS,
  fixedExports,
  NbdServer,
  Op,
} from 'devmapper/nbd-server';

const EROFS = 30;

function submit(bio: Bio): void {
  if (bio.op === Op.read) fill(bio);
  bio.end(bio.op === Op.write ? EROFS : 0);
}

function fill({ data, dataOffset, sector, sectorCount }: Bio): void {
  const view = new DataView(data.buffer, data.byteOffset + dataOffset);
  for (let index = 0; index < sectorCount; index += 1) {
    view.setUint32(index * 512, sector + index);
  }
}

const numbers: BlockDevice = {
  number: { major: 0, minor: 0 },
  operand: 'numbers',
  sizeSectors: 2 ** 32,
  limits: DEFAULT_LIMITS,
  readOnly: true,
  submit,
};

const exported = { name: 'numbers', description: '', device: numbers, readOnly: true };
const server = new NbdServer({ exports: fixedExports([{ ...exported, open: () => () => {} }]) });
const port = await server.listenTcp({ host: 'localhost', port: 0 });
{
  await using disk = await connectNbd(`nbd://localhost:${port}/numbers`, { readOnly: true });
  const data = await disk.read({ offsetBytes: 512 * 1_000_000, lengthBytes: 512 });
  console.log(`${disk.sizeBytes} bytes; sector ${new DataView(data.buffer).getUint32(0)}`);
}
await server.close();

// Prints:
// 2199023255552 bytes; sector 1000000
