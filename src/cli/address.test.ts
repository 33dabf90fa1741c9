import { describe, expect, test } from 'vitest';
import { isLoopback, parseAddress } from './address.ts';

describe('parseAddress', () => {
  test.each([
    ['localhost:10809', 'localhost', 10809],
    ['example.com', 'example.com', 10809],
    [':2000', 'localhost', 2000],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['[::1]:11', '::1', 11],
    ['[fe80::1%eth0]', 'fe80::1%eth0', 10809],
  ])('%s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
  });

  test.each(['', 'host:70000', 'host:http', '::1', '[::1', 'a b:1', 'h:1:2', '[host]:1'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseAddress(text)).toThrow(/Cannot listen on ".*": expected HOST:PORT/);
    },
  );
});

test('knows addresses that nobody else reaches', () => {
  expect(['localhost', '127.1.2.3', '::1'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', 'example.com', '10.0.0.1'].some(isLoopback)).toBe(false);
});
