import { describe, expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { formatNbdUri, looksLikeNbdUri, type NbdUri, parseNbdUri } from './uri.ts';

const tcp = (host: string, port = 10809) => ({ kind: 'tcp', host, port });

describe('parseNbdUri', () => {
  test.each<[string, object]>([
    ['nbd://example.com/disk', { address: tcp('example.com'), exportName: 'disk', tls: null }],
    ['nbd://Example.com:2000', { address: tcp('example.com', 2000), exportName: '' }],
    ['nbd://example.com/', { address: tcp('example.com'), exportName: '' }],
    ['nbd://example.com//disk', { exportName: '/disk' }],
    ['nbd://example.com/hello%20w%c3%b6rld', { exportName: 'hello wörld' }],
    ['nbd://example.com/a+b', { exportName: 'a+b' }],
    ['nbd:///disk', { address: tcp('localhost') }],
    ['NBD://[::1]:11/x', { address: tcp('::1', 11) }],
    ['nbd://[fe80::1%25eth0]/x', { address: tcp('fe80::1%eth0') }],
    ['nbd://127.0.0.1:/x', { address: tcp('127.0.0.1') }],
    [
      'nbd+unix:///ex/port?socket=/tmp/a%20b.sock',
      { address: { kind: 'unix', path: '/tmp/a b.sock' }, exportName: 'ex/port', tls: null },
    ],
    ['nbd+unix://?socket=s', { address: { kind: 'unix', path: 's' }, exportName: '' }],
    ['nbd+unix:///?socket=%00/abstract', { address: { kind: 'unix', path: '\0/abstract' } }],
    ['nbds://h/', { tls: { verifyPeer: true } }],
    [
      'nbds://al%40ice@h/?tls-psk-file=/k',
      { tls: { username: 'al@ice', pskFile: '/k', verifyPeer: true } },
    ],
    [
      'nbds+unix:///?socket=s&tls-certificates=/c&tls-hostname=n&tls-verify-peer=0&tls-type=x509',
      { tls: { certificates: '/c', hostname: 'n', verifyPeer: false } },
    ],
  ])('%s', (text, expected) => {
    expect(parseNbdUri(text)).toMatchObject(expected);
  });

  test.each<[string, RegExp]>([
    ['http://h/', /expected the scheme nbd, nbds/],
    ['nbdx://h/', /expected the scheme nbd, nbds/],
    ['nbd:h', /expected "\/\/" behind the scheme/],
    ['nbd://h/a b', /white space/],
    ['nbd://h/a#b', /fragment \("#b"\)/],
    ['nbd://h/%zz', /export name: expected two hexadecimal digits after "%", got "%zz"/],
    ['nbd://h/%ff', /export name: the percent-encoded bytes are not UTF-8/],
    ['nbd://h/%00', /cannot contain NUL/],
    [`nbd://h/${'x'.repeat(4097)}`, /longer than 4096 bytes/],
    ['nbd://h:0/', /port: expected 1 to 65535, got "0"/],
    ['nbd://h:99999/', /port: expected 1 to 65535, got "99999"/],
    ['nbd://h:http/', /authority "h:http": expected \[user@\]host\[:port\]/],
    ['nbd://::1/', /IPv6 in brackets/],
    ['nbd://[example]/', /expected an IPv6 address in the brackets/],
    ['nbds://u:secret@h/', /a password has no place/],
    ['nbd://u@h/', /user name goes with nbds/],
    ['nbd://h/?socket=/s', /"socket" goes with nbd\+unix/],
    ['nbd://h/?tls-psk-file=/s', /"tls-psk-file" goes with nbds/],
    ['nbd+unix:///x', /expected the parameter "socket"/],
    ['nbd+unix://h/x?socket=s', /no host or port: expected three slashes/],
    ['nbd+unix:///x?socket=', /parameter "socket" is empty/],
    ['nbd+unix:///x?socket=a%00b', /parameter "socket" contains NUL/],
    ['nbd+unix:///x?socket=a&socket=b', /parameter "socket" is given twice/],
    ['nbd+unix:///x?sock=a', /unknown parameter "sock", expected socket or tls-type/],
    ['nbd+unix:///x?socket', /parameter "socket": expected name=value/],
    ['nbd+vsock://2/x', /transport "vsock" is not supported/],
    ['nbds://h/?tls-type=anon', /tls-type=anon is not supported/],
    ['nbds://h/?tls-type=x', /expected x509 or psk, got "x"/],
    ['nbds://h/?tls-type=psk', /needs tls-psk-file/],
    ['nbds://h/?tls-type=x509&tls-psk-file=k', /contradicts tls-psk-file/],
    ['nbds://h/?tls-psk-file=a&tls-certificates=b', /got both/],
    ['nbds://h/?tls-verify-peer=yes', /expected 0 or 1, got "yes"/],
  ])('refuses %s', (text, message) => {
    expect(() => parseNbdUri(text)).toThrow(message);
  });

  test('a password is not repeated in the refusal', () => {
    expect(() => parseNbdUri('nbds://u:secret@h/')).toThrow(/^(?!.*secret)/);
  });
});

describe('formatNbdUri', () => {
  test.each([
    ['nbd://Example.com:10809', 'nbd://example.com/'],
    ['nbd:///x', 'nbd://localhost/x'],
    ['nbd://[::1]:1/x', 'nbd://[::1]:1/x'],
    ['nbd://[fe80::1%25eth0]/', 'nbd://[fe80::1%25eth0]/'],
    ['nbd+unix://?socket=/tmp/s', 'nbd+unix:///?socket=/tmp/s'],
    ['nbd+unix:///?socket=%00a', 'nbd+unix:///?socket=%00a'],
    ['nbds://h//d?tls-type=x509&tls-verify-peer=1', 'nbds://h//d'],
    [
      'nbds://u@h/?tls-verify-peer=0&tls-certificates=/c',
      'nbds://u@h/?tls-certificates=/c&tls-verify-peer=0',
    ],
  ])('%s -> %s', (text, canonical) => {
    expect(formatNbdUri(parseNbdUri(text))).toBe(canonical);
    expect(formatNbdUri(parseNbdUri(canonical))).toBe(canonical);
  });

  test('what is printed parses to the same', () => {
    const prng = createPrng(0x0b1);
    const characters = [
      'a',
      'Z',
      '/',
      '?',
      '#',
      '%',
      '&',
      '=',
      '+',
      ' ',
      'ö',
      '💾',
      '@',
      ':',
      '[',
      '\\',
    ];
    const word = () =>
      Array.from({ length: prng.integer(1, 12) }, () => prng.pick(characters)).join('');
    for (let round = 0; round < 2000; round += 1) {
      const uri: NbdUri = {
        address: prng.chance(0.5)
          ? { kind: 'unix', path: word() }
          : {
              kind: 'tcp',
              host: prng.pick(['h.example', '::1', '10.0.0.1']),
              port: prng.integer(1, 65535),
            },
        exportName: prng.chance(0.2) ? '' : word(),
        tls: prng.chance(0.5)
          ? null
          : {
              username: word(),
              certificates: word(),
              hostname: word(),
              verifyPeer: prng.chance(0.5),
            },
      };
      expect(parseNbdUri(formatNbdUri(uri))).toEqual(uri);
    }
  });
});

test('looksLikeNbdUri', () => {
  expect(looksLikeNbdUri('nbd+unix:///x?socket=s')).toBe(true);
  expect(looksLikeNbdUri('NBDS://h')).toBe(true);
  expect(looksLikeNbdUri('nbd+vsock://2')).toBe(true);
  expect(looksLikeNbdUri('/dev/nbd0')).toBe(false);
  expect(looksLikeNbdUri('mem:64M')).toBe(false);
});
