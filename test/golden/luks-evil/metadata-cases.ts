/** LUKS2 metadata with one thing wrong, in both copies, with the right checksums. */

import { editJson, type Json } from './base.ts';
import type { EvilCase, Verdict } from './evil-case.ts';

const json = (name: string, takenBy: Verdict, change: (root: Json) => void): EvilCase => ({
  name,
  takenBy,
  change: (image) => editJson(image, change),
});

const sections: EvilCase[] = ['keyslots', 'tokens', 'segments', 'digests', 'config'].flatMap(
  (name) => [
    json(`no ${name}`, 'nobody', (root) => {
      delete root[name];
    }),
    json(`${name} as an array`, 'nobody', (root) => {
      root[name] = [];
    }),
  ],
);

const slots: EvilCase[] = [
  json('slot of no number', 'nobody', (root) => {
    root.keyslots.abc = root.keyslots[0];
  }),
  json('slot 32', 'nobody', (root) => {
    root.keyslots[32] = { ...root.keyslots[0] };
  }),
  json('slot -1', 'nobody', (root) => {
    root.keyslots['-1'] = root.keyslots[1];
  }),
  json('slot without an area', 'nobody', (root) => {
    delete root.keyslots[0].area;
  }),
  json('slot without a type', 'nobody', (root) => {
    delete root.keyslots[0].type;
  }),
  json('slot of an unknown type', 'both', (root) => {
    root.keyslots[0].type = 'luks9';
  }),
  json('slot without a key size', 'nobody', (root) => {
    delete root.keyslots[0].key_size;
  }),
  json('key size as text', 'nobody', (root) => {
    root.keyslots[0].key_size = '32';
  }),
  json('key size 0', 'cryptsetup', (root) => {
    root.keyslots[0].key_size = 0;
  }),
  json('key size -32', 'nobody', (root) => {
    root.keyslots[0].key_size = -32;
  }),
  json('key size 2^31', 'cryptsetup', (root) => {
    root.keyslots[0].key_size = 2 ** 31;
  }),
  json('slot without a kdf', 'nobody', (root) => {
    delete root.keyslots[0].kdf;
  }),
  json('kdf of an unknown type', 'both', (root) => {
    root.keyslots[0].kdf.type = 'scrypt';
  }),
  json('kdf without a salt', 'nobody', (root) => {
    delete root.keyslots[0].kdf.salt;
  }),
  json('salt that is no base64', 'cryptsetup', (root) => {
    root.keyslots[0].kdf.salt = '****';
  }),
  json('salt of 8 bytes', 'cryptsetup', (root) => {
    root.keyslots[0].kdf.salt = 'AAAAAAAAAAA=';
  }),
  json('0 iterations', 'cryptsetup', (root) => {
    root.keyslots[0].kdf.iterations = 0;
  }),
  json('2^32 iterations', 'cryptsetup', (root) => {
    root.keyslots[0].kdf.iterations = 2 ** 32;
  }),
  json('hash nobody knows', 'both', (root) => {
    root.keyslots[0].kdf.hash = 'nosuchhash';
  }),
  json('3999 stripes', 'cryptsetup', (root) => {
    root.keyslots[0].af.stripes = 3999;
  }),
  json('2^31 stripes', 'cryptsetup', (root) => {
    root.keyslots[0].af.stripes = 2 ** 31;
  }),
  json('slot without af', 'nobody', (root) => {
    delete root.keyslots[0].af;
  }),
  json('af of an unknown type', 'nobody', (root) => {
    root.keyslots[0].af.type = 'luks9';
  }),
  json('priority 3', 'cryptsetup', (root) => {
    root.keyslots[0].priority = 3;
  }),
  json('argon2 with 2^31 KiB', 'cryptsetup', (root) => {
    const { salt } = root.keyslots[0].kdf;
    root.keyslots[0].kdf = { type: 'argon2id', time: 4, memory: 2 ** 31, cpus: 1, salt };
  }),
  json('argon2 without cpus', 'nobody', (root) => {
    const { salt } = root.keyslots[0].kdf;
    root.keyslots[0].kdf = { type: 'argon2id', time: 4, memory: 32, salt };
  }),
];

const area = (root: Json, slot = 0): Json => root.keyslots[slot].area;
const areas: EvilCase[] = [
  json('area in the header', 'nobody', (root) => {
    area(root).offset = '16384';
  }),
  json('area behind the key slots', 'nobody', (root) => {
    area(root).offset = String(2 ** 20);
  }),
  json('area beyond everything', 'nobody', (root) => {
    area(root).offset = String(2n ** 63n);
  }),
  json('areas at one place', 'nobody', (root) => {
    area(root).offset = area(root, 1).offset;
  }),
  json('areas that overlap by a block', 'nobody', (root) => {
    area(root, 1).offset = String(Number(area(root).offset) + Number(area(root).size) - 4096);
  }),
  json('area too small for its key', 'cryptsetup', (root) => {
    area(root).size = '4096';
  }),
  json('area of size 0', 'nobody', (root) => {
    area(root).size = '0';
  }),
  json('area larger than the key slots', 'nobody', (root) => {
    area(root).size = String(2 ** 21);
  }),
  json('offset + size beyond 2^64', 'nobody', (root) => {
    area(root).size = String(2n ** 64n - 1n);
  }),
  json('offset as a number', 'nobody', (root) => {
    area(root).offset = 32768;
  }),
  json('offset with a sign', 'nobody', (root) => {
    area(root).offset = '-32768';
  }),
  json('offset in hexadecimal', 'nobody', (root) => {
    area(root).offset = '0x8000';
  }),
  json('area of an unknown type', 'nobody', (root) => {
    area(root).type = 'cooked';
  }),
  json('area without encryption', 'nobody', (root) => {
    delete area(root).encryption;
  }),
  json('area with a key of 0 bytes', 'cryptsetup', (root) => {
    area(root).key_size = 0;
  }),
];

