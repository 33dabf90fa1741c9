/** The structs of linux/dm-ioctl.h: places of fields, both directions, and what a client makes of broken replies. */

import { describe, expect, test } from 'vitest';
import { DmError } from '../../base/errors.ts';
import type { RowSpec } from '../../core/table.ts';
import { Flag } from './commands.ts';
import { decodeDeviceNumber, encodeDeviceNumber } from './device-number.ts';
import { HEADER_BYTES, Header, PAYLOAD_START } from './header.ts';
import {
  decodeDependencies,
  decodeDevices,
  decodeTargets,
  encodeDependencies,
  encodeDevices,
  encodeTargets,
} from './lists.ts';
import { decodeReply, encodeRequest } from './messages.ts';
import { decodeMessage, decodeText, encodeMessage, encodeText } from './strings.ts';
import { decodeRows, decodeTable, encodeRows, encodeTable } from './target-rows.ts';

const ROOM = 65_536;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('numbers of devices', () => {
  // MKDEV and huge_encode_dev of linux/kdev_t.h, worked out by hand.
  test.each([
    [{ major: 253, minor: 0 }, 0xfd00],
    [{ major: 7, minor: 255 }, 0x7ff],
    [{ major: 252, minor: 256 }, 0x10fc00],
    [{ major: 0xfff, minor: 0xfffff }, 0xffffffff],
  ])('%o', (number, encoded) => {
    expect(encodeDeviceNumber(number)).toBe(encoded);
    expect(decodeDeviceNumber(encoded)).toEqual(number);
  });

  test('the high half of the field does not count', () => {
    expect(decodeDeviceNumber(2 ** 32 + 0x701)).toEqual({ major: 7, minor: 1 });
  });
});

describe('the header', () => {
  test('has its fields where the kernel has them', () => {
    const bytes = encodeRequest({
      name: 'n',
      uuid: 'u',
      number: { major: 7, minor: 1 },
      flags: Flag.imaMeasurement | Flag.readOnly,
      eventNumber: 5,
      targetCount: 6,
      dataSizeBytes: 0x4000,
    });
    expect(bytes).toHaveLength(312);
    const word = (value: string) => value.padEnd(8, '0');
    expect(hex(bytes.subarray(0, 48))).toBe(
      [...['04', '', '', '0040', '3801', '06', '', '010008', '05', '', '0107', ''].map(word)].join(
        '',
      ),
    );
    expect([bytes[48], bytes[176]]).toEqual([0x6e, 0x75]);
    expect(bytes.filter((byte, offset) => offset >= 48 && byte !== 0)).toHaveLength(2);
  });

  test('is read as it was written', () => {
    const header = new Header(new Uint8Array(HEADER_BYTES));
    const fields = {
      version: [4, 50, 1],
      dataSize: 2 ** 32 - 1,
      dataStart: 7,
      targetCount: 3,
      openCount: -1,
      eventNumber: 2 ** 32 - 1,
      number: { major: 252, minor: 70_000 },
      name: 'ä'.repeat(63),
      uuid: 'u'.repeat(128),
    } as const;
    Object.assign(header, fields);
    expect(header).toMatchObject(fields);
    header.put(0x80000001, true);
    expect([header.flags, header.has(0x80000000)]).toEqual([0x80000001, true]);
    header.put(1, false);
    expect([header.flags, header.has(1)]).toEqual([0x80000000, false]);
  });

  test('refuses strings that do not fit or are no text', () => {
    const bytes = new Uint8Array(HEADER_BYTES);
    const header = new Header(bytes);
    for (const name of ['ä'.repeat(64), 'a\0b']) {
      expect(() => Object.assign(header, { name })).toThrow(/expected at most 127 bytes/);
    }
    bytes.fill(0xff, 48, 176);
    expect(() => header.name).toThrow(/expected UTF-8/);
  });

  test('may say that there is room for more than is sent', () => {
    const bytes = encodeRequest({ payload: encodeText('x'), dataSizeBytes: 9999 });
    expect([bytes.length, new Header(bytes).dataSize]).toEqual([PAYLOAD_START + 2, 9999]);
    expect(new Header(encodeRequest({ dataSizeBytes: 1 })).dataSize).toBe(PAYLOAD_START);
  });
});

const ROWS: RowSpec[] = [
  { start: 0, length: 8, type: 'linear', params: '7:0 0' },
  { start: 8, length: 2 ** 40, type: 'fifteen-letters', params: '' },
  { start: 2 ** 40 + 8, length: 1, type: 'zero', params: 'ä'.repeat(20) },
];

describe('rows of a table', () => {
  test('in a request: next counts from the row it is in', () => {
    const payload = Buffer.from(encodeTable(ROWS));
    expect([payload.readUInt32LE(20), payload.readUInt32LE(48 + 20)]).toEqual([48, 48]);
    const request = Buffer.concat([Buffer.alloc(PAYLOAD_START), payload]);
    expect([...decodeTable(request, PAYLOAD_START, ROWS.length)]).toMatchObject(ROWS);
  });

  test('in a reply: next counts from the first row', () => {
    const { payload, isFull } = encodeRows(ROWS, ROOM);
    const bytes = Buffer.from(payload);
    expect([bytes.readUInt32LE(20), bytes.readUInt32LE(48 + 20), isFull]).toEqual([48, 96, false]);
    expect(decodeRows(payload, ROWS.length)).toEqual(ROWS);
  });

  test('are only asked for until the room is full', () => {
    let askedCount = 0;
    function* rows() {
      for (const row of ROWS) {
        askedCount += 1;
        yield row;
      }
    }
    expect(encodeRows(rows(), 60).isFull).toBe(true);
    expect(askedCount).toBe(2);
  });
});

