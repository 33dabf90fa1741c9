/** Rows that move sectors about and remember nothing: each is where it is by counting, not by the target's arithmetic. */

import type { TargetDescription } from '../description.ts';
import {
  cutLinear,
  operandOf,
  type Part,
  type RowDraft,
  type Slot,
  slicePart,
  takeAll,
} from '../description.ts';

function linearRow(part: Part): RowDraft {
  const { lengthSectors } = part;
  return {
    type: 'linear',
    lengthSectors,
    params: `${operandOf(part)} ${part.startSectors}`,
    parts: [part],
    show: ([slots]) => slots!,
    cut: cutLinear(part, linearRow),
  };
}

export const linear: TargetDescription = {
  name: 'linear',
  weight: 4,
  draw(drawing) {
    const part = drawing.take(drawing.prng.integer(1, 40));
    return part && linearRow(part);
  },
};

function stripedRow(chunkSectors: number, stripes: readonly Part[]): RowDraft {
  const stripeSectors = stripes[0]!.lengthSectors;
  const chunkCount = stripeSectors / chunkSectors;
  const places = stripes.map((part) => ` ${operandOf(part)} ${part.startSectors}`).join('');
  return {
    type: 'striped',
    lengthSectors: stripeSectors * stripes.length,
    params: `${stripes.length} ${chunkSectors}${places}`,
    parts: stripes,
    show(parts) {
      const slots: Slot[] = [];
      for (let from = 0; from < stripeSectors; from += chunkSectors) {
        for (const part of parts) slots.push(...part.slice(from, from + chunkSectors));
      }
      return slots;
    },
    cut(prng) {
      if (chunkCount === 1) return [this];
      const at = prng.integer(1, chunkCount - 1) * chunkSectors;
      return [
        stripedRow(
          chunkSectors,
          stripes.map((part) => slicePart(part, 0, at)),
        ),
        stripedRow(
          chunkSectors,
          stripes.map((part) => slicePart(part, at, stripeSectors - at)),
        ),
      ];
    },
  };
}

export const striped: TargetDescription = {
  name: 'striped',
  weight: 3,
  draw(drawing) {
    const { prng } = drawing;
    const chunkSectors = prng.integer(1, 9);
    const stripeSectors = chunkSectors * prng.integer(1, 5);
    const stripes = takeAll(drawing, prng.integer(1, 4), stripeSectors);
    return stripes && stripedRow(chunkSectors, stripes);
  },
};

interface Unstriping {
  stripeCount: number;
  chunkSectors: number;
  index: number;
}

function unstripedRow(shape: Unstriping, part: Part): RowDraft {
  const { stripeCount, chunkSectors, index } = shape;
  const lengthSectors = part.lengthSectors / stripeCount;
  const chunkCount = lengthSectors / chunkSectors;
  return {
    type: 'unstriped',
    lengthSectors,
    params: `${stripeCount} ${chunkSectors} ${index} ${operandOf(part)} ${part.startSectors}`,
    parts: [part],
    show: ([slots]) =>
      slots!.filter((_, sector) => Math.floor(sector / chunkSectors) % stripeCount === index),
    cut(prng) {
      if (chunkCount === 1) return [this];
      const at = prng.integer(1, chunkCount - 1) * chunkSectors * stripeCount;
      const rest = slicePart(part, at, part.lengthSectors - at);
      return [unstripedRow(shape, slicePart(part, 0, at)), unstripedRow(shape, rest)];
    },
  };
}

export const unstriped: TargetDescription = {
  name: 'unstriped',
  weight: 1,
  draw(drawing) {
    const { prng } = drawing;
    const stripeCount = prng.integer(1, 3);
    const chunkSectors = prng.integer(1, 7);
    const part = drawing.take(stripeCount * chunkSectors * prng.integer(1, 4));
    const index = prng.integer(0, stripeCount - 1);
    return part && unstripedRow({ stripeCount, chunkSectors, index }, part);
  },
};

function constantRow(type: 'zero' | 'error', lengthSectors: number): RowDraft {
  return {
    type,
    lengthSectors,
    params: '',
    parts: [],
    show: () => new Array<Slot>(lengthSectors).fill(type),
  };
}

export const zero: TargetDescription = {
  name: 'zero',
  weight: 0.5,
  draw: ({ prng }) => constantRow('zero', prng.integer(1, 20)),
};

export const error: TargetDescription = {
  name: 'error',
  weight: 0.2,
  draw: ({ prng }) => constantRow('error', prng.integer(1, 10)),
};
