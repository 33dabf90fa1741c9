import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { DmError } from '../../base/errors.ts';
import { Info, Option, TransmissionFlag } from '../../protocols/nbd/constants.ts';
import {
  decodeExportReply,
  decodeListedExport,
  encodeClientFlags,
  encodeOption,
  GREETING_BYTES,
} from '../../protocols/nbd/handshake.ts';
import { decodeInfo } from '../../protocols/nbd/info.ts';
import {
  createExport,
  infoRequest,
  metaQuery,
  NegotiatingClient,
} from '../../testing/negotiating-client.ts';
import type { TestDiskOptions } from '../../testing/test-disk.ts';
import { fixedExports, type NbdExport } from './exports.ts';
import type { NegotiationOptions } from './negotiation.ts';

describe('the beginning', () => {
  test('the server speaks first', () => {
    const client = new NegotiatingClient();
    expect(client.sent.toString('latin1')).toBe('NBDMAGICIHAVEOPT\0\x03');
    expect(client.sent).toHaveLength(GREETING_BYTES);
  });

  test('client flags that were not offered end it', () => {
    const client = NegotiatingClient.greeted({}, 4);
    expect(client.end).toBe('close: unknown client flags 0x4');
  });

  test('a foreign magic number ends it', () => {
    const client = NegotiatingClient.greeted();
    client.negotiation.receive(new Uint8Array(16));
    expect(client.end).toMatch(/^close: Cannot read NBD option: magic at byte 0/);
  });

  test('bytes may come one at a time', () => {
    const client = new NegotiatingClient();
    client.sent = Buffer.alloc(0);
    const bytes = Buffer.concat([
      encodeClientFlags(3),
      encodeOption(Option.structuredReply),
      encodeOption(Option.go, infoRequest('disk')),
      Buffer.from('rest'),
    ]);
    for (const byte of bytes.subarray(0, -4)) client.negotiation.receive(Uint8Array.of(byte));
    expect(client.answers().map(({ type }) => type)).toEqual(['ack', 'info', 'info', 'ack']);
    expect(client.session?.structuredReplies).toBe(true);
  });

  test('what comes behind GO belongs to the transmission', () => {
    const client = NegotiatingClient.greeted();
    client.negotiation.receive(
      Buffer.concat([encodeOption(Option.go, infoRequest('disk')), Buffer.from('rest')]),
    );
    expect([client.end, client.leftover]).toEqual(['transmission', 'rest']);
  });
});

describe('without fixed newstyle', () => {
  test('EXPORT_NAME works, with its zeroes', () => {
    const client = NegotiatingClient.greeted({}, 0);
    client.negotiation.receive(encodeOption(Option.exportName, Buffer.from('disk')));
    expect(client.sent).toHaveLength(134);
    expect(decodeExportReply(client.sent).sizeBytes).toBe(4096);
    expect(client.end).toBe('transmission');
  });

  test('no other option does', () => {
    const client = NegotiatingClient.greeted({}, 0);
    expect(client.option(Option.list)).toEqual([]);
    expect(client.end).toBe('close: option 3 without fixed newstyle');
  });
});

describe('EXPORT_NAME', () => {
  test('answers size and flags without zeroes', () => {
    const client = NegotiatingClient.greeted();
    client.negotiation.receive(encodeOption(Option.exportName, Buffer.from('disk')));
    expect(client.sent).toHaveLength(10);
    const { flags } = decodeExportReply(client.sent);
    expect(flags & TransmissionFlag.hasFlags).toBe(1);
    expect(flags & TransmissionFlag.sendDf).toBe(0);
    expect(client.session).toMatchObject({ sizeBytes: 4096, structuredReplies: false });
  });

  const refusing = createExport('busy', {
    open: () => {
      throw new DmError('EBUSY', 'Somebody else has it');
    },
  });

  test.each<
    [string, Partial<NegotiationOptions>, (client: NegotiatingClient) => void, Buffer, RegExp]
  >([
    ['an unknown name', {}, () => {}, Buffer.from('other'), /no export is named "other"/],
    ['a name that is not UTF-8', {}, () => {}, Buffer.from([0xff]), /expected UTF-8/],
    ['a name too long to keep', {}, () => {}, Buffer.alloc(2000, 'x'), /option 1 with 2000 bytes/],
    ['TLS missing', { tlsMode: 'required' }, () => {}, Buffer.from('disk'), /over TLS only/],
    [
      'the server going down',
      { isShuttingDown: () => true },
      () => {},
      Buffer.from('disk'),
      /shutting down/,
    ],
    [
      'extended headers',
      {},
      (client) => client.option(Option.extendedHeaders),
      Buffer.from('disk'),
      /EXPORT_NAME after EXTENDED_HEADERS/,
    ],
    [
      'an export that refuses',
      { exports: fixedExports([refusing]) },
      () => {},
      Buffer.from('busy'),
      /Somebody else has it/,
    ],
  ])('%s can only be answered by hanging up', (_name, options, before, name, reason) => {
    const client = NegotiatingClient.greeted(options);
    before(client);
    expect(client.option(Option.exportName, name)).toEqual([]);
    expect(client.end).toMatch(reason);
    expect(client.session).toBeNull();
  });
});