describe('lists', () => {
  const devices = [
    { name: 'a', number: { major: 252, minor: 0 }, eventNumber: 3, uuid: 'UUID' },
    { name: 'b-123456', number: { major: 252, minor: 300 }, eventNumber: 0, uuid: '' },
    { name: 'ä', number: { major: 252, minor: 2 }, eventNumber: 2 ** 32 - 1, uuid: 'x' },
  ];

  test('of devices', () => {
    const payload = encodeDevices(devices, ROOM)!;
    expect(decodeDevices(payload)).toEqual(devices);
    expect(encodeDevices(devices, payload.length)).not.toBeNull();
    expect(encodeDevices(devices, payload.length - 1)).toBeNull();
    const plain = devices.map((device) => ({ ...device, uuid: null }));
    expect(decodeDevices(encodeDevices(plain, ROOM)!)).toEqual(plain);
    expect(decodeDevices(new Uint8Array(0))).toEqual([]);
    expect(decodeDevices(new Uint8Array(16))).toEqual([]);
  });

  test('of devices, from a kernel that knows no event numbers', () => {
    const payload = Buffer.alloc(14);
    payload.writeUInt32LE(0xfd01, 0);
    payload.write('x', 12);
    const number = { major: 253, minor: 1 };
    expect(decodeDevices(payload)).toEqual([{ name: 'x', number, eventNumber: 0, uuid: null }]);
  });

  test('of target types', () => {
    const types = [
      { name: 'linear', version: [1, 4, 0] as const },
      { name: 'x', version: [1, 2, 3] as const },
    ];
    const payload = encodeTargets(types, ROOM)!;
    expect(decodeTargets(payload)).toEqual(types);
    expect(payload).toHaveLength(16 + 7 + 7 + 16 + 2 + 7);
    expect(encodeTargets(types, payload.length - 1)).toBeNull();
    expect(decodeTargets(new Uint8Array(0))).toEqual([]);
  });

  test('of devices below', () => {
    const numbers = [
      { major: 7, minor: 0 },
      { major: 8, minor: 257 },
    ];
    const payload = encodeDependencies(numbers, 24)!;
    expect(decodeDependencies(payload)).toEqual(numbers);
    expect(encodeDependencies(numbers, 23)).toBeNull();
    expect(decodeDependencies(new Uint8Array(0))).toEqual([]);
  });
});

describe('strings', () => {
  test('messages and texts', () => {
    const at = (payload: Uint8Array) => Buffer.concat([Buffer.alloc(312), payload]);
    const message = { sector: 2 ** 40 + 1, text: 'hä llo' };
    expect(decodeMessage(at(encodeMessage(message.sector, message.text)), 312)).toMatchObject(
      message,
    );
    expect(decodeText(at(encodeText('hä')), 312, 'text')).toBe('hä');
    expect(decodeText(at(Buffer.from('no end')), 312, 'text')).toBeNull();
    expect(decodeText(at(encodeText('')), 400, 'text')).toBeNull();
    expect(decodeMessage(at(encodeMessage(1, 'x')), 2 ** 32 - 1)).toBeNull();
    expect(decodeMessage(at(Buffer.alloc(8)), 312)).toBeNull();
  });
});

describe('broken replies are refused', () => {
  const broken = (change: (bytes: Buffer) => void, payload: Uint8Array) => {
    const bytes = Buffer.from(payload);
    change(bytes);
    return bytes;
  };
  const u32 = (offset: number, value: number) => (bytes: Buffer) => {
    bytes.writeUInt32LE(value, offset);
  };
  const rows = () => encodeRows(ROWS, ROOM).payload;
  const device = { name: 'a', number: { major: 252, minor: 0 }, eventNumber: 3, uuid: 'U' };
  const devices = () => encodeDevices([device, device], ROOM)!;
  const targets = () => encodeTargets([{ name: 'linear', version: [1, 0, 0] }], ROOM)!;

  test.each<[string, () => unknown]>([
    ['no header', () => decodeReply(new Uint8Array(304))],
    ['data_size behind the end', () => decodeReply(broken(u32(12, 999), new Uint8Array(400)))],
    ['next row behind the end', () => decodeRows(broken(u32(20, 4096), rows()), 3)],
    ['next row here', () => decodeRows(broken(u32(20, 0), rows()), 3)],
    ['more rows than there are', () => decodeRows(rows(), 4)],
    [
      'a row without an end',
      () =>
        decodeRows(
          broken((b) => b.fill(1, 40), rows()),
          1,
        ),
    ],
    ['next device behind the end', () => decodeDevices(broken(u32(8, 4096), devices()))],
    ['next device here', () => decodeDevices(broken(u32(8, 1), devices()))],
    ['a name without an end', () => decodeDevices(broken((b) => b.fill(1, 12), devices()))],
    ['a type without an end', () => decodeTargets(broken((b) => b.fill(1, 16), targets()))],
    ['more numbers than there are', () => decodeDependencies(broken(u32(0, 9), Buffer.alloc(24)))],
  ])('%s', (_, decode) => {
    expect(decode).toThrow(DmError);
  });
});
