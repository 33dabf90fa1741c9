/** The payload goes into the bytes of a request and out of them; the JSON around it stays what it was. */

import { describe, expect, it } from 'vitest';
import { encodeDaemonRequest, takePayload } from './daemon-request.ts';

const payload = Uint8Array.of(0, 0xab, 0xff);
const textOf = (request: Uint8Array) => Buffer.from(request).toString();

describe('a request', () => {
  it('has the payload in hex', () => {
    const request = encodeDaemonRequest('key-add', { description: 'a:b "payload":"', payload });
    expect(JSON.parse(textOf(request))).toEqual({
      method: 'key-add',
      params: { description: 'a:b "payload":"', payload: '00abff' },
    });
  });

  it('without one is plain JSON', () => {
    const params = { payload: 'text', list: [1] };
    expect(textOf(encodeDaemonRequest('x', params))).toBe(JSON.stringify({ method: 'x', params }));
  });
});

describe('the payload of a request', () => {
  it.each([
    ['as we write it', encodeDaemonRequest('key-add', { description: 'a:b', payload })],
    ['with blanks', Buffer.from('{"params": {"payload" :\n "00abff", "x": 1}, "method": "m"}')],
    ['behind its own name', Buffer.from('{"params":{"x":"payload","payload":"00abff"}}')],
  ])('%s is taken out', (_, request) => {
    const taken = takePayload(request)!;
    expect(textOf(taken.bytes)).toBe('00abff');
    expect(JSON.parse(textOf(request))).toMatchObject({ params: { payload: '000000' } });
    expect(textOf(request)).not.toContain('00abff');
  });

  it('a copy of part of a buffer is changed where it lies', () => {
    const whole = Buffer.from('xx{"payload":"12"}');
    expect(textOf(takePayload(whole.subarray(2))!.bytes)).toBe('12');
    expect(textOf(whole)).toBe('xx{"payload":"00"}');
  });

  it.each([
    '{}',
    '',
    '{"payload":12}',
    '{"payload"',
    '{"payload":"12',
    '{"x":"\\"payload\\":\\"12"}',
  ])('%s has none', (text) => {
    const request = Buffer.from(text);
    expect(takePayload(request)).toBeNull();
    expect(textOf(request)).toBe(text);
  });
});