describe('ABORT', () => {
  test.each([
    ['', {}],
    [', where TLS is required', { tlsMode: 'required' as const }],
    [', while the server goes down', { isShuttingDown: () => true }],
  ])('is answered%s, data or not', (_name, options) => {
    const client = NegotiatingClient.greeted(options);
    expect(client.types(Option.abort, Buffer.from('bye'))).toEqual(['ack']);
    expect(client.end).toBe('end');
    expect(client.option(Option.list)).toEqual([]);
  });
});

describe('LIST', () => {
  test('names and describes every export', () => {
    const exports = fixedExports([createExport('a'), createExport('b', { description: 'two' })]);
    const answers = NegotiatingClient.greeted({ exports }).option(Option.list);
    expect(answers.map(({ type }) => type)).toEqual(['server', 'server', 'ack']);
    expect(answers.slice(0, 2).map(({ data }) => decodeListedExport(data))).toEqual([
      { name: 'a', description: '' },
      { name: 'b', description: 'two' },
    ]);
  });

  test('may be empty', () => {
    expect(NegotiatingClient.greeted({ exports: fixedExports([]) }).types(Option.list)).toEqual([
      'ack',
    ]);
  });
});

describe('INFO and GO', () => {
  test('tell size, flags and block sizes always, names when asked', () => {
    const item = createExport('disk', { description: 'mine', limits: { ioMinBytes: 65536 } });
    const client = NegotiatingClient.greeted({ exports: fixedExports([item]) });
    const asked = [Info.description, Info.name, 99];
    const blocks = client.option(Option.info, infoRequest('', asked)).map(({ type, data }) => {
      return type === 'info' ? decodeInfo(data) : type;
    });
    expect(blocks).toEqual([
      { info: Info.export, sizeBytes: 4096, flags: expect.any(Number) as number },
      { info: Info.blockSize, minimumBytes: 512, preferredBytes: 65536, maxPayloadBytes: 2 ** 25 },
      { info: Info.name, name: 'disk' },
      { info: Info.description, description: 'mine' },
      'ack',
    ]);
    expect(client.end).toBe('');
    expect(client.types(Option.go, infoRequest('disk'))).toEqual(['info', 'info', 'ack']);
    expect(client.end).toBe('transmission');
  });

  test('a failed GO leaves the client negotiating', () => {
    const client = NegotiatingClient.greeted();
    expect(client.types(Option.go, infoRequest('other'))).toEqual(['errUnknown']);
    expect(client.types(Option.go, infoRequest('disk')).at(-1)).toBe('ack');
  });

  test('an export that refuses says why', () => {
    const open = () => {
      throw new DmError('EBUSY', 'Somebody else has it');
    };
    const client = NegotiatingClient.greeted({
      exports: fixedExports([createExport('busy', { open })]),
    });
    const [answer] = client.option(Option.go, infoRequest('busy'));
    expect(answer?.type).toBe('errPolicy');
    expect(Buffer.from(answer!.data).toString()).toBe('Somebody else has it');
  });

  test.each([
    ['two exports and no default', ['a', 'b'], undefined, 'errUnknown'],
    ['two exports and a default', ['a', 'b'], 'b', 'b'],
    ['one export', ['a'], undefined, 'a'],
    ['a default that is not there', ['a'], 'c', 'errUnknown'],
    ['an export whose name is empty', ['a', ''], 'a', ''],
  ])('the empty name with %s', (_name, names, defaultExport, expected) => {
    const exports = fixedExports(names.map((name) => createExport(name)));
    const client = NegotiatingClient.greeted({ exports, defaultExport });
    const [first] = client.option(Option.go, infoRequest(''));
    expect(client.session?.export.name ?? first?.type).toBe(expected);
  });
});

