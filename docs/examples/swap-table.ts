// A device gets another table while it is in use: requests wait in between, none fails.
import { DeviceMapper } from 'devmapper';

await using mapper = new DeviceMapper();
await mapper.create({ name: 'disk', table: '0 2048 linear mem:1M 0' });
await using disk = mapper.open('disk');
await disk.write({ offsetBytes: 0, data: Buffer.alloc(512, 'x') });

await mapper.load('disk', ['0 8 linear mem:1M 0', '8 2040 error'].join('\n'));
await mapper.suspend('disk');
const reading = disk.read({ offsetBytes: 0, lengthBytes: 512 }); // waits for resume
await mapper.resume('disk');
console.log(`still there: ${(await reading)[0] === 'x'.charCodeAt(0)}`);

try {
  await disk.read({ offsetBytes: 4096, lengthBytes: 512 });
} catch (error) {
  console.log(String(error));
}
console.log(mapper.table('disk').map(({ start, length, type }) => `${start} ${length} ${type}`));

// Prints:
// still there: true
// DmError: Cannot read 512 bytes at 4096 of disk: EIO
// [ '0 8 linear', '8 2040 error' ]
