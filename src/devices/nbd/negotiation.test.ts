import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { HandshakeFlag, Option, OptionReply } from '../../protocols/nbd/constants.ts';
import { encodeListedExport, encodeOptionReply } from '../../protocols/nbd/handshake.ts';
import {
  ALL_FLAGS,
  type FakeConnection,
  FakeNbdServer,
  type FakeServerSettings,
} from '../../testing/fake-nbd-server.ts';
import { establish } from './establish.ts';
import { parseNbdUri } from './uri.ts';

async function greet(settings: Partial<FakeServerSettings>, uri = 'nbd://fake/disk') {
  const server = new FakeNbdServer(settings);
  const clock = new SimulatedClock();
  const established = establish({
    uri: parseNbdUri(uri),
    clock,
    timeoutMs: 10_000,
    connect: server.connect,
  });
  // A server that says nothing is found out by the clock.
  const outcome = established.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  for (let turn = 0; turn < 60; turn += 1) await clock.advance(0);
  await clock.advance(11_000);
  expect(clock.pendingCount).toBe(0);
  const settled = await outcome;
  if ('error' in settled) {
    for (let turn = 0; turn < 5; turn += 1) await clock.advance(0);
    expect(server.openConnections).toHaveLength(0);
    throw settled.error;
  }
  return { server, ...settled.value };
}

const bytes = new Uint8Array(8192);

describe('negotiation', () => {
  test.each(['simple', 'structured', 'extended'] as const)(
    'agrees on %s replies',
    async (replies) => {
      const { info } = await greet({ bytes, replies });
      expect(info).toMatchObject({
        sizeBytes: 8192,
        flags: ALL_FLAGS,
        replies,
        minimumBytes: 512,
        maxPayloadBytes: 32 * 1024 * 1024,
        allocationContextId: replies === 'simple' ? null : 7,
      });
    },
  );

  test.each([
    ['old, with fixed newstyle', { old: true }],
    ['old, padding its answer', { old: true, handshakeFlags: HandshakeFlag.fixedNewstyle }],
    ['not even fixed newstyle', { old: true, handshakeFlags: 0 }],
  ])('falls back to EXPORT_NAME: %s', async (_name, settings) => {
    const { info, early } = await greet({ bytes, ...settings });
    expect(info).toMatchObject({ sizeBytes: 8192, replies: 'simple', allocationContextId: null });
    expect(early).toHaveLength(0);
  });

  test('the empty export name is a name', async () => {
    const { info } = await greet({ bytes, exportName: '' }, 'nbd://fake/');
    expect(info.sizeBytes).toBe(8192);
  });
});

const answer =
  (option: number, type: number, data: Uint8Array | string = '') =>
  (connection: FakeConnection, asked: number): boolean => {
    if (asked !== option) return false;
    connection.reply(option, type, Buffer.from(data));
    return true;
  };

