// A test with power cuts: pages, and a header that counts them, written well and with three mistakes that no other test notices.
import { type CrashtestDisk, crashtest } from 'devmapper/crashtest';

interface Store {
  flushBeforeHeader: boolean;
  flushBeforePromise: boolean;
  /** A disk writes 512 bytes whole or not at all. */
  headerBytes: number;
}

const careful: Store = { flushBeforeHeader: true, flushBeforePromise: true, headerBytes: 512 };

async function append(disk: CrashtestDisk, store: Store, page: number): Promise<void> {
  await disk.write({ offsetBytes: page * 4096, data: Buffer.alloc(4096, page) });
  if (store.flushBeforeHeader) await disk.flush();
  await disk.write({ offsetBytes: 0, data: Buffer.alloc(store.headerBytes, page) });
  if (store.flushBeforePromise) await disk.flush();
}

/** Throws where the store is damaged, or has less than was promised. */
async function verify(disk: CrashtestDisk, store: Store, promised: number): Promise<void> {
  const header = await disk.read({ offsetBytes: 0, lengthBytes: store.headerBytes });
  const count = header[0] ?? 0;
  if (header.some((byte) => byte !== count)) throw new Error('the header is torn');
  if (count < promised) throw new Error('a page that was promised is missing');
  for (let page = 1; page <= count; page += 1) {
    const data = await disk.read({ offsetBytes: page * 4096, lengthBytes: 4096 });
    if (data.some((byte) => byte !== page)) throw new Error('a page that counts is not there');
  }
}

async function test(name: string, store: Store): Promise<void> {
  const { failures } = await crashtest({
    sizeBytes: 1024 * 1024,
    async workload(disk, { mark }) {
      for (let page = 1; page <= 5; page += 1) {
        await append(disk, store, page);
        mark(String(page)); // "page is safe", said to whoever asked for it
      }
    },
    check: (disk, { mark }) => verify(disk, store, Number(mark)),
    budget: { stateCount: 200 },
  });
  const said = failures.map(({ error }) => (error as Error).message);
  console.log(`${name}: ${said.length === 0 ? 'survives every power cut' : said.join()}`);
}

await test('careful', careful);
await test('no flush before the header', { ...careful, flushBeforeHeader: false });
await test('no flush before the promise', { ...careful, flushBeforePromise: false });
await test('a header of two sectors', { ...careful, headerBytes: 1024 });

// Prints:
// careful: survives every power cut
// no flush before the header: a page that counts is not there
// no flush before the promise: a page that was promised is missing
// a header of two sectors: the header is torn
