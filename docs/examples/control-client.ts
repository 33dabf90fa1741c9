/** A daemon with two devices, one on the other, driven as dmsetup would: over its control socket. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectClient, ensureDaemon } from 'devmapper/control-client';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-example-'));
await ensureDaemon({ folder });
{
  await using client = await connectClient({ transport: 'socket', folder });
  const memory = { start: 0, length: 2048, type: 'linear', params: 'mem:1M 0' };
  const half = { ...memory, length: 1024, params: '/dev/mapper/memory 1024' };
  for (const [name, row] of Object.entries({ memory, disk: half })) {
    await client.create({ name });
    await client.load({ name }, [row]);
    await client.resume({ name });
  }
  for (const { name } of await client.list()) {
    const { rows } = await client.table({ name }, { kind: 'table' });
    console.log(`${name}: ${rows.map(({ type, params }) => `${type} ${params}`).join('; ')}`);
  }
  await client.remove({ name: 'memory' }).catch((error: unknown) => console.log(String(error)));
  await client.daemon('stop');
}
rmSync(folder, { recursive: true, force: true });

// Prints:
// disk: linear 252:0 1024
// memory: linear mem:1M 0
// DmError: Cannot remove memory: it is open 1 times