const segments: EvilCase[] = [
  json('segment without an offset', 'nobody', (root) => {
    delete root.segments[0].offset;
  }),
  json('segment with a sector size of 513', 'nobody', (root) => {
    root.segments[0].sector_size = 513;
  }),
  json('segment with a sector size of 8192', 'cryptsetup', (root) => {
    root.segments[0].sector_size = 8192;
  }),
  json('segment of size 0', 'nobody', (root) => {
    root.segments[0].size = '0';
  }),
  json('segment in the middle of a sector', 'nobody', (root) => {
    root.segments[0].offset = '1048577';
  }),
  json('segment with a size in the middle of a sector', 'nobody', (root) => {
    root.segments[0].size = '513';
  }),
  json('segment without a type', 'nobody', (root) => {
    delete root.segments[0].type;
  }),
  json('segment of an unknown type', 'both', (root) => {
    root.segments[0].type = 'quantum';
  }),
  json('segment without encryption', 'nobody', (root) => {
    delete root.segments[0].encryption;
  }),
  json('iv_tweak as a number', 'nobody', (root) => {
    root.segments[0].iv_tweak = 0;
  }),
  json('segments 0 and 2', 'nobody', (root) => {
    root.segments[0].size = '512';
    root.segments[2] = { ...root.segments[0], size: 'dynamic' };
  }),
  json('segment behind a dynamic one', 'nobody', (root) => {
    root.segments[1] = { ...root.segments[0], offset: String(2 ** 21) };
  }),
  json('two segments at one place', 'nobody', (root) => {
    root.segments[0].size = '4096';
    root.segments[1] = { ...root.segments[0], size: 'dynamic' };
  }),
  json('no segment', 'nobody', (root) => {
    root.segments = {};
    root.digests[0].segments = [];
  }),
  json('segment that begins in the key slots', 'nobody', (root) => {
    root.segments[0].offset = '65536';
  }),
];

const digests: EvilCase[] = [
  json('digest of a slot that is not there', 'nobody', (root) => {
    root.digests[0].keyslots.push('9');
  }),
  json('digest of a segment that is not there', 'nobody', (root) => {
    root.digests[0].segments.push('9');
  }),
  json('digest with a number for a slot', 'nobody', (root) => {
    root.digests[0].keyslots = [0, 1];
  }),
  json('digest without slots', 'nobody', (root) => {
    delete root.digests[0].keyslots;
  }),
  json('digest of an unknown type', 'both', (root) => {
    root.digests[0].type = 'crc';
  }),
  json('digest without its value', 'cryptsetup', (root) => {
    delete root.digests[0].digest;
  }),
  json('digest that is no base64', 'cryptsetup', (root) => {
    root.digests[0].digest = '==';
  }),
  json('digest of 2 bytes', 'cryptsetup', (root) => {
    root.digests[0].digest = 'AAA=';
  }),
  json('digest with a salt of 2 bytes', 'cryptsetup', (root) => {
    root.digests[0].salt = 'AAA=';
  }),
  json('digest with 0 iterations', 'cryptsetup', (root) => {
    root.digests[0].iterations = 0;
  }),
  json('slot with two digests', 'nobody', (root) => {
    root.digests[1] = { ...root.digests[0], segments: [] };
  }),
  json('no digest', 'nobody', (root) => {
    root.digests = {};
  }),
];

const rest: EvilCase[] = [
  json('json_size of another header', 'nobody', (root) => {
    root.config.json_size = '28672';
  }),
  json('json_size as a number', 'nobody', (root) => {
    root.config.json_size = 12288;
  }),
  json('no json_size', 'nobody', (root) => {
    delete root.config.json_size;
  }),
  json('keyslots_size of 4097', 'nobody', (root) => {
    root.config.keyslots_size = '4097';
  }),
  json('keyslots_size of 256 MiB', 'nobody', (root) => {
    root.config.keyslots_size = String(2 ** 28);
  }),
  json('keyslots_size beyond 2^64', 'nobody', (root) => {
    root.config.keyslots_size = '18446744073709551616';
  }),
  json('keyslots_size that reaches into the data', 'nobody', (root) => {
    root.config.keyslots_size = String(2 ** 20);
  }),
  json('flags as text', 'nobody', (root) => {
    root.config.flags = 'allow-discards';
  }),
  json('flag nobody knows', 'both', (root) => {
    root.config.flags = ['fly'];
  }),
  json('requirement nobody knows', 'both', (root) => {
    root.config.requirements = { mandatory: ['moon'] };
  }),
  json('requirements as an array', 'nobody', (root) => {
    root.config.requirements = ['moon'];
  }),
  json('token without a type', 'nobody', (root) => {
    root.tokens[0] = { keyslots: [] };
  }),
  json('token of a slot that is not there', 'nobody', (root) => {
    root.tokens[0] = { type: 'x', keyslots: ['9'] };
  }),
  json('token 32', 'cryptsetup', (root) => {
    root.tokens[32] = { type: 'x', keyslots: [] };
  }),
  json('token of our own', 'both', (root) => {
    root.tokens[0] = { type: 'x', keyslots: ['0'], deep: { er: [1] } };
  }),
  json('a section of its own', 'both', (root) => {
    root.extra = { a: 1 };
  }),
];

export const metadataCases: readonly EvilCase[] = [
  ...sections,
  ...slots,
  ...areas,
  ...segments,
  ...digests,
  ...rest,
];