describe('transmission flags', () => {
  const flagNames = (flags: number) =>
    Object.entries(TransmissionFlag).flatMap(([name, bit]) => (flags & bit ? [name] : []));
  const always = ['hasFlags', 'sendFlush', 'sendFua', 'canMultiConn', 'sendCache'];
  const writing = ['sendTrim', 'sendWriteZeroes', 'sendFastZero'];

  test.each<[string, TestDiskOptions & Partial<NbdExport>, string[]]>([
    ['a writable device', {}, [...always, ...writing]],
    [
      'a device without discard',
      { limits: { discardGranularityBytes: 0 } },
      [...always, ...writing.slice(1)],
    ],
    ['a read-only export', { readOnly: true }, [...always, 'readOnly']],
  ])('of %s', (_name, options, expected) => {
    const client = NegotiatingClient.greeted({
      exports: fixedExports([createExport('disk', options)]),
    });
    client.option(Option.go, infoRequest('disk'));
    expect(flagNames(client.session!.transmissionFlags).sort()).toEqual(expected.toSorted());
  });

  test('DF with structured replies, payloads of block status with extended headers and contexts', () => {
    const client = NegotiatingClient.greeted();
    client.option(Option.structuredReply);
    client.option(Option.setMetaContext, metaQuery('disk', 'base:allocation'));
    const flagsNow = () => {
      const [info] = client.option(Option.info, infoRequest('disk'));
      return flagNames((decodeInfo(info!.data) as { flags: number }).flags);
    };
    expect(flagsNow()).toContain('sendDf');
    expect(flagsNow()).not.toContain('blockStatusPayload');
    client.option(Option.extendedHeaders);
    expect(flagsNow()).toContain('blockStatusPayload');
    client.option(Option.setMetaContext, metaQuery('disk'));
    expect(flagsNow()).not.toContain('blockStatusPayload');
  });
});

describe('replies', () => {
  test('structured and extended are agreed on; there is no way back from extended', () => {
    const client = NegotiatingClient.greeted();
    expect(client.types(Option.structuredReply)).toEqual(['ack']);
    expect(client.types(Option.extendedHeaders)).toEqual(['ack']);
    expect(client.types(Option.structuredReply)).toEqual(['errExtHeaderReqd']);
    client.option(Option.go, infoRequest('disk'));
    expect(client.session).toMatchObject({ structuredReplies: true, extendedHeaders: true });
  });
});

describe('refusals', () => {
  test.each([
    ['an unknown option', 99, undefined, 'errUnsup'],
    ['PEEK_EXPORT, which is withdrawn', 4, undefined, 'errUnsup'],
    ['LIST with data', Option.list, Buffer.from('x'), 'errInvalid'],
    ['STARTTLS with data', Option.starttls, Buffer.from('x'), 'errInvalid'],
    ['STRUCTURED_REPLY with data', Option.structuredReply, Buffer.from('x'), 'errInvalid'],
    ['EXTENDED_HEADERS with data', Option.extendedHeaders, Buffer.from('x'), 'errInvalid'],
    ['INFO cut off', Option.info, Buffer.from([0, 0, 0, 9]), 'errInvalid'],
    ['GO without data', Option.go, undefined, 'errInvalid'],
    ['GO of an unknown export', Option.go, infoRequest('other'), 'errUnknown'],
    ['data beyond the limit', Option.list, Buffer.alloc(1025), 'errTooBig'],
  ])('%s', (_name, option, data, expected) => {
    const client = NegotiatingClient.greeted();
    expect(client.types(option, data)).toEqual([expected]);
    expect(client.types(Option.go, infoRequest('disk')).at(-1)).toBe('ack');
  });

  test('cut-off queries', () => {
    const client = NegotiatingClient.greeted();
    client.option(Option.structuredReply);
    expect(client.types(Option.setMetaContext, Buffer.alloc(7))).toEqual(['errInvalid']);
  });

  test('more data than anybody would wait for ends it', () => {
    const client = NegotiatingClient.greeted();
    client.negotiation.receive(encodeOption(Option.list, new Uint8Array(2 ** 20 + 1)));
    expect(client.end).toBe('close: option 3 with 1048577 bytes');
  });

  test('too many options end it', () => {
    const client = NegotiatingClient.greeted();
    for (let count = 0; count < 20; count += 1) client.option(Option.list);
    expect(client.end).toBe('');
    client.option(Option.list);
    expect(client.end).toBe('close: too many options');
  });

  test('everything while the server goes down', () => {
    const client = NegotiatingClient.greeted({ isShuttingDown: () => true });
    for (const option of [Option.list, Option.go, Option.starttls, 99]) {
      expect(client.types(option)).toEqual(['errShutdown']);
    }
  });
});

test('a client that does not take its answers gets no more of them', () => {
  const client = NegotiatingClient.greeted();
  client.takes = false;
  const list = encodeOption(Option.list);
  client.negotiation.receive(Buffer.concat([list, list, list]));
  expect(client.answers().map(({ type }) => type)).toEqual(['server', 'ack']);
  client.takes = true;
  client.negotiation.resume();
  expect(client.answers()).toHaveLength(4);
});
