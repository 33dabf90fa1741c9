import { describe, expect, test } from 'vitest';
import { describeSignature, findSignatures, PROBED_BYTES } from './signature-probe.ts';

function image(...parts: [offsetBytes: number, bytes: string][]): Buffer {
  const bytes = Buffer.alloc(PROBED_BYTES);
  for (const [offsetBytes, text] of parts) bytes.write(text, offsetBytes, 'latin1');
  return bytes;
}

const EXT_MAGIC: [number, string] = [1024 + 0x38, '\x53\xef'];

describe('what is on an image', () => {
  test.each([
    ['LUKS', image([0, 'LUKS\xba\xbe']), ['crypto_LUKS']],
    ['ext2', image(EXT_MAGIC), ['ext2']],
    ['ext3', image(EXT_MAGIC, [1024 + 0x5c, '\x04']), ['ext3']],
    ['ext4', image(EXT_MAGIC, [1024 + 0x60, '\x40']), ['ext4']],
    ['FAT with its boot sector', image([54, 'FAT16   '], [510, '\x55\xaa']), ['vfat']],
    ['swap', image([4086, 'SWAPSPACE2']), ['swap']],
    ['btrfs', image([0x10040, '_BHRfS_M']), ['btrfs']],
    ['nothing', image(), []],
    ['a few bytes', Buffer.from('LU'), []],
  ])('%s', (_, bytes, names) => {
    expect(findSignatures(bytes).map(({ name }) => name)).toEqual(names);
  });

  test('a partition table has a partition; a GPT has a protective one', () => {
    const partition = `\x00\x00\x01\x00\x83\x00\x00\x00\x00\x08\x00\x00\x00\x10\x00\x00`;
    const dos = image([446, partition], [510, '\x55\xaa']);
    expect(findSignatures(dos)).toEqual([{ name: 'dos', kind: 'partition' }]);
    const gpt = image([446, partition], [510, '\x55\xaa'], [512, 'EFI PART']);
    expect(findSignatures(gpt).map(({ name }) => name)).toEqual(['gpt', 'dos']);
  });

  test('is said as cryptsetup says it', () => {
    expect(describeSignature('d', { name: 'ext4', kind: 'superblock' })).toBe(
      "Device d already contains a 'ext4' superblock signature.",
    );
  });
});
