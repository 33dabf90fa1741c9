import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { fixedExports } from '../../src/exports/nbd/exports.ts';
import { Negotiation } from '../../src/exports/nbd/negotiation.ts';
import { createExport } from '../../src/testing/negotiating-client.ts';
import { withSeed } from '../../src/testing/seed.ts';
import { garbage, pieces, randomHandshake, spoil } from './nbd-streams.ts';

const ROUND_COUNT = 3000;

test('no bytes make a handshake throw, hang or answer without end', async () => {
  const ends = new Map<string, number>();
  await withSeed((prng) => {
    for (let round = 0; round < ROUND_COUNT; round += 1) {
      const bytes = prng.chance(0.1) ? garbage(prng, 4000) : spoil(prng, randomHandshake(prng));
      const tlsMode = prng.pick(['off', 'allowed', 'required'] as const);
      let end = '';
      let sentBytes = 0;
      const finish = (name: string) => {
        expect(end, 'a handshake ends once').toBe('');
        end = name;
      };
      const options = {
        exports: fixedExports([createExport('disk'), createExport('other')]),
        defaultExport: 'disk',
        tlsMode,
        maxOptionBytes: 4096,
        maxOptionCount: 16,
        isShuttingDown: () => false,
      };
      const negotiation = new Negotiation(options, {
        send: (sent) => {
          expect(end).toBe('');
          sentBytes += sent.length;
          return prng.chance(0.9);
        },
        startTls: () => {
          expect(['allowed', 'required']).toContain(tlsMode);
          negotiation.tlsStarted();
        },
        enter: (session) => {
          finish('transmission');
          expect(session.tls || tlsMode !== 'required').toBe(true);
        },
        end: () => finish('end'),
        close: () => finish('close'),
      });
      negotiation.start();
      for (const piece of pieces(prng, bytes)) {
        negotiation.receive(Buffer.from(piece));
        negotiation.resume();
      }
      for (let count = 0; count < 20; count += 1) negotiation.resume();
      expect(sentBytes).toBeLessThan(16 * 6000);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    return Promise.resolve();
  });
  // The streams are good enough to come to every end, or they would test nothing.
  for (const end of ['', 'transmission', 'end', 'close']) {
    expect(ends.get(end) ?? 0, `rounds that ended with "${end}"`).toBeGreaterThan(
      ROUND_COUNT / 100,
    );
  }
});
