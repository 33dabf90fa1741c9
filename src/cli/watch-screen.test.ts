import { EventEmitter } from 'node:events';
import type { ReadStream, WriteStream } from 'node:tty';
import { expect, test } from 'vitest';
import { WatchScreen } from './watch-screen.ts';

class FakeInput extends EventEmitter {
  readonly isTTY = true;
  raw = false;
  paused = false;
  setRawMode(raw: boolean) {
    this.raw = raw;
  }
  pause() {
    this.paused = true;
  }
}

class FakeOutput extends EventEmitter {
  columns = 80;
  rows = 24;
  text = '';
  write(text: string) {
    this.text += text;
  }
}

function openScreen() {
  const input = new FakeInput();
  const output = new FakeOutput();
  const screen = new WatchScreen(input as unknown as ReadStream, output as unknown as WriteStream);
  return { input, output, screen };
}

test.each(['q', 'Q', '\u0003'])('%j ends it, and the terminal is as before', async (key) => {
  const signalCount = process.listenerCount('SIGINT');
  const { input, output, screen } = openScreen();
  expect(input.raw).toBe(true);
  input.emit('data', Buffer.from('x'));
  input.emit('data', Buffer.from(key));
  await screen.ended;
  screen[Symbol.dispose]();
  expect(output.text.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
  expect(output.text.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  expect([input.raw, input.paused]).toEqual([false, true]);
  expect([input.listenerCount('data'), output.listenerCount('resize')]).toEqual([0, 0]);
  expect(process.listenerCount('SIGINT')).toBe(signalCount);
});

test('draws in place, and again when the size changes', () => {
  const { output, screen } = openScreen();
  output.text = '';
  screen.draw(({ columns, lines }) => [`${columns}x${lines}`, 'second']);
  expect(output.text).toBe('\u001b[H80x24\u001b[K\r\nsecond\u001b[K\r\n\u001b[J');
  output.text = '';
  output.columns = 40;
  output.emit('resize');
  expect(output.text).toContain('40x24');
  Object.assign(output, { text: '', columns: 0, rows: 0 });
  output.emit('resize');
  expect(output.text).toContain('80x24');
  screen[Symbol.dispose]();
});
