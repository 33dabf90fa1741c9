/** ioctls on the device mapper's control node, whose memory is both request and answer. */
import type { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';

/** struct dm_ioctl: the kernel looks at no less, and says itself in `data_size` how far it may go. */
const LEAST_BYTES = 305;
const DATA_SIZE_OFFSET = 12;
/** -EINVAL of the kernel, for memory that ends before its own `data_size`. */
const EINVAL = 22;

export interface ControlCalls {
  /** 0 or a negative errno. On libuv's threads: some ioctls wait for I/O. The descriptor must stay open meanwhile. */
  request(fd: number, ioctl: number, buffer: PinnedBuffer): Promise<number>;
}

export function createControlCalls(raw: RawCalls): ControlCalls {
  return {
    request(fd, ioctl, buffer) {
      const fits =
        buffer.lengthBytes >= LEAST_BYTES &&
        buffer.view.getUint32(DATA_SIZE_OFFSET, true) <= buffer.lengthBytes;
      // The kernel would write behind the memory.
      if (!fits) return Promise.resolve(-EINVAL);
      return raw.ioctlAsync(fd, ioctl, buffer, buffer.lengthBytes);
    },
  };
}