describe('refusals name the reason', () => {
  test.each<[string, Partial<FakeServerSettings>, string, RegExp]>([
    ['unknown export', {}, 'ENOENT', /the server has no export "nix"; exports there: "disk"$/],
    [
      'unknown export, control characters',
      { exportName: '\x1b[2J\x9b' },
      'ENOENT',
      /exports there: "\\u001b\[2J\\u009b"$/,
    ],
    [
      'unknown export, list refused',
      { onOption: answer(Option.list, OptionReply.errPolicy) },
      'ENOENT',
      /no export "nix"$/,
    ],
    [
      'unknown export, list empty',
      { onOption: answer(Option.list, OptionReply.ack) },
      'ENOENT',
      /it lists none$/,
    ],
    [
      'unknown export, list broken',
      { onOption: answer(Option.list, OptionReply.server, 'x') },
      'ENOENT',
      /no export "nix"$/,
    ],
    [
      'unknown export of many',
      {
        onOption: (connection, option) => {
          if (option !== Option.list) return false;
          for (let index = 0; index < 14; index += 1) {
            const row = encodeListedExport({ name: `e${index}`, description: 'd' });
            connection.reply(option, OptionReply.server, row);
          }
          connection.reply(option, OptionReply.ack);
          return true;
        },
      },
      'ENOENT',
      /exports there: "e0", .*"e9" and 4 more$/,
    ],
    ['unknown export, old server', { old: true }, 'ENOENT', /refuses export "nix": it hung up/],
    [
      'TLS required for options',
      { onOption: answer(Option.extendedHeaders, OptionReply.errTlsReqd) },
      'EACCES',
      /requires TLS: use nbds/,
    ],
    [
      'TLS required for GO',
      { onOption: answer(Option.go, OptionReply.errTlsReqd) },
      'EACCES',
      /requires TLS: use nbds/,
    ],
    [
      'policy',
      { onOption: answer(Option.go, OptionReply.errPolicy, 'not you') },
      'EACCES',
      /its policy forbids it: "not you"/,
    ],
    [
      'shutting down',
      { onOption: answer(Option.go, OptionReply.errShutdown) },
      'EPROTO',
      /it is shutting down/,
    ],
    ['unheard-of error', { onOption: answer(Option.go, 0x80000bad) }, 'EPROTO', /error 2989/],
    [
      'oldstyle',
      { greeting: Buffer.from('4e42444d4147494300004202818612530000000000002000', 'hex') },
      'ENOTSUP',
      /oldstyle NBD protocol/,
    ],
    [
      'not NBD',
      { greeting: Buffer.from('SSH-2.0-OpenSSH_9.2\r\n') },
      'EPROTO',
      /NBD greeting: magic at byte 0/,
    ],
    ['silence', { greeting: new Uint8Array(0) }, 'ETIMEDOUT', /no answer within 10000 ms/],
    ['half a greeting', { greeting: Buffer.from('NBDMAGIC') }, 'ETIMEDOUT', /no answer/],
    [
      'hangs up',
      {
        onOption: (c) => {
          c.close();
          return true;
        },
      },
      'ECONNRESET',
      /the server closed the connection/,
    ],
    [
      'GO without a size',
      { onOption: answer(Option.go, OptionReply.ack) },
      'EPROTO',
      /export information/,
    ],
    [
      'an answer to another option',
      {
        onOption: (c, option) => {
          c.reply(option + 1, OptionReply.ack);
          return true;
        },
      },
      'EPROTO',
      /option reply: option/,
    ],
    [
      'a reply of the wrong type',
      { onOption: answer(Option.go, OptionReply.server) },
      'EPROTO',
      /reply type/,
    ],
    [
      'a huge option reply',
      {
        onOption: (c, option) => {
          const bytes = encodeOptionReply(option, 1);
          bytes[16] = 0x7f;
          c.send(bytes);
          return true;
        },
      },
      'EPROTO',
      /length at byte 0: expected at most 65536 bytes, got 2130706432 bytes/,
    ],
    [
      'endless information',
      {
        onOption: (c, option) => {
          if (option !== Option.go) return false;
          for (let i = 0; i < 200; i += 1) c.reply(option, OptionReply.info, Buffer.from([0, 9]));
          return true;
        },
      },
      'EPROTO',
      /number of replies/,
    ],
    [
      'a flood',
      {
        onOption: (c) => {
          c.send(new Uint8Array(5 << 20));
          return true;
        },
      },
      'EPROTO',
      /the server sent more than 4194304 bytes during the handshake/,
    ],
    [
      'a size beyond 2^53',
      {
        onOption: (c, option) => {
          if (option !== Option.go) return false;
          c.reply(option, OptionReply.info, Buffer.from('0000ffffffffffffffff0001', 'hex'));
          c.reply(option, OptionReply.ack);
          return true;
        },
      },
      'EPROTO',
      /size at byte 2: expected a number below 2\^53/,
    ],
  ])('%s', async (_name, settings, code, message) => {
    const failure = greet(settings, 'nbd://fake/nix');
    await expect(failure).rejects.toMatchObject({ code });
    await expect(failure).rejects.toThrow(/^Cannot connect to nbd:\/\/fake\/nix: /);
    await expect(failure).rejects.toThrow(message);
  });

  test.each<[string, Partial<FakeServerSettings>, RegExp]>([
    [
      'is not known',
      {},
      /does not offer TLS \(it does not know the option\), and nbds:\/\/ insists/,
    ],
    [
      'is forbidden',
      { onOption: answer(Option.starttls, OptionReply.errPolicy) },
      /does not offer TLS \(its policy/,
    ],
    [
      'needs fixed newstyle',
      { handshakeFlags: 0 },
      /does not offer TLS \(its newstyle is not "fixed"\)/,
    ],
    [
      'comes with words in the clear',
      {
        onOption: (c, option) => {
          c.send(encodeOptionReply(option, OptionReply.ack), Buffer.from('evil'));
          return true;
        },
      },
      /nothing before the TLS handshake, got 4 bytes in the clear/,
    ],
  ])('TLS that %s', async (_name, settings, message) => {
    await expect(greet(settings, 'nbds://fake/disk')).rejects.toThrow(message);
  });

  test('a server that is not there', async () => {
    await expect(
      establish({
        uri: parseNbdUri('nbd+unix:///?socket=/nonexistent/s'),
        clock: new SimulatedClock(),
        timeoutMs: 1000,
      }),
    ).rejects.toMatchObject({ code: 'ENOENT', message: /Cannot connect to nbd\+unix.*ENOENT/ });
  });

  test('a closed device stops connecting', async () => {
    const server = new FakeNbdServer({ greeting: new Uint8Array(0) });
    const abort = new AbortController();
    const clock = new SimulatedClock();
    const uri = parseNbdUri('nbd://fake/');
    const attempt = establish({
      uri,
      clock,
      timeoutMs: 1000,
      connect: server.connect,
      signal: abort.signal,
    });
    await clock.advance(10);
    abort.abort();
    await expect(attempt).rejects.toMatchObject({ code: 'ECANCELED' });
    expect(clock.pendingCount).toBe(0);
  });
});
