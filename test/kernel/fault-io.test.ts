import { describe, expect, test } from 'vitest';
import { readFaultIoAnswers } from '../golden/fault-io-answers.ts';
import { askFaultIo, doFaultIo } from './fault-io.ts';
import { faultIoCases } from './fault-io-cases.ts';
import { requireKernel } from './kernel.ts';
import { itemsOfTurn } from './turns.ts';

const TURNS = 12;

requireKernel()('flakey and delay in the real kernel', () => {
  test('do what is kept in test/golden', async () => {
    const asked = itemsOfTurn(faultIoCases, TURNS);
    expect(await askFaultIo(asked)).toEqual(readFaultIoAnswers(asked));
  }, 900_000);
});

describe('flakey and delay do what they do in the kernel', () => {
  const kept = readFaultIoAnswers(faultIoCases);
  test.each(
    faultIoCases.map((each, index) => {
      const tables = each.devices.map(([, table]) => table).join(' under ');
      return [tables, each, kept[index]!] as const;
    }),
  )('%s', async (_, each, answer) => {
    expect(await doFaultIo(each)).toEqual(answer);
  });
});
