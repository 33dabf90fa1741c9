/** What `cryptsetup luksDump` prints of a LUKS1 header, byte for byte, and the same facts as plain data. */

import { isActive, type KeySlot, type Luks1Header } from './header.ts';
import { STRIPES } from './layout.ts';

const BYTES_PER_LINE = 16;

/** `name`: of the device that the header was read from. */
export function dumpText(header: Luks1Header, name: string): string {
  const { digestSalt } = header;
  const lines = [
    `LUKS header information for ${name}`,
    '',
    'Version:       \t1',
    `Cipher name:   \t${header.cipherName}`,
    `Cipher mode:   \t${header.cipherMode}`,
    `Hash spec:     \t${header.hash}`,
    `Payload offset:\t${header.payloadSectors}`,
    `MK bits:       \t${header.keyBytes * 8}`,
    `MK digest:     \t${spaced(header.digest)}`,
    `MK salt:       \t${spaced(digestSalt.subarray(0, BYTES_PER_LINE))}`,
    `               \t${spaced(digestSalt.subarray(BYTES_PER_LINE))}`,
    `MK iterations: \t${header.digestIterations}`,
    `UUID:          \t${header.uuid}`,
    '',
    ...header.slots.flatMap(slotLines),
  ];
  return `${lines.join('\n')}\n`;
}

function slotLines(slot: KeySlot, index: number): string[] {
  if (!isActive(slot)) return [`Key Slot ${index}: DISABLED`];
  return [
    `Key Slot ${index}: ENABLED`,
    `\tIterations:         \t${slot.iterations}`,
    `\tSalt:               \t${spaced(slot.salt.subarray(0, BYTES_PER_LINE))}`,
    `\t                      \t${spaced(slot.salt.subarray(BYTES_PER_LINE))}`,
    `\tKey material offset:\t${slot.materialSectors}`,
    `\tAF stripes:            \t${STRIPES}`,
  ];
}

function spaced(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `${hex(byte)} `).join('');
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

const hexText = (bytes: Uint8Array) => [...bytes].map(hex).join('');

export function dumpJson(header: Luks1Header): unknown {
  return {
    version: 1,
    uuid: header.uuid,
    cipherName: header.cipherName,
    cipherMode: header.cipherMode,
    hash: header.hash,
    payloadOffsetSectors: header.payloadSectors,
    keyBits: header.keyBytes * 8,
    digest: {
      value: hexText(header.digest),
      salt: hexText(header.digestSalt),
      iterations: header.digestIterations,
    },
    slots: header.slots.map((slot, index) => ({
      slot: index,
      enabled: isActive(slot),
      ...(isActive(slot) && { iterations: slot.iterations, salt: hexText(slot.salt) }),
      keyMaterialOffsetSectors: slot.materialSectors,
      stripes: STRIPES,
    })),
  };
}
