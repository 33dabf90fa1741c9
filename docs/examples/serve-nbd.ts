// Every device of a mapper over NBD on a Unix socket. Any NBD client can use it; here Node itself says hello.
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceMapper, serveNbd } from 'devmapper';

const folder = await mkdtemp(join(tmpdir(), 'devmapper-example-'));
{
  await using mapper = new DeviceMapper();
  await mapper.create({ name: 'disk', table: '0 2048 linear mem:1M 0' });
  await using service = await serveNbd(mapper, { socketPath: join(folder, 'nbd.sock') });
  console.log(service.uris('disk')[0]?.replace(folder, '/FOLDER'));

  const client = connect(join(folder, 'nbd.sock'));
  const greeting = await new Promise<Buffer>((resolve) => {
    client.once('data', resolve);
  });
  console.log(greeting.toString('latin1', 0, 8));
  client.destroy();
}
await rm(folder, { recursive: true });

// Prints:
// nbd+unix:///disk?socket=/FOLDER/nbd.sock
// NBDMAGIC
