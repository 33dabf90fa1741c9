// Two image files as one disk: write across the border, and see it in the files.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceMapper } from 'devmapper';

const folder = await mkdtemp(join(tmpdir(), 'devmapper-example-'));
const first = join(folder, 'a.img');
const second = join(folder, 'b.img');
await writeFile(first, Buffer.alloc(1024 * 1024, 'a'));
await writeFile(second, Buffer.alloc(1024 * 1024, 'b'));

{
  await using mapper = new DeviceMapper();
  await mapper.join({ name: 'disk', devices: [first, second] });
  await using disk = mapper.open('disk');
  console.log(`${disk.name}: ${disk.sizeBytes} bytes`);

  const border = 1024 * 1024;
  await disk.write({ offsetBytes: border - 512, data: Buffer.alloc(1024, 'x') });
  await disk.flush();
}

const end = (await readFile(first)).subarray(-513).toString('latin1', 0, 3);
const start = (await readFile(second)).subarray(510).toString('latin1', 0, 4);
console.log(`a.img ends with ${end}..., b.img goes on with ...${start}`);
await rm(folder, { recursive: true });

// Prints:
// disk: 2097152 bytes
// a.img ends with axx..., b.img goes on with ...xxbb
